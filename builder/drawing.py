"""Drawing: read, filter and draw pages of one recording. Shared by build, staging and preview."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psgimg.builder.recordings.montage import Derivation
from psgimg.builder.recordings.signal_file import SignalFile
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.signals import epoching
from psgimg.builder.signals.epoching import PAGE_S, Paged
from psgimg.builder.signals.filtering import Corruptor, read_signals


@dataclass(frozen=True)
class DrawnPages:
    """The drawn pages of one recording.

    Parameters
    ----------
    pictures
        One PNG file per page, in order; each is drawn when the iterator reaches it.
    lanes
        Name of the derivation drawn in each lane; None for an absent lane.
    flat
        Whether each lane is constant.
    envelopes
        Whether each lane contains an EMG level instead of a waveform.
    """

    pictures: Iterator[bytes]
    lanes: tuple[str | None, ...]
    flat: tuple[bool, ...]
    envelopes: tuple[bool, ...]


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
    )
    epoching.require_eeg(signals, recipe.montage, file.path.name)
    absent = [name is None for name in signals.lanes]
    page = Page(recipe.style, recipe.montage, absent, signals.envelopes)
    pictures = (page.png(data_uv) for data_uv in epoching.cut(signals, pages))
    return DrawnPages(pictures, signals.lanes, signals.flat, signals.envelopes)
