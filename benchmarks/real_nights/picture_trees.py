"""Picture trees: stages by boosted trees on what the pictures of a page and its neighbours show.

The trees are like those of `psgimg baseline`, a quarter as many, on :mod:`real_nights.page_ink` in place of
YASA's features. They learn in seconds what a tiny model takes hours for, and tell what is there to be seen;
not what a vision-language model makes of it. Training pages are drawn as `psgimg sft` draws them, once each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from lightgbm import LGBMClassifier
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.baselines import boosting
from psgimg.finetune.baselines.boosting import Trees
from psgimg.finetune.data.context import ALONE, Context
from psgimg.finetune.data.page_set import PageSet
from psgimg.finetune.data.soft_labels import SoftLabels
from psgimg.finetune.lanes import pattern
from psgimg.finetune.lanes.cover import Cover
from psgimg.finetune.lanes.pattern import Absent
from psgimg.finetune.metrics import predictions as predictions_file
from psgimg.finetune.metrics.predictions import PROBABILITIES, Predictions

from real_nights.page_ink import Floats, Ink
from real_nights.tables import Values

SETTINGS = {
    **boosting.SETTINGS,
    "n_estimators": 100,
    "max_bin": 63,
    "n_jobs": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
"""Of LightGBM: those of the baselines, with fewer trees and coarser values, to keep the run short."""


@dataclass(frozen=True)
class Way:
    """How trees learn, and what pages are shown with.

    Parameters
    ----------
    context
        Neighbours on either side.
    mixed
        Show half of the training pages with fewer neighbours, as `sft --context-mixed true`.
    varied
        Learn from each page as recorded and from its variants, as a dataset of `build --variants` has them;
        together they count as one page.
    lanes
        Leave lanes out of training pages, as `sft --augment lanes`.
    soft
        Learn from all scorers, as `--soft-labels`.
    """

    context: Context = ALONE
    mixed: bool = False
    varied: bool = False
    lanes: bool = False
    soft: bool = False


def learn(ink: Ink, way: Way, seed: int) -> Trees:
    """Return trees taught on the pages of a split."""
    pages, n_looks = ink.pages, 1 + way.varied
    parts, weights, stages = [], [], []
    shares = _shares(pages, soft=way.soft)
    for look in range(n_looks):
        rng = np.random.default_rng((seed, look))
        table = np.stack(list(_drawn(ink, way, look, rng)))
        rows, stage = np.nonzero(shares)
        parts.append(table[rows])
        stages.append(stage.astype(np.int8))
        weights.append(shares[rows, stage] / n_looks)
    model = LGBMClassifier(**SETTINGS, random_state=seed)
    model.fit(
        _frame(np.concatenate(parts)),
        np.concatenate(stages),
        sample_weight=np.concatenate(weights),
    )
    text = model.booster_.model_to_string()
    return Trees(text, tuple(map(int, model.classes_)), {"method": SETTINGS})


def predict(
    trees: Trees, ink: Ink, way: Way, *, without: str | None = None, alone: bool = False
) -> Predictions:
    """Return the stages of all pages of a split.

    Parameters
    ----------
    without
        Lane that is drawn as absent.
    alone
        Show no neighbours, as at a night of one page.
    """
    at_most = (0, 0) if alone else (way.context.pages,) * 2
    pages = ink.pages
    names = [lane["name"] for lane in pages.build["recipe"]["montage"]["lanes"]]
    gone = tuple(name == without for name in names)
    shown = [_shown(ink, way, row, at_most, gone) for row in pages.rows.tolist()]
    odds = trees.probabilities(_frame(np.stack(shown)))
    return Predictions.from_rows(_rows(pages, odds))


def write(path: Path, parts: Sequence[Predictions]) -> None:
    """Write the predictions of one or several test splits to a file."""
    rows = [row for part in parts for row in part.table.to_pylist()]
    predictions_file.write(path, Predictions.from_rows(rows))


def _shares(pages: PageSet, *, soft: bool) -> Floats:
    """Return (n, 5) what share of a page's scorers chose each stage; without ``soft``, of the first."""
    if soft:
        return SoftLabels.of(pages.index, pages.votes).shares[pages.rows]
    return np.eye(len(STAGE_NAMES), dtype=np.float32)[pages.labels]


def _drawn(ink: Ink, way: Way, look: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Yield what each training page shows in one of its looks."""
    k = way.context.pages
    cover = Cover.of(ink.pages.build["recipe"], "--augment lanes")
    for row in ink.pages.rows.tolist():
        drawn = ink.pages.lanes(row)
        at_most = (k, k)
        if way.mixed and rng.random() >= 0.5:
            before, after = rng.integers(k + 1, size=2).tolist()
            at_most = (before, after)
        gone = pattern.chosen(drawn, cover.eeg, rng) if way.lanes else (False,) * len(drawn)
        yield _shown(ink, way, row, at_most, gone, look)


def _shown(
    ink: Ink, way: Way, row: int, at_most: tuple[int, int], gone: Absent, look: int = 0
) -> Floats:
    """Return what a page shows with its neighbours, NaN where there is none."""
    before, after = ink.pages.neighbours(row, way.context.pages)
    k = way.context.pages
    sides = [
        *(one if k - i <= at_most[0] else None for i, one in enumerate(before)),
        *(one if i < at_most[1] else None for i, one in enumerate(after)),
    ]
    found = [_covered(ink, (look, 1.0), row, gone)]
    for other in sides:
        values = _covered(ink, (look, way.context.scale), row if other is None else other, gone)
        found.append(np.full_like(values, np.nan) if other is None else values)
    return np.concatenate(found)


def _covered(ink: Ink, look: tuple[int, float], row: int, gone: Absent) -> Floats:
    """Return what a page shows with some lanes drawn as absent, as one row of values."""
    values = ink.shown[look][row]
    if any(gone):
        values = np.where(np.array(gone)[:, None], ink.absent[look[1]], values)
    return values.ravel()


def _frame(values: Floats) -> pd.DataFrame:
    return pd.DataFrame(values, columns=[f"value_{i:04d}" for i in range(values.shape[1])])


def _rows(pages: PageSet, odds: npt.NDArray[np.float64]) -> list[Values]:
    """Return rows of predictions, from probabilities (n, 5) in the order of the stages."""
    rows = []
    for row, p in zip(pages.rows.tolist(), odds, strict=True):
        page = pages.page(row)
        rows.append(
            {
                **page._asdict(),
                "label": page.stage,
                "label_2": page.stage_2,
                "prediction": STAGE_NAMES[int(p.argmax())],
                **dict(zip(PROBABILITIES, p.tolist(), strict=True)),
                "epoch_s": pages.source.epochs_s[page.corpus, page.recording],
            }
        )
    return rows
