"""Sleep course: how sleep changes within a night, second by second, before anybody scores it.

Sleep runs through cycles of NREM and REM sleep that awakenings, lapses into N1 and arousals
interrupt. Nothing begins at the limits of epochs, and stages come on gradually: at each moment the
night is a mixture of stages, and slow waves come and go with the depth of sleep.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt
from psgimg.builder.corpora.synthetic.oscillations import CONTROL_HZ, Control, soften
from psgimg.builder.corpora.synthetic.person import Person, Setup
from psgimg.builder.stages import Stage

REM_SHARES = (0.5, 1.0, 1.5)
"""Length of REM sleep in each cycle, in shares of the person's mean."""
DEPTHS = (1.0, 0.75, 0.45)
"""Depth of NREM sleep in each cycle."""
SETTLING_S = 150.0
"""How long slow waves take to return after an interruption."""
LIGHT_FROM = 0.84
"""Share of N2 and REM sleep without any N1 in it."""
COUNTING_UV = 60.0
"""Amplitude from which a slow wave, with what it rides on, spans 75 µV and counts (AASM manual)."""


@dataclass(frozen=True)
class Bout:
    """A run of one stage; N2 stands for N3 too, and ``cycle`` is that of its NREM sleep, if any."""

    stage: Stage
    seconds: float
    cycle: int | None = None


@dataclass(frozen=True)
class Course:
    """The course of a night, as curves of ``CONTROL_HZ``, each of shape (n,).

    Parameters
    ----------
    mixture : (5, n)
        Share of each stage at each moment, summing to 1; N3 is where slow waves span 75 µV.
    deep
        Amplitude of slow waves, in shares of the person's largest.
    eyes_open, phasic, arousal, moving
        Whether, in wakefulness, the eyes are open; whether, in REM sleep, they move; and whether
        there is an arousal, or a body movement: 0 to 1.
    """

    mixture: npt.NDArray[np.float64]
    deep: Control
    eyes_open: Control
    phasic: Control
    arousal: Control
    moving: Control

    @property
    def nrem(self) -> Control:
        """Share of N2 and N3 together."""
        nrem: Control = self.mixture[Stage.N2] + self.mixture[Stage.N3]
        return nrem

    def shares(self, epoch_s: int) -> npt.NDArray[np.float64]:
        """Return the share of each stage in each epoch, (5, n_epochs)."""
        by_epoch = self.mixture.reshape(len(Stage), -1, epoch_s * CONTROL_HZ)
        shares: npt.NDArray[np.float64] = by_epoch.mean(axis=2)
        return shares


def draw(person: Person, setup: Setup, night_s: int, rng: np.random.Generator) -> Course:
    """Draw the course of a person's night of ``night_s`` seconds."""
    bouts = list(_bouts(person, night_s, rng))
    stages = [bout.stage for bout in bouts]
    lengths_s = [0.0, *(bout.seconds for bout in bouts)]
    edges = [round(at_s * CONTROL_HZ) for at_s in accumulate(lengths_s)]
    n = night_s * CONTROL_HZ
    mixture = np.zeros((len(Stage), n))
    for i, stage in enumerate(stages):
        _come_on(mixture[:, edges[i] : edges[i + 1]], stage, stages[max(i - 1, 0)], rng)
        if stage is Stage.N1 and stages[i + 1] is Stage.N2:
            _give_way(mixture[:, edges[i] : edges[i + 1]], rng)
    _lighten(mixture, rng)
    _alternate(mixture, rng)
    mixture = np.array([soften(row, 1.5) for row in mixture])
    deep = _depth(bouts, edges, person, rng)
    visible = soften((deep * person.slow_uv * person.eeg_gain > COUNTING_UV).astype(float), 0.3)
    mixture[Stage.N3] = visible * mixture[Stage.N2]
    mixture[Stage.N2] -= mixture[Stage.N3]
    wakes = [edges[i] for i in range(1, len(bouts)) if stages[i] is Stage.W]
    lapses = [edges[i] for i in range(2, len(bouts)) if stages[i] is Stage.N1]
    arousals = [*_at_random(n, person.arousals_per_h, rng), *wakes, *lapses]
    moves = _at_random(n, setup.moves_per_h, rng) + [at for at in wakes if rng.random() < 0.5]
    return Course(
        mixture,
        deep,
        eyes_open=soften((_ranks(n, 15.0, rng) > person.closed).astype(float), 1.0),
        phasic=soften((_ranks(n, 8.0, rng) < person.phasic).astype(float), 1.0),
        arousal=_events(n, arousals, (3.0, 10.0), rng),
        moving=_events(n, moves, (2.0, 12.0), rng),
    )


def _bouts(person: Person, night_s: int, rng: np.random.Generator) -> Iterator[Bout]:
    """Yield the bouts of a night: falling asleep, the cycles, and waking up."""
    latency_s, last_s = rng.uniform(150, 540), rng.uniform(60, 300)
    yield Bout(Stage.W, latency_s)
    cycle_s = (night_s - latency_s - last_s) / len(REM_SHARES)
    for cycle, share in enumerate(REM_SHARES):
        rem_s = cycle_s * person.rem_share * share * rng.uniform(0.8, 1.2)
        for stage, seconds in _cut(_sleep(Stage.N2, person, rng), cycle_s - rem_s):
            yield Bout(stage, seconds, cycle)
        for stage, seconds in _cut(_sleep(Stage.REM, person, rng), rem_s):
            yield Bout(stage, seconds)
    yield Bout(Stage.W, last_s)


