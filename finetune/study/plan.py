"""Plan: the cells of a study as steps, one command each; steps are shared between cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from psgimg.builder.errors import BuildError
from psgimg.builder.files import quoting
from psgimg.finetune.models.manifest import TINY
from psgimg.finetune.study import (
    baseline_cells,
    claims,
    command_words,
    grid,
    labels,
    night_cells,
    step,
)
from psgimg.finetune.study.claims import Claims
from psgimg.finetune.study.explanation import explanation
from psgimg.finetune.study.grid import (
    BASELINE,
    CORRUPT,
    DATASET,
    FOLD,
    TEST,
    TRAIN,
    ZERO_SHOT,
    Study,
)
from psgimg.finetune.study.step import Step

SEED = "seed"

BASE = "base"
"""Name of a cell without any factor."""


@dataclass(frozen=True)
class Cell:
    """One combination of factors.

    Parameters
    ----------
    factors
        Every factor of the study → label of its value; None if the factor has no effect on the cell.
    given
        Factors that the study file sets for this cell; the others have their shared value.
    training
        The training step; None for a model used without training, and for a baseline.
    prediction, evaluation
        The prediction and evaluation steps; a baseline learns and predicts in one.
    claims
        The claims that the cell tests; empty for a reference, which belongs to every claim.
    explanation
        The step that explains the model; None but for the first cell of a study that asks for it.
    explanation_claims
        The claims that the explanation tests; empty if it belongs to every claim.
    """

    factors: Mapping[str, str | None]
    given: tuple[str, ...]
    training: Step | None
    prediction: Step
    evaluation: Step
    claims: Claims = ()
    explanation: Step | None = None
    explanation_claims: Claims = ()

    @property
    def goals(self) -> tuple[Step, ...]:
        """The steps that nothing else needs."""
        return (self.evaluation, *([self.explanation] if self.explanation else []))

    def without(self, *names: str) -> dict[str, str | None]:
        """Return the factors but for some."""
        return {name: value for name, value in self.factors.items() if name not in names}

    @property
    def name(self) -> str:
        """Name of the cell in messages."""
        return named(self.factors, self.given)


def named(factors: Mapping[str, str | None], given: Sequence[str]) -> str:
    """Return a name for some factors: ``style paper, seed 0``."""
    words = [f"{name} {value}" for name in given if (value := factors.get(name)) is not None]
    return ", ".join(words) or BASE


def plan(study: Study) -> list[Cell]:
    """Return the cells of a study in order; cells with the same prediction step are merged.

    Raises
    ------
    BuildError
        If a cell is found to be invalid before it is run.
    """
    cells: dict[str, Cell] = {}
    for factors, names in zip(study.cells, study.claims, strict=True):
        cell = replace(_cell(study, factors), claims=names)
        first = cells.get(cell.prediction.id, cell)
        cells[cell.prediction.id] = replace(first, claims=claims.joined(first.claims, names))
    _refuse_split_beside_folds(study.path, cells.values())
    first, *others = cells.values()
    if study.explain is None:
        return [first, *others]
    chosen = _options(study, study.cells[0])
    options = {**command_words.pages(chosen["predict"]), **study.explain}
    explained = explanation(study.path, options, first.training, first.prediction)
    names = study.explain_claims
    return [replace(first, explanation=explained, explanation_claims=names), *others]


def _refuse_split_beside_folds(path: Path, cells: Iterable[Cell]) -> None:
    """Refuse a setting tested on folds and on the split test too, which would test people twice."""
    folds: dict[tuple[Any, ...], set[str | None]] = {}
    for cell in cells:
        other = (*cell.without(SEED, FOLD).items(),)
        folds.setdefault(other, set()).add(cell.factors.get(FOLD))
    if any(len(found) > 1 and labels.NO_FOLD in found for found in folds.values()):
        raise BuildError(
            f"{path}: some cells have a fold and others, otherwise equal, have none; give all of them a "
            "fold, or compare the two in studies of their own"
        )


def steps(cells: Sequence[Cell]) -> list[Step]:
    """Return every step that the cells need, without duplicates, in order of execution."""
    return step.ordered(goal for cell in cells for goal in cell.goals)


def check(study: Study, cells: Sequence[Cell]) -> None:
    """Refuse options that `psgimg sft` would refuse, and baselines that lack their libraries.

    Takes seconds, as TRL is imported.

    Raises
    ------
    BuildError
        With the error message of `psgimg sft` for the first invalid training.
    """
    for cell in cells:
        if (method := cell.factors.get(BASELINE)) not in (None, baseline_cells.NONE):
            baseline_cells.check_libraries(study.path, str(method))
    trainings = {cell.training.id: cell.training for cell in cells if cell.training}
    command_words.check_sft(study.path, [training.words[1:] for training in trainings.values()])


def _cell(study: Study, factors: Mapping[str, Any]) -> Cell:
    """Return the cell of one combination."""
    if method := baseline_cells.method_of(study.path, factors):
        return _baseline_cell(study, factors, method)
    chosen = _options(study, factors)
    zero_shot = bool(factors.get(ZERO_SHOT))
    train, test = _datasets(study, factors, chosen)
    model = chosen["sft"].get("model")
    if not isinstance(model, str):
        raise BuildError(f"{study.path}: no model; give sft: {{model: …}} or the factor model")
    if zero_shot and model == TINY:
        raise BuildError(
            f"{study.path}: zero-shot: {TINY} has random weights before training; give a pre-trained "
            "model, or exclude these cells by listing the others under cells"
        )
    training = None if zero_shot else _training(chosen["sft"], train)
    options = dict(chosen["predict"])
    if zero_shot:
        own = {
            name: chosen["sft"][name]
            for name in labels.ZERO_SHOT_OPTIONS[1:]
            if name in chosen["sft"]
        }
        options = {**own, **options}
    command_words.check_predict(study.path, options)
    prediction = _prediction(options, training or model, test)
    if night_cells.is_night(study.path, factors):
        held_out = _prediction({**options, **night_cells.VALIDATION}, training or model, train)
        pages = command_words.pages(options)
        prediction = night_cells.decoded(prediction, held_out, train, pages)
    shown = labels.of(study, factors, zero_shot)
    return Cell(shown, tuple(factors), training, prediction, step.evaluation(prediction))


def _baseline_cell(study: Study, factors: Mapping[str, Any], method: str) -> Cell:
    """Return the cell of one combination that a baseline stages."""
    effective = baseline_cells.effective(study, factors, method)
    chosen = _options(study, effective)
    data = _datasets(study, effective, chosen)
    source = None if DATASET in effective else _source(effective, chosen)
    prediction = baseline_cells.prediction(study.path, method, chosen, data, source)
    if night_cells.is_night(study.path, factors):
        held_out = baseline_cells.prediction(
            study.path,
            method,
            {**chosen, "predict": {**chosen["predict"], **night_cells.VALIDATION}},
            (data[0], data[0]),
            source,
        )
        pages = command_words.pages(chosen["predict"])
        prediction = night_cells.decoded(prediction, held_out, data[0], pages)
    shown = {
        name: value if baseline_cells.applies(name, method) else None
        for name, value in labels.of(study, factors, False).items()
    }
    return Cell(shown, tuple(factors), None, prediction, step.evaluation(prediction))


def _options(study: Study, factors: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the options of each command, including those set by factors."""
    chosen = {section: dict(values) for section, values in study.options.items()}
    for factor, value in factors.items():
        if factor not in grid.SPECIAL and not isinstance(value, Mapping):
            section, option = grid.option_of(factor)
            chosen[section][option] = value
    grid.share_fold(study.path, chosen)
    for section, values in chosen.items():
        command_words.check_names(study.path, section, values)
    return chosen


