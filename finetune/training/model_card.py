"""Model card: the README of a model's folder. Every number on it is counted or was logged.

The words are in ``cards/model.md.j2``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from psgimg.builder import atomic_file
from psgimg.builder.card import templates
from psgimg.builder.corpora import demo
from psgimg.builder.release import models
from psgimg.builder.signals.epoching import PAGE_S
from psgimg.finetune.metrics import metric_table
from psgimg.finetune.metrics.metric_table import Metric
from psgimg.finetune.models.manifest import ModelFolder
from psgimg.finetune.training import training_report as report

FILE = "README.md"
TEMPLATE = "model.md.j2"
ADAPTER = "adapter_config.json"

SETTINGS = {
    "pages per step and device": "per_device_train_batch_size",
    "gradient accumulation": "gradient_accumulation_steps",
    "learning rate": "learning_rate",
    "schedule": "lr_scheduler_type",
    "weight decay": "weight_decay",
    "seed": "seed",
}
"""Words for people → name in TRL's arguments."""

SUBSETS = {
    "training subjects": "train_subjects",
    "maximum training pages per recording": "max_epochs_per_recording",
    "sampling": "sampling",
}
"""Words for people → name in our arguments; one that is None was not given."""

MOST_ROWS = 12
"""Evaluations that the card lists."""


def write(folder: Path, home: str | None = None) -> None:
    """Write the card of a model's folder from its ``psgimg.json`` and ``training.json``.

    Parameters
    ----------
    home
        Its name on the Hub, if it has one.
    """
    taught = ModelFolder.load(folder)
    told = json.loads((folder / report.FILE).read_text(encoding="utf-8"))
    adapter = (folder / ADAPTER).exists()
    atomic_file.write_text(
        folder / FILE, text(taught, told, adapter, home or folder.resolve().name)
    )


def restricted(taught: ModelFolder) -> frozenset[str]:
    """The restricted corpora that a model learned from."""
    return models.restricted({"policy": taught.policy, "corpora": taught.corpora})


def text(taught: ModelFolder, told: Mapping[str, Any], adapter: bool, home: str) -> str:
    """The card, YAML and Markdown.

    Parameters
    ----------
    told
        What ``training.json`` says.
    adapter
        Whether the folder holds adapters and not whole weights.
    """
    log = told["log"]
    evaluated = [entry for entry in log if _is_evaluation(entry)]
    best = [entry for entry in evaluated if entry["step"] == told["best_step"]]
    last = (best or evaluated or [{}])[-1]
    figures = {
        metric: last[f"eval_{metric.key}"]
        for metric in metric_table.overall()
        if f"eval_{metric.key}" in last
    }
    values = {
        "metadata": _head(taught, adapter, home, figures),
        "title": f"{home.rpartition('/')[2]}: sleep stages from pages",
        "home": home,
        "page_s": PAGE_S,
        "adapter": adapter,
        "base": taught.base_model,
        "tiny": taught.base_model == "tiny",
        "psgimg": taught.psgimg,
        "dataset": taught.dataset["id"],
        "corpora": list(taught.corpora),
        "restricted": sorted(restricted(taught)),
        "synthetic": demo.NAME in taught.corpora,
        "counts": told["counts"],
        "pages_shown": told["pages_shown"],
        "steps": told["steps"],
        "passes": _rounded(told["passes"]),
        "n_trained_on": told["subjects"],
        "by_max_steps": told["steps"] == told["training"]["max_steps"],
        "began_from": told["began_from"],
        "figures": figures,
        "headline": metric_table.headline(),
        "n_validation": told["validation"].get("pages", 0),
        "n_subjects": told["validation"].get("subjects", 0),
        "best_step": last.get("step", 0),
        "rows": _rows(log),
        "prompt": taught.prompt,
        "context": taught.context,
        "recipe": taught.recipe,
        "recipe_hash": taught.recipe_hash,
        "settings": _settings(told),
    }
    return templates.render(TEMPLATE, values)


def _head(taught: ModelFolder, adapter: bool, home: str, figures: Mapping[Metric, float]) -> str:
    """The YAML head, as the Hub reads it, with the figures as its model index."""
    from huggingface_hub import EvalResult, ModelCardData

    dataset = str(taught.dataset["id"])
    known = "/" in dataset
    results = [
        EvalResult(
            task_type="image-classification",
            task_name="Sleep staging",
            dataset_type=dataset if known else "psgimg",
            dataset_name=dataset,
            dataset_split="validation",
            dataset_revision=taught.dataset["revision"],
            metric_type=metric.key,
            metric_name=metric.title,
            metric_value=round(value, 4),
        )
        for metric, value in figures.items()
    ]
    base = taught.base_model
    data = ModelCardData(
        model_name=home.rpartition("/")[2],
        library_name="peft" if adapter else "transformers",
        pipeline_tag="image-text-to-text",
        base_model=base if "/" in base else None,
        datasets=[dataset] if known else None,
        tags=["sleep", "sleep-staging", "polysomnography", "psgimg", *sorted(taught.corpora)],
        eval_results=results or None,
    )
    return str(data.to_yaml())


def _is_evaluation(entry: Mapping[str, Any]) -> bool:
    """Whether a line of the log has figures of validation pages."""
    return any(f"eval_{metric.key}" in entry for metric in metric_table.overall())


def _rows(log: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Lines of the table: each evaluation, with the training loss that was logged last before it."""
    lines: list[dict[str, Any]] = []
    loss = "–"
    columns = ["eval_loss", *(f"eval_{metric.key}" for metric in metric_table.headline())]
    for entry in log:
        loss = f"{entry['loss']:.3f}" if "loss" in entry else loss
        if _is_evaluation(entry):
            figures = [f"{entry[name]:.3f}" if name in entry else "–" for name in columns]
            lines.append({"step": entry["step"], "figures": [loss, *figures]})
    step = -(-len(lines) // MOST_ROWS)
    return lines[::-1][:: max(step, 1)][::-1]


def _settings(told: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """What was set, and what came of it where that may differ."""
    given, own, kept = told["training"], told["psgimg"], told["best_step"]
    limit = given["max_steps"]  # which overrides the number of training passes
    steps = _of_planned(told["steps"], limit if limit > 0 else None)
    passes = _of_planned(told["passes"], None if limit > 0 else given["num_train_epochs"])
    rank = told["model"].get("lora_r") if told["model"].get("use_peft") else None
    return [
        ("optimisation steps", steps),
        ("training passes", passes),
        *(
            [("weights kept", f"those of step {kept:,}")]
            if kept not in (None, told["steps"])
            else []
        ),
        ("pages per step", told["batch"]),
        *[(words, given[name]) for words, name in SETTINGS.items() if name in given],
        *[(words, own[name]) for words, name in SUBSETS.items() if own.get(name) is not None],
        *([("LoRA rank", rank)] if rank else []),
        ("device", told["device"]),
        ("processes", told["processes"]),
    ]


def _of_planned(made: float, planned: float | None) -> str:
    """How many were made, and of how many if there were to be more."""
    if planned is None or made >= planned:
        return _rounded(made)
    return f"{_rounded(made)} of {_rounded(planned)} planned"


def _rounded(value: float) -> str:
    """A whole number as it is, a fraction in three digits."""
    return templates.number(int(value) if value == int(value) else float(f"{value:.3g}"))
