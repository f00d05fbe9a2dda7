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
    """

    scale_uv: float
    weight: float = 1.0
    colours: tuple[str, ...] = ("#000000",)
    guide_uv: float = 0.0


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
        if len(self.grid) != len(self.grid_s):
            yield (
                f"{len(self.grid_s)} steps in grid_s, {len(self.grid)} inks in grid; give one ink per "
                "step"
            )
        for step_s in self.grid_s:
            if not isinstance(step_s, int | float) or not 0.1 <= step_s < inf:
                yield f"grid_s has {step_s!r}; use seconds, 0.1 or more"
        for kind, lane in self.lanes.items():
            if not (0 < lane.scale_uv < inf and 0 < lane.weight < inf and 0 <= lane.guide_uv < inf):
                yield f"{kind.value} needs scale_uv and weight above 0, and guide_uv of 0 or more"
            if not lane.colours:
                yield f"{kind.value} has no colours; give at least one"
        for ink in self.inks:
            if not isinstance(ink, str) or not INK.fullmatch(ink):
                yield f"ink {ink!r}; use #rrggbb in quotes"

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


# Scales chosen by inspecting real and synthetic pages of all stages: at ±100 µV, the slow waves of
# N3 (75-200 µV peak to peak) fill a lane without clipping, and a spindle of 30 µV is still clearly
# visible. The guides are 75 µV apart, the amplitude criterion for a slow wave.
CLINICAL = Style(
    name="clinical",
    width_px=896,
    height_px=448,
    lanes=ByKind(
        {
            Kind.EEG: LaneStyle(scale_uv=100.0, weight=4.0, guide_uv=37.5),
            Kind.EOG: LaneStyle(scale_uv=150.0, weight=3.0),
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

PAPER = Style(
    name="paper",
    width_px=336,
    height_px=336,
    lanes=ByKind(dict.fromkeys(CLINICAL.lanes, LaneStyle(scale_uv=100.0))),
    scaling="epoch",
)

SLEEPVLM = Style(
    name="sleepvlm",
    width_px=448,
    height_px=224,
    lanes=ByKind(
        {
            Kind.EEG: LaneStyle(scale_uv=50.0, colours=("#ffff00", "#00ff00", "#ff0000")),
            Kind.EOG: LaneStyle(scale_uv=50.0, colours=("#00ffff", "#ff00ff")),
            Kind.EMG: LaneStyle(scale_uv=40.0, colours=("#4488ff",)),
            Kind.ECG: LaneStyle(scale_uv=1000.0, colours=("#ffffff",)),
        }
    ),
    background="#000000",
    line_px=0.7,
    grid_s=(1.0, 5.0),
    grid=("#222222", "#444444"),
    guide="#222222",
    hatch="#444444",
    clip=False,
    clip_mark="#ffffff",
)

PRESETS: Mapping[str, Style] = {style.name: style for style in (CLINICAL, PAPER, SLEEPVLM)}
