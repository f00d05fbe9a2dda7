"""Baseline: methods without pictures stage the same epochs, each into one file. The main path."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from psgimg.builder.errors import BuildError
from psgimg.builder.progress import Progress
from psgimg.builder.render.recipe import digest
from psgimg.builder.signals import corruption_spec
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.baselines import methods, nights
from psgimg.finetune.baselines.methods import Method
from psgimg.finetune.baselines.nights import Night, Nights, Outcome, Task
from psgimg.finetune.data import source
from psgimg.finetune.data.page_index import NO_STAGE
from psgimg.finetune.data.source import Source
from psgimg.finetune.inference import partial_file
from psgimg.finetune.inference.partial_file import Parts
from psgimg.finetune.metrics.predictions import Answer, Predictions


@dataclass(frozen=True)
class BaselineConfig:
    """One field an option of ``psgimg baseline``; the options' help says what each means.

    Parameters
    ----------
    root
        ``DIR`` for a single corpus, ``NAME=DIR`` for several.
    method
        Names of methods; empty for all that can.
    on
        Dataset whose split is staged, if it is not the one that is learned from.
    source
        YAML files that describe corpora of the dataset.
    """

    dataset: str
    root: tuple[str, ...] = ()
    method: tuple[str, ...] = ()
    split: str = "test"
    on: str | None = None
    corpus: str | None = None
    out: Path = Path("psg-baselines")
    seed: int = 0
    workers: int = 1
    source: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise BuildError(f"--seed {self.seed}: give 0 or more")


def baseline(config: BaselineConfig, progress: Progress) -> dict[str, Predictions]:
    """Stage a split by every method, each into a file; what is finished is not done again.

    Returns
    -------
    Predictions by method; the file is ``config.out / f"{method}.parquet"``.

    Raises
    ------
    BuildError
        If the command can't go on. Methods that are finished stay.
    """
    able, notes = methods.able(config.method)
    learn = nights.to_learn(config.dataset, config.corpus)
    asked = source.find(config.on or config.dataset, config.corpus, config.split)
    _refuse_other_lanes(learn[0], asked)
    here = nights.find(learn, asked, config.root, config.source)
    if config.on is not None:
        _refuse_known(here, config)
    chosen, unfit = methods.fit(able, here.asked, config.method)
    for note in (*notes, *unfit):
        progress.note(note)
    task = Task(here, config.seed, config.workers, progress)
    found = {}
    for name, method in chosen.items():
        path = config.out / f"{name}.parquet"
        with partial_file.hold(path, _settings(name, method, config, learn, asked)) as held:
            earlier = held.finished()
            if earlier is not None:
                progress.note(f"{path} is finished; nothing is computed again")
            found[name] = earlier or _stage(held, method, task, asked)
    return found


def _stage(held: Parts, method: Method, task: Task, asked: Source) -> Predictions:
    """Let a method stage the nights, and write what it said."""
    outcome = method.stage(task)
    held.write(0, Predictions.from_rows(_rows(task.nights, outcome)))
    found = held.join(1)
    held.seal(
        {
            "psgimg": version("psgimg"),
            "versions": {"python": platform.python_version(), **method.versions()},
            "policy": asked.build["policy"],
            "corruption": asked.build.get(corruption_spec.KEY),
            "counts": {"pages": len(found), "no_valid_answer": 0, "with_probabilities": len(found)},
            "learned_from": _counts(task.nights.train) if method.learns else None,
            "watched": _counts(task.nights.validation) if method.watches else None,
            **outcome.facts,
        }
    )
    return found


def _rows(here: Nights, outcome: Outcome) -> Iterator[dict[str, Any]]:
    """Rows of predictions in order of corpus, recording and epoch."""
    for night in here.asked:
        if night.key not in outcome.staged:
            continue
        probabilities = outcome.staged[night.key]
        columns = (night.epochs, night.labels, night.labels_2, probabilities)
        for epoch, label, label_2, values in zip(*columns, strict=True):
            told = Answer(STAGE_NAMES[values.argmax()], None, tuple(values.tolist()))
            yield {
                **night.key._asdict(),
                "epoch": int(epoch),
                "label": STAGE_NAMES[label],
                "label_2": None if label_2 == NO_STAGE else STAGE_NAMES[label_2],
                **told.columns(),
            }


def _settings(
    name: str, method: Method, config: BaselineConfig, learn: Sequence[Source], asked: Source
) -> dict[str, Any]:
    """All that decides the predictions, as JSON values; where processes and threads do not."""
    return {
        "model": name,
        "learns_from": [_source(one) for one in learn] if method.learns else None,
        **_source(asked),
        "recipe_hash": asked.build["recipe_hash"],
        "seed": config.seed if method.learns else None,
    }


def _source(found: Source) -> dict[str, Any]:
    return {
        "dataset": found.name,
        "config": found.config,
        "split": found.split,
        "revision": found.revision,
        "shards": digest([s["sha256"] for s in found.build["shards"] if s["split"] == found.split]),
    }


def _counts(chosen: Sequence[Night]) -> dict[str, int]:
    return {
        "pages": sum(len(night.epochs) for night in chosen),
        "recordings": len(chosen),
        "subjects": len({(night.key.corpus, night.key.subject) for night in chosen}),
    }


def _refuse_other_lanes(learn: Source, asked: Source) -> None:
    """What is learned of some lanes says nothing of others."""
    there, here = (one.build["recipe"] for one in (learn, asked))
    for part in ("montage", "filters"):
        if there[part] != here[part]:
            raise BuildError(
                f"{asked.name} has another {part} than {learn.name}, which is learned from; build "
                "both alike"
            )


def _refuse_known(here: Nights, config: BaselineConfig) -> None:
    """Another dataset may hold people whose nights are learned from."""
    learned = {(n.key.corpus, n.key.subject) for n in (*here.train, *here.validation)}
    known = sorted(learned & {(n.key.corpus, n.key.subject) for n in here.asked})
    if known:
        raise BuildError(
            f"{len(known)} subjects of {config.on}, split {config.split}, are learned from, such as "
            f"{known[0][1]} of {known[0][0]}; build both with the same --splits and --seed"
        )
