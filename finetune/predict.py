"""Predict: stages of the pages of a dataset by a model, written to one file. The main path."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
from psgimg.builder.progress import Progress
from psgimg.builder.signals import corruption_spec
from psgimg.finetune import hub, optional_dependencies
from psgimg.finetune.data import page_set
from psgimg.finetune.data.chat import ChatRow
from psgimg.finetune.data.page_set import PageSet
from psgimg.finetune.inference import opening, page_lanes, parse_answer, partial_file, pieces
from psgimg.finetune.inference.fleet import Fleet, Note
from psgimg.finetune.inference.opening import Crew, OpenEndpoint, OpenModel, Staging, Wish
from psgimg.finetune.inference.predict_config import PredictConfig, Question, question
from psgimg.finetune.metrics.predictions import PROBABILITIES, Answer, Predictions
from psgimg.finetune.models.manifest import versions

__all__ = ["PredictConfig", "predict", "without_each_lane"]

PER_PART = 256
"""Pages per part: the most that a killed command loses."""

REQUESTS = 64
"""Requests to a server at a time, unless the user says otherwise."""

Rows = npt.NDArray[np.int64]


def predict(config: PredictConfig, progress: Progress) -> Predictions | None:
    """Stage the pages of a split, or resume: finished parts are kept.

    Returns
    -------
    The predictions; None if this is a share of them, to be joined with the others.

    Raises
    ------
    BuildError
        If the command fails. Finished parts are kept, and the same command resumes from there.
    """
    [predictions] = _predict([config], _pages(config), progress)
    return predictions


def without_each_lane(
    config: PredictConfig, progress: Progress
) -> list[tuple[PredictConfig, Predictions | None]]:
    """Stage the pages of a split as they are, and then again without each lane in turn.

    Returns
    -------
    The options of each file and what ``predict`` returns; the first one is of the pages as they are.

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
) -> list[Predictions | None]:
    """Write several files of predictions, with one model, which is loaded when it is needed first."""
    prompted = [question(config, pageset) for config in configs]
    crews: list[Crew] = []
    with ExitStack() as stack:

        def load(n_pages: int) -> Crew:
            if not crews:
                n_all = n_pages * len(configs)
                crews.append(_crew(configs[0], prompted[0], n_all, progress.note))
                stack.enter_context(crews[0].fleet)
            return crews[0]

        return [
            _file(config, prompting, pageset, load, progress)
            for config, prompting in zip(configs, prompted, strict=True)
        ]


def _file(
    config: PredictConfig,
    prompting: Question,
    pageset: PageSet,
    load: Callable[[int], Crew],
    progress: Progress,
) -> Predictions | None:
    """Write one file of predictions, or resume it."""
    rows = chosen(pageset, config.limit)
    settings = prompting.settings(config, pageset, len(rows))
    with partial_file.hold(config.out, settings, shared=config.part is not None) as held:
        if (earlier := held.finished()) is not None:
            progress.note(f"{config.out} is finished already; nothing to do")
            return earlier
        if config.part:
            held.share(config.part)
        cut = pieces.cut(rows, pageset.index.recording[rows], PER_PART)
        if config.join:
            pieces.refuse_missing(cut, held.is_done, held.n_shares)
        split = [piece.rows for piece in cut]
        own = pieces.of_part(cut, config.part)
        todo = [i for i in own if not held.is_done(i)]
        n_pages = sum(len(split[i]) for i in todo)
        if n_kept := sum(len(split[i]) for i in own) - n_pages:
            progress.note(f"{n_kept} pages are kept from an earlier run")
        missing = f" without {', '.join(config.without)}" if config.without else ""
        progress.start(f"predicting{missing}", n_pages, "pages")
        for message in prompting.notes:
            progress.note(message)
        parts = {i: split[i] for i in todo}
        for i, part in _staged(config, pageset, prompting, parts, load, progress):
            held.write(i, part)
        if config.part:
            return None
        predictions = held.join(len(split), prompting.decoding.apply)
        counts = _answers(predictions, prompting.prompt.answers)
        transitions = prompting.decoding.transitions.to_json()
        facts = _facts(predictions, pageset, config)
        held.seal(facts | {"answers": counts, "transitions": transitions})
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


def _crew(config: PredictConfig, prompting: Question, n_pages: int, note: Note) -> Crew:
    """Return what stages pages in the requested mode."""
    answers = prompting.prompt.answers
    if config.endpoint is not None:
        parallel = config.batch_size or REQUESTS
        server = OpenEndpoint(
            config.endpoint,
            config.model,
            answers,
            parallel=parallel,
            max_new_tokens=config.max_new_tokens,
            score=config.mode == "score",
        )
        return Crew(Fleet(server, (config.endpoint,), note), parallel)
    optional_dependencies.require()
    return opening.crew(
        OpenModel(config.model, config.dtype, config.trust_remote_code),
        answers,
        Wish(config.device, config.batch_size, config.loaders),
        n_pages,
        note,
        None if config.mode == "score" else config.max_new_tokens,
    )


@dataclass(frozen=True, eq=False)
class _Pages:
    """Reads the pages of some rows as the model is shown them, in any process."""

    pageset: PageSet
    prompting: Question

    def __call__(self, rows: Sequence[int]) -> list[ChatRow]:
        asked = self.prompting
        at_most = [(asked.n_shown, asked.n_shown)] * len(rows)
        return self.pageset.chat_rows(rows, asked.prompt, asked.context, at_most, asked.lanes.shown)


def _staged(
    config: PredictConfig,
    pageset: PageSet,
    prompting: Question,
    parts: Mapping[int, Rows],
    load: Callable[[int], Crew],
    progress: Progress,
) -> Iterator[tuple[int, Predictions]]:
    """Yield the number and the predictions of each part."""
    if not parts:
        return
    crew = load(sum(map(len, parts.values())))
    tasks = {
        i: [rows[k : k + crew.batch_size].tolist() for k in range(0, len(rows), crew.batch_size)]
        for i, rows in parts.items()
    }
    in_order = [batch for batches in tasks.values() for batch in batches]
    work = Staging(_Pages(pageset, prompting))
    with closing(crew.fleet.run(work, in_order)) as answers:
        for i, batches in tasks.items():
            staged: list[dict[str, Any]] = []
            for batch, found in zip(batches, answers, strict=False):
                for row, answer in zip(batch, found, strict=True):
                    staged.append(_columns(config, pageset, prompting, row, answer))
                progress.advance(len(batch))
            yield i, Predictions.from_rows(staged)


def _columns(
    config: PredictConfig, pageset: PageSet, prompting: Question, row: int, answer: Answer
) -> dict[str, Any]:
    """Return a row of the file."""
    page = pageset.page(row)
    return {
        **page._asdict(),
        "label": page.stage,
        "label_2": page.stage_2,
        **answer.columns(),
        "fold": config.fold,
        "epoch_s": pageset.source.epochs_s[page.corpus, page.recording],
        "votes": pageset.votes.get((page.corpus, page.recording, page.epoch)),
        "unseen_lanes": prompting.lanes.unseen[pageset.index.recording[row]],
    }


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
