"""EDF and EDF+: header, integrity, channels in µV, gaps, annotations. Nothing else reads EDF.

Reading is lenient where the samples are certain and refuses where they are not: a file with fewer
records than its header promises is refused, a stray byte after the last record is only noted.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import RecordingError

if TYPE_CHECKING:
    import edfio

MAIN_HEADER_BYTES = 256
SAMPLE_BYTES = 2
RECORD_ONSET = re.compile(rb"^([+-]\d+(?:\.\d+)?)\x14\x14")
"""The timekeeping entry at the head of each record's annotation block, EDF+ section 2.2.4."""

UV_PER_UNIT = {"uv": 1.0, "mv": 1e3, "v": 1e6, "nv": 1e-3}
MISSING_UNIT = "unit missing, µV assumed"


@dataclass(frozen=True)
class Annotation:
    """One EDF+ annotation; ``onset_s`` counts from the file's first sample."""

    onset_s: float
    duration_s: float
    text: str


@dataclass(frozen=True)
class Segment:
    """A stretch without gap: records ``first`` to ``stop`` begin ``onset_s`` after the file's start."""

    onset_s: float
    first: int
    stop: int


@dataclass(frozen=True)
class EdfFile:
    """An EDF whose header has been read and believed; samples are read channel by channel.

    Parameters
    ----------
    labels
        Channel labels as the file spells them, without the annotation channels.
    sfreqs_hz
        Exact sampling frequency of each channel (records need not last whole seconds).
    record_s
        Exact length of a data record.
    segments
        Stretches without gap; one, unless the file is EDF+D.
    notes
        What was tolerated, for the report.
    """

    path: Path
    labels: tuple[str, ...]
    sfreqs_hz: tuple[Fraction, ...]
    record_s: Fraction
    segments: tuple[Segment, ...]
    notes: tuple[str, ...]
    _edf: edfio.Edf

    @property
    def duration_s(self) -> float:
        """Time from the first sample to the end of the last, gaps included."""
        last = self.segments[-1]
        return last.onset_s + float((last.stop - last.first) * self.record_s)

    def unit(self, channel: int) -> str:
        """Physical unit as the header spells it."""
        return str(self._edf.signals[channel].physical_dimension).strip()

    def read_uv(self, channel: int) -> npt.NDArray[np.float64]:
        """All samples of a channel in µV, shape (n_samples,), segments joined end to end.

        Raises
        ------
        RecordingError
            If the unit is not one of voltage, or the header's ranges are empty.
        """
        signal: Any = self._edf.signals[channel]
        scale = uv_per_unit(self.unit(channel), f"{self.path.name}, channel {signal.label!r}")
        low, high = signal.digital_min, signal.digital_max
        if low == high or signal.physical_min == signal.physical_max:
            raise RecordingError(
                "channel without range",
                f"{self.path.name}, channel {signal.label!r}: the header gives digital {low}..{high}, "
                f"physical {signal.physical_min}..{signal.physical_max}; re-export the recording",
            )
        gain = (signal.physical_max - signal.physical_min) / (high - low)
        duration_s = self._edf.num_data_records * self._edf.data_record_duration
        digital = signal.get_digital_slice(0, duration_s)
        samples: npt.NDArray[np.float64] = digital.astype(np.float64)
        samples -= low
        samples *= gain * scale
        samples += signal.physical_min * scale
        return samples


def uv_per_unit(unit: str, where: str) -> float:
    """Factor from a header's unit to µV, however "µ" was encoded; a missing unit means µV."""
    # The Greek mu (µ U+00B5, μ U+03BC) arrives as itself, as "Âµ" or as "Î¼", by encoding.
    letters = re.sub(r"[^a-z]", "", re.sub("µ|μ|î¼", "u", unit.lower()))
    letters = re.sub("volts?$", "v", letters).replace("micro", "u").replace("milli", "m")
    letters = "uv" if not unit.strip() else letters
    if letters not in UV_PER_UNIT:
        raise RecordingError(
            "unit not of voltage",
            f"{where} is in {unit!r}, not in V, mV or µV; choose another montage or mend the header",
        )
    return UV_PER_UNIT[letters]


def open_edf(path: Path) -> EdfFile:
    """Read the header of an EDF and check it against the file.

    Raises
    ------
    RecordingError
        If the file can't be read, is no EDF, or holds fewer or more records than it says.
    """
    edf = _read(path)
    header = _RawHeader.read(path)
    n_records, notes = _check_records(path, header)
    signals = edf.signals
    if not signals or header.record_s <= 0:
        raise RecordingError(
            "no signals", f"{path.name} holds no signal channel (an annotation file?)"
        )
    return EdfFile(
        path,
        tuple(signal.label for signal in signals),
        tuple(signal.samples_per_data_record / header.record_s for signal in signals),
        header.record_s,
        _segments(path, header, n_records),
        notes,
        edf,
    )


def read_annotations(path: Path) -> list[Annotation]:
    """Annotations of an EDF+ file in time order; one without duration gets 0 s.

    Raises
    ------
    RecordingError
        If the file can't be read or holds no annotation.
    """
    try:
        found = _read(path).annotations
    except (ValueError, UnicodeDecodeError) as error:
        raise RecordingError(
            "unreadable annotations", f"{path.name}: {_brief(error)}; get the file again"
        ) from error
    if not found:
        raise RecordingError(
            "empty scoring", f"{path.name} holds no annotation; get the file again"
        )
    return [Annotation(a.onset, a.duration or 0.0, a.text.strip()) for a in found]


