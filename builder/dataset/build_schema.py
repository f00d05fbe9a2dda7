"""Form: what ``build.json`` says, key by key, and what its parts must say of one another."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

from psgimg.builder.dataset.build_report import Report
from psgimg.builder.dataset.schema import SPLITS
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.recording import Policy
from psgimg.builder.render import recipe
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.signals import corruption_spec
from psgimg.builder.stages import STAGE_NAMES

Check = Callable[[Any, str], None]
"""Raises ``FormError`` if a value is not as psgimg writes it; told where the value stands."""

N_SHOWN = 40
"""Characters of a wrong value that a message shows."""


class FormError(Exception):
    """What is wrong in ``build.json``, in a few words."""


def check(values: Any) -> None:
    """Check every key that psgimg reads, with its type, and that the parts agree.

    Raises
    ------
    FormError
        At the first fault.
    """
    _BUILD(values, "")
    _check_recipe(values)
    _check_corruption(values)
    _check_names(values)
    _check_counts(values)


def _is(*kinds: type) -> Check:
    def checked(value: Any, where: str) -> None:
        if type(value) not in kinds or (type(value) is float and not math.isfinite(value)):
            raise FormError(f"{where or 'the file'} is {_shown(value)}")

    return checked


def _one_of(*allowed: str) -> Check:
    def checked(value: Any, where: str) -> None:
        if not isinstance(value, str) or value not in allowed:
            raise FormError(f"{where} is {_shown(value)}, not {' or '.join(allowed)}")

    return checked


def _list(item: Check, length: int | None = None) -> Check:
    def checked(value: Any, where: str) -> None:
        _is(list)(value, where)
        if length not in (None, len(value)):
            raise FormError(f"{where} has {len(value)} entries, not {length}")
        for i, entry in enumerate(value):
            item(entry, f"{where}[{i}]")

    return checked


def _each(item: Check) -> Check:
    """A mapping with any keys."""

    def checked(value: Any, where: str) -> None:
        _is(dict)(value, where)
        for key, entry in value.items():
            item(entry, f"{where}[{_shown(key)}]")

    return checked


def _keys(**checks: Check) -> Check:
    """A mapping with these keys; others may stand beside them."""

    def checked(value: Any, where: str) -> None:
        _is(dict)(value, where)
        for key, item in checks.items():
            place = f"{where}.{key}" if where else key
            if key not in value:
                raise FormError(f"{place} is missing")
            item(value[key], place)

    return checked


def _count(value: Any, where: str) -> None:
    if type(value) is not int or value < 0:
        raise FormError(f"{where} is {_shown(value)}, not a count")


def _path(value: Any, where: str) -> None:
    """A file in the folder: what was fetched may name any."""
    _is(str)(value, where)
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or path.as_posix() != value or value == ".":
        raise FormError(f"{where} is {_shown(value)}, not a path in the folder")


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= N_SHOWN else f"{text[:N_SHOWN]}…"


_text, _number = _is(str), _is(int, float)
_texts, _counts, _stages = _list(_text), _each(_count), _keys(**dict.fromkeys(STAGE_NAMES, _count))
_split, _policy = _one_of(*SPLITS), _one_of(*(policy.value for policy in Policy))
_names = dict.fromkeys(("corpus", "recording"), _text)
_file = {"bytes": _count, "sha256": _text}

_RECIPE = _keys(
    version=_is(int),
    sfreq_hz=_number,
    montage=_keys(name=_text, lanes=_list(_keys(name=_text, kind=_text))),
    style=_keys(name=_text, width_px=_count, height_px=_count),
    filters=_is(dict),
)
_FIXED = _keys(
    recipe=_is(dict),
    scorer=_text,
    trim_min=_is(int, float, type(None)),
    splits=_list(_number, len(SPLITS)),
    seed=_is(int),
    published_split=_list(_list(_text, 3)),
)
_CORPUS = _keys(
    **dict.fromkeys(("title", "licence", "licence_url", "access", "citation"), _text),
    **dict.fromkeys(("found", "built", "set_aside", "subjects"), _count),
    policy=_policy,
    notes=_texts,
    mains_hz=_number,
)
_RECORDING = _keys(
    **_names,
    **dict.fromkeys(("subject", "kin", "scorer", "signal", "fingerprint"), _text),
    **dict.fromkeys(("notes", "flat", "envelopes"), _texts),
    split=_split,
    stages=_stages,
    left_out=_counts,
    lanes=_list(_is(str, type(None))),
    gaps=_count,
    epoch_s=_number,
    unscored_signal_s=_number,
)
_CORRUPTION = _keys(
    **dict.fromkeys(("spec", "kind", "unit"), _text),
    version=_is(int),
    severity=_is(int, float, type(None)),
    parts=_list(_keys(spec=_text, kind=_text, severity=_number, unit=_text)),
)
_BUILD = _keys(
    psgimg=_text,
    versions=_each(_text),
    command=_text,
    recipe=_RECIPE,
    recipe_hash=_text,
    fixed=_FIXED,
    folds=_count,
    policy=_policy,
    corpora=_each(_CORPUS),
    counts=_each(_keys(**dict.fromkeys(SPLITS, _stages))),
    left_out=_each(_counts),
    recordings=_list(_RECORDING),
    set_aside=_list(_keys(**_names, reason=_text, detail=_text)),
    shards=_list(_keys(path=_path, corpus=_text, split=_split, rows=_count, **_file)),
    files=_each(_keys(**_file)),
)


def _check_recipe(found: Mapping[str, Any]) -> None:
    """The recipe is that of its hash and, if this psgimg can draw by it, whole."""
    said = found["recipe"]
    if recipe.digest(said) != found["recipe_hash"]:
        raise FormError(
            f"its recipe has the hash {recipe.digest(said)}, not {found['recipe_hash']}"
        )
    try:
        if said["version"] == recipe.VERSION:
            Recipe.from_dict(said)
    except recipe.UnknownKindError:  # nothing is damaged: this psgimg is too old
        raise
    except BuildError as error:
        raise FormError(str(error).partition(";")[0]) from error
    n_lanes = len(said["montage"]["lanes"])
    for i, fact in enumerate(found["recordings"]):
        if len(fact["lanes"]) != n_lanes:
            raise FormError(
                f"recordings[{i}].lanes has {len(fact['lanes'])} entries, not {n_lanes}"
            )


def _check_corruption(found: Mapping[str, Any]) -> None:
    """What was done to the signals is said once and the same, and to the test split alone."""
    said = found.get(corruption_spec.KEY)
    if said != found["fixed"].get(corruption_spec.KEY):
        raise FormError(f"{corruption_spec.KEY} is not that of fixed")
    if said is None:
        return
    _CORRUPTION(said, corruption_spec.KEY)
    try:
        if said["version"] == corruption_spec.VERSION:
            corruption_spec.from_dict(said)
    except BuildError as error:
        raise FormError(str(error).partition(";")[0]) from error
    if any(shard["split"] != corruption_spec.SPLIT for shard in found["shards"]):
        raise FormError(f"{corruption_spec.KEY} goes with the {corruption_spec.SPLIT} split alone")


def _check_names(found: Mapping[str, Any]) -> None:
    """Every part speaks of the same corpora, nothing is listed twice, and files lie in the folder."""
    names = set(found["corpora"])
    for part in ("counts", "left_out"):
        if set(found[part]) != names:
            raise FormError(f"{part} names other corpora than corpora")
    for part, key in (("recordings", "recording"), ("shards", "path")):
        listed = Counter((entry["corpus"], entry[key]) for entry in found[part])
        if not listed:
            raise FormError(f"{part} is empty")
        for (corpus, name), n in listed.items():
            if corpus not in names:
                raise FormError(f"{part} names the corpus {_shown(corpus)}, corpora does not")
            if n > 1:
                raise FormError(f"{part} has {_shown(name)} of {corpus} {n} times")
    for shard in found["shards"]:
        place = PurePosixPath("data", shard["corpus"])
        path = PurePosixPath(shard["path"])
        if path.parent != place or not path.match(f"{shard['split']}-*.parquet"):
            raise FormError(
                f"the shard {_shown(shard['path'])} is not of {place}, {shard['split']}"
            )
    for name in found["files"]:
        _path(name, "files")


def _check_counts(found: Mapping[str, Any]) -> None:
    """As many epochs are counted as the shards have rows."""
    result = Report(found)
    rows: Counter[tuple[str, str]] = Counter()
    for shard in found["shards"]:
        rows[shard["corpus"], shard["split"]] += shard["rows"]
    for corpus in found["corpora"]:
        for split in SPLITS:
            if result.n_epochs(corpus, split) != rows[corpus, split]:
                raise FormError(f"its counts are not those of the shards: {corpus}, {split}")
    if not rows.total() or result.n_epochs() != rows.total():
        raise FormError(f"its counts are not those of the shards: {rows.total()} rows")
