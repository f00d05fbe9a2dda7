"""Stage columns: which columns of a table of events hold the stages of a scorer.

A column counts if its values are words of a known vocabulary, or have a legend (``Levels``) that names
stages. Other events may share the column. Numbers without a legend are no stages, whatever the name of
the column: which stage 4 is differs between datasets, and a night that lacks a stage can't tell.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psgimg.builder.corpora import votes
from psgimg.builder.corpora.bids import vocabulary
from psgimg.builder.corpora.bids.bids_table import BidsTable
from psgimg.builder.errors import RecordingError
from psgimg.builder.stages import Score, Stage

MIXED = "trial_type"
"""The column of BIDS for events of every kind."""

_NAMED_SO = re.compile(r"stag|hypno|scor|sleep", re.IGNORECASE)
_ABOUT_STAGES = re.compile(
    r"conf|prob|certain|agree|quality|(^|[_\W])(id|n|count|time|dur\w*)$", re.IGNORECASE
)
"""Columns that are named after stages but hold something else about them."""

_NO_STAGES = (
    *("onset", "duration", "sample", "begsample", "endsample", "offset", "response_time"),
    *("stim_file", "hed", "channel", "identifier"),
)


@dataclass(frozen=True)
class StageColumn:
    """A column with stages.

    Parameters
    ----------
    scores
        Value → score, of those that are known.
    """

    name: str
    scores: Mapping[str, Score]


def find(
    table: BidsTable, levels: Mapping[str, Any], own: Mapping[str, Score]
) -> list[StageColumn]:
    """Return the columns with stages, those of people before those of programs.

    A column that gives every row the same score as an earlier one is left out: it is the same scoring,
    not that of a second scorer.

    Parameters
    ----------
    levels
        Column → its ``Levels``.
    own
        Words that the user defines; then no others count.

    Raises
    ------
    RecordingError
        If a legend is ambiguous.
    """
    found: dict[tuple[Score | None, ...], StageColumn] = {}
    names = [
        name
        for name in table.columns
        if name.lower() not in _NO_STAGES and not _ABOUT_STAGES.search(name)
    ]
    for name in sorted(names, key=votes.is_of_program):
        values = table.values(name)
        scores = _scores(name, values, levels, own, table.name)
        explained = bool(_legend(name, levels, table.name)) and not own
        if _is_scoring(name, values, scores, explained=explained):
            given = tuple(scores.get(value) for value in values)
            found.setdefault(given, StageColumn(name, scores))
    return list(found.values())


def named(
    name: str, table: BidsTable, levels: Mapping[str, Any], own: Mapping[str, Score]
) -> StageColumn:
    """Return the column that the user, or the description of a dataset, names.

    Raises
    ------
    RecordingError
        If there is none, or it has no stage.
    """
    column = table.find(name)
    if column is None:
        raise RecordingError(
            "scorer missing",
            f"{table.name} has no column {name!r}; name another --stage-column, out of "
            f"{', '.join(table.columns)}",
        )
    values = table.values(column)
    scores = _scores(column, values, levels, own, table.name)
    if not any(isinstance(score, Stage) for score in scores.values()):
        raise no_stages(f"{table.name}, column {column}, has no known stage", values)
    return StageColumn(column, scores)


def no_stages(what: str, values: Collection[str]) -> RecordingError:
    """Return the error for a table or a column without stages."""
    codes = [value for value in dict.fromkeys(values) if vocabulary.looks_like_stage(value)]
    shown = ", ".join(repr(value[:40]) for value in codes[:5])  # others may be a technician's notes
    listed = f" but {shown}" if shown else ""
    return RecordingError(
        "no known stage",
        f"{what}{listed}; numbers need `Levels` in the JSON beside the table, or define numbers and "
        "words under stages in a YAML file, or name another column with --stage-column",
    )


def _scores(
    name: str,
    values: Sequence[str],
    levels: Mapping[str, Any],
    own: Mapping[str, Score],
    where: str,
) -> dict[str, Score]:
    """Return the known values of a column: by the user's words, the legend, or a vocabulary."""
    if own:
        return {value: own[value] for value in set(values) if value in own}
    if meant := _legend(name, levels, where):
        spelt = vocabulary.words(value for value in values if not vocabulary.is_number(value))
        codes = {value: vocabulary.code(value) for value in values}
        return spelt | {value: meant[code] for value, code in codes.items() if code in meant}
    return vocabulary.words(values)


def _legend(name: str, levels: Mapping[str, Any], where: str) -> dict[str, Score]:
    """Return the legend of a column; nothing if it has none that names stages."""
    legend = levels.get(name)
    if not isinstance(legend, dict):
        return {}
    return vocabulary.legend(legend, f"{where}, column {name}")


def _is_scoring(
    name: str, values: Sequence[str], scores: Mapping[str, Score], *, explained: bool
) -> bool:
    """Whether a column that nobody named holds stages, beside other events or not.

    Parameters
    ----------
    explained
        Whether a legend says what the values mean.
    """
    staged = {value for value in scores if isinstance(scores[value], Stage)}
    if explained:
        return bool(staged)
    present = [value for value in values if value]
    if len(set(map(scores.get, staged))) < 2 and not (staged and set(present) <= set(scores)):
        return False
    n_known = sum(value in scores for value in present)
    return bool(_NAMED_SO.search(name)) or name.lower() == MIXED or 2 * n_known > len(present)
