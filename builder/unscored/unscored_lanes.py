"""Unscored lanes: the samples of a recording outside any corpus, for stagers that take signals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder import unscored_night
from psgimg.builder.lane_signals import UNFILTERED, Lanes, lane_kinds
from psgimg.builder.recordings.montage import MONTAGES, Kind, Lane, Montage
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.render.style import CLINICAL
from psgimg.builder.signals import epoching, quality
from psgimg.builder.signals.epoching import PAGE_S
from psgimg.builder.signals.filtering import read_signals
from psgimg.builder.signals.polarity import Polarity
from psgimg.builder.signals.polarity_rule import BLINKS
from psgimg.builder.signals.quality import Quality
from psgimg.builder.unscored_night import UnscoredNight, UnscoredPage

PagedLanes = Lanes[UnscoredPage]

_CENTRAL = {lane.name: lane for lane in MONTAGES["central"].lanes}
_SCALP = (
    *_CENTRAL["C4"].derivations,
    *("C4-M2", "C3-M1", "C4-Fpz", "C3-Fpz", "C4-REF", "C3-REF"),
    *("F4-M1", "F3-M2", "Fz-Cz", "Fpz-Cz", "O2-M1", "O1-M2", "Cz-Oz", "Pz-Oz"),
)
_EYES = (*_CENTRAL["E1"].derivations, *_CENTRAL["E2"].derivations, "E1-E2", "EOGh")
ONE_OF_EACH = Montage(
    "one-of-each",
    (Lane("EEG", Kind.EEG, _SCALP), Lane("EOG", Kind.EOG, _EYES), _CENTRAL["chin"]),
)
"""One EEG, EOG and EMG; central EEG first, from which published stagers learned."""


def open_night(
    path: Path,
    *,
    channels: Mapping[str, str],
    mains_hz: float,
    polarity: str | None,
    scoring: Path | None = None,
    scoring_format: str | None = None,
) -> UnscoredNight:
    """Open a recording outside any corpus for one EEG, one EOG and one EMG, whatever it has of them.

    Parameters
    ----------
    polarity
        Rule for the sign of EEG and EOG; None for their blinks.

    Others, and errors, as of :func:`psgimg.builder.unscored_night.open_night`.
    """
    recipe = Recipe(ONE_OF_EACH, CLINICAL, polarity=polarity or BLINKS)
    return unscored_night.open_night(
        path,
        recipe,
        channels=channels,
        mains_hz=mains_hz,
        scoring=scoring,
        scoring_format=scoring_format,
    )


@dataclass(frozen=True, eq=False)
class UnscoredLanes:
    """The lanes of a recording outside any corpus.

    Parameters
    ----------
    quality
        Quality of each recorded lane on these pages, as recorded.
    polarity
        Whether EEG and EOG are turned over, and why.
    notes
        One sentence each if they are, and for each defect that prevails in a lane.
    """

    lanes: PagedLanes
    quality: Quality
    polarity: Polarity
    notes: tuple[str, ...]


def read(
    night: UnscoredNight, pages: tuple[UnscoredPage, ...], *, sfreq_hz: float
) -> UnscoredLanes:
    """Read the lanes of a recording outside any corpus, unfiltered.

    Parameters
    ----------
    pages
        Those of the night's that are wanted, in time order.

    Raises
    ------
    RecordingError
        If no EEG lane has a signal.
    """
    montage = night.recipe.montage
    sign = unscored_night.polarity_of(night)
    signals = read_signals(
        night.file,
        montage,
        sign.turn(montage, night.derivations),
        filters=UNFILTERED,
        mains_hz=night.mains_hz,
        sfreq_hz=sfreq_hz,
        span_s=(pages[0].page_start_s, pages[-1].page_start_s + PAGE_S),
        page_starts_s=[page.page_start_s for page in pages],
    )
    epoching.require_eeg(signals.lanes, signals.flat, montage, night.path.name)
    measured = quality.by_name(signals.lanes, signals.quality)
    notes = (*sign.notes, *quality.notes(montage.lanes, signals.lanes, measured))
    return UnscoredLanes(Lanes(lane_kinds(night.recipe), signals, pages), measured, sign, notes)
