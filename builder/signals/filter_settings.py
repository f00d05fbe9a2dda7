"""Filter settings: the pass band of each kind of lane, the order, and whether to use a notch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

from psgimg.builder.errors import BuildError
from psgimg.builder.files import yaml_file
from psgimg.builder.recordings.by_kind import ByKind
from psgimg.builder.recordings.montage import Kind


@dataclass(frozen=True)
class Band:
    """Pass band in Hz, whose edges are attenuated by 3 dB, as the settings of amplifiers are meant.

    An edge at 0 or beyond the recording's Nyquist frequency is not filtered.
    """

    low_hz: float
    high_hz: float


AASM_BANDS = ByKind(
    {
        Kind.EEG: Band(0.3, 35.0),
        Kind.EOG: Band(0.3, 35.0),
        Kind.EMG: Band(10.0, 100.0),
        Kind.ECG: Band(0.3, 70.0),
    }
)
"""The routine settings of the AASM manual."""

ORDERS = (2, 8)
"""Lowest and highest order of a filter."""


@dataclass(frozen=True)
class Filters:
    """How signals are filtered before pages are cut from them.

    Parameters
    ----------
    bands
        Pass band of each kind of lane.
    order
        Order of the low-pass; the high-pass has half of it. Both run forwards and backwards.
    notch
        Whether the mains frequency is removed by a notch filter.
    """

    bands: ByKind[Band] = AASM_BANDS
    order: int = 4
    notch: bool = True

    def __post_init__(self) -> None:
        for kind, band in self.bands.items():
            if not 0 <= band.low_hz < band.high_hz:
                raise BuildError(
                    f"{kind.value} has a pass band from {band.low_hz:g} to {band.high_hz:g} Hz; "
                    "give the lower edge first, 0 for none"
                )
        if not ORDERS[0] <= self.order <= ORDERS[1]:
            raise BuildError(f"filters of order {self.order}; use {ORDERS[0]} to {ORDERS[1]}")

    def band(self, kind: Kind) -> Band:
        """Return the pass band of a kind of lane."""
        return self.bands[kind]

    def only(self, kinds: Iterable[Kind]) -> Filters:
        """Return the filters restricted to some kinds of lane."""
        return replace(self, bands=self.bands.only(kinds))


def load_filters(name: str) -> Filters:
    """Load filters from a YAML file: ``eeg: {band_hz: [0.5, 30]}`` and other values that differ.

    Parameters
    ----------
    name
        Path of the file; "" for the AASM manual's settings.

    Raises
    ------
    BuildError
        If the file can't be read, or has an unknown key or an invalid value.
    """
    if not name:
        return Filters()
    where = f"filter file {name}"
    values = yaml_file.read(Path(name), "filter file")
    base = Filters()
    kinds = {kind.value: kind for kind in base.bands}
    yaml_file.check_keys(values, (*kinds, "order", "notch"), where)
    own = {
        kind: _band(values[key], f"{where}, {key}") for key, kind in kinds.items() if key in values
    }
    order, notch = values.get("order", base.order), values.get("notch", base.notch)
    if type(order) is not int:
        raise BuildError(
            f"{where}: order is {order!r}; use a whole number, {ORDERS[0]} to {ORDERS[1]}"
        )
    if not isinstance(notch, bool):
        raise BuildError(f"{where}: notch is {notch!r}; use true or false")
    try:
        return Filters(ByKind({**base.bands, **own}), order, notch)
    except BuildError as error:
        raise BuildError(f"{where}: {error}") from error


def _band(values: Any, where: str) -> Band:
    """Return the band in ``{band_hz: [0.3, 35]}``."""
    if not isinstance(values, dict):
        raise BuildError(f"{where}: {values!r}; write {{band_hz: [0.3, 35]}}")
    yaml_file.check_keys(values, ("band_hz",), where)
    ends = values.get("band_hz")
    if not (isinstance(ends, list) and len(ends) == 2 and all(map(_is_number, ends))):
        raise BuildError(f"{where}: band_hz is {ends!r}; give two numbers in Hz, such as [0.3, 35]")
    return Band(float(ends[0]), float(ends[1]))


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and isfinite(value)
