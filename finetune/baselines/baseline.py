"""Baseline: predictions of signal-based methods for the same epochs, one file each. The main path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psgimg.builder.access.fetch_config import FetchConfig
from psgimg.builder.errors import BuildError
from psgimg.builder.placing.parts import Part
from psgimg.builder.progress import Progress
from psgimg.builder.render.recipe import digest
from psgimg.finetune import hub
from psgimg.finetune.baselines import methods, nights, staging
from psgimg.finetune.baselines.methods import Method
from psgimg.finetune.baselines.nights import Nights, Task
from psgimg.finetune.data import sampling, soft_labels, source, votes
from psgimg.finetune.data.source import Source
from psgimg.finetune.data.votes import Votes
from psgimg.finetune.inference import partial_file
from psgimg.finetune.metrics.predictions import Predictions


@dataclass(frozen=True)
class BaselineConfig:
    """Options of `psgimg baseline`.

    Parameters
    ----------
    dataset
        Folder or Hub id of the dataset whose train split is used for training.
    root
        Folders of the corpora: ``DIR`` for a single corpus, ``NAME=DIR`` for several.
    method
        Names of methods; empty for all whose libraries are installed.
    split
        Split to stage.
    fold
        Fold of a cross-validation of ``dataset``, of which train, validation and ``split`` are parts.
    on
        Dataset whose split is staged, if other than ``dataset``.
    corpus
        Corpus of the dataset; None for all.
    out
        Output folder.
    seed
        Seed of the training.
    workers
        Number of recordings read in parallel.
    source
        YAML files that describe corpora of the dataset.
    train_subjects
        Number of subjects to train on, those that `psgimg sft` chooses with the same seed; None
        means all.
    fetch
        How recordings that are not on disk are fetched; None if all are.
    weights
        Folder or Hub id of pretrained weights, for the method that needs them; None if it is left out.
    soft_labels
        Whether to learn from all scorers of a page in place of its label.
    train, part, join
        Train the methods and stage nothing; stage a share of the recordings; join the shares.
    """

    dataset: str
    root: tuple[str, ...] = ()
    method: tuple[str, ...] = ()
    split: str = "test"
    fold: int | None = None
    on: str | None = None
    corpus: str | None = None
    out: Path = Path("psg-baselines")
    seed: int = 0
    workers: int = 1
    source: tuple[str, ...] = ()
    train_subjects: int | None = None
    fetch: FetchConfig | None = None
    weights: str | None = None
    soft_labels: bool = False
    train: bool = False
    part: Part | None = None
    join: bool = False

    def __post_init__(self) -> None:
        sampling.check_seed(self.seed)
        if self.train_subjects is not None and self.train_subjects < 1:
            raise BuildError(f"--train-subjects {self.train_subjects}: give 1 or more")
        if [self.train, self.part is not None, self.join].count(True) > 1:
            raise BuildError(
                "--train, --part and --join: use one at a time, --train once, then --part of each part, "
                "then --join"
            )


def baseline(config: BaselineConfig, progress: Progress) -> dict[str, Predictions | None]:
    """Stage a split by every method, writing one file each; finished files are not recomputed.

    Returns
    -------
    Predictions by method, None if they are not complete; the file is
    ``config.out / f"{method}.parquet"``.

    Raises
    ------
    BuildError
        If the command can't continue. Files of finished methods are kept, and finished nights of others.
    """
    for dataset in (config.dataset, config.on or config.dataset):
        hub.require(dataset, "dataset")
    available, notes = methods.available(config.method, config.weights)
    training = nights.training_sources(config.dataset, config.corpus, config.fold)
    own = config.fold if config.on is None else None
    target = source.find(config.on or config.dataset, config.corpus, config.split, fold=own)
    _refuse_other_lanes(training[0], target)
    with nights.found(training, target, config.root, config.source, config.fetch, progress) as (
        everyone,
        stocks,
    ):
        if config.on is not None:
            _refuse_overlap(everyone, config)
        splits = everyone.fewer(config.train_subjects, config.seed)
        chosen, excluded = methods.applicable(available, splits.target, config.method)
        for note in (*notes, *excluded):
            progress.note(note)
        told = _scorers(config, training[0], splits)
        task = Task(splits, config.seed, config.workers, progress, config.fetch, stocks, told)
        return {
            name: _one(name, method, config, training, target, task)
            for name, method in chosen.items()
        }


def _scorers(config: BaselineConfig, training: Source, splits: Nights) -> Votes | None:
    """Return the votes of the training split if all scorers are to be learned from, else None."""
    if not config.soft_labels:
        return None
    found = votes.read(training)
    if not any(night.scorers(found).several.any() for night in splits.train):
        raise BuildError(soft_labels.one_scorer(training.name))
    return found


def _one(
    name: str,
    method: Method,
    config: BaselineConfig,
    training: Sequence[Source],
    target: Source,
    task: Task,
) -> Predictions | None:
    """Do what is asked of one method; return its predictions if they are complete."""
    path = config.out / f"{name}.parquet"
    shared = config.part is not None or config.train
    settings = _settings(name, method, config, training, target)
    with partial_file.hold(path, settings, shared=shared) as held:
        if (earlier := held.finished()) is not None:
            task.progress.note(f"{path} is finished; nothing is recomputed")
            return earlier
        if config.part:
            held.share(config.part)
        elif not config.join:
            staging.train(held, method, task)
        if not (config.join or config.train):
            staging.stage(held, method, task, target, config.part)
        return None if shared else staging.join(held, method, task, target)


def _settings(
    name: str, method: Method, config: BaselineConfig, training: Sequence[Source], target: Source
) -> dict[str, Any]:
    """Return everything that determines the predictions, as JSON values."""
    return {
        "model": name,
        "learns_from": [_source(split) for split in training] if method.trains else None,
        **_source(target),
        "recipe_hash": target.build["recipe_hash"],
        "seed": config.seed if method.trains else None,
        "train_subjects": config.train_subjects if method.trains else None,
        **({"soft_labels": True} if method.trains and config.soft_labels else {}),
        **({"weights": method.weights} if method.weights else {}),
    }


def _source(split: Source) -> dict[str, Any]:
    return {
        "dataset": split.name,
        "config": split.config,
        "split": split.split,
        "fold": split.fold.values() if split.fold else None,
        "revision": split.revision,
        "shards": digest(split.hashes),
    }


def _refuse_other_lanes(training: Source, target: Source) -> None:
    """Refuse to stage a dataset whose montage or filters differ from those of the training data."""
    first, second = (split.build["recipe"] for split in (training, target))
    for part in ("montage", "filters"):
        if first[part] != second[part]:
            raise BuildError(
                f"{part} of {target.name} differs from that of {training.name}, the training data; "
                "build both with the same options"
            )


def _refuse_overlap(splits: Nights, config: BaselineConfig) -> None:
    """Refuse to stage another dataset that shares subjects with the training data."""
    seen = {(n.key.corpus, n.key.subject) for n in (*splits.train, *splits.validation)}
    shared = sorted(seen & {(n.key.corpus, n.key.subject) for n in splits.target})
    if shared:
        raise BuildError(
            f"{len(shared)} subjects of {config.on}, split {config.split}, are in the training data, "
            f"such as {shared[0][1]} of {shared[0][0]}; build both with the same --splits and --seed"
        )
