"""HDF5 reader: recordings in the layout of Dreem, ``signals/<kind>/<label>`` beside ``hypnogram``.

Each kind, such as ``eeg``, is a group with the attributes ``fs`` in Hz and ``unit``; each channel is
a list of samples. Times of day are not read: the file states UTC at most.

The package h5py reads the files; it comes with ``psgimg[corpora]``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from math import gcd, lcm
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import RecordingError, unreadable
from psgimg.builder.recordings.edf import uv_per_unit
from psgimg.builder.recordings.formats import packages
from psgimg.builder.recordings.segments import Segment, require_plausible_span
from psgimg.builder.recordings.signal_file import Reader

SIGNATURE = b"\x89HDF\r\n\x1a\n"
"""First bytes of the files; those of MATLAB and EEGLAB in HDF5 have a block of text before it."""

SIGNALS = "signals"

MOST_PARTS = 1000
"""Greatest denominator of a rate: 99.99 Hz as a 32-bit number is meant so. A night drifts by < 0.1 ms."""

UNEVEN = "the channels differ in length; the recording ends where the shortest one does"

MOST_INTEGERS = 1_000_000
"""A longer list is no scoring."""


@dataclass(frozen=True)
class Hdf5File(Reader):
    """A recording in HDF5: a ``SignalFile`` without gaps.

    Parameters
    ----------
    places
        Path of each channel in the file.
    """

    path: Path
    labels: tuple[str, ...]
    places: tuple[str, ...]
    sfreqs_hz: tuple[Fraction, ...]
    record_s: Fraction
    segments: tuple[Segment, ...]
    units: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def start(self) -> datetime | None:
        """None: no local time is stated."""
        return None

    def unit(self, channel: int) -> str:
        """Return the physical unit as spelt in the file."""
        return self.units[channel]

    def read_uv(self, channel: int) -> npt.NDArray[np.float64]:
        """Return all samples of a channel in µV, shape (n_samples,)."""
        scale = self._conversion(channel)
        n_samples = int(self.segments[-1].stop * self.record_s * self.sfreqs_hz[channel])
        with opened(self.path) as file:
            samples: npt.NDArray[np.float64] = file[self.places[channel]][:n_samples].astype(float)
        if not np.isfinite(samples).all():
            raise RecordingError(
                "samples missing",
                f"{self.path.name}, channel {self.labels[channel]}, has samples that are not "
                "numbers; leave this recording out",
            )
        samples *= scale
        return samples

    def _conversion(self, channel: int) -> float:
        return uv_per_unit(self.units[channel], f"{self.path.name}, {self.labels[channel]}")


def open_hdf5(path: Path) -> Hdf5File:
    """Read the list of channels of a recording.

    Raises
    ------
    RecordingError
        If the file can't be read, has another layout or states no sampling frequency, or h5py is
        not installed.
    """
    with opened(path) as file:
        channels = list(_channels(file, path.name))
    if not channels:
        raise RecordingError("no signals", f"{path.name} has no samples; get the file again")
    rates = tuple(channel.sfreq_hz for channel in channels)
    record_s = _record_s(rates)
    lengths = sorted(int(one.n_samples / one.sfreq_hz / record_s) for one in channels)
    if not lengths[0]:
        raise RecordingError(
            "no signals",
            f"{path.name} has less than the {float(record_s):g} s in which its channels have whole "
            "numbers of samples; get the file again",
        )
    segments = (Segment(0.0, 0, lengths[0]),)
    require_plausible_span(segments, record_s, path.name)
    uneven = lengths[-1] > lengths[0]
    return Hdf5File(
        path,
        tuple(channel.place.rpartition("/")[2] for channel in channels),
        tuple(channel.place for channel in channels),
        rates,
        record_s,
        segments,
        tuple(channel.unit for channel in channels),
        (UNEVEN,) if uneven else (),
    )


def read_integers(path: Path, place: str) -> list[int]:
    """Return a list of whole numbers in a file.

    Raises
    ------
    RecordingError
        If the file can't be read, has no such list, or one of other values, or h5py is not
        installed.
    """
    with opened(path) as file:
        found = file.get(place)
        listed = _is_list(found) and found.shape[0] <= MOST_INTEGERS
        if listed:
            _require_complete(file, place, path.name)
        values = np.asarray(found if listed else [np.nan])
    if not (np.isfinite(values) & (values == np.floor(values))).all():
        raise RecordingError(
            "unreadable scoring",
            f"{path.name} has no list of whole numbers {place!r}; get the file again",
        )
    return [int(value) for value in values]


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a file for reading, without a lock; all errors of h5py, and its absence, become one line."""
    try:
        import h5py  # heavy
    except ImportError as error:
        raise packages.absent("h5py", path.name) from error
    try:
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except OSError as error:
        if error.strerror:
            raise unreadable(path.name, error) from error
        raise _damaged(path, error) from error
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error


