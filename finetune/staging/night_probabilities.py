"""Night probabilities: those of the pages of a night, with the temperature, and decoded."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from psgimg.builder.unscored_night import Grid
from psgimg.finetune.decoding.decoded import NIGHT, Decoding

Floats = npt.NDArray[np.float64]


def decoded(probabilities: Floats, grid: Grid, decoding: Decoding) -> tuple[Floats, Floats | None]:
    """Return the probabilities that a model's calibration and decoding make of those that it gives.

    Parameters
    ----------
    probabilities : (n, 5)
        Of the epochs of the grid. Epochs without any, NaN, are a gap, as is time that no epoch covers.

    Returns
    -------
    (n, 5) probabilities, and those of each page by itself if the night was decoded, else None.

    Raises
    ------
    BuildError
        If the night is to be decoded and no transitions were counted for epochs of its length.
    """
    pages = decoding.pages(probabilities)
    if decoding.decode != NIGHT:
        return pages, None
    staged = np.isfinite(pages).all(axis=1)
    epochs = np.array(grid.epochs, np.int64)[staged]
    odds = pages.copy()
    chain = decoding.transitions.chain(grid.epoch_s)
    odds[staged], _ = decoding.night(pages[staged], epochs, chain)
    return odds, pages
