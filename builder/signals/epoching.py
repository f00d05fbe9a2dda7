"""Pages: which 30 s of signal become a picture, and why the other epochs do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.hypnogram import TOLERANCE_S, Hypnogram
from psgimg.builder.recordings.montage import Kind, Montage
from psgimg.builder.recordings.signal_file import SignalFile
from psgimg.builder.signals.filtering import Signals
from psgimg.builder.stages import Stage, Unscored

PAGE_S = 30.0
"""Length of a page. A 20-s epoch is shown with 5 s of signal on either side, as published work does."""

MIN_SHARE = 0.5
"""A scoring of which less than this share lies on the signal belongs to another recording."""


class Paged(Protocol):
    """What has a page: a scored epoch of a corpus, or any 30 s of a new night."""

    @property
    def page_start_s(self) -> float:
        """Start of its page from the recording's start."""


@dataclass(frozen=True)
class Epoch:
    """A scored epoch that has signal for its whole page."""

    index: int
    onset_s: float
    stage: Stage
    page_start_s: float


@dataclass(frozen=True)
class Selection:
    """The epochs of a recording that become pictures, and a count of those that do not, by reason."""

    epochs: tuple[Epoch, ...]
    left_out: dict[str, int]

    @property
    def span_s(self) -> tuple[float, float]:
        """Start of the first page and end of the last."""
        return self.epochs[0].page_start_s, self.epochs[-1].page_start_s + PAGE_S


def select(hypnogram: Hypnogram, edf: SignalFile, trim_min: float | None) -> Selection:
    """Choose the epochs to draw: staged, within ``trim_min`` minutes of sleep, on gapless signal.

    Parameters
    ----------
    trim_min
        Minutes of wakefulness kept before the first and after the last epoch of sleep; None keeps
        all.

    Raises
    ------
    RecordingError
        If signal and scoring don't belong together in time, or nothing is left.
    """
    left_out: Counter[str] = Counter({"partial": hypnogram.partial})
    epochs: list[Epoch] = []
    first_s, last_s = _kept_s(hypnogram, trim_min)
    margin_s = (PAGE_S - hypnogram.epoch_s) / 2
    for onset_s, score in hypnogram:
        page_start_s = onset_s - margin_s
        if isinstance(score, Unscored):
            left_out[score.value] += 1
        elif not first_s - TOLERANCE_S <= onset_s <= last_s + TOLERANCE_S:
            left_out["trimmed"] += 1
        elif fate := missing_signal(edf, page_start_s):
            left_out[fate] += 1
        else:
            epochs.append(Epoch(hypnogram.index(onset_s), onset_s, score, page_start_s))
    lost = left_out["beyond the signal"]
    if lost > (1 - MIN_SHARE) * (lost + len(epochs)):
        raise RecordingError(
            "scoring of another time",
            f"{edf.path.name}: {lost} of {lost + len(epochs)} scored epochs lie outside the signal, "
            f"which lasts {edf.duration_s:g} s; check that both files are of one night",
        )
    if not epochs:
        raise RecordingError("no epoch to draw", f"{edf.path.name}: {dict(+left_out)}")
    return Selection(tuple(epochs), dict(+left_out))


def require_eeg(signals: Signals, montage: Montage, where: str) -> None:
    """RecordingError if no EEG lane carries a signal: nobody could stage such pages."""
    lanes = zip(signals.lanes, signals.flat, montage.lanes, strict=True)
    named = {name: flat for name, flat, lane in lanes if name and lane.kind is Kind.EEG}
    if all(named.values()):
        raise RecordingError(
            "flat EEG",
            f"{where}: every EEG lane ({', '.join(named)}) is one constant value; the electrodes were "
            "not recorded",
        )


def cut(signals: Signals, epochs: Iterable[Paged]) -> Iterator[npt.NDArray[np.float32]]:
    """Samples of each epoch's page in µV, shape (n_lanes, n_samples); NaN in an absent lane."""
    n_page = round(PAGE_S * signals.sfreq_hz)
    for epoch in epochs:
        number, first = place(signals, epoch)
        page = signals.stretches[number].data_uv[:, first : first + n_page]
        short = n_page - page.shape[1]  # rounding of rates may cost the last sample of a stretch
        yield np.pad(page, ((0, 0), (0, short)), mode="edge") if short else page


def place(signals: Signals, epoch: Paged) -> tuple[int, int]:
    """Where a page begins: number of the stretch, and of the sample in it."""
    starts_s = [stretch.start_s for stretch in signals.stretches]
    begun = [i for i, start_s in enumerate(starts_s) if start_s <= epoch.page_start_s + TOLERANCE_S]
    number = max(begun, key=starts_s.__getitem__)
    return number, max(0, round((epoch.page_start_s - starts_s[number]) * signals.sfreq_hz))


def _kept_s(hypnogram: Hypnogram, trim_min: float | None) -> tuple[float, float]:
    """Onsets of the first and last epoch to keep."""
    asleep = [
        onset_s for onset_s, score in hypnogram if isinstance(score, Stage) and score != Stage.W
    ]
    if trim_min is None or not asleep:
        return float("-inf"), float("inf")
    return asleep[0] - 60 * trim_min, asleep[-1] + 60 * trim_min


def missing_signal(edf: SignalFile, page_start_s: float) -> str:
    """Why a page can't be drawn: "" if it lies wholly on one gapless segment."""
    stop_s = page_start_s + PAGE_S
    for segment in edf.segments:
        last_s = segment.stop_s(edf.record_s) + TOLERANCE_S
        if page_start_s >= segment.onset_s - TOLERANCE_S and stop_s <= last_s:
            return ""
    inside = -PAGE_S < page_start_s < edf.duration_s
    if not inside:
        return "beyond the signal"
    at_edge = page_start_s < 0 or stop_s > edf.duration_s
    return "at the signal's edge" if at_edge else "in a gap"
