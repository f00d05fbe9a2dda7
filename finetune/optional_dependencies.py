"""Optional dependencies: check that the libraries of the extra ``finetune`` are there and fit together."""

from __future__ import annotations

import importlib
import os
import traceback
from importlib.util import find_spec

from psgimg.builder.errors import BuildError

LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate")

USED = ("trl.data_utils", "peft", "accelerate")
"""What importing models and training comes to; TRL imports torch and the processors of transformers."""

UNUSABLE = (ImportError, OSError, RuntimeError)
"""A library that misses another raises OSError; torchaudio checks its CUDA by RuntimeError."""

_CARRIERS = ("psgimg", "torch", "ctypes", "importlib", "transformers", "trl", "peft", "accelerate")
"""Packages that import others on somebody's behalf, or are needed themselves."""


def require() -> None:
    """Import the libraries of fine-tuning, before anything else does.

    Raises
    ------
    BuildError
        If a library of the extra ``finetune`` is not installed, or can't be imported, as beside a
        torchaudio that was built for another torch.
    """
    if missing := [name for name in LIBRARIES if find_spec(name) is None]:
        raise BuildError(
            f"fine-tuning needs {', '.join(missing)}; install with: pip install 'psgimg[finetune]'"
        )
    quiet_threads()
    for name in USED:
        try:
            importlib.import_module(name)
        except UNUSABLE as error:
            raise BuildError(_unusable(name, error)) from error


def _unusable(name: str, error: BaseException) -> str:
    """Return why a library can't be imported: which package fails below it, and the remedy."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    modules = [
        str(frame.f_globals.get("__name__")) for frame, _ in traceback.walk_tb(error.__traceback__)
    ]
    packages = [module.partition(".")[0] for module in modules]
    culprits = [one for one in packages if one not in _CARRIERS and not one.startswith("_")]
    reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    if not culprits:
        remedy = "install the libraries anew: pip install --force-reinstall 'psgimg[finetune]'"
        return f"{name.partition('.')[0]} can't be imported ({reason}); {remedy}"
    culprit = culprits[-1]
    return (
        f"{name.partition('.')[0]} can't be imported, as {culprit} fails ({reason}); install the "
        f"{culprit} that fits your torch, or remove it: pip uninstall {culprit}"
    )


def require_yasa() -> None:
    """Check that YASA and its classifiers' library are installed.

    Raises
    ------
    BuildError
        If a library of the extra ``yasa`` is not installed.
    """
    if missing := [name for name in ("yasa", "lightgbm") if find_spec(name) is None]:
        raise BuildError(
            f"YASA's stager needs {', '.join(missing)}; install with: pip install 'psgimg[yasa]'"
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