def start_datetime(path: Path) -> datetime:
    """Start of an EDF by its main header; used only to align files, never published.

    EDF+ hides the date of anonymised files in its recording field (``Startdate X``); the plain
    fields ``dd.mm.yy`` and ``hh.mm.ss`` stay valid for aligning two files of one night.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAIN_HEADER_BYTES)[168:184].decode("ascii", "replace")
        return datetime.strptime(text.replace(":", "."), "%d.%m.%y%H.%M.%S")
    except OSError as error:
        raise RecordingError(
            "unreadable file",
            f"{path.name}: {error.strerror or error}; check that it exists and may be read",
        ) from error
    except ValueError as error:
        raise RecordingError(
            "no start time",
            f"{path.name}: {text!r} is no date and time; mend bytes 168-183 of the header",
        ) from error


def _read(path: Path) -> edfio.Edf:
    import edfio

    try:
        with warnings.catch_warnings():  # what edfio warns of, _check_records refuses or notes
            warnings.simplefilter("ignore")
            return edfio.read_edf(path, header_encoding="latin-1")
    except OSError as error:
        raise RecordingError(
            "unreadable file",
            f"{path.name}: {error.strerror or error}; check that it exists and may be read",
        ) from error
    except (ValueError, IndexError, ArithmeticError) as error:
        raise RecordingError(
            "no EDF", f"{path.name} is no readable EDF ({_brief(error)}); get the file again"
        ) from error


@dataclass(frozen=True)
class _RawHeader:
    """The header fields that decide where samples lie, before any reader amends them."""

    n_bytes: int
    continuous: bool
    n_records: int
    record_s: Fraction
    labels: tuple[str, ...]
    samples: tuple[int, ...]

    @classmethod
    def read(cls, path: Path) -> _RawHeader:
        with path.open("rb") as file:
            main = file.read(MAIN_HEADER_BYTES)
            try:
                n_signals = int(main[252:256])
                rest = file.read(MAIN_HEADER_BYTES * n_signals)
                counts = rest[216 * n_signals : 224 * n_signals]
                return cls(
                    MAIN_HEADER_BYTES * (n_signals + 1),
                    not main[192:236].startswith(b"EDF+D"),
                    int(main[236:244]),
                    Fraction(main[244:252].decode("ascii").strip()),
                    tuple(
                        rest[16 * i : 16 * i + 16].decode("latin-1").strip()
                        for i in range(n_signals)
                    ),
                    tuple(int(counts[8 * i : 8 * i + 8]) for i in range(n_signals)),
                )
            except (ValueError, ZeroDivisionError) as error:
                raise RecordingError(
                    "no EDF", f"{path.name} has no EDF header ({_brief(error)}); get the file again"
                ) from error

    @property
    def bytes_per_record(self) -> int:
        return SAMPLE_BYTES * sum(self.samples)


def _check_records(path: Path, header: _RawHeader) -> tuple[int, tuple[str, ...]]:
    """Number of whole records, after comparing the header's promise with the file's size."""
    if header.bytes_per_record <= 0:
        raise RecordingError("no signals", f"{path.name}: its channels hold no samples")
    n_whole, rest = divmod(path.stat().st_size - header.n_bytes, header.bytes_per_record)
    minutes = float(n_whole * header.record_s / 60)
    found = f"{path.name}: the header promises {header.n_records} records, the file holds {n_whole}"
    if n_whole <= 0 or 0 <= n_whole < header.n_records:
        raise RecordingError(
            "truncated EDF", f"{found} ({minutes:.1f} min); copy or download it again"
        )
    if header.n_records == -1:  # EDF's own sign for "still recording when the file was closed"
        return n_whole, ("number of records missing, taken from the file's size",)
    if n_whole > header.n_records:
        raise RecordingError(
            "header lies about records",
            f"{found}; re-export it, or mend bytes 236-243 of the header",
        )
    return n_whole, ("bytes after the last record ignored",) if rest else ()


def _segments(path: Path, header: _RawHeader, n_records: int) -> tuple[Segment, ...]:
    """Stretches without gap, from the records' own onsets where the file is EDF+D."""
    if header.continuous or "EDF Annotations" not in header.labels:
        return (Segment(0.0, 0, n_records),)
    channel = header.labels.index("EDF Annotations")
    first = SAMPLE_BYTES * sum(header.samples[:channel])
    records = np.memmap(path, np.uint8, "r", header.n_bytes, (n_records, header.bytes_per_record))[
        :, first : first + SAMPLE_BYTES * header.samples[channel]
    ]
    onsets = [_record_onset(path, bytes(record)) for record in records]
    starts = [0] + [
        i
        for i in range(1, n_records)
        if abs(onsets[i] - onsets[i - 1] - header.record_s) > Fraction(1, 1000)
    ]
    for i in starts[1:]:
        if onsets[i] < onsets[i - 1] + header.record_s:
            raise RecordingError(
                "records out of order",
                f"{path.name}: record {i} starts {float(onsets[i]):g} s, before record {i - 1} ends; "
                "re-export the recording",
            )
    stops = [*starts[1:], n_records]
    return tuple(
        Segment(float(onsets[a] - onsets[0]), a, b) for a, b in zip(starts, stops, strict=True)
    )


def _record_onset(path: Path, block: bytes) -> Fraction:
    match = RECORD_ONSET.match(block)
    if match is None:
        raise RecordingError(
            "record without onset",
            f"{path.name} is EDF+D, but a record carries no onset ({block[:12]!r}); re-export it",
        )
    return Fraction(match[1].decode("ascii"))


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
