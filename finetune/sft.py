"""Fine-tuning: from a dataset of pages to a model that predicts their stages. The main path."""

from __future__ import annotations

import functools
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from psgimg.builder.dataset import prompts
from psgimg.builder.dataset.prompts import Prompt
from psgimg.builder.files import durable
from psgimg.builder.processes import lock
from psgimg.finetune import hub
from psgimg.finetune.data import page_set, sampling
from psgimg.finetune.data.augment import Augmented
from psgimg.finetune.data.chat import messages
from psgimg.finetune.data.page_set import PageSet
from psgimg.finetune.data.variants import Looks
from psgimg.finetune.models import compatibility, families, tiny
from psgimg.finetune.models import provenance as lineages
from psgimg.finetune.models.compatibility import is_checkpointed
from psgimg.finetune.models.loading import load_base, load_processor
from psgimg.finetune.training import (
    arguments,
    checkpoints,
    devices,
    dry_run,
    model_card,
    page_checks,
    preflight,
    publish,
    run_record,
    speed,
)
from psgimg.finetune.training import training_report as report
from psgimg.finetune.training.arguments import Arguments
from psgimg.finetune.training.psg_arguments import PsgArguments
from psgimg.finetune.training.speed import Levers
from psgimg.finetune.training.trainer import StagingTrainer
from trl import ModelConfig, SFTConfig, get_peft_config, get_quantization_config

Rows = npt.NDArray[np.int64]

PASS_STRIDE = 1_000_003
"""Difference between the seeds of consecutive training passes."""

BRIGHTNESS_PAGES = 64
"""Number of pages whose brightness normalises the input of a tiny model."""

BASE = ".tiny"
"""Subfolder of the output folder that holds the tiny model until all processes have loaded it."""


def main(argv: Sequence[str]) -> Path | None:
    """Fine-tune a model by command-line arguments and return the folder that holds it.

    With ``--dry-run``, only print what this will take, and return None.

    Raises
    ------
    BuildError
        If an argument, the dataset or the model can't be used, memory runs out, or the run is
        interrupted.
    """
    options = psg, training, model_args = arguments.parse(argv)
    out = Path(str(training.output_dir))
    hub.require(psg.dataset, "dataset", psg.dataset_revision)
    if not psg.is_tiny:
        hub.require(psg.model, "model", model_args.model_revision)
    if psg.dry_run:
        training.distributed_state.print("\n".join(dry_run.lines(options)))
        return None
    for line in (devices.use_one_card(training), devices.mixed()):
        if line:
            training.distributed_state.print(line)
    if training.process_index:
        return _train(options, out)
    refusal = f"another psgimg sft is writing {out}; wait for it or choose another --output-dir"
    with lock.held(lock.beside(out), refusal):
        return _train(options, out)


def options_help() -> str:
    """Return the help of all options: psgimg's, TRL's and those of transformers."""
    return arguments.listed()


def _train(options: Arguments, out: Path) -> Path:
    """Fine-tune a model, in one of the processes of a training, and return its folder."""
    psg, training, model_args = options
    resume = checkpoints.to_resume(out, training.resume_from_checkpoint)
    training.resume_from_checkpoint = None  # recorded with the weights, which do not depend on it

    # The prompt and the pages
    asked = prompts.load(psg.prompt)  # a wrong name is refused before the pages are read
    train, validation = _pages(psg, training)
    arguments.fit_to_run(options, len(train))
    prompt = asked.about(train.build["recipe"])
    page_checks.check_pages(train, validation, psg, training)
    lineage = lineages.of(psg.model, train)
    page_checks.check_fold(train, psg.model, lineage)
    destination = publish.destination(training, out, lineage)
    rows = _training_rows(train, psg, training, prompt)
    if training.process_index == 0:
        settings = run_record.settings(options, train, prompt)
        checkpoints.begin(out, settings, resume, run_record.defaults())

    # The model and its processor
    model, processor = _model(options, train, prompt)

    with checkpoints.one_line_errors(out, training), compatibility.without_deprecations():
        trainer = StagingTrainer(
            model=model,
            args=training,
            train_dataset=rows.dataset(),
            eval_dataset=_validation_rows(validation, psg, training, prompt),
            processing_class=processor,
            peft_config=_adapter(psg, model_args, model),
            callbacks=[rows],
            answers=prompt.answers,
        )
        facts = _prepared(trainer, options, prompt, rows)
        trainer.train(resume_from_checkpoint=resume)

        # Weights, manifest, report and card
        trainer.save_model(str(out))
        if trainer.is_world_process_zero():
            durable.sync_tree(out)  # before the manifest, which marks the folder as complete
            lanes = rows.lanes_shown(run_record.learned(training, trainer.state, train))
            run_record.folder(psg, train, prompt, lineage, lanes, rows.looks.specs).save(out)
            values = run_record.values(options, validation, facts, lineage, trainer.state)
            drawn = rows.shown(math.ceil((trainer.state.epoch or 0.0) - 1e-6))
            values |= run_record.progress(training, trainer.state, train, drawn)
            report.write(out, values, trainer.state.log_history)
            model_card.write(out, destination.repo_id if destination else None)
            publish.publish(out, destination)
        trainer.accelerator.wait_for_everyone()  # a process that exits early would block the others
        trainer.end()
    return out


def _prepared(
    trainer: StagingTrainer, options: Arguments, prompt: Prompt, rows: Augmented
) -> dict[str, Any]:
    """Check the first batch, prepare the trainer for its card, and print and return what is trained."""
    psg, training, _ = options
    facts = {**preflight.inspect(trainer, prompt.answers), **rows.scorers()}
    is_open = "checkpointing" in psg.left_open
    levers = Levers(checkpointing=None if is_open else is_checkpointed(training))
    said = [*preflight.lines(facts), rows.looks.line(), *speed.prepare(trainer, levers)]
    trainer.accelerator.print("\n".join(filter(None, said)))
    return facts


