"""Drawing: read, filter and draw pages of one recording. Shared by build, staging and preview."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psgimg.builder.recordings.montage import Derivation, Montage
from psgimg.builder.recordings.signal_file import SignalFile
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.signals import epoching
from psgimg.builder.signals.deriving import LaneState, read_lane
from psgimg.builder.signals.epoching import PAGE_S, Paged
from psgimg.builder.signals.filtering import Corruptor, read_signals
from psgimg.builder.signals.quality import LaneQuality


@dataclass(frozen=True)
class ReadLanes:
    """The lanes of one recording after its samples were read, from top to bottom.

    Parameters
    ----------
    names
        Name of the derivation in each lane; None for an absent lane.
    flat
        Whether each lane is constant.
    envelopes
        Whether each lane contains an EMG level instead of a waveform.
    quality
        Quality of each lane on the given pages, as recorded; None for an absent lane.
    """

    names: tuple[str | None, ...]
    flat: tuple[bool, ...]
    envelopes: tuple[bool, ...]
    quality: tuple[LaneQuality | None, ...]


@dataclass(frozen=True)
class DrawnPages:
    """The drawn pages of one recording, and the lanes on them.

    Parameters
    ----------
    pictures
        One PNG file per page, in order; each is drawn when the iterator reaches it.
    clipped
        Number of pages, of those drawn so far, on which each lane is clipped.
    """

    pictures: Iterator[bytes]
    lanes: ReadLanes
    clipped: Sequence[int]


def draw_pages(
    file: SignalFile,
    derivations: Sequence[Derivation | None],
    pages: Sequence[Paged],
    recipe: Recipe,
    *,
    mains_hz: float,
    corrupt: Corruptor | None = None,
) -> DrawnPages:
    """Read and filter the lanes of a recording, then draw the given pages.

    Parameters
    ----------
    derivations
        Derivation of each lane of the recipe's montage; None if the file has none.
    pages
        At least one page, in time order.
    mains_hz
        Mains frequency where the recording was made: 50 or 60.
    corrupt
        Applied to the raw samples of each lane before they are filtered.

    Raises
    ------
    RecordingError
        If a page is not covered by signal over its whole length, or no EEG lane has a signal.
    """
    from psgimg.builder.render.page import Page  # loads the compiled rasteriser

    epoching.require_signal(file, pages)
    signals = read_signals(
        file,
        recipe.montage,
        derivations,
        filters=recipe.filters,
        mains_hz=mains_hz,
        sfreq_hz=recipe.sfreq_hz,
        span_s=(pages[0].page_start_s, pages[-1].page_start_s + PAGE_S),
        corrupt=corrupt,
        page_starts_s=[page.page_start_s for page in pages],
    )
    lanes = ReadLanes(signals.lanes, signals.flat, signals.envelopes, signals.quality)
    epoching.require_eeg(lanes.names, lanes.flat, recipe.montage, file.path.name)
    absent = [name is None for name in lanes.names]
    page = Page(recipe.style, recipe.montage, absent, lanes.envelopes)
    pictures = (page.png(data_uv) for data_uv in epoching.cut(signals, pages))
    return DrawnPages(pictures, lanes, page.clipped)


def read_lanes(
    file: SignalFile,
    derivations: Sequence[Derivation | None],
    pages: Sequence[Paged],
    montage: Montage,
) -> ReadLanes:
    """Read the lanes of a recording as ``draw_pages`` does, without filtering or drawing them.

    Raises
    ------
    RecordingError
        As ``draw_pages``.
    """
    epoching.require_signal(file, pages)
    starts_s = [page.page_start_s for page in pages]
    states = [
        read_lane(file, lane.kind, derivation, starts_s).state if derivation else LaneState()
        for lane, derivation in zip(montage.lanes, derivations, strict=True)
    ]
    lanes = ReadLanes(
        tuple(derivation.name if derivation else None for derivation in derivations),
        tuple(state.flat for state in states),
        tuple(state.envelope for state in states),
        tuple(state.quality for state in states),
    )
    epoching.require_eeg(lanes.names, lanes.flat, montage, file.path.name)
    return lanes
