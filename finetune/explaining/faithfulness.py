"""Faithfulness: deletion and insertion curves that test an explanation against two controls.

The cells of a page are successively replaced by those of another page, its fill (deletion), or
inserted into the fill (insertion), the most important first, and the margin is recorded. The controls
are cells in random order and cells with most ink first. Petsiuk et al., arXiv:1806.07421.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from psgimg.finetune.explaining import cells
from psgimg.finetune.explaining.cells import Floats, Grid, Pixels, Units
from psgimg.finetune.explaining.margins import Case, PageScorer, margin
from psgimg.finetune.metrics.jackknife import Interval, mean

SHARES = np.linspace(0, 1, 11)
"""Fractions, of the cells in which page and fill differ, at which the margin is computed."""
N_RANDOM = 3
ORDERS = ("explanation", "random", "ink")
CONTROLS = ORDERS[1:]
WAYS = ("deletion", "insertion")


@dataclass(frozen=True)
class Curves:
    """Deletion and insertion curves of one page.

    Parameters
    ----------
    deletion, insertion
        Order → (11,) margin at each of ``SHARES``, in nats.
    """

    deletion: dict[str, Floats]
    insertion: dict[str, Floats]

    def gain(self, way: str, control: str) -> float:
        """Return the mean difference between explanation and control, positive if better."""
        curves, sign = (self.deletion, -1) if way == "deletion" else (self.insertion, 1)
        return sign * (area(curves["explanation"]) - area(curves[control]))


@dataclass(frozen=True)
class Verdict:
    """Whether explanations are faithful to the model.

    Parameters
    ----------
    gains
        (way, control) → mean of ``Curves.gain`` over the pages, with its interval over subjects.
    """

    gains: dict[tuple[str, str], Interval]

    @property
    def believable(self) -> bool:
        """Whether both curves are better than both controls, with intervals that exclude 0."""
        return all(gain.low > 0 for gain in self.gains.values())

    @property
    def words(self) -> str:
        """The verdict in one line."""
        if self.believable:
            return (
                "The explanation is faithful: the cells it ranks highest change the answer more than "
                "random cells and than the cells with most ink, in both deletion and insertion."
            )
        if reasons := dict.fromkeys(gain.reason for gain in self.gains.values() if gain.reason):
            return f"Faithfulness can't be assessed: {', '.join(reasons)}."
        failed = ", ".join(
            f"{way} against {control} ({gain})"
            for (way, control), gain in self.gains.items()
            if not gain.low > 0
        )
        return f"The explanation is not faithful: no better than a control in {failed}."


def curves(
    case: Case,
    stage: int,
    fill: Pixels,
    importance: Floats,
    score: PageScorer,
    grid: Grid,
    seed: Sequence[int],
) -> Curves:
    """Compute the curves of one page.

    Parameters
    ----------
    case
        The page.
    stage
        The model's answer.
    fill : (height, width, 3)
        Page whose cells replace those of the page; not one from which the attribution was made.
    importance : (n_lanes, n_windows)
        Attribution of each cell.
    score
        The model.
    grid
        Layout of the cells.
    seed
        Seed of the random order.
    """
    amount = grid.total(case.ink).ravel()
    changed = np.flatnonzero(grid.total(cells.ink(case.pixels, fill)))
    rng = np.random.default_rng(seed)
    ranked = {
        "explanation": [changed[np.argsort(-importance.ravel()[changed], kind="stable")]],
        "ink": [changed[np.argsort(-amount[changed], kind="stable")]],
        "random": [rng.permutation(changed) for _ in range(N_RANDOM)],
    }
    # A reversed random order is a random order too: the deletion curve reversed is an insertion curve.
    plans = [(name, order, False) for name, orders in ranked.items() for order in orders]
    plans += [(name, ranked[name][0], True) for name in ("explanation", "ink")]
    pictures = (
        picture
        for _, order, inserts in plans
        for picture in _steps(case, fill, grid, order, inserts)
    )
    ends = margin(score(case, [case.pixels, fill]), stage)
    inner = margin(score(case, pictures), stage).reshape(len(plans), -1)
    outer = np.array([ends[::-1] if inserts else ends for _, _, inserts in plans])
    margins = np.column_stack([outer[:, 0], inner, outer[:, 1]])
    deletion = {name: _mean(plans, margins, name, False) for name in ORDERS}
    insertion = {name: _mean(plans, margins, name, True) for name in ("explanation", "ink")}
    return Curves(deletion, {**insertion, "random": deletion["random"][::-1]})


def verdict(curves: Sequence[Curves], subjects: Sequence[Hashable]) -> Verdict:
    """Return the verdict over the curves of some pages, given whose page each is."""
    return Verdict(
        {
            (way, control): mean([page.gain(way, control) for page in curves], subjects)
            for way in WAYS
            for control in CONTROLS
        }
    )


def area(curve: Floats) -> float:
    """Return the mean height of a curve over ``SHARES``."""
    return float(np.trapezoid(curve, SHARES))


def _steps(case: Case, fill: Pixels, grid: Grid, order: Units, inserts: bool) -> Iterator[Pixels]:
    """Yield the page with more and more cells filled, or the fill with more and more inserted."""
    units, n_cells = grid.units, grid.shape[0] * grid.shape[1]
    for share in SHARES[1:-1]:
        chosen = np.zeros(n_cells, np.bool_)
        chosen[order[: round(share * len(order))]] = True
        yield cells.mixed(case.pixels, fill, chosen[units] != inserts)


def _mean(
    plans: Sequence[tuple[str, Units, bool]], margins: Floats, name: str, inserts: bool
) -> Floats:
    chosen = [i for i, plan in enumerate(plans) if (plan[0], plan[2]) == (name, inserts)]
    return np.asarray(margins[chosen].mean(axis=0))
