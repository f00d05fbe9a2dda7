"""Faithfulness: whether what an explanation calls important is what the model's answer hangs on.

Cell after cell of a page is replaced by a fill's (deletion), or put on the fill (insertion), the most
important first, and the margin is watched. Beside it stand two controls: cells in random order, and
those with most ink first. Petsiuk et al., arXiv:1806.07421.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from psgimg.finetune.explaining import cells
from psgimg.finetune.explaining.cells import Floats, Grid, Pixels, Units
from psgimg.finetune.explaining.margins import Asking, Case, margin
from psgimg.finetune.explaining.page_intervals import Mean, mean

SHARES = np.linspace(0, 1, 11)
"""Of the cells in which page and fill differ, at which the margin is taken."""
N_RANDOM = 3
ORDERS = ("explanation", "random", "ink")
CONTROLS = ORDERS[1:]
WAYS = ("deletion", "insertion")


@dataclass(frozen=True)
class Curves:
    """Margins of one page.

    Parameters
    ----------
    deletion, insertion
        Order → (11,) margin at each of ``SHARES``.
    """

    deletion: dict[str, Floats]
    insertion: dict[str, Floats]

    def gain(self, way: str, control: str) -> float:
        """Mean distance of the explanation's curve from the control's, positive if it is better."""
        curves, sign = (self.deletion, -1) if way == "deletion" else (self.insertion, 1)
        return sign * (area(curves["explanation"]) - area(curves[control]))


@dataclass(frozen=True)
class Verdict:
    """Whether explanations can be believed.

    Parameters
    ----------
    gains
        (way, control) → mean of ``Curves.gain`` over the pages, with its interval.
    """

    gains: dict[tuple[str, str], Mean]

    @property
    def believable(self) -> bool:
        """Better than both controls both ways, by more than chance among pages."""
        return all(gain.low > 0 for gain in self.gains.values())

    @property
    def words(self) -> str:
        """The verdict in one line."""
        if self.believable:
            return (
                "The explanation can be believed: what it calls important moves the answer more than "
                "random cells and than the cells with most ink do, taken away and put back."
            )
        if any(np.isnan(gain.low) for gain in self.gains.values()):
            return "Whether the explanation can be believed is not told by one page; explain more."
        failed = ", ".join(
            f"{way} against {control} ({gain})"
            for (way, control), gain in self.gains.items()
            if not gain.low > 0
        )
        return f"The explanation can't be believed: no better than a control in {failed}."


def curves(
    case: Case,
    stage: int,
    fill: Pixels,
    ends: tuple[float, float],
    importance: Floats,
    ask: Asking,
    grid: Grid,
    seed: Sequence[int],
) -> Curves:
    """The curves of one page.

    Parameters
    ----------
    ends
        Margin of the page and of the fill.
    importance : (n_lanes, n_windows)
        What the explanation says.
    """
    amount = grid.total(case.ink).ravel()
    changed = np.flatnonzero(grid.total(cells.ink(case.pixels, fill)))
    rng = np.random.default_rng(seed)
    ranked = {
        "explanation": [changed[np.argsort(-importance.ravel()[changed], kind="stable")]],
        "ink": [changed[np.argsort(-amount[changed], kind="stable")]],
        "random": [rng.permutation(changed) for _ in range(N_RANDOM)],
    }
    # A random order read backwards is a random order: what deletes by one inserts by the other.
    plans = [(name, order, False) for name, orders in ranked.items() for order in orders]
    plans += [(name, ranked[name][0], True) for name in ("explanation", "ink")]
    pictures = (
        picture for _, order, put in plans for picture in _steps(case, fill, grid, order, put)
    )
    asked = margin(ask(case, pictures), stage).reshape(len(plans), -1)
    around = np.array([ends[::-1] if is_put else ends for _, _, is_put in plans])
    margins = np.column_stack([around[:, 0], asked, around[:, 1]])
    taken = {name: _mean(plans, margins, name, False) for name in ORDERS}
    put = {name: _mean(plans, margins, name, True) for name in ("explanation", "ink")}
    return Curves(taken, {**put, "random": taken["random"][::-1]})


def verdict(found: Sequence[Curves]) -> Verdict:
    """What the curves of all pages say together; the interval is over pages."""
    pages = np.arange(len(found))
    return Verdict(
        {
            (way, control): mean([page.gain(way, control) for page in found], pages)
            for way in WAYS
            for control in CONTROLS
        }
    )


def area(curve: Floats) -> float:
    """Mean height of a curve over ``SHARES``."""
    return float(np.trapezoid(curve, SHARES))


def _steps(case: Case, fill: Pixels, grid: Grid, order: Units, put: bool) -> Iterator[Pixels]:
    """The page with a growing share of cells filled, or the fill with them put on."""
    units, n_cells = grid.units, grid.shape[0] * grid.shape[1]
    for share in SHARES[1:-1]:
        chosen = np.zeros(n_cells, np.bool_)
        chosen[order[: round(share * len(order))]] = True
        yield cells.mixed(case.pixels, fill, chosen[units] != put)


def _mean(
    plans: Sequence[tuple[str, Units, bool]], margins: Floats, name: str, put: bool
) -> Floats:
    chosen = [i for i, (order, _, is_put) in enumerate(plans) if (order, is_put) == (name, put)]
    return np.asarray(margins[chosen].mean(axis=0))
