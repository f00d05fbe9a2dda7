"""Unscored night: pages of a recording outside any corpus, drawn by the recipe of a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from pathlib import Path

from psgimg.builder.drawing import draw_pages
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.recordings import channels as chosen
from psgimg.builder.recordings.edf import uv_per_unit
from psgimg.builder.recordings.hypnogram import TOLERANCE_S
from psgimg.builder.recordings.mne_reader import open_any
from psgimg.builder.recordings.montage import Derivation
from psgimg.builder.recordings.signal_file import SignalFile, unit_notes
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.signals.epoching import PAGE_S, count_pages, missing_signal


@dataclass(frozen=True)
class UnscoredPage:
    """Thirty seconds of a night, whatever their stage, numbered from the recording's start."""

    epoch: int

    @property
    def onset_s(self) -> float:
        """Start of the epoch from the recording's start."""
        return PAGE_S * self.epoch

    @property
    def page_start_s(self) -> float:
        """Start of the picture: a page shows its epoch and nothing else."""
        return self.onset_s


@dataclass(frozen=True)
class UnscoredNight:
    """A recording whose header was read and whose channels were found; no sample is read yet.

    Parameters
    ----------
    start
        Date and time of the first sample by the file's header, or None. Never published.
    derivations
        What fills each lane of the recipe's montage, None where the file has nothing.
    epochs
        The pages that can be drawn, in time order; numbers are skipped in gaps.
    left_out
        Number of epochs without signal for their whole page, by reason.
    notes
        Irregularities that were tolerated, a sentence each.
    """

    path: Path
    start: datetime | None
    duration_s: float
    recipe: Recipe
    derivations: tuple[Derivation | None, ...]
    epochs: tuple[UnscoredPage, ...]
    left_out: Mapping[str, int]
    notes: tuple[str, ...]
    mains_hz: float
    file: SignalFile

    @property
    def n_epochs(self) -> int:
        """Whole epochs from the first sample to the last, those without signal included."""
        return count_pages(self.duration_s)


def open_night(
    path: Path,
    recipe: Recipe,
    *,
    channels: Mapping[str, str] | None = None,
    mains_hz: float = 50.0,
) -> UnscoredNight:
    """Read the header of a recording, find its channels, and count its pages.

    Parameters
    ----------
    channels
        Lane, or derivation that a lane takes, to the label of a channel of the file; ``A,B`` for the
        difference of two. Other lanes are filled by the labels of the file.
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
    return UnscoredNight(
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


def pages(night: UnscoredNight) -> Iterator[tuple[UnscoredPage, bytes]]:
    """Each page with its PNG, in time order; drawn one by one, after the whole night was filtered.

    Raises
    ------
    RecordingError
        If no EEG lane carries a signal, or a channel can't be brought to µV.
    """
    drawn = draw_pages(
        night.file, night.derivations, night.epochs, night.recipe, mains_hz=night.mains_hz
    )
    yield from zip(night.epochs, drawn.pictures, strict=True)


def _is_voltage(file: SignalFile, channel: int) -> bool:
    try:
        uv_per_unit(file.unit(channel), "")
    except RecordingError:
        return False
    return True


def _epochs(file: SignalFile) -> tuple[tuple[UnscoredPage, ...], dict[str, int]]:
    """The pages that lie on gapless signal, and a count of the others by reason."""
    left_out: Counter[str] = Counter()
    epochs = []
    for number in range(ceil((file.duration_s - TOLERANCE_S) / PAGE_S)):
        page = UnscoredPage(number)
        if reason := missing_signal(file, page.page_start_s):
            left_out[reason] += 1
        else:
            epochs.append(page)
    if not epochs:
        raise BuildError(
            f"{file.path.name} lasts {file.duration_s:g} s and has no {PAGE_S:g} s without a gap; "
            "nothing can be staged"
        )
    return tuple(epochs), dict(left_out)
