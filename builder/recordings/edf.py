"""EDF and EDF+ reader: header, integrity, channels in µV, gaps and annotations.

All EDF files are read here. The reader tolerates defects that leave the samples unambiguous and
refuses others: a file with fewer records than its header states is refused, a stray byte after the
last record is only noted.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import RecordingError, unreadable
from psgimg.builder.recordings.edf_header import (
    MAIN_HEADER_BYTES,
    RawHeader,
    Segment,
    brief,
    count_records,
    first_onset_s,
    segments,
)

if TYPE_CHECKING:
    import edfio

UV_PER_UNIT = {"uv": 1.0, "mv": 1e3, "v": 1e6, "nv": 1e-3}


@dataclass(frozen=True)
class Annotation:
    """One EDF+ annotation; ``onset_s`` counts from the file's first sample."""

    onset_s: float
    duration_s: float
    text: str


@dataclass(frozen=True)
class EdfFile:
    """An EDF file whose header has been read and checked; samples are read channel by channel.

    Parameters
    ----------
    labels
        Channel labels as spelt in the file, without the annotation channels.
    sfreqs_hz
        Exact sampling frequency of each channel (records need not last whole seconds).
    record_s
        Exact duration of a data record.
    segments
        Gapless segments; one, unless the file is EDF+D.
    notes
        Tolerated defects, for the report.
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
        """Time from the first sample to the end of the last one, gaps included."""
        return self.segments[-1].stop_s(self.record_s)

    @property
    def start(self) -> datetime | None:
        """Local date and time of the first sample according to the header; None if not stated."""
        try:
            return start_datetime(self.path)
        except RecordingError:
            return None

    def unit(self, channel: int) -> str:
        """Return the physical unit as spelt in the header."""
        return str(self._edf.signals[channel].physical_dimension).strip()

    def fault(self, channel: int) -> RecordingError | None:
        """Return why a channel can't be read in µV, judged by the header alone; None if it can."""
        signal: Any = self._edf.signals[channel]
        where = f"{self.path.name}, channel {signal.label!r}"
        try:
            uv_per_unit(self.unit(channel), where)
            low, high = signal.digital_min, signal.digital_max
            bottom, top = float(signal.physical_min), float(signal.physical_max)
        except RecordingError as error:
            return error
        except (ValueError, OverflowError):
            return RecordingError(
                "channel without range",
                f"{where}: a limit in the header is not a number; re-export the recording",
            )
        if low == high or bottom == top or not isfinite(top - bottom):
            return RecordingError(
                "channel without range",
                f"{where}: the header gives digital {low}..{high}, physical {bottom:g}..{top:g}; "
                "re-export the recording",
            )
        return None

    def read_uv(self, channel: int) -> npt.NDArray[np.float64]:
        """Return all samples of a channel in µV, shape (n_samples,), with segments concatenated.

        Raises
        ------
        RecordingError
            The ``fault`` of the channel, if it has one.
        """
        if fault := self.fault(channel):
            raise fault
        signal: Any = self._edf.signals[channel]
        scale = uv_per_unit(self.unit(channel), self.path.name)
        gain = (signal.physical_max - signal.physical_min) / (
            signal.digital_max - signal.digital_min
        )
        duration_s = self._edf.num_data_records * self._edf.data_record_duration
        digital = signal.get_digital_slice(0, duration_s)
        samples: npt.NDArray[np.float64] = digital.astype(np.float64)
        samples -= signal.digital_min
        samples *= gain * scale
        samples += signal.physical_min * scale
        return samples


def uv_per_unit(unit: str, where: str) -> float:
    """Return the factor from a header's unit to µV in any encoding of "µ"; a missing unit is µV."""
    # The Greek mu appears as itself (µ U+00B5, μ U+03BC) or, through another encoding, as Âµ, Î¼,
    # æ (code pages 437 and 850) or ì (ISO 8859-7). No other prefix of V is guessed.
    letters = re.sub("Âµ|Î¼|[µμæì]", "u", unit.strip()).lower().replace(" ", "")
    letters = re.sub("volts?$", "v", letters).replace("micro", "u").replace("milli", "m")
    letters = letters or "uv"
    if letters not in UV_PER_UNIT:
        raise RecordingError(
            "unit is not a voltage",
            f"{where} is in {unit!r}, not in V, mV or µV; choose another montage or fix the header",
        )
    return UV_PER_UNIT[letters]


def open_edf(path: Path) -> EdfFile:
    """Read the header of an EDF file and check it against the file's size.

    Raises
    ------
    RecordingError
        If the file can't be read, is not an EDF file, or holds fewer or more records than stated.
    """
    edf = _read(path)
    header = RawHeader.read(path)
    n_records, notes = count_records(path, header)
    signals = edf.signals
    if not signals or header.record_s <= 0:
        raise RecordingError(
            "no signals", f"{path.name} has no signal channel; is it an annotation file?"
        )
    return EdfFile(
        path,
        tuple(signal.label for signal in signals),
        tuple(signal.samples_per_data_record / header.record_s for signal in signals),
        header.record_s,
        segments(path, header, n_records),
        notes,
        edf,
    )


def read_annotations(path: Path) -> list[Annotation]:
    """Return the annotations of an EDF+ file in time order; a missing duration becomes 0 s.

    Raises
    ------
    RecordingError
        If the file can't be read or has no annotations.
    """
    try:
        edf = _read(path)
        count_records(path, RawHeader.read(path))
        annotations = edf.annotations
    except (ValueError, IndexError, ArithmeticError) as error:
        raise RecordingError(
            "unreadable annotations", f"{path.name}: {brief(error)}; get the file again"
        ) from error
    if not annotations:
        raise RecordingError("empty scoring", f"{path.name} has no annotations; get the file again")
    return [Annotation(a.onset, a.duration or 0.0, a.text.strip()) for a in annotations]


def start_datetime(path: Path) -> datetime:
    """Return the time of the first sample or annotation; only for alignment, never published.

    Anonymised EDF+ files hide the date in the recording field (``Startdate X``); the plain fields
    ``dd.mm.yy`` and ``hh.mm.ss`` remain valid for aligning two files of one night. They have a
    resolution of one second; the onset of the first record adds the fraction.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAIN_HEADER_BYTES)[168:184].decode("ascii", "replace")
        start = datetime.strptime(text.replace(":", "."), "%d.%m.%y%H.%M.%S")
    except OSError as error:
        raise unreadable(path.name, error) from error
    except ValueError:  # the message omits the content, which may be a real date
        raise RecordingError(
            "no start time",
            f"{path.name}: bytes 168-183 of the header are not a date and time; fix them",
        ) from None
    return start + timedelta(seconds=float(first_onset_s(path, RawHeader.read(path))))


def _read(path: Path) -> edfio.Edf:
    import edfio

    try:
        with warnings.catch_warnings():  # count_records refuses or notes what edfio warns about
            warnings.simplefilter("ignore")
            return edfio.read_edf(path, header_encoding="latin-1")
    except OSError as error:
        raise unreadable(path.name, error) from error
    except (ValueError, IndexError, ArithmeticError) as error:
        raise RecordingError(
            "not an EDF file",
            f"{path.name} is not a readable EDF file ({brief(error)}); get the file again",
        ) from error
