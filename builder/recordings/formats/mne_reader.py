"""MNE reader: signals in every format that MNE reads, except EDF, which ``edf.py`` reads.

MNE returns all channels of a file at one sampling rate. Where the channels of a file differ (BDF,
GDF), it resamples all of them to the highest rate.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import RecordingError, unreadable
from psgimg.builder.recordings.edf import UV_PER_UNIT, require_rate, uv_per_unit, without_range
from psgimg.builder.recordings.edf_channels import Channel
from psgimg.builder.recordings.edf_header import EdfHeader, read_header
from psgimg.builder.recordings.formats import mne_breaks, mne_samples, packages
from psgimg.builder.recordings.segments import Segment, require_plausible_span
from psgimg.builder.recordings.signal_file import Reader

VOLT = 107
"""FIFF_UNIT_V, MNE's code for a channel in volts."""

IGNORED_WARNINGS = (
    *("naming conventions", "'boundary' events", "annotation(s) that were"),
    "Number of records from the header",
)
"""Warnings of MNE that concern no sample, or that are handled here."""

_NEEDED = re.compile(r"the module (\w+) is needed")
"""How MNE says that a format is read by another package."""


@dataclass(frozen=True)
class MneFile(Reader):
    """A recording opened by MNE: a ``SignalFile`` in which each sample is a data record.

    Parameters
    ----------
    kept
        Start and stop of each segment in MNE's samples, which include those of skipped time.
    header
        Header of a BDF: MNE draws channels without valid limits, and resamples slow ones.
    """

    path: Path
    labels: tuple[str, ...]
    sfreqs_hz: tuple[Fraction, ...]
    record_s: Fraction
    segments: tuple[Segment, ...]
    notes: tuple[str, ...]
    kept: tuple[tuple[int, int], ...]
    header: EdfHeader | None
    _raw: Any

    @property
    def recorded_hz(self) -> tuple[Fraction, ...]:
        """Sampling frequency at which each channel was recorded, as far as it is known."""
        if self.header is None:
            return self.sfreqs_hz
        n_samples = [self._stated(self.header, i).n_samples for i in range(len(self.labels))]
        return tuple(n / self.header.record_s for n in n_samples)

    @property
    def start(self) -> datetime | None:
        """Date and time of the first sample according to MNE, without time zone; None if unset."""
        return start_of(self._raw)

    def unit(self, channel: int) -> str:
        """Return the unit of a channel as its file states it, or as its format defines it."""
        spelt = self._spelt(channel)
        kind = self._raw.info["chs"][channel]["unit"]
        if kind != VOLT:
            return spelt or getattr(kind, "_name", "unknown").removeprefix("FIFF_UNIT_").lower()
        by_format = "µV" if self.path.suffix.lower() == ".set" else "V"
        return spelt or ("" if _unconverted(self._raw, channel) else by_format)

    def _spelt(self, channel: int) -> str:
        return str(getattr(self._raw, "_orig_units", {}).get(self._raw.ch_names[channel], ""))

    def _conversion(self, channel: int) -> float:
        """Return the factor from MNE's unit of a channel to µV, or raise its ``fault``."""
        scale = uv_per_unit(self.unit(channel), self._where(channel))
        # MNE declares every channel of an EEG system a voltage, but converts only those that are.
        spelt, kind = self._spelt(channel), self._raw.info["chs"][channel]["unit"]
        if kind == VOLT and not _unconverted(self._raw, channel) and spelt[-1:] in ("", "V"):
            scale = UV_PER_UNIT["v"]
        if self.header and isinstance(why := self._stated(self.header, channel).limits, str):
            raise without_range(self._where(channel), why)
        return scale

    def _stated(self, header: EdfHeader, channel: int) -> Channel:
        """Return a channel as the header states it; MNE leaves out those with annotations."""
        return header.channels[_in_header(self._raw)[channel]]

    def _where(self, channel: int) -> str:
        return f"{self.path.name}, channel {self.labels[channel]!r}"

    def read_uv(self, channel: int) -> npt.NDArray[np.float64]:
        """Return all samples of a channel in µV, shape (n_samples,), with segments concatenated.

        Raises
        ------
        RecordingError
            The ``fault`` of the channel, or if samples can't be read or are not finite.
        """
        where = self._where(channel)
        scale = self._conversion(channel)
        with _one_line_errors(self.path):
            samples = [
                self._raw.get_data(picks=[channel], start=start, stop=stop, verbose="error")[0]
                for start, stop in self.kept
            ]
        joined: npt.NDArray[np.float64] = (
            samples[0] if len(samples) == 1 else np.concatenate(samples)
        )
        joined *= scale
        if not np.isfinite(joined).all():
            raise RecordingError(
                "samples not finite",
                f"{where} has samples that are not finite numbers; mark them as gaps, or export the "
                "recording as EDF",
            )
        return joined


