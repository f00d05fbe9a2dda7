"""Expected size: about how large a dataset will be, before its first page is drawn."""

from __future__ import annotations

from collections.abc import Collection

from psgimg.builder.dataset.shards import Done
from psgimg.builder.render.style import Style

PAGES_A_NIGHT = 1000
"""About as many as a night of SHHS has with 30 minutes of wakefulness before and after sleep."""

BYTES_A_PIXEL = 0.07
"""Of a real page: 28 kB at 896 x 448 pixels."""


def n_bytes(n_nights: int, done: Collection[Done], style: Style) -> int:
    """Return the expected size of the shards of a dataset in bytes.

    Parameters
    ----------
    n_nights
        Recordings that the dataset will have, each counted once more for each variant of its pages.
    done
        Those that are finished, whose mean counts if there are any; otherwise typical pages count.
    """
    parts = {one.path for one in done if not one.withdrawn}
    if parts:
        n_finished = sum(1 + one.facts.get("variants", 0) for one in done if not one.withdrawn)
        return round(sum(path.stat().st_size for path in parts) / n_finished * n_nights)
    return round(n_nights * PAGES_A_NIGHT * style.width_px * style.height_px * BYTES_A_PIXEL)
