"""Predict: stages of the pages of a dataset by a model, written to one file. The main path."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
from psgimg.builder.progress import Progress
from psgimg.builder.signals import corruption_spec
from psgimg.finetune import hub, optional_dependencies
from psgimg.finetune.data import page_set
from psgimg.finetune.data.page_set import PageSet
from psgimg.finetune.inference import page_lanes, parse_answer, partial_file, predictors
from psgimg.finetune.inference.predict_config import PredictConfig, Question, question
from psgimg.finetune.inference.predictors import Predictor
from psgimg.finetune.inference.prefetch import ahead
from psgimg.finetune.metrics.predictions import PROBABILITIES, Predictions
from psgimg.finetune.models.manifest import versions

__all__ = ["PredictConfig", "predict", "without_each_lane"]

PER_PART = 256
"""Pages per part: the most that a killed command loses."""

Rows = npt.NDArray[np.int64]


def predict(config: PredictConfig, progress: Progress) -> Predictions:
    """Stage the pages of a split, or resume: finished parts are kept.

    Raises
    ------
    BuildError
        If the command fails. Finished parts are kept, and the same command resumes from there.
    """
    [predictions] = _predict([config], _pages(config), progress)
    return predictions


def without_each_lane(
    config: PredictConfig, progress: Progress
) -> list[tuple[PredictConfig, Predictions]]:
    """Stage the pages of a split as they are, and then again without each lane in turn.

    Returns
    -------
    The options and the predictions of each file; the first one is of the pages as they are.

    Raises
    ------
    BuildError
        As ``predict``; nothing is staged if a lane's absence is refused.
    """
    pageset = _pages(config)
    lanes, notes = page_lanes.in_turn(pageset)
    for note in notes:
        progress.note(note)
    whole = dataclasses.replace(config, each_lane_out=False)
    out = config.out
    configs = [whole] + [
        dataclasses.replace(
            whole, without=(lane,), out=out.with_name(f"{out.stem}-without-{lane}{out.suffix}")
        )
        for lane in lanes
    ]
    return list(zip(configs, _predict(configs, pageset, progress), strict=True))


def _pages(config: PredictConfig) -> PageSet:
    if config.endpoint is None:
        hub.require(config.model, "model")
    return page_set.load(
        config.dataset, config.corpus, config.split, config.revision, fold=config.fold
    )


def _predict(
    configs: Sequence[PredictConfig], pageset: PageSet, progress: Progress
) -> list[Predictions]:
    """Write several files of predictions, with one model, which is loaded when it is needed first."""
    prompted = [question(config, pageset) for config in configs]
    with ExitStack() as stack:

        @functools.cache
        def load() -> Predictor:
            return stack.enter_context(_predictor(configs[0], prompted[0], progress))

        return [
            _file(config, prompting, pageset, load, progress)
            for config, prompting in zip(configs, prompted, strict=True)
        ]


def _file(
    config: PredictConfig,
    prompting: Question,
    pageset: PageSet,
    load: Callable[[], Predictor],
    progress: Progress,
) -> Predictions:
    """Write one file of predictions, or resume it."""
    rows = chosen(pageset, config.limit)
    with partial_file.hold(config.out, prompting.settings(config, pageset, len(rows))) as held:
        if (earlier := held.finished()) is not None:
            progress.note(f"{config.out} is finished already; nothing to do")
            return earlier
        split = [rows[i : i + PER_PART] for i in range(0, len(rows), PER_PART)]
        todo = [i for i in range(len(split)) if not held.is_done(i)]
        n_pages = sum(len(split[i]) for i in todo)
        if n_kept := len(rows) - n_pages:
            progress.note(f"{n_kept} pages are kept from an earlier run")
        missing = f" without {', '.join(config.without)}" if config.without else ""
        progress.start(f"predicting{missing}", n_pages, "pages")
        for message in prompting.notes:
            progress.note(message)
        for i in todo:
            part = _staged(config, pageset, prompting, split[i], load(), progress)
            held.write(i, part)
        predictions = held.join(len(split))
        counts = _answers(predictions, prompting.prompt.answers)
        held.seal(_facts(predictions, pageset, config) | {"answers": counts})
        return predictions


def chosen(pageset: PageSet, limit: int | None) -> Rows:
    """Return rows in order of corpus, recording and epoch; with a limit, evenly spaced ones."""
    index = pageset.index
    keys = [(key.corpus, key.recording) for key in index.recordings]
    rank = np.empty(len(keys), np.int64)
    rank[sorted(range(len(keys)), key=keys.__getitem__)] = np.arange(len(keys))
    rows = pageset.rows
    rows = rows[np.lexsort((index.epoch[rows], rank[index.recording[rows]]))]
    if limit is not None and limit < len(rows):
        rows = rows[np.linspace(0, len(rows) - 1, limit).round().astype(np.int64)]
    return rows


@contextmanager
def _predictor(
    config: PredictConfig, prompting: Question, progress: Progress
) -> Iterator[Predictor]:
    """Yield a predictor in the requested mode, by a loaded model or one on a server."""
    answers = prompting.prompt.answers
    if config.endpoint is not None:
        with predictors.requesting(
            config.endpoint,
            config.model,
            answers,
            parallel=config.batch_size,
            max_new_tokens=config.max_new_tokens,
            score=config.mode == "score",
        ) as predictor:
            yield predictor
        return
    optional_dependencies.require()
    from psgimg.finetune.models.loading import load_for_inference

    loaded = load_for_inference(
        config.model, trust_remote_code=config.trust_remote_code, dtype=config.dtype
    )
    if config.mode == "score":
        yield predictors.scoring(loaded.model, loaded.processor, answers, progress.note)
    else:
        yield predictors.generating(loaded.model, loaded.processor, answers, config.max_new_tokens)


def _staged(
    config: PredictConfig,
    pageset: PageSet,
    prompting: Question,
    rows: Rows,
    predictor: Predictor,
    progress: Progress,
) -> Predictions:
    """Stage some rows, batch by batch."""
    staged = []
    lengths_s = pageset.source.epochs_s
    for batch, inputs in ahead(_prepared(pageset, prompting, rows, config.batch_size, predictor)):
        for row, answer in zip(batch, predictor.answer(inputs), strict=True):
            page = pageset.page(row)
            labels = {**page._asdict(), "label": page.stage, "label_2": page.stage_2}
            recorded = {
                "fold": config.fold,
                "epoch_s": lengths_s[page.corpus, page.recording],
                "votes": pageset.votes.get((page.corpus, page.recording, page.epoch)),
                "unseen_lanes": prompting.lanes.unseen[pageset.index.recording[row]],
            }
            staged.append({**labels, **answer.columns(), **recorded})
        progress.advance(len(batch))
    return Predictions.from_rows(staged)


def _prepared(
    pageset: PageSet, prompting: Question, rows: Rows, size: int, predictor: Predictor
) -> Iterator[tuple[Sequence[int], Any]]:
    """Yield batches of rows with their inputs to the model."""
    for start in range(0, len(rows), size):
        batch = rows[start : start + size].tolist()
        chats = pageset.chat_rows(batch, prompting.prompt, prompting.context)
        yield batch, predictor.prepare(prompting.lanes.shown(chats))


def _answers(predictions: Predictions, answers: Mapping[str, str]) -> dict[str, int]:
    """Count how the answers that were read from text state their stage."""
    table = predictions.table
    texts = table["raw"].filter(table[PROBABILITIES[0]].is_null()).to_pylist()
    return parse_answer.counted(texts, answers)


def _facts(predictions: Predictions, pageset: PageSet, config: PredictConfig) -> dict[str, Any]:
    """Return versions, policy and counts, to be saved with the predictions."""
    probabilities = predictions.probabilities
    return {
        "psgimg": version("psgimg"),
        "versions": versions() if config.endpoint is None else {},
        "policy": pageset.build["policy"],
        "corruption": pageset.build.get(corruption_spec.KEY),
        "unseen_lanes": len(predictions) - predictions.table["unseen_lanes"].null_count,
        "counts": {
            "pages": len(predictions),
            "no_valid_answer": int((predictions.predictions < 0).sum()),
            "with_probabilities": 0
            if probabilities is None
            else int(np.isfinite(probabilities[:, 0]).sum()),
        },
    }
