"""Against a scoring: the stages of `psgimg stage` beside somebody's scoring of the same night."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from psgimg.builder.corpora import scoring_grid
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.files import bounded
from psgimg.builder.recordings.hypnogram import Hypnogram
from psgimg.builder.stages import STAGE_NAMES, Score, Stage
from psgimg.builder.words import counted
from psgimg.finetune.evaluation import stage_words
from psgimg.finetune.metrics import disclosure

TABLE, ANNOTATIONS, FIGURES = "hypnogram.csv", "hypnogram.edf", "statistics.json"
NEEDED = ("epoch", "onset_s", "stage")
ODDS = tuple(f"p_{name}" for name in STAGE_NAMES)
NO_STAGE = ("", "UNS", "?")

NEAR_S = 1.0
"""Epochs whose onsets differ by more are counted as shifted."""

Row = Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Compared:
    """A night's stages by a stager beside those of a scorer.

    Parameters
    ----------
    table
        A predictions table, a row for each epoch that both have staged.
    source
        What is known of the stager.
    notes
        What was left out, and how the scoring was read, a line each.
    """

    table: pa.Table
    source: dict[str, Any]
    notes: tuple[str, ...]


def folder(path: Path) -> Path:
    """Return the folder of `psgimg stage` that a path names, itself or by its table."""
    return path.parent if path.name == TABLE else path


def read(path: Path, scoring: Path, form: str | None, codes: Mapping[str, Score]) -> Compared:
    """Read a folder of `psgimg stage` and a scoring of the same night, in any format.

    Parameters
    ----------
    path
        The folder, or its ``hypnogram.csv``.
    form
        Corpus, or YAML file of one, whose scorings have this format; None recognises it.
    codes
        What numbers and words of the scoring stand for.

    Raises
    ------
    BuildError
        If a file can't be read, or the two have no epoch in common.
    """
    room = folder(path)
    rows, facts = _rows(room / TABLE), _facts(room / FIGURES)
    try:
        scored = scoring_grid.read_beside(scoring, room / ANNOTATIONS, form, codes)
    except RecordingError as error:
        raise BuildError(f"--against {scoring}: {error.detail}") from error
    onsets_s = _numbers(rows, "onset_s", room / TABLE)
    epoch_s = float(facts.get("grid", {}).get("epoch_s") or _step(onsets_s))
    if scored.epoch_s != epoch_s:
        raise BuildError(
            f"--against {scoring}: its epochs last {scored.epoch_s:g} s, those of {room} {epoch_s:g} s; "
            f"stage the night on its epochs: psgimg stage --scoring {scoring.name}"
        )
    nearest = _nearest(onsets_s, scored, epoch_s)
    if not nearest:
        raise BuildError(
            f"--against {scoring}: no epoch with a stage lies in the time of {room}; check that both "
            "are of the same night"
        )
    kept, notes = _kept(nearest, rows, onsets_s, scored, facts)
    if not kept:
        raise BuildError(f"--against {scoring}: {room} has no stage where it has one; {notes[0]}")
    name = Path(facts.get("night") or room.name).stem
    table = _table([(rows[i], scored.scores[j]) for i, j in kept], name, epoch_s)
    return Compared(table, _source(facts), (*scored.notes, *notes))


def _rows(path: Path) -> list[Row]:
    try:
        text = bounded.read_bytes(path, bounded.TEXT).decode("utf-8-sig")
    except FileNotFoundError as error:
        raise BuildError(
            f"{path} does not exist; give the folder that `psgimg stage` wrote, with --against a "
            "scoring of its night"
        ) from error
    except (OSError, UnicodeDecodeError, bounded.TooLargeError) as error:
        raise BuildError(f"{path} can't be read ({error}); stage the night again") from error
    reader = csv.DictReader(text.splitlines())
    if missing := [name for name in NEEDED if name not in (reader.fieldnames or ())]:
        raise BuildError(f"{path}: no column {missing[0]!r}; stage the night again")
    rows: list[Row] = list(reader)
    if not rows:
        raise BuildError(f"{path} has no epochs; stage the night again")
    return rows


def _facts(path: Path) -> Mapping[str, Any]:
    """Return what `psgimg stage` states beside the table; nothing if the file is gone."""
    try:
        values = bounded.read_json(path)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BuildError(f"{path} is damaged ({error}); stage the night again") from error
    return values if isinstance(values, dict) else {}


def _numbers(rows: Sequence[Row], name: str, path: Path) -> npt.NDArray[np.float64]:
    try:
        numbers = np.array([float(row[name]) for row in rows])
    except (TypeError, ValueError) as error:
        raise BuildError(f"{path}, column {name}: {error}; stage the night again") from error
    if not (np.isfinite(numbers).all() and (np.diff(numbers) > 0).all()):
        raise BuildError(f"{path}, column {name}: not in order of time; stage the night again")
    return numbers


def _step(onsets_s: npt.NDArray[np.float64]) -> float:
    return float(np.diff(onsets_s).min()) if len(onsets_s) > 1 else 30.0


def _nearest(
    onsets_s: npt.NDArray[np.float64], scored: Hypnogram, epoch_s: float
) -> list[tuple[int, int]]:
    """Return the row nearest to each scored epoch with a stage, and the number of that epoch."""
    theirs_s = np.array(scored.onsets_s)
    after = np.clip(np.searchsorted(onsets_s, theirs_s), 1, max(1, len(onsets_s) - 1))
    earlier = np.abs(onsets_s[after - 1] - theirs_s) <= np.abs(
        onsets_s[after % len(onsets_s)] - theirs_s
    )
    row = np.where(earlier, after - 1, after % len(onsets_s))
    near = np.abs(onsets_s[row] - theirs_s) < epoch_s / 2
    taken: dict[int, int] = {}
    for number in np.flatnonzero(near).tolist():
        if isinstance(scored.scores[number], Stage):
            taken.setdefault(int(row[number]), number)
    return sorted(taken.items())


def _kept(
    nearest: Sequence[tuple[int, int]],
    rows: Sequence[Row],
    onsets_s: npt.NDArray[np.float64],
    scored: Hypnogram,
    facts: Mapping[str, Any],
) -> tuple[list[tuple[int, int]], list[str]]:
    """Return the pairs that are compared, and what a reader must know of the others."""
    off_s, on_s = facts.get("lights_off_s"), facts.get("lights_on_s")
    first_s, last_s = -inf if off_s is None else off_s, inf if on_s is None else on_s
    half_s = scored.epoch_s / 2
    dark = [(i, j) for i, j in nearest if first_s < onsets_s[i] + half_s < last_s]
    staged = [(i, j) for i, j in dark if rows[i]["stage"].strip() not in NO_STAGE]
    notes = []
    if off_s is not None or on_s is not None:
        notes.append(
            "Compared from lights off to lights on, as the night was staged; scored epochs outside: "
            f"{len(nearest) - len(dark):,}."
        )
    if len(dark) > len(staged):
        notes.append(f"Scored epochs that were not staged, left out: {len(dark) - len(staged):,}.")
    shifted = sum(abs(onsets_s[i] - scored.onsets_s[j]) > NEAR_S for i, j in staged)
    if shifted:
        notes.append(
            f"{counted(shifted, 'scored epoch')} start between two that were staged; each is compared "
            "with the nearer one."
        )
    return staged, notes


def _table(pairs: Sequence[tuple[Row, Any]], name: str, epoch_s: float) -> pa.Table:
    n = len(pairs)
    columns = {
        "recording": pa.array([name] * n),
        "epoch": pa.array([float(row["epoch"]) for row, _ in pairs]),
        "label": pa.array([label.name for _, label in pairs]),
        "prediction": pa.array([_stage(row["stage"]) for row, _ in pairs]),
        "epoch_s": pa.array([epoch_s] * n),
    }
    if all(row.get(column) for row, _ in pairs for column in ODDS):
        columns |= {column: pa.array([float(row[column]) for row, _ in pairs]) for column in ODDS}
    return pa.table(columns)


def _stage(word: str) -> str:
    try:
        return stage_words.stage_of(word, {}) or word
    except KeyError:
        return word  # which the reader of predictions refuses by name


def _source(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the folder states of its stager, as beside predictions; a patient is nobody's to publish."""
    settings = {
        "model": facts.get("staged_by") or facts.get("model"),
        "context": facts.get("context"),
    }
    stated: dict[str, Any] = {"psgimg": version("psgimg"), "policy": "restricted"}
    stated["settings"] = {key: value for key, value in settings.items() if value is not None}
    for key, name in (("sees", disclosure.VIEW), ("learned_elsewhere", disclosure.ELSEWHERE)):
        if isinstance(facts.get(key), Mapping):
            stated[name] = facts[key]
    if disclosure.ELSEWHERE in stated:
        stated[disclosure.PEOPLE] = {"": disclosure.UNKNOWN}
    return stated
