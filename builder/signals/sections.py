"""Sections: design filters as second-order sections, and run them without phase shift.

The designs are the textbook's: analogue Butterworth poles, carried over by the bilinear transform
with its edges prewarped. Tests compare them with SciPy's, whose import would take longer than
filtering a night.
"""

from __future__ import annotations

import cmath
from collections.abc import Sequence
from math import ceil, cos, log, pi, prod, sqrt, tan

import numpy as np
import numpy.typing as npt
from psgimg.builder.signals.compiled import compiled

Samples = npt.NDArray[np.float64]
Sections = npt.NDArray[np.float64]
"""Rows of b0, b1, b2, a1, a2: coefficients of a section's numerator and denominator, where a0 is 1."""


NOTHING = 1e-18
"""Share of a state that is nothing beside the rounding of double precision."""

MOST_STREAMS = 32
N_ROWS = 64
"""Samples of all streams that are filtered at a time: they stay near the processor."""

LEAST_TO_SETTLE = 8
"""A stream is so many times as long as it takes to settle, which is filtered in vain."""


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
    """Filter forwards, then backwards.

    A long signal is divided into streams that the processor filters side by side. Each begins so
    early that nothing is left of its unknown past (less than ``NOTHING``).

    Parameters
    ----------
    n_pad
        Samples by which the signal is continued at each end, turned about its first or last value;
        fewer than it has.
    """
    n = len(samples) + 2 * n_pad
    settling = _settling(sections)
    n_streams = min(MOST_STREAMS, n // (LEAST_TO_SETTLE * settling))
    if n_streams < 2:
        n_streams, settling = 1, 0
    length = -(-n // n_streams)
    flat = np.empty(n_streams * length)
    flat[:n_pad] = 2 * samples[0] - samples[n_pad:0:-1]
    flat[n_pad : n - n_pad] = samples
    flat[n - n_pad : n] = 2 * samples[-1] - samples[-2 : -n_pad - 2 : -1]
    at_rest = _at_rest(sections)
    for backwards in (False, True):
        flat[n:] = flat[n - 1]  # beyond its end, the signal keeps its last value
        _run(sections, flat, length, settling, at_rest, backwards)
    return flat[n_pad : n_pad + len(samples)]


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


def _settling(sections: Sections) -> int:
    """Return the samples after which nothing is left of an earlier state, not too few to divide."""
    slowest = 0.0
    for _, _, _, a1, a2 in sections.tolist():
        spread = cmath.sqrt(a1**2 - 4 * a2)
        slowest = max(slowest, abs(-a1 + spread) / 2, abs(-a1 - spread) / 2)
    return max(MOST_STREAMS, ceil(log(NOTHING) / log(slowest)) if slowest > 0 else 0)


@compiled
def _run(
    sections: Sections,
    flat: Samples,
    length: int,
    settling: int,
    at_rest: Samples,
    backwards: bool,
) -> None:
    """Filter a signal in place, from its end if ``backwards``.

    Some times of all streams are copied together to where the processor has them side by side.

    Parameters
    ----------
    flat : (n_streams * length,)
        The streams, one after another.
    settling
        Samples of the stream before that a stream passes first, not yet filtered; of the first
        stream, as many of its first value.
    at_rest : (n_sections, 2)
        See ``_at_rest``.
    """
    n_streams, step = len(flat) // length, -1 if backwards else 1
    origin = len(flat) - 1 if backwards else 0
    rows = np.empty((N_ROWS, n_streams))
    states = np.empty((len(sections), 2, n_streams))
    for k in range(n_streams):  # loops: expressions of arrays take seconds to compile
        before = flat[origin + step * max(k * length - settling, 0)]
        for s in range(len(sections)):
            states[s, 0, k], states[s, 1, k] = at_rest[s, 0] * before, at_rest[s, 1] * before
    for begin in range(-settling, length, N_ROWS):
        n_rows = min(N_ROWS, length - begin)
        for k in range(n_streams):
            first = k * length + begin
            lead = min(max(-first, 0), n_rows)
            for i in range(lead):
                rows[i, k] = flat[origin]
            at = np.uint64(origin + step * (first + lead))  # unsigned: checked for no negative one
            for i in range(lead, n_rows):
                rows[i, k] = flat[at]
                at += np.uint64(step)
        for i in range(n_rows):
            for s in range(len(sections)):
                b0, b1, b2 = sections[s, 0], sections[s, 1], sections[s, 2]
                a1, a2 = sections[s, 3], sections[s, 4]
                _pass(rows[i], states[s, 0], states[s, 1], b0, b1, b2, a1, a2)
        settled = max(-begin, 0)
        for k in range(n_streams):
            at = np.uint64(origin + step * (k * length + begin + settled))
            for i in range(settled, n_rows):
                flat[at] = rows[i, k]
                at += np.uint64(step)


@compiled
def _pass(
    values: Samples,
    first: Samples,
    second: Samples,
    b0: float,
    b1: float,
    b2: float,
    a1: float,
    a2: float,
) -> None:
    """Pass one sample of each stream through a section; ``first`` and ``second`` are its states."""
    for i in range(len(values)):
        value = values[i]
        passed = b0 * value + first[i]
        first[i] = b1 * value - a1 * passed + second[i]
        second[i] = b2 * value - a2 * passed
        values[i] = passed
