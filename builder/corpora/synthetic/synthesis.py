"""Synthesis: generate the seven channels of a synthetic night from its stages.

The signals are the sum of constant background noise, rhythms that wax and wane, and transient
waves, with the parameters in ``physiology.py``. The stage determines their amplitudes, shares of
the epoch and numbers. Nothing is fitted to a person, and no file is read or written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt
from psgimg.builder.corpora.synthetic.oscillations import (
    CONTROL_HZ,
    Control,
    at_rate,
    carrier,
    noise,
    soften,
)
from psgimg.builder.corpora.synthetic.physiology import (
    ALPHA,
    CHANCE_AROUSAL,
    CHANCE_OTHER_EYES,
    CHANCE_QUIET,
    CHANCE_TONIC,
    CHIN_SFREQ_HZ,
    CHIN_UV,
    LEADS,
    PQRST,
    RHYTHMS,
    SFREQ_HZ,
    SLOW,
    TWITCHES_PER_S,
    WAVES,
    Page,
    Rhythm,
    Sleeper,
    Wave,
    waveform,
)
from psgimg.builder.stages import Score, Stage

Samples = npt.NDArray[np.float32]
Pages = npt.NDArray[np.int_]

EPOCH_S = 30
BACKGROUND_UV = 4.5
HUM_UV = 1.2
ECG_UV_PER_MV = 3.0
MAINS_HZ = 50


@dataclass(frozen=True)
class Night:
    """The channels of a night: ``leads_uv`` (5, n) in the order of ``LEADS``, chin and ECG (n,)."""

    leads_uv: Samples
    chin_uv: Samples
    ecg_mv: Samples


def synthesize(scores: Sequence[Score], rng: np.random.Generator) -> Night:
    """Generate signals with the features of the given stages; equal seeds give equal nights.

    Parameters
    ----------
    scores
        One per epoch of 30 s; an unscored epoch becomes movement artefact.
    rng
        Source of all randomness, including the sleeper.
    """
    plan = _Plan.draw(scores, rng)
    n = len(scores) * EPOCH_S * SFREQ_HZ
    leads_uv = np.array([noise(rng, n, SFREQ_HZ, (0.4, 45), np.float32) for _ in LEADS])
    leads_uv *= BACKGROUND_UV
    for rhythm in RHYTHMS:
        _add_rhythm(leads_uv, rhythm, plan, rng)
    for wave in WAVES:
        _add_wave(leads_uv, wave, plan, rng)
    ecg_mv = _ecg(plan, rng)  # at the chin's rate, because the chin EMG contains some ECG
    chin_uv = _chin(plan, rng) + np.float32(ECG_UV_PER_MV) * ecg_mv
    return Night(leads_uv, chin_uv, ecg_mv[:: CHIN_SFREQ_HZ // SFREQ_HZ])


@dataclass(frozen=True)
class _Plan:
    """The plan of a night: the sleeper, and the appearance of each epoch.

    ``pages`` has one entry per epoch, ``page_at`` and ``depth_at`` one per control sample; the
    depth is the share of slow waves in an epoch of N3.
    """

    sleeper: Sleeper
    pages: Pages
    page_at: Pages
    depth_at: Control

    @classmethod
    def draw(cls, scores: Sequence[Score], rng: np.random.Generator) -> _Plan:
        sleeper = Sleeper.draw(rng)
        pages, depths = _appearances(scores, rng)
        clock = _clock(scores, rng)
        page_at = pages[clock]
        _arouse(page_at, pages, rng)
        return cls(sleeper, pages, page_at, depths[clock])


def _appearances(scores: Sequence[Score], rng: np.random.Generator) -> tuple[Pages, Control]:
    """Draw page and depth of each epoch."""
    pages: list[Page] = []
    depths: list[float] = []
    for score, bout in groupby(scores):
        n = len(list(bout))
        pages += _bout_pages(score, n, rng)
        arc = np.sin(np.pi * (np.arange(n) + 0.5) / n)
        depths += list(np.clip(0.45 + 0.4 * arc + rng.normal(0, 0.08, n), 0.4, 0.92))
    return np.array(pages), np.array(depths)


def _bout_pages(score: Score, n: int, rng: np.random.Generator) -> list[Page]:
    """Draw the pages of a bout of ``n`` epochs of one stage."""
    chances = rng.random(n)
    # The first epoch always has what the manual requires there (spindle, eye movements).
    chances[0] = 1.0
    match score:
        case Stage.W:  # eyes open first and closed later, with exceptions
            n_open = round(n * rng.uniform(0.3, 0.6))
            is_open = (np.arange(n) < n_open) ^ (chances < CHANCE_OTHER_EYES)
            return [Page.OPEN if one else Page.CLOSED for one in is_open]
        case Stage.N2:
            return [Page.QUIET if chance < CHANCE_QUIET else Page.N2 for chance in chances]
        case Stage.REM:
            return [Page.TONIC if chance < CHANCE_TONIC else Page.PHASIC for chance in chances]
        case Stage.N1 | Stage.N3:
            return [Page[score.name]] * n
        case _:
            return [Page.MOVING] * n


def _clock(scores: Sequence[Score], rng: np.random.Generator) -> Pages:
    """Return the epoch that applies at each control sample: transitions are not at epoch limits."""
    per_epoch = EPOCH_S * CONTROL_HZ
    clock = np.repeat(np.arange(len(scores)), per_epoch)
    for i in range(1, len(scores)):
        if scores[i] != scores[i - 1]:
            edge = i * per_epoch
            shift = int(rng.integers(-2 * CONTROL_HZ, 2 * CONTROL_HZ + 1))
            clock[min(edge, edge + shift) : max(edge, edge + shift)] = i - (shift > 0)
    return clock


def _arouse(page_at: Pages, pages: Pages, rng: np.random.Generator) -> None:
    """Add arousals of 3 to 8 s late in some epochs, so that most of the epoch keeps its stage."""
    for i in range(len(pages) - 1):
        if (
            pages[i] in (Page.QUIET, Page.N2, Page.TONIC, Page.PHASIC)
            and rng.random() < CHANCE_AROUSAL
        ):
            start = int((i * EPOCH_S + rng.uniform(15, 21)) * CONTROL_HZ)
            page_at[start : start + int(rng.uniform(3, 8) * CONTROL_HZ)] = Page.AROUSAL


def _add_rhythm(leads_uv: Samples, rhythm: Rhythm, plan: _Plan, rng: np.random.Generator) -> None:
    sleeper, page_at = plan.sleeper, plan.page_at
    uv, share = np.array([rhythm.pages.get(page, (0.0, 0.0)) for page in Page]).T[:, page_at]
    if rhythm is SLOW:
        share = plan.depth_at * (uv > 0)
    else:  # epochs of a stage differ
        share *= np.repeat(rng.uniform(0.7, 1.15, plan.pages.size), EPOCH_S * CONTROL_HZ)
    gain = sleeper.alpha_gain if rhythm is ALPHA else sleeper.eeg_gain
    # Ranks within the epoch make the share exact, so that an epoch of N3 has enough slow waves.
    drift = soften(rng.normal(size=page_at.size), 2.0)
    rank = drift.reshape(-1, EPOCH_S * CONTROL_HZ).argsort(axis=1).argsort(axis=1).ravel()
    present = rank < share * EPOCH_S * CONTROL_HZ
    n = leads_uv.shape[1]
    strength = at_rate(soften(gain / 2 * uv * present, 1.0), n, np.float32)
    band_hz = rhythm.band_hz or (sleeper.alpha_hz - 0.7, sleeper.alpha_hz + 0.7)
    wave = carrier(rng, n, band_hz, rhythm.harmonic, np.float32)
    for lead, (weight, step) in enumerate(zip(rhythm.field, (0, 1, 2, 0, 0), strict=True)):
        shift = round(rhythm.lag_s * step * SFREQ_HZ)
        leads_uv[lead] += np.float32(weight) * strength * np.roll(wave, shift)


def _add_wave(leads_uv: Samples, wave: Wave, plan: _Plan, rng: np.random.Generator) -> None:
    field = np.array(wave.field)[:, None]
    for epoch, page in enumerate(plan.pages):
        fewest, most = wave.pages.get(Page(page), (0, 0))
        count = int(rng.integers(fewest, most + 1))
        for k in range(count):  # spread over the epoch, so that both halves have waves
            at_s = EPOCH_S * (epoch + (k + rng.uniform(0.05, 0.9)) / count)
            for _ in range(int(rng.integers(min(2, wave.train), wave.train + 1))):
                uv = plan.sleeper.eeg_gain * rng.uniform(*wave.uv)
                uv *= rng.choice((-1, 1)) if wave.either_sign else 1
                shape = waveform(wave.shape, plan.sleeper.spindle_hz, rng)
                start = round(at_s * SFREQ_HZ)
                target = leads_uv[:, start : start + shape.size]
                target += field * uv * shape[: target.shape[1]]
                at_s += rng.uniform(0.35, 1.0)


def _ecg(plan: _Plan, rng: np.random.Generator) -> Samples:
    """Generate the ECG in mV at the chin's rate; the heart is faster on inspiration and awake."""
    page_at = plan.page_at
    t = np.arange(page_at.size) / CONTROL_HZ
    awake = soften(
        np.isin(page_at, (Page.OPEN, Page.CLOSED, Page.MOVING, Page.AROUSAL)).astype(float), 4.0
    )
    breath = 2.5 * np.sin(2 * np.pi * 0.24 * t + np.cumsum(rng.normal(0, 0.03, t.size)))
    beats = np.cumsum(plan.sleeper.heart_bpm + 5 * awake + breath) / (60 * CONTROL_HZ)
    beat_s = np.interp(np.arange(1, int(beats[-1])), beats, t)
    ecg_mv = 0.015 * noise(
        rng, page_at.size * CHIN_SFREQ_HZ // CONTROL_HZ, CHIN_SFREQ_HZ, (0.4, 45), np.float32
    )
    around_s = np.arange(-0.4, 0.5, 1 / CHIN_SFREQ_HZ)
    beat = np.zeros(around_s.size)
    for mv, at_s, width_s in PQRST:
        beat += mv * np.exp(-(((around_s - at_s) / width_s) ** 2))
    for at in np.round((beat_s - 0.4) * CHIN_SFREQ_HZ).astype(int):
        target = ecg_mv[max(at, 0) : at + around_s.size]
        target += beat[max(-at, 0) :][: target.size]
    return ecg_mv


def _chin(plan: _Plan, rng: np.random.Generator) -> Samples:
    """Generate the chin EMG in µV, with twitches in phasic REM and some mains hum."""
    tone = np.array([CHIN_UV[page] for page in Page])[plan.page_at]
    tone *= np.exp(1.3 * soften(rng.normal(size=tone.size), 4.0))
    tone = soften(tone, 0.5)
    twitch = (plan.page_at == Page.PHASIC) & (rng.random(tone.size) < TWITCHES_PER_S / CONTROL_HZ)
    tone += np.convolve(twitch * rng.uniform(15, 45, tone.size), np.full(3, 1 / 3), "same")
    n = tone.size * CHIN_SFREQ_HZ // CONTROL_HZ
    chin_uv = noise(rng, n, CHIN_SFREQ_HZ, (18, 110), np.float32, pink=False)
    chin_uv *= at_rate(plan.sleeper.chin_gain * tone, n, np.float32)
    one_second = np.arange(CHIN_SFREQ_HZ) / CHIN_SFREQ_HZ
    hum = HUM_UV * np.sin(2 * np.pi * MAINS_HZ * one_second)
    chin_uv += np.resize(hum, n).astype(np.float32)
    return chin_uv
