"""Validation of what ``build.json`` says: types and bounds by pydantic, and what its parts must say of one another."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

from psgimg.builder.dataset.build_json import BuildJson, ReleasedJson, StageCounts
from psgimg.builder.dataset.build_report import Report
from psgimg.builder.dataset.schema import SPLITS
from psgimg.builder.errors import BuildError
from psgimg.builder.render import recipe
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.signals import corruption_spec
from psgimg.builder.stages import STAGE_NAMES

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

Json = TypeVar("Json")

N_SHOWN = 40
"""Characters of a wrong value that a message shows."""


class FormError(ValueError):
    """What is wrong in a JSON file, in a few words: the place in it, and the value."""


def check(values: Any) -> BuildJson:
    """Check every key that psgimg reads, with its type and bounds, and that the parts agree.

    Parameters
    ----------
    values
        As ``json.loads`` gives them.

    Returns
    -------
    BuildJson
        The same values. Keys that psgimg does not know stand beside the others.

    Raises
    ------
    FormError
        At the first fault.
    """
    found = conform(values, BuildJson)
    _check_recipe(found)
    _check_corruption(found)
    _check_names(found)
    _check_paths(found)
    _check_counts(found)
    return found


def check_released(values: Any) -> ReleasedJson:
    """Check the ``build.json`` of a published dataset, as ``check`` does.

    Raises
    ------
    FormError
        At the first fault.
    """
    check(values)
    return conform(values, ReleasedJson)


def conform(values: Any, kind: type[Json]) -> Json:
    """Check JSON values by a ``TypedDict``: its keys, their types and bounds. Others may stand beside.

    Raises
    ------
    FormError
        At the first fault.
    """
    from pydantic import ValidationError

    try:
        _adapter(kind).validate_python(values)
    except ValidationError as error:
        raise FormError(_first(error)) from error
    found: Json = values
    return found


def _adapter(kind: type) -> TypeAdapter[Any]:
    """Validates by a ``TypedDict``. Strict: 1.0 and true are no whole numbers, no number is infinite."""
    from pydantic import ConfigDict, TypeAdapter, with_config

    return TypeAdapter(with_config(ConfigDict(strict=True, allow_inf_nan=False))(kind))


def _first(error: ValidationError) -> str:
    """The first fault: its place in the file, and what pydantic says of it."""
    fault = error.errors(include_url=False, include_context=False)[0]
    place = _place(*fault["loc"])
    if fault["type"] == "missing":
        return f"{place} is missing"
    return f"{place} is {_shown(fault['input'])}: {fault['msg'][0].lower()}{fault['msg'][1:]}"


def _place(*keys: int | str) -> str:
    """Where a value stands: ``shards[0].split``, ``corpora["sleep-edf"].policy``."""
    parts = (
        f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{_shown(key)}]"
        for key in keys
        if key != "[key]"  # what pydantic calls a key that is wrong itself
    )
    return "".join(parts).removeprefix(".") or "the file"


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= N_SHOWN else f"{text[:N_SHOWN]}…"


def _check_recipe(found: BuildJson) -> None:
    """The recipe is that of its hash and, if this psgimg can draw by it, whole."""
    digest = recipe.digest(found["recipe"])
    if digest != found["recipe_hash"]:
        raise FormError(f"its recipe has the hash {digest}, not {found['recipe_hash']}")
    try:
        if found["recipe"]["version"] == recipe.VERSION:
            Recipe.from_dict(found["recipe"])
    except recipe.UnknownKindError:  # nothing is damaged: this psgimg is too old
        raise
    except BuildError as error:
        raise FormError(str(error).partition(";")[0]) from error
    n_lanes = len(found["recipe"]["montage"]["lanes"])
    for i, fact in enumerate(found["recordings"]):
        if len(fact["lanes"]) != n_lanes:
            raise FormError(
                f"recordings[{i}].lanes has {len(fact['lanes'])} entries, not {n_lanes}"
            )


def _check_corruption(found: BuildJson) -> None:
    """What was done to the signals is said once and the same, and to the test split alone."""
    said = found.get(corruption_spec.KEY)
    if said != found["fixed"].get(corruption_spec.KEY):
        raise FormError(f"{corruption_spec.KEY} is not that of fixed")
    if said is None:
        return
    try:
        if said["version"] == corruption_spec.VERSION:
            corruption_spec.from_dict(said)
    except BuildError as error:
        raise FormError(str(error).partition(";")[0]) from error
    if any(shard["split"] != corruption_spec.SPLIT for shard in found["shards"]):
        raise FormError(f"{corruption_spec.KEY} goes with the {corruption_spec.SPLIT} split alone")


def _check_names(found: BuildJson) -> None:
    """Every part speaks of the same corpora, and nothing is listed twice."""
    names = set(found["corpora"])
    if set(found["counts"]) != names:
        raise FormError("counts names other corpora than corpora")
    if set(found["left_out"]) != names:
        raise FormError("left_out names other corpora than corpora")
    parts = {
        "recordings": [(fact["corpus"], fact["recording"]) for fact in found["recordings"]],
        "shards": [(shard["corpus"], shard["path"]) for shard in found["shards"]],
    }
    for part, listed in parts.items():
        if not listed:
            raise FormError(f"{part} is empty")
        for (corpus, name), n in Counter(listed).items():
            if corpus not in names:
                raise FormError(f"{part} names the corpus {_shown(corpus)}, corpora does not")
            if n > 1:
                raise FormError(f"{part} has {_shown(name)} of {corpus} {n} times")


def _check_paths(found: BuildJson) -> None:
    """Files lie in the folder, shards where their corpus and split have them: what was fetched may name any."""
    for i, shard in enumerate(found["shards"]):
        _check_path(shard["path"], f"shards[{i}].path")
        place, path = PurePosixPath("data", shard["corpus"]), PurePosixPath(shard["path"])
        if path.parent != place or not path.match(f"{shard['split']}-*.parquet"):
            raise FormError(
                f"the shard {_shown(shard['path'])} is not of {place}, {shard['split']}"
            )
    for name in found["files"]:
        _check_path(name, "files")


def _check_path(name: str, where: str) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or path.as_posix() != name or name == ".":
        raise FormError(f"{where} is {_shown(name)}, not a path in the folder")


def _check_counts(found: BuildJson) -> None:
    """Every stage is counted, and as many epochs as the shards have rows."""
    for place, by_stage in _stage_counts(found):
        if missing := [stage for stage in STAGE_NAMES if stage not in by_stage]:
            raise FormError(f"{place}.{missing[0]} is missing")
    report = Report(found)
    rows: Counter[tuple[str, str]] = Counter()
    for shard in found["shards"]:
        rows[shard["corpus"], shard["split"]] += shard["rows"]
    for corpus in found["corpora"]:
        for split in SPLITS:
            if report.n_epochs(corpus, split) != rows[corpus, split]:
                raise FormError(f"its counts are not those of the shards: {corpus}, {split}")
    if not rows.total():
        raise FormError("its counts are not those of the shards: 0 rows")


def _stage_counts(found: BuildJson) -> Iterator[tuple[str, StageCounts]]:
    """Everything that is counted by stage, with its place in the file."""
    for corpus, by_split in found["counts"].items():
        for split in SPLITS:
            yield _place("counts", corpus, split), by_split.get(split, {})
    for i, fact in enumerate(found["recordings"]):
        yield _place("recordings", i, "stages"), fact["stages"]
