"""Validation of ``build.json``: types and bounds by pydantic, and consistency between its parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from psgimg.builder.dataset.build_json import BuildJson, BuiltRecording, StageCounts
from psgimg.builder.dataset.build_report import Report
from psgimg.builder.dataset.json_form import FormError, conform, place, shown
from psgimg.builder.dataset.release_json import ReleasedJson
from psgimg.builder.dataset.schema import SPLITS
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.hypnogram import max_epochs
from psgimg.builder.render import recipe
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.signals import corruption_spec, variant_spec
from psgimg.builder.stages import STAGE_NAMES


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
    _check_variants(build)
    _check_names(build)
    _check_paths(build)
    _check_counts(build)
    _check_placements(build)
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
        _check_treatments(fact, i)
        if others := sorted(set(fact.get("quality", {})).difference(fact["lanes"])):
            raise FormError(f"recordings[{i}].quality has {shown(others[0])}, which lanes has not")


def _check_treatments(fact: BuiltRecording, i: int) -> None:
    """Check that there is an entry for each lane, which says of exactly the absent ones why."""
    if len(fact["treatments"]) != len(fact["lanes"]):
        raise FormError(
            f"recordings[{i}].treatments has {len(fact['treatments'])} entries, not "
            f"{len(fact['lanes'])}"
        )
    n_pages = sum(fact["stages"].values())
    for k, (name, treated) in enumerate(zip(fact["lanes"], fact["treatments"], strict=True)):
        if (name is None) != ("absent" in treated):
            fault = " and lanes disagree on whether the lane is absent"
        elif name is None and len(treated) > 1:
            fault = " is of an absent lane and says that it was changed"
        elif treated.get("clipped", 0) > n_pages:
            fault = f".clipped is {treated['clipped']}, of {n_pages} pages"
        else:
            continue
        raise FormError(place("recordings", i, "treatments", k) + fault)


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


def _check_variants(build: BuildJson) -> None:
    """Check that variants are known ones, and that pages for training alone have them."""
    variants = build["fixed"].get(variant_spec.KEY, [])
    for one in variants:
        try:
            if one["version"] == corruption_spec.VERSION:
                corruption_spec.from_dict(one)
        except BuildError as error:
            raise FormError(str(error).partition(";")[0]) from error
    for i, fact in enumerate(build["recordings"]):
        n_drawn = fact.get("variants")
        if n_drawn and (fact["split"] != variant_spec.SPLIT or n_drawn != len(variants)):
            where = place("recordings", i, "variants")
            raise FormError(
                f"{where} is {n_drawn} in {fact['split']}, but fixed has {len(variants)}, for "
                f"{variant_spec.SPLIT} alone"
            )


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
                raise FormError(f"{part} has the corpus {shown(corpus)}, which corpora has not")
            if n > 1:
                raise FormError(f"{part} has {shown(name)} of {corpus} {n} times")


def _check_paths(build: BuildJson) -> None:
    """Check that shards are in the folder of their corpus; that paths are paths, the types check."""
    for shard in build["shards"]:
        folder, path = PurePosixPath("data", shard["corpus"]), PurePosixPath(shard["path"])
        if path.parent != folder or not path.match(f"{shard['split']}-*.parquet"):
            raise FormError(
                f"the shard {shown(shard['path'])} does not belong to {folder}, {shard['split']}"
            )


def _check_placements(build: BuildJson) -> None:
    """Check that everyone has one of the folds, and that only a named split parts relatives."""
    folds = build["placements"]["folds"]
    for fact in build["recordings"] if build["folds"] else ():
        fold = folds.get(fact["corpus"], {}).get(fact["kin"], -1)
        if not 0 <= fold < build["folds"]:
            raise FormError(f"placements.folds has no fold for {shown(fact['kin'])}")
    if build["parted"] and "named_split" not in build["fixed"]:
        raise FormError("parted has relatives, but fixed has no named_split")


def _check_counts(build: BuildJson) -> None:
    """Check that every stage is counted, and that the counts equal the rows of the shards."""
    for where, by_stage in _stage_counts(build):
        if missing := [stage for stage in STAGE_NAMES if stage not in by_stage]:
            raise FormError(f"{where}.{missing[0]} is missing")
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
    n_possible = sum(max_epochs(fact["epoch_s"]) for fact in build["recordings"])
    if rows.total() > n_possible:
        raise FormError(f"its shards have {rows.total():,} rows, more than its recordings can have")


def _stage_counts(build: BuildJson) -> Iterator[tuple[str, StageCounts]]:
    """Yield everything that is counted by stage, with its path in the file."""
    for corpus, by_split in build["counts"].items():
        for split in SPLITS:
            yield place("counts", corpus, split), by_split.get(split, {})
    for i, fact in enumerate(build["recordings"]):
        yield place("recordings", i, "stages"), fact["stages"]
