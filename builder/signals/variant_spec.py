"""Variant spec: parse the values of ``psgimg build --variants`` into further pictures of training pages.

Each value is one variant: corruptions as for ``--corrupt``, applied in order, with spaces between
them, or a name from ``NAMED``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.montage import Montage
from psgimg.builder.signals import corruption_spec
from psgimg.builder.signals.corruption_spec import Corruption, CorruptionJson

Variant = tuple[Corruption, ...]

KEY: Final = "variants"
"""Key in the settings of ``build.json``; absent from a dataset without variants."""

OPTION: Final = "--variants"

SPLIT: Final = "train"
"""The only split whose pages have variants."""

MOST = 8
"""Variants of a page, each of which takes as long to draw, and as much space, as the page."""

NAMED: Mapping[str, str] = {
    "labs": "inverted:rate=0.5 scale:factor=0.7..1.4 hum:uv=0..50,hz=45..49,lanes=eeg+eog "
    "noise:snr_db=10..30 shift:s=-2..2",
}
"""Variants by name. ``labs`` is what differs between laboratories and recorders and leaves the stage
as it is: polarity, amplitude, hum beside the notch (below half of 100 samples per second, and not in
the chin, whose tone it would hide), noise, and where an epoch begins."""


def parse(values: Sequence[str]) -> tuple[Variant, ...]:
    """Parse the values of the option.

    Raises
    ------
    BuildError
        If one is empty or no valid spec, or there are too many.
    """
    if len(values) > MOST:
        raise BuildError(f"{OPTION} is given {len(values)} times; give it at most {MOST} times")
    return tuple(_variant(value) for value in values)


def _variant(value: str) -> Variant:
    specs = NAMED.get(value.strip(), value).split()
    if not specs:
        raise BuildError(
            f"{OPTION} {value!r}: give {' or '.join(NAMED)}, or corruptions such as scale:factor=0.7..1.4"
        )
    return tuple(corruption_spec.parse(spec, OPTION) for spec in specs)


def check_lanes(variants: Iterable[Variant], montage: Montage) -> None:
    """Refuse variants of lanes that the montage does not have, as ``corruption_spec.check_lanes``."""
    for variant in variants:
        corruption_spec.check_lanes(variant, montage, OPTION)


def to_dict(variants: Iterable[Variant]) -> list[CorruptionJson]:
    """Return the variants as JSON values for ``build.json``."""
    return [corruption_spec.to_dict(variant) for variant in variants]


def from_dict(values: Iterable[Mapping[str, Any]] | None) -> tuple[Variant, ...]:
    """Return the variants that ``to_dict`` serialised; none for None.

    Raises
    ------
    BuildError
        As ``corruption_spec.from_dict``.
    """
    return tuple(corruption_spec.from_dict(one) for one in values or ())
