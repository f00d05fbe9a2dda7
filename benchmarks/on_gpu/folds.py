"""Folds: trains projector and LoRA of a model on the blocks of a real night, and tests it on the others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from psgimg.builder import atomic_file
from real_night import N_FOLDS, cut_folds, over_folds
from real_nights.steps import figures, psgimg, table_of

LEARNS = "--lora-modules-to-save projector --eval-strategy no --save-strategy no"
"""A projector that has seen nothing learns whole, the language model by an adapter."""


def run(weights: Path, root: Path, out: Path, n_steps: int | None, chosen: Sequence[int]) -> None:
    """Train and test by `psgimg sft` and `predict`, and write ``folds.json``; finished steps are kept.

    Parameters
    ----------
    root
        Folder with SC4001 of Sleep-EDF.
    n_steps
        Training steps of each fold; None for one pass.
    chosen
        Numbers of the folds; none means all.
    """
    work = out.resolve()
    work.mkdir(parents=True, exist_ok=True)
    folders = cut_folds(work, root)
    length = f"--max-steps {n_steps}" if n_steps else "--num-train-epochs 1"
    results, took = [], []
    for fold in chosen or range(N_FOLDS):
        data, name = folders[fold].name, f"weights-{fold}"
        asked = f"--dataset {data} --model {weights.resolve()} --output-dir {name}"
        took.append(psgimg(work, f"sft {asked} {LEARNS} {length}"))
        tested = f"--model {name} --dataset {data} --split test --any-lanes"
        psgimg(work, f"predict {tested} --out {name}.parquet")
        table = table_of(work / f"{name}.parquet")
        results.append((table, {"fold": fold, **figures(table)}))
        print(f"fold {fold}: {json.dumps(results[-1][1])}", flush=True)
    report = {"steps": n_steps, "sft": took, **over_folds(*zip(*results, strict=True))}
    report["pages"] = int(np.sum([table.sum() for table, _ in results]))
    text = json.dumps(report, indent=1) + "\n"
    atomic_file.write_text(work / "folds.json", text)
    print(text)
