"""LaTeX: metrics as booktabs tables for a paper, one row per file, with the scorers last.

The template of the tables is ``cards/table.tex.j2``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from itertools import groupby
from typing import Any, NamedTuple

from psgimg.builder.words import counted, number
from psgimg.finetune.evaluation.clinical.measures import MEASURES
from psgimg.finetune.metrics import metric_table
from psgimg.finetune.metrics.jackknife import too_few
from psgimg.finetune.metrics.metric_table import Metric
from psgimg.finetune.metrics.plotting import short

TEMPLATE = "table.tex.j2"
FIRST_FIGURE = 3
"""Number of the first metric's column, after the file and its number of epochs."""

ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "`": r"\`{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}

Figure = Mapping[str, float | None]
Figures = Mapping[str, Figure]


class Group(NamedTuple):
    """Adjacent columns with a common heading; a single column without one has an empty name."""

    name: str
    first: int
    last: int

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.last - self.first + 1


def tables(values: Mapping[str, Any], others: Sequence[Figures]) -> str:
    """Return the LaTeX tables of an evaluation: metrics with intervals, and any differences.

    Parameters
    ----------
    values
        As in ``metrics.json``.
    others
        Metrics of each further file on its own, in the order of ``values["comparisons"]``.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # is for HTML; external names pass through `tex` or `first_cell`
    )
    environment.filters |= {"n": number, "counted": counted, "tex": escaped}
    environment.filters |= {"first_cell": _first_cell, "figure": _figure}
    environment.filters |= {"ends": _ends, "difference": _difference}
    environment.filters |= {"minutes": _minutes, "both": _signed_minutes}
    source = resources.files("psgimg.cards").joinpath(TEMPLATE).read_text(encoding="utf-8")
    columns = (*metric_table.headline(), *metric_table.per_stage())
    facts = {
        "v": values,
        "others": others,
        "columns": columns,
        "groups": list(_groups(columns)),
        "headline": metric_table.headline(),
        "too_few": too_few,
        "measures": MEASURES,
    }
    return environment.from_string(source).render(facts)


def escaped(words: str) -> str:
    """Escape external text for LaTeX, as a single line.

    Letters of all scripts are kept, with accents composed where Unicode has the composed letter;
    control characters become question marks.
    """
    line = unicodedata.normalize("NFC", " ".join(words.split()))
    line = "".join("?" if unicodedata.category(sign) in ("Cc", "Cs") else sign for sign in line)
    line = "".join(ESCAPES.get(sign, sign) for sign in line)
    return re.sub("-(?=-)", "-{}", line)  # two hyphens would be typeset as a dash


def _groups(columns: Sequence[Metric]) -> Iterator[Group]:
    place = FIRST_FIGURE
    for name, some in groupby(columns, lambda metric: metric.group):
        width = len(list(some))
        ends = (
            [(place, place + width - 1)] if name else [(i, i) for i in range(place, place + width)]
        )
        yield from (Group(name, *both) for both in ends)
        place += width


def _first_cell(name: str) -> str:
    """Return the first cell of a row: its name, abbreviated and escaped."""
    words = escaped(short(name))
    # A leading bracket or star would be parsed as an option of the preceding row end.
    return f"{{}}{words}" if words.startswith(("[", "*")) else words


def _figure(value: float | None, sign: str = "-") -> str:
    """Format a number with three decimals, no leading zero and a typographic minus sign."""
    if value is None:
        return "--"
    return f"{value:{sign}.3f}".replace("0.", ".", 1).replace("-", "$-$").replace("+", "$+$")


def _ends(entry: Figure, sign: str = "-") -> str:
    """Format the interval of a metric in small type; empty if there is none."""
    if entry["low"] is None:
        return ""
    return rf"{{\scriptsize [{_figure(entry['low'], sign)}, {_figure(entry['high'], sign)}]}}"


def _difference(entry: Figure) -> str:
    """Format a difference with its interval."""
    return f"{_figure(entry['difference'], '+')} {_ends(entry, '+')}".rstrip()


def _minutes(value: float | None, sign: str = "-") -> str:
    """Format minutes or a percentage with one decimal and a typographic minus sign."""
    if value is None:
        return "--"
    words = f"{round(value, 1) + 0.0:{sign}.1f}"  # no "-0.0"
    return words.replace("-", "$-$").replace("+", "$+$")


def _signed_minutes(entry: Figure) -> str:
    """Format an error in minutes with its interval."""
    value = _minutes(entry["value"], "+")
    if entry["low"] is None:
        return value
    low, high = (_minutes(entry[end], "+") for end in ("low", "high"))
    return rf"{value} {{\scriptsize [{low}, {high}]}}"
