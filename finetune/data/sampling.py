"""Sampling: which pages of a split are learned from, and how often a training pass shows each."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES

How = Literal["natural", "balanced", "sqrt"]
HOWS: tuple[str, ...] = get_args(How)

Rows = npt.NDArray[np.int64]


def order(labels: npt.NDArray[np.integer], how: str, seed: int, n: int | None = None) -> Rows:
    """Rows of one training pass, shuffled.

    No row comes twice before every other row of its stage has come once (``natural``: every other
    row), so that a pass shows as much as it can.

    Parameters
    ----------
    labels : (n_rows,) int
        Stage of each row, 0 to 4.
    how
        ``natural``: as often as they are. ``balanced``: each stage that occurs equally often.
        ``sqrt``: in proportion to the square root of their number.
    n
        Length of the pass; None for as many as there are rows.

    Returns
    -------
    (n,) int64
        Indices into ``labels``.

    Raises
    ------
    BuildError
        If ``how`` is unknown.
    ValueError
        If there is no row to choose from, or ``n`` is negative.
    """
    if how not in HOWS:
        raise BuildError(f"sampling {how!r}: use {', '.join(HOWS)}")
    n = len(labels) if n is None else n
    if n < 0 or (n and not len(labels)):
        raise ValueError(f"{n} of {len(labels)} rows")
    rng = np.random.default_rng(seed)
    if how == "natural":
        return rng.permutation(_repeated(np.arange(len(labels)), n, rng))
    counts = np.bincount(labels, minlength=len(STAGE_NAMES))
    weights = np.sqrt(counts) if how == "sqrt" else (counts > 0).astype(float)
    chosen = [
        _repeated(np.flatnonzero(labels == stage), share, rng)
        for stage, share in enumerate(_shares(weights, n))
    ]
    return rng.permutation(np.concatenate(chosen))


def subset(
    recording: npt.NDArray[np.integer],
    keys: Sequence[tuple[str, str, str]],
    n_subjects: int | None,
    max_per_recording: int | None,
    seed: int,
) -> Rows:
    """Rows to learn from, ascending: of some subjects, and not more than so many of a recording.

    The subjects of a smaller number are among those of a larger one, and so are the rows, so that
    learning curves compare like with like. What a recording gives does not hang on the others.

    Parameters
    ----------
    recording : (n_rows,) int
        Recording of each row, as an index into ``keys``; rows of a recording lie together.
    keys
        Corpus, subject and recording.

    Raises
    ------
    BuildError
        If a number is below one, or there are fewer subjects.
    """
    for name, value in (("n_subjects", n_subjects), ("max_per_recording", max_per_recording)):
        if value is not None and value < 1:
            raise BuildError(f"{name} {value}: give one or more")
    subjects = sorted({key[:2] for key in keys}, key=lambda subject: _digest(seed, *subject))
    if n_subjects is not None and n_subjects > len(subjects):
        raise BuildError(f"n_subjects {n_subjects}: there are {len(subjects)}; give fewer or none")
    wanted = set(subjects[:n_subjects])
    chosen = []
    starts = np.searchsorted(recording, np.arange(len(keys) + 1))
    for key, start, stop in zip(keys, starts[:-1], starts[1:], strict=True):
        if key[:2] not in wanted:
            continue
        rows = np.arange(start, stop)
        if max_per_recording is not None and len(rows) > max_per_recording:
            rng = np.random.default_rng(_digest(seed, *key))
            rows = np.sort(rng.permutation(rows)[:max_per_recording])
        chosen.append(rows)
    return np.concatenate(chosen).astype(np.int64)


def _repeated(rows: Rows, n: int, rng: np.random.Generator) -> Rows:
    """``n`` of the rows: all of them as often as that gives, and chance decides on the rest."""
    if n == 0:
        return rows[:0]
    times, rest = divmod(n, len(rows))
    return np.concatenate([*[rows] * times, rng.permutation(rows)[:rest]])


def _shares(weights: npt.NDArray[np.float64], n: int) -> list[int]:
    """Whole numbers in proportion to weights with sum ``n``: the largest remainders are rounded up."""
    if n == 0:
        return [0] * len(weights)
    exact = n * weights / weights.sum()
    whole = np.floor(exact).astype(int)
    last = np.argsort(whole - exact, kind="stable")[: n - whole.sum()]
    whole[last] += 1
    return [int(share) for share in whole]


def _digest(seed: int, *names: str) -> int:
    """A number that hangs on nothing but seed and names, on every machine and in every version."""
    text = "\x1f".join((str(seed), *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
