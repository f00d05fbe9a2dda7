"""Folds: cross-validates a model on a dataset by psgimg's own commands, projector and LoRA together."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

PSGIMG = [sys.executable, "-c", "from psgimg.builder.cli import main; main()"]


def run(weights: Path, dataset: Path, out: Path, n_steps: int | None) -> None:
    """Train and predict each fold of a dataset, and evaluate all of them together.

    Folds that are there already in ``out`` are kept. Each command prints its own figures.

    Parameters
    ----------
    n_steps
        Training steps of each fold; None for one pass.
    """
    out.mkdir(parents=True, exist_ok=True)
    predictions = []
    for fold in _folds(dataset):
        model, found = out / f"model-{fold}", out / f"fold-{fold}.parquet"
        predictions.append(found)
        if found.exists():
            continue
        pages = ["--dataset", str(dataset), "--fold", str(fold)]
        words = ["--model", str(weights), "--lora-modules-to-save", "projector"]
        length = ["--max-steps", str(n_steps)] if n_steps else []
        if not (model / "psgimg.json").exists():
            resume = ["--resume-from-checkpoint", "true"] if any(model.glob("checkpoint-*")) else []
            _psgimg("sft", *pages, *words, *length, *resume, "--output-dir", str(model))
        _psgimg("predict", *pages, "--model", str(model), "--out", str(found))
    _psgimg("evaluate", "--join", *map(str, predictions))


def _folds(dataset: Path) -> list[int]:
    """Return the numbers of the folds of a dataset."""
    with (dataset / "folds.csv").open(encoding="utf-8", newline="") as file:
        return sorted({int(row["fold"]) for row in csv.DictReader(file)})


def _psgimg(*words: str) -> None:
    subprocess.run([*PSGIMG, *words], check=True)