def _cut(runs: Iterator[tuple[Stage, float]], length_s: float) -> Iterator[tuple[Stage, float]]:
    """Yield the first runs, as long as ``length_s`` together."""
    for stage, seconds in runs:
        if seconds >= length_s:
            yield stage, length_s
            return
        length_s -= seconds
        yield stage, seconds


def _sleep(base: Stage, person: Person, rng: np.random.Generator) -> Iterator[tuple[Stage, float]]:
    """Yield stages and seconds of NREM or REM sleep without end, with wakefulness and N1 between."""

    def n1_s() -> float:
        return float(rng.gamma(2.0, person.n1_s / 2))

    if base is Stage.N2:
        yield Stage.N1, n1_s()
    per_h = person.wakes_per_h + person.lapses_per_h
    while True:
        yield base, 20 + float(rng.exponential(3600 / per_h))
        if rng.random() < person.wakes_per_h / per_h:
            yield Stage.W, float(np.clip(45 * np.exp(rng.normal(0, 0.8)), 12, 240))
            if base is Stage.N2 or rng.random() < 0.6:
                yield Stage.N1, n1_s()
        else:
            yield Stage.N1, 0.6 * n1_s()


def _come_on(
    mixture: npt.NDArray[np.float64], stage: Stage, before: Stage, rng: np.random.Generator
) -> None:
    """Fill in a bout, (5, n): N2 and REM sleep begin mixed with what was before."""
    mixture[stage] = 1.0
    if stage in (Stage.N2, Stage.REM) and before is not stage:
        age_s = np.arange(mixture.shape[1]) / CONTROL_HZ
        mixture[stage] = np.minimum(1.0, 0.5 + 0.5 * age_s / rng.uniform(40, 160))
        mixture[Stage.N1 if before is Stage.W else before] = 1.0 - mixture[stage]


def _give_way(mixture: npt.NDArray[np.float64], rng: np.random.Generator) -> None:
    """Let N2 show before the end of a bout of N1, (5, n)."""
    left_s = np.arange(mixture.shape[1], 0, -1) / CONTROL_HZ
    mixture[Stage.N2] = np.maximum(0.0, 0.5 - 0.5 * left_s / rng.uniform(30, 90))
    mixture[Stage.N1] = 1.0 - mixture[Stage.N2]


def _lighten(mixture: npt.NDArray[np.float64], rng: np.random.Generator) -> None:
    """Mix some N1 into N2 and REM sleep now and then."""
    lighter = np.clip(4.0 * (_ranks(mixture.shape[1], 12.0, rng) - LIGHT_FROM), 0.0, 0.6)
    for stage in (Stage.N2, Stage.REM):
        mixture[Stage.N1] += lighter * mixture[stage]
        mixture[stage] *= 1.0 - lighter


def _alternate(mixture: npt.NDArray[np.float64], rng: np.random.Generator) -> None:
    """Let wakefulness and N1 alternate within seconds where one becomes the other."""
    drowsy = mixture[Stage.W] + mixture[Stage.N1]
    asleep = soften(1.0 - 2.0 * mixture[Stage.W], 20.0)
    share = np.clip(0.5 + 1.4 * (asleep + 0.5 * _flicker(asleep.size, 2.5, rng)), 0.0, 1.0)
    mixture[Stage.N1] = drowsy * share
    mixture[Stage.W] = drowsy * (1.0 - share)


def _depth(
    bouts: list[Bout], edges: list[int], person: Person, rng: np.random.Generator
) -> Control:
    """Return the amplitude of slow waves: largest amid a cycle, small after an interruption."""
    depth = np.zeros(edges[-1])
    for cycle, peak in enumerate(DEPTHS):
        own = [i for i, bout in enumerate(bouts) if bout.cycle == cycle]
        start, stop = edges[own[0]], edges[own[-1] + 1]
        arc = np.sin(np.pi * (np.arange(stop - start) + 0.5) / (stop - start))
        depth[start:stop] = peak * np.sqrt(arc)
        for i in own:
            if bouts[i].stage is Stage.N2:
                age_s = np.arange(edges[i + 1] - edges[i]) / CONTROL_HZ
                depth[edges[i] : edges[i + 1]] *= np.minimum(1.0, 0.2 + age_s / SETTLING_S)
            else:
                depth[edges[i] : edges[i + 1]] = 0.0
    drift = 0.6 * _flicker(depth.size, 25.0, rng) + 0.8 * _flicker(depth.size, 3.0, rng)
    deep: Control = np.clip(person.depth * depth + 0.22 * drift * np.sqrt(depth), 0.0, 1.1)
    return deep


def _flicker(n: int, seconds: float, rng: np.random.Generator) -> Control:
    """Return a random curve of standard deviation 1 that changes within some seconds."""
    curve = soften(rng.normal(size=n), seconds)
    flicker: Control = curve / curve.std()
    return flicker


def _ranks(n: int, seconds: float, rng: np.random.Generator) -> Control:
    """Return a random curve in which all values from 0 to 1 are equally frequent."""
    curve = soften(rng.normal(size=n), seconds)
    ranks: Control = curve.argsort(kind="stable").argsort(kind="stable") / n
    return ranks


def _at_random(n: int, per_h: float, rng: np.random.Generator) -> list[int]:
    """Return control samples at which events with some rate per hour begin."""
    return [int(at) for at in rng.integers(0, n, rng.poisson(per_h * n / CONTROL_HZ / 3600))]


def _events(
    n: int, starts: list[int], seconds: tuple[float, float], rng: np.random.Generator
) -> Control:
    """Return a curve that is 1 during events of random length, and 0 otherwise."""
    curve = np.zeros(n)
    for start in starts:
        curve[start : start + round(rng.uniform(*seconds) * CONTROL_HZ)] = 1.0
    return soften(curve, 0.5)
