"""Corruptions: the kinds there are, what each takes, and what it takes if nothing is said. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

ALL = "all"
ANY = "any"
MAINS = "mains"


@dataclass(frozen=True)
class Number:
    """A parameter between two bounds; it may be left to one ``word`` instead."""

    default: float | str
    low: float
    high: float
    unit: str
    word: str = ""

    def read(self, text: str) -> float | str:
        """The value that a spec gives; ValueError with what may stand there."""
        if self.word and text == self.word:
            return text
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not self.low <= value <= self.high:
            other = f", or {self.word}" if self.word else ""
            raise ValueError(f"{self.low:g} to {self.high:g} ({self.unit}){other}")
        return float(f"{value:.12g}")  # as a spec can say it again


@dataclass(frozen=True)
class Choice:
    """A parameter that is one of some words, the first unless another is given."""

    words: tuple[str, ...]

    @property
    def default(self) -> str:
        """The value where none is given."""
        return self.words[0]

    def read(self, text: str) -> str:
        """The value that a spec gives; ValueError with what may stand there."""
        if text not in self.words:
            raise ValueError(" or ".join(self.words))
        return text


@dataclass(frozen=True)
class Form:
    """A kind of corruption.

    Parameters
    ----------
    means
        What it is, in a few words that follow a lane's name on a card.
    unit
        Of the severity: one number by which corruptions of a kind are put in order.
    lanes
        Those that it falls on if none are named.
    params
        What it takes; the first says how severe it is.
    on_levels
        Whether it can befall an EMG that was recorded as a level, which holds no waveform.
    """

    means: str
    unit: str
    lanes: str
    params: Mapping[str, Number | Choice]
    on_levels: bool = False


_RATE = Number(1.0, 0, 1, "share of the lanes that are hit, drawn for each lane of each recording")

FORMS: Mapping[str, Form] = {
    "lost": Form(
        "carries nothing from some time on",
        "share of the night lost",
        "eeg",
        {
            "from": Number(0.3, 0, 1, "share of the drawn night before the loss", ANY),
            "rate": _RATE,
        },
        on_levels=True,
    ),
    "flat": Form(
        "carries nothing now and then",
        "share of the night flat",
        "eeg",
        {
            "share": Number(0.5, 0, 1, "share of the night"),
            "length_s": Number(120.0, 1, 3600, "seconds at a time"),
        },
        on_levels=True,
    ),
    "polarity": Form("is turned upside down", "share of lanes", "eeg+eog", {"rate": _RATE}),
    "hum": Form(
        "carries mains hum",
        "µV",
        ALL,
        {
            "uv": Number(200.0, 0, 1e5, "µV, peak of the fundamental"),
            "hz": Number(MAINS, 10, 400, "Hz", MAINS),
        },
    ),
    "emg": Form(
        "carries bursts of muscle activity",
        "bursts/min",
        "eeg+eog",
        {
            "per_min": Number(6.0, 0, 60, "bursts a minute"),
            "uv": Number(40.0, 0, 1e4, "µV, root mean square of a burst"),
        },
    ),
    "pops": Form(
        "carries electrode pops",
        "pops/min",
        "eeg+eog",
        {
            "per_min": Number(2.0, 0, 60, "pops a minute"),
            "uv": Number(300.0, 0, 1e5, "µV, height of the step"),
        },
    ),
    "scale": Form(
        "has another amplitude",
        "×",
        ALL,
        {"factor": Number(0.5, 0.01, 100, "times the amplitude")},
        on_levels=True,
    ),
    "noise": Form(
        "carries noise",
        "dB SNR",
        ALL,
        {
            "snr_db": Number(0.0, -60, 60, "dB, lane's own power over the noise's, in its pass band"),
            "colour": Choice(("white", "pink")),
        },
    ),
}  # fmt: skip
