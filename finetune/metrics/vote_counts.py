"""Vote counts: how many scorers chose each stage of an epoch, as text in a column of predictions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from psgimg.builder.stages import STAGE_NAMES

EXAMPLE = "0 1 4 0 0"
MOST = 999
"""Most scorers of a stage."""


def parse(text: str) -> tuple[int, ...]:
    """Return the numbers of scorers for the five stages.

    Raises
    ------
    ValueError
        If the text has no five whole numbers, or they count nobody.
    """
    words = text.split()
    numbers = tuple(int(word) for word in words if word.isascii() and word.isdigit())
    if len(numbers) != len(words) or len(words) != len(STAGE_NAMES):
        raise ValueError(f"{text!r} has no number for each of {', '.join(STAGE_NAMES)}")
    if not 0 < sum(numbers) <= MOST:
        raise ValueError(f"{text!r} counts {sum(numbers)} scorers")
    return numbers


def invalid(column: pa.ChunkedArray) -> str | None:
    """Return the first text that :func:`parse` refuses; None if there is none."""
    for text in column.drop_null().unique().to_pylist():
        try:
            parse(text)
        except ValueError:
            return str(text)
    return None


def array(column: pa.ChunkedArray) -> npt.NDArray[np.int64] | None:
    """Return (n, 5) numbers of scorers, 0 where an epoch has none; None if all have none."""
    encoded = pc.dictionary_encode(column.combine_chunks())
    if not len(encoded.dictionary):
        return None
    known = np.array([parse(text) for text in encoded.dictionary.to_pylist()], np.int64)
    rows = pc.fill_null(encoded.indices, len(known)).to_numpy()
    return np.asarray(np.vstack([known, np.zeros_like(known[:1])])[rows], np.int64)
