"""Plan: the cells of a study as steps, each one command; what several cells need is one step."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psgimg.builder.errors import BuildError
from psgimg.builder.render.recipe import digest
from psgimg.builder.render.style import CLINICAL
from psgimg.finetune.models.manifest import TINY
from psgimg.finetune.study import command_words, grid
from psgimg.finetune.study.content_hash import contents
from psgimg.finetune.study.grid import CORRUPT, DATASET, TEST, TRAIN, ZERO_SHOT, Study
from psgimg.finetune.training.psg_arguments import PsgArguments

FOLDERS = {"build": "builds", "sft": "models", "predict": "predictions", "evaluate": "evaluations"}
"""Where in the study's folder what a command makes lies."""

FINISHED = {"build": "build.json", "sft": "README.md", "predict": "", "evaluate": "metrics.json"}
"""The file that each command writes last, in what it makes."""

CLEAN = "none"
"""Of the factor ``corrupt``: pages as they are."""

SEED = "seed"

BASE = "base"
"""How a cell is called that differs in nothing."""

DEFAULTS = {
    "style": CLINICAL.name,
    CORRUPT: CLEAN,
    ZERO_SHOT: "no",
    "train_subjects": "all",
    **{name: str(getattr(PsgArguments(), name)) for name in ("prompt", "context", "sampling")},
}
"""What a factor is where neither a cell nor the study's options name it; else ``default``."""

ASKED_TOO = ("model", "prompt", "context")
"""Factors of teaching that a model which was not taught is asked with as well."""


@dataclass(frozen=True)
class Step:
    """One command of a study.

    Parameters
    ----------
    words
        After ``psgimg``; folders of the study are relative to it, and begin with ``@/``.
    id
        Name that other settings, and other contents of the files they name, have not.
    made
        What the command makes, relative to the study's folder.
    needs
        Steps that must be done before.
    """

    command: str
    words: tuple[str, ...]
    id: str
    made: str
    needs: tuple[Step, ...]

    @property
    def finished(self) -> str:
        """The file that is there once the command is done, relative to the study's folder."""
        last = FINISHED[self.command]
        return f"{self.made}/{last}" if last else self.made


@dataclass(frozen=True)
class Cell:
    """One combination of factors.

    Parameters
    ----------
    factors
        Every factor of the study → how its value is shown; None where it makes no difference.
    given
        Factors that the study file gives for this cell; the others are as for all.
    training
        None where the model was not taught.
    """

    factors: Mapping[str, str | None]
    given: tuple[str, ...]
    training: Step | None
    prediction: Step
    evaluation: Step

    @property
    def name(self) -> str:
        """How the cell is called in messages."""
        return named(self.factors, self.given)


def named(factors: Mapping[str, str | None], given: Sequence[str]) -> str:
    """Some factors in words: ``style paper, seed 0``."""
    words = [f"{name} {value}" for name in given if (value := factors.get(name)) is not None]
    return ", ".join(words) or BASE


def plan(study: Study) -> list[Cell]:
    """The cells of a study in order; those that would predict the same are one.

    Raises
    ------
    BuildError
        If a cell can't work, for what can be told before it runs.
    """
    cells: dict[str, Cell] = {}
    for factors in study.cells:
        cell = _cell(study, factors)
        cells.setdefault(cell.prediction.id, cell)
    return list(cells.values())


def steps(cells: Sequence[Cell]) -> list[Step]:
    """Every step that the cells need, each once, in the order of running."""
    found: dict[str, Step] = {}

    def add(step: Step) -> None:
        for need in step.needs:
            add(need)
        found.setdefault(step.id, step)

    for cell in cells:
        add(cell.evaluation)
    return list(found.values())


def check(study: Study, cells: Sequence[Cell]) -> None:
    """Refuse what the trainings' command would refuse; asked of it only here, as it takes seconds.

    Raises
    ------
    BuildError
        With what `psgimg sft` says of the first training that it refuses.
    """
    trainings = {cell.training.id: cell.training for cell in cells if cell.training}
    command_words.check_sft(study.path, [training.words[1:] for training in trainings.values()])


def _cell(study: Study, factors: Mapping[str, Any]) -> Cell:
    """The steps of one combination."""
    chosen = _options(study, factors)
    zero_shot = bool(factors.get(ZERO_SHOT))
    train, test = _datasets(study, factors, chosen)
    model = chosen["sft"].get("model")
    if not isinstance(model, str):
        raise BuildError(f"{study.path}: no model; give sft: {{model: …}} or the factor model")
    if zero_shot and model == TINY:
        raise BuildError(
            f"{study.path}: zero-shot: {TINY} has random weights before it is taught; give a model "
            "that has learned, or leave these cells out by listing others under cells"
        )
    training = None if zero_shot else _training(chosen["sft"], train)
    asked = dict(chosen["predict"])
    if zero_shot:
        own = {name: chosen["sft"][name] for name in ASKED_TOO[1:] if name in chosen["sft"]}
        asked = {**own, **asked}
    command_words.check_predict(study.path, asked)
    prediction = _prediction(asked, training or model, test)
    evaluation = _evaluation(prediction)
    labels = _labels(study, factors, zero_shot)
    return Cell(labels, tuple(factors), training, prediction, evaluation)


