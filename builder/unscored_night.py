"""Unscored night: pages of a recording outside any corpus, drawn with the recipe of a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil, floor
from pathlib import Path

from psgimg.builder.corpora import scoring_grid, stage_text
from psgimg.builder.drawing import draw_pages
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.recordings import usable
from psgimg.builder.recordings.channels import standard_channels
from psgimg.builder.recordings.hypnogram import TOLERANCE_S, Hypnogram
from psgimg.builder.recordings.montage import Derivation
from psgimg.builder.recordings.open_signal import open_signal
from psgimg.builder.recordings.recording import MAINS_HZ
from psgimg.builder.recordings.signal_file import SignalFile
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.signals import polarity, quality
from psgimg.builder.signals.epoching import (
    MIN_SHARE,
    PAGE_S,
    missing_signal,
    require_pages,
)
from psgimg.builder.signals.polarity import Polarity
from psgimg.builder.signals.quality import Quality


@dataclass(frozen=True)
class Grid:
    """The epochs of a recording, in time order.

    Parameters
    ----------
    epochs
        Number of each epoch, counted from the recording's start in lengths of an epoch.
    onsets_s
        Start of each epoch in seconds from the recording's start.
    epoch_s
        Length of an epoch in seconds.
    """

    epochs: tuple[int, ...]
    onsets_s: tuple[float, ...]
    epoch_s: float = PAGE_S

    def __len__(self) -> int:
        return len(self.epochs)

    @classmethod
    def regular(cls, n_epochs: int, epoch_s: float = PAGE_S) -> Grid:
        """Return epochs that follow each other from the recording's start on."""
        numbers = range(n_epochs)
        return cls(tuple(numbers), tuple(epoch_s * i for i in numbers), epoch_s)

    @classmethod
    def of(cls, scoring: Hypnogram, duration_s: float, where: str) -> tuple[Grid, int]:
        """Return the epochs of a scoring that lie within a recording, and the number of the others.

        Raises
        ------
        RecordingError
            If most of them lie outside.
        """
        last_s = duration_s - scoring.epoch_s + TOLERANCE_S
        inside = [onset_s for onset_s, _ in scoring if -TOLERANCE_S <= onset_s <= last_s]
        n_outside = len(scoring) - len(inside)
        if not inside or n_outside > (1 - MIN_SHARE) * len(scoring):
            raise RecordingError(
                "scoring of another time",
                f"{where}: {n_outside} of {len(scoring)} epochs lie outside the recording, which lasts "
                f"{duration_s:g} s; check that both files belong to the same night",
            )
        numbers = tuple(scoring.index(onset_s) for onset_s in inside)
        return cls(numbers, tuple(inside), scoring.epoch_s), n_outside


@dataclass(frozen=True)
class UnscoredPage:
    """The page of an epoch of an unscored recording.

    Parameters
    ----------
    epoch
        Number of the epoch, counted from the recording's start.
    at_s
        Start of the epoch in seconds; None if all epochs follow each other from the start.
    epoch_s
        Length of the epoch, which is in the middle of the page.
    """

    epoch: int
    at_s: float | None = None
    epoch_s: float = PAGE_S

    @property
    def onset_s(self) -> float:
        """Start of the epoch in seconds from the recording's start."""
        return self.epoch_s * self.epoch if self.at_s is None else self.at_s

    @property
    def page_start_s(self) -> float:
        """Start of the page in seconds."""
        return self.onset_s - (PAGE_S - self.epoch_s) / 2

    def follows(self, other: UnscoredPage) -> bool:
        """Whether the epoch starts where another one ends."""
        return abs(self.onset_s - other.onset_s - self.epoch_s) <= TOLERANCE_S


