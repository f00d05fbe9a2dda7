"""Parts: what `psgimg stage` does with a night beside the card, in seconds of one core.

The night and the pages are real, and so is the processor of the shape; a stand-in answers at once. A
card waits only for the first batch: pages are drawn while the model is loaded, processes prepare them
while it scores, and what draws the picture is loaded meanwhile.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nights
import torch
from psgimg.builder import unscored_night
from psgimg.builder.dataset.config import BuildConfig
from psgimg.finetune.data.context import ALONE
from psgimg.finetune.inference import encoding
from psgimg.finetune.inference.fleet import Fleet
from psgimg.finetune.inference.local_model import LocalModel
from psgimg.finetune.metrics import plotting
from psgimg.finetune.metrics.predictions import Answer
from psgimg.finetune.models.page_positions import PagePositions
from psgimg.finetune.staging import inference
from psgimg.finetune.staging.inference import Questions

from on_gpu import models
from on_gpu.measurement import PROMPT, TEXTS

CHANNELS = {"C4-M1": "EEG", "C3-M2": "EEG(sec)"}
"""Derivations of its montage in a night of SHHS."""

Part = tuple[str, float]


def table(shapes: Sequence[str] | None, n_pages: int, n_answered: int) -> str:
    """Return the parts as a Markdown table; see :func:`measure`."""
    found = measure((shapes or ["qwen3-vl-2b"])[0], n_pages, n_answered)
    lines = [f"| {part} | {seconds:.3f} |" for part, seconds in found]
    return "\n".join(["| of a night, beside the card | s |", "|:--|--:|", *lines]) + "\n"


def measure(name: str, n_pages: int, n_answered: int) -> list[Part]:
    """Return the parts of staging a night of ``n_pages``, of which some are answered.

    Parameters
    ----------
    name
        Shape whose processor is used.
    """
    with tempfile.TemporaryDirectory() as work:
        nights.write(Path(work), 1, n_pages)
        edf, _ = nights.paths(Path(work), 0)
        recipe = BuildConfig(("shhs",), (work,), Path(work)).recipe()
        clock = _Clock()
        night = unscored_night.open_night(edf, recipe, channels=CHANNELS)
        pages = unscored_night.pages(night)
        clock.stop("signals read, before the model is loaded")
        asked = list(inference.asked(pages, ALONE.pages))
        clock.stop(f"{n_pages} pages drawn, while it is loaded")
    model, processor = models.make(name, TEXTS, "cpu", torch.float32, tiny=True)
    encode = encoding.Encoder(processor, torch.bfloat16, PagePositions.of(model))
    questions = Questions(PROMPT, ALONE)
    encode(questions(asked[:1]))  # a first page loads more
    clock = _Clock(clock.parts)
    encode(questions(asked[:n_answered]))
    clock.stop("a page decoded and processed, by one of the processes", n_answered)
    clock.parts.append(("first batch after the call, with a process", _first(encode, asked)))
    clock = _Clock(clock.parts)
    plotting.load()
    clock.stop("what draws the picture loaded, while the model scores")
    return clock.parts


def _first(encode: encoding.Encoder, asked: list[Any]) -> float:
    """Return the seconds until a model is given its first batch by a process."""
    began, found = time.perf_counter(), []

    def answer(encoded: Any) -> list[Answer]:
        found.append(time.perf_counter() - began)
        return [Answer("W")] * len(encoded["input_ids"])

    @contextmanager
    def opened(device: str, note: Callable[[str], None]) -> Iterator[LocalModel]:
        yield LocalModel(torch.device(device), encode, lambda _: None, answer, 1, note)

    with Fleet(opened, ("cpu",), print) as fleet:
        for _ in inference.answers(asked[:64], fleet, Questions(PROMPT, ALONE), 64):
            break
    return found[0]


class _Clock:
    """Seconds of the processor, part by part."""

    def __init__(self, parts: list[Part] | None = None) -> None:
        self.parts = parts or []
        self._began = time.process_time()

    def stop(self, part: str, n: int = 1) -> None:
        self.parts.append((part, (time.process_time() - self._began) / n))
        self._began = time.process_time()
