"""Hypnogram: the stages of one recording as assigned by one scorer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.segments import LONGEST_S
from psgimg.builder.stages import Score, Stage

TOLERANCE_S = 0.01
"""Times closer than this are equal: EDF+ writes onsets with few decimals."""


@dataclass(frozen=True)
class Event:
    """A run of one score, as stored in annotation files; it may last many epochs."""

    onset_s: float
    duration_s: float
    score: Score


@dataclass(frozen=True)
class Hypnogram:
    """Scores in time order.

    Checked on creation: every epoch lasts ``epoch_s``, epochs do not overlap, and onsets, counted
    from the recording's first sample, ascend. Epochs need *not* be adjacent: a gap in the scoring
    remains a gap in the hypnogram (see ``contiguous``).

    Parameters
    ----------
    scores
        One per scored epoch; an ``Unscored`` member for an epoch that the scorer left unscored.
    onsets_s
        Start of each epoch, in seconds from the recording's first sample.
    epoch_s
        30 by the AASM manual; 20 in some R&K corpora.
    scorer
        Name of the scorer in the corpus; empty if there is only one.
    partial
        Number of runs that ended with an incomplete epoch, which was omitted.
    notes
        Tolerated defects of the scoring, and from which of its files it was read, for the report.
    lost_end
        Whether the file is of a format that loses the last run of a night.
    """

    scores: tuple[Score, ...]
    onsets_s: tuple[float, ...]
    epoch_s: float = 30.0
    scorer: str = ""
    partial: int = 0
    notes: tuple[str, ...] = field(default=(), compare=False)
    lost_end: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.scores) != len(self.onsets_s):
            raise ValueError(f"{len(self.scores)} scores but {len(self.onsets_s)} onsets")
        for before, after in zip(self.onsets_s, self.onsets_s[1:], strict=False):
            if after < before + self.epoch_s - TOLERANCE_S:
                raise RecordingError(
                    "overlapping scoring",
                    f"two epochs of {self.epoch_s:g} s start at {before:g} s and {after:g} s; "
                    "fix or remove one of the two annotations",
                )

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[tuple[float, Score]]:
        return iter(zip(self.onsets_s, self.scores, strict=True))

    def index(self, onset_s: float) -> int:
        """Return the epoch number of an onset, counted from the recording's start (0-based)."""
        return int((onset_s + TOLERANCE_S) // self.epoch_s)

    def contiguous(self, i: int) -> bool:
        """Whether epoch ``i`` begins where epoch ``i - 1`` ends."""
        return abs(self.onsets_s[i] - self.onsets_s[i - 1] - self.epoch_s) <= TOLERANCE_S

    @property
    def n_staged(self) -> int:
        """Number of epochs with a stage."""
        return sum(isinstance(score, Stage) for score in self.scores)


def from_scores(
    scores: Iterable[Score], *, epoch_s: float = 30.0, start_s: float = 0.0, scorer: str = ""
) -> Hypnogram:
    """Return the hypnogram of a list with one score per epoch, the first at ``start_s``.

    Raises
    ------
    RecordingError
        If they last longer than any recording.
    """
    most = max_epochs(epoch_s)
    listed = tuple(islice(scores, most + 1))
    if len(listed) > most:
        raise _too_long(f"there are more than {most} epochs of {epoch_s:g} s")
    onsets_s = tuple(start_s + epoch_s * i for i in range(len(listed)))
    return Hypnogram(listed, onsets_s, epoch_s, scorer)


def from_events(
    events: Iterable[Event],
    *,
    epoch_s: float = 30.0,
    scorer: str = "",
    notes: tuple[str, ...] = (),
) -> Hypnogram:
    """Return the hypnogram of runs with onset and duration: 390 s are 13 epochs of 30 s.

    An incomplete epoch at the end of a run is omitted and counted in ``partial``.

    Raises
    ------
    RecordingError
        If no run lasts an epoch, runs overlap, or a run is at an impossible time.
    """
    scores: list[Score] = []
    onsets_s: list[float] = []
    partial = 0
    most = max_epochs(epoch_s)
    for event in sorted(events, key=lambda event: event.onset_s):
        _check_times(event)
        n_epochs = int((event.duration_s + TOLERANCE_S) // epoch_s)
        if len(scores) + n_epochs > most:
            raise _too_long(f"its runs have more than {most} epochs of {epoch_s:g} s")
        partial += event.duration_s - n_epochs * epoch_s > TOLERANCE_S
        scores += [event.score] * n_epochs
        onsets_s += [round(event.onset_s + epoch_s * i, 6) for i in range(n_epochs)]
    if not scores:
        raise RecordingError("empty scoring", f"no run with a known stage lasts {epoch_s:g} s")
    return Hypnogram(tuple(scores), tuple(onsets_s), epoch_s, scorer, partial, notes)


def max_epochs(epoch_s: float) -> int:
    """Return the number of epochs in the longest recording."""
    return int(LONGEST_S / epoch_s)


def _check_times(event: Event) -> None:
    """Refuse times that no recording has, before a list is made of them."""
    onset_s, duration_s = event.onset_s, event.duration_s
    if not (math.isfinite(onset_s) and math.isfinite(duration_s)) or duration_s < 0:
        raise RecordingError(
            "impossible scoring times",
            f"the run at {onset_s:g} s lasts {duration_s:g} s; correct the scoring",
        )
    if abs(onset_s) > LONGEST_S or onset_s + duration_s > LONGEST_S:
        raise _too_long(f"the run at {onset_s:g} s lasts {duration_s:g} s")


def _too_long(what: str) -> RecordingError:
    return RecordingError(
        "impossible scoring times",
        f"{what}, but a recording lasts at most {LONGEST_S / 86400:g} days; check that its times are "
        "seconds from the start of the signal",
    )
