"""Intervals: how often 95 % intervals over subjects cover the true figure, by simulation.

    python benchmarks/intervals.py --out docs/intervals.json

A large population of subjects is simulated, each with a confusion table of two models. Studies draw a
few of them; a method covers if its interval includes the figure of the whole population (single), or
the difference between the two models there (pair). Takes about five minutes of one core.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import interval_methods as methods
import numpy as np
import numpy.typing as npt
from psgimg.builder.stages import Stage
from psgimg.finetune.metrics import metric_table, metrics
from psgimg.finetune.metrics.metric_table import Metric

SUBJECTS = (2, 3, 4, 5, 7, 10, 20, 50, 100)
STUDIES, BOOTSTRAPPED, STUDENTISED = 2000, 200, 60
"""Studies of each size; of those, the ones that are also bootstrapped, which takes longer."""
ROUNDS, FEW_ROUNDS, MOST_STUDENTISED = 299, 199, 10
POPULATION = 20_000
BATCH = 20_000

KEYS = ("accuracy", "macro_f1", "kappa", "f1_N1", "f1_N3")
MIX = np.array([0.22, 0.06, 0.44, 0.12, 0.16])
"""Shares of the stages in a night."""
CONFUSED = np.array(
    [
        [0, 0.5, 0.3, 0.03, 0.17],
        [0.3, 0, 0.5, 0.01, 0.19],
        [0.15, 0.25, 0, 0.35, 0.25],
        [0.02, 0.01, 0.97, 0, 0],
        [0.15, 0.35, 0.5, 0, 0],
    ]
)
"""What a wrong answer is, by scored stage."""

Tables = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Population:
    """How subjects differ.

    Parameters
    ----------
    recall
        Median recall of each stage.
    person, stage
        Standard deviation between subjects, on the logit scale, of all recalls together and of each.
    failing
        Share of subjects in whom a model fails.
    unequal
        Whether subjects have 1 to 8 nights, some of them short; else one night each.
    without_n3, without_n1
        Shares of subjects without these stages.
    sure_of_n3
        Whether other stages are hardly ever taken for N3.
    """

    recall: tuple[float, ...] = (0.92, 0.45, 0.86, 0.78, 0.85)
    person: float = 0.6
    stage: float = 0.8
    failing: float = 0.0
    unequal: bool = False
    without_n3: float = 0.1
    without_n1: float = 0.0
    sure_of_n3: bool = False

    def draw(self, n: int, rng: np.random.Generator) -> Tables:
        """Return (n, 2, 5, 6) confusion tables: subjects, models, scored, predicted."""
        epochs = self._epochs(n, rng)
        person, stage = rng.normal(size=(n, 1)), rng.normal(size=(n, 5))
        failing = rng.random((n, 1)) < self.failing
        recall = np.array(self.recall)
        found = np.zeros((n, 2, 5, 6), np.int64)
        for model in range(2):  # they share most of what is hard about a subject
            z = np.log(recall / (1 - recall)) + 0.1 * model - 2.5 * failing
            z = z + self.person * (0.8 * person + 0.6 * rng.normal(size=(n, 1)))
            z = z + self.stage * (0.8 * stage + 0.6 * rng.normal(size=(n, 5)))
            right = 1 / (1 + np.exp(-z))
            said = CONFUSED * rng.gamma(2, 0.5, size=(n, 5, 5))
            said *= ((1 - right) / said.sum(axis=2))[..., None]
            said[:, range(5), range(5)] = right
            if self.sure_of_n3:
                said[:, [0, 1, 2, 4], Stage.N3] *= 0.02
            said /= said.sum(axis=2, keepdims=True)
            found[:, model, :, :5] = rng.multinomial(epochs, said)
        return found

    def _epochs(self, n: int, rng: np.random.Generator) -> Tables:
        """Return (n, 5) epochs of each stage."""
        lengths = np.maximum(rng.normal(900, 150, n), 200).astype(int)
        if self.unequal:
            nights = rng.choice([1, 2, 3, 8], n, p=[0.6, 0.2, 0.1, 0.1])
            lengths = nights * rng.choice([150, 450, 900, 1100], n)
        mix = rng.dirichlet(MIX * 25, n)
        for stage, share in ((Stage.N3, self.without_n3), (Stage.N1, self.without_n1)):
            mix[rng.random(n) < share, stage] = 0
        return rng.multinomial(lengths, mix / mix.sum(axis=1, keepdims=True))


POPULATIONS = {
    "typical": Population(),
    "near perfect": Population((0.985, 0.8, 0.97, 0.95, 0.98), person=0.8, stage=1.2),
    "fails in a tenth": Population(person=0.5, stage=0.6, failing=0.1),
    "unequal nights": Population(unequal=True),
    "stages missing": Population(without_n3=0.5, without_n1=0.25),
    "N3 in a seventh": Population(without_n3=0.85, without_n1=0.4, sure_of_n3=True),
    "unequal, N3 in two fifths": Population(unequal=True, without_n3=0.6, sure_of_n3=True),
}


def main() -> None:
    """Simulate all populations, and print or write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=STUDIES)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows = {}
    for number, (name, population) in enumerate(POPULATIONS.items()):
        rows |= simulate(name, population, options.studies, np.random.default_rng(number))
        print(name, "is simulated", flush=True)
    facts = {"command": "python benchmarks/intervals.py", "studies": options.studies}
    facts |= {"bootstrapped": min(BOOTSTRAPPED, options.studies)}
    facts |= {"studentised": min(STUDENTISED, options.studies), "subjects": SUBJECTS}
    text = written(facts, rows)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    else:
        print(text)


