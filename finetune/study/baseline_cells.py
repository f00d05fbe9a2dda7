"""Baseline cells: cells of a study that `psgimg baseline` stages from signals instead of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from psgimg.builder.command_options import kebab
from psgimg.builder.corpora import registry
from psgimg.builder.errors import BuildError, PsgimgError
from psgimg.finetune.baselines.baseline import BaselineConfig
from psgimg.finetune.baselines.methods import METHODS, REMEDY
from psgimg.finetune.study import command_words, grid, step
from psgimg.finetune.study.command_words import OWN, PAGES, ROOT
from psgimg.finetune.study.grid import BASELINE, CORRUPT, DATASET, DECODE, TEST, TRAIN, Study
from psgimg.finetune.study.step import Step

NONE = "none"
"""Value of the factor ``baseline`` for the cells of models."""

STYLE = "style"
LEARNING = ("seed", "train_subjects", "soft_labels")
"""Options of the training of a model that the training of a baseline has too."""

Options = Mapping[str, Mapping[str, Any]]


def method_of(path: Path, factors: Mapping[str, Any]) -> str | None:
    """Return the method of a cell; None if it is that of a model.

    Raises
    ------
    BuildError
        If there is no such method.
    """
    method = factors.get(BASELINE, NONE)
    if method != NONE and method not in METHODS:
        raise BuildError(
            f"{path}: {BASELINE}: no method {method!r}; use {NONE}, {', '.join(METHODS)}"
        )
    return None if method == NONE else method


def applies(factor: str, method: str) -> bool:
    """Whether a factor has an effect on a baseline: it sees signals, no pages, and has no prompt."""
    if factor in (BASELINE, DATASET, CORRUPT, DECODE):
        return True
    section, option = grid.option_of(factor)
    if section == "sft":
        return option in LEARNING and METHODS[method].trains
    if section == "predict":
        return option in PAGES
    return section in ("build", "test_build", BASELINE) and factor != STYLE


def effective(study: Study, factors: Mapping[str, Any], method: str) -> dict[str, Any]:
    """Return the factors that determine a baseline's predictions.

    All styles of the study have the same signals; that of the first model is used, so that no page is
    drawn for the baseline alone.
    """
    own = {name: value for name, value in factors.items() if applies(name, method)}
    models = [cell for cell in study.cells if cell.get(BASELINE, NONE) == NONE]
    style = (models or study.cells)[0].get(STYLE)
    return own if style is None or DATASET in factors else {**own, STYLE: style}


def prediction(
    path: Path, method: str, chosen: Options, data: tuple[Step | str, Step | str], sources: Any
) -> Step:
    """Return the step that stages the test pages by a method.

    Parameters
    ----------
    chosen
        Options of each command.
    data
        Training and test dataset.
    sources
        Source of the build, as in the study; None for existing datasets.

    Raises
    ------
    BuildError
        If `psgimg baseline` would refuse an option.
    """
    train, test = data
    options = _options(method, chosen)
    _check(path, options)
    roots = _roots(chosen, sources, options.pop(ROOT, None))
    named = options.pop("source", [])
    listed = [named] if isinstance(named, str) else named
    files = dict.fromkeys([*listed, *filter(registry.is_file, _all(sources))])
    words = [BASELINE, "--dataset", step.place(train)]
    words += ["--on", step.place(test)] if test != train else []
    words += ["--method", method]
    words += command_words.words(BASELINE, {ROOT: roots, "source": list(files), **options})
    return step.make_baseline(words, method, step.only_steps(train, test))


def check_libraries(path: Path, method: str) -> None:
    """Refuse a method whose libraries are not installed, without importing them.

    Raises
    ------
    BuildError
        With the command that installs them.
    """
    for module in METHODS[method].modules:
        name = module.partition(".")[0]
        if find_spec(name) is None:
            raise BuildError(f"{path}: {BASELINE} {method}: {name} is missing; {REMEDY}")


def without_effect(cells: Sequence[Mapping[str, str | None]]) -> list[str]:
    """Return which factors have no effect on the baselines among some cells, one line each."""
    found: dict[str, list[str]] = {}
    for factors in cells:
        method = factors.get(BASELINE, NONE)
        if method and method != NONE:
            found[method] = [kebab(name) for name, value in factors.items() if value is None]
    return [
        f"no effect on the {BASELINE} {method}, shown as –: {', '.join(names)}"
        for method, names in found.items()
        if names
    ]


def _options(method: str, chosen: Options) -> dict[str, Any]:
    """Return the options of `psgimg baseline`: its own, and what it shares with the model's."""
    shared = command_words.pages(chosen["predict"])
    if METHODS[method].trains:
        shared |= {name: chosen["sft"][name] for name in LEARNING if name in chosen["sft"]}
    return {**shared, **chosen[BASELINE]}


def _check(path: Path, options: Mapping[str, Any]) -> None:
    names = [f.name for f in fields(BaselineConfig) if f.name not in OWN[BASELINE]]
    for name in options:
        if name not in names:
            raise BuildError(
                f"{path}: {BASELINE}: unknown option {kebab(name)}; use one of "
                f"{', '.join(map(kebab, names))}"
            )
    try:
        BaselineConfig("dataset", **options)
    except (TypeError, PsgimgError) as error:
        raise BuildError(f"{path}: {BASELINE}: {error}") from error


def _roots(chosen: Options, sources: Any, given: Any) -> list[str]:
    """Return the values of ``--root``: those given to the baseline, else those of the builds."""
    if given is not None:
        return _root_words(given, (), several=False)
    train, test = (sources[TRAIN], sources[TEST]) if isinstance(sources, Mapping) else [sources] * 2
    own = {} if train == test else chosen["test_build"]
    values = (chosen["build"].get(ROOT), own.get(ROOT, chosen["build"].get(ROOT)))
    several = len(set(_all(sources))) > 1
    words = [
        word
        for value, source in zip(values, (train, test), strict=True)
        for word in _root_words(value, _all(source), several=several)
    ]
    return list(dict.fromkeys(words))


def _root_words(value: Any, sources: Sequence[str], *, several: bool) -> list[str]:
    """Return the values of ``--root`` for a value in the study.

    Parameters
    ----------
    sources
        Sources that it is the root of; empty if that is not known.
    several
        Whether there are others, so that a corpus is named.
    """
    if value is None:
        return []
    if isinstance(value, Mapping):
        return [
            f"{_name(source)}={folder}"
            for source, folder in value.items()
            if not sources or source in sources
        ]
    if isinstance(value, list):
        return [str(one) for one in value]
    return [f"{_name(sources[0])}={value}" if several and len(sources) == 1 else str(value)]


def _name(source: str) -> str:
    return registry.corpus(source).name if registry.is_file(source) else source


def _all(sources: Any) -> list[str]:
    """Return the names in a source of the study: one, several, or those of training and test."""
    if isinstance(sources, Mapping):
        return [name for part in sources.values() for name in _all(part)]
    return [] if sources is None else sources if isinstance(sources, list) else [sources]
