"""Stage words: names and numbers of stages in files of other tools, as psgimg's five stages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from psgimg.builder.corpora import stage_text
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES, Score, Stage, Unscored
from psgimg.finetune.metrics.predictions import STAGE_COLUMNS

EXAMPLE = "0=W,1=N1,2=N2,3=N3,4=REM"
MOST_WORDS = 1_000
"""Distinct words of a column that are looked up; a column with more holds something else."""

SYNONYMS: Mapping[str, str] = {
    **dict.fromkeys(("WAKE", "SLEEP STAGE W"), "W"),
    **{f"{word}{i}": f"N{i}" for word in ("S", "NREM", "SLEEP STAGE ") for i in (1, 2, 3)},
    **{f"SLEEP STAGE N{i}": f"N{i}" for i in (1, 2, 3)},
    **dict.fromkeys(("S4", "N4", "NREM4", "SLEEP STAGE 4"), "N3"),
    **dict.fromkeys(("R", "SLEEP STAGE R"), "REM"),
    **dict(zip(STAGE_NAMES, STAGE_NAMES, strict=True)),
}
"""Name of a stage in other tools and by the rules of R&K, in capitals → stage."""

Codes = Mapping[str, str | None]
"""Word or number in a file → stage; None where it stands for none."""


def parse_codes(text: str) -> dict[str, str | None]:
    """Return codes from text such as ``0=W,1=N1,2=N2,3=N3,4=REM,-1=``.

    Raises
    ------
    BuildError
        If a part has no ``=``, a code occurs twice, or a stage is unknown.
    """
    codes: dict[str, str | None] = {}
    for part in text.split(","):
        code, equals, word = (piece.strip() for piece in part.partition("="))
        stage = SYNONYMS.get(word.upper())
        if not equals or not code or (word and stage is None):
            raise BuildError(
                f"--codes {text}: {part.strip()!r} is no code with its stage; write --codes "
                f"{EXAMPLE}, with nothing behind = for no stage"
            )
        if code in codes:
            raise BuildError(f"--codes {text}: {code} has two stages; give it one")
        codes[code] = stage
    return codes


def scores(codes: Codes) -> dict[str, Score]:
    """Return codes as scorings take them; a code that stands for no stage is unscored."""
    return {
        stage_text.spelling(code): Unscored.UNSCORED if stage is None else Stage[stage]
        for code, stage in codes.items()
    }


def check_alone(codes: str | None, form: str | None) -> None:
    """Refuse codes for a scoring whose format, which defines its own words, is named too."""
    if codes is not None and form is not None:
        raise BuildError(
            f"--codes {codes}: --scoring-format {form} says what its words are; leave out one of the two"
        )


def stage_of(word: str, codes: Codes) -> str | None:
    """Return the stage that a word stands for.

    Raises
    ------
    KeyError
        If it stands for none that is known.
    """
    stripped = word.strip()
    return codes[stripped] if stripped in codes else SYNONYMS[stripped.upper()]


def read(table: pa.Table, codes: Codes) -> tuple[pa.Table, dict[str, str]]:
    """Return a table with psgimg's stages in ``STAGE_COLUMNS``, and which other words were read as which.

    Words that stand for no stage are left as they are. Numbers are read only with ``codes``.
    """
    renamed: dict[str, str] = {}
    for name in STAGE_COLUMNS:
        if name not in table.column_names:
            continue
        column = table[name]
        if pa.types.is_dictionary(column.type):
            if not _other_words(column, codes):
                continue
            column = column.cast(column.type.value_type)
        if codes and (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            column = _as_text(column)
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = _renamed(column, codes, renamed)
        table = table.set_column(table.column_names.index(name), name, column)
    return table, renamed


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return numbers as text, 2.0 as "2"; NaN is null."""
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    return pc.replace_substring_regex(column.cast(pa.string()), r"\.0$", "")


def _renamed(column: pa.ChunkedArray, codes: Codes, renamed: dict[str, str]) -> pa.ChunkedArray:
    """Return a column of words as stages, and add the words that were no names of stages."""
    found: dict[str, str | None] = {}
    for word in _other_words(column, codes):
        try:
            found[word] = stage_of(word, codes)
        except KeyError:
            continue
    if not found:
        return column
    place = pc.index_in(column, value_set=pa.array(list(found), column.type))
    stages = pa.array(list(found.values()), column.type).take(place)
    renamed |= {word: stage or "none" for word, stage in found.items() if stage != word}
    return pc.if_else(pc.is_valid(place), stages, column)


def _other_words(column: pa.ChunkedArray, codes: Codes) -> list[Any]:
    """Return the different values of a column, at most ``MOST_WORDS``; without codes, no names of stages."""
    values: list[Any] = column.drop_null().unique().to_pylist()
    return [value for value in values if codes or value not in STAGE_NAMES][:MOST_WORDS]
