"""Measurement: one job on a model with some levers, and the clock and the card that it needs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from psgimg.builder.dataset import prompts

from on_gpu import models

PROMPT = prompts.load(prompts.DEFAULT)
WARM_UP = 3
"""Batches before the clock starts: they allocate memory and compile."""


@dataclass(frozen=True)
class Measurement:
    """What is measured.

    Parameters
    ----------
    job
        ``sft``, ``bare`` (a plain TRL script) or ``score``.
    levers
        Names of ``levers``; also ``plain`` (no dropout in the adapter), ``half`` (adapter in bf16)
        and ``workers`` (pages of ``score`` prepared in processes instead of one thread).
    loaders
        Worker processes that prepare pages.
    """

    name: str
    job: str
    levers: str = ""
    batch: int = 16
    checkpointing: bool = False
    loaders: int = 4
    steps: int = 8

    def uses(self, lever: str) -> bool:
        """Whether a lever is on."""
        return lever in self.levers.split()


def synchronise() -> None:
    """Wait until the card has finished."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def matmul_tflop_per_s() -> float:
    """Return the rate of a large matrix product in bf16, the ceiling that shares refer to."""
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    seconds = timed(lambda: a @ b, 20)
    return 2 * 8192**3 / seconds / 1e12


def timed(work: Callable[[], Any], n: int) -> float:
    """Return the mean seconds of some work, after a warm-up."""
    for _ in range(WARM_UP):
        work()
    synchronise()
    began = time.perf_counter()
    for _ in range(n):
        work()
    synchronise()
    return (time.perf_counter() - began) / n


def page_flops(model: Any, batch: Any) -> dict[str, float]:
    """Return the operations of the forward pass of one page of a batch of equal pages."""
    n, n_tokens = batch["input_ids"].shape
    return models.flops_per_page(model, int(n_tokens), int(batch["pixel_values"].shape[0]) // n)


def profile(work: Callable[[], Any], n_rows: int = 12) -> None:
    """Print the kernels on which the card spends most of its time."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as record

    with record(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as recorded:
        work()
        synchronise()
    rows = [row for row in recorded.key_averages() if str(row.device_type).endswith("CUDA")]
    total = sum(row.self_device_time_total for row in rows)
    print(f"card busy {total / 1000:.1f} ms")
    for row in sorted(rows, key=lambda row: -row.self_device_time_total)[:n_rows]:
        print(f"  {row.self_device_time_total / total:6.1%} {row.count:5d}  {row.key[:100]}")
