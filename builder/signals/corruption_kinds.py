"""Corruption kinds: the kinds of corruption with their parameters, bounds and defaults."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

ALL = "all"
ANY = "any"
MAINS = "mains"


@dataclass(frozen=True)
class Number:
    """A numeric parameter between two bounds, for which one ``word`` may be given instead."""

    default: float | str
    low: float
    high: float
    unit: str
    word: str = ""

    def read(self, text: str) -> float | str:
        """Parse the value in a spec; the ValueError states the permitted values."""
        if self.word and text == self.word:
            return text
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not self.low <= value <= self.high:
            other = f", or {self.word}" if self.word else ""
            raise ValueError(f"{self.low:g} to {self.high:g} ({self.unit}){other}")
        return float(f"{value:.12g}")  # the precision with which a spec is written


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
    "hum": Form(
        "has mains hum",
        "µV",
        ALL,
        {
            "uv": Number(200.0, 0, 1e5, "µV, peak of the fundamental"),
            "hz": Number(MAINS, 10, 400, "Hz", MAINS),
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
        {"factor": Number(0.5, 0.01, 100, "factor of the amplitude")},
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
}  # fmt: skip
