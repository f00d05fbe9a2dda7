"""Braindecode models: braindecode imported beside any torch, with a torchaudio that fits it or with none.

braindecode imports torchaudio, which runs only beside the torch that it was built for: on PyPI, one for
CUDA. No network that psgimg uses needs it. Where it can't be imported, empty classes take its place while
braindecode is imported, and are gone afterwards; a network that does need it then fails when it is made.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

NAME = "braindecode.models"

MODULES = ("torchaudio", "torchaudio.functional", "torchaudio.transforms")


def models() -> Any:
    """Return the module ``braindecode.models``.

    Raises
    ------
    ImportError
        If braindecode or a library that it needs, other than torchaudio, is not installed.
    """
    with warnings.catch_warnings():  # from imports of these libraries, not from psgimg
        warnings.simplefilter("ignore")
        if NAME in sys.modules or _is_usable("torchaudio"):
            return importlib.import_module(NAME)
        with _in_its_place():
            return importlib.import_module(NAME)


def _is_usable(name: str) -> bool:
    """Return whether a library can be imported; one that is built for another torch can't."""
    try:
        importlib.import_module(name)
    # A library that misses another raises OSError; torchaudio checks its CUDA by RuntimeError.
    except (ImportError, OSError, RuntimeError):
        return False
    return True


@contextmanager
def _in_its_place() -> Iterator[None]:
    """Let modules of the names of torchaudio's be imported, whose classes can't be used."""
    held = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_of(name)}
    modules = {name: _Absent(name) for name in MODULES}
    for name in MODULES[1:]:
        setattr(modules[MODULES[0]], name.partition(".")[2], modules[name])
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in MODULES:
            sys.modules.pop(name, None)
        sys.modules.update(held)


def _is_of(name: str) -> bool:
    return name.partition(".")[0] == MODULES[0]


class _Absent(ModuleType):
    """A module of which every name is a class that can be derived from, and not be made."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        from torch import nn

        def refuse(self: Any, *_: Any, **__: Any) -> None:
            raise ImportError(f"{type(self).__name__} needs a torchaudio that matches your torch")

        return type(name, (nn.Module,), {"__init__": refuse})