def _pages(psg: PsgArguments, training: SFTConfig) -> tuple[PageSet, PageSet | None]:
    """Load the training pages, and the validation pages unless evaluation is off."""
    train = page_checks.training_pages(psg, training)
    if not page_checks.is_validated(training):
        return train, None
    revision, seed = psg.dataset_revision, training.seed
    validation = page_set.load(
        psg.dataset, psg.corpus, "validation", revision, fold=psg.fold, seed=seed, beside=train
    )
    return train, validation


def _rows_of_pass(train: PageSet, how: str, seed: int, number: int) -> Rows:
    """Return the rows of a training pass.

    With balancing, each pass is a new draw, so that all pages are shown in time; without, all
    passes have the same rows, which the trainer shuffles.
    """
    own = seed if how == "natural" else seed + PASS_STRIDE * number
    return train.rows[sampling.order(train.labels, how, own)]


def _training_rows(
    train: PageSet, psg: PsgArguments, training: SFTConfig, prompt: Prompt
) -> Augmented:
    """Return the chat rows that are learned from, pass by pass."""
    seed, mixed = training.seed, psg.context_mixed
    draw = functools.partial(_rows_of_pass, train, psg.sampling, seed)
    looks = Looks.of(train, varied=psg.variants)
    soft = page_checks.soft_labels(train, psg)
    return Augmented(looks, draw, prompt, psg.shown, psg.augment, seed, soft, mixed=mixed)


def _validation_rows(
    validation: PageSet | None, psg: PsgArguments, training: SFTConfig, prompt: Prompt
) -> Any:
    """Return the chat rows scored at each evaluation; None without validation."""
    if validation is None:
        return None
    rows = sampling.subsample(validation.rows, psg.validation_pages, training.seed)
    return validation.chat(rows, prompt, psg.shown)


def _model(options: Arguments, train: PageSet, prompt: Prompt) -> tuple[Any, Any]:
    """Load the base model and its processor, with the cap on pixels."""
    psg, training, model_args = options
    if psg.is_tiny:
        return _tiny(psg, training, train, prompt)
    quantization = get_quantization_config(model_args)
    source = _resolved(psg.model)
    model = load_base(
        source,
        revision=model_args.model_revision,
        dtype=model_args.dtype,
        trust_remote_code=training.trust_remote_code,
        attention=model_args.attn_implementation,
        quantization=quantization,
        device_map={"": training.local_process_index} if quantization else None,
    )
    processor = load_processor(
        source,
        revision=model_args.model_revision,
        trust_remote_code=training.trust_remote_code,
        template_elsewhere=training.chat_template_path is not None,
    )
    if psg.max_pixels is not None:
        page_px = train.build["recipe"]["style"]["width_px"]
        families.cap_pixels(processor, psg.shown.n_pixels(psg.max_pixels, page_px))
    return model, processor


def _tiny(
    psg: PsgArguments, training: SFTConfig, train: PageSet, prompt: Prompt
) -> tuple[Any, Any]:
    """Create a tiny model for the pages of the dataset, identical in every process."""
    style = train.build["recipe"]["style"]
    shown, page_px = range(psg.context + 1), (style["width_px"], style["height_px"])
    texts = [
        message["content"]
        for before in shown
        for after in shown
        for message in messages(prompt, before, after, psg.shown)
    ]
    folder = Path(str(training.output_dir)) / BASE
    with training.main_process_first(local=False):
        if training.process_index == 0:
            shutil.rmtree(folder, ignore_errors=True)  # left by a killed run
            tiny.build(
                folder,
                page_px,
                [*texts, *prompt.answers.values()],
                width_px=psg.shown.width_px(page_px[0]),
                seed=training.seed,
                brightness=_brightness(train),
            )
    model = load_base(str(folder), dtype="float32")
    processor = load_processor(str(folder))
    training.distributed_state.wait_for_everyone()
    if training.process_index == 0:
        shutil.rmtree(folder)
    model.config.name_or_path = ""  # the folder no longer exists
    return model, processor


def _brightness(train: PageSet) -> tuple[float, float]:
    """Return mean and standard deviation of the brightness of some pages, 0 to 1."""
    sample = train.rows[np.linspace(0, len(train) - 1, BRIGHTNESS_PAGES).astype(int)]
    values = np.stack([np.asarray(image.convert("L")) for image in train.images(sample.tolist())])
    return round(float(values.mean()) / 255, 2), round(float(values.std()) / 255, 2)


def _adapter(psg: PsgArguments, model_args: ModelConfig, model: Any) -> Any:
    """Return the LoRA configuration, or None if all weights are trained; freezes the vision tower."""
    if not model_args.use_peft:
        if psg.freeze_vision:
            families.freeze_vision(model)
        return None
    chosen = model_args.lora_target_modules
    if chosen is None:
        model_args.lora_target_modules = families.lora_targets(model, vision=not psg.freeze_vision)
    whole = model_args.lora_modules_to_save or []
    if families.PROJECTOR in whole:
        others = [name for name in whole if name != families.PROJECTOR]
        model_args.lora_modules_to_save = [*others, *families.projectors(model)]
    config = get_peft_config(model_args)
    config.revision = model_args.model_revision
    if chosen is not None and psg.freeze_vision:
        config.exclude_modules = families.vision_layers(model)
    return config


def _resolved(source: str) -> str:
    """Return the absolute path of a folder, which an adapter records, and a Hub id as it is."""
    folder = hub.folder(source)
    return source if folder is None else str(folder.resolve())
