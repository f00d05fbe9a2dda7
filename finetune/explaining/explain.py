"""Explain: which lanes and which seconds of a page a model's answers depend on. The main path."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from psgimg.builder.errors import BuildError
from psgimg.builder.processes import lock
from psgimg.builder.progress import Progress
from psgimg.builder.render.recipe import Recipe
from psgimg.finetune import hub, optional_dependencies
from psgimg.finetune.data import page_set
from psgimg.finetune.data.page_set import PageSet
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
from psgimg.finetune.explaining.faithfulness import Curves
from psgimg.finetune.explaining.margins import Case, PageScorer, margin
from psgimg.finetune.explaining.replacement import Fill, Pages
from psgimg.finetune.explaining.summary import Explained, Overlay, Summary
from psgimg.finetune.inference.fleet import Fleet, Note
from psgimg.finetune.inference.opening import OpenModel
from psgimg.finetune.inference.predict_config import PredictConfig, Question, question

if TYPE_CHECKING:
    from psgimg.finetune.models.loading import Loaded

N_OVERLAYS = 2
"""Number of pages per stage that are shown as pictures."""

Density = Callable[[Case, Floats], Floats]
"""Returns (height, width) attributions of a page, given the log-probabilities (5,) of its answers."""


def explain(config: ExplainConfig, progress: Progress) -> Summary:
    """Explain a model's answers for some pages of a split, and write a report.

    Raises
    ------
    BuildError
        If the model or the dataset can't be used, or the folder can't be written; nothing is written
        in that case.
    """
    explanation_report.check(config.out)
    refusal = f"another psgimg explain is writing {config.out}; wait for it or choose another --out"
    with lock.held(lock.beside(config.out), refusal):
        return _written(config, progress)


def _written(config: ExplainConfig, progress: Progress) -> Summary:
    """Explain a model's answers, and write a report to a folder that is locked."""
    hub.require(config.model, "model")
    pageset = page_set.load(
        config.dataset, config.corpus, config.split, config.revision, fold=config.fold
    )
    query = question(_predict_config(config), pageset)
    grid = Grid.of(Recipe.from_dict(pageset.build["recipe"]), config.window)
    rows = page_selection.chosen(pageset, config.pages, config.seed).tolist()
    for message in query.notes:
        progress.note(message)
    work = Explaining(config, pageset, query, grid)
    explained: list[Explained] = []
    with _fleet(config, len(rows), progress) as fleet, closing(fleet.run(work, rows)) as pages:
        progress.start("explaining", len(rows), "pages")
        for page in pages:
            drawn = summary.count(explained, page.stage) < N_OVERLAYS
            explained.append(page if drawn else replace(page, overlay=None))
            progress.advance()
    result = summary.summarise(explained, grid)
    explanation_report.write(config, pageset.build, query, grid, result)
    return result


def _predict_config(config: ExplainConfig) -> PredictConfig:
    """Return the equivalent options of `psgimg predict`, which are validated in the same way."""
    return PredictConfig(
        model=config.model,
        dataset=config.dataset,
        out=config.out,
        split=config.split,
        fold=config.fold,
        corpus=config.corpus,
        revision=config.revision,
        batch_size=config.batch_size,
        dtype=config.dtype,
        trust_remote_code=config.trust_remote_code,
        any_recipe=config.any_recipe,
        any_lanes=config.any_lanes,
    )


@dataclass(frozen=True)
class Explaining:
    """The work of a model on the pages of some rows; it can be sent to the process of a device."""

    config: ExplainConfig
    pageset: PageSet
    query: Question
    grid: Grid

    def __call__(self, opened: Opened, rows: Sequence[int]) -> Iterator[Explained]:
        """Yield the explanations, with the first ones of each stage to be drawn as pictures."""
        config, grid = self.config, self.grid
        score, density = _model(config, opened, self.query, grid)
        pages = replacement.Pages(self.pageset, config.seed)
        fill = pages if config.fill == "pages" else replacement.blank
        units = grid.units if config.method == "occlusion" else cells.patches(*grid.page)
        explained: Counter[int] = Counter()
        cases = margins.cases(self.pageset, rows, self.query, grid)
        for row, case in zip(rows, cases, strict=True):
            page, shares = _explained(case, row, fill, score, density, grid)
            tested = _tested(case, row, page, pages, score, grid, config.seed)
            page = replace(page, curves=tested)
            if explained[page.stage] < N_OVERLAYS:
                page = replace(page, overlay=Overlay(case.pixels, cells.gathered(shares, units)))
            explained[page.stage] += 1
            yield page


