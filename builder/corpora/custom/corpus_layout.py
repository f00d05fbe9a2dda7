"""Corpus layout: the recordings of a folder, and their scorings, by patterns of their paths."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder.corpora.custom.path_patterns import Files, PathPattern
from psgimg.builder.corpora.reading import listed, walk
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.recording import Recording

LONGEST_NAME = 100
"""Characters: a name is part of a file's name, which systems cut at 255 bytes."""


@dataclass(frozen=True)
class CorpusLayout:
    """Where the files of a corpus lie.

    Parameters
    ----------
    signals
        Pattern of the signal files.
    scorings
        Scorer → pattern of the scoring files, the reference scorer first; None where the scoring is
        in the signal file.
    """

    corpus: str
    signals: PathPattern
    scorings: Mapping[str, PathPattern | None]


def recordings(layout: CorpusLayout, root: Path) -> Iterator[Recording]:
    """Yield the nights in name order.

    Raises
    ------
    BuildError
        If there are none, a name can't be used or two would be one, or two files could be the
        scoring of a night.
    """
    files = Files(root, walk(root))
    matched = [(layout.signals.match(name), path) for name, path in files.paths.items()]
    found = [(values, path) for values, path in matched if values is not None]
    scorings = [_scorings(layout, values, path, files) for values, path in found]
    others = {
        scoring
        for (_, path), own in zip(found, scorings, strict=True)
        for scoring in own.values()
        if scoring != path
    }
    names = _Names(layout.corpus)
    nights = []
    for (values, path), own in zip(found, scorings, strict=True):
        if path not in others:  # `**/{subject}.edf` fits P001_scoring.edf as well
            nights.append(_recording(layout.corpus, names, values, path, own))
    return listed(nights, root, f"files like {layout.signals.text}")


def _scorings(
    layout: CorpusLayout, values: Mapping[str, str], signal: Path, files: Files
) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for scorer, pattern in layout.scorings.items():
        paths = [signal] if pattern is None else pattern.find(values, files)
        if len(paths) > 1:
            raise BuildError(
                f"{layout.corpus}: both {paths[0].name} and {paths[1].name} could be the scoring of "
                f"{signal.name}; remove one, or make the pattern of scoring stricter"
            )
        if paths:
            found[scorer] = paths[0]
    return found


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
    """Names made safe for files; two that would become one are refused."""

    def __init__(self, corpus: str) -> None:
        self._corpus = corpus
        self._known: dict[tuple[str, str], str] = {}

    def safe(self, kind: str, raw: str, path: Path) -> str:
        """The name of a subject, recording or family that a path gives."""
        name = re.sub(r"[^\w.]+", "-", raw).strip("-.")
        if not 0 < len(name) <= LONGEST_NAME:
            raise BuildError(
                f"{self._corpus}: {path.name} gives the {kind} {raw[:40]!r}, of which no name for files "
                f"can be made; rename the file, with letters and digits, {LONGEST_NAME} at most"
            )
        before = self._known.setdefault((kind, name.lower()), raw)
        if before != raw:
            raise BuildError(
                f"{self._corpus}: the {kind} names {before!r} and {raw!r} would both be {name}; rename "
                "the files of one, or spell it the same everywhere"
            )
        return name
