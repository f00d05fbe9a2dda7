"""Optional dependencies: check that the libraries of the extra ``finetune`` are installed."""

from __future__ import annotations

import os
from importlib.util import find_spec

from psgimg.builder.errors import BuildError

LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate")


def require() -> None:
    """Check that the libraries of fine-tuning are installed, before anything imports them.

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
    """Turn off spinning of OpenMP threads, which is up to 20 times slower on busy cores.

    Also turns off the telemetry of the Hub client, and the threads of tokenizers, which warn when a
    process is forked. Call it before torch is imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
