"""Grid: the factors of a study and their combinations, the cells, read from its YAML file."""

from __future__ import annotations

import difflib
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psgimg.builder.command_options import kebab, snake
from psgimg.builder.errors import BuildError
from psgimg.builder.files import yaml_file
from psgimg.finetune.study import claims
from psgimg.finetune.study.claims import Claims

BASELINE = "baseline"
SECTIONS = ("build", "test_build", "sft", "predict", BASELINE)
"""Options shared by all cells, by command; ``test_build`` overrides ``build`` for a test corpus."""

EXPLAIN = "explain"
"""Options of the explanation of the first cell's model, with the claims that it tests."""

KEYS = ("name", *SECTIONS, EXPLAIN, "grid", "cells")

MAX_CELLS = 2_000
"""Maximum combinations; each is a training of its own."""

FACTORS = {
    "corpus": "build.source",
    "style": "build.style",
    "montage": "build.montage",
    "filters": "build.filters",
    "model": "sft.model",
    "prompt": "sft.prompt",
    **{name: f"sft.{name}" for name in ("context", "context_scale", "context_mixed")},
    "train_subjects": "sft.train_subjects",
    "sampling": "sft.sampling",
    "augment": "sft.augment",
    "max_pixels": "sft.max_pixels",
    "seed": "sft.seed",
    "mode": "predict.mode",
    "fold": "predict.fold",
}
"""Short names of factors, and the option each sets. Others are written as ``sft.learning-rate``."""

FOLD = "fold"
"""The factor whose option the training has as well: a model is tested on the fold it was trained for."""

DATASET, CORRUPT, ZERO_SHOT, DECODE = "dataset", "corrupt", "zero_shot", "decode"
SPECIAL = (DATASET, CORRUPT, ZERO_SHOT, BASELINE, DECODE)
"""Factors that are not a single option: an existing dataset, corruption of the test pages, a model
used without training, a method that stages from signals instead of a model, and decoded nights.
"""

TRAIN, TEST = "train", "test"
"""Keys of a factor's value if training and test data differ."""

PAIRED = ("corpus", DATASET)
"""Factors whose value may be such a pair."""

Factors = Mapping[str, Any]


@dataclass(frozen=True)
class Study:
    """The contents of a study file.

    Parameters
    ----------
    path
        The study file.
    name
        Title of the study.
    options
        Section → option → value, shared by all cells.
    factors
        Names of the factors, in the order of the file.
    cells
        Factor → value of every distinct combination. A cell lists only what differs from ``options``,
        so a factor may be absent.
    claims
        The claims of each cell.
    explain
        Options of the explanation of the first cell's model; None if there is to be none.
    explain_claims
        The claims that the explanation tests.
    """

    path: Path
    name: str
    options: Mapping[str, Mapping[str, Any]]
    factors: tuple[str, ...]
    cells: tuple[Factors, ...]
    claims: tuple[Claims, ...]
    explain: Mapping[str, Any] | None
    explain_claims: Claims


def read(path: Path) -> Study:
    """Read a study file.

    Raises
    ------
    BuildError
        If the file can't be read, or a key, factor or value is invalid; the message names it.
    """
    values = _mapping(path, "the file", yaml_file.read(path, ""))
    _check_keys(path, values, KEYS)
    options = {name: _section(path, values, name) for name in SECTIONS}
    explain = _section(path, values, EXPLAIN) if EXPLAIN in values else None
    grid = _listed(path, "grid", _mapping(path, "grid", values.get("grid") or {}))
    some = values.get("cells") or [{}]
    if not isinstance(some, list):
        raise BuildError(f"{path}: cells: expected a list such as `- {{style: paper}}`")
    places = [f"cells {i}" for i in range(1, len(some) + 1)]
    given = [_mapping(path, place, cell) for place, cell in zip(places, some, strict=True)]
    claimed = [claims.read(path, place, one) for place, one in zip(places, given, strict=True)]
    own = [
        _listed(path, place, _without_claim(one), several=False)
        for place, one in zip(places, given, strict=True)
    ]
    for place, cell in zip(places, own, strict=True):
        if twice := sorted(set(cell) & set(grid)):
            raise BuildError(
                f"{path}: {place}: {kebab(twice[0])} is in grid already; keep one of the two"
            )
    n_cells = sum(_n_cells(cell) for cell in own) * _n_cells(grid)
    if n_cells > MAX_CELLS:
        raise BuildError(
            f"{path}: {n_cells:.4g} combinations, more than {MAX_CELLS}; give fewer factors or values, "
            "or several studies"
        )
    cells = [
        ({**one, **other}, names)
        for cell, names in zip(own, claimed, strict=True)
        for one in product(cell)
        for other in product(grid)
    ]
    unique = _unique(cells)
    return Study(
        path=path,
        name=_name(path, values),
        options=options,
        factors=tuple(dict.fromkeys(name for part in (*own, grid) for name in part)),
        cells=tuple(factors for factors, _ in unique),
        claims=tuple(names for _, names in unique),
        explain=None if explain is None else _without_claim(explain),
        explain_claims=claims.read(path, EXPLAIN, explain or {}),
    )


