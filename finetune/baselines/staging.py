"""Staging: the predictions of one method, night by night, whole, in parts, or joined from them.

What a method has learned is kept beside its unfinished predictions, so that a command that was killed
and the parts of a job array need not learn it again.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import BuildError
from psgimg.builder.placing.parts import Part
from psgimg.builder.signals import corruption_spec
from psgimg.builder.stages import STAGE_NAMES
from psgimg.builder.words import counted
from psgimg.finetune.baselines import nights
from psgimg.finetune.baselines.methods import Method, Stager
from psgimg.finetune.baselines.nights import Night, Task
from psgimg.finetune.data import votes
from psgimg.finetune.data.page_index import NO_STAGE
from psgimg.finetune.data.source import Source
from psgimg.finetune.data.votes import Votes
from psgimg.finetune.inference import pieces
from psgimg.finetune.inference.partial_file import Parts
from psgimg.finetune.metrics.predictions import Answer, Predictions

TRAINING_FIRST = "run the command with --train in place of --part, once, and the parts after it"


def train(held: Parts, method: Method, task: Task) -> None:
    """Train a method, unless it was trained or needs no training, and keep what it learned."""
    if method.learner is None or held.learned.exists():
        return
    learned = method.learner.train(task)
    with held.learning() as path:
        learned.save(path)


def stage(held: Parts, method: Method, task: Task, target: Source, part: Part | None) -> None:
    """Stage the nights of a part that are not staged yet; None: of all.

    Raises
    ------
    BuildError
        If the method has to be trained first, or a night can't be staged.
    """
    chosen = [night for night in task.nights.target if method.stages(night)]
    cut = _cut(chosen)
    own = pieces.of_part(cut, part)
    todo = [i for i in own if not held.is_done(i)]
    if n_kept := len(own) - len(todo):
        task.progress.note(f"{held.out}: {counted(n_kept, 'recording')} kept from an earlier run")
    for note in method.notes(task.nights.target):
        task.progress.note(note)
    if not todo:
        return
    learned = _learned(held, method)
    number, voted = target.fold.number if target.fold else None, votes.read(target)
    place = {chosen[i].key: i for i in todo}
    what = f"staging by {held.out.stem}"
    for night, prepared in nights.process([chosen[i] for i in todo], method.prepare, what, task):
        values = learned.probabilities(prepared) if learned else prepared
        held.write(place[night.key], Predictions.from_rows(_rows(night, values, number, voted)))


def join(held: Parts, method: Method, task: Task, target: Source) -> Predictions:
    """Write the file of predictions of which all nights are staged.

    Raises
    ------
    BuildError
        If some are not; the message names the parts.
    """
    chosen = [night for night in task.nights.target if method.stages(night)]
    pieces.refuse_missing(_cut(chosen), held.is_done, held.n_shares)
    predictions = held.join(len(chosen))
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
            **_facts(held, method, task),
        }
    )
    return predictions


def _facts(held: Parts, method: Method, task: Task) -> Mapping[str, Any]:
    """Return what a method learned with, or for one that needs no training, whom it left out."""
    if learned := _learned(held, method):
        return learned.facts
    out = [night for night in task.nights.target if not method.stages(night)]
    pages = sum(len(night.epochs) for night in out)
    return {"left_out": {"recordings": len(out), "pages": pages}}


def _learned(held: Parts, method: Method) -> Stager | None:
    """Return what a method learned; None if it is not trained."""
    if method.learner is None:
        return None
    if not held.learned.exists():
        raise BuildError(f"{held.out}: the method is not trained yet; {TRAINING_FIRST}")
    return method.learner.load(held.learned)


def _cut(chosen: Sequence[Night]) -> list[pieces.Piece]:
    """Return the nights as pieces, of one night each."""
    return [pieces.Piece(np.arange(len(night.epochs)), i) for i, night in enumerate(chosen)]


def _rows(
    night: Night, probabilities: npt.NDArray[np.float64], fold: int | None, voted: Votes
) -> Iterator[dict[str, Any]]:
    """Yield the rows of predictions of a night in order of time."""
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
            "votes": voted.get((night.key.corpus, night.key.recording, int(epoch))),
        }


def _counts(chosen: Sequence[Night]) -> dict[str, int]:
    return {
        "pages": sum(len(night.epochs) for night in chosen),
        "recordings": len(chosen),
        "subjects": len({(night.key.corpus, night.key.subject) for night in chosen}),
    }