def simulate(
    name: str, population: Population, studies: int, rng: np.random.Generator
) -> dict[str, dict[str, list[float | None]]]:
    """Return ``population | metric | single or pair | method`` → coverage, width, none by subjects."""
    people = population.draw(POPULATION, rng)
    total = people.sum(axis=0)
    rows: dict[str, dict[str, list[float | None]]] = {}
    for n in SUBJECTS:
        counts: dict[str, Floats] = {}
        for begin in range(0, studies, step := max(1, BATCH // n)):
            size = min(step, studies - begin)
            tables = people[rng.integers(len(people), size=(size, n))]
            heavy = [max(0, min(size, most - begin)) for most in (BOOTSTRAPPED, STUDENTISED)]
            for metric in chosen():
                truth = metric.each(total)
                for kind, method, ends in candidates(metric, tables, heavy, rng):
                    true = truth[0] if kind == "single" else truth[1] - truth[0]
                    key = f"{name} | {metric.key} | {kind} | {method}"
                    counts[key] = counts.get(key, np.zeros(4)) + _counted(ends, true)
        for key, (total_n, has, covers, width) in counts.items():
            row = rows.setdefault(key, {"coverage": [], "width": [], "none": []})
            row["coverage"].append(round(covers / has, 3) if has else None)
            row["width"].append(round(width / has, 3) if has else None)
            row["none"].append(round(1 - has / total_n, 3))
    return rows


def chosen() -> list[Metric]:
    """Return the simulated metrics."""
    return [metric for metric in metric_table.METRICS if metric.key in KEYS]


def candidates(
    metric: Metric, tables: Tables, heavy: list[int], rng: np.random.Generator
) -> Iterator[tuple[str, str, Floats]]:
    """Yield kind, method and (n_studies, 2) ends of every candidate.

    Parameters
    ----------
    metric
        The figure.
    tables : (n_studies, n_subjects, 2, 5, 6)
        Confusion tables of two models.
    heavy
        Number of studies for the bootstraps, and for the studentised one.
    rng
        Source of the resamples.
    """
    totals = tables.sum(axis=1)
    values = _of(metric, totals)
    without = _of(metric, totals[:, None] - tables)
    resampled = [_resampled(metric, study, ROUNDS, rng) for study in tables[: heavy[0]]]
    few = tables[: heavy[1] if tables.shape[1] <= MOST_STUDENTISED else 0]
    units = [_resampled(metric, study, FEW_ROUNDS, rng, errors=True) for study in few]
    for kind in ("single", "pair"):
        reach = 1 - metric.lowest
        within = (metric.lowest, 1.0) if kind == "single" else (-reach, reach)
        value, left = _kind(values, kind), _kind(without, kind)
        yield kind, "jackknife-t", methods.plain(value, left, within)
        yield kind, "jackknife-t, logit", methods.logit(value, left, within)
        weights = _weights(metric, tables if kind == "pair" else tables[:, :, :1])
        yield kind, "as printed", methods.effective(value, left, within, weights)
        for method, ends in _bootstrapped(kind, within, resampled, units, value, left).items():
            yield kind, method, np.array(ends)


def _bootstrapped(
    kind: str,
    within: tuple[float, float],
    resampled: list[Floats],
    units: list[Any],
    value: Floats,
    left: Floats,
) -> dict[str, list[Floats]]:
    """Return method → ends of each bootstrapped study; methods without any are left out."""
    drawn = [_kind(one, kind) for one in resampled]
    own = methods.error(left)
    found = {
        "percentile": [methods.percentile(one) for one in drawn],
        "BCa": [methods.accelerated(*each) for each in zip(drawn, value, left, strict=False)],
        "bootstrap-t": [
            methods.studentised(_kind(one[0], kind), one[1 + (kind == "pair")][:, 0], within, *each)
            for one, *each in zip(units, value, own, strict=False)
        ],
    }
    return {method: ends for method, ends in found.items() if ends}


def _of(metric: Metric, tables: Tables) -> Floats:
    """Return (...) values of tables (..., 5, 6)."""
    return metric.each(tables.reshape(-1, 5, 6)).reshape(tables.shape[:-2])


def _kind(values: Floats, kind: str) -> Floats:
    """Return (...) values of the first model, or differences, from (..., 2)."""
    return values[..., 0] if kind == "single" else values[..., 1] - values[..., 0]


def _weights(metric: Metric, tables: Tables) -> Floats:
    """Return (n_studies, n_subjects) the epochs of each subject with any bearing on a metric."""
    weights = tables.sum(axis=(2, 3, 4)).astype(float)
    total = tables.sum(axis=(1, 2))
    if metric.stage is not None:
        weights *= tables[:, :, 0, metric.stage].sum(axis=2) > 0
    if metric.counts_unscored:
        only = (total.sum(axis=2) == 0) & (total.sum(axis=1)[:, : metrics.N_STAGES] > 0)
        weights *= ~only.any(axis=1, keepdims=True)
    return weights


def _resampled(
    metric: Metric, study: Tables, rounds: int, rng: np.random.Generator, errors: bool = False
) -> Any:
    """Return (rounds, 2) bootstrap values; with ``errors``, also (rounds, 1) jackknife errors of each kind."""
    n = len(study)
    counts = rng.multinomial(n, np.full(n, 1 / n), size=rounds)
    totals = np.tensordot(counts, study, axes=1)
    drawn = _of(metric, totals)
    if not errors:
        return drawn
    left = _of(metric, totals[:, None] - study)  # of subjects that were not drawn: weight 0
    found = []
    for kind in ("single", "pair"):
        value = np.where(counts > 0, _kind(left, kind), 0.0)
        centre = (counts * value).sum(axis=1, keepdims=True) / n
        spread = (counts * (value - centre) ** 2).sum(axis=1, keepdims=True)
        found.append(np.sqrt((n - 1) / n * spread))
    return drawn, *found


def _counted(ends: Floats, true: float) -> Floats:
    """Return the numbers of studies, of intervals, of those that cover, and the sum of their widths."""
    has = np.isfinite(ends).all(axis=1)
    covers = has & (ends[:, 0] <= true) & (true <= ends[:, 1])
    return np.array([len(ends), has.sum(), covers.sum(), (ends[has, 1] - ends[has, 0]).sum()])


def written(facts: dict[str, Any], rows: dict[str, Any]) -> str:
    """Return the results as JSON with one line per row."""
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in facts.items()]
    inner = ",\n  ".join(f"{json.dumps(key)}: {json.dumps(row)}" for key, row in rows.items())
    return "{\n " + ",\n ".join([*lines, f'"results": {{\n  {inner}\n }}']) + "\n}\n"


if __name__ == "__main__":
    main()
