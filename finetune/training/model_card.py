"""Model card: the README of a model folder. Every number on it is counted or was logged.

The text is in ``cards/model.md.j2``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from psgimg.builder import atomic_file
from psgimg.builder.card import templates
from psgimg.builder.corpora import registry
from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded, quoting
from psgimg.builder.release import models
from psgimg.builder.signals.epoching import PAGE_S
from psgimg.builder.words import number
from psgimg.finetune.decoding.calibration_fit import VARIANTS
from psgimg.finetune.metrics import metric_table
from psgimg.finetune.metrics.metric_table import Metric
from psgimg.finetune.models import model_files
from psgimg.finetune.models.manifest import TINY, ModelFolder
from psgimg.finetune.training import training_report as report

FILE = "README.md"
TEMPLATE = "model.md.j2"

SETTINGS = {
    "pages per step and device": "per_device_train_batch_size",
    "gradient accumulation": "gradient_accumulation_steps",
    "learning rate": "learning_rate",
    "schedule": "lr_scheduler_type",
    "weight decay": "weight_decay",
    "seed": "seed",
}
"""Label on the card → name in TRL's arguments."""

SUBSETS = {
    "training subjects": "train_subjects",
    "maximum training pages per recording": "max_epochs_per_recording",
    "sampling": "sampling",
}
"""Label on the card → name in psgimg's arguments; None means not set."""

MOST_ROWS = 12
"""Maximum number of evaluations, and of patterns of absent lanes, that the card lists."""


def write(folder: Path, home: str | None = None) -> None:
    """Write the card of a model folder from its ``psgimg.json`` and ``training.json``.

    Parameters
    ----------
    home
        Name of the model on the Hub; None takes that of its training, or the name of the folder.

    Raises
    ------
    BuildError
        If one of them is missing or damaged.
    """
    manifest = ModelFolder.load(folder)
    adapter = (folder / model_files.ADAPTER).exists()
    try:
        record = bounded.read_json(folder / report.FILE)
        own = home or record["training"].get("hub_model_id") or folder.resolve().name
        card = text(manifest, record, adapter, own)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise BuildError(
            f"{folder / report.FILE} is damaged ({type(error).__name__}: {error}); restore the file "
            "written by `psgimg sft`"
        ) from error
    atomic_file.write_text(folder / FILE, card)


def restricted(manifest: ModelFolder) -> frozenset[str]:
    """Return the restricted corpora that a model was trained on."""
    return models.restricted(
        {
            "policy": manifest.policy,
            "corpora": manifest.corpora,
            "subjects": manifest.subjects,
        }
    )


def text(manifest: ModelFolder, record: Mapping[str, Any], adapter: bool, home: str) -> str:
    """Return the card as Markdown with a YAML header.

    Parameters
    ----------
    record
        Contents of ``training.json``.
    adapter
        Whether the folder holds an adapter instead of full weights.
    """
    log = record["log"]
    last = _evaluation_of_the_weights(record)
    figures = {
        metric: last[f"eval_{metric.key}"]
        for metric in metric_table.overall()
        if f"eval_{metric.key}" in last
    }
    values = {
        "metadata": _head(manifest, adapter, home, figures),
        "title": f"{home.rpartition('/')[2]}: sleep stages from pages",
        "home": home,
        "page_s": PAGE_S,
        "adapter": adapter,
        "base": manifest.base_model,
        "tiny": manifest.base_model == TINY,
        "psgimg": manifest.psgimg,
        "dataset": manifest.dataset["id"],
        "command": quoting.command(
            "predict",
            model=home,
            dataset=manifest.dataset["id"],
            **report.pages_to_predict(record),
            out="predictions.parquet",
        ),
        "corpora": list(manifest.corpora),
        "restricted": sorted(restricted(manifest)),
        "synthetic": registry.synthetic(manifest.corpora),
        "counts": record["counts"],
        "pages_shown": record["pages_shown"],
        "steps": record["steps"],
        "passes": _rounded(record["passes"]),
        "n_trained_on": record["subjects"],
        "by_max_steps": record["steps"] == record["training"]["max_steps"],
        "began_from": record["began_from"],
        "figures": figures,
        "headline": metric_table.headline(),
        **_scored(manifest, record),
        "best_step": last.get("step", 0),
        "rows": _rows(log),
        "prompt": manifest.prompt,
        **_context(manifest),
        "variants": manifest.variants,
        "fold": manifest.fold,
        "recipe": manifest.recipe,
        "recipe_hash": manifest.recipe_hash,
        **_calibration(manifest),
        **_lanes(manifest),
        "settings": _settings(record),
    }
    return templates.render(TEMPLATE, values)


def _context(manifest: ModelFolder) -> dict[str, Any]:
    """Return which neighbours a page is shown with."""
    names = ("context", "context_scale", "context_mixed")
    return {name: getattr(manifest, name) for name in names}


