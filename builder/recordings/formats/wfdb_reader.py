"""WFDB reader: recordings in PhysioNet's own format, a header beside the samples.

The package wfdb reads them; it comes with ``psgimg[corpora]``. It takes a channel without a gain as one
of 200 steps per unit, believes a header that ends before its samples do, and compares no checksum; all
three are refused here.
"""

from __future__ import annotations

import re
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
from psgimg.builder.recordings.edf import uv_per_unit, without_range
from psgimg.builder.recordings.formats import packages
from psgimg.builder.recordings.segments import Segment, require_plausible_span
from psgimg.builder.recordings.signal_file import Reader

HEADER = ".hea"
SAMPLES = (HEADER, ".mat")
"""Suffixes of files that are in WFDB format, or lack their header."""

CHECKSUMS = 2**16
"""Checksums of the format are sums modulo this number, stored with or without a sign."""

_GAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_STEPS_16 = "16"


@dataclass(frozen=True)
class WfdbFile(Reader):
    """A recording in WFDB format: a ``SignalFile`` in which each sample is a data record.

    Parameters
    ----------
    calibrated
        Whether the header states the gain of each channel.
    checksums
        Sum of all samples of each channel as stored, modulo 65,536; None where the header states none.
    """

    path: Path
    labels: tuple[str, ...]
    sfreqs_hz: tuple[Fraction, ...]
    record_s: Fraction
    segments: tuple[Segment, ...]
    units: tuple[str, ...]
    calibrated: tuple[bool, ...]
    checksums: tuple[int | None, ...]
    start: datetime | None
    notes: tuple[str, ...] = ()

    def unit(self, channel: int) -> str:
        """Return the physical unit as spelt in the header."""
        return self.units[channel]

    def read_uv(self, channel: int) -> npt.NDArray[np.float64]:
        """Return all samples of a channel in µV, shape (n_samples,)."""
        scale = self._conversion(channel)
        wfdb = require_wfdb(self.path)
        with one_line_errors(self.path):
            record = wfdb.rdrecord(_stem(self.path), channels=[channel], physical=False)
            self._compare(channel, record.d_signal[:, 0])
            samples: npt.NDArray[np.float64] = record.dac()[:, 0] * scale
        if not np.isfinite(samples).all():
            raise RecordingError(
                "samples missing",
                f"{self.path.name}, channel {self.labels[channel]}, has samples that are marked as "
                "missing; leave this recording out",
            )
        return samples

    def _compare(self, channel: int, stored: npt.NDArray[np.integer[Any]]) -> None:
        """Refuse samples that are not those that the header was written for."""
        stated = self.checksums[channel]
        if stated is None or (int(stored.sum(dtype=np.int64)) - stated) % CHECKSUMS == 0:
            return
        raise RecordingError(
            "wrong checksum",
            f"{self.path.name}, channel {self.labels[channel]}: the samples don't have the checksum "
            f"{stated} that {self.path.with_suffix(HEADER).name} states; get both again",
        )

    def _conversion(self, channel: int) -> float:
        where = f"{self.path.name}, channel {self.labels[channel]!r}"
        if not self.calibrated[channel]:
            raise without_range(where, "its header states no gain")
        return uv_per_unit(self.units[channel], where)


def is_wfdb(path: Path) -> bool:
    """Return whether a file is the header, or beside the header, of a recording in WFDB format."""
    return path.suffix.lower() in SAMPLES or path.with_suffix(HEADER).is_file()


def open_wfdb(path: Path) -> WfdbFile:
    """Read the header of a recording.

    Raises
    ------
    RecordingError
        If it can't be read, has channels of several sampling frequencies, is not that of its
        samples, or wfdb is not installed.
    """
    wfdb = require_wfdb(path)
    with one_line_errors(path):
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
    _require_own_samples(header, path)
    segments = (Segment(0.0, 0, n_samples),)
    require_plausible_span(segments, 1 / sfreq_hz, path.name)
    rates = (sfreq_hz,) * len(labels)
    gains = _calibrated(path.with_suffix(HEADER), len(labels))
    sums = tuple(header.checksum or (None,) * len(labels))
    return WfdbFile(
        path, labels, rates, 1 / sfreq_hz, segments, units, gains, sums, header.base_datetime
    )


def _require_own_samples(header: Any, path: Path) -> None:
    """Refuse a header that leads to the samples of another recording, or to more or fewer of them."""
    names = set(header.file_name)
    if path.suffix.lower() != HEADER and path.name not in names:
        raise RecordingError(
            "samples of another name",
            f"{path.with_suffix(HEADER).name} names {', '.join(sorted(names))} as the file of its samples, "
            f"not {path.name}; get both again",
        )
    if len(names) > 1 or set(header.fmt) != {_STEPS_16}:  # wfdb itself misses some samples
        return
    samples = path.with_name(names.pop())
    stated = (header.byte_offset[0] or 0) + 2 * header.n_sig * header.sig_len
    try:
        size = samples.stat().st_size
    except OSError as error:
        raise unreadable(samples.name, error) from error
    if size != stated:
        raise RecordingError(
            "wrong length",
            f"{samples.name} has {size} bytes, but its header states {stated}; get both again",
        )


def _calibrated(header: Path, n_channels: int) -> tuple[bool, ...]:
    """Return whether each channel has a gain other than 0, the third value of its line."""
    lines = header.read_text(encoding="utf-8", errors="replace").splitlines()
    lines = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    gains = [
        _GAIN.match(value)
        for line in lines[1 : n_channels + 1]
        for value in line.split()[2:3] or [""]
    ]
    return tuple(gain is not None and float(gain[0]) != 0 for gain in gains)


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
def one_line_errors(path: Path, reason: str = "unreadable recording") -> Iterator[None]:
    """Turn any error of wfdb into one line; ``reason`` is that of the RecordingError."""
    try:
        yield
    except RecordingError:
        raise
    except OSError as error:  # of the header, or of the samples
        raise unreadable(Path(error.filename or path).name, error) from error
    except Exception as error:  # it checks little, and raises what its parts raise
        raise RecordingError(
            reason,
            f"{path.name}: wfdb can't read it ({packages.reason(error, path)}); get it again",
        ) from error
