"""Person: what differs from sleeper to sleeper, and from one recording to the next.

The ranges follow what laboratories see between childhood and old age; nothing is fitted to anybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from psgimg.builder.corpora.synthetic.physiology import LEADS

Range = tuple[float, float]


class Age(IntEnum):
    """Age group: slow waves are largest in children, and smallest in the old."""

    CHILD = 0
    ADULT = 1
    OLD = 2


AGES = (Age.ADULT, Age.OLD, Age.ADULT, Age.CHILD, Age.ADULT, Age.OLD, Age.ADULT, Age.ADULT)
"""Ages of the first eight people, and of each further eight."""


@dataclass(frozen=True)
class Person:
    """A sleeper.

    Parameters
    ----------
    eeg_gain
        Factor of all EEG and EOG amplitudes.
    background, mixing
        Factors of the constant noise and of the spread between this person's rhythms.
    alpha_hz, alpha_uv, alpha_share
        Frequency, peak-to-peak amplitude and share of the time with closed eyes.
    spindle_hz, spindle_uv, spindle_per_min
        Of sleep spindles in N2.
    k_per_min
        K-complexes per minute of N2.
    slow_uv
        Peak-to-peak amplitude of slow waves at F4, before ``eeg_gain``.
    theta
        Factor of theta waves.
    depth
        Depth of the deepest sleep, from 0 to 1, in which slow waves are largest.
    rolling, eyes_per_min
        Factor of slow rolling eye movements, and bursts of rapid ones per minute of phasic REM.
    phasic
        Share of REM sleep with rapid eye movements.
    blinks_per_min, closed
        Of wakefulness with open eyes; share of wakefulness with closed eyes.
    chin, contrast, atonia
        Factor of the chin tone; how far its levels in wakefulness and sleep lie apart, as a power;
        share of the tone of N2 that remains in REM.
    heart_bpm
        Heart rate in sleep.
    rem_share, n1_s
        Share of REM in a cycle, mean length of a bout of N1.
    wakes_per_h, lapses_per_h, arousals_per_h
        Awakenings, lapses into N1, and arousals in an hour of sleep.
    """

    eeg_gain: float
    background: float
    mixing: float
    alpha_hz: float
    alpha_uv: float
    alpha_share: float
    spindle_hz: float
    spindle_uv: float
    spindle_per_min: float
    k_per_min: float
    slow_uv: float
    theta: float
    depth: float
    rolling: float
    eyes_per_min: float
    phasic: float
    blinks_per_min: float
    closed: float
    chin: float
    contrast: float
    atonia: float
    heart_bpm: float
    rem_share: float
    n1_s: float
    wakes_per_h: float
    lapses_per_h: float
    arousals_per_h: float

    @classmethod
    def draw(cls, age: Age, rng: np.random.Generator) -> Person:
        """Draw a person of some age at random."""
        values = {name: float(rng.uniform(*at[age])) for name, at in RANGES.items()}
        values["eeg_gain"] = float(np.exp(values["eeg_gain"]))
        if rng.random() < CHANCE_NO_ALPHA:
            values["alpha_uv"] *= 0.15
        return cls(**values)


def _same(low: float, high: float) -> tuple[Range, Range, Range]:
    return ((low, high),) * 3


RANGES: Mapping[str, tuple[Range, Range, Range]] = {
    "eeg_gain": _same(-0.5, 0.4),  # as a logarithm: 0.6 to 1.5
    "background": _same(0.7, 1.5),
    "mixing": _same(0.15, 0.35),
    "alpha_hz": ((8.0, 9.2), (9.0, 12.0), (8.0, 9.8)),
    "alpha_uv": _same(24.0, 62.0),
    "alpha_share": _same(0.6, 0.95),
    "spindle_hz": ((11.5, 13.2), (12.2, 14.6), (12.6, 15.0)),
    "spindle_uv": ((24.0, 44.0), (22.0, 42.0), (14.0, 30.0)),
    "spindle_per_min": ((2.0, 5.0), (2.5, 7.0), (1.2, 3.5)),
    "k_per_min": ((1.0, 2.5), (0.8, 2.2), (0.4, 1.3)),
    "slow_uv": ((140.0, 220.0), (80.0, 130.0), (45.0, 80.0)),
    "theta": _same(0.5, 1.0),
    "depth": ((0.7, 0.95), (0.5, 0.85), (0.4, 0.7)),
    "rolling": _same(0.3, 1.2),
    "eyes_per_min": ((3.0, 8.0), (3.0, 9.0), (2.0, 6.0)),
    "phasic": _same(0.3, 0.7),
    "blinks_per_min": _same(6.0, 20.0),
    "closed": _same(0.35, 0.85),
    "chin": _same(0.5, 1.8),
    "contrast": _same(0.5, 1.1),
    "atonia": _same(0.3, 1.0),
    "heart_bpm": ((64.0, 84.0), (52.0, 74.0), (52.0, 72.0)),
    "rem_share": ((0.18, 0.26), (0.18, 0.28), (0.14, 0.22)),
    "n1_s": ((20.0, 50.0), (30.0, 80.0), (45.0, 110.0)),
    "wakes_per_h": ((1.0, 4.0), (2.0, 7.0), (5.0, 12.0)),
    "lapses_per_h": ((1.0, 4.0), (2.0, 6.0), (4.0, 9.0)),
    "arousals_per_h": ((5.0, 10.0), (8.0, 20.0), (14.0, 30.0)),
}
"""Property → lowest and highest value in each age group."""

CHANCE_NO_ALPHA = 0.15
"""Probability of a person who hardly generates alpha."""


@dataclass(frozen=True)
class Setup:
    """How a night was recorded.

    Parameters
    ----------
    left
        Whether the EEG is of the left side against M2, the manual's backup electrodes.
    missing
        Lead that was not recorded, as an index into ``LEADS``; the chin's is ``len(LEADS)``.
    failing, fails_at
        Lead that comes loose, and after which share of the night.
    hum_uv, sweat_uv, muscle_uv
        Amplitudes of mains, sweat drift, and muscle artefact in the EEG.
    pops_per_h, moves_per_h
        Electrode pops, and body movements in sleep.
    """

    left: bool
    missing: int | None
    failing: int | None
    fails_at: float
    hum_uv: float
    sweat_uv: float
    muscle_uv: float
    pops_per_h: float
    moves_per_h: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Setup:
        """Draw the conditions of a night at random."""
        left, missing, failing, sweaty = rng.random(4) < (0.25, 0.2, 0.2, 0.3)
        lost, loose = rng.permutation(len(LEADS) + 1)[:2]
        return cls(
            left=bool(left),
            missing=int(lost) if missing else None,
            failing=int(loose) if failing else None,
            fails_at=float(rng.uniform(0.3, 0.8)),
            hum_uv=float(rng.uniform(0.0, 6.0)),
            sweat_uv=float(rng.uniform(20.0, 60.0)) if sweaty else 0.0,
            muscle_uv=float(rng.uniform(0.5, 4.0)),
            pops_per_h=float(rng.uniform(0.0, 12.0)),
            moves_per_h=float(rng.uniform(2.0, 10.0)),
        )
