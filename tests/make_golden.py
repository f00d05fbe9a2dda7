"""Golden pages: drawn from waves of exact arithmetic, so that they are the same on every machine.

``python tests/make_golden.py`` draws them anew after a change of style or renderer that is meant;
look at each before committing it, and raise ``VERSION`` in ``builder/recipe.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from psgimg.builder.recordings.montage import MONTAGES
from psgimg.builder.render.page import Page
from psgimg.builder.render.style import PRESETS

GOLDENS = Path(__file__).resolve().parent / "goldens"
N_SAMPLES = 6000
"""30 s at 200 Hz."""

Wave = npt.NDArray[np.float32]


def wave(peak_uv: float, period: int, swell: int = 0) -> Wave:
    """Arcs of parabolas, ``period`` samples long, that start upwards; without sin, which no
    standard pins to the last bit. With ``swell`` they grow from nothing within so many samples.
    """
    i = np.arange(N_SAMPLES)
    half = period // 2
    k = i % half
    arc = 4 * k * (half - k) / half**2 * np.where(i // half % 2, -1, 1)
    grown = (i % swell) / swell if swell else 1.0
    return np.float32(peak_uv) * (arc * grown).astype(np.float32)


def zigzag(peak_uv: float) -> Wave:
    """A dense wave of changing height, like a muscle's."""
    i = np.arange(N_SAMPLES)
    return (peak_uv * np.where(i % 2, -1, 1) * (1 + i * 7919 % 101) / 101).astype(np.float32)


FLAT = np.zeros(N_SAMPLES, np.float32)
ABSENT = np.full(N_SAMPLES, np.nan, np.float32)
LEVEL = (1 + np.arange(N_SAMPLES) // 200 * 7 % 5).astype(np.float32)
"""An EMG that was recorded as a level, a new one each second."""

SLEEPING = [wave(90, 200), wave(37.5, 40), wave(20, 20, swell=900), wave(100, 300), FLAT, zigzag(8)]


def _draw(style: str, montage: str, lanes: list[Wave], envelopes: tuple[int, ...] = ()) -> bytes:
    absent = [lane is ABSENT for lane in lanes]
    page = Page(
        PRESETS[style], MONTAGES[montage], absent, [i in envelopes for i in range(len(lanes))]
    )
    return page.png(np.array(lanes))


PAGES: dict[str, Callable[[], bytes]] = {
    "clinical": lambda: _draw("clinical", "aasm", SLEEPING),
    "clinical-clipped-absent-envelope": lambda: _draw(
        "clinical", "sleep-edf", [wave(220, 180), ABSENT, wave(400, 900), LEVEL], (3,)
    ),
    "paper": lambda: _draw("paper", "aasm", SLEEPING),
    "sleepvlm": lambda: _draw("sleepvlm", "aasm", [wave(200, 200), *SLEEPING[1:]]),
    "sleepvlm-absent": lambda: _draw(
        "sleepvlm", "central", [FLAT, ABSENT, wave(60, 120), ABSENT, zigzag(30)]
    ),
}


if __name__ == "__main__":
    GOLDENS.mkdir(exist_ok=True)
    for name, draw in PAGES.items():
        (GOLDENS / f"{name}.png").write_bytes(draw())
