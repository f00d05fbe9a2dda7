"""Page checks: whether a dataset has the pages that a training needs, before a model is loaded."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.data import page_set, sampling, source
from psgimg.finetune.data.page_set import PageSet
from psgimg.finetune.data.soft_labels import SoftLabels
from psgimg.finetune.metrics import metric_table, metrics
from psgimg.finetune.models import provenance
from psgimg.finetune.models.provenance import Lineage
from psgimg.finetune.training.psg_arguments import PsgArguments
from trl import SFTConfig


def is_validated(training: SFTConfig) -> bool:
    """Whether the model is evaluated on validation pages during training."""
    return str(training.eval_strategy.value) != "no"


def check_splits(psg: PsgArguments, training: SFTConfig) -> None:
    """Reject a dataset without a split that the training needs; its ``build.json`` is read alone.

    Raises
    ------
    BuildError
        If there is no such dataset or corpus, or it has no pages for training, or none for
        validation although the model is to be evaluated.
    """
    splits = source.splits(psg.dataset, psg.corpus, psg.dataset_revision, psg.fold)
    pages = f"{psg.dataset}" + (f", corpus {psg.corpus}," if psg.corpus else "")
    if "train" not in splits:
        raise BuildError(
            f"{pages} has no training pages, only {' and '.join(splits)}; use another dataset, or "
            "build it with more subjects"
        )
    if is_validated(training) and "validation" not in splits:
        raise BuildError(
            f"{pages} has no validation pages; use --eval-strategy no (TRL's eval_strategy no) to "
            "train without validation, or build the dataset with more subjects"
        )


def training_pages(psg: PsgArguments, training: SFTConfig) -> PageSet:
    """Return the pages that a training learns from.

    Raises
    ------
    BuildError
        As ``check_splits``.
    """
    check_splits(psg, training)
    return page_set.load(
        psg.dataset,
        psg.corpus,
        "train",
        psg.dataset_revision,
        fold=psg.fold,
        n_subjects=psg.train_subjects,
        max_per_recording=psg.max_epochs_per_recording,
        seed=training.seed,
    )


def soft_labels(train: PageSet, psg: PsgArguments) -> SoftLabels | None:
    """Return the scorers of the pages, if all of them are to be learned from.

    Raises
    ------
    BuildError
        If no training page has more than one.
    """
    if not psg.soft_labels:
        return None
    soft = SoftLabels.of(train.index, train.votes)
    soft.require(train.rows, psg.dataset)
    return soft


def check_fold(train: PageSet, model: str, lineage: Lineage) -> None:
    """Refuse a base model that has learned from the people whom the fold holds out.

    Raises
    ------
    BuildError
        If it has.
    """
    if (fold := train.source.fold) is None:
        return
    tested = {provenance.subject(*who) for who, k in fold.placed.items() if k == fold.number}
    if seen := tested & set(lineage.subjects):
        raise BuildError(
            f"--fold {fold.number}: {model} has already learned from {len(seen)} of the {len(tested)} people "
            "of this fold; start from another model"
        )


def check_pages(
    train: PageSet, validation: PageSet | None, psg: PsgArguments, training: SFTConfig
) -> None:
    """Reject pages that are too few for a training, or for choosing the best model.

    Raises
    ------
    BuildError
        If no training step or no evaluation would be made, or the metric that chooses the best
        model is undefined on the validation pages.
    """
    _check_steps(len(train), training)
    if validation is not None:
        rows = sampling.subsample(validation.rows, psg.validation_pages, training.seed)
        _check_best(validation.index.label[rows], training)


def _check_steps(n_pages: int, training: SFTConfig) -> None:
    """Reject batches larger than the split where rests are dropped, and a best model of none."""
    batch = training.train_batch_size * training.world_size
    n_batches = n_pages / batch
    if training.dataloader_drop_last and n_batches < 1:
        raise BuildError(
            f"--dataloader-drop-last drops all {n_pages} training pages, fewer than a batch of "
            f"{batch}; leave it out, or reduce --per-device-train-batch-size"
        )
    n_batches = math.floor(n_batches) if training.dataloader_drop_last else math.ceil(n_batches)
    per_pass = math.ceil(n_batches / training.gradient_accumulation_steps)
    n_steps = training.max_steps
    if n_steps <= 0:
        n_steps = math.ceil(training.num_train_epochs * per_pass)
    by_steps = training.load_best_model_at_end and training.eval_strategy.value == "steps"
    if by_steps and training.eval_steps > n_steps:
        raise BuildError(
            f"--eval-steps {training.eval_steps:g}: training has {n_steps} steps and would never "
            "evaluate the model, so there is no best one; use a smaller number, or leave out "
            "--load-best-model-at-end"
        )


def _check_best(labels: npt.NDArray[np.int8], training: SFTConfig) -> None:
    """Reject a metric that can be undefined on pages of these stages, which would end the training."""
    key = (training.metric_for_best_model or "loss").removeprefix("eval_")
    metric = next((metric for metric in metric_table.METRICS if metric.key == key), None)
    # Where a metric is undefined for some predictions, it is so for perfect ones.
    if metric and math.isnan(metric.of(metrics.confusion(labels, labels))):
        present = [STAGE_NAMES[stage] for stage in np.unique(labels)]
        raise BuildError(
            f"--metric-for-best-model {key} is undefined on the {len(labels)} validation pages, all "
            f"{' or '.join(present)}; use loss or accuracy, or a dataset with more stages"
        )
