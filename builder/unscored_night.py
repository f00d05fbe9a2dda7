"""New night: pages of a recording that belongs to no corpus, drawn as a model was taught."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import ceil, floor
from pathlib import Path

from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.recordings import channels as chosen
from psgimg.builder.recordings.edf import uv_per_unit
from psgimg.builder.recordings.hypnogram import TOLERANCE_S
from psgimg.builder.recordings.mne_reader import open_any
from psgimg.builder.recordings.montage import Derivation
from psgimg.builder.recordings.signal_file import SignalFile, unit_notes
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.signals.epoching import PAGE_S, cut, missing_signal, require_eeg
from psgimg.builder.signals.filtering import read_signals


@dataclass(frozen=True)
class NewPage:
    """Thirty seconds of a night, whatever their stage: page ``epoch`` begins ``onset_s`` after the start."""

    epoch: int
    onset_s: float

    @property
    def page_start_s(self) -> float:
        """Where the picture begins: a page shows its epoch and nothing else."""
        return self.onset_s


@dataclass(frozen=True)
class NewNight:
    """A recording opened, its channels found, no sample read yet.

    Parameters
    ----------
    start
        Date and time of the first sample as the file says; None if it says none. Never published.
    derivations
        What fills each lane of the recipe's montage, None where the file has nothing.
    epochs
        The pages that can be drawn, in time order. Their numbers go on through gaps.
    left_out
        Epochs without signal for their whole page, counted by reason.
    notes
        What was tolerated, a sentence each.
    """

    path: Path
    start: datetime | None
    duration_s: float
    recipe: Recipe
    derivations: tuple[Derivation | None, ...]
    epochs: tuple[NewPage, ...]
    left_out: Mapping[str, int]
    notes: tuple[str, ...]
    mains_hz: float
    file: SignalFile

    @property
    def n_epochs(self) -> int:
        """Whole epochs from the first sample to the last, those without signal included."""
        return floor((self.duration_s + TOLERANCE_S) / PAGE_S)  # as `missing_signal` counts


def open_night(
    path: Path,
    recipe: Recipe,
    *,
    channels: Mapping[str, str] | None = None,
    mains_hz: float = 50.0,
) -> NewNight:
    """Read the header of a recording, find its channels, and count its pages.

    Parameters
    ----------
    channels
        Lane, or derivation that a lane takes, to the label of a channel of the file; ``A,B`` for the
        difference of two. What is not given is found by its label.
    mains_hz
        Mains frequency where the night was recorded: 50 or 60.

    Raises
    ------
    BuildError, RecordingError
        If the file can't be read, a given lane or label does not exist, or no EEG lane is found.
    """
    file = open_any(path)
    usable = [_is_voltage(file, channel) for channel in range(len(file.labels))]
    derivations = chosen.choose(
        recipe.montage, file.labels, channels or {}, usable=usable, where=path.name
    )
    epochs, left_out = _epochs(file)
    absent = [
        f"lane {lane.name} is not in the file and drawn as absent"
        for lane, derivation in zip(recipe.montage.lanes, derivations, strict=True)
        if derivation is None
    ]
    return NewNight(
        path,
        file.start,
        file.duration_s,
        recipe,
        derivations,
        epochs,
        left_out,
        (*file.notes, *unit_notes(file, derivations), *absent),
        mains_hz,
        file,
    )


def pages(night: NewNight) -> Iterator[tuple[NewPage, bytes]]:
    """Each page with its PNG, in time order; drawn one by one, after the whole night was filtered.

    Raises
    ------
    RecordingError
        If no EEG lane carries a signal, or a channel can't be brought to µV.
    """
    from psgimg.builder.render.page import Page  # heavy

    montage = night.recipe.montage
    signals = read_signals(
        night.file,
        montage,
        night.derivations,
        filters=night.recipe.filters,
        mains_hz=night.mains_hz,
        sfreq_hz=night.recipe.sfreq_hz,
        span_s=(night.epochs[0].onset_s, night.epochs[-1].onset_s + PAGE_S),
    )
    require_eeg(signals, montage, night.path.name)
    absent = [name is None for name in signals.lanes]
    page = Page(night.recipe.style, montage, absent, signals.envelopes)
    for epoch, data_uv in zip(night.epochs, cut(signals, night.epochs), strict=True):
        yield epoch, page.png(data_uv)


def _is_voltage(file: SignalFile, channel: int) -> bool:
    try:
        uv_per_unit(file.unit(channel), "")
    except RecordingError:
        return False
    return True


def _epochs(file: SignalFile) -> tuple[tuple[NewPage, ...], dict[str, int]]:
    """Every 30 s from the first sample that have signal, and a count of the others by reason."""
    left_out: Counter[str] = Counter()
    epochs = []
    for number in range(ceil((file.duration_s - TOLERANCE_S) / PAGE_S)):
        page = NewPage(number, number * PAGE_S)
        if reason := missing_signal(file, page.onset_s):
            left_out[reason] += 1
        else:
            epochs.append(page)
    if not epochs:
        raise BuildError(
            f"{file.path.name} lasts {file.duration_s:g} s and has no {PAGE_S:g} s without a gap; "
            "nothing can be staged"
        )
    return tuple(epochs), dict(left_out)
