"""Explain: which lane and which seconds a model's answers hang on. The main path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from psgimg.builder.errors import BuildError
from psgimg.builder.progress import Progress
from psgimg.builder.render.recipe import Recipe
from psgimg.finetune import optional_dependencies
from psgimg.finetune.data import page_set
from psgimg.finetune.explaining import (
    cells,
    explanation_report,
    faithfulness,
    margins,
    occlusion,
    page_selection,
    replacement,
    summary,
)
from psgimg.finetune.explaining.cells import Floats, Grid
from psgimg.finetune.explaining.config import ExplainConfig
from psgimg.finetune.explaining.margins import Asking, Case, margin
from psgimg.finetune.explaining.replacement import Fill
from psgimg.finetune.explaining.summary import Explained, Overlay, Summary
from psgimg.finetune.inference.predict_config import PredictConfig, Question, question

N_OVERLAYS = 2
"""Pages of a stage that become a picture each."""

Density = Callable[[Case, Floats], Floats]
"""(height, width) attributions of a page whose five answers have some log-probabilities, (5,)."""


def explain(config: ExplainConfig, progress: Progress) -> Summary:
    """Explain a model's answers about some pages of a split, into a folder.

    Raises
    ------
    BuildError
        If the command can't go on; then nothing is written.
    """
    explanation_report.check(config.out)
    pageset = page_set.load(config.dataset, config.corpus, config.split, config.revision)
    asked = question(_asked_as(config), pageset)
    grid = Grid.of(Recipe.from_dict(pageset.build["recipe"]), config.window)
    rows = page_selection.chosen(pageset, config.pages, config.seed).tolist()
    for message in asked.notes:
        progress.note(message)
    ask, density = _model(config, asked, grid, progress)
    fill = replacement.Pages(pageset, config.seed) if config.fill == "pages" else replacement.blank
    progress.start("explaining", len(rows), "pages")
    units = grid.units if config.method == "occlusion" else cells.patches(*grid.page)
    explained: list[Explained] = []
    for row, case in zip(rows, margins.cases(pageset, rows, asked, grid), strict=True):
        page, shares = _explained(case, row, fill, ask, density, grid, config.seed)
        if summary.count(explained, page.stage) < N_OVERLAYS:
            page = replace(page, overlay=Overlay(case.pixels, cells.gathered(shares, units)))
        explained.append(page)
        progress.advance()
    found = summary.summarise(explained, grid)
    explanation_report.write(config, pageset.build, asked, grid, found)
    return found


def _asked_as(config: ExplainConfig) -> PredictConfig:
    """The same model asked as `psgimg predict` would, with the same refusals."""
    return PredictConfig(
        model=config.model,
        dataset=config.dataset,
        out=config.out,
        split=config.split,
        corpus=config.corpus,
        revision=config.revision,
        batch_size=config.batch_size,
        dtype=config.dtype,
        trust_remote_code=config.trust_remote_code,
        any_recipe=config.any_recipe,
    )


def _model(
    config: ExplainConfig, asked: Question, grid: Grid, progress: Progress
) -> tuple[Asking, Density]:
    """The model, loaded, and the method that is wanted."""
    optional_dependencies.require()
    _require_captum(config.method)
    from psgimg.finetune.inference.likelihood import Scorer
    from psgimg.finetune.models.loading import load_for_inference

    loaded = load_for_inference(
        config.model, trust_remote_code=config.trust_remote_code, dtype=config.dtype
    )
    answers = asked.prompt.answers
    scorer = Scorer(loaded.model, loaded.processor, answers, progress.note)
    ask = Asking(scorer, config.batch_size)
    return ask, _method(config, ask, loaded, answers, grid)


def _method(config: ExplainConfig, ask: Asking, loaded: Any, answers: Any, grid: Grid) -> Density:
    if config.method == "occlusion":
        return lambda case, told: occlusion.density(case, *_sure(told), ask, grid)
    if config.method == "patches":
        from psgimg.finetune.explaining import ablation

        return lambda case, told: ablation.density(case, _sure(told)[0], ask)
    from psgimg.finetune.explaining.gradients import Gradients

    gradients = Gradients(loaded.model, loaded.processor, answers, config.batch_size)
    return lambda case, told: gradients.density(case, *(int(k) for k in told.argsort()[:-3:-1]))


def _explained(
    case: Case, row: int, fill: Fill, ask: Asking, density: Density, grid: Grid, seed: int
) -> tuple[Explained, Floats]:
    """One page: its answer, what it hangs on, whether that holds; and the attribution of each pixel."""
    told = ask(case, [case.pixels])[0]
    stage, whole = _sure(told)
    case = replace(case, fills=fill(case, row, stage))
    by_lane = occlusion.by_lane(case, ask, grid)
    shares = density(case, told)
    importance = grid.total(shares)
    k = row % len(case.fills)  # each kind of fill has its turn
    ends = (whole, float(margin(by_lane[k, :1], stage)[0]))
    page = Explained(
        page=case.page,
        lanes=case.lanes,
        log_probs=told,
        cells=importance,
        ink=grid.total(case.ink),
        seconds=cells.by_second(shares),
        without_lane=by_lane[:, 1:],
        curves=faithfulness.curves(
            case, stage, case.fills[k], ends, importance, ask, grid, (seed, row)
        ),
    )
    return page, shares


def _sure(told: Floats) -> tuple[int, float]:
    """The stage that a model answers, and its margin."""
    stage = int(told.argmax())
    return stage, float(margin(told[None], stage)[0])


def _require_captum(method: str) -> None:
    from importlib.util import find_spec

    if method != "occlusion" and find_spec("captum") is None:
        raise BuildError(
            f"--method {method} needs captum: pip install captum; or use --method occlusion"
        )