@dataclass(frozen=True)
class UnscoredNight:
    """A recording whose header was read and whose channels were chosen; no sample is read yet.

    Parameters
    ----------
    start
        Date and time of the first sample from the file's header, or None. Never published.
    derivations
        Derivation of each lane of the recipe's montage; None if the file has none.
    grid
        All epochs, with and without a page: from the first sample to the last, gaps included, or those
        of a scoring.
    epochs
        The pages that can be drawn, in time order.
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
    grid: Grid
    epochs: tuple[UnscoredPage, ...]
    left_out: Mapping[str, int]
    notes: tuple[str, ...]
    mains_hz: float
    file: SignalFile


def require_mains(mains_hz: float) -> None:
    """Raise BuildError if there is no such mains frequency."""
    if mains_hz not in MAINS_HZ:
        raise BuildError(f"--mains {mains_hz:g}: give 50 or 60, as at the place of recording")


def open_night(
    recording: Path | SignalFile,
    recipe: Recipe,
    *,
    channels: Mapping[str, str] | None = None,
    mains_hz: float = 50.0,
    epoch_s: float = PAGE_S,
    scoring: Path | None = None,
    scoring_format: str | None = None,
) -> UnscoredNight:
    """Read the header of a recording, choose its channels, and list its pages.

    Parameters
    ----------
    recording
        Path of a file, or signals that are open already.
    channels
        Lane, or derivation of a lane, to the label of a channel in the file; ``A,B`` for the
        difference of two channels. Other lanes are matched by the labels in the file.
    mains_hz
        Mains frequency where the recording was made: 50 or 60.
    epoch_s
        Length of the epochs, if there is no scoring.
    scoring, scoring_format
        Scoring whose epochs are drawn, and its format (:mod:`psgimg.builder.corpora.scoring_grid`).

    Raises
    ------
    BuildError, RecordingError
        If a file can't be read, a given lane or label does not exist or can't be used, there is no
        EEG lane, or the scoring is of another time.
    """
    file = open_signal(recording) if isinstance(recording, Path) else recording
    lanes = usable.choose(file, recipe.montage, channels or {})
    grid, candidates, told = _grid(file, epoch_s, scoring, scoring_format)
    epochs, left_out = _epochs(file, candidates)
    missing = [f"lane {name} is absent: not in the file" for name in lanes.missing]
    return UnscoredNight(
        recording if isinstance(recording, Path) else file.path,
        file.start,
        file.duration_s,
        recipe,
        lanes.derivations,
        grid,
        epochs,
        left_out,
        (*file.notes, *lanes.notes, *missing, *told),
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
    polarity
        Whether EEG and EOG are turned over, and why.
    notes
        One sentence each if EEG and EOG are turned over, and for each defect that prevails in a lane.
    """

    drawn: Iterator[tuple[UnscoredPage, bytes]]
    quality: Quality
    polarity: Polarity
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
    found = polarity_of(night)
    drawn = draw_pages(
        night.file,
        found.turn(night.recipe.montage, night.derivations),
        night.epochs,
        night.recipe,
        mains_hz=night.mains_hz,
    )
    names, lanes = drawn.lanes.names, night.recipe.montage.lanes
    measured = quality.by_name(names, drawn.lanes.quality)
    notes = (*found.notes, *quality.notes(lanes, names, measured))
    return NightPages(zip(night.epochs, drawn.pictures, strict=True), measured, found, notes)


def polarity_of(night: UnscoredNight) -> Polarity:
    """Decide, by the rule of the recipe, whether the EEG and EOG of a recording are turned over."""
    table = standard_channels(night.file.labels)
    return polarity.decide(night.recipe.polarity, night.file, table, night.derivations)


def _grid(
    file: SignalFile, epoch_s: float, scoring: Path | None, form: str | None
) -> tuple[Grid, list[UnscoredPage], tuple[str, ...]]:
    """Return the epochs of a recording, those whose pages are tried, and notes."""
    if scoring is None:
        tried = range(ceil((file.duration_s - TOLERANCE_S) / epoch_s))  # the last may be incomplete
        n_whole = floor((file.duration_s + TOLERANCE_S) / epoch_s)
        pages = [UnscoredPage(number, epoch_s=epoch_s) for number in tried]
        return Grid.regular(n_whole, epoch_s), pages, ()
    read = scoring_grid.read(scoring, file.path, file.start, form, stage_text.PLACES_ONLY)
    grid, n_outside = Grid.of(read, file.duration_s, scoring.name)
    places = zip(grid.epochs, grid.onsets_s, strict=True)
    pages = [UnscoredPage(number, onset_s, grid.epoch_s) for number, onset_s in places]
    notes = [*read.notes]
    if n_outside:
        notes.append(f"epochs of the scoring outside the recording, left out: {n_outside}")
    if read.partial:
        notes.append(f"incomplete epochs of the scoring, left out: {read.partial}")
    return grid, pages, tuple(notes)


def _epochs(
    file: SignalFile, candidates: Sequence[UnscoredPage]
) -> tuple[tuple[UnscoredPage, ...], dict[str, int]]:
    """Return the pages with gapless signal, and the number of the others by reason."""
    left_out: Counter[str] = Counter()
    epochs = []
    for page in candidates:
        if reason := missing_signal(file, page.page_start_s):
            left_out[reason] += 1
        else:
            epochs.append(page)
    require_pages(file, epochs)
    return tuple(epochs), dict(left_out)
