"""Devices: those that a command runs a model on, with the precision and the batch size that fit them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import torch
from psgimg.builder.errors import BuildError
from psgimg.builder.words import listed
from psgimg.finetune.inference import preparing

NAME = re.compile(r"cpu|cuda(:\d+)?|xpu(:\d+)?|mps")
Note = Callable[[str], None]

BATCHES = ((30e9, 64), (14e9, 32))
"""Memory of a card in bytes from which batches have this size. A model of 2 billion parameters needs
9 GB for 64 pages of 896×448 px (``docs/gpu.json``); what does not fit is halved."""
SMALL_BATCH = 16

WORTH_LOADING = 4
"""Batches for which a model is loaded on a further device."""

CARDS = ("cuda", "xpu")
"""Kinds of devices that wait for pages if these are prepared in a thread."""

BF16_FROM = (8, 0)
"""Compute capability from which CUDA cards compute in bfloat16 (Ampere)."""


def chosen(wanted: str | None, note: Note) -> tuple[str, ...]:
    """Return the names of the devices to use: those given, or all cards, or the CPU.

    Parameters
    ----------
    wanted
        One or several names, joined by commas: ``cpu``, ``cuda:0,cuda:1``.

    Raises
    ------
    BuildError
        If there is no such device, or the devices are not of one kind.
    """
    if wanted is None:
        return _all_alike(note)
    names = [name.strip() for name in wanted.split(",")]
    for name in names:
        if not NAME.fullmatch(name):
            raise BuildError(
                f"--device {wanted}: use cpu, cuda, cuda:1 or, for several, cuda:0,cuda:1"
            )
        _require(name)
    if len({_kind(name) for name in names}) > 1:
        kinds = listed(f"{name} is {_kind(name)}" for name in names)
        raise BuildError(f"--device {wanted}: {kinds}; use devices of one kind, for equal results")
    return tuple(names)


def for_pages(
    wanted: str | None, size: int | None, n_pages: int, note: Note
) -> tuple[int, tuple[str, ...]]:
    """Return the number of pages per batch, and the devices that they are shared out to.

    Batches depend on neither the number of devices nor on which of them is done, so that one or
    several give the same results.

    Parameters
    ----------
    wanted, size
        Devices and size as given by the user, or None.
    """
    names = chosen(wanted, note)
    size = size or batch_size(names[0])
    n_batches = -(-n_pages // size)
    # Named devices are all used; others, if they save more time than loading the model takes.
    n = n_batches if wanted else n_batches // WORTH_LOADING
    return size, names[: max(1, n)]


def loaders(wanted: int | None, names: Sequence[str], n_pages: int) -> int:
    """Return how many processes prepare pages for each device; 0 for a thread."""
    if wanted is not None:
        return wanted
    return preparing.n_loaders(n_pages, len(names), on_card=names[0].startswith(CARDS))


def batch_size(device: str) -> int:
    """Return the number of pages per batch for a device."""
    if not device.startswith("cuda"):
        return SMALL_BATCH
    memory = torch.cuda.get_device_properties(_index(device)).total_memory
    return next((size for least, size in BATCHES if memory >= least), SMALL_BATCH)


def dtype(wanted: str, device: str, note: Note) -> str:
    """Return the precision to load weights in: ``auto`` is bfloat16 where a card computes in it.

    Raises
    ------
    BuildError
        If bfloat16 is asked for on a card without it.
    """
    if not device.startswith("cuda"):
        return "float32" if wanted == "auto" and device == "cpu" else wanted
    card = torch.cuda.get_device_properties(_index(device))
    if wanted not in ("auto", "bfloat16") or (card.major, card.minor) >= BF16_FROM:
        return "bfloat16" if wanted == "auto" else wanted
    if wanted == "bfloat16":
        raise BuildError(
            f"--dtype bfloat16: {card.name} does not compute in it; use float32 or float16"
        )
    note(
        f"{card.name} does not compute in bfloat16: float32 is used; --dtype float16 may be faster"
    )
    return "float32"


def _all_alike(note: Note) -> tuple[str, ...]:
    """Return all cards that are like the first one; without any, the CPU."""
    if not torch.accelerator.is_available():
        return ("cpu",)
    current = torch.accelerator.current_accelerator()
    assert current is not None
    if current.type == "mps":
        return ("mps",)
    names = [f"{current.type}:{i}" for i in range(torch.accelerator.device_count())]
    alike = tuple(name for name in names if _kind(name) == _kind(names[0]))
    if len(alike) < len(names):
        others = listed(name for name in names if name not in alike)
        note(f"{others}: not used, as {names[0]} is another card; choose with --device")
    return alike


def _require(name: str) -> None:
    """Raise BuildError if this machine has no such device."""
    kind = name.partition(":")[0]
    if kind == "cpu":
        return
    current = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if current is None or current.type != kind:
        if kind == "cuda" and torch.version.cuda is None and torch.version.hip is None:
            remedy = f"torch {torch.__version__} is built without CUDA; install one with it"
        else:
            remedy = "torch sees no such device here; check the driver (nvidia-smi), or use cpu"
        raise BuildError(f"--device {name}: {remedy}")
    if _index(name) >= (n := torch.accelerator.device_count()):
        raise BuildError(f"--device {name}: there are {n} here, from {kind}:0 to {kind}:{n - 1}")


def _kind(name: str) -> str:
    """Return which product a device is, by which equal ones are told from others."""
    if name.startswith("cuda"):
        return str(torch.cuda.get_device_name(_index(name)))
    return name.partition(":")[0]


def _index(name: str) -> int:
    return int(name.partition(":")[2] or 0)
