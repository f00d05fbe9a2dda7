"""Corruption spec: parse the value of ``psgimg build --corrupt`` into a corruption and its JSON.

A spec is written as ``kind:key=value,key=value``; the names in ``lanes`` are joined by ``+``, as in
``noise:snr_db=0,lanes=eeg+eog``; a number may be a range, as in ``scale:factor=0.7..1.4``, from which
one is drawn for each lane. ``corrupt.py`` applies it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.montage import Kind, Lane, Montage
from psgimg.builder.signals.corruption_kinds import ALL, ANY, FORMS, TO, Form, Number
from typing_extensions import TypedDict

VERSION = 1
"""Incremented whenever the same corruption of the same samples gives a different result."""

KEY: Final = "corruption"
"""Key in ``build.json``; absent from a dataset drawn as recorded."""

OPTION: Final = "--corrupt"

SPLIT: Final = "test"
"""The only split that is drawn corrupted: no model should be trained on such pages."""


class CorruptionPart(TypedDict):
    """One corruption as JSON values."""

    spec: str
    kind: str
    severity: float
    unit: str
    lanes: list[str]
    seed: int
    params: dict[str, float | str]


class CorruptionJson(TypedDict):
    """All corruptions of a dataset as stored in ``build.json``, in the order of ``parts``.

    The severity, unit, lanes and seed of a single corruption are repeated at the top level; they
    are empty for several.
    """

    version: int
    spec: str
    kind: str
    severity: float | None
    unit: str
    lanes: list[str]
    seed: int | None
    parts: list[CorruptionPart]


@dataclass(frozen=True)
class Corruption:
    """One corruption with all its parameters.

    Parameters
    ----------
    lanes
        Kinds of lane, lanes of the montage, or ``all``.
    seed
        Random seed, for example of the times of bursts and the samples of noise.
    """

    kind: str
    lanes: tuple[str, ...]
    params: Mapping[str, float | str] = field(default_factory=dict)
    seed: int = 0

    @property
    def form(self) -> Form:
        """The description of this kind of corruption."""
        return FORMS[self.kind]

    @property
    def severity(self) -> float:
        """Severity in the unit of its kind, of a range its middle; higher is not always worse (SNR, scale)."""
        first = next(iter(self.form.params))
        if self.kind == "lost":  # all times are equally likely
            kept = 0.5 if self.params[first] == ANY else self._middle(first)
            return round(self._middle("rate") * (1 - kept), 12)
        return self._middle(first)

    @property
    def spec(self) -> str:
        """The shortest equivalent spec; it always states the severity."""
        first = next(iter(self.form.params))
        shown = {
            key: f"{value:.12g}" if isinstance(value, float) else value
            for key, value in self.params.items()
            if key == first or value != self.form.params[key].default
        }
        if (lanes := "+".join(self.lanes)) != self.form.lanes:
            shown["lanes"] = lanes
        if self.seed:
            shown["seed"] = str(self.seed)
        return f"{self.kind}:" + ",".join(f"{key}={value}" for key, value in shown.items())

    def number(self, key: str) -> float:
        """Return a numeric parameter that is not a range."""
        return float(self.params[key])

    def ends(self, key: str) -> tuple[float, float] | None:
        """Return the ends of a range; None of anything else."""
        low, dots, high = str(self.params[key]).partition(TO)
        return (float(low), float(high)) if dots else None

    def _middle(self, key: str) -> float:
        param, ends = self.form.params[key], self.ends(key)
        if ends is None or not isinstance(param, Number):
            return self.number(key)
        return round(param.at(0.5, ends), 12)

    def drawn(self, share: Callable[[str, bool], float]) -> Corruption:
        """Return the corruption with one value of each range.

        Parameters
        ----------
        share
            Given a parameter, and whether all lanes of a recording share it, returns where in the
            range its value is, 0 to 1.
        """
        values = {
            key: param.at(share(key, param.is_shared), ends)
            for key, param in self.form.params.items()
            if isinstance(param, Number) and (ends := self.ends(key))
        }
        return replace(self, params={**self.params, **values}) if values else self

    def applies_to(self, lane: Lane) -> bool:
        """Whether a lane is among those to corrupt."""
        return any(name.lower() in (ALL, lane.kind.value, lane.name.lower()) for name in self.lanes)

    def to_dict(self) -> CorruptionPart:
        """Return the corruption as JSON values."""
        return {
            "spec": self.spec,
            "kind": self.kind,
            "severity": self.severity,
            "unit": self.form.unit,
            "lanes": list(self.lanes),
            "seed": self.seed,
            "params": dict(self.params),
        }


def parse(spec: str, option: str = OPTION) -> Corruption:
    """Parse a spec, the value of an option, into a corruption.

    Raises
    ------
    BuildError
        If there is no such kind or parameter, or a value is out of bounds; the message states the
        permitted ones.
    """
    kind, _, text = (part.strip() for part in spec.partition(":"))
    if kind not in FORMS:
        raise BuildError(
            f"{option} {spec!r}: no corruption {kind!r}; choose from {', '.join(FORMS)}"
        )
    form = FORMS[kind]
    keys = [*form.params, "lanes", "seed"]
    given: dict[str, str] = {}
    for pair in filter(None, text.split(",")):
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or key not in keys:
            raise BuildError(
                f"{option} {spec!r}: {kind} has no {pair.strip()!r}; give {', '.join(keys)}, as in "
                f"{Corruption(kind, (form.lanes,), _defaults(form)).spec}"
            )
        if key in given:
            raise BuildError(f"{option} {spec!r}: {key} is given twice; give it once")
        given[key] = value
    params = {**_defaults(form)}
    for key, param in form.params.items():
        if key in given:
            try:
                params[key] = param.read(given[key])
            except ValueError as allowed:
                raise BuildError(
                    f"{option} {spec!r}: {key} can't be {given[key]!r}; give {allowed}"
                ) from None
    return Corruption(
        kind, tuple(given.get("lanes", form.lanes).split("+")), params, _seed(spec, given, option)
    )


def check_lanes(corruptions: Sequence[Corruption], montage: Montage, option: str = OPTION) -> None:
    """Refuse a corruption of lanes that the montage does not have.

    Raises
    ------
    BuildError
        If a named lane does not exist, or no lane is of a named kind; the message lists the lanes.
    """
    lanes = ", ".join(lane.name for lane in montage.lanes)
    kinds = [kind.value for kind in Kind]
    names = {ALL, *kinds, *(lane.name.lower() for lane in montage.lanes)}
    for one in corruptions:
        unknown = [name for name in one.lanes if name.lower() not in names]
        if unknown or not any(one.applies_to(lane) for lane in montage.lanes):
            raise BuildError(
                f"{option} {one.spec!r}: montage {montage.name} has no lane "
                f"{'+'.join(unknown or one.lanes)!r}; it has {lanes}; or give {', '.join(kinds)} or {ALL}"
            )


def to_dict(corruptions: Sequence[Corruption]) -> CorruptionJson:
    """Return the corruptions as JSON values for ``build.json``."""
    parts = [one.to_dict() for one in corruptions]
    alone = len(parts) == 1
    return {
        "version": VERSION,
        "spec": " ".join(part["spec"] for part in parts),
        "kind": "+".join(part["kind"] for part in parts),
        "severity": parts[0]["severity"] if alone else None,
        "unit": parts[0]["unit"] if alone else "",
        "lanes": parts[0]["lanes"] if alone else [],
        "seed": parts[0]["seed"] if alone else None,
        "parts": parts,
    }


def from_dict(values: Mapping[str, Any] | None) -> tuple[Corruption, ...]:
    """Return the corruptions that ``to_dict`` serialised; none for None.

    Raises
    ------
    BuildError
        If the values are incomplete, or of a version that this psgimg does not support.
    """
    if values is None:
        return ()
    try:
        parsed = tuple(parse(part["spec"]) for part in values["parts"])
        same = bool(parsed) and to_dict(parsed) == values
        # Names are shown on cards, and a file from elsewhere may contain anything.
        same = same and all(re.fullmatch(r"[\w-]+", name) for one in parsed for name in one.lanes)
    except (KeyError, TypeError, AttributeError):
        same = False
    if not same:
        spec = values.get("spec") if isinstance(values, Mapping) else values
        raise BuildError(
            f"corruption {spec!r} is unknown to this psgimg; install the psgimg that made the dataset"
        )
    return parsed


def _defaults(form: Form) -> dict[str, float | str]:
    return {key: param.default for key, param in form.params.items()}


def _seed(spec: str, given: Mapping[str, str], option: str) -> int:
    text = given.get("seed", "0")
    if not text.isdecimal():
        raise BuildError(
            f"{option} {spec!r}: seed can't be {text!r}; give a whole number, 0 or more"
        )
    return int(text)
