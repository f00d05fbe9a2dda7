"""Corpus layout: find the recordings in a folder and their scorings by path patterns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder.corpora.custom.path_patterns import Files, PathPattern
from psgimg.builder.corpora.reading import listed, walk
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.listing import Place, folder_of
from psgimg.builder.recordings.recording import Recording

LONGEST_NAME = 100
"""Maximum characters of a name, which is part of file names; systems limit these to 255 bytes."""


@dataclass(frozen=True)
class CorpusLayout:
    """Location of the files of a corpus.

    Parameters
    ----------
    signals
        Path pattern of the signal files.
    scorings
        Scorer → path pattern of the scoring files, the reference scorer first; None if the scoring
        is in the signal file.
    """

    corpus: str
    signals: PathPattern
    scorings: Mapping[str, PathPattern | None]


def recordings(layout: CorpusLayout, root: Place) -> Iterator[Recording]:
    """Yield the recordings in name order.

    Raises
    ------
    BuildError
        If there are none, a name is unusable or ambiguous, or two files could be the scoring of a
        recording.
    """
    files = Files(folder_of(root), walk(root))
    matched = [(layout.signals.match(name), path) for name, path in files.paths.items()]
    signals = [(values, path) for values, path in matched if values is not None]
    scorings = [_scorings(layout, values, path, files) for values, path in signals]
    others = {
        scoring
        for (_, path), own in zip(signals, scorings, strict=True)
        for scoring in own.values()
        if scoring != path
    }
    names = _Names(layout.corpus)
    nights = []
    for (values, path), own in zip(signals, scorings, strict=True):
        if path not in others:  # `**/{subject}.edf` also matches P001_scoring.edf
            nights.append(_recording(layout.corpus, names, values, path, own))
    return listed(nights, root, f"files like {layout.signals.text}")


def _scorings(
    layout: CorpusLayout, values: Mapping[str, str], signal: Path, files: Files
) -> dict[str, Path]:
    scorings: dict[str, Path] = {}
    for scorer, pattern in layout.scorings.items():
        paths = [signal] if pattern is None else pattern.find(values, files)
        if len(paths) > 1:
            raise BuildError(
                f"{layout.corpus}: both {paths[0].name} and {paths[1].name} could be the scoring of "
                f"{signal.name}; remove one, or make the scoring pattern stricter"
            )
        if paths:
            scorings[scorer] = paths[0]
    return scorings


def _recording(
    corpus: str, names: _Names, values: Mapping[str, str], path: Path, scorings: Mapping[str, Path]
) -> Recording:
    subject = names.safe("subject", values["subject"], path)
    night = values.get("recording", "")
    whole = night.lower().startswith(values["subject"].lower())
    full = night if whole else "-".join(part for part in (values["subject"], night) if part)
    family = values.get("family")
    kin = f"family-{names.safe('family', family, path)}" if family else ""
    return Recording(corpus, subject, names.safe("recording", full, path), path, scorings, kin=kin)


class _Names:
    """Names made safe for file names; two that would become equal are refused."""

    def __init__(self, corpus: str) -> None:
        self._corpus = corpus
        self._raw: dict[tuple[str, str], str] = {}

    def safe(self, kind: str, raw: str, path: Path) -> str:
        """Return the safe name of a subject, recording or family in a path."""
        name = re.sub(r"[^\w.]+", "-", raw).strip("-.")
        if not 0 < len(name) <= LONGEST_NAME:
            raise BuildError(
                f"{self._corpus}: {path.name} has the {kind} {raw[:40]!r}, which can't be used in file "
                f"names; rename the file, using letters and digits, {LONGEST_NAME} at most"
            )
        before = self._raw.setdefault((kind, name.lower()), raw)
        if before != raw:
            raise BuildError(
                f"{self._corpus}: the {kind} names {before!r} and {raw!r} would both be {name}; rename "
                "the files of one, or spell both the same"
            )
        return name
