"""Oscillations: noise, rhythms, and the slow curves that control them. NumPy only."""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from psgimg.builder.corpora.synthetic.physiology import SFREQ_HZ

FloatT = TypeVar("FloatT", np.float32, np.float64)
Control: TypeAlias = npt.NDArray[np.float64]

CONTROL_HZ = 8
"""Sampling rate of the control curves, which change within seconds."""


def noise(
    rng: np.random.Generator,
    n: int,
    sfreq_hz: int,
    band_hz: tuple[float, float],
    dtype: type[FloatT],
    *,
    pink: bool = True,
) -> npt.NDArray[FloatT]:
    """Generate Gaussian noise of RMS 1 between two frequencies, shape (n,)."""
    first, last = (round(hz * n / sfreq_hz) for hz in band_hz)
    spectrum = np.zeros(n // 2 + 1, np.result_type(dtype, np.complex64))
    spectrum[first:last] = _spread(rng, last - first, dtype)
    if pink:
        spectrum[first:last] /= np.sqrt(np.arange(first, last, dtype=dtype))
    samples: npt.NDArray[FloatT] = np.fft.irfft(spectrum, n).astype(dtype, copy=False)
    samples /= samples.std()
    return samples


def carrier(
    rng: np.random.Generator,
    n: int,
    band_hz: tuple[float, float],
    harmonic: complex,
    dtype: type[FloatT],
) -> npt.NDArray[FloatT]:
    """Generate an oscillation of amplitude about 1, varying in frequency and amplitude, shape (n,).

    Parameters
    ----------
    harmonic
        Amplitude and phase of the second harmonic (see ``Rhythm``).
    """
    first, last = (round(hz * n / SFREQ_HZ) for hz in band_hz)
    spectrum = np.zeros(n, np.result_type(dtype, np.complex64))
    spectrum[first:last] = _spread(rng, last - first, dtype)
    wave = np.fft.ifft(spectrum)
    size = np.abs(wave)
    # The amplitude of narrow-band noise varies more than that of a rhythm.
    wave /= np.sqrt(size * size.mean())
    if harmonic:
        wave += spectrum.dtype.type(harmonic) * wave * wave
    return wave.real.astype(dtype)


def soften(control: Control, seconds: float) -> Control:
    """Smooth a control curve, so that changes take about twice the given time."""
    size = max(1, round(seconds * CONTROL_HZ))
    bell = np.convolve(np.ones(size), np.ones(size)) / size**2
    return np.convolve(np.pad(control, size - 1, mode="edge"), bell, mode="valid")


def at_rate(control: Control, n: int, dtype: type[FloatT]) -> npt.NDArray[FloatT]:
    """Interpolate a control curve linearly to ``n`` samples, a multiple of its own."""
    start = control.astype(dtype)[:, None]
    step = np.diff(start, axis=0, append=start[-1:])
    within = np.arange(0, 1, control.size / n, dtype=dtype)
    samples: npt.NDArray[FloatT] = (start + step * within).ravel()
    return samples


def _spread(rng: np.random.Generator, n: int, dtype: type[FloatT]) -> npt.NDArray[Any]:
    """Draw random complex amplitudes, shape (n,)."""
    return rng.standard_normal(2 * n, dtype).view(np.result_type(dtype, np.complex64))
