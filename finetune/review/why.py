"""Why: what a model's answer for a page hangs on, computed when it is asked for.

Each lane, and each few seconds, are replaced by those of pages of the same night to which other stages
were given; the drop in the model's margin says how much the answer hangs on them (occlusion, as in
`psgimg explain`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

import numpy as np
from psgimg.builder.errors import BuildError
from psgimg.builder.files import picture
from psgimg.builder.stages import STAGE_NAMES
from psgimg.builder.unscored.night_views import NightViews, View
from psgimg.builder.unscored_night import UnscoredPage
from psgimg.finetune import optional_dependencies
from psgimg.finetune.data.page_set import Page
from psgimg.finetune.explaining import cells, occlusion
from psgimg.finetune.explaining.cells import Floats, Grid, Pixels
from psgimg.finetune.explaining.margins import Case, PageScorer, margin
from psgimg.finetune.inference.opening import OpenModel
from psgimg.finetune.models import identity
from psgimg.finetune.models.manifest import ModelFolder
from psgimg.finetune.review.edits import AASM_NAMES
from psgimg.finetune.review.night import Night
from psgimg.finetune.staging.inference import Asked, Questions

WINDOW_S = 3.0
"""Length of the parts of a page that are replaced in turn."""

MOST_FILLS = 2
"""Pages from which parts are taken: with each more, the reviewer waits longer."""


class UnavailableError(Exception):
    """Nothing can be said about why; the message says what is missing."""


@dataclass(frozen=True)
class _Model:
    """A loaded model with how it was trained."""

    score: PageScorer
    trained: ModelFolder


class Explainer:
    """Explains answers with one model, which is loaded when it is first asked.

    Parameters
    ----------
    model
        Folder or id on the Hub; "" for none.
    """

    def __init__(self, model: str, note: Callable[[str], None]) -> None:
        self._source, self._note = model, note
        self._model: _Model | None = None
        self._turn = Lock()

    def why(self, night: Night, views: NightViews, epoch: int) -> dict[str, Any]:
        """Return how much the answer for an epoch hangs on each lane and each few seconds.

        Raises
        ------
        UnavailableError
            If there is no model, torch is not installed, or the epoch has no page.
        """
        if not self._source or night.config.blind:
            raise UnavailableError(
                "start `psgimg review` with --model, the folder of the model that staged this night, "
                "to be told why"
            )
        if night.reasons[epoch]:
            raise UnavailableError(f"this epoch has no page: it lies {night.reasons[epoch]}")
        with self._turn:
            try:
                self._model = self._model or self._loaded()
                _require_same_recipe(self._model.trained, night)
            except BuildError as error:
                raise UnavailableError(str(error)) from error
            return self._explained(self._model, night, views, epoch)

    def _loaded(self) -> _Model:
        """Load the model."""
        optional_dependencies.require()
        from psgimg.finetune.inference import devices
        from psgimg.finetune.inference.likelihood import Scorer

        trained = identity.identify(self._source).folder
        if trained is None:
            raise BuildError(
                f"--model {self._source} has no recipe for its pages (no psgimg.json); give a folder "
                "written by `psgimg sft`"
            )
        device = devices.chosen(None, self._note)[0]
        loaded = OpenModel(self._source).load(device, self._note)
        scorer = Scorer(loaded.model, loaded.processor, trained.prompt.answers, self._note)
        return _Model(PageScorer(scorer, devices.batch_size(device)), trained)

    def _explained(
        self, model: _Model, night: Night, views: NightViews, epoch: int
    ) -> dict[str, Any]:
        grid = Grid.of(night.recording.recipe, WINDOW_S)
        case = _case(model.trained, night, views, epoch, grid)
        log_probs = model.score(case, [case.pixels])[0]
        stage = int(log_probs.argmax())
        fills = _fills(night, views, epoch, stage)
        case = replace(case, fills=fills or (case.ground,))
        whole = float(margin(log_probs[None], stage)[0])
        by_lane = occlusion.by_lane(case, model.score, grid)
        lanes = whole - np.mean([margin(one, stage) for one in by_lane], axis=0)
        seconds = whole - _by_window(case, model.score, grid, stage)
        present = [name is not None for name in case.lanes]
        return {
            "model": night.basis.model or self._source,
            "stage": AASM_NAMES[stage],
            "p": [round(float(p), 6) for p in np.exp(log_probs - np.logaddexp.reduce(log_probs))],
            "lanes": [
                {"name": name, "drop": round(float(drop), 4)}
                for name, drop, there in zip(grid.lanes, lanes, present, strict=True)
                if there
            ],
            "seconds": [
                {"from_s": WINDOW_S * i, "to_s": WINDOW_S * (i + 1), "drop": round(float(drop), 4)}
                for i, drop in enumerate(seconds)
            ],
        }


def _require_same_recipe(trained: ModelFolder, night: Night) -> None:
    """Refuse pages that are drawn otherwise than those which the model was trained on."""
    facts, own = night.place.facts, night.recording.recipe.hash
    drawn = facts.get("recipe_hash", own) if facts else own
    if drawn != trained.recipe_hash:
        raise BuildError(
            f"the model was trained on pages of recipe {trained.recipe_hash}, this night is drawn by "
            f"{drawn}; give the model that staged it"
        )


def _case(trained: ModelFolder, night: Night, views: NightViews, epoch: int, grid: Grid) -> Case:
    """Return the page of an epoch as it is presented to the model, with its neighbours."""
    before = _neighbours(night, epoch, -1, trained.context)[::-1]
    after = _neighbours(night, epoch, 1, trained.context)
    pictures = tuple(_png(night, views, one) for one in (*before, epoch, *after))
    page = UnscoredPage(night.basis.grid.epochs[epoch])
    [chat] = Questions(trained.prompt, trained.shown)([Asked(page, len(before), pictures)])
    lanes = tuple(lane.derivation for lane in views.lanes(_view(night, epoch)))
    pixels = _pixels(pictures[len(before)])
    place, left_px = trained.shown.place(len(before), pixels.shape[1])
    return Case(
        Page("", "", night.place.name, page.epoch, "", None),
        lanes,
        chat,
        place,
        pixels,
        grid.ground([name is None for name in lanes]),
        left_px=left_px,
    )


def _neighbours(night: Night, epoch: int, step: int, most: int) -> list[int]:
    """Return the epochs next to an epoch, nearest first, as far as they follow without a gap."""
    grid, here = night.basis.grid, epoch
    found: list[int] = []
    while len(found) < most:
        there = here + step
        if not 0 <= there < len(grid) or night.reasons[there]:
            break
        apart_s = abs(grid.onsets_s[there] - grid.onsets_s[here])
        if abs(apart_s - grid.epoch_s) > 0.01:
            break
        found.append(there)
        here = there
    return found


def _fills(night: Night, views: NightViews, epoch: int, stage: int) -> tuple[Pixels, ...]:
    """Return pages of the night with other stages, one each, the nearest in time."""
    nearest: dict[str, int] = {}
    for other in sorted(range(len(night)), key=lambda one: abs(one - epoch)):
        name = night.answers.epochs[other].stage
        if name and name != STAGE_NAMES[stage] and other != epoch and not night.reasons[other]:
            nearest.setdefault(name, other)
    chosen = list(nearest.values())[:MOST_FILLS]
    return tuple(_pixels(_png(night, views, other)) for other in chosen)


def _by_window(case: Case, score: PageScorer, grid: Grid, stage: int) -> Floats:
    """Return (n_windows,) the margin with each window filled, the mean over the fills."""
    edges = list(zip(grid.lefts[:-1].tolist(), grid.lefts[1:].tolist(), strict=True))
    masks = []
    for left, right in edges:
        mask = np.zeros(grid.page, bool)
        mask[:, left:right] = True
        masks.append(mask)
    changed = (cells.mixed(case.pixels, fill, mask) for fill in case.fills for mask in masks)
    margins = margin(score(case, changed), stage)
    return np.asarray(margins.reshape(len(case.fills), len(edges)).mean(axis=0))


def _view(night: Night, epoch: int) -> View:
    grid = night.basis.grid
    page = UnscoredPage(grid.epochs[epoch], grid.onsets_s[epoch], grid.epoch_s)
    return View(page.page_start_s)


def _png(night: Night, views: NightViews, epoch: int) -> bytes:
    return views.png(_view(night, epoch))


def _pixels(png: bytes) -> Pixels:
    return np.asarray(picture.decode(png))
