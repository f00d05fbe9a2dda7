"""EDF and EDF+: header, integrity, channels in µV, gaps, annotations. Nothing else reads EDF.

Reading is lenient where the samples are certain and refuses where they are not: a file with fewer
records than its header promises is refused, a stray byte after the last record is only noted.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
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
        return self.segments[-1].stop_s(self.record_s)

    @property
    def start(self) -> datetime | None:
        """Local date and time of the first sample as the header says; None if it says none."""
        try:
            return start_datetime(self.path)
        except RecordingError:
            return None

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
    # The Greek mu arrives as itself (µ U+00B5, μ U+03BC) or, by way of another encoding, as Âµ, Î¼,
    # æ (code page 437 and 850) or ì (ISO 8859-7). Anything else in front of V is not guessed at.
    letters = re.sub("Âµ|Î¼|[µμæì]", "u", unit.strip()).lower().replace(" ", "")
    letters = re.sub("volts?$", "v", letters).replace("micro", "u").replace("milli", "m")
    letters = letters or "uv"
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
    header = RawHeader.read(path)
    n_records, notes = count_records(path, header)
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
        segments(path, header, n_records),
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
        edf = _read(path)
        count_records(path, RawHeader.read(path))
        found = edf.annotations
    except (ValueError, IndexError, ArithmeticError) as error:
        raise RecordingError(
            "unreadable annotations", f"{path.name}: {brief(error)}; get the file again"
        ) from error
    if not found:
        raise RecordingError(
            "empty scoring", f"{path.name} holds no annotation; get the file again"
        )
    return [Annotation(a.onset, a.duration or 0.0, a.text.strip()) for a in found]


def start_datetime(path: Path) -> datetime:
    """Time of an EDF's first sample or annotation; used only to align files, never published.

    EDF+ hides the date of anonymised files in its recording field (``Startdate X``); the plain
    fields ``dd.mm.yy`` and ``hh.mm.ss`` stay valid for aligning two files of one night. They count
    whole seconds; the first record's own onset adds the fraction.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAIN_HEADER_BYTES)[168:184].decode("ascii", "replace")
        start = datetime.strptime(text.replace(":", "."), "%d.%m.%y%H.%M.%S")
    except OSError as error:
        raise unreadable(path.name, error) from error
    except ValueError:  # what stands there may be a real date: it is not repeated
        raise RecordingError(
            "no start time",
            f"{path.name}: bytes 168-183 of the header are no date and time; mend them",
        ) from None
    return start + timedelta(seconds=float(first_onset_s(path, RawHeader.read(path))))


def _read(path: Path) -> edfio.Edf:
    import edfio

    try:
        with warnings.catch_warnings():  # what edfio warns of, count_records refuses or notes
            warnings.simplefilter("ignore")
            return edfio.read_edf(path, header_encoding="latin-1")
    except OSError as error:
        raise unreadable(path.name, error) from error
    except (ValueError, IndexError, ArithmeticError) as error:
        raise RecordingError(
            "no EDF", f"{path.name} is no readable EDF ({brief(error)}); get the file again"
        ) from error