def _datasets(
    study: Study, factors: Mapping[str, Any], chosen: Mapping[str, Mapping[str, Any]]
) -> tuple[Step | str, Step | str]:
    """Return training and test dataset, each as the step that builds it or as an existing dataset."""
    corrupt = factors.get(CORRUPT, labels.CLEAN)
    if (existing := factors.get(DATASET)) is not None:
        if corrupt != labels.CLEAN or "corpus" in factors:
            raise BuildError(
                f"{study.path}: {DATASET} {existing} is built already; leave out corpus and {CORRUPT}"
            )
        if isinstance(existing, Mapping):
            return existing[TRAIN], existing[TEST]
        return existing, existing
    source = _source(factors, chosen)
    if source is None:
        raise BuildError(
            f"{study.path}: nothing to build; give build: {{source: …}}, or the factor corpus or {DATASET}"
        )
    train, test = (source[TRAIN], source[TEST]) if isinstance(source, Mapping) else (source, source)
    own = {} if train == test else chosen["test_build"]
    train_build = _built(study.path, train, chosen["build"])
    test_build = _built(study.path, test, {**chosen["build"], **own}, corrupt)
    return train_build, test_build


def _source(factors: Mapping[str, Any], chosen: Mapping[str, Mapping[str, Any]]) -> Any:
    return factors.get("corpus", chosen["build"].get("source"))


def _built(path: Path, source: Any, given: Mapping[str, Any], corrupt: Any = labels.CLEAN) -> Step:
    own = {"source": source, **{name: value for name, value in given.items() if name != "source"}}
    if corrupt != labels.CLEAN:
        own["corrupt"] = corrupt
        own.pop("variants", None)  # a twin has the test split alone, whose pages have none
    given_words = command_words.words("build", own, source if isinstance(source, str) else None)
    command_words.check_build(path, given_words)
    name = "-".join(source) if isinstance(source, list) else str(source)
    return step.make("build", ["build", *given_words], name)


def _training(given: Mapping[str, Any], train: Step | str) -> Step:
    given_words = command_words.words("sft", given)
    words = ["sft", "--dataset", step.place(train), *given_words]
    return step.make("sft", words, str(given["model"]), step.only_steps(train))


def _prediction(given: Mapping[str, Any], model: Step | str, test: Step | str) -> Step:
    words = ["predict", "--model", step.place(model), "--dataset", step.place(test)]
    name = model if isinstance(model, str) else model.own.rpartition("-")[0]
    words += command_words.words("predict", given)
    return step.make("predict", words, name, step.only_steps(model, test), ".parquet")


def commands(cells: Sequence[Cell]) -> list[str]:
    """Return every command of the cells in order, as it would be typed in the study's folder."""
    return [quoting.command(*map(_typed, one.words)) for one in steps(cells)]


def _typed(word: str) -> str:
    return word.removeprefix("@/") if word.startswith("@/") else labels.text(word)
