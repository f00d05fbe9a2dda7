"""Header fields of an EDF file, changed in place as other tools or damaged disks leave them."""

from __future__ import annotations

from pathlib import Path

WIDTHS = {
    "label": 16,
    "transducer": 80,
    "unit": 8,
    "pmin": 8,
    "pmax": 8,
    "dmin": 8,
    "dmax": 8,
    "prefilter": 80,
    "samples": 8,
}
"""The fields of a signal in the order of the header, with their widths in bytes."""


def set_field(path: Path, label: str, field: str, text: str) -> None:
    """Write a text into a field of the first signal with a label."""
    raw = bytearray(path.read_bytes())
    n_signals = int(raw[252:256])
    labels = [raw[256 + 16 * i : 272 + 16 * i].decode("latin-1").strip() for i in range(n_signals)]
    at, names = 256, list(WIDTHS)
    for name in names[: names.index(field)]:
        at += WIDTHS[name] * n_signals
    at += WIDTHS[field] * labels.index(label)
    raw[at : at + WIDTHS[field]] = text.encode("latin-1").ljust(WIDTHS[field])
    path.write_bytes(raw)


def set_record_s(path: Path, text: str) -> None:
    """Write another duration of a data record into the header."""
    raw = bytearray(path.read_bytes())
    raw[244:252] = text.encode("latin-1").ljust(8)
    path.write_bytes(raw)