def start_of(raw: Any) -> datetime | None:
    """Return date and time of the first sample of a ``Raw``, without time zone; None if unset."""
    measured: datetime | None = raw.info["meas_date"]
    if measured is None:
        return None
    try:
        return (measured + timedelta(seconds=raw.first_time)).replace(tzinfo=None)
    except (ValueError, OverflowError):  # not a time: MNE believes any number
        return None


def open_mne(path: Path) -> MneFile:
    """Open a recording with MNE, without reading its samples.

    Raises
    ------
    RecordingError
        If MNE can't read it, its samples are those of another file or not all there, or no second of
        it is free of interruptions.
    """
    from mne import read_annotations  # heavy
    from mne.io import read_raw

    with _one_line_errors(path), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        header = read_header(path) if path.suffix.lower() == ".bdf" else None
        if header:
            require_rate(header, path.name)
        gaps, notes = mne_breaks.bdf_gaps(path, header) if header else ([], ())
        raw = read_raw(path, preload=False, verbose="warning")
        mne_samples.require_own(raw, path)
        # MNE crops the annotations of a raw at the file's end; EEGLAB's may extend beyond it.
        marks = read_annotations(path) if path.suffix.lower() == ".set" else raw.annotations
        mne_breaks.refuse_marks_without_time(raw, marks, path)
        sfreq_hz = Fraction(raw.info["sfreq"]).limit_denominator(10**6)
        segments, kept = mne_breaks.uninterrupted(raw, marks, sfreq_hz, gaps)
        if not segments:
            raise RecordingError(
                "no signals",
                f"{path.name} has no {mne_breaks.MIN_SEGMENT_S:g} s of uninterrupted signal",
            )
        require_plausible_span(segments, 1 / sfreq_hz, path.name)
    labels = _labels(raw, header)
    texts = [" ".join(str(each.message).split()).replace(str(path), path.name) for each in caught]
    return MneFile(
        path,
        labels,
        (sfreq_hz,) * len(labels),
        1 / sfreq_hz,
        segments,
        tuple(
            dict.fromkeys(
                f"MNE: {text}"
                for text in texts
                if not any(part in text for part in IGNORED_WARNINGS)
            )
        )
        + (header.notes if header else ())
        + notes,
        kept,
        header,
        raw,
    )


def _in_header(raw: Any) -> list[int]:
    """Return the number in a BDF's header of each channel that MNE read."""
    return [int(number) for number in raw._raw_extras[0]["sel"]]


def _labels(raw: Any, header: EdfHeader | None) -> tuple[str, ...]:
    """Return the labels as spelt in the file; to equal ones of a BDF, MNE appends numbers."""
    if header is None:
        return tuple(raw.ch_names)
    return tuple(header.channels[number].label for number in _in_header(raw))


def _unconverted(raw: Any, channel: int) -> bool:
    """Whether MNE left samples of a BDF in the header's unit: it converts ``uV``, but not ``UV``."""
    extras = raw._raw_extras[0]
    factors = extras.get("units", ()) if isinstance(extras, dict) else ()
    spelt = bool(getattr(raw, "_orig_units", None))  # in GDF files, units are numbers
    return spelt and channel < len(factors) and bool(factors[channel] == 1)


@contextmanager
def _one_line_errors(path: Path) -> Iterator[None]:
    """Turn any error of a third-party reader into one line."""
    try:
        yield
    except RecordingError:
        raise
    except Exception as error:  # each of MNE's thirty readers raises its own errors
        if isinstance(error, OSError) and error.errno is not None:  # of whichever of its files
            raise unreadable(Path(error.filename or path).name, error) from error
        if needed := _NEEDED.search(str(error)):
            raise packages.absent(needed[1], path.name, f"pip install {needed[1]}") from error
        raise RecordingError(
            "unreadable recording",
            f"{path.name}: MNE can't read it ({packages.reason(error, path)}); export it as EDF",
        ) from error