def _scored(manifest: ModelFolder, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return who scored the pages of training and validation."""
    validation = record["validation"]
    return {
        "soft_labels": manifest.soft_labels,
        "scored": record.get("preflight", {}),
        "n_validation": validation.get("pages", 0),
        "n_subjects": validation.get("subjects", 0),
        "second_scorer": validation.get("second_scorer"),
    }


def _calibration(manifest: ModelFolder) -> dict[str, Any]:
    """Return the calibration, and the rows of the table of figures before and after it."""
    figures = manifest.calibration.figures if manifest.calibration else {}
    keys = [*(metric.key for metric in metric_table.headline()), "nll", "ece"]
    rows = [
        [VARIANTS[name], *("–" if (v := own[key]) is None else f"{v:.3f}" for key in keys)]
        for name, own in figures.items()
    ]
    return {"calibration": manifest.calibration, "calibrated": rows}


def _lanes(manifest: ModelFolder) -> dict[str, Any]:
    """Return the patterns of absent lanes that were shown most often, and the number of all."""
    shown = sorted(manifest.lanes.shown.items(), key=lambda entry: (-entry[1], entry[0]))
    listed = [(", ".join(absent) or "none", n) for absent, n in shown[:MOST_ROWS]]
    return {"lanes": listed, "n_patterns": len(shown)}


def _head(manifest: ModelFolder, adapter: bool, home: str, figures: Mapping[Metric, float]) -> str:
    """Return the YAML header as the Hub reads it, with the metrics as its model index."""
    from huggingface_hub import EvalResult, ModelCardData

    dataset = str(manifest.dataset["id"])
    on_hub = "/" in dataset
    results = [
        EvalResult(
            task_type="image-classification",
            task_name="Sleep staging",
            dataset_type=dataset if on_hub else "psgimg",
            dataset_name=dataset,
            dataset_split="validation",
            dataset_revision=manifest.dataset["revision"],
            metric_type=metric.key,
            metric_name=metric.title,
            metric_value=round(value, 4),
        )
        for metric, value in figures.items()
    ]
    base = manifest.base_model
    data = ModelCardData(
        model_name=home.rpartition("/")[2],
        library_name="peft" if adapter else "transformers",
        pipeline_tag="image-text-to-text",
        base_model=base if "/" in base else None,
        **_licence(manifest),
        datasets=[dataset] if on_hub else None,
        tags=["sleep", "sleep-staging", "polysomnography", "psgimg", *sorted(manifest.corpora)],
        eval_results=results or None,
    )
    return str(data.to_yaml())


def _licence(manifest: ModelFolder) -> dict[str, Any]:
    """Return the licence of weights that psgimg made itself; those of a base model have that model's."""
    if manifest.base_model != TINY:
        return {}
    if restricted(manifest):
        return {"license": "other", "license_name": "restricted-see-card"}
    return {"license": "apache-2.0"}


def _evaluation_of_the_weights(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the logged evaluation of the weights that were kept; empty if there was none."""
    evaluated = [entry for entry in record["log"] if _is_evaluation(entry)]
    best = [entry for entry in evaluated if entry["step"] == record["best_step"]]
    last: Mapping[str, Any] = (best or evaluated or [{}])[-1]
    return last


def _is_evaluation(entry: Mapping[str, Any]) -> bool:
    """Return whether a log entry holds validation metrics."""
    return any(f"eval_{metric.key}" in entry for metric in metric_table.overall())


def _rows(log: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the table rows: evaluations, each with the training loss logged last before it."""
    rows: list[dict[str, Any]] = []
    loss = "–"
    columns = ["eval_loss", *(f"eval_{metric.key}" for metric in metric_table.headline())]
    for entry in log:
        loss = f"{entry['loss']:.3f}" if "loss" in entry else loss
        if _is_evaluation(entry):
            figures = [f"{entry[name]:.3f}" if name in entry else "–" for name in columns]
            rows.append({"step": entry["step"], "figures": [loss, *figures]})
    step = -(-len(rows) // MOST_ROWS)
    return rows[::-1][:: max(step, 1)][::-1]


def _settings(record: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the settings with their labels, and the actual values where these may differ."""
    given, own, kept = record["training"], record["psgimg"], record["best_step"]
    limit = given["max_steps"]  # overrides the number of training passes
    steps = _of_planned(record["steps"], limit if limit > 0 else None)
    passes = _of_planned(record["passes"], None if limit > 0 else given["num_train_epochs"])
    rank = record["model"].get("lora_r") if record["model"].get("use_peft") else None
    return [
        ("optimisation steps", steps),
        ("training passes", passes),
        *(
            [("weights kept", f"those of step {kept:,}")]
            if kept not in (None, record["steps"])
            else []
        ),
        ("pages per step", record["batch"]),
        *[(words, given[name]) for words, name in SETTINGS.items() if name in given],
        *[(words, own[name]) for words, name in SUBSETS.items() if own.get(name) is not None],
        *([("LoRA rank", rank)] if rank else []),
        ("device", record["device"]),
        ("processes", record["processes"]),
    ]


def _of_planned(made: float, planned: float | None) -> str:
    """Format a count, with the planned number if it was not reached."""
    if planned is None or made >= planned:
        return _rounded(made)
    return f"{_rounded(made)} of {_rounded(planned)} planned"


def _rounded(value: float) -> str:
    """Format an integer as it is and a fraction with three significant digits."""
    return number(int(value) if value == int(value) else float(f"{value:.3g}"))
