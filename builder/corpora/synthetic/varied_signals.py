"""Varied signals: the channels of a night from its course, its sleeper and its recording.

They are made of the rhythms and waves of ``physiology.py``, mixed as the course mixes the stages. All
is computed in float64, so that what libraries round otherwise vanishes in the 16 bits of the file.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from psgimg.builder.corpora.synthetic import artefacts
from psgimg.builder.corpora.synthetic.oscillations import (
    CONTROL_HZ,
    Control,
    at_rate,
    carrier,
    noise,
    soften,
)
from psgimg.builder.corpora.synthetic.person import Person, Setup
from psgimg.builder.corpora.synthetic.physiology import (
    ALPHA,
    CHIN_SFREQ_HZ,
    CHIN_UV,
    LEADS,
    PQRST,
    RHYTHMS,
    ROLLING,
    SFREQ_HZ,
    SLOW,
    THETA,
    WAVES,
    Page,
    Rhythm,
    Wave,
    waveform,
)
from psgimg.builder.corpora.synthetic.sleep_course import Course
from psgimg.builder.stages import Stage

Samples = npt.NDArray[np.float64]
Looks = dict[Page, Control]
"""How far a moment looks like each page, from 0 to 1."""

BACKGROUND_UV = 6.0
PLAIN_ALPHA_UV = 46.0
"""Amplitude of alpha in the table of rhythms, which each person's own replaces."""


@dataclass(frozen=True)
class Night:
    """The channels of a night: ``leads_uv`` (5, n) in the order of ``LEADS``, chin and ECG (n,)."""

    leads_uv: Samples
    chin_uv: Samples
    ecg_mv: Samples


