"""Style: size, inks, scales and grid of a page, with the presets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf

from psgimg.builder.errors import BuildError
from psgimg.builder.files.picture import MAX_SIDE_PX, MIN_SIDE_PX
from psgimg.builder.recordings.by_kind import ByKind
from psgimg.builder.recordings.montage import Kind

Colour = tuple[int, int, int]
INK = re.compile("#[0-9a-fA-F]{6}")
UP = ("positive", "negative")
CHOICES = {"scaling": ("fixed", "epoch"), "renderer": ("fast", "matplotlib")}
"""Values of a style that are one of several words."""


@dataclass(frozen=True)
class LaneStyle:
    """How the lanes of one kind are drawn.

    Parameters
    ----------
    scale_uv
        Amplitude at the lane's upper and lower edge, in µV.
    weight
        Height of the lane relative to the others.
    colours
        Inks of the first, second, … lane of this kind; the last one is used for all further lanes.
    guide_uv
        Amplitude of two faint guide lines, in µV; 0 draws none.
    up
        Which way is up, ``positive`` or ``negative``; an EMG level has no sign.
    """

    scale_uv: float
    weight: float = 1.0
    colours: tuple[str, ...] = ("#000000",)
    guide_uv: float = 0.0
    up: str = "positive"

    def faults(self) -> Iterator[str]:
        """Yield a message for each invalid value, to follow the kind of lane."""
        if not (0 < self.scale_uv < inf and 0 < self.weight < inf and 0 <= self.guide_uv < inf):
            yield "needs scale_uv and weight above 0, and guide_uv of 0 or more"
        if self.up not in UP:
            yield f"has up {self.up!r}; use {' or '.join(UP)}"
        if not self.colours:
            yield "has no colours; give at least one"


@dataclass(frozen=True)
class Style:
    """A page's size, inks, scales and grid.

    Parameters
    ----------
    scaling
        ``fixed``: the same scale on every page. ``epoch``: each lane is scaled to its minimum and
        maximum, as in arXiv 2509.22810; amplitude is lost.
    line_px
        Width of the traces.
    grid_s, grid
        Vertical lines every ``grid_s[i]`` seconds in the ink ``grid[i]``; later ones on top.
    rule
        Ink of the line between lanes; "" draws none.
    grid_over, rule_over
        Opacity of these lines, up to 1, if they are drawn over the traces; without, they are opaque
        and beneath.
    clip
        Clip waves at the edges of their lane and mark the place in the ink ``clip_mark``; otherwise
        they extend into neighbouring lanes.
    lanes
        Style of each kind of lane.
    envelope_uv
        Scale of an EMG that was recorded as a level instead of a waveform, in µV.
    renderer
        ``fast``: the compiled rasteriser. ``matplotlib``: its Agg backend, which is slow; to measure
        whether the renderer matters.
    """

    name: str
    width_px: int
    height_px: int
    lanes: ByKind[LaneStyle]
    background: str = "#ffffff"
    line_px: float = 1.0
    scaling: str = "fixed"
    grid_s: tuple[float, ...] = ()
    grid: tuple[str, ...] = ()
    guide: str = "#dddddd"
    rule: str = ""
    grid_over: tuple[float, ...] = ()
    rule_over: float = 0.0
    hatch: str = "#bbbbbb"
    clip: bool = True
    clip_mark: str = "#000000"
    envelope_uv: float = 5.0
    renderer: str = "fast"

    def __post_init__(self) -> None:
        for fault in self._faults():
            raise BuildError(f"style {self.name}: {fault}")

    def _faults(self) -> Iterator[str]:
        """Yield a message for each invalid value, with the permitted ones."""
        if not all(MIN_SIDE_PX <= side <= MAX_SIDE_PX for side in (self.width_px, self.height_px)):
            yield f"{self.width_px}x{self.height_px} px; use {MIN_SIDE_PX} to {MAX_SIDE_PX}"
        yield from self._unknown_words()
        if not 0.3 <= self.line_px <= 8:
            yield f"line_px {self.line_px:g}; use 0.3 to 8"
        if not 0 < self.envelope_uv < inf:
            yield f"envelope_uv {self.envelope_uv:g}; use a number above 0"
        yield from self._line_faults()
        for kind, lane in self.lanes.items():
            yield from (f"{kind.value} {fault}" for fault in lane.faults())
        for ink in self.inks:
            if not isinstance(ink, str) or not INK.fullmatch(ink):
                yield f"ink {ink!r}; use #rrggbb in quotes"

    def _line_faults(self) -> Iterator[str]:
        """Yield a message for each invalid value of the grid and of the lines between lanes."""
        if len(self.grid) != len(self.grid_s):
            yield (
                f"{len(self.grid_s)} steps in grid_s, {len(self.grid)} inks in grid; give one ink per "
                "step"
            )
        if self.grid_over and len(self.grid_over) != len(self.grid_s):
            yield f"{len(self.grid_over)} values in grid_over; give one per step in grid_s, or none"
        for opacity in (*self.grid_over, self.rule_over or 1.0):
            if not isinstance(opacity, int | float) or not 0 < opacity <= 1:
                yield f"opacity {opacity!r} in grid_over or rule_over; use more than 0, up to 1"
        for step_s in self.grid_s:
            if not isinstance(step_s, int | float) or not 0.1 <= step_s < inf:
                yield f"grid_s has {step_s!r}; use seconds, 0.1 or more"

    def _unknown_words(self) -> Iterator[str]:
        for key, known in CHOICES.items():
            if (chosen := getattr(self, key)) not in known:
                yield f"{key} {chosen!r}; use {' or '.join(known)}"

    def lane(self, kind: Kind) -> LaneStyle:
        """Return the style of a kind of lane."""
        return self.lanes[kind]

    def only(self, kinds: Iterable[Kind]) -> Style:
        """Return the style restricted to some kinds of lane."""
        return replace(self, lanes=self.lanes.only(kinds))

    @property
    def inks(self) -> tuple[str, ...]:
        """All inks of the style."""
        lanes = [ink for lane in self.lanes.values() for ink in lane.colours]
        single = [self.background, self.guide, self.hatch, self.clip_mark, self.rule or self.guide]
        return (*lanes, *self.grid, *single)

    @property
    def grey(self) -> bool:
        """Whether all inks are grey; such pages are stored with 4 bits per pixel."""
        return all(len(set(colour(ink))) == 1 for ink in self.inks)


def colour(ink: str) -> Colour:
    """Return red, green and blue of ``#rrggbb``."""
    return int(ink[1:3], 16), int(ink[3:5], 16), int(ink[5:7], 16)


