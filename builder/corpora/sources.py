"""Sources: where a corpus lies on this machine, and which of its recordings are wanted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder.corpora import demo
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.recording import Corpus, Recording


@dataclass(frozen=True)
class Source:
    """A corpus and the folder it lies in."""

    corpus: Corpus
    root: Path


def root_variable(name: str) -> str:
    """Environment variable that names a corpus's folder: ``PSGIMG_SLEEP_EDF_ROOT``."""
    return f"PSGIMG_{name.upper().replace('-', '_')}_ROOT"


def locate(corpora: Sequence[Corpus], roots: Sequence[str]) -> list[Source]:
    """Find each corpus: ``--root``, then its variable, then the downloader's folder right here.

    For a corpus that a YAML file describes, the last is the folder that the file names, or its own.

    Raises
    ------
    BuildError
        If a corpus is nowhere; the message says where it is had and on what terms.
    """
    given = _given([corpus.name for corpus in corpora], roots)
    return [Source(corpus, _root(corpus, given.get(corpus.name))) for corpus in corpora]


def recordings(source: Source, subjects: Sequence[str], limit: int) -> list[Recording]:
    """Recordings of the wanted subjects (none named: all), the first ``limit`` of them (0: all).

    Raises
    ------
    BuildError
        If there are none, or the corpus's reader gives a recording another corpus's name: by that
        name its pictures would go by the other's terms.
    """
    chosen = set(subjects)
    found = [
        recording
        for recording in source.corpus.recordings(source.root)
        if not chosen or recording.subject in chosen
    ]
    for recording in found:
        if recording.corpus != source.corpus.name:
            raise BuildError(
                f"{source.corpus.name}: its reader says that {recording.recording} is of "
                f"{recording.corpus}; the author of the reader must correct that"
            )
    return found[:limit] if limit else found


def on_disk(corpus: Corpus) -> Path | None:
    """The folder of a corpus if one is found without being named."""
    place = os.environ.get(root_variable(corpus.name))
    if place:
        return Path(place)
    home = Path(corpus.home)
    return home if home.is_dir() else None


def _given(names: Sequence[str], roots: Sequence[str]) -> dict[str, Path]:
    """``--root`` values by corpus."""
    given: dict[str, Path] = {}
    for root in roots:
        name, equals, place = root.partition("=")
        if equals and name in names:
            given[name] = Path(place).expanduser()
        elif len(set(names)) == 1:
            given[names[0]] = Path(root).expanduser()
        else:
            raise BuildError(
                f"--root {root}: with several sources give each its own, such as --root {names[0]}=DIR"
            )
    return given


def _root(found: Corpus, given: Path | None) -> Path:
    place = given or on_disk(found)
    if found.name == demo.CORPUS.name and (place is None or not place.exists() or given is None):
        place = place or Path(found.home)
        demo.write(place)
    if place is None:
        raise BuildError(
            f"{found.title} is not here: give --root DIR or set {root_variable(found.name)}. "
            f"{found.terms.access} Terms: {found.terms.licence} ({found.terms.licence_url})."
        )
    if not place.is_dir():
        raise BuildError(f"{found.name}: there is no folder {place}; give --root DIR")
    return place
