"""Notebook: pages of a recording in memory, as pictures or drawn on axes of Matplotlib.

The functions that ``psgimg`` offers from here are listed in ``psgimg/__init__.pyi``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from psgimg.builder import unscored_night
from psgimg.builder.errors import BuildError
from psgimg.builder.files import picture
from psgimg.builder.recordings import montage
from psgimg.builder.recordings.formats import memory
from psgimg.builder.recordings.montage_file import load_montage
from psgimg.builder.recordings.signal_file import SignalFile
from psgimg.builder.render import layout
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.render.style_choice import load_style
from psgimg.builder.signals import epoching
from psgimg.builder.signals.epoching import PAGE_S
from psgimg.builder.signals.filter_settings import load_filters
from psgimg.builder.signals.polarity_rule import BLINKS
from psgimg.builder.unscored_night import UnscoredNight, UnscoredPage

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from PIL import Image

TICKS_S = range(0, int(PAGE_S) + 1, 5)
"""Labelled seconds of a page that is drawn on axes."""


@dataclass(frozen=True)
class Look:
    """How pages look, as by the options of ``psgimg build``.

    Parameters
    ----------
    style, montage, filters
        Names, or files; "" for the defaults.
    polarity
        What decides whether EEG and EOG are stored upside down.
    channels
        Lane, such as ``C4``, to the name of a channel; ``A,B`` for a difference. Other lanes are found
        by the names of the channels.
    mains_hz
        Mains frequency where the recording was made: 50 or 60.
    """

    style: str = "clinical"
    montage: str = ""
    filters: str = ""
    polarity: str = BLINKS
    channels: Mapping[str, str] | None = None
    mains_hz: float = 50.0

    def recipe(self) -> Recipe:
        """Return what determines the pixels of a page."""
        return Recipe(
            load_montage(self.montage or montage.DEFAULT_MONTAGE),
            load_style(self.style),
            load_filters(self.filters),
            polarity=self.polarity,
        )

    def night(self, file: SignalFile, recipe: Recipe | None = None) -> UnscoredNight:
        """Return the pages that can be drawn of some signals, by this look or a model's recipe."""
        unscored_night.require_mains(self.mains_hz)
        return unscored_night.open_night(
            file, recipe or self.recipe(), channels=self.channels, mains_hz=self.mains_hz
        )


@dataclass(frozen=True)
class Page:
    """A page of a night.

    Parameters
    ----------
    epoch
        Its number, counted from the first sample in lengths of 30 s.
    onset_s
        Its start in seconds from the first sample.
    """

    epoch: int
    onset_s: float
    image: Image.Image


def signals(data: Any, sfreq: float | None = None, ch_names: Sequence[str] = ()) -> SignalFile:
    """Return the signals of a ``mne.io.BaseRaw``, or of an array in µV with its rate and names.

    Raises
    ------
    BuildError, RecordingError
        If the data can't be drawn.
    """
    if hasattr(data, "get_data") and hasattr(data, "info"):
        return memory.of_raw(data)
    if sfreq is None or not ch_names:
        raise BuildError(
            "give a mne.io.Raw, or an array (n_channels, n_samples) in µV with sfreq= and ch_names="
        )
    return memory.of_array(data, sfreq, ch_names)


def draw_page(
    data: Any,
    onset_s: float = 0.0,
    look: Look | None = None,
    *,
    sfreq: float | None = None,
    ch_names: Sequence[str] = (),
    ax: Axes | None = None,
) -> Image.Image:
    """Draw 30 s of a recording as a page, as a model sees it.

    Filters see the whole recording, so that the page is the same as in a dataset.

    Parameters
    ----------
    data
        A ``mne.io.BaseRaw``, in which samples are in V, or an array (n_channels, n_samples) in µV with
        ``sfreq`` in Hz and ``ch_names``.
    onset_s
        Start of the page in seconds from the first sample.
    ax
        Axes to draw on as well, with the names of the lanes and the seconds.

    Returns
    -------
    An RGB picture.

    Raises
    ------
    BuildError, RecordingError
        If no EEG lane is found by the names of the channels, or there are no 30 s from ``onset_s`` on.

    Examples
    --------
    >>> raw = mne.io.read_raw_edf("night.edf")  # doctest: +SKIP
    >>> psgimg.draw_page(raw, onset_s=3600)  # doctest: +SKIP
    """
    night = (look or Look()).night(signals(data, sfreq, ch_names))
    page = UnscoredPage(int(onset_s // PAGE_S), onset_s)
    epoching.require_signal(night.file, [page])
    ((_, png),) = unscored_night.pages(replace(night, epochs=(page,)))
    image = picture.decode(png).convert("RGB")
    if ax is not None:
        _show(ax, image, night)
    return image


def draw_pages(
    data: Any,
    look: Look | None = None,
    *,
    sfreq: float | None = None,
    ch_names: Sequence[str] = (),
) -> Iterator[Page]:
    """Yield every page of a recording that is fully covered by signal, in order of time.

    Parameters are those of :func:`draw_page`.

    Raises
    ------
    BuildError, RecordingError
        If no EEG lane is found by the names of the channels, or there is no such page.
    """
    night = (look or Look()).night(signals(data, sfreq, ch_names))
    for page, png in unscored_night.pages(night):
        yield Page(page.epoch, page.onset_s, picture.decode(png).convert("RGB"))


def _show(ax: Axes, image: Image.Image, night: UnscoredNight) -> None:
    """Draw a page on axes, with its lanes named."""
    ax.imshow(
        image, extent=(0, PAGE_S, image.height, 0), aspect="auto", interpolation="antialiased"
    )
    lanes = night.recipe.montage.lanes
    boxes = layout.boxes(night.recipe.style, night.recipe.montage)
    names = [
        lane.name if derivation is None or derivation.name == lane.name else derivation.name
        for lane, derivation in zip(lanes, night.derivations, strict=True)
    ]
    ax.set_yticks([box.middle for box in boxes], names)
    ax.set_xticks(TICKS_S)
    ax.set_xlabel("s")
    ax.tick_params(length=0)