@dataclass(frozen=True)
class Opened:
    """A model on a device, and the number of pictures per forward pass there."""

    loaded: Loaded
    batch_size: int
    note: Note


@dataclass(frozen=True)
class _Open:
    """Loads the model on a device."""

    model: OpenModel
    batch_size: int

    @contextmanager
    def __call__(self, device: str, note: Note) -> Iterator[Opened]:
        yield Opened(self.model.load(device, note), self.batch_size, note)


def _fleet(config: ExplainConfig, n_pages: int, progress: Progress) -> Fleet[Opened]:
    """Return the devices on which pages are explained, each on one of them."""
    optional_dependencies.require()
    _require_captum(config.method)
    from psgimg.finetune.inference import devices

    names = devices.chosen(config.device, progress.note)[:n_pages]
    size = config.batch_size or devices.batch_size(names[0])
    model = OpenModel(config.model, config.dtype, config.trust_remote_code)
    return Fleet(_Open(model, size), names, progress.note)


def _model(
    config: ExplainConfig, opened: Opened, query: Question, grid: Grid
) -> tuple[PageScorer, Density]:
    """Return the scorer of a model and the attribution method."""
    from psgimg.finetune.inference.likelihood import Scorer
    from psgimg.finetune.models import vision_attention

    if config.method != "gradients":
        vision_attention.in_one_call(opened.loaded.model)
    loaded, answers = opened.loaded, query.prompt.answers
    scorer = Scorer(loaded.model, loaded.processor, answers, opened.note)
    score = PageScorer(scorer, opened.batch_size)
    return score, _method(config, score, loaded, answers, grid)


def _method(
    config: ExplainConfig, score: PageScorer, loaded: Any, answers: Any, grid: Grid
) -> Density:
    if config.method == "occlusion":
        return lambda case, log_probs: occlusion.density(case, *_top(log_probs), score, grid)
    if config.method == "patches":
        from psgimg.finetune.explaining import ablation

        return lambda case, log_probs: ablation.density(case, _top(log_probs)[0], score)
    from psgimg.finetune.explaining.gradients import Gradients

    gradients = Gradients(loaded.model, loaded.processor, answers, score.batch_size)
    return lambda case, log_probs: gradients.density(
        case, *(int(stage) for stage in log_probs.argsort()[:-3:-1])
    )


def _explained(
    case: Case, row: int, fill: Fill, score: PageScorer, density: Density, grid: Grid
) -> tuple[Explained, Floats]:
    """Explain one page; returns the result and the (height, width) attribution of each pixel."""
    log_probs = score(case, [case.pixels])[0]
    stage, _ = _top(log_probs)
    case = replace(case, fills=fill(case, row, stage))
    by_lane = occlusion.by_lane(case, score, grid)
    shares = density(case, log_probs)
    page = Explained(
        page=case.page,
        lanes=case.lanes,
        log_probs=log_probs,
        cells=grid.total(shares),
        ink=grid.total(case.ink),
        seconds=cells.by_second(shares),
        without_lane=by_lane,
    )
    return page, shares


def _tested(
    case: Case,
    row: int,
    page: Explained,
    pages: Pages,
    score: PageScorer,
    grid: Grid,
    seed: int,
) -> Curves | None:
    """Return the curves that test an explanation, with a page that it was not made from."""
    fill = pages.tester(row, page.stage)
    if fill is None:
        return None
    return faithfulness.curves(case, page.stage, fill, page.cells, score, grid, (seed, row))


def _top(log_probs: Floats) -> tuple[int, float]:
    """Return the most likely stage and its margin."""
    stage = int(log_probs.argmax())
    return stage, float(margin(log_probs[None], stage)[0])


def _require_captum(method: str) -> None:
    from importlib.util import find_spec

    if method != "occlusion" and find_spec("captum") is None:
        raise BuildError(
            f"--method {method} needs captum: pip install captum; or use --method occlusion"
        )
