"""Montage file: load a montage by name, or a custom one from a YAML file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from psgimg.builder.errors import BuildError
from psgimg.builder.files import yaml_file
from psgimg.builder.recordings.channels import standard_kind, standard_name
from psgimg.builder.recordings.montage import MONTAGES, Kind, Lane, Montage

NAME = re.compile("[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
"""Names appear in tables, file names, options and pictures, where they must not need quotes."""

DERIVATION = re.compile(
    "(?P<plus>[A-Za-z][A-Za-z0-9]{0,11})(-(?!(?P=plus)$)[A-Za-z][A-Za-z0-9]{0,11})?"
)

ALL = "all"
"""Stands for all lanes where lanes are listed, so no lane may have this name."""


def load_montage(name: str) -> Montage:
    """Return a built-in montage by name, or one from a YAML file.

    The file has a list of ``lanes`` and optionally a ``name`` (default: the file's name). A lane is
    a derivation such as ``C4-M1``, or a mapping of ``derivations`` (best first), ``name`` (default:
    the first derivation) and ``kind`` (default: that of the first derivation's electrode).

    Raises
    ------
    BuildError
        If there is no such montage or file, or the file has an unknown key or kind, an invalid or
        repeated name, a derivation that is neither a name nor ``A-B``, or no EEG lane.
    """
    if name in MONTAGES:
        return MONTAGES[name]
    path = Path(name)
    if path.suffix not in yaml_file.SUFFIXES:
        raise BuildError(f"no montage {name!r}; use {', '.join(MONTAGES)} or a .yaml file")
    values, where = yaml_file.read(path, "montage file"), f"montage file {name}"
    yaml_file.check_keys(values, ("name", "lanes"), where)
    listed = values.get("lanes")
    if not isinstance(listed, list) or not listed:
        raise BuildError(
            f"{where}: lanes is {listed!r}; give a list of derivations, such as [C4-M1, E1-M2]"
        )
    lanes = tuple(_lane(one, f"{where}, lane {i}") for i, one in enumerate(listed, 1))
    _check_lanes(lanes, where)
    return Montage(_montage_name(values.get("name", path.stem), where), lanes)


def _montage_name(name: Any, where: str) -> str:
    _check_name(name, where)
    if name in MONTAGES:
        raise BuildError(f"{where}: name {name} is a built-in montage of psgimg; choose another")
    return str(name)


def _lane(values: Any, where: str) -> Lane:
    """Return a lane of the list: a derivation, or a mapping with the values that differ."""
    if isinstance(values, str):
        values = {"derivations": [values]}
    if not isinstance(values, dict):
        raise BuildError(
            f"{where}: {values!r}; give a derivation, or `{{derivations: [C4-M1, C3-M2]}}`"
        )
    yaml_file.check_keys(values, ("name", "kind", "derivations"), where)
    listed = values.get("derivations")
    if not isinstance(listed, list) or not listed:
        raise BuildError(
            f"{where}: derivations is {listed!r}; give a list, best first, such as [C4-M1, C3-M2]"
        )
    derivations = tuple(_derivation(one, where) for one in listed)
    if len(set(derivations)) < len(derivations):
        raise BuildError(
            f"{where}: a derivation is repeated in {', '.join(derivations)}; list it once"
        )
    name = values.get("name", derivations[0].removesuffix("-REF"))
    _check_name(name, where)
    return Lane(name, _kind(values, derivations[0], where), derivations)


def _derivation(text: Any, where: str) -> str:
    """Return a derivation's standard name: C4-M1 for ``C4-A1``, C4-REF for ``C4``."""
    if not isinstance(text, str) or not DERIVATION.fullmatch(text):
        raise BuildError(
            f"{where}: derivation {text!r} is neither a name nor A-B; write it like C4 or C4-M1"
        )
    return standard_name(text) or text


def _kind(values: Mapping[str, Any], derivation: str, where: str) -> Kind:
    known = [kind.value for kind in Kind]
    if "kind" in values:
        if values["kind"] not in known:
            raise BuildError(f"{where}: no kind {values['kind']!r}; choose from {', '.join(known)}")
        return Kind(values["kind"])
    kind = standard_kind(derivation)
    if kind is None:
        raise BuildError(
            f"{where}: the kind of {derivation} is unknown; write `{{kind: eeg, derivations: "
            f"[{derivation}]}}` (or {', '.join(known[1:])})"
        )
    return kind


def _check_name(name: Any, where: str) -> None:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise BuildError(
            f"{where}: name {name!r}; use up to 40 letters, digits, '-', '_' and '.', starting with a "
            "letter or digit"
        )


def _check_lanes(lanes: tuple[Lane, ...], where: str) -> None:
    """Refuse ambiguous lane names, and a montage without EEG."""
    seen: set[str] = set()
    for lane in lanes:
        name = lane.name.lower()
        if name in seen:
            raise BuildError(f"{where}: lane {lane.name} is repeated; give each lane its own name")
        if name == ALL or (name in {kind.value for kind in Kind} and name != lane.kind.value):
            raise BuildError(
                f"{where}: lane {lane.name} of kind {lane.kind.value} has a reserved name; rename it"
            )
        seen.add(name)
    if all(lane.kind is not Kind.EEG for lane in lanes):
        raise BuildError(
            f"{where}: no lane of kind eeg, without which sleep can't be staged; add one"
        )
