"""Segments: the gapless parts of a recording, and how long a recording can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from psgimg.builder.errors import RecordingError

LONGEST_S = 31 * 86400.0
"""A recording that claims to last longer, gaps included, has a damaged header."""


@dataclass(frozen=True)
class Segment:
    """A gapless segment: records ``first`` to ``stop``, starting ``onset_s`` after the file's start."""

    onset_s: float
    first: int
    stop: int

    def length_s(self, record_s: Fraction) -> float:
        """Return the duration, for records of ``record_s`` seconds."""
        # As the product of fractions, which takes thirty times as long: it is asked for each page.
        return (self.stop - self.first) * record_s.numerator / record_s.denominator

    def stop_s(self, record_s: Fraction) -> float:
        """Return the end, from the file's start, for records of ``record_s`` seconds."""
        return self.onset_s + self.length_s(record_s)


def require_plausible_span(segments: Sequence[Segment], record_s: Fraction, where: str) -> None:
    """Raise RecordingError if a recording lasts longer than ``LONGEST_S``."""
    if not (span_s := segments[-1].stop_s(record_s)) <= LONGEST_S:
        raise RecordingError(
            "implausible duration",
            f"{where} would last {span_s / 86400:.4g} days, more than {LONGEST_S / 86400:g}; check "
            "the duration of a record and the times of its records, or export it again",
        )
