"""Limits of agreement: how often their intervals cover, simulated. ``python benchmarks/limits.py``.

Errors of nights are the sum of a part of the person and a part of the night, both of variance 1, from a
distribution that is normal, has long tails (t of 5 degrees of freedom) or is skewed (gamma of shape 2),
for one night each and for one to four.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from psgimg.finetune.evaluation.clinical.agreement import Z, agreement

ROUNDS = 1000
SUBJECTS = (3, 5, 10, 30, 100)

Values = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Values]

ERRORS: dict[str, Draw] = {
    "normal": lambda random, n: random.standard_normal(n),
    "long tails": lambda random, n: random.standard_t(5, n) / np.sqrt(5 / 3),
    "skewed": lambda random, n: (random.gamma(2, 1, n) - 2) / np.sqrt(2),
}


def coverage(draw: Draw, n: int, most_nights: int, seed: int = 0) -> Values:
    """Return (3,) the share of intervals of bias, lower and upper limit that have the true value."""
    random = np.random.default_rng(seed)
    true = (0.0, -Z * np.sqrt(2), Z * np.sqrt(2))
    hits = np.zeros(3)
    for _ in range(ROUNDS):
        person = np.repeat(np.arange(n), random.integers(1, most_nights + 1, n))
        errors = draw(random, n)[person] + draw(random, len(person))
        found = agreement(errors, person)
        intervals = (found.bias, found.lower, found.upper)
        hits += [one.low <= value <= one.high for one, value in zip(intervals, true, strict=True)]
    return hits / ROUNDS


def main() -> None:
    """Print a table of coverage in percent."""
    print("| errors | nights each | subjects | bias | lower limit | upper limit |")
    print("|:--|--:|--:|--:|--:|--:|")
    for name, draw in ERRORS.items():
        for most in (1, 4):
            for n in SUBJECTS:
                shares = " | ".join(f"{100 * share:.0f}" for share in coverage(draw, n, most))
                print(f"| {name} | {'1' if most == 1 else f'1 to {most}'} | {n} | {shares} |")


if __name__ == "__main__":
    main()
