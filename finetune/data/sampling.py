"""Sampling: which pages of a split are used for training, and how often a pass shows each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES

How = Literal["natural", "balanced", "sqrt"]
HOWS: tuple[str, ...] = get_args(How)

SEEDS = 2**32
"""Seeds that all libraries of a training take, from 0."""

Rows = npt.NDArray[np.int64]


def check_seed(seed: int) -> None:
    """Refuse a seed that a library would fail by after hours of preparation.

    Raises
    ------
    BuildError
        If it is outside 0 to 2**32 - 1.
    """
    if not 0 <= seed < SEEDS:
        raise BuildError(f"--seed {seed}: give 0 to {SEEDS - 1}")


def order(labels: npt.NDArray[np.integer], how: str, seed: int, n: int | None = None) -> Rows:
    """Return the rows of one training pass, shuffled.

    No row is repeated before all rows of its stage (``natural``: all rows) have been used, so that
    a pass shows as many different rows as possible.

    Parameters
    ----------
    labels : (n_rows,) int
        Stage of each row, 0 to 4.
    how
        ``natural``: stages as frequent as in the data. ``balanced``: all stages present equally
        frequent. ``sqrt``: stages in proportion to the square root of their numbers of rows.
    n
        Length of the pass; None means the number of rows.

    Returns
    -------
    (n,) int64
        Indices into ``labels``.

    Raises
    ------
    BuildError
        If ``how`` is unknown.
    ValueError
        If there are no rows, or ``n`` is negative.
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
    own: Sequence[bool] | None = None,
) -> Rows:
    """Return the rows of some subjects, with a maximum per recording, ascending.

    Selections are nested: the subjects and rows of a smaller selection are among those of a larger
    one, so that learning curves are comparable. The rows selected from a recording do not depend on
    other recordings.

    Parameters
    ----------
    recording : (n_rows,) int
        Recording of each row, as an index into ``keys``; rows of a recording are contiguous.
    keys
        Corpus, subject and recording.
    n_subjects, max_per_recording
        None means all.
    own
        Whether each recording may be selected; None means all.

    Raises
    ------
    BuildError
        If a number is below 1, or there are fewer subjects.
    """
    _check_number("--max-epochs-per-recording", max_per_recording)
    allowed = [key for i, key in enumerate(keys) if own is None or own[i]]
    selected = subjects(allowed, n_subjects, seed)
    chosen = []
    starts = np.searchsorted(recording, np.arange(len(keys) + 1))
    for key, start, stop in zip(keys, starts[:-1], starts[1:], strict=True):
        if key[:2] not in selected:
            continue
        rows = np.arange(start, stop)
        if max_per_recording is not None and len(rows) > max_per_recording:
            rng = np.random.default_rng(_digest(seed, *key))
            rows = np.sort(rng.permutation(rows)[:max_per_recording])
        chosen.append(rows)
    return np.concatenate(chosen).astype(np.int64)


def subsample(rows: Rows, n: int, seed: int) -> Rows:
    """Return at most ``n`` of the rows, ascending, drawn by the seed."""
    if len(rows) <= n:
        return rows
    return np.sort(np.random.default_rng(seed).permutation(rows)[:n])


def subjects(
    keys: Iterable[tuple[str, str, str]], n_subjects: int | None, seed: int
) -> set[tuple[str, str]]:
    """Return ``n_subjects`` of the subjects of some recordings, the same whoever asks; None: all.

    Parameters
    ----------
    keys
        Corpus, subject and recording.

    Raises
    ------
    BuildError
        If the number is below 1, or there are fewer subjects.
    """
    _check_number("--train-subjects", n_subjects)
    ranked = sorted({key[:2] for key in keys}, key=lambda subject: _digest(seed, *subject))
    if n_subjects is not None and n_subjects > len(ranked):
        raise BuildError(
            f"--train-subjects {n_subjects}: there are only {len(ranked)}; use fewer or leave it out"
        )
    return set(ranked[:n_subjects])


def _check_number(name: str, value: int | None) -> None:
    if value is not None and value < 1:
        raise BuildError(f"{name} {value}: must be at least 1")


def _repeated(rows: Rows, n: int, rng: np.random.Generator) -> Rows:
    """Return ``n`` rows: all rows as often as they fit, and a random selection of them once more."""
    if n == 0:
        return rows[:0]
    times, rest = divmod(n, len(rows))
    return np.concatenate([*[rows] * times, rng.permutation(rows)[:rest]])


def _shares(weights: npt.NDArray[np.float64], n: int) -> list[int]:
    """Return integers with sum ``n`` in proportion to weights, by the largest remainders."""
    if n == 0:
        return [0] * len(weights)
    exact = n * weights / weights.sum()
    whole = np.floor(exact).astype(int)
    last = np.argsort(whole - exact, kind="stable")[: n - whole.sum()]
    whole[last] += 1
    return [int(share) for share in whole]


def _digest(seed: int, *names: str) -> int:
    """Return a number that depends only on seed and names, on all platforms and versions."""
    text = "\x1f".join((str(seed), *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
