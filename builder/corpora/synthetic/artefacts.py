"""Artefacts: mains, sweat, muscle, heartbeats, electrode pops, and electrodes that come loose."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from psgimg.builder.corpora.synthetic.oscillations import (
    CONTROL_HZ,
    Control,
    at_rate,
    noise,
    soften,
)
from psgimg.builder.corpora.synthetic.person import Setup
from psgimg.builder.corpora.synthetic.physiology import CHIN_SFREQ_HZ, LEADS, SFREQ_HZ

Samples = npt.NDArray[np.float64]

N_EEG = 3
MAINS_HZ = 50
ECG_UV_PER_MV = 3.0
LOOSE_HUM_UV, LOOSE_NOISE_UV = 60.0, 25.0


def add(
    leads_uv: Samples,
    chin_uv: Samples,
    ecg_mv: Samples,
    tense: Control,
    setup: Setup,
    rng: np.random.Generator,
) -> None:
    """Add the artefacts of a recording to its channels, in place.

    Parameters
    ----------
    leads_uv, chin_uv, ecg_mv : (5, n), (m,), (m,)
        The channels; the ECG is at the chin's rate.
    tense
        Where muscles are tense, 0 to 1, as a control curve.
    """
    n = leads_uv.shape[1]
    strength = setup.muscle_uv * (0.3 + at_rate(tense, n, np.float64))
    for i in range(len(leads_uv)):
        leads_uv[i] += strength * noise(rng, n, SFREQ_HZ, (20, 60), np.float64, pink=False)
        leads_uv[i] += ECG_UV_PER_MV * rng.uniform(0, 2) * ecg_mv[:: CHIN_SFREQ_HZ // SFREQ_HZ]
        leads_uv[i] += setup.hum_uv * rng.uniform(0.3, 1.0) * _hum(n, SFREQ_HZ)
        _pop(leads_uv[i], setup, rng)
    if setup.sweat_uv:
        for i in range(N_EEG):
            drift = noise(rng, n, SFREQ_HZ, (0.1, 0.6), np.float64)
            leads_uv[i] += setup.sweat_uv * _spells(n, rng) * drift
    chin_uv += setup.hum_uv * _hum(chin_uv.size, CHIN_SFREQ_HZ) + ECG_UV_PER_MV * ecg_mv
    if setup.failing is not None:
        is_chin = setup.failing == len(LEADS)
        channel, sfreq_hz = (
            (chin_uv, CHIN_SFREQ_HZ) if is_chin else (leads_uv[setup.failing], SFREQ_HZ)
        )
        _come_loose(channel, sfreq_hz, setup.fails_at, rng)


def _hum(n: int, sfreq_hz: int) -> Samples:
    """Return mains hum of amplitude 1, shape (n,)."""
    one_second = np.sin(2 * np.pi * MAINS_HZ * np.arange(sfreq_hz) / sfreq_hz)
    return np.resize(one_second, n)


def _pop(lead: Samples, setup: Setup, rng: np.random.Generator) -> None:
    """Add electrode pops: a sudden deflection that decays within a second."""
    decay = np.exp(-np.arange(SFREQ_HZ) / (0.25 * SFREQ_HZ))
    n_pops = rng.poisson(setup.pops_per_h / len(LEADS) * lead.size / SFREQ_HZ / 3600)
    for at in rng.integers(0, lead.size - SFREQ_HZ, n_pops):
        lead[at : at + SFREQ_HZ] += rng.choice((-1, 1)) * rng.uniform(80, 300) * decay


def _spells(n: int, rng: np.random.Generator) -> Samples:
    """Return where the sleeper sweats, 0 to 1, in spells of minutes."""
    curve = soften(rng.normal(size=n * CONTROL_HZ // SFREQ_HZ), 60.0)
    spells = soften((curve > 0.3 * curve.std()).astype(float), 20.0)
    return at_rate(spells, n, np.float64)


def _come_loose(channel: Samples, sfreq_hz: int, share: float, rng: np.random.Generator) -> None:
    """Replace a channel after some share of the night by hum and noise, or by nothing."""
    start = round(share * channel.size)
    rest = channel[start:]
    if rng.random() < 0.5:
        rest[:] = 0.0
    else:
        rest *= 0.2
        rest += LOOSE_HUM_UV * _hum(rest.size, sfreq_hz)
        rest += LOOSE_NOISE_UV * rng.normal(size=rest.size)
