"""Epoching: which epochs become pages, why others do not, and the samples of each page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import floor
from typing import Protocol

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.recordings.hypnogram import TOLERANCE_S, Hypnogram
from psgimg.builder.recordings.montage import Kind, Montage
from psgimg.builder.recordings.signal_file import SignalFile
from psgimg.builder.signals.filtering import Signals
from psgimg.builder.stages import Stage, Unscored

PAGE_S = 30.0
"""Duration of a page. A 20-s epoch is shown with 5 s of context on either side, as in the literature."""

MIN_SHARE = 0.5
"""A scoring of which a smaller share lies within the signal belongs to another recording."""

BEYOND = "beyond the signal"


class Paged(Protocol):
    """Anything with a page: a scored epoch of a corpus, or 30 s of an unscored recording."""

    @property
    def page_start_s(self) -> float:
        """Start of the page in seconds from the recording's start."""


@dataclass(frozen=True)
class Epoch:
    """A scored epoch with signal on its whole page."""

    index: int
    onset_s: float
    stage: Stage
    page_start_s: float


@dataclass(frozen=True)
class Selection:
    """The epochs of a recording that become pictures, and why the others do not.

    Parameters
    ----------
    epochs
        In time order.
    reasons
        Number of each epoch that is left out, with the reason in two or three words.
    partial
        Number of runs of the scoring that end with an incomplete epoch.
    """

    epochs: tuple[Epoch, ...]
    reasons: tuple[tuple[int, str], ...]
    partial: int = 0

    @property
    def left_out(self) -> dict[str, int]:
        """Number of epochs left out, by reason."""
        counts = Counter(reason for _, reason in self.reasons)
        return dict(+Counter({"partial": self.partial, **counts}))

    @property
    def span_s(self) -> tuple[float, float]:
        """Start of the first page and end of the last one, in seconds."""
        return self.epochs[0].page_start_s, self.epochs[-1].page_start_s + PAGE_S


def select(hypnogram: Hypnogram, edf: SignalFile, trim_min: float | None) -> Selection:
    """Choose the epochs to draw: staged, within ``trim_min`` minutes of sleep, on gapless signal.

    Parameters
    ----------
    trim_min
        Minutes of wakefulness kept before the first and after the last epoch of sleep; None for
        all.

    Raises
    ------
    RecordingError
        If signal and scoring don't match in time, or no epoch is left.
    """
    epochs: list[Epoch] = []
    reasons: list[tuple[int, str]] = []
    first_s, last_s = _kept_s(hypnogram, trim_min)
    margin_s = (PAGE_S - hypnogram.epoch_s) / 2
    for onset_s, score in hypnogram:
        number, page_start_s = hypnogram.index(onset_s), onset_s - margin_s
        if isinstance(score, Unscored):
            reasons.append((number, score.value))
        elif not first_s - TOLERANCE_S <= onset_s <= last_s + TOLERANCE_S:
            reasons.append((number, "trimmed"))
        elif reason := missing_signal(edf, page_start_s):
            reasons.append((number, reason))
        else:
            epochs.append(Epoch(number, onset_s, score, page_start_s))
    selection = Selection(tuple(epochs), tuple(reasons), hypnogram.partial)
    lost = selection.left_out.get(BEYOND, 0)
    if lost > (1 - MIN_SHARE) * (lost + len(epochs)):
        raise RecordingError(
            "scoring of another time",
            f"{edf.path.name}: {lost} of {lost + len(epochs)} scored epochs lie outside the signal, "
            f"which lasts {edf.duration_s:g} s; check that both files belong to the same night",
        )
    if not epochs:
        left_out = ", ".join(f"{n} {reason}" for reason, n in selection.left_out.items())
        raise RecordingError(
            "no epoch to draw",
            f"{edf.path.name}: epochs left out: {left_out}{_in_brackets(edf.notes)}; correct the "
            "files, or exclude this recording",
        )
    return selection


