"""Arrow arrays: columns of a table from lists of Python values.

``pyarrow.array`` does the same, but imports pandas to see whether it was given anything of pandas,
which takes a worker longer than to write a night.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Return values, or None for each that is missing, as an array.

    Parameters
    ----------
    kind
        A number, binary, string, or a list or struct of these.
    """
    there = np.array([value is not None for value in values], np.bool_)
    valid = None if there.all() else pa.py_buffer(np.packbits(there, bitorder="little"))
    if pa.types.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        parts = [
            array([None if value is None else value[field.name] for value in values], field.type)
            for field in fields
        ]
        return pa.Array.from_buffers(kind, len(values), [valid], children=parts)
    if pa.types.is_list(kind):
        offsets, members = _joined(values, ())
        part = array(list(chain.from_iterable(members)), kind.value_type)
        return pa.Array.from_buffers(kind, len(values), [valid, offsets], children=[part])
    if pa.types.is_string(kind):
        values = [None if value is None else value.encode() for value in values]
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        offsets, contents = _joined(values, b"")
        content = pa.py_buffer(b"".join(contents))
        return pa.Array.from_buffers(kind, len(values), [valid, offsets, content])
    numbers = np.array([0 if value is None else value for value in values], kind.to_pandas_dtype())
    return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(numbers)])


def _joined(values: Sequence[Any], nothing: Any) -> tuple[pa.Buffer, list[Any]]:
    """Return the offsets of sequences that are joined, and these sequences."""
    parts = [nothing if value is None else value for value in values]
    ends: npt.NDArray[np.int64] = np.cumsum([0, *map(len, parts)])
    if ends[-1] > np.iinfo(np.int32).max:
        raise OverflowError("a column of more than 2 GB")
    return pa.py_buffer(ends.astype(np.int32)), parts
