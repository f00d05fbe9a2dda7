"""EDF channels: the header of each channel, parsed once.

A fault of one channel (its limits, for instance) stays with the channel: nobody may need it. Only
its number of samples must be right, since it locates those of the channels after it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings import edf_fields

FIELD_BYTES = 256
"""Size of the main header, and of the header of each channel."""

LIMITS = ("physical minimum", "physical maximum", "digital minimum", "digital maximum")

MOST_PHYSICAL = 1e30
"""Beyond this, samples in µV would exceed single precision."""


@dataclass(frozen=True)
class Limits:
    """Digital and physical values (minimum, maximum) through which samples are converted.

    Either range may be inverted: EDF+ inverts the polarity of a channel in this way.
    """

    digital: tuple[int, int]
    physical: tuple[float, float]

    @property
    def gain(self) -> float:
        """Physical units per digital step."""
        (low, high), (bottom, top) = self.digital, self.physical
        return (top - bottom) / (high - low)


@dataclass(frozen=True)
class Channel:
    """The header of a channel.

    Parameters
    ----------
    first, n_samples
        Number of its first sample in a record, and of its samples per record.
    limits
        The reason why there are none, if the fields are not valid limits.
    annotations
        Whether it holds annotations instead of samples.
    """

    label: str
    unit: str
    first: int
    n_samples: int
    limits: Limits | str
    annotations: bool


def parse_channels(headers: bytes, n_channels: int, where: str, sample_bytes: int) -> list[Channel]:
    """Parse the headers of all channels, which are stored field by field.

    Parameters
    ----------
    headers
        ``FIELD_BYTES`` bytes for each channel.
    where
        Name of the file, for the message.
    sample_bytes
        Size of a sample.

    Raises
    ------
    RecordingError
        If a number of samples can't be read.
    """

    def column(offset: int, width: int) -> list[str]:
        starts = range(offset * n_channels, (offset + width) * n_channels, width)
        return [edf_fields.text(headers[start : start + width]) for start in starts]

    labels, units = column(0, 16), column(96, 8)
    limits = list(zip(*(column(offset, 8) for offset in (104, 112, 120, 128)), strict=True))
    channels: list[Channel] = []
    first = 0
    for number, spelt in enumerate(column(216, 8)):
        label = labels[number]
        try:
            n_samples = edf_fields.whole(spelt)
        except ValueError:
            n_samples = -1
        if n_samples < 0:
            raise RecordingError(
                "unreadable header",
                f"{where}, channel {label!r}: the number of samples per record is not a whole number "
                "from 0; fix it, or export the recording again",
            )
        valid = _limits(limits[number], 8 * sample_bytes) if n_samples else "it has no samples"
        annotations = _names_annotations(label)
        channels.append(Channel(label, units[number], first, n_samples, valid, annotations))
        first += n_samples
    return channels


def _names_annotations(label: str) -> bool:
    """Whether a label is ``EDF Annotations`` in any spelling, or that of BDF."""
    return bool(re.fullmatch("[eb]dfannotations?", re.sub("[^a-z]", "", label.lower())))


def _limits(fields: Sequence[str], bits: int) -> Limits | str:
    """Return the limits of a channel, or why they are none."""
    most = 1 << (bits - 1)  # as the maximum, one too many is a common slip without effect
    values: list[Fraction] = []
    for name, spelt in zip(LIMITS, fields, strict=True):
        try:
            values.append(edf_fields.exact(spelt))
        except ValueError as error:
            return f"the {name} in the header is {error}"
    bottom, top, low, high = values
    given = f"the header gives digital {float(low):g}..{float(high):g}, "
    given += f"physical {float(bottom):g}..{float(top):g}"
    if low.denominator != 1 or high.denominator != 1 or max(abs(low), abs(high)) > most:
        return f"{given}, and digital limits must be {bits}-bit integers"
    if low == high or bottom == top or max(abs(bottom), abs(top)) > MOST_PHYSICAL:
        return given
    return Limits((int(low), int(high)), (float(bottom), float(top)))
