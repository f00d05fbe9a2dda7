"""Measurement: one job on a model of some shape, the clock that it needs, and the table of jobs."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from psgimg.builder.dataset import prompts

from on_gpu import models

PROMPT = prompts.load(prompts.DEFAULT)
TEXTS = [PROMPT.question, PROMPT.system, *PROMPT.answers.values()]

WARM_UP = 3
"""Batches before the clock starts: they allocate memory and compile."""


@dataclass(frozen=True)
class Measurement:
    """What is measured.

    Parameters
    ----------
    rank
        Place in the order of importance; those with the lowest come first.
    job
        A name in ``JOBS``.
    without
        Names of levers that are not used; see the job.
    batch
        Pages of a training step, or scored at once; None for the product's own choice.
    checkpointing
        Activation checkpointing; None for the product's own choice.
    loaders
        Worker processes that prepare pages; None for the product's own number.
    steps
        Batches on the clock.
    """

    rank: int
    name: str
    job: str
    shape: str = "qwen3-vl-2b"
    without: tuple[str, ...] = ()
    batch: int | None = None
    checkpointing: bool | None = None
    four_bit: bool = False
    loaders: int | None = None
    steps: int = 8


@dataclass(frozen=True)
class Setting:
    """What all measurements of a run share: pages and a device."""

    dataset: str
    device: str
    is_tiny: bool
    is_profiled: bool

    @property
    def on_card(self) -> bool:
        """Whether the device is a card."""
        return self.device == "cuda"

    def model(self, one: Measurement) -> tuple[Any, Any]:
        """Return a new model with random weights on the device, and its processor."""
        torch.manual_seed(0)
        dtype = torch.bfloat16 if self.on_card else torch.float32
        model, processor = models.make(one.shape, TEXTS, self.device, dtype, tiny=self.is_tiny)
        return (_in_four_bit(model), processor) if one.four_bit else (model, processor)


Job = Callable[[Measurement, Setting], dict[str, Any]]

JOBS: dict[str, Job] = {}
"""Name → function that measures and returns figures."""


def job(name: str) -> Callable[[Job], Job]:
    """Register a function as a job."""

    def register(work: Job) -> Job:
        JOBS[name] = work
        return work

    return register


def _in_four_bit(model: Any) -> Any:
    """Return a model with its weights in 4 bit, loaded as `sft --load-in-4bit` does."""
    from psgimg.finetune.models.loading import load_base
    from trl import ModelConfig, get_quantization_config

    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        del model
        quantization = get_quantization_config(ModelConfig(load_in_4bit=True))
        return load_base(str(Path(folder)), quantization=quantization, device_map={"": 0})


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
