"""Extras: what fine-tuning needs beside the base install, asked for before anything imports it."""

from __future__ import annotations

import os
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


def quiet_threads() -> None:
    """On contended cores OpenMP's spinning costs up to twenty times; set before torch loads it."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # nobody is told who trains on what
