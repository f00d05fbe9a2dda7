"""Record: what a training tells of itself, for its folder, its card, and to go on later."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from psgimg.builder.dataset.prompts import Prompt
from psgimg.builder.render.recipe import digest
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.data.page_set import PageSet
from psgimg.finetune.models import manifest as folders
from psgimg.finetune.models import provenance
from psgimg.finetune.models.manifest import ModelFolder
from psgimg.finetune.models.provenance import Lineage
from psgimg.finetune.training import trainer as held_out
from psgimg.finetune.training.arguments import Arguments
from psgimg.finetune.training.psg_arguments import PsgArguments
from transformers import TrainerState
from trl import SFTConfig


def settings(asked: Arguments, train: PageSet, prompt: Prompt) -> dict[str, Any]:
    """What must stay as it is for a training to go on."""
    psg, training, model_args = asked
    own = dataclasses.asdict(psg)
    moves = ("dataset", "dataset_revision", "model", "prompt", "validation_pages")
    shards = [shard["sha256"] for shard in train.build["shards"] if shard["split"] == "train"]
    batch = training.per_device_train_batch_size * training.gradient_accumulation_steps
    return {
        **{name: value for name, value in own.items() if name not in moves},
        "dataset": digest(shards),
        "model": name(psg.model),
        "prompt": f"{name(psg.prompt)} {digest(dataclasses.asdict(prompt))}",
        "seed": training.seed,
        "batch": batch * training.world_size,
        "learning_rate": training.learning_rate,
        "use_peft": model_args.use_peft,
        "lora_r": model_args.lora_r if model_args.use_peft else None,
    }


def folder(psg: PsgArguments, train: PageSet, prompt: Prompt, lineage: Lineage) -> ModelFolder:
    """What the model carries along, as ``psgimg.json`` will say."""
    source, build = train.source, train.build
    return ModelFolder(
        prompt=prompt,
        prompt_name=name(psg.prompt),
        context=psg.context,
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
    )


def values(
    asked: Arguments,
    validation: PageSet | None,
    facts: Mapping[str, Any],
    lineage: Lineage,
    state: TrainerState,
) -> dict[str, Any]:
    """What ``training.json`` says beside the log: settings, versions, what the figures are of.

    Parameters
    ----------
    facts
        What ``preflight`` saw.
    """
    psg, training, model_args = asked
    return {
        "versions": folders.versions(),
        "device": str(training.device),
        "processes": training.world_size,
        "began_from": lineage.began_from,
        "best_step": _best(training, state),
        "validation": {} if validation is None else _watched(validation, psg, training),
        "preflight": dict(facts),
        "psgimg": dataclasses.asdict(psg),
        "model": dataclasses.asdict(model_args),
        "training": training.to_dict(),
    }


def progress(
    training: SFTConfig, state: TrainerState, train: PageSet, drawn: npt.NDArray[np.int64]
) -> dict[str, Any]:
    """How far the training went, whatever ended it; all of it, if it was resumed.

    Parameters
    ----------
    drawn
        Rows of the training passes, each once; all of a pass that was begun.

    Returns
    -------
    ``steps`` (optimisation steps made), ``batch`` (pages of a step, over all processes),
    ``pages_shown`` (a page counts each time it is shown), ``passes`` (training passes made, a
    fraction of the last one included), ``subjects`` (number) and ``counts`` (pages by stage) that
    the passes drew from.
    """
    at_once = state.train_batch_size * training.world_size
    batch = at_once * training.gradient_accumulation_steps
    dropped = len(train) % at_once if training.dataloader_drop_last else 0
    a_pass = max(len(train) - dropped, 1)
    whole, rest = divmod(
        state.global_step, math.ceil(a_pass / batch)
    )  # a pass's last step is short
    n_shown = whole * a_pass + rest * batch
    counts = np.bincount(train.index.label[drawn], minlength=len(STAGE_NAMES)).tolist()
    return {
        "steps": state.global_step,
        "batch": batch,
        "pages_shown": n_shown,
        "passes": n_shown / a_pass,
        "subjects": len(provenance.subjects(dataclasses.replace(train, rows=drawn))),
        "counts": dict(zip(STAGE_NAMES, counts, strict=True)),
    }


def _best(training: SFTConfig, state: TrainerState) -> int | None:
    """The step whose weights were kept, if not the last one's."""
    kept = training.load_best_model_at_end and state.best_model_checkpoint
    return state.best_global_step if kept else None


def _watched(validation: PageSet, psg: PsgArguments, training: SFTConfig) -> dict[str, int]:
    """How many pages of how many subjects the figures during training are of."""
    rows = held_out.some(validation.rows, psg.validation_pages, training.seed)
    people = {(page.corpus, page.subject) for page in map(validation.page, rows.tolist())}
    return {"pages": len(rows), "subjects": len(people)}


def name(source: str) -> str:
    """What it is called; of a folder or file the last part, for the rest is this machine's."""
    path = Path(source).expanduser()
    return path.resolve().name if path.exists() else source