def _options(study: Study, factors: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Options of each command, with those that the factors set."""
    chosen = {section: dict(values) for section, values in study.options.items()}
    for factor, value in factors.items():
        if factor not in grid.SPECIAL and not isinstance(value, Mapping):
            section, option = grid.option_of(factor)
            chosen[section][option] = value
    for section, values in chosen.items():
        command_words.check_names(study.path, section, values)
    return chosen


def _datasets(
    study: Study, factors: Mapping[str, Any], chosen: Mapping[str, Mapping[str, Any]]
) -> tuple[Step | str, Step | str]:
    """What is learned from and what is tested on: a step that builds it, or a dataset that is there."""
    corrupt = factors.get(CORRUPT, CLEAN)
    if (there := factors.get(DATASET)) is not None:
        if corrupt != CLEAN or "corpus" in factors:
            raise BuildError(
                f"{study.path}: {DATASET} {there}: it is built already; leave out corpus and {CORRUPT}"
            )
        return (there[TRAIN], there[TEST]) if isinstance(there, Mapping) else (there, there)
    source = factors.get("corpus", chosen["build"].get("source"))
    if source is None:
        raise BuildError(
            f"{study.path}: nothing to build; give build: {{source: …}}, or the factor corpus or {DATASET}"
        )
    train, test = (source[TRAIN], source[TEST]) if isinstance(source, Mapping) else (source, source)
    own = {} if train == test else chosen["test_build"]
    learned = _built(study.path, train, chosen["build"])
    tested = _built(study.path, test, {**chosen["build"], **own}, corrupt)
    return learned, tested


def _built(path: Path, source: Any, given: Mapping[str, Any], corrupt: Any = CLEAN) -> Step:
    own = {"source": source, **{name: value for name, value in given.items() if name != "source"}}
    if corrupt != CLEAN:
        own["corrupt"] = corrupt
    given_words = command_words.words("build", own, source if isinstance(source, str) else None)
    command_words.check_build(path, given_words)
    name = "-".join(source) if isinstance(source, list) else str(source)
    return _step("build", ["build", *given_words], name)


def _training(given: Mapping[str, Any], train: Step | str) -> Step:
    given_words = command_words.words("sft", given)
    words = ["sft", "--dataset", _place(train), *given_words]
    return _step("sft", words, Path(str(given["model"])).name, _steps(train))


def _prediction(given: Mapping[str, Any], model: Step | str, test: Step | str) -> Step:
    words = ["predict", "--model", _place(model), "--dataset", _place(test)]
    name = Path(model).name if isinstance(model, str) else model.id.rpartition("-")[0]
    words += command_words.words("predict", given)
    return _step("predict", words, name.removeprefix("sft-"), _steps(model, test), ".parquet")


def _evaluation(prediction: Step) -> Step:
    own = Path(prediction.made).stem
    made = f"{FOLDERS['evaluate']}/{own}"
    words = ("evaluate", f"@/{prediction.made}", "--out", f"@/{made}")
    return Step("evaluate", words, f"evaluate-{own}", made, (prediction,))


def _step(
    command: str, words: list[str], name: str, needs: tuple[Step, ...] = (), suffix: str = ""
) -> Step:
    """A step whose id tells it from all with other settings."""
    key = digest({"words": words, "contents": contents(words)})[:8]
    own = f"{name.lower()}-{key}"
    made = f"{FOLDERS[command]}/{own}{suffix}"
    out = "--output-dir" if command == "sft" else "--out"
    return Step(command, (*words, out, f"@/{made}"), f"{command}-{own}", made, needs)


def _place(found: Step | str) -> str:
    return found if isinstance(found, str) else f"@/{found.made}"


def _steps(*found: Step | str) -> tuple[Step, ...]:
    return tuple(step for step in found if isinstance(step, Step))


def _labels(study: Study, factors: Mapping[str, Any], zero_shot: bool) -> dict[str, str | None]:
    """How the values of a cell's factors are shown."""
    labels: dict[str, str | None] = {}
    for factor in study.factors:
        section, option = grid.option_of(factor)
        if zero_shot and section == "sft" and factor not in ASKED_TOO:
            labels[factor] = None
            continue
        base = study.options.get(section, {}).get(option, DEFAULTS.get(factor, "default"))
        labels[factor] = label(factors.get(factor, base), zero_shot)
    return labels


def label(value: Any, zero_shot: bool = False) -> str:
    """A factor's value as people read it, without this machine's folders."""
    if isinstance(value, Mapping):
        parts = [label(value[part]) for part in (TRAIN, TEST)]
        return f"→ {parts[1]}" if zero_shot else " → ".join(parts)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " + ".join(label(one) for one in value)
    text = str(value)
    return Path(text).name if text.startswith(("/", "./", "../", "~")) else text


def commands(cells: Sequence[Cell]) -> list[str]:
    """Every command of the cells in order, as one would type it in the study's folder."""
    return [shlex.join(["psgimg", *map(_typed, step.words)]) for step in steps(cells)]


def _typed(word: str) -> str:
    return word.removeprefix("@/") if word.startswith("@/") else label(word)
