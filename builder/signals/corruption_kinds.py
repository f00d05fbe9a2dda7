"""Corruption kinds: the kinds of corruption with their parameters, bounds and defaults."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

ALL = "all"
ANY = "any"
MAINS = "mains"
TO = ".."
"""Between the ends of a range, from which a value is drawn: ``0.7..1.4``."""


@dataclass(frozen=True)
class Number:
    """A numeric parameter between two bounds, for which one ``word`` may be given instead.

    Parameters
    ----------
    is_factor
        Whether values of a range are drawn by their logarithm: half as much is as likely as twice.
    is_shared
        Whether all lanes of a recording have the same value of a range.
    """

    default: float | str
    low: float
    high: float
    unit: str
    word: str = ""
    is_factor: bool = False
    is_shared: bool = False

    def read(self, text: str) -> float | str:
        """Parse the value or the range in a spec; the ValueError states the permitted values.

        A range stays text, with its ends as they are written in a spec.
        """
        if self.word and text == self.word:
            return text
        parts = text.split(TO, 1)
        try:
            values = [float(part) for part in parts]
        except ValueError:
            values = [math.nan]
        inside = all(self.low <= value <= self.high for value in values)
        if not inside or values != sorted(set(values)):
            other = f", or {self.word}" if self.word else ""
            raise ValueError(
                f"{self.low:g} to {self.high:g} ({self.unit}){other}, or a range such as "
                f"{self.low:g}{TO}{self.high:g}"
            )
        written = [f"{value:.12g}" for value in values]
        return TO.join(written) if len(values) > 1 else float(written[0])

    def at(self, share: float, ends: tuple[float, float]) -> float:
        """Return the value at a share of a range, 0 to 1."""
        low, high = ends
        value = low * (high / low) ** share if self.is_factor else low + share * (high - low)
        return min(max(value, low), high)


@dataclass(frozen=True)
class Choice:
    """A parameter with a fixed set of words as values; the first is the default."""

    words: tuple[str, ...]

    @property
    def default(self) -> str:
        """The default value."""
        return self.words[0]

    def read(self, text: str) -> str:
        """Parse the value in a spec; the ValueError states the permitted values."""
        if text not in self.words:
            raise ValueError(" or ".join(self.words))
        return text


@dataclass(frozen=True)
class Form:
    """A kind of corruption.

    Parameters
    ----------
    means
        Description in a few words that follow the name of a lane on a card.
    unit
        Unit of the severity, the number by which corruptions of a kind are ordered.
    lanes
        Lanes to which it is applied by default.
    params
        Parameters; the first one determines the severity.
    on_levels
        Whether it can be applied to an EMG recorded as a level, without a waveform.
    """

    means: str
    unit: str
    lanes: str
    params: Mapping[str, Number | Choice]
    on_levels: bool = False


_RATE = Number(1.0, 0, 1, "share of the lanes affected, drawn for each lane of each recording")

FORMS: Mapping[str, Form] = {
    "lost": Form(
        "is lost from some time on",
        "share of the night lost",
        "eeg",
        {
            "from": Number(0.3, 0, 1, "share of the drawn night before the loss", ANY),
            "rate": _RATE,
        },
        on_levels=True,
    ),
    "flat": Form(
        "is flat from time to time",
        "share of the night flat",
        "eeg",
        {
            "share": Number(0.5, 0, 1, "share of the night"),
            "length_s": Number(120.0, 1, 3600, "seconds at a time"),
        },
        on_levels=True,
    ),
    "polarity": Form("has inverted polarity", "share of lanes", "eeg+eog", {"rate": _RATE}),
    "inverted": Form(
        "is upside down together with the others",
        "share of recordings",
        "eeg+eog",
        {"rate": Number(1.0, 0, 1, "share of the recordings that are upside down")},
    ),
    "hum": Form(
        "has mains hum",
        "µV",
        ALL,
        {
            "uv": Number(200.0, 0, 1e5, "µV, peak of the fundamental"),
            "hz": Number(MAINS, 10, 400, "Hz", MAINS, is_shared=True),
        },
    ),
    "emg": Form(
        "has bursts of muscle activity",
        "bursts/min",
        "eeg+eog",
        {
            "per_min": Number(6.0, 0, 60, "bursts per minute"),
            "uv": Number(40.0, 0, 1e4, "µV, root mean square of a burst"),
        },
    ),
    "pops": Form(
        "has electrode pops",
        "pops/min",
        "eeg+eog",
        {
            "per_min": Number(2.0, 0, 60, "pops per minute"),
            "uv": Number(300.0, 0, 1e5, "µV, height of the step"),
        },
    ),
    "scale": Form(
        "has a scaled amplitude",
        "×",
        ALL,
        {"factor": Number(0.5, 0.01, 100, "factor of the amplitude", is_factor=True)},
        on_levels=True,
    ),
    "noise": Form(
        "has added noise",
        "dB SNR",
        ALL,
        {
            "snr_db": Number(0.0, -60, 60, "dB, power of the lane over noise in its pass band"),
            "colour": Choice(("white", "pink")),
        },
    ),
    "shift": Form(
        "is shifted in time",
        "s",
        ALL,
        {"s": Number(2.0, -30, 30, "seconds, later if positive", is_shared=True)},
        on_levels=True,
    ),
}  # fmt: skip