def _section(path: Path, values: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the options of a command; none if its key has no value."""
    return _mapping(path, kebab(name), {} if values.get(name) is None else values[name])


def _without_claim(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != claims.KEY}


def _n_cells(factors: Mapping[str, list[Any]]) -> int:
    return math.prod(map(len, factors.values()))


def product(grid: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    """Return every combination of the values; the last factor varies fastest."""
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def option_of(factor: str) -> tuple[str, str]:
    """Return the section and the option that a factor sets."""
    section, _, option = FACTORS.get(factor, factor).partition(".")
    return section, option


def share_fold(path: Path, options: dict[str, dict[str, Any]]) -> None:
    """Give training and prediction the same fold, from the factor or from the options of either.

    Raises
    ------
    BuildError
        If the two have different folds.
    """
    tested, trained = (options.setdefault(name, {}).get(FOLD) for name in ("predict", "sft"))
    if None not in (tested, trained) and tested != trained:
        raise BuildError(
            f"{path}: sft has the fold {trained} and predict the fold {tested}; give the factor fold alone"
        )
    fold = trained if tested is None else tested
    for name in ("sft", "predict") if fold is not None else ():
        options[name][FOLD] = fold


def _name(path: Path, values: Mapping[str, Any]) -> str:
    name = values.get("name") or path.stem
    if not isinstance(name, str) or "\n" in name:
        raise BuildError(f"{path}: name: {name!r} is not one line of text")
    return name


def _mapping(path: Path, place: str, value: Any) -> dict[str, Any]:
    """Return a mapping with its keys in snake case; the file may use dashes or underscores."""
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise BuildError(f"{path}: {place}: expected `name: value` lines, found {value!r:.60}")
    result: dict[str, Any] = {}
    for key, one in value.items():
        if snake(key) in result:
            raise BuildError(f"{path}: {place}: {kebab(key)} is given twice; give it once")
        result[snake(key)] = one
    return result


def _check_keys(path: Path, names: Iterable[str], allowed: Sequence[str]) -> None:
    for name in names:
        if name not in allowed:
            raise BuildError(f"{path}: unknown key {kebab(name)}; use one of {_listing(allowed)}")


def _listing(names: Iterable[str]) -> str:
    return ", ".join(map(kebab, names))


def _listed(
    path: Path, place: str, factors: dict[str, Any], several: bool = True
) -> dict[str, list[Any]]:
    """Return factors with a list of values each; a cell may give a single value."""
    listed = {}
    for factor, values in factors.items():
        _check_factor(path, place, factor)
        if several and not isinstance(values, list):
            shown = kebab(factor)
            raise BuildError(
                f"{path}: {place}: {shown}: {values!r} is not a list; write [{values}]"
            )
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
                f"{path}: {place}: {kebab(factor)} has the short name {kebab(short)}; use that"
            )
        return
    if section == "style" and dot:
        raise BuildError(
            f"{path}: {place}: unknown factor {factor}; write it as a value of style, such as "
            f"clinical:{option or 'scaling'}=…"
        )
    near = difflib.get_close_matches(factor, [*FACTORS, *SPECIAL], 1)
    remedy = (
        f"did you mean {kebab(near[0])}?"
        if near
        else f"use one of {_listing([*FACTORS, *SPECIAL])}"
    )
    raise BuildError(
        f"{path}: {place}: unknown factor {kebab(factor)}; {remedy} (write any other option as "
        "sft.learning-rate)"
    )


def _check_value(path: Path, place: str, factor: str, value: Any) -> None:
    if isinstance(value, dict):
        if factor not in PAIRED or set(value) != {TRAIN, TEST}:
            raise BuildError(
                f"{path}: {place}: {value!r} is not a valid value; only {' and '.join(PAIRED)} take "
                "{train: …, test: …}"
            )
        for part in value.values():
            _check_value(path, place, factor, part)
    elif factor == ZERO_SHOT and not isinstance(value, bool):
        raise BuildError(f"{path}: {place}: {value!r} is not a boolean; write true or false")
    elif factor in PAIRED and not isinstance(value, str):
        raise BuildError(f"{path}: {place}: {value!r} is not a name; write it as text")
    elif value is None:
        raise BuildError(
            f"{path}: {place}: a value is missing; write the text 'none' if that is meant"
        )


def _unique(cells: list[tuple[dict[str, Any], Claims]]) -> list[tuple[dict[str, Any], Claims]]:
    """Return every distinct combination once, with the claims of all its mentions."""
    unique: list[tuple[dict[str, Any], Claims]] = []
    for factors, names in cells:
        place = next((i for i, (own, _) in enumerate(unique) if own == factors), None)
        if place is None:
            unique.append((factors, names))
        else:
            unique[place] = (factors, claims.joined(unique[place][1], names))
    return unique