def _in_brackets(notes: Sequence[str]) -> str:
    """Return the notes on a file as the end of a message: they may be the reason for its gaps."""
    return f" ({'; '.join(notes)})" if notes else ""


def require_pages(file: SignalFile, pages: Sequence[Paged]) -> None:
    """Raise BuildError if a recording outside any corpus has no page with gapless signal."""
    if not pages:
        raise BuildError(
            f"{file.path.name} lasts {file.duration_s:g} s and has no {PAGE_S:g} s without a gap"
            f"{_in_brackets(file.notes)}; choose a longer recording, or export it again"
        )


def count_pages(duration_s: float) -> int:
    """Return the number of whole pages from the first sample to the last, gaps included."""
    return floor((duration_s + TOLERANCE_S) / PAGE_S)


def require_signal(file: SignalFile, pages: Iterable[Paged]) -> None:
    """Raise RecordingError if a page is not completely covered by gapless signal."""
    for page in pages:
        if reason := missing_signal(file, page.page_start_s):
            raise RecordingError(
                "page without signal",
                f"{file.path.name}: the {PAGE_S:g} s from {page.page_start_s:g} s lie {reason}; "
                "choose another epoch",
            )


def require_eeg(
    names: Sequence[str | None], flat: Sequence[bool], montage: Montage, where: str
) -> None:
    """Raise RecordingError if all EEG lanes are flat: such pages can't be staged."""
    lanes = zip(names, flat, montage.lanes, strict=True)
    eeg = {name: still for name, still, lane in lanes if name and lane.kind is Kind.EEG}
    if all(eeg.values()):
        raise RecordingError(
            "flat EEG",
            f"{where}: every EEG lane ({', '.join(eeg)}) is constant; the electrodes were not "
            "recorded",
        )


def cut(signals: Signals, epochs: Iterable[Paged]) -> Iterator[npt.NDArray[np.float32]]:
    """Yield the samples of each page in µV, shape (n_lanes, n_samples); NaN in an absent lane."""
    n_page = round(PAGE_S * signals.sfreq_hz)
    for epoch in epochs:
        number, first = place(signals, epoch)
        page = signals.stretches[number].part(first, first + n_page)
        short = n_page - page.shape[1]  # rounding of rates may drop the last sample of a stretch
        yield np.pad(page, ((0, 0), (0, short)), mode="edge") if short else page


def place(signals: Signals, epoch: Paged) -> tuple[int, int]:
    """Return the index of the stretch in which a page begins, and of the first sample in it."""
    starts_s = [stretch.start_s for stretch in signals.stretches]
    begun = [i for i, start_s in enumerate(starts_s) if start_s <= epoch.page_start_s + TOLERANCE_S]
    number = max(begun, key=starts_s.__getitem__)
    return number, max(0, round((epoch.page_start_s - starts_s[number]) * signals.sfreq_hz))


def _kept_s(hypnogram: Hypnogram, trim_min: float | None) -> tuple[float, float]:
    """Return the onsets of the first and last epoch to keep."""
    asleep = [
        onset_s for onset_s, score in hypnogram if isinstance(score, Stage) and score != Stage.W
    ]
    if trim_min is None or not asleep:
        return float("-inf"), float("inf")
    return asleep[0] - 60 * trim_min, asleep[-1] + 60 * trim_min


def missing_signal(edf: SignalFile, page_start_s: float) -> str:
    """Return why a page can't be drawn; "" if it lies within one gapless segment."""
    stop_s = page_start_s + PAGE_S
    for segment in edf.segments:
        last_s = segment.stop_s(edf.record_s) + TOLERANCE_S
        if page_start_s >= segment.onset_s - TOLERANCE_S and stop_s <= last_s:
            return ""
    inside = -PAGE_S < page_start_s < edf.duration_s
    if not inside:
        return BEYOND
    at_edge = page_start_s < 0 or stop_s > edf.duration_s
    return "at the signal's edge" if at_edge else "in a gap"
