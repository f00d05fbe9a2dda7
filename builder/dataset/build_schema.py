"""Validation of ``build.json``: types and bounds by pydantic, and consistency between its parts."""

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
"""Number of characters of an invalid value that a message shows."""


class FormError(ValueError):
    """A JSON file is invalid; the message gives the key and the value."""


def check(values: Any) -> BuildJson:
    """Check the type and bounds of every key that psgimg reads, and that the parts are consistent.

    Parameters
    ----------
    values
        Result of ``json.loads``.

    Returns
    -------
    BuildJson
        The same values, including unknown keys.

    Raises
    ------
    FormError
        At the first error.
    """
    build = conform(values, BuildJson)
    _check_recipe(build)
    _check_corruption(build)
    _check_names(build)
    _check_paths(build)
    _check_counts(build)
    return build


def check_released(values: Any) -> ReleasedJson:
    """Check the ``build.json`` of a published dataset, as ``check`` does.

    Raises
    ------
    FormError
        At the first error.
    """
    check(values)
    return conform(values, ReleasedJson)


def conform(values: Any, kind: type[Json]) -> Json:
    """Check JSON values against a ``TypedDict``: its keys, their types and bounds.

    Other keys are allowed.

    Raises
    ------
    FormError
        At the first error.
    """
    from pydantic import ValidationError

    try:
        _adapter(kind).validate_python(values)
    except ValidationError as error:
        raise FormError(_first(error)) from error
    checked: Json = values
    return checked


def _adapter(kind: type) -> TypeAdapter[Any]:
    """Return a strict validator: 1.0 and true are not integers, and numbers must be finite."""
    from pydantic import ConfigDict, TypeAdapter, with_config

    return TypeAdapter(with_config(ConfigDict(strict=True, allow_inf_nan=False))(kind))


def _first(error: ValidationError) -> str:
    """Return the first error: its key in the file, the value, and pydantic's message."""
    first = error.errors(include_url=False, include_context=False)[0]
    place = _place(*first["loc"])
    if first["type"] == "missing":
        return f"{place} is missing"
    return f"{place} is {_shown(first['input'])}: {first['msg'][0].lower()}{first['msg'][1:]}"


def _place(*keys: int | str) -> str:
    """Return the path of a value: ``shards[0].split``, ``corpora["sleep-edf"].policy``."""
    parts = (
        f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{_shown(key)}]"
        for key in keys
        if key != "[key]"  # by which pydantic marks that the key itself is invalid
    )
    return "".join(parts).removeprefix(".") or "the file"


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= N_SHOWN else f"{text[:N_SHOWN]}…"


def _check_recipe(build: BuildJson) -> None:
    """Check the recipe against its hash and, if it is of the present version, read it."""
    digest = recipe.digest(build["recipe"])
    if digest != build["recipe_hash"]:
        raise FormError(f"its recipe has the hash {digest}, not {build['recipe_hash']}")
    try:
        if build["recipe"]["version"] == recipe.VERSION:
            Recipe.from_dict(build["recipe"])
    except recipe.UnknownKindError:  # not damaged: this psgimg is too old
        raise
    except BuildError as error:
        raise FormError(str(error).partition(";")[0]) from error
    n_lanes = len(build["recipe"]["montage"]["lanes"])
    for i, fact in enumerate(build["recordings"]):
        if len(fact["lanes"]) != n_lanes:
            raise FormError(
                f"recordings[{i}].lanes has {len(fact['lanes'])} entries, not {n_lanes}"
            )
        if others := sorted(set(fact.get("quality", {})).difference(fact["lanes"])):
            raise FormError(f"recordings[{i}].quality has {_shown(others[0])}, which lanes has not")


def _check_corruption(build: BuildJson) -> None:
    """Check that the corruption equals that of ``fixed``, and that it has a test split only."""
    corruption = build.get(corruption_spec.KEY)
    if corruption != build["fixed"].get(corruption_spec.KEY):
        raise FormError(f"{corruption_spec.KEY} differs from that in fixed")
    if corruption is None:
        return
    try:
        if corruption["version"] == corruption_spec.VERSION:
            corruption_spec.from_dict(corruption)
    except BuildError as error:
        raise FormError(str(error).partition(";")[0]) from error
    if any(shard["split"] != corruption_spec.SPLIT for shard in build["shards"]):
        raise FormError(f"{corruption_spec.KEY} allows the {corruption_spec.SPLIT} split only")


def _check_names(build: BuildJson) -> None:
    """Check that every part has the same corpora, and that nothing is listed twice."""
    names = set(build["corpora"])
    if set(build["counts"]) != names:
        raise FormError("counts and corpora have different corpora")
    if set(build["left_out"]) != names:
        raise FormError("left_out and corpora have different corpora")
    parts = {
        "recordings": [(fact["corpus"], fact["recording"]) for fact in build["recordings"]],
        "shards": [(shard["corpus"], shard["path"]) for shard in build["shards"]],
    }
    for part, listed in parts.items():
        if not listed:
            raise FormError(f"{part} is empty")
        for (corpus, name), n in Counter(listed).items():
            if corpus not in names:
                raise FormError(f"{part} has the corpus {_shown(corpus)}, which corpora has not")
            if n > 1:
                raise FormError(f"{part} has {_shown(name)} of {corpus} {n} times")


def _check_paths(build: BuildJson) -> None:
    """Check that files are in the folder and shards in that of their corpus, as files may be hostile."""
    for i, shard in enumerate(build["shards"]):
        _check_path(shard["path"], f"shards[{i}].path")
        place, path = PurePosixPath("data", shard["corpus"]), PurePosixPath(shard["path"])
        if path.parent != place or not path.match(f"{shard['split']}-*.parquet"):
            raise FormError(
                f"the shard {_shown(shard['path'])} does not belong to {place}, {shard['split']}"
            )
    for name in build["files"]:
        _check_path(name, "files")


def _check_path(name: str, where: str) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or path.as_posix() != name or name == ".":
        raise FormError(f"{where} is {_shown(name)}, not a path in the folder")


def _check_counts(build: BuildJson) -> None:
    """Check that every stage is counted, and that the counts equal the rows of the shards."""
    for place, by_stage in _stage_counts(build):
        if missing := [stage for stage in STAGE_NAMES if stage not in by_stage]:
            raise FormError(f"{place}.{missing[0]} is missing")
    report = Report(build)
    rows: Counter[tuple[str, str]] = Counter()
    for shard in build["shards"]:
        rows[shard["corpus"], shard["split"]] += shard["rows"]
    for corpus in build["corpora"]:
        for split in SPLITS:
            if report.n_epochs(corpus, split) != rows[corpus, split]:
                raise FormError(f"its counts differ from those of the shards: {corpus}, {split}")
    if not rows.total():
        raise FormError("its shards have 0 rows")


def _stage_counts(build: BuildJson) -> Iterator[tuple[str, StageCounts]]:
    """Yield everything that is counted by stage, with its path in the file."""
    for corpus, by_split in build["counts"].items():
        for split in SPLITS:
            yield _place("counts", corpus, split), by_split.get(split, {})
    for i, fact in enumerate(build["recordings"]):
        yield _place("recordings", i, "stages"), fact["stages"]
