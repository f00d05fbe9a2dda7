"""Grid: what a study is asked to try, read from its YAML file into cells of factors."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psgimg.builder import yaml_file
from psgimg.builder.command_options import kebab, snake
from psgimg.builder.errors import BuildError

SECTIONS = ("build", "test_build", "sft", "predict")
"""Options that all cells share, by command; ``test_build`` is what differs for another test corpus."""

KEYS = ("name", *SECTIONS, "grid", "cells")

FACTORS = {
    "corpus": "build.source",
    "style": "build.style",
    "montage": "build.montage",
    "filters": "build.filters",
    "model": "sft.model",
    "prompt": "sft.prompt",
    "context": "sft.context",
    "train_subjects": "sft.train_subjects",
    "sampling": "sft.sampling",
    "augment": "sft.augment",
    "max_pixels": "sft.max_pixels",
    "seed": "sft.seed",
    "mode": "predict.mode",
}
"""Factors with a short name, and the option each sets. Any other is written as ``sft.learning-rate``."""

DATASET, CORRUPT, ZERO_SHOT = "dataset", "corrupt", "zero_shot"
SPECIAL = (DATASET, CORRUPT, ZERO_SHOT)
"""Factors that are no single option: a dataset that is there already, the test pages corrupted, and
a model asked before it is taught.
"""

TRAIN, TEST = "train", "test"
"""Keys of a factor's value where what is learned from and what is tested on differ."""

PAIRED = ("corpus", DATASET)
"""Factors whose value may be such a pair."""

Factors = Mapping[str, Any]


@dataclass(frozen=True)
class Study:
    """What a study file says.

    Parameters
    ----------
    options
        Section → option → value, for every cell.
    factors
        Names of the factors, in the file's order.
    cells
        Factor → value of every combination, each once. A cell names only what differs from
        ``options``, so a factor may be absent.
    """

    path: Path
    name: str
    options: Mapping[str, Mapping[str, Any]]
    factors: tuple[str, ...]
    cells: tuple[Factors, ...]


def read(path: Path) -> Study:
    """Read a study.

    Raises
    ------
    BuildError
        If the file can't be read, or a key, factor or value is none; the message names it.
    """
    values = _mapping(path, "the file", yaml_file.read(path, ""))
    _known(path, "key", values, KEYS)
    given = {name: {} if values.get(name) is None else values[name] for name in SECTIONS}
    options = {name: _mapping(path, kebab(name), given[name]) for name in SECTIONS}
    grid = _listed(path, "grid", _mapping(path, "grid", values.get("grid") or {}))
    some = values.get("cells") or [{}]
    if not isinstance(some, list):
        raise BuildError(f"{path}: cells: expected a list such as `- {{style: paper}}`")
    places = [f"cells {i}" for i in range(1, len(some) + 1)]
    own = [
        _listed(path, place, _mapping(path, place, cell), several=False)
        for place, cell in zip(places, some, strict=True)
    ]
    for place, cell in zip(places, own, strict=True):
        if twice := sorted(set(cell) & set(grid)):
            raise BuildError(
                f"{path}: {place}: {kebab(twice[0])} is in grid already; give it in one of them"
            )
    cells = [{**one, **other} for cell in own for one in product(cell) for other in product(grid)]
    factors = tuple(dict.fromkeys(name for part in (*own, grid) for name in part))
    return Study(path, _name(path, values), options, factors, tuple(_unique(cells)))


def product(grid: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    """Every combination of the values, the last factor changing first."""
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def option_of(factor: str) -> tuple[str, str]:
    """Section and option that a factor sets."""
    section, _, option = FACTORS.get(factor, factor).partition(".")
    return section, option


def _name(path: Path, values: Mapping[str, Any]) -> str:
    name = values.get("name") or path.stem
    if not isinstance(name, str) or "\n" in name:
        raise BuildError(f"{path}: name: {name!r} is not one line of text")
    return name


def _mapping(path: Path, place: str, value: Any) -> dict[str, Any]:
    """Lines of a mapping; their names may be spelt with dashes or underscores, and have the latter."""
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise BuildError(f"{path}: {place}: expected `name: value` lines, found {value!r:.60}")
    found: dict[str, Any] = {}
    for key, one in value.items():
        if snake(key) in found:
            raise BuildError(f"{path}: {place}: {kebab(key)} is given twice; give it once")
        found[snake(key)] = one
    return found


def _known(path: Path, noun: str, found: Iterable[str], known: Iterable[str]) -> None:
    known = list(known)
    for name in found:
        if name not in known:
            raise BuildError(f"{path}: unknown {noun} {kebab(name)}; there are {_listing(known)}")


def _listing(names: Iterable[str]) -> str:
    return ", ".join(map(kebab, names))


def _listed(
    path: Path, place: str, found: dict[str, Any], several: bool = True
) -> dict[str, list[Any]]:
    """Factors with a list of values each; a cell may give a single value."""
    listed = {}
    for factor, values in found.items():
        _check_factor(path, place, factor)
        if several and not isinstance(values, list):
            shown = kebab(factor)
            raise BuildError(f"{path}: {place}: {shown}: {values!r} is no list; write [{values}]")
        listed[factor] = values if isinstance(values, list) else [values]
        if not listed[factor]:
            raise BuildError(f"{path}: {place}: {kebab(factor)}: the list is empty; give a value")
        for value in listed[factor]:
            _check_value(path, f"{place}: {kebab(factor)}", factor, value)
    return listed


def _check_factor(path: Path, place: str, factor: str) -> None:
    section, dot, option = factor.partition(".")
    if factor in FACTORS or factor in SPECIAL or (dot and section in SECTIONS and option):
        if factor in FACTORS.values():
            short = next(name for name, long in FACTORS.items() if long == factor)
            raise BuildError(
                f"{path}: {place}: {kebab(factor)} is called {kebab(short)} here; write that"
            )
        return
    near = difflib.get_close_matches(factor, [*FACTORS, *SPECIAL], 1)
    meant = (
        f"did you mean {kebab(near[0])}?" if near else f"there are {_listing([*FACTORS, *SPECIAL])}"
    )
    raise BuildError(
        f"{path}: {place}: unknown factor {kebab(factor)}; {meant} (any other option as "
        "sft.learning-rate)"
    )


def _check_value(path: Path, place: str, factor: str, value: Any) -> None:
    if isinstance(value, dict):
        if factor not in PAIRED or set(value) != {TRAIN, TEST}:
            raise BuildError(
                f"{path}: {place}: {value!r} is no value; only {' and '.join(PAIRED)} take "
                "{train: …, test: …}"
            )
        for part in value.values():
            _check_value(path, place, factor, part)
    elif factor == ZERO_SHOT and not isinstance(value, bool):
        raise BuildError(f"{path}: {place}: {value!r} is neither true nor false")
    elif factor in PAIRED and not isinstance(value, str):
        raise BuildError(f"{path}: {place}: {value!r} is no name; write it as text")
    elif value is None:
        raise BuildError(
            f"{path}: {place}: a value is missing; write the text 'none' if that is meant"
        )


def _unique(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for cell in cells:
        if cell not in found:
            found.append(cell)
    return found
