"""Compiled: functions on arrays as machine code, by Numba.

Kernels are compiled without relaxed arithmetic: sums are in the order in which they are written, and
nothing is fused, so that the same input gives the same bytes on every processor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def compiled(function: Kernel) -> Kernel:
    """Compile a function on its first call, with a cache on disk if a folder is writable."""
    try:
        return cast(Kernel, njit(cache=True, nogil=True)(function))
    except RuntimeError:  # neither the package's nor the user's cache folder is writable
        return cast(Kernel, njit(nogil=True)(function))
