"""Sections: design filters as second-order sections, and run them without phase shift.

The designs are the textbook's: analogue Butterworth poles, carried over by the bilinear transform
with its edges prewarped. Tests compare them with SciPy's, whose import would take longer than
filtering a night.
"""

from __future__ import annotations

import cmath
from collections.abc import Sequence
from math import cos, pi, prod, sqrt, tan

import numpy as np
import numpy.typing as npt
from psgimg.builder.signals.compiled import compiled

Samples = npt.NDArray[np.float64]
Sections = npt.NDArray[np.float64]
"""Rows of b0, b1, b2, a1, a2: coefficients of a section's numerator and denominator, where a0 is 1."""


def low_pass(order: int, edge_hz: float, rate_hz: float) -> Sections:
    """Return a Butterworth low-pass that attenuates ``edge_hz`` by 3 dB in one pass."""
    width = tan(pi * edge_hz / rate_hz)
    return _sections([width * pole for pole in _prototype(order)], (-1, -1), 0.0)


def high_pass(order: int, edge_hz: float, rate_hz: float) -> Sections:
    """Return a Butterworth high-pass that attenuates ``edge_hz`` by 3 dB in one pass."""
    width = tan(pi * edge_hz / rate_hz)
    return _sections([width / pole for pole in _prototype(order)], (1, 1), pi)


def band_pass(order: int, band_hz: tuple[float, float], rate_hz: float) -> Sections:
    """Return a Butterworth band-pass with ``order`` poles at either edge."""
    low, high = (tan(pi * edge_hz / rate_hz) for edge_hz in band_hz)
    poles = []
    for pole in _prototype(order):
        half = pole * (high - low) / 2
        spread = cmath.sqrt(half**2 - low * high)
        poles += [half + spread, half - spread]
    return _sections(poles, (1, -1), 2 * cmath.atan(sqrt(low * high)).real)


def notch(at_hz: float, sharpness: float, rate_hz: float) -> Sections:
    """Return a filter that removes one frequency, and a band of ``at_hz / sharpness`` by 3 dB."""
    angle = 2 * pi * at_hz / rate_hz
    gain = 1 / (1 + tan(angle / sharpness / 2))
    middle = -2 * gain * cos(angle)
    return np.array([[gain, middle, gain, middle, 2 * gain - 1]])


def both_ways(sections: Sections, samples: Samples, n_pad: int) -> Samples:
    """Filter forwards, then backwards, in one copy of the signal.

    Parameters
    ----------
    n_pad
        Samples by which the signal is continued at each end, turned about its first or last value;
        fewer than it has.
    """
    padded = np.empty(len(samples) + 2 * n_pad)
    whole = padded[n_pad : n_pad + len(samples)]
    whole[:] = samples
    padded[:n_pad] = 2 * samples[0] - samples[n_pad:0:-1]
    padded[n_pad + len(samples) :] = 2 * samples[-1] - samples[-2 : -n_pad - 2 : -1]
    at_rest = _at_rest(sections)
    _run(sections, padded, at_rest * padded[0], False)
    _run(sections, padded, at_rest * padded[-1], True)
    return whole


def _prototype(order: int) -> list[complex]:
    """Return the poles of the analogue low-pass whose edge is at 1 rad/s."""
    return [-cmath.exp(1j * pi * k / (2 * order)) for k in range(1 - order, order, 2)]


def _sections(analogue: Sequence[complex], zeros: tuple[int, int], angle: float) -> Sections:
    """Return the sections of analogue poles, with gain 1 at an angle of the unit circle.

    Parameters
    ----------
    zeros
        Those of a section; of a section with one pole, the first.
    """
    poles = [(1 + pole) / (1 - pole) for pole in analogue]
    paired = [(-2 * pole.real, abs(pole) ** 2) for pole in poles if pole.imag > _REAL]
    alone = sorted(pole.real for pole in poles if abs(pole.imag) <= _REAL)
    paired += [(-(a + b), a * b) for a, b in zip(alone[::2], alone[1::2], strict=False)]
    rows = [((1.0, -float(sum(zeros)), float(prod(zeros))), a) for a in paired]
    if len(alone) % 2:
        rows.append(((1.0, -float(zeros[0]), 0.0), (-alone[-1], 0.0)))
    back = cmath.exp(-1j * angle)
    found = []
    for (b0, b1, b2), (a1, a2) in rows:
        gain = abs((1 + (a1 + a2 * back) * back) / (b0 + (b1 + b2 * back) * back))
        found.append([gain * b0, gain * b1, gain * b2, a1, a2])
    return np.array(found)


_REAL = 1e-9
"""Imaginary part below which a pole is real but for rounding."""


def _at_rest(sections: Sections) -> Samples:
    """Return the state of each section, (n_sections, 2), after a long constant input of 1."""
    states = np.empty((len(sections), 2))
    level = 1.0
    for (b0, b1, b2, a1, a2), state in zip(sections.tolist(), states, strict=True):
        answer = level * (b0 + b1 + b2) / (1 + a1 + a2)
        state[:] = answer - b0 * level, b2 * level - a2 * answer
        level = answer
    return states


@compiled
def _run(sections: Sections, samples: Samples, states: Samples, backwards: bool) -> None:
    """Filter a signal in place, from its end if ``backwards``; ``states`` are those before it."""
    n, n_sections = len(samples), len(sections)
    for i in range(n):
        at = n - 1 - i if backwards else i
        value = samples[at]
        for s in range(n_sections):
            passed = sections[s, 0] * value + states[s, 0]
            states[s, 0] = sections[s, 1] * value - sections[s, 3] * passed + states[s, 1]
            states[s, 1] = sections[s, 2] * value - sections[s, 4] * passed
            value = passed
        samples[at] = value
