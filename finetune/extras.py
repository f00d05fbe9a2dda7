"""Extras: what fine-tuning needs beside the base install, asked for before anything imports it."""

from __future__ import annotations

from importlib.util import find_spec

from psgimg.builder.errors import BuildError

LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate")


def require() -> None:
    """Refuse in one line what would otherwise end in an import error.

    Raises
    ------
    BuildError
        If a library of the extra ``finetune`` is not installed.
    """
    if missing := [name for name in LIBRARIES if find_spec(name) is None]:
        raise BuildError(
            f"fine-tuning needs {', '.join(missing)}; install with: pip install 'psgimg[finetune]'"
        )
