"""Night views: any window of a recording as a picture, at any scale and size, for people who look.

The page of an epoch has the pixels that a model sees; other windows, scales and sizes are drawn by
the same recipe with those values changed.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf
from threading import RLock
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from psgimg.builder import unscored_night
from psgimg.builder.errors import BuildError
from psgimg.builder.files.picture import MAX_SIDE_PX, MIN_SIDE_PX
from psgimg.builder.lane_signals import UNFILTERED
from psgimg.builder.recordings.by_kind import ByKind
from psgimg.builder.recordings.hypnogram import TOLERANCE_S
from psgimg.builder.render import layout, png
from psgimg.builder.render.style import Style
from psgimg.builder.signals.epoching import PAGE_S
from psgimg.builder.signals.filtering import Signals, read_signals
from psgimg.builder.signals.polarity import Polarity
from psgimg.builder.unscored_night import UnscoredNight

if TYPE_CHECKING:
    from psgimg.builder.render.page import Page

SECONDS = (5.0, 600.0)
"""Shortest and longest window; a longer one has more samples than a page has columns to show."""

SCALES = (0.05, 20.0)
"""Smallest and largest factor of the recipe's scales."""

LEAST_GRID_PX = 6.0
"""Vertical lines that are closer are left out: they would hide the traces."""

COARSE_GRID_S = 30.0
"""Step of the lines where no line of the recipe is left."""

MOST_RENDERERS = 8
"""Renderers that are kept, each with two buffers of a picture's size."""


@dataclass(frozen=True)
class View:
    """What to draw of a recording; the defaults are those of a page.

    Parameters
    ----------
    start_s
        Start of the window in seconds from the recording's start; parts without signal are hatched.
    width_px, height_px
        Size of the picture; None for that of the recipe.
    uv
        Factor of the recipe's scales in µV: waves are half as high at 2.
    flipped
        Names of lanes that are drawn upside down.
    filtered
        Whether signals are filtered as the recipe says. Without, each lane is drawn about its median.

    Raises
    ------
    BuildError
        If a value is out of range.
    """

    start_s: float
    seconds: float = PAGE_S
    width_px: int | None = None
    height_px: int | None = None
    uv: float = 1.0
    flipped: frozenset[str] = frozenset()
    filtered: bool = True

    def __post_init__(self) -> None:
        for name, value, (least, most) in (
            ("seconds", self.seconds, SECONDS),
            ("uv", self.uv, SCALES),
            ("width", self.width_px, (MIN_SIDE_PX, MAX_SIDE_PX)),
            ("height", self.height_px, (MIN_SIDE_PX, MAX_SIDE_PX)),
        ):
            if value is not None and not least <= value <= most:
                raise BuildError(f"{name} {value:g}: use {least:g} to {most:g}")
        if not abs(self.start_s) < inf:
            raise BuildError(f"start {self.start_s:g}: use seconds from the recording's start")


@dataclass(frozen=True)
class LanePlace:
    """Where a lane is drawn, and how.

    Parameters
    ----------
    derivation
        What the lane shows; None for an absent lane.
    level
        Whether it shows an EMG level instead of a waveform.
    scale_uv
        Amplitude at the lane's edge in µV; None if each page is scaled to its own waves.
    up
        Which way is up, ``positive`` or ``negative``.
    top_px, middle_px, bottom_px
        Rows of the picture.
    """

    name: str
    kind: str
    derivation: str | None
    level: bool
    scale_uv: float | None
    up: str
    top_px: int
    middle_px: float
    bottom_px: int