# EEG and eyes have the same limits, as on a technologist's screen. At ±150 µV, 3 % of the N3 pages of
# a real night (SC4001 of Sleep-EDF) are clipped in any lane; at ±100 µV, 51 % would be. A spindle of
# 30 µV is still 8 px high on a page of six lanes. The guides are 75 µV apart, the amplitude criterion
# for a slow wave.
CLINICAL = Style(
    name="clinical",
    width_px=896,
    height_px=448,
    lanes=ByKind(
        {
            Kind.EEG: LaneStyle(scale_uv=150.0, weight=4.0, guide_uv=37.5, up="negative"),
            Kind.EOG: LaneStyle(scale_uv=150.0, weight=3.0, up="negative"),
            Kind.EMG: LaneStyle(scale_uv=50.0, weight=2.0),
            Kind.ECG: LaneStyle(scale_uv=1500.0, weight=2.0),
        }
    ),
    line_px=1.0,
    grid_s=(1.0, 5.0),
    grid=("#dddddd", "#999999"),
    guide="#cccccc",
    rule="#777777",
    hatch="#bbbbbb",
)

# Slow waves of children reach 300 to 400 µV peak to peak, also in the lanes of the eyes.
PEDIATRIC = replace(
    CLINICAL,
    name="pediatric",
    lanes=ByKind(
        {
            **CLINICAL.lanes,
            Kind.EEG: replace(CLINICAL.lane(Kind.EEG), scale_uv=300.0),
            Kind.EOG: replace(CLINICAL.lane(Kind.EOG), scale_uv=300.0),
        }
    ),
)

# The paper does not say which way is up, and draws line plots, which have positive values up.
PAPER = Style(
    name="paper",
    width_px=336,
    height_px=336,
    lanes=ByKind(dict.fromkeys(CLINICAL.lanes, LaneStyle(scale_uv=100.0))),
    scaling="epoch",
)

# As the published renderer of SleepVLM draws it with matplotlib at 100 dpi: lines of 0.6 pt; over them
# a grid of 0.5 and 0.8 pt at 60 and 80 % opacity, the finer one covering 0.7 px; ±50 µV and ±40 µV
# from one line between lanes to the next, positive values up.
SLEEPVLM = Style(
    name="sleepvlm",
    width_px=448,
    height_px=224,
    lanes=ByKind(
        {
            Kind.EEG: LaneStyle(scale_uv=50.0, colours=("#ffff00", "#00ff00", "#ff0000")),
            Kind.EOG: LaneStyle(scale_uv=50.0, colours=("#00ffff", "#ff00ff")),
            Kind.EMG: LaneStyle(scale_uv=40.0, colours=("#0000ff",)),
            Kind.ECG: LaneStyle(scale_uv=1000.0, colours=("#ffffff",)),
        }
    ),
    background="#000000",
    line_px=0.83,
    grid_s=(1.0, 5.0),
    grid=("#404040", "#404040"),
    rule="#404040",
    grid_over=(0.41, 0.8),
    rule_over=0.8,
    guide="#222222",
    hatch="#444444",
    clip=False,
    clip_mark="#ffffff",
)

PRESETS: Mapping[str, Style] = {
    style.name: style for style in (CLINICAL, PEDIATRIC, PAPER, SLEEPVLM)
}
