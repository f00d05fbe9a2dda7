"""Corruption: what is done to the raw signal before it is drawn, as ``psgimg build --corrupt`` is told.

Pure. ``artefacts.py`` carries it out. Written as ``kind:key=value,key=value``; in ``lanes``, names
are joined by ``+``: ``noise:snr_db=0,lanes=eeg+eog``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.montage import Kind, Lane, Montage
from psgimg.builder.signals.corruption_kinds import ALL, ANY, FORMS, Form
from typing_extensions import TypedDict

VERSION = 1
"""Raised whenever the same corruption of the same samples gives others than before."""

KEY: Final = "corruption"
"""Where ``build.json`` says it; a dataset that was drawn as recorded has no such key."""

SPLIT: Final = "test"
"""The only split that is drawn corrupted: nobody is to learn from such pages."""


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
    """All corruptions of a dataset as ``build.json`` has them, in the order of ``parts``.

    Of a single one, severity, unit, lanes and seed stand at the top too; several together have none.
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
    """One corruption, with every parameter.

    Parameters
    ----------
    lanes
        Kinds of lane, lanes of the montage, or ``all``.
    seed
        Of what is drawn by chance: when a burst comes, what the noise is.
    """

    kind: str
    lanes: tuple[str, ...]
    params: Mapping[str, float | str] = field(default_factory=dict)
    seed: int = 0

    @property
    def form(self) -> Form:
        """What all corruptions of this kind have in common."""
        return FORMS[self.kind]

    @property
    def severity(self) -> float:
        """How severe it is, in the unit of its kind; not always is more worse (SNR, scale)."""
        value = self.params[next(iter(self.form.params))]
        if self.kind == "lost":  # any time is as likely as any other
            kept = 0.5 if value == ANY else self.number("from")
            return round(self.number("rate") * (1 - kept), 12)
        return float(value)

    @property
    def spec(self) -> str:
        """The shortest spec that gives it; how severe it is always stands there."""
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
        """A parameter that is a number."""
        return float(self.params[key])

    def falls_on(self, lane: Lane) -> bool:
        """Whether it is meant for a lane."""
        return any(name.lower() in (ALL, lane.kind.value, lane.name.lower()) for name in self.lanes)

    def to_dict(self) -> CorruptionPart:
        """As JSON values."""
        return {
            "spec": self.spec,
            "kind": self.kind,
            "severity": self.severity,
            "unit": self.form.unit,
            "lanes": list(self.lanes),
            "seed": self.seed,
            "params": dict(self.params),
        }


def parse(spec: str) -> Corruption:
    """The corruption that a spec tells of.

    Raises
    ------
    BuildError
        If there is no such kind or parameter, or a value is out of its bounds; it says what there
        is.
    """
    kind, _, text = (part.strip() for part in spec.partition(":"))
    if kind not in FORMS:
        raise BuildError(
            f"--corrupt {spec!r}: no corruption {kind!r}; there are {', '.join(FORMS)}"
        )
    form = FORMS[kind]
    known = [*form.params, "lanes", "seed"]
    given: dict[str, str] = {}
    for pair in filter(None, text.split(",")):
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or key not in known:
            raise BuildError(
                f"--corrupt {spec!r}: {kind} has no {pair.strip()!r}; give {', '.join(known)}, as in "
                f"{Corruption(kind, (form.lanes,), _defaults(form)).spec}"
            )
        if key in given:
            raise BuildError(f"--corrupt {spec!r}: {key} stands there twice; give it once")
        given[key] = value
    params = {**_defaults(form)}
    for key, param in form.params.items():
        if key in given:
            try:
                params[key] = param.read(given[key])
            except ValueError as allowed:
                raise BuildError(
                    f"--corrupt {spec!r}: {key} can't be {given[key]!r}; give {allowed}"
                ) from None
    return Corruption(
        kind, tuple(given.get("lanes", form.lanes).split("+")), params, _seed(spec, given)
    )


def check_lanes(corruptions: Sequence[Corruption], montage: Montage) -> None:
    """Refuse a corruption that names a lane which the montage has not, or falls on none.

    Raises
    ------
    BuildError
        It lists the lanes.
    """
    there = ", ".join(lane.name for lane in montage.lanes)
    kinds = [kind.value for kind in Kind]
    known = {ALL, *kinds, *(lane.name.lower() for lane in montage.lanes)}
    for one in corruptions:
        unknown = [name for name in one.lanes if name.lower() not in known]
        if unknown or not any(one.falls_on(lane) for lane in montage.lanes):
            raise BuildError(
                f"--corrupt {one.spec!r}: montage {montage.name} has no lane "
                f"{'+'.join(unknown or one.lanes)!r}; it has {there}; or give {', '.join(kinds)} or {ALL}"
            )


def to_dict(corruptions: Sequence[Corruption]) -> CorruptionJson:
    """What ``build.json`` says of all that was done."""
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
    """The corruptions that ``to_dict`` gave; none of None.

    Raises
    ------
    BuildError
        If they are not whole, or of a version that this psgimg does not carry out.
    """
    if values is None:
        return ()
    try:
        found = tuple(parse(part["spec"]) for part in values["parts"])
        same = bool(found) and to_dict(found) == values
        # They are shown on cards, and a foreign file may hold anything.
        same = same and all(re.fullmatch(r"[\w-]+", name) for one in found for name in one.lanes)
    except (KeyError, TypeError, AttributeError):
        same = False
    if not same:
        said = values.get("spec") if isinstance(values, Mapping) else values
        raise BuildError(
            f"corruption {said!r} is not one of this psgimg; install the psgimg that made the dataset"
        )
    return found


def _defaults(form: Form) -> dict[str, float | str]:
    return {key: param.default for key, param in form.params.items()}


def _seed(spec: str, given: Mapping[str, str]) -> int:
    text = given.get("seed", "0")
    if not text.isdecimal():
        raise BuildError(f"--corrupt {spec!r}: seed can't be {text!r}; give a whole number from 0")
    return int(text)
