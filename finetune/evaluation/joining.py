"""Joining: predictions of disjoint epochs in several files, such as those of K folds, as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.recording import Policy
from psgimg.finetune.data.page_index import RecordingKey
from psgimg.finetune.evaluation import predictions_file
from psgimg.finetune.evaluation.epochs import Epochs, Pages
from psgimg.finetune.evaluation.stage_words import Codes
from psgimg.finetune.metrics import disclosure
from psgimg.finetune.metrics.metrics import N_STAGES

Scalar = TypeVar("Scalar", bound=np.generic)

EQUAL = (
    *("dataset", "config", "split", "mode", "context", "context_scale"),
    *("recipe_hash", "limit", "without"),
)
"""Settings in which joined predictions should not differ, beside their model and fold."""


@dataclass(frozen=True)
class Joined:
    """The files that were joined.

    Parameters
    ----------
    names
        Names of the files.
    folds
        The folds that they state, ascending.
    of
        Number of folds of the dataset; None if the files do not state it.
    differing
        Settings in which the files differ.
    """

    names: tuple[str, ...]
    folds: tuple[int, ...]
    of: int | None
    differing: tuple[str, ...]

    @property
    def missing(self) -> list[int]:
        """The folds of the dataset that no file has."""
        return [] if self.of is None else sorted(set(range(self.of)) - set(self.folds))

    def values(self) -> dict[str, Any]:
        """Return the facts as JSON values."""
        return {
            "files": list(self.names),
            "folds": list(self.folds),
            "of": self.of,
            "differing": list(self.differing),
        }

    def notes(self) -> list[str]:
        """Return what a reader should know, one line each."""
        folds = f", of the folds {_listed(self.folds)}" if self.folds else ""
        lines = [f"Joined from {len(self.names)} files of disjoint epochs{folds}."]
        if self.missing:
            lines.append(
                f"The folds {_listed(self.missing)} of {self.of} are missing: their people are not evaluated."
            )
        if self.differing:
            lines.append(f"The joined files differ in {', '.join(self.differing)}.")
        return lines


def read(
    paths: Sequence[Path], names: Sequence[str], codes: Codes | None = None
) -> tuple[Epochs, Joined]:
    """Read files of disjoint epochs as one, with stages by ``codes`` as for :func:`predictions_file.read`.

    Raises
    ------
    BuildError
        If a file can't be read, an epoch is in two files, a recording has two subjects, some files
        lack a column that others have, or signals corrupted in different ways would be mixed.
    """
    files = [predictions_file.read(path, codes) for path in paths]
    _refuse_mixed(files)
    whole = _concatenated(files)
    settings = [_settings(one.source) for one in files]
    stated = [s["fold"] for s in settings if isinstance(s.get("fold"), Mapping)]
    totals = {fold.get("of") for fold in stated}
    joined = Joined(
        names=tuple(names),
        folds=tuple(sorted({int(fold["number"]) for fold in stated if "number" in fold})),
        of=next(iter(totals)) if len(totals) == 1 and len(stated) == len(paths) else None,
        differing=tuple(
            key for key in EQUAL if any(s.get(key) != settings[0].get(key) for s in settings)
        ),
    )
    return replace(whole, source=common([one.source for one in files])), joined


def _refuse_mixed(files: Sequence[Epochs]) -> None:
    """Refuse files of which some lack the names of people, or are of corrupted signals."""
    for one, other in pairwise(files):
        for name in ("corpus", "subject"):
            has = [getattr(data, f"has_{name}") for data in (one, other)]
            if has[0] != has[1]:
                lacking = other if has[0] else one
                raise BuildError(
                    f"--join: {lacking.path} has no column {name!r}, which others have; add it"
                )
        if (one.pages is None) != (other.pages is None):
            pagewise = other if one.pages else one
            raise BuildError(
                f"--join: nights are decoded in one file, and in {pagewise.path} they are not; decode all or "
                "none"
            )
        first, second = ((data.source or {}).get("corruption") for data in (one, other))
        if first != second:
            raise BuildError(
                f"--join: the signals of {one.path} and {other.path} were corrupted in different ways, or "
                "only those of one; evaluate them apart"
            )


def _concatenated(files: Sequence[Epochs]) -> Epochs:
    """Return the epochs of all files, sorted as those of one."""
    recordings = tuple(sorted({key for one in files for key in one.recordings}))
    subjects: dict[tuple[str, str], str] = {}
    for key in recordings:
        if (other := subjects.setdefault((key.corpus, key.recording), key.subject)) != key.subject:
            raise BuildError(
                f"--join: recording {key.recording} has two subjects, {other} and {key.subject}; give each "
                "recording a unique name"
            )
    rank = {key: i for i, key in enumerate(recordings)}
    recording = np.concatenate(
        [np.array([rank[key] for key in one.recordings], np.int32)[one.recording] for one in files]
    )
    epoch = np.concatenate([one.epoch for one in files])
    file = np.repeat(np.arange(len(files)), [len(one) for one in files])
    order = np.lexsort((file, epoch, recording))
    same = (np.diff(recording[order]) == 0) & (np.diff(epoch[order]) == 0)
    if same.any():
        at = int(np.flatnonzero(same)[0])
        first, second = order[at], order[at + 1]
        name = recordings[recording[first]]
        words = " ".join(filter(None, (name.corpus, name.recording, f"epoch {epoch[first]}")))
        raise BuildError(
            f"--join: {words} is in {files[file[first]].path} and in {files[file[second]].path} "
            f"({int(same.sum()):,} epochs are in two files); join files of different epochs, or compare "
            "these without --join"
        )
    return replace(
        files[0],
        recordings=recordings,
        recording=recording[order],
        epoch=epoch[order],
        label=np.concatenate([one.label for one in files])[order],
        prediction=np.concatenate([one.prediction for one in files])[order],
        label_2=np.concatenate([one.label_2 for one in files])[order],
        probabilities=_known([one.probabilities for one in files], files, order, np.nan),
        votes=_known([one.votes for one in files], files, order, 0),
        epochs_s=_lengths(files, recordings),
        unseen_lanes=dict(
            sum((Counter(one.unseen_lanes) for one in files), Counter()).most_common()
        ),
        renamed={word: stage for one in files for word, stage in one.renamed.items()},
        pages=_pages(files, order),
    )


def _pages(files: Sequence[Epochs], order: npt.NDArray[np.int64]) -> Pages | None:
    """Return what was predicted of each page before the nights of all files were decoded."""
    parts = [one.pages for one in files if one.pages is not None]
    if not parts:
        return None
    return Pages(
        np.concatenate([one.prediction for one in parts]),
        np.concatenate([one.probabilities for one in parts]),
        np.concatenate([one.sequence for one in parts]),
    ).ordered(order)


def _known(
    parts: Sequence[npt.NDArray[Scalar] | None],
    files: Sequence[Epochs],
    order: npt.NDArray[np.int64],
    missing: float,
) -> npt.NDArray[Scalar] | None:
    """Return a row of five per epoch, ``missing`` of a file without them; None if no file has any."""
    some = next((part for part in parts if part is not None), None)
    if some is None:
        return None
    return np.concatenate(
        [
            np.full((len(one), N_STAGES), missing, some.dtype) if part is None else part
            for one, part in zip(files, parts, strict=True)
        ]
    )[order]


def _lengths(
    files: Sequence[Epochs], recordings: Sequence[RecordingKey]
) -> npt.NDArray[np.float64]:
    """Return the length of the epochs of each recording in seconds; NaN where no file states it."""
    stated: dict[RecordingKey, float] = {}
    for one in files:
        for key, length_s in zip(one.recordings, one.epochs_s.tolist(), strict=True):
            if np.isnan(length_s):
                continue
            if (other := stated.setdefault(key, length_s)) != length_s:
                raise BuildError(
                    f"--join: the epochs of recording {key.recording} last {length_s:g} s in "
                    f"{one.path}, and {other:g} s in another file; join files of the same epochs"
                )
    return np.array([stated.get(key, np.nan) for key in recordings])


def common(sources: Sequence[Mapping[str, Any] | None]) -> dict[str, Any] | None:
    """Return what all JSON files beside the predictions state alike; the strictest policy counts."""
    known = [source for source in sources if source is not None]
    if not known:
        return None
    first = known[0]
    common = {
        key: value for key, value in first.items() if all(s.get(key) == value for s in known[1:])
    }
    settings = [_settings(source) for source in known]
    common["settings"] = {
        key: value
        for key, value in settings[0].items()
        if all(s.get(key) == value for s in settings[1:])
    }
    if disclosure.ELSEWHERE in common:
        common[disclosure.PEOPLE] = disclosure.joined(
            source.get(disclosure.PEOPLE) for source in known
        )
    policies = {source.get("policy", Policy.OPEN.value) for source in known}
    if policies != {Policy.OPEN.value}:
        common["policy"] = Policy.RESTRICTED.value
    return common


def _settings(source: Mapping[str, Any] | None) -> Mapping[str, Any]:
    settings = (source or {}).get("settings")
    return settings if isinstance(settings, Mapping) else {}


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
