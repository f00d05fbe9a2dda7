"""Page: drawing and encoding by psgimg and by a new matplotlib figure, on one core, interleaved."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import naive
import numpy as np
from PIL import Image
from psgimg.builder.recordings.montage import MONTAGES
from psgimg.builder.render.page import Page
from psgimg.builder.render.style import PRESETS

MONTAGE = MONTAGES["aasm"]
SFREQ_HZ = 200
PER_NAIVE = 10
"""Number of pages by psgimg per page by matplotlib; interleaved, so that both have the same load."""


def measure(n_pages: int) -> dict[str, Any]:
    """Measure times in milliseconds and file sizes of each preset: six lanes of 6,000 samples."""
    samples = pages(12)
    return {name: _measure(name, samples, n_pages) for name in PRESETS}


def pages(n: int) -> list[Any]:
    """Return ``n`` pages of synthetic sleep in all stages, (6, 6000) float32 each."""
    from psgimg.builder.corpora.synthetic import physiology
    from psgimg.builder.corpora.synthetic.synthesis import synthesize
    from psgimg.builder.stages import Stage
    from scipy.signal import resample_poly

    rng = np.random.default_rng(5)
    night = synthesize([stage for stage in Stage for _ in range(n // len(Stage) + 1)], rng)
    lanes = [(lead, physiology.SFREQ_HZ) for lead in night.leads_uv]
    lanes.append((night.chin_uv, physiology.CHIN_SFREQ_HZ))
    data_uv = np.array(
        [resample_poly(lane.astype(float), SFREQ_HZ, rate) for lane, rate in lanes], np.float32
    )
    return np.split(data_uv, data_uv.shape[1] // (30 * SFREQ_HZ), axis=1)[:n]


def _measure(name: str, samples: list[Any], n_pages: int) -> dict[str, Any]:
    style, lanes = PRESETS[name], range(len(MONTAGE.lanes))
    drawer = Page(style, MONTAGE, [False for _ in lanes], [False for _ in lanes])
    drawer.png(samples[0])
    naive.page(style, MONTAGE, samples[0])
    ours: list[float] = []
    theirs: list[float] = []
    for i in range(n_pages):
        theirs.append(_ms(lambda k=i: naive.page(style, MONTAGE, samples[k % len(samples)])))
        for j in range(PER_NAIVE):
            at = (i * PER_NAIVE + j) % len(samples)
            ours.append(_ms(lambda k=at: drawer.png(samples[k])))
    files = [drawer.png(data_uv) for data_uv in samples]
    pillow = [_pillow(drawer.draw(data_uv)) for data_uv in samples]
    return {
        "size_px": [style.width_px, style.height_px],
        "psgimg_ms": _summary(ours),
        "naive_ms": _summary(theirs),
        "ratio_of_medians": round(median(theirs) / median(ours), 1),
        "ratio_of_minima": round(min(theirs) / min(ours), 1),
        "png_kb": round(sum(map(len, files)) / len(files) / 1e3, 1),
        "pillow_level_6_kb": round(sum(pillow) / len(pillow) / 1e3, 1),
        "png_to_pillow": round(sum(map(len, files)) / sum(pillow), 3),
        "naive_png_kb": round(len(naive.page(style, MONTAGE, samples[0])) / 1e3, 1),
    }


def _ms(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def _summary(times_ms: list[float]) -> dict[str, float]:
    return {
        "median": round(median(times_ms), 3),
        "min": round(min(times_ms), 3),
        "n": len(times_ms),
    }


def _pillow(image: Any) -> int:
    """Return the size in bytes of the same pixels by Pillow, at zlib level 6 and equal bit depth."""
    file = io.BytesIO()
    if image.shape[2] == 1:  # Pillow writes 4 bits per pixel only with a palette
        picture = Image.frombytes("P", image.shape[1::-1], (image // 17).tobytes())
        picture.putpalette([17 * i for i in range(16) for _ in "rgb"])
        picture.save(file, "PNG", compress_level=6, bits=4)
    else:
        Image.fromarray(image).save(file, "PNG", compress_level=6)
    return file.tell()
