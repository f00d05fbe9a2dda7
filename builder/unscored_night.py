"""Unscored night: pages of a recording outside any corpus, drawn with the recipe of a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from pathlib import Path

from psgimg.builder.drawing import draw_pages
from psgimg.builder.recordings import usable
from psgimg.builder.recordings.hypnogram import TOLERANCE_S
from psgimg.builder.recordings.montage import Derivation
from psgimg.builder.recordings.open_signal import open_signal
from psgimg.builder.recordings.signal_file import SignalFile
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.signals import quality
from psgimg.builder.signals.epoching import PAGE_S, count_pages, missing_signal, require_pages
from psgimg.builder.signals.quality import Quality


@dataclass(frozen=True)
class UnscoredPage:
    """A 30-s page of an unscored recording, numbered from the recording's start."""

    epoch: int

    @property
    def onset_s(self) -> float:
        """Start of the epoch in seconds from the recording's start."""
        return PAGE_S * self.epoch

    @property
    def page_start_s(self) -> float:
        """Start of the page in seconds; a page shows exactly its epoch."""
        return self.onset_s


@dataclass(frozen=True)
class UnscoredNight:
    """A recording whose header was read and whose channels were chosen; no sample is read yet.

    Parameters
    ----------
    start
        Date and time of the first sample from the file's header, or None. Never published.
    derivations
        Derivation of each lane of the recipe's montage; None if the file has none.
    epochs
        The pages that can be drawn, in time order; numbers are skipped in gaps.
    left_out
        Number of epochs whose page is not fully covered by signal, by reason.
    notes
        Tolerated irregularities, one sentence each.
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
        """Number of whole epochs from the first sample to the last, including gaps."""
        return count_pages(self.duration_s)


def open_night(
    path: Path,
    recipe: Recipe,
    *,
    channels: Mapping[str, str] | None = None,
    mains_hz: float = 50.0,
) -> UnscoredNight:
    """Read the header of a recording, choose its channels, and list its pages.

    Parameters
    ----------
    channels
        Lane, or derivation of a lane, to the label of a channel in the file; ``A,B`` for the
        difference of two channels. Other lanes are matched by the labels in the file.
    mains_hz
        Mains frequency where the recording was made: 50 or 60.

    Raises
    ------
    BuildError, RecordingError
        If the file can't be read, a given lane or label does not exist or can't be used, or there
        is no EEG lane.
    """
    file = open_signal(path)
    lanes = usable.choose(file, recipe.montage, channels or {})
    epochs, left_out = _epochs(file)
    missing = [f"lane {name} is not in the file and is drawn as absent" for name in lanes.missing]
    return UnscoredNight(
        path,
        file.start,
        file.duration_s,
        recipe,
        lanes.derivations,
        epochs,
        left_out,
        (*file.notes, *lanes.notes, *missing),
        mains_hz,
        file,
    )


@dataclass(frozen=True)
class NightPages(Iterator[tuple[UnscoredPage, bytes]]):
    """The pages of a recording with their PNG, in time order; each is drawn when it is reached.

    Parameters
    ----------
    quality
        Quality of each recorded lane on these pages, as recorded.
    notes
        One sentence for each defect that prevails in a lane.
    """

    drawn: Iterator[tuple[UnscoredPage, bytes]]
    quality: Quality
    notes: tuple[str, ...]

    def __next__(self) -> tuple[UnscoredPage, bytes]:
        return next(self.drawn)


def pages(night: UnscoredNight) -> NightPages:
    """Read and filter the whole recording, and return its pages, which are not yet drawn.

    Raises
    ------
    RecordingError
        If no EEG lane has a signal, which only its samples show.
    """
    drawn = draw_pages(
        night.file, night.derivations, night.epochs, night.recipe, mains_hz=night.mains_hz
    )
    names, lanes = drawn.lanes.names, night.recipe.montage.lanes
    measured = quality.by_name(names, drawn.lanes.quality)
    notes = quality.notes(lanes, names, measured)
    return NightPages(zip(night.epochs, drawn.pictures, strict=True), measured, tuple(notes))


def _epochs(file: SignalFile) -> tuple[tuple[UnscoredPage, ...], dict[str, int]]:
    """Return the pages with gapless signal, and the number of the others by reason."""
    left_out: Counter[str] = Counter()
    epochs = []
    for number in range(ceil((file.duration_s - TOLERANCE_S) / PAGE_S)):
        page = UnscoredPage(number)
        if reason := missing_signal(file, page.page_start_s):
            left_out[reason] += 1
        else:
            epochs.append(page)
    require_pages(file, epochs)
    return tuple(epochs), dict(left_out)
