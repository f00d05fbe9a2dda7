"""Style choice: the style that ``--style`` names: a preset, a preset with changes, or a YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from psgimg.builder.errors import BuildError
from psgimg.builder.files import yaml_file
from psgimg.builder.recordings.by_kind import ByKind
from psgimg.builder.recordings.montage import Kind
from psgimg.builder.render import style_spec
from psgimg.builder.render.style import CLINICAL, PRESETS, LaneStyle, Style


def load_style(name: str) -> Style:
    """Return a preset, a preset with changes (``clinical:scaling=epoch``), or the style of a YAML file.

    A file holds ``base: clinical`` and the values that differ.

    Raises
    ------
    BuildError
        If there is no such preset or file, or a key is unknown or a value invalid.
    """
    if name in PRESETS:
        return PRESETS[name]
    preset, changes = style_spec.split(name)
    if changes:
        where = f"style {name}"
        base = _preset(preset, where)
        values = style_spec.parse(changes, _values(base), where)
        return _amended(base, {"name": name, **values}, where)
    path = Path(name)
    if path.suffix not in yaml_file.SUFFIXES:
        raise BuildError(
            f"no style {name!r}; use {', '.join(PRESETS)}, one of them with changes such as "
            "clinical:scaling=epoch, or a .yaml file"
        )
    values = yaml_file.read(path, "style file")
    base = _preset(str(values.pop("base", CLINICAL.name)), f"style file {name}")
    return _amended(base, {"name": path.stem, **values}, f"style file {name}")


def _preset(name: str, where: str) -> Style:
    if name not in PRESETS:
        raise BuildError(f"{where}: base must be one of {', '.join(PRESETS)}")
    return PRESETS[name]


def _values(style: Style) -> dict[str, Any]:
    """Return the values of a style by the keys of a style file, without its name."""
    page = {field.name: getattr(style, field.name) for field in fields(style)}
    del page["name"]
    return page | {kind.value: asdict(lane) for kind, lane in page.pop("lanes").items()}


def _amended(base: Style, values: Mapping[str, Any], where: str) -> Style:
    """Return a copy of a style with some values changed; unknown keys are refused."""
    page = {field.name: getattr(base, field.name) for field in fields(base)}
    lanes = {kind.value: lane for kind, lane in page.pop("lanes").items()}
    yaml_file.check_keys(values, {*page, *lanes}, where)
    changed = {
        key: _amended_lane(lanes[key], values[key], key, where) for key in lanes if key in values
    }
    return replace(
        base,
        lanes=ByKind({Kind(key): lane for key, lane in {**lanes, **changed}.items()}),
        **{key: _like(page[key], values[key], key, where) for key in page if key in values},
    )


def _amended_lane(base: LaneStyle, values: Any, kind: str, where: str) -> LaneStyle:
    if not isinstance(values, dict):
        raise BuildError(f"{where}: {kind} is {values!r}; write `{{scale_uv: {base.scale_uv:g}}}`")
    present = asdict(base)
    yaml_file.check_keys(values, present, f"{where}, {kind}")
    changed = {
        key: _like(present[key], new, key, f"{where}, {kind}") for key, new in values.items()
    }
    return replace(base, **changed)


def _like(now: Any, value: Any, key: str, where: str) -> Any:
    """Convert a YAML value to the type that it replaces: lists to tuples, integers to floats."""
    if isinstance(now, tuple) and isinstance(value, list):
        return tuple(value)
    if isinstance(now, float) and type(value) is int:
        return float(value)
    if type(value) is not type(now):
        raise BuildError(f"{where}: {key} is {value!r}; give a value like {now!r}")
    return value
