"""Compares a training step of psgimg with that of a plain TRL script on the same pages, as JSON.

    python benchmarks/sft_step.py psg-images [--steps 20] [--batch 8] [--loaders 1]

Both train the tiny model on the same rows in the same order, interleaved on the same machine.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import load_dataset
from psgimg.builder.dataset import prompts
from psgimg.finetune.data import page_set
from psgimg.finetune.data.augment import Augmented
from psgimg.finetune.data.context import ALONE
from psgimg.finetune.data.variants import Looks
from psgimg.finetune.models import tiny
from psgimg.finetune.training.trainer import StagingTrainer
from transformers import AutoModelForImageTextToText, AutoProcessor, TrainerCallback
from trl import SFTConfig, SFTTrainer

PROMPT = prompts.load(prompts.DEFAULT)
WARM_UP = 2


class Clock(TrainerCallback):
    """Records the seconds of each step, and the time spent waiting for pages."""

    def __init__(self) -> None:
        self.step_s: list[float] = []
        self.waited_s = 0.0
        self._last = 0.0

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Record the time at which the batch is ready."""
        now = time.perf_counter()
        if self._last and state.global_step >= WARM_UP:
            self.waited_s += now - self._last
        self._began = self._last or now

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Record the time at which the weights are updated."""
        self._last = time.perf_counter()
        self.step_s.append(self._last - self._began)


def bare(dataset: str, rows: np.ndarray) -> Any:
    """Return the rows in the form of a plain TRL script."""
    names = ["W", "N1", "N2", "N3", "REM"]

    def chat(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        return {
            "images": [[image.convert("RGB")] for image in batch["image"]],
            "prompt": [[{"role": "user", "content": PROMPT.question}] for _ in batch["label"]],
            "completion": [
                [{"role": "assistant", "content": names[label]}] for label in batch["label"]
            ],
        }

    split = load_dataset(dataset, split="train").select(rows)
    return split.select_columns(["image", "label"]).with_transform(chat)


def measure(
    kind: str, folder: Path, dataset: str, n_steps: int, batch: int, loaders: int
) -> dict[str, float]:
    """Return the median seconds of a step, and the proportion of time spent waiting for pages."""
    train = page_set.load(dataset, None, "train")
    rows = train.rows[: n_steps * batch]
    clock = Clock()
    config = SFTConfig(
        output_dir=str(folder / "out"),
        max_steps=n_steps,
        per_device_train_batch_size=batch,
        max_length=None,
        bf16=False,
        gradient_checkpointing=False,
        use_cpu=not torch.accelerator.is_available(),
        dataloader_pin_memory=False,
        dataloader_num_workers=loaders,
        remove_unused_columns=False,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    common = {
        "model": AutoModelForImageTextToText.from_pretrained(folder / "model"),
        "processing_class": AutoProcessor.from_pretrained(folder / "model"),
        "args": config,
        "callbacks": [clock],
    }
    if kind == "psgimg":
        own = Augmented(
            Looks.of(train, varied=True), lambda number: rows, PROMPT, ALONE, "none", 0
        ).dataset()
        trainer = StagingTrainer(train_dataset=own, answers=PROMPT.answers, **common)
    else:
        trainer = SFTTrainer(train_dataset=bare(dataset, rows), **common)
    trainer.train()
    timed = clock.step_s[WARM_UP:]
    return {"step_s": float(np.median(timed)), "waiting": clock.waited_s / sum(timed)}


def main() -> None:
    """Measure both in turns, and print the ratio of their medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loaders", type=int, default=0)
    options = parser.parse_args()
    results: dict[str, list[dict[str, float]]] = {"bare": [], "psgimg": []}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        style = page_set.load(options.dataset, None, "train").build["recipe"]["style"]
        tiny.build(folder / "model", (style["width_px"], style["height_px"]), [PROMPT.question])
        for _ in range(options.rounds):
            for kind, runs in results.items():
                runs.append(
                    measure(
                        kind, folder, options.dataset, options.steps, options.batch, options.loaders
                    )
                )
    middle = {
        kind: {key: float(np.median([run[key] for run in runs])) for key in runs[0]}
        for kind, runs in results.items()
    }
    ratio = middle["psgimg"]["step_s"] / middle["bare"]["step_s"]
    print(
        json.dumps(
            {**middle, "ratio": ratio, "batch": options.batch, "loaders": options.loaders}, indent=1
        )
    )


if __name__ == "__main__":
    main()
