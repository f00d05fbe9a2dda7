"""Run record: what is saved about a training, for its folder, its card and for resuming."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from psgimg.builder.dataset.prompts import Prompt
from psgimg.builder.files import secrets
from psgimg.builder.files.safe_names import expanded
from psgimg.builder.render.recipe import digest
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.data import sampling
from psgimg.finetune.data.page_index import NO_STAGE
from psgimg.finetune.data.page_set import PageSet
from psgimg.finetune.decoding import transitions
from psgimg.finetune.lanes.seen import LanesSeen
from psgimg.finetune.metrics import metric_table, metrics
from psgimg.finetune.models import manifest as folders
from psgimg.finetune.models import provenance
from psgimg.finetune.models.manifest import ModelFolder
from psgimg.finetune.models.provenance import Lineage
from psgimg.finetune.training.arguments import Arguments
from psgimg.finetune.training.psg_arguments import PsgArguments
from transformers import TrainerState
from trl import SFTConfig


def settings(options: Arguments, train: PageSet, prompt: Prompt) -> dict[str, Any]:
    """Return the settings that must stay the same for a training to be resumed."""
    psg, training, model_args = options
    own = dataclasses.asdict(psg)
    excluded = (
        "dataset",
        "dataset_revision",
        "model",
        "prompt",
        "validation_pages",
        "left_open",
        "dry_run",
    )
    batch = training.per_device_train_batch_size * training.gradient_accumulation_steps
    return {
        **{name: value for name, value in own.items() if name not in excluded},
        "dataset": digest(train.source.hashes),
        "model": name(psg.model),
        "prompt": f"{name(psg.prompt)} {digest(dataclasses.asdict(prompt))}",
        "seed": training.seed,
        "batch": batch * training.world_size,
        "learning_rate": training.learning_rate,
        "use_peft": model_args.use_peft,
        "lora_r": model_args.lora_r if model_args.use_peft else None,
        "lora_modules_to_save": model_args.lora_modules_to_save,
    }


def defaults() -> dict[str, Any]:
    """Return the settings of a training by a version that did not have their options yet."""
    computed = {"dataset", "model", "prompt"}
    own = {
        field.name: field.default
        for field in dataclasses.fields(PsgArguments)
        if field.name not in computed and field.default is not dataclasses.MISSING
    }
    return {**own, "lora_modules_to_save": None}


def folder(
    psg: PsgArguments,
    train: PageSet,
    prompt: Prompt,
    lineage: Lineage,
    lanes: LanesSeen,
    variants: tuple[str, ...],
) -> ModelFolder:
    """Return the manifest of the trained model, to be saved as ``psgimg.json``.

    Parameters
    ----------
    lanes
        The lanes of the pages shown in this training.
    variants
        The variants among which it drew.
    """
    source, build = train.source, train.build
    return ModelFolder(
        prompt=prompt,
        prompt_name=name(psg.prompt),
        context=psg.context,
        context_scale=psg.context_scale,
        context_mixed=psg.context_mixed,
        recipe=build["recipe"],
        recipe_hash=build["recipe_hash"],
        policy=lineage.policy,
        corpora=lineage.corpora,
        subjects=lineage.subjects,
        dataset={
            "id": name(psg.dataset),
            "config": source.config,
            "revision": source.revision,
        },
        base_model=name(psg.model),
        max_pixels=psg.max_pixels,
        fold=source.fold.values() if source.fold else None,
        lanes=lineage.lanes + lanes,
        epochs_s=lineage.epochs_s,
        transitions=transitions.of(train),
        variants=variants,
        soft_labels=psg.soft_labels,
    )


def learned(training: SFTConfig, state: TrainerState, train: PageSet) -> float:
    """Return the passes over all training pages that make up those shown up to the weights kept."""
    n_shown, _ = _shown(training, state, train)
    passes, best = n_shown / len(train), _best(training, state)
    return passes if best is None else passes * best / max(state.global_step, 1)


def values(
    options: Arguments,
    validation: PageSet | None,
    facts: Mapping[str, Any],
    lineage: Lineage,
    state: TrainerState,
) -> dict[str, Any]:
    """Return the contents of ``training.json`` other than the log: settings, versions and counts.

    Parameters
    ----------
    facts
        Result of :func:`psgimg.finetune.training.preflight.inspect`.
    """
    psg, training, model_args = options
    recorded = {
        "versions": folders.versions(),
        "device": str(training.device),
        "processes": training.world_size,
        "began_from": lineage.began_from,
        "best_step": _best(training, state),
        "validation": {} if validation is None else _validation_counts(validation, psg, training),
        "preflight": dict(facts),
        "psgimg": dataclasses.asdict(psg),
        "model": dataclasses.asdict(model_args),
        "training": training.to_dict(),
    }
    return secrets.mask_json(recorded)


def progress(
    training: SFTConfig, state: TrainerState, train: PageSet, drawn: npt.NDArray[np.int64]
) -> dict[str, Any]:
    """Return how far the training went, whatever ended it, with the steps before a resumption.

    Parameters
    ----------
    drawn
        Rows of all training passes begun, each once.

    Returns
    -------
    dict
        ``steps`` (optimisation steps made), ``batch`` (pages per step, over all processes),
        ``pages_shown`` (a page counts each time it is shown), ``passes`` (training passes made,
        including a fraction of the last one), ``subjects`` (number) and ``counts`` (pages by
        stage) from which the passes were drawn; ``splits`` of the dataset that have pages.
    """
    n_shown, pass_length = _shown(training, state, train)
    counts = np.bincount(train.index.label[drawn], minlength=len(STAGE_NAMES)).tolist()
    return {
        "steps": state.global_step,
        "batch": _batch(training, state),
        "pages_shown": n_shown,
        "passes": n_shown / pass_length,
        "subjects": len(provenance.subjects(dataclasses.replace(train, rows=drawn))),
        "counts": dict(zip(STAGE_NAMES, counts, strict=True)),
        "splits": train.source.splits,
    }


def _batch(training: SFTConfig, state: TrainerState) -> int:
    """Return the pages of a step, over all processes."""
    return int(state.train_batch_size * training.world_size * training.gradient_accumulation_steps)


def _shown(training: SFTConfig, state: TrainerState, train: PageSet) -> tuple[int, int]:
    """Return the pages shown in all steps, and those of a whole training pass."""
    batch = _batch(training, state)
    micro_batch = batch // training.gradient_accumulation_steps
    dropped = len(train) % micro_batch if training.dataloader_drop_last else 0
    pass_length = max(len(train) - dropped, 1)
    steps_per_pass = math.ceil(pass_length / batch)  # the last step of a pass may be short
    whole, rest = divmod(state.global_step, steps_per_pass)
    return whole * pass_length + rest * batch, pass_length


def _best(training: SFTConfig, state: TrainerState) -> int | None:
    """Return the step of the best weights if these were kept, else None."""
    kept = training.load_best_model_at_end and state.best_model_checkpoint
    return state.best_global_step if kept else None


def _validation_counts(
    validation: PageSet, psg: PsgArguments, training: SFTConfig
) -> dict[str, Any]:
    """Return the numbers of pages and subjects behind the validation metrics, and the human line.

    Returns
    -------
    ``pages``, ``subjects``, and if a second person scored some of these pages, ``second_scorer``: their
    number (``pages``) and the metrics of that scorer on them (``figures``).
    """
    rows = sampling.subsample(validation.rows, psg.validation_pages, training.seed)
    subjects = {(page.corpus, page.subject) for page in map(validation.page, rows.tolist())}
    counts: dict[str, Any] = {"pages": len(rows), "subjects": len(subjects)}
    first, second = validation.index.label[rows], validation.index.label_2[rows]
    both = second != NO_STAGE
    if both.any():
        summary = metric_table.summary(metrics.confusion(first[both], second[both]))
        figures = {key: value for key, value in summary.items() if not math.isnan(value)}
        counts["second_scorer"] = {"pages": int(both.sum()), "figures": figures}
    return counts


def name(source: str) -> str:
    """Return a Hub id as it is, and of a local path the last part, without the local folders."""
    path = expanded(source)
    return path.resolve().name if path.exists() else source
