"""Drawing: pages of a recording as pictures. Build, staging and preview all draw by this function."""

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
    """The pages of one recording.

    Parameters
    ----------
    pictures
        A PNG file for each page, in order; each is drawn when it is taken.
    lanes
        Name of the derivation drawn in each lane, None where there is none.
    flat
        Lanes whose channel never changes.
    envelopes
        Lanes that hold an EMG level instead of a waveform.
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
    """Read and filter the lanes of a recording, then draw some of its pages.

    Parameters
    ----------
    derivations
        What fills each lane of the recipe's montage, None where the file has nothing.
    pages
        At least one, in time order.
    mains_hz
        Mains frequency where the recording was made: 50 or 60.
    corrupt
        Applied to the raw samples of each lane before they are filtered.

    Raises
    ------
    RecordingError
        If a page has no signal for its whole length, no EEG lane carries a signal, or a channel
        can't be brought to µV.
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
