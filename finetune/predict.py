"""Predict: a model's stages for the pages of a dataset, in one file. The main path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
from psgimg.builder.progress import Progress
from psgimg.builder.signals import corruption_spec
from psgimg.finetune import optional_dependencies
from psgimg.finetune.data import page_set
from psgimg.finetune.data.page_set import PageSet
from psgimg.finetune.inference import partial_file, predictors
from psgimg.finetune.inference.predict_config import PredictConfig, Question, question
from psgimg.finetune.inference.predictors import Asker
from psgimg.finetune.inference.prefetch import ahead
from psgimg.finetune.metrics.predictions import Predictions
from psgimg.finetune.models.manifest import versions

__all__ = ["PredictConfig", "predict"]

PER_PART = 256
"""Pages of a part: what a killed command loses at most."""

Rows = npt.NDArray[np.int64]


def predict(config: PredictConfig, progress: Progress) -> Predictions:
    """Stage the pages of a split, or go on with it: finished parts are kept.

    Raises
    ------
    BuildError
        If the command can't go on. What is finished stays, and the same command goes on from there.
    """
    pageset = page_set.load(config.dataset, config.corpus, config.split, config.revision)
    asked = question(config, pageset)
    rows = chosen(pageset, config.limit)
    with partial_file.hold(config.out, asked.settings(config, pageset, len(rows))) as held:
        if (earlier := held.finished()) is not None:
            progress.note(f"{config.out} is finished; nothing is computed again")
            return earlier
        split = [rows[i : i + PER_PART] for i in range(0, len(rows), PER_PART)]
        todo = [i for i in range(len(split)) if not held.is_done(i)]
        n_pages = sum(len(split[i]) for i in todo)
        if n_kept := len(rows) - n_pages:
            progress.note(f"{n_kept} pages are there from an earlier run and stay as they are")
        progress.start("predicting", n_pages, "pages")
        for message in asked.notes:
            progress.note(message)
        if todo:
            with _asker(config, asked, progress) as ask:
                for i in todo:
                    held.write(i, _staged(config, pageset, asked, split[i], ask, progress))
        found = held.join(len(split))
        held.seal(_facts(found, pageset, config))
        return found


def chosen(pageset: PageSet, limit: int | None) -> Rows:
    """Rows in order of corpus, recording and epoch; with a limit, so many spread evenly over all."""
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
def _asker(config: PredictConfig, asked: Question, progress: Progress) -> Iterator[Asker]:
    """The model, loaded or behind its server, in the mode that is wanted."""
    answers = asked.prompt.answers
    if config.endpoint is not None:
        with predictors.asking(
            config.endpoint,
            config.model,
            answers,
            parallel=config.batch_size,
            max_new_tokens=config.max_new_tokens,
            score=config.mode == "score",
        ) as ask:
            yield ask
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
    asked: Question,
    rows: Rows,
    ask: Asker,
    progress: Progress,
) -> Predictions:
    """Predictions of some rows, a batch at a time."""
    found = []
    for batch, prepared in ahead(_prepared(pageset, asked, rows, config.batch_size, ask)):
        for row, answer in zip(batch, ask.answer(prepared), strict=True):
            page = pageset.page(row)
            known = {**page._asdict(), "label": page.stage, "label_2": page.stage_2}
            found.append({**known, **answer.columns()})
        progress.advance(len(batch))
    return Predictions.from_rows(found)


def _prepared(
    pageset: PageSet, asked: Question, rows: Rows, size: int, ask: Asker
) -> Iterator[tuple[Sequence[int], Any]]:
    """Batches of rows and what the model takes of them."""
    for start in range(0, len(rows), size):
        batch = rows[start : start + size].tolist()
        yield batch, ask.prepare(pageset.chat_rows(batch, asked.prompt, asked.context))


def _facts(found: Predictions, pageset: PageSet, config: PredictConfig) -> dict[str, Any]:
    """What to say beside the predictions of how they came about, and how they turned out."""
    probabilities = found.probabilities
    return {
        "psgimg": version("psgimg"),
        "versions": versions() if config.endpoint is None else {},
        "policy": pageset.build["policy"],
        "corruption": pageset.build.get(corruption_spec.KEY),
        "counts": {
            "pages": len(found),
            "no_valid_answer": int((found.predictions < 0).sum()),
            "with_probabilities": 0
            if probabilities is None
            else int(np.isfinite(probabilities[:, 0]).sum()),
        },
    }
