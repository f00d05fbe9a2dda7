"""Physiology: tables of the rhythms, waves, chin tone and heartbeat of each stage.

The stage determines the amplitude of a rhythm, its share of the epoch, and the number of waves.
Amplitudes follow the figures of the scoring manual; nothing is fitted to a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

SFREQ_HZ = 128
"""Sampling frequency of the leads and the ECG."""
CHIN_SFREQ_HZ = 256

LEADS = ("F4-M1", "C4-M1", "O2-M1", "E1-M2", "E2-M2")
Field = tuple[float, float, float, float, float]
"""Share of a source that each of the ``LEADS`` records."""

FRONTAL: Field = (1.0, 0.8, 0.4, 0.5, 0.45)
CENTRAL: Field = (0.7, 1.0, 0.35, 0.15, 0.15)
OCCIPITAL: Field = (0.3, 0.45, 1.0, 0.15, 0.15)
DIFFUSE: Field = (0.9, 1.0, 0.9, 0.4, 0.4)
SIDEWAYS: Field = (-0.08, 0.0, 0.0, 1.0, -0.9)
BLINK: Field = (0.35, 0.1, 0.0, 0.8, 1.0)


class Page(IntEnum):
    """Appearance of an epoch: a stage, a variant of a stage, or neither."""

    OPEN = 0
    CLOSED = 1
    N1 = 2
    QUIET = 3
    N2 = 4
    N3 = 5
    TONIC = 6
    PHASIC = 7
    MOVING = 8
    AROUSAL = 9


@dataclass(frozen=True)
class Rhythm:
    """An oscillation that waxes and wanes.

    Parameters
    ----------
    band_hz
        Lowest and highest frequency; None for the sleeper's own alpha.
    field
        Share recorded by each lead.
    pages
        Page → peak-to-peak amplitude in µV and the share of the epoch in which it is present.
    lag_s
        Delay from lead to lead; beyond the rhythm's correlation time, leads become independent.
    harmonic
        Amplitude and phase of the second harmonic: real sharpens peaks or troughs, imaginary skews.
    """

    band_hz: tuple[float, float] | None
    field: Field
    pages: Mapping[Page, tuple[float, float]]
    lag_s: float = 0.0
    harmonic: complex = 0.0


P = Page
ALPHA = Rhythm(
    None,
    OCCIPITAL,
    {P.CLOSED: (46, 0.85), P.OPEN: (24, 0.06), P.N1: (26, 0.12), P.AROUSAL: (38, 0.9)},
    lag_s=0.01,
)
# The depth of the epoch replaces this share.
SLOW = Rhythm((0.55, 1.8), FRONTAL, {P.N3: (145, 0.6)}, lag_s=0.03, harmonic=-0.18)
THETA = Rhythm(
    (4, 7),
    DIFFUSE,
    {P.OPEN: (5, 0.5), P.CLOSED: (5, 0.5), P.N1: (23, 0.75), P.N3: (18, 0.8)}
    | dict.fromkeys((P.QUIET, P.N2), (20, 0.8))
    | dict.fromkeys((P.TONIC, P.PHASIC), (17, 0.65)),
    lag_s=1.3,
)
# Slow rolling eye movements.
ROLLING = Rhythm((0.22, 0.42), SIDEWAYS, {P.N1: (88, 0.7), P.CLOSED: (35, 0.15)})
RHYTHMS = (
    ALPHA,
    SLOW,
    Rhythm(
        (15, 30),
        DIFFUSE,
        {
            P.OPEN: (11, 0.9),
            P.CLOSED: (7, 0.8),
            P.N1: (5, 0.6),
            P.MOVING: (40, 0.9),
            P.AROUSAL: (20, 1.0),
        }
        | dict.fromkeys((P.TONIC, P.PHASIC), (5, 0.7)),
        lag_s=0.7,
    ),
    THETA,
    Rhythm(
        (1.2, 3.5),
        FRONTAL,
        {P.N1: (12, 0.4), P.QUIET: (24, 0.7), P.N2: (28, 0.7), P.N3: (40, 1.0)}
        | dict.fromkeys((P.TONIC, P.PHASIC), (11, 0.5)),
        lag_s=2.1,
    ),
    # Alpha in REM sleep, one or two hertz slower than in wakefulness.
    Rhythm((7, 9), OCCIPITAL, dict.fromkeys((P.TONIC, P.PHASIC), (13, 0.35)), lag_s=0.02),
    Rhythm((2.5, 4.5), CENTRAL, {P.PHASIC: (38, 0.14), P.TONIC: (28, 0.04)}, harmonic=0.35j),
    ROLLING,
    # Body movement: swinging cables, shifting electrodes.
    Rhythm((0.3, 3.5), DIFFUSE, {P.MOVING: (220, 0.8)}, lag_s=3.1),
    Rhythm((0.2, 1.2), (0.5, 0.3, -0.7, 1.0, 0.3), {P.MOVING: (260, 0.7)}, lag_s=7.3),
    Rhythm((0.5, 5), (0.2, 0.1, 0.1, 0.4, -1.0), {P.MOVING: (200, 0.6)}, lag_s=1.7),
)


@dataclass(frozen=True)
class Wave:
    """A transient waveform.

    Parameters
    ----------
    shape
        Name of the waveform, as passed to ``waveform``.
    field
        Share recorded by each lead.
    uv
        Minimum and maximum amplitude: peak to peak for spindles, otherwise the largest deflection.
    pages
        Page → minimum and maximum number per epoch.
    train
        Maximum number in a row, about half a second to a second apart.
    either_sign
        Whether both polarities are equally likely.
    """

    shape: str
    field: Field
    uv: tuple[float, float]
    pages: Mapping[Page, tuple[int, int]]
    train: int = 1
    either_sign: bool = False


WAVES = (
    Wave("spindle", CENTRAL, (28, 44), {P.N2: (2, 5), P.QUIET: (2, 3), P.N3: (0, 2)}),
    Wave("k_complex", FRONTAL, (65, 115), {P.N2: (1, 2)}),
    Wave("vertex", CENTRAL, (45, 80), {P.N1: (0, 2)}),
    Wave("blink", BLINK, (90, 150), {P.OPEN: (4, 9), P.CLOSED: (0, 1)}),
    Wave("saccade", SIDEWAYS, (30, 75), {P.OPEN: (2, 6)}, either_sign=True),
    Wave("rem", SIDEWAYS, (35, 120), {P.PHASIC: (2, 4)}, train=6, either_sign=True),
)
CHIN_UV = {
    P.OPEN: 17.0,
    P.CLOSED: 12.5,
    P.N1: 7.5,
    P.QUIET: 6.0,
    P.N2: 6.0,
    P.N3: 5.0,
    P.TONIC: 1.7,
    P.PHASIC: 1.7,
    P.MOVING: 75.0,
    P.AROUSAL: 15.0,
}
"""Chin tone, RMS in µV."""
PQRST = (
    (0.12, -0.16, 0.03),
    (-0.10, -0.032, 0.012),
    (1.0, 0.0, 0.016),
    (-0.22, 0.034, 0.014),
    (0.28, 0.27, 0.065),
)
"""Waves of a heartbeat: amplitude in mV, seconds from R, width in seconds."""

CHANCE_OTHER_EYES = 0.1
"""Probability of open eyes among epochs with closed eyes, or the reverse."""
CHANCE_QUIET = 0.25
"""Probability that an epoch of N2 has spindles but no K-complex."""
CHANCE_TONIC = 0.35
"""Probability that an epoch of REM has no eye movements."""
CHANCE_AROUSAL = 0.08
TWITCHES_PER_S = 0.05
"""Rate of chin twitches in phasic REM."""


@dataclass(frozen=True)
class Sleeper:
    """Properties of a person: frequencies, amplitude factors, heart rate."""

    alpha_hz: float
    spindle_hz: float
    eeg_gain: float
    alpha_gain: float
    chin_gain: float
    heart_bpm: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Sleeper:
        """Draw a person at random."""
        low, high = (9.0, 12.6, 0.75, 0.8, 0.75, 54.0), (11.0, 13.9, 1.3, 1.3, 1.3, 74.0)
        return cls(*(float(value) for value in rng.uniform(low, high)))


def waveform(shape: str, spindle_hz: float, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return two seconds of a wave, with a largest deflection of 1 and negative values as such."""
    t = np.arange(2 * SFREQ_HZ) / SFREQ_HZ
    stretch = rng.uniform(0.85, 1.2)

    def hump(at_s: float, width_s: float) -> npt.NDArray[np.float64]:
        return np.exp(-(((t - at_s * stretch) / (width_s * stretch)) ** 2))

    match shape:
        case "spindle":
            hz = spindle_hz + rng.normal(0, 0.2)
            return 0.5 * hump(0.9, rng.uniform(0.32, 0.6)) * np.cos(2 * np.pi * hz * t)
        case "k_complex":
            return 0.7 * hump(0.78, 0.22) - hump(0.42, 0.1)
        case "vertex":
            return 0.35 * hump(0.36, 0.09) - hump(0.2, 0.055)
        case "blink":
            return hump(0.2, 0.09) - 0.18 * hump(0.48, 0.14)
        case "saccade":  # the amplifier's time constant makes a held gaze decay
            return np.exp(-t / (0.5 * stretch)) - np.exp(-t / 0.02)
        case _:
            return 1.15 * (np.exp(-((t / (0.28 * stretch)) ** 2)) - np.exp(-t / 0.03))
