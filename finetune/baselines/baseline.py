"""Baseline: predictions of signal-based methods for the same epochs, one file each. The main path."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from psgimg.builder.access.fetch_config import FetchConfig
from psgimg.builder.errors import BuildError
from psgimg.builder.progress import Progress
from psgimg.builder.render.recipe import digest
from psgimg.builder.signals import corruption_spec
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune import hub
from psgimg.finetune.baselines import methods, nights
from psgimg.finetune.baselines.methods import Method
from psgimg.finetune.baselines.nights import Night, Nights, Outcome, Task
from psgimg.finetune.data import source, votes
from psgimg.finetune.data.page_index import NO_STAGE
from psgimg.finetune.data.source import Source
from psgimg.finetune.data.votes import Votes
from psgimg.finetune.inference import partial_file
from psgimg.finetune.inference.partial_file import Parts
from psgimg.finetune.metrics.predictions import Answer, Predictions


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

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise BuildError(f"--seed {self.seed}: give 0 or more")
        if self.train_subjects is not None and self.train_subjects < 1:
            raise BuildError(f"--train-subjects {self.train_subjects}: give 1 or more")


def baseline(config: BaselineConfig, progress: Progress) -> dict[str, Predictions]:
    """Stage a split by every method, writing one file each; finished files are not recomputed.

    Returns
    -------
    Predictions by method; the file is ``config.out / f"{method}.parquet"``.

    Raises
    ------
    BuildError
        If the command can't continue. Files of finished methods are kept.
    """
    for dataset in (config.dataset, config.on or config.dataset):
        hub.require(dataset, "dataset")
    available, notes = methods.available(config.method)
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
        task = Task(splits, config.seed, config.workers, progress, config.fetch, stocks)
        return _staged(chosen, config, training, target, task)


def _staged(
    chosen: Mapping[str, Method],
    config: BaselineConfig,
    training: Sequence[Source],
    target: Source,
    task: Task,
) -> dict[str, Predictions]:
    """Return the predictions of each method, of finished files where there are some."""
    results = {}
    for name, method in chosen.items():
        path = config.out / f"{name}.parquet"
        with partial_file.hold(path, _settings(name, method, config, training, target)) as held:
            earlier = held.finished()
            if earlier is not None:
                task.progress.note(f"{path} is finished; nothing is recomputed")
            results[name] = earlier or _stage(held, method, task, target)
    return results


def _stage(held: Parts, method: Method, task: Task, target: Source) -> Predictions:
    """Stage the nights by a method, and write its predictions."""
    outcome = method.stage(task)
    number = target.fold.number if target.fold else None
    counted = votes.read(target)
    held.write(0, Predictions.from_rows(_rows(task.nights, outcome, number, counted)))
    predictions = held.join(1)
    n = len(predictions)
    held.seal(
        {
            "psgimg": version("psgimg"),
            "versions": {"python": platform.python_version(), **method.versions()},
            "policy": target.build["policy"],
            "corruption": target.build.get(corruption_spec.KEY),
            "counts": {"pages": n, "no_valid_answer": 0, "with_probabilities": n},
            "learned_from": _counts(task.nights.train) if method.trains else None,
            "watched": _counts(task.nights.validation) if method.validates else None,
            **method.disclosure(night.key.corpus for night in task.nights.target),
            **outcome.facts,
        }
    )
    return predictions


def _rows(
    splits: Nights, outcome: Outcome, fold: int | None, counted: Votes
) -> Iterator[dict[str, Any]]:
    """Yield rows of predictions in order of corpus, recording and epoch."""
    for night in splits.target:
        if night.key not in outcome.staged:
            continue
        probabilities = outcome.staged[night.key]
        columns = (night.epochs, night.labels, night.labels_2, probabilities)
        for epoch, label, label_2, values in zip(*columns, strict=True):
            answer = Answer(STAGE_NAMES[values.argmax()], None, tuple(values.tolist()))
            yield {
                **night.key._asdict(),
                "epoch": int(epoch),
                "label": STAGE_NAMES[label],
                "label_2": None if label_2 == NO_STAGE else STAGE_NAMES[label_2],
                "fold": fold,
                **answer.columns(),
                "epoch_s": night.epoch_s,
                "votes": counted.get((night.key.corpus, night.key.recording, int(epoch))),
            }


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


def _counts(chosen: Sequence[Night]) -> dict[str, int]:
    return {
        "pages": sum(len(night.epochs) for night in chosen),
        "recordings": len(chosen),
        "subjects": len({(night.key.corpus, night.key.subject) for night in chosen}),
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