class NightViews:
    """Draws windows of one recording, which is read and filtered when the first is asked for.

    It may be used from several threads, which take turns.
    """

    def __init__(self, night: UnscoredNight) -> None:
        self.night = night
        self._signals: dict[bool, Signals] = {}
        self._renderers: OrderedDict[tuple[Style, bool], Page] = OrderedDict()
        self._turn = RLock()

    @cached_property
    def polarity(self) -> Polarity:
        """Whether EEG and EOG are turned over, and why."""
        return unscored_night.polarity_of(self.night)

    def forget(self) -> None:
        """Give the memory of the signals back; they are read again when asked for."""
        with self._turn:
            self._signals.clear()
            self._renderers.clear()

    def png(self, view: View) -> bytes:
        """Return a window as a PNG file.

        Raises
        ------
        BuildError
            If a lane would be too low.
        RecordingError
            If the samples can't be read.
        """
        with self._turn:
            signals = self._read(view.filtered)
            page = self._page(_style(self.night.recipe.style, view), view.filtered)
            data_uv, missing = self._cut(signals, view)
            if not missing.any():
                return page.png(data_uv)
            image = page.draw(data_uv)
            width = image.shape[1]
            gone = np.unique(np.flatnonzero(missing) * width // len(missing))
            hatched = layout.hatched(page.style, len(image))
            image[:, gone] = hatched[:, gone, : image.shape[2]]
            return png.encode(png.page_of(image))

    def lanes(self, view: View) -> tuple[LanePlace, ...]:
        """Return where the lanes of a window are drawn."""
        with self._turn:
            signals = self._read(view.filtered)
        montage, style = self.night.recipe.montage, _style(self.night.recipe.style, view)
        fixed = style.scaling == "fixed"
        rows = zip(
            montage.lanes,
            layout.boxes(style, montage),
            signals.lanes,
            signals.envelopes,
            strict=True,
        )
        return tuple(
            LanePlace(
                lane.name,
                lane.kind.value,
                derivation,
                level,
                (style.envelope_uv if level else box.style.scale_uv) if fixed else None,
                _up(box.style.up, turned=lane.name in view.flipped and not level),
                box.top,
                box.middle,
                box.bottom,
            )
            for lane, box, derivation, level in rows
        )

    def gaps(self, view: View) -> list[tuple[float, float]]:
        """Return the parts of a window without signal, as seconds from the recording's start."""
        file, found, at_s = self.night.file, [], view.start_s
        stop_s = view.start_s + view.seconds
        for segment in sorted(file.segments, key=lambda segment: segment.onset_s):
            until_s = min(segment.onset_s, stop_s)
            if until_s > at_s + TOLERANCE_S:
                found.append((at_s, until_s))
            at_s = max(at_s, segment.stop_s(file.record_s))
        if stop_s > at_s + TOLERANCE_S:
            found.append((at_s, stop_s))
        return found

    def _read(self, filtered: bool) -> Signals:
        """Return the signals of the whole recording; those with and without filters are kept."""
        if filtered not in self._signals:
            night = self.night
            montage = night.recipe.montage
            self._signals[filtered] = read_signals(
                night.file,
                montage,
                self.polarity.turn(montage, night.derivations),
                filters=night.recipe.filters if filtered else UNFILTERED,
                mains_hz=night.mains_hz,
                sfreq_hz=night.recipe.sfreq_hz,
                span_s=(0.0, night.duration_s),
            )
        return self._signals[filtered]

    def _page(self, style: Style, filtered: bool) -> Page:
        """Return the renderer of a style, which is kept."""
        from psgimg.builder.render.page import Page  # loads the compiled rasteriser

        key = (style, filtered)
        if key not in self._renderers:
            signals = self._signals[filtered]
            absent = [name is None for name in signals.lanes]
            montage = self.night.recipe.montage
            self._renderers[key] = Page(style, montage, absent, signals.envelopes)
            if len(self._renderers) > MOST_RENDERERS:
                self._renderers.popitem(last=False)
        self._renderers.move_to_end(key)
        return self._renderers[key]

    def _cut(
        self, signals: Signals, view: View
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Return the samples of a window, (n_lanes, n) in µV, and which of them there are not, (n,)."""
        lanes = self.night.recipe.montage.lanes
        n = round(view.seconds * signals.sfreq_hz)
        data_uv, missing = np.zeros((len(lanes), n), np.float32), np.ones(n, bool)
        for stretch in signals.stretches:
            first = round((view.start_s - stretch.start_s) * signals.sfreq_hz)
            if abs(first) <= TOLERANCE_S * signals.sfreq_hz:  # as pages are cut
                first = max(0, first)
            begin, stop = max(0, first), min(first + n, stretch.n_samples)
            if begin < stop:
                data_uv[:, begin - first : stop - first] = stretch.part(begin, stop)
                missing[begin - first : stop - first] = False
        if missing[-1] and not missing[:-1].any():  # rounding of rates may drop the last sample
            data_uv[:, -1], missing[-1] = data_uv[:, -2], False
        there = ~missing
        for row, lane, level in zip(data_uv, lanes, signals.envelopes, strict=True):
            if level:
                continue
            if not view.filtered and there.any():
                row[there] -= np.median(row[there])
            if lane.name in view.flipped:
                np.negative(row, out=row)
        return data_uv, missing


def _style(style: Style, view: View) -> Style:
    """Return the style of a window: a page's style at another scale, size and length."""
    resized = replace(
        style,
        width_px=view.width_px or style.width_px,
        height_px=view.height_px or style.height_px,
        lanes=ByKind(
            {
                kind: replace(lane, scale_uv=lane.scale_uv * view.uv)
                for kind, lane in style.lanes.items()
            }
        ),
        envelope_uv=style.envelope_uv * view.uv,
    )
    if view.seconds == PAGE_S and resized.width_px == style.width_px:
        return resized
    opacities = style.grid_over or (1.0,) * len(style.grid)
    lines = list(zip(style.grid_s, style.grid, opacities, strict=True))
    shown = [line for line in lines if line[0] / view.seconds * resized.width_px >= LEAST_GRID_PX]
    if lines and not shown:
        shown = [(COARSE_GRID_S, *lines[-1][1:])]
    return replace(
        resized,
        grid_s=tuple(step_s * PAGE_S / view.seconds for step_s, _, _ in shown),
        grid=tuple(ink for _, ink, _ in shown),
        grid_over=tuple(opacity for _, _, opacity in shown) if style.grid_over else (),
    )


def _up(up: str, *, turned: bool) -> str:
    other = "positive" if up == "negative" else "negative"
    return other if turned else up
