"""Sources: locate the folder of a corpus, and select its recordings."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from psgimg.builder.errors import BuildError
from psgimg.builder.files.quoting import require_utf8
from psgimg.builder.files.safe_names import expanded, is_corpus
from psgimg.builder.progress import SILENT, Progress
from psgimg.builder.recordings.listing import Listing
from psgimg.builder.recordings.recording import Corpus, Recording

N_NAMED = 5
"""Number of subjects that a one-line message lists."""


@dataclass(frozen=True)
class Source:
    """A corpus and its folder.

    Parameters
    ----------
    published
        Its recordings under their public names; None before these are assigned.
    listing
        Its files, with those that can be fetched; None if all are on disk.
    """

    corpus: Corpus
    root: Path
    published: tuple[Recording, ...] | None = None
    listing: Listing | None = None

    def recordings(self) -> Iterator[Recording]:
        """Return the recordings as the corpus's reader finds them; BuildError if there are none."""
        return self.corpus.recordings(self.listing or self.root)


def to_fetch(
    corpora: Sequence[Corpus], roots: Sequence[str], among: Sequence[Corpus]
) -> dict[str, Path]:
    """Return the folder of each corpus that is fetched; it need not exist yet. See ``locate``."""
    given = _given([corpus.name for corpus in among], roots)
    return {
        corpus.name: given.get(corpus.name) or _in_environment(corpus) or Path(corpus.home)
        for corpus in corpora
    }


def root_variable(name: str) -> str:
    """Return the environment variable of a corpus's folder: ``PSGIMG_SLEEP_EDF_ROOT``."""
    return f"PSGIMG_{name.upper().replace('-', '_')}_ROOT"


def locate(
    corpora: Sequence[Corpus],
    roots: Sequence[str],
    among: Sequence[Corpus] = (),
    fetching: Mapping[str, str] = MappingProxyType({}),
    progress: Progress = SILENT,
) -> list[Source]:
    """Locate each corpus by ``--root``, its environment variable, or the downloader's folder.

    The downloader's folder is in the working directory, into which a synthetic corpus that is found
    nowhere is written, with a note. For a corpus described by a YAML file, it
    is the ``root`` in the file, by default the file's own folder.

    Parameters
    ----------
    among
        All corpora of the command, to which ``roots`` belong; ``corpora`` if empty.
    fetching
        Corpus → what ``--fetch`` could do, for the message if it is not found.
    progress
        Display of the nights that are generated.

    Raises
    ------
    BuildError
        If a corpus is not found; the message states how to get it and its terms.
    """
    given = _given([corpus.name for corpus in among or corpora], roots)
    return [
        Source(
            corpus, _root(corpus, given.get(corpus.name), fetching.get(corpus.name, ""), progress)
        )
        for corpus in corpora
    ]


def chosen(
    located: Sequence[Source], subjects: Sequence[str], limit: int
) -> list[tuple[Source, Recording]]:
    """Return the recordings of some subjects (empty: all), the first ``limit`` of each source (0: all).

    Parameters
    ----------
    subjects
        Their public or their original names.

    Raises
    ------
    BuildError
        As for ``recordings``, and if no source has one of the subjects.
    """
    found = [(source, recordings(source)) for source in located]
    names = [(one.subject, one.own.subject) for _, of_source in found for one in of_source]
    if missing := sorted(set(subjects).difference(*names)):
        there = list(dict.fromkeys(subject for subject, _ in names))
        more = ", …" if len(there) > N_NAMED else ""
        raise BuildError(
            f"no subject {', '.join(missing)} in {', '.join(one.corpus.name for one in located)}; "
            f"choose from {', '.join(there[:N_NAMED])}{more}"
        )
    wanted = set(subjects)
    selected = [
        [one for one in of_source if not wanted or wanted & {one.subject, one.own.subject}]
        for _, of_source in found
    ]
    return [
        (source, one)
        for (source, _), of_source in zip(found, selected, strict=True)
        for one in of_source[: limit or None]
    ]


def recordings(source: Source) -> list[Recording]:
    """Return the recordings of a corpus, under their public names if these are assigned.

    Raises
    ------
    BuildError
        If there are none, or the corpus's reader labels a recording with another corpus, whose
        terms would then apply to its pictures.
    """
    found = list(source.published or source.recordings())
    for recording in found:
        if recording.corpus != source.corpus.name:
            raise BuildError(
                f"{source.corpus.name}: its reader assigns {recording.recording} to "
                f"{recording.corpus}; the author of the reader must fix this"
            )
    return found


def on_disk(corpus: Corpus) -> Path | None:
    """Return the folder of a corpus that is found without ``--root``, or None.

    A folder in which only ``--fetch`` has left its hidden notes does not count.
    """
    if place := _in_environment(corpus):
        return place
    home = Path(corpus.home)
    return home if any(not path.name.startswith(".") for path in home.glob("*")) else None


def _in_environment(corpus: Corpus) -> Path | None:
    variable = root_variable(corpus.name)
    place = os.environ.get(variable, "")
    require_utf8(place, variable)
    return expanded(place) if place else None


def _given(names: Sequence[str], roots: Sequence[str]) -> dict[str, Path]:
    """Return the ``--root`` values by corpus."""
    given: dict[str, Path] = {}
    for root in roots:
        name, equals, place = root.partition("=")
        if equals and name in names:
            given[name] = expanded(place)
        elif len(set(names)) == 1:
            if equals and is_corpus(name) and not expanded(root).exists():
                raise BuildError(
                    f"--root {root}: no source is named {name}; give --root DIR or --root {names[0]}=DIR"
                )
            given[names[0]] = expanded(root)
        else:
            raise BuildError(
                f"--root {root}: with several sources, give one for each, such as --root {names[0]}=DIR"
            )
    return given


def _root(corpus: Corpus, given: Path | None, fetching: str, progress: Progress) -> Path:
    place = given or on_disk(corpus)
    if corpus.generate and (place is None or not place.exists() or given is None):
        place = place or Path(corpus.home)
        if not place.exists():
            progress.note(
                f"{corpus.name}: written to {place}; give --root DIR to use another folder"
            )
        corpus.generate(place, progress)
    if place is None:
        raise BuildError(
            f"{corpus.title} not found: give --root DIR or set {root_variable(corpus.name)}{fetching}. "
            f"{corpus.terms.access} Terms: {corpus.terms.licence} ({corpus.terms.licence_url})."
        )
    if not place.is_dir():
        what = f"{place} is a file" if place.exists() else f"folder {place} not found"
        raise BuildError(f"{corpus.name}: {what}; give --root DIR")
    return place