def synthesize(course: Course, person: Person, setup: Setup, rng: np.random.Generator) -> Night:
    """Generate the signals of a night; equal seeds give equal nights."""
    looks = _looks(course)
    n = course.deep.size * SFREQ_HZ // CONTROL_HZ
    leads_uv = np.array([noise(rng, n, SFREQ_HZ, (0.4, 45), np.float64) for _ in LEADS])
    leads_uv *= BACKGROUND_UV * person.background
    for rhythm in RHYTHMS:
        _add_rhythm(leads_uv, rhythm, looks, course, person, rng)
    rates = _waves_per_min(looks, course, person)
    for wave in WAVES:
        _add_waves(leads_uv, wave, rates[wave.shape], person, rng)
    ecg_mv = _ecg(looks, person, rng)
    chin_uv = _chin(looks, person, rng)
    artefacts.add(leads_uv, chin_uv, ecg_mv, looks[Page.OPEN], setup, rng)
    return Night(leads_uv, chin_uv, ecg_mv[:: CHIN_SFREQ_HZ // SFREQ_HZ])


def _looks(course: Course) -> Looks:
    """Return how far each moment looks like each page; they sum to 1."""
    deep = np.minimum(1.0, course.deep)
    calm = (1.0 - course.moving) * (1.0 - course.arousal)
    wake, rem = (course.mixture[stage] * calm for stage in (Stage.W, Stage.REM))
    return {
        Page.OPEN: wake * course.eyes_open,
        Page.CLOSED: wake * (1.0 - course.eyes_open),
        Page.N1: course.mixture[Stage.N1] * calm,
        Page.N2: course.nrem * calm * (1.0 - deep),
        Page.N3: course.nrem * calm * deep,
        Page.TONIC: rem * (1.0 - course.phasic),
        Page.PHASIC: rem * course.phasic,
        Page.AROUSAL: course.arousal * (1.0 - course.moving),
        Page.MOVING: course.moving,
    }


def _add_rhythm(
    leads_uv: Samples,
    rhythm: Rhythm,
    looks: Looks,
    course: Course,
    person: Person,
    rng: np.random.Generator,
) -> None:
    n = leads_uv.shape[1]
    drift = soften(rng.normal(size=course.deep.size), 2.0)
    rank = drift.argsort(kind="stable").argsort(kind="stable") / drift.size
    own = person.eeg_gain * np.exp(person.mixing * rng.normal())
    more = rng.uniform(0.7, 1.15)
    if rhythm is ALPHA:
        own = person.alpha_uv / PLAIN_ALPHA_UV
        more = person.alpha_share
    elif rhythm is ROLLING:
        own *= person.rolling
    elif rhythm is THETA:
        own *= person.theta
    if rhythm is SLOW:
        strength_uv = person.eeg_gain * person.slow_uv * course.deep * course.nrem
    else:
        strength_uv = np.zeros(drift.size)
        for page, (uv, share) in rhythm.pages.items():
            if page in looks:
                strength_uv += own * uv * looks[page] * (rank < share * more)
    strength = at_rate(soften(strength_uv / 2, 0.7), n, np.float64)
    band_hz = rhythm.band_hz or (person.alpha_hz - 0.7, person.alpha_hz + 0.7)
    wave = carrier(rng, n, band_hz, rhythm.harmonic, np.float64)
    for lead, (weight, step) in enumerate(zip(rhythm.field, (0, 1, 2, 0, 0), strict=True)):
        leads_uv[lead] += weight * strength * np.roll(wave, round(rhythm.lag_s * step * SFREQ_HZ))


def _waves_per_min(looks: Looks, course: Course, person: Person) -> dict[str, Control]:
    """Return how many waves of each shape begin per minute, at each moment."""
    settled = np.clip(2 * course.nrem - 1, 0.0, 1.0)
    return {
        "spindle": person.spindle_per_min * (looks[Page.N2] + 0.5 * looks[Page.N3]) * settled,
        "k_complex": person.k_per_min * looks[Page.N2] * settled,
        "vertex": 1.2 * looks[Page.N1],
        "blink": person.blinks_per_min * (looks[Page.OPEN] + 0.06 * looks[Page.CLOSED]),
        "saccade": 8.0 * looks[Page.OPEN],
        "rem": person.eyes_per_min * looks[Page.PHASIC],
    }


def _add_waves(
    leads_uv: Samples,
    wave: Wave,
    per_min: Control,
    person: Person,
    rng: np.random.Generator,
) -> None:
    field = np.array(wave.field)[:, None]
    low_uv, high_uv = wave.uv
    if wave.shape == "spindle":
        low_uv, high_uv = 0.6 * person.spindle_uv, 1.2 * person.spindle_uv
    for at in np.flatnonzero(rng.random(per_min.size) < per_min / (60 * CONTROL_HZ)):
        at_s = float(at / CONTROL_HZ + rng.uniform(0, 1 / CONTROL_HZ))
        for _ in range(int(rng.integers(min(2, wave.train), wave.train + 1))):
            uv = person.eeg_gain * rng.uniform(0.8 * low_uv, high_uv)
            uv *= rng.choice((-1, 1)) if wave.either_sign else 1
            shape = waveform(wave.shape, person.spindle_hz, rng)
            start = round(at_s * SFREQ_HZ)
            target = leads_uv[:, start : start + shape.size]
            target += field * uv * shape[: target.shape[1]]
            at_s += rng.uniform(0.35, 1.0)


def _ecg(looks: Looks, person: Person, rng: np.random.Generator) -> Samples:
    """Generate the ECG in mV at the chin's rate; the heart is faster on inspiration and awake."""
    awake = looks[Page.OPEN] + looks[Page.CLOSED] + looks[Page.MOVING] + looks[Page.AROUSAL]
    t = np.arange(looks[Page.N1].size) / CONTROL_HZ
    breath = 2.5 * np.sin(2 * np.pi * 0.24 * t + np.cumsum(rng.normal(0, 0.03, t.size)))
    beats = np.cumsum(person.heart_bpm + 5 * soften(awake, 4.0) + breath) / (60 * CONTROL_HZ)
    beat_s = np.interp(np.arange(1, int(beats[-1])), beats, t)
    n = t.size * CHIN_SFREQ_HZ // CONTROL_HZ
    ecg_mv = 0.015 * noise(rng, n, CHIN_SFREQ_HZ, (0.4, 45), np.float64)
    around_s = np.arange(-0.4, 0.5, 1 / CHIN_SFREQ_HZ)
    beat = np.zeros(around_s.size)
    for mv, at_s, width_s in PQRST:
        beat += mv * np.exp(-(((around_s - at_s) / width_s) ** 2))
    for at in np.round((beat_s - 0.4) * CHIN_SFREQ_HZ).astype(int):
        target = ecg_mv[max(at, 0) : at + around_s.size]
        target += beat[max(-at, 0) :][: target.size]
    return ecg_mv


def _chin(looks: Looks, person: Person, rng: np.random.Generator) -> Samples:
    """Generate the chin EMG in µV; how far it falls in sleep, and in REM, is the person's own."""
    sleeping_uv = CHIN_UV[Page.N2]
    levels_uv = {
        page: sleeping_uv * (uv / sleeping_uv) ** person.contrast for page, uv in CHIN_UV.items()
    }
    levels_uv |= dict.fromkeys((Page.TONIC, Page.PHASIC), sleeping_uv * person.atonia)
    tone_uv = np.sum([levels_uv[page] * look for page, look in looks.items()], axis=0)
    tone_uv = soften(tone_uv * np.exp(1.3 * soften(rng.normal(size=tone_uv.size), 4.0)), 0.5)
    twitch = rng.random(tone_uv.size) < looks[Page.PHASIC] * 0.05 / CONTROL_HZ
    tone_uv += soften(twitch * rng.uniform(30, 90, tone_uv.size), 0.2)
    n = tone_uv.size * CHIN_SFREQ_HZ // CONTROL_HZ
    chin_uv = noise(rng, n, CHIN_SFREQ_HZ, (18, 110), np.float64, pink=False)
    chin_uv *= at_rate(person.chin * tone_uv, n, np.float64)
    return chin_uv