@dataclass(frozen=True)
class _Channel:
    place: str
    sfreq_hz: Fraction
    unit: str
    n_samples: int


def _channels(file: Any, name: str) -> Iterator[_Channel]:
    """Yield the channels of all kinds, in the order of their names."""
    kinds = file.get(SIGNALS)
    if not hasattr(kinds, "items"):
        raise RecordingError(
            "unknown layout",
            f"{name} has no group {SIGNALS!r}, so that it is not a recording in the layout of Dreem; "
            "export it as EDF",
        )
    for kind, group in kinds.items():
        for label, samples in group.items() if hasattr(group, "items") else ():
            if not _is_list(samples) or not samples.shape[0]:
                continue
            place = f"{SIGNALS}/{kind}/{label}"
            _require_complete(file, place, name)
            sfreq_hz = _sfreq_hz(group.attrs.get("fs"), f"{name}, {place}")
            yield _Channel(place, sfreq_hz, _text(group.attrs.get("unit", "")), samples.shape[0])


def _is_list(found: Any) -> bool:
    """Whether an object of a file is a list of numbers."""
    return len(getattr(found, "shape", None) or ()) == 1 and found.dtype.kind in "iuf"


def _require_complete(file: Any, place: str, name: str) -> None:
    """Refuse a list whose values are in other files, or were not all written.

    The hash of a recording covers its own file alone; and h5py gives zeros for what is missing.
    """
    values = file[place]
    if values.file.filename != file.filename or values.is_virtual or values.external:
        raise RecordingError(
            "data in another file",
            f"{name}: the values of {place} are in another file; copy them into this one",
        )
    chunk = values.chunks
    stored = values.id.get_num_chunks() * chunk[0] if chunk else values.shape[0]
    if stored < values.shape[0] or (not chunk and values.id.get_storage_size() < values.nbytes):
        raise RecordingError(
            "samples missing", f"{name}: parts of {place} were never written; get the file again"
        )


def _sfreq_hz(stated: Any, where: str) -> Fraction:
    values = np.ravel([] if stated is None else stated)
    if len(values) != 1 or values.dtype.kind not in "iuf" or not 0 < values[0] < 10**6:
        raise RecordingError(
            "no sampling frequency",
            f"{where}: its group has no valid attribute 'fs'; get the file again",
        )
    return Fraction(float(values[0])).limit_denominator(MOST_PARTS)


def _text(value: Any) -> str:
    """Return a text in whatever encoding it was stored."""
    value = np.ravel(value)[0] if np.size(value) else ""
    stored = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")
    try:
        return stored.decode("utf-8")
    except UnicodeDecodeError:
        return stored.decode("latin-1")


def _record_s(rates: tuple[Fraction, ...]) -> Fraction:
    """Return the shortest time that is a whole number of samples of every channel."""
    return Fraction(lcm(*(r.denominator for r in rates)), gcd(*(r.numerator for r in rates)))


def _damaged(path: Path, error: Exception) -> RecordingError:
    return RecordingError(
        "unreadable recording",
        f"{path.name}: h5py can't read it ({packages.reason(error, path)}); get it again",
    )
