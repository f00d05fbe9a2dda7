"""EDF files written byte by byte, for headers and annotations that no library writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Text = str | bytes
"""A field as it shall stand in the file; padded at the end."""


@dataclass(frozen=True)
class RawChannel:
    """A channel; its samples are noise of its own (``digital``)."""

    label: Text = "EEG C4-M1"
    n_samples: int = 100
    unit: Text = "uV"
    physical: tuple[Text, Text] = ("-500", "500")
    limits: tuple[Text, Text] = ("-32768", "32767")
    stated_samples: Text | None = None

    def digital(self, n_records: int) -> npt.NDArray[np.int16]:
        """Digital values, shape (n_records, n_samples)."""
        seed = sum(self.label.encode() if isinstance(self.label, str) else self.label)
        shape = (n_records, self.n_samples)
        return np.random.default_rng(seed).integers(-9000, 9000, shape, np.int16)


@dataclass(frozen=True)
class RawHeader:
    """The fields of the main header that differ from those of a plain EDF of 1-s records."""

    reserved: Text = ""
    record_s: Text = "1"
    n_records: Text | None = None
    n_channels: Text | None = None
    n_bytes: Text | None = None
    start: tuple[Text, Text] = ("01.01.85", "22.00.00")
    person: str = "X X X X"
    pad: bytes = b" "


PLAIN = RawHeader()


def entry(onset: Text, duration: Text | None = None, *texts: Text) -> bytes:
    """An entry of annotations as EDF+ has it; without texts, the onset of a record."""
    times = _bytes(onset) + (b"" if duration is None else b"\x15" + _bytes(duration))
    return times + b"\x14" + b"".join(_bytes(text) + b"\x14" for text in texts or ("",)) + b"\0"


def write_raw(
    path: Path,
    channels: Sequence[RawChannel] = (RawChannel(),),
    header: RawHeader = PLAIN,
    *,
    n_records: int = 60,
    blocks: Sequence[bytes] | None = None,
    note_label: Text = "EDF Annotations",
    notes_at: int | None = None,
) -> Path:
    """Write an EDF file.

    Parameters
    ----------
    blocks
        Annotations of each record, without padding; None for a file without an annotation channel.
    notes_at
        Position of the annotation channel among the others; None for the last.
    """
    n_records = n_records if blocks is None else len(blocks)
    rows = [channel.digital(n_records) for channel in channels]
    channels = list(channels)
    if blocks is not None:
        width = (max(map(len, blocks)) + 1) // 2 * 2 or 2
        padded = b"".join(block.ljust(width, b"\0") for block in blocks)
        at = len(channels) if notes_at is None else notes_at
        rows.insert(at, np.frombuffer(padded, "<i2").reshape(n_records, -1))
        channels.insert(at, RawChannel(note_label, width // 2, "", ("-1", "1")))
    path.parent.mkdir(parents=True, exist_ok=True)
    body = np.hstack(rows).astype("<i2").tobytes() if rows else b""
    path.write_bytes(
        _main(header, len(channels), n_records) + _columns(channels, header.pad) + body
    )
    return path


def onsets(times_s: Sequence[float]) -> list[bytes]:
    """Blocks that state the onset of each record."""
    return [entry(f"{time_s:+.10g}") for time_s in times_s]


def set_fields(path: Path, fields: Mapping[int, bytes]) -> Path:
    """Overwrite bytes of a file from the given positions on."""
    content = bytearray(path.read_bytes())
    for first, field in fields.items():
        content[first : first + len(field)] = field
    path.write_bytes(content)
    return path


def _bytes(text: Text) -> bytes:
    return text.encode("latin-1") if isinstance(text, str) else text


def _main(header: RawHeader, n_channels: int, n_records: int) -> bytes:
    def given(value: Text | None, default: int) -> Text:
        return str(default) if value is None else value

    fields: list[tuple[Text, int]] = [
        ("0", 8),
        (header.person, 80),
        ("Startdate X X X X", 80),
        (header.start[0], 8),
        (header.start[1], 8),
        (given(header.n_bytes, 256 * (n_channels + 1)), 8),
        (header.reserved, 44),
        (given(header.n_records, n_records), 8),
        (header.record_s, 8),
        (given(header.n_channels, n_channels), 4),
    ]
    return b"".join(_bytes(text).ljust(width, header.pad) for text, width in fields)


def _columns(channels: Sequence[RawChannel], pad: bytes) -> bytes:
    fields: list[tuple[list[Text], int]] = [
        ([channel.label for channel in channels], 16),
        ([""] * len(channels), 80),
        ([channel.unit for channel in channels], 8),
        ([channel.physical[0] for channel in channels], 8),
        ([channel.physical[1] for channel in channels], 8),
        ([channel.limits[0] for channel in channels], 8),
        ([channel.limits[1] for channel in channels], 8),
        ([""] * len(channels), 80),
        ([one.stated_samples or str(one.n_samples) for one in channels], 8),
        ([""] * len(channels), 32),
    ]
    return b"".join(_bytes(text).ljust(width, pad) for texts, width in fields for text in texts)
