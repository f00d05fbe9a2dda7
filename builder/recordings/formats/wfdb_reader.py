"""WFDB reader: recordings in PhysioNet's own format, a header beside the samples.

The package wfdb reads them; it comes with ``psgimg[corpora]``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import RecordingError, unreadable
from psgimg.builder.recordings.edf import uv_per_unit
from psgimg.builder.recordings.formats import packages
from psgimg.builder.recordings.segments import Segment, require_plausible_span

HEADER = ".hea"


@dataclass(frozen=True)
class WfdbFile:
    """A recording in WFDB format: a ``SignalFile`` in which each sample is a data record."""

    path: Path
    labels: tuple[str, ...]
    sfreqs_hz: tuple[Fraction, ...]
    record_s: Fraction
    segments: tuple[Segment, ...]
    units: tuple[str, ...]
    start: datetime | None
    notes: tuple[str, ...] = ()

    @property
    def recorded_hz(self) -> tuple[Fraction, ...]:
        """Sampling frequency at which each channel was recorded."""
        return self.sfreqs_hz

    @property
    def duration_s(self) -> float:
        """Time from the first sample to the end of the last one."""
        return self.segments[-1].stop_s(self.record_s)

    def unit(self, channel: int) -> str:
        """Return the physical unit as spelt in the header."""
        return self.units[channel]

    def fault(self, channel: int) -> RecordingError | None:
        """Return why a channel can't be read in µV, judged by its unit; None if it can."""
        try:
            self._uv_per_unit(channel)
        except RecordingError as error:
            return error
        return None

    def read_uv(self, channel: int) -> npt.NDArray[np.float64]:
        """Return all samples of a channel in µV, shape (n_samples,)."""
        scale = self._uv_per_unit(channel)
        wfdb = require_wfdb(self.path)
        with _one_line_errors(self.path):
            record = wfdb.rdrecord(_stem(self.path), channels=[channel])
        samples: npt.NDArray[np.float64] = record.p_signal[:, 0] * scale
        if not np.isfinite(samples).all():
            raise RecordingError(
                "samples missing",
                f"{self.path.name}, channel {self.labels[channel]}, has samples that are marked as "
                "missing; leave this recording out",
            )
        return samples

    def _uv_per_unit(self, channel: int) -> float:
        return uv_per_unit(self.units[channel], f"{self.path.name}, {self.labels[channel]}")


def is_wfdb(path: Path) -> bool:
    """Return whether a file is the header, or beside the header, of a recording in WFDB format."""
    return path.with_suffix(HEADER).is_file()


def open_wfdb(path: Path) -> WfdbFile:
    """Read the header of a recording.

    Raises
    ------
    RecordingError
        If it can't be read, has channels of several sampling frequencies, or wfdb is not installed.
    """
    wfdb = require_wfdb(path)
    with _one_line_errors(path):
        header = wfdb.rdheader(_stem(path))
        sfreq_hz = Fraction(header.fs).limit_denominator(10**6)
        n_samples = int(header.sig_len or 0)
        labels, units = tuple(map(str, header.sig_name or ())), tuple(map(str, header.units or ()))
    if not labels or not n_samples or sfreq_hz <= 0:
        raise RecordingError("no signals", f"{path.name} has no samples; get the file again")
    if any(n != 1 for n in header.samps_per_frame):
        raise RecordingError(
            "several sampling rates",
            f"{path.name} has channels of several sampling rates; export the recording as EDF",
        )
    segments = (Segment(0.0, 0, n_samples),)
    require_plausible_span(segments, 1 / sfreq_hz, path.name)
    rates = (sfreq_hz,) * len(labels)
    return WfdbFile(path, labels, rates, 1 / sfreq_hz, segments, units, header.base_datetime)


def require_wfdb(path: Path) -> Any:
    """Return the package wfdb, which is to read a file; RecordingError if it is not installed."""
    try:
        import wfdb  # heavy
    except ImportError as error:
        raise packages.absent("wfdb", path.name) from error
    return wfdb


def _stem(path: Path) -> str:
    return str(path.absolute().with_suffix(""))


@contextmanager
def _one_line_errors(path: Path) -> Iterator[None]:
    """Turn any error of wfdb into one line."""
    try:
        yield
    except OSError as error:
        raise unreadable(path.name, error) from error
    except Exception as error:  # it checks little, and raises what its parts raise
        raise RecordingError(
            "unreadable recording",
            f"{path.name}: wfdb can't read it ({packages.reason(error)}); get it again",
        ) from error
