"""Tables and sentences of the page on real nights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.metrics import metric_table

Values = dict[str, Any]

KEYS = tuple(metric.key for metric in metric_table.headline())
LABELS = tuple(metric.short for metric in metric_table.headline())


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, [":--" if i == 0 else "--:" for i in range(len(head))], *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def figures(one: Values) -> tuple[str, ...]:
    """Return the headline metrics with three decimals."""
    return tuple(f"{one[key]:.3f}" for key in KEYS)


def confusion(counts: Sequence[Sequence[int]]) -> str:
    """Return a confusion table: scored stages in rows, predicted stages in columns."""
    rows = [
        (f"**{stage}**", *map(str, row)) for stage, row in zip(STAGE_NAMES, counts, strict=True)
    ]
    return table(("", *STAGE_NAMES, "no answer"), rows)


def machine(found: Values) -> str:
    """Return the machine and the versions that a run was made on."""
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    return (
        f"Python {found['python']}, {found['system']}, {found['cpus']} CPUs, no GPU, one thread "
        f"per process; {versions}.\n" + (f"\n{found['note']}\n" if found["note"] else "")
    )


def span(values: Iterable[float]) -> str:
    """Return the smallest and the largest of some values."""
    ordered = sorted(values)
    return f"{ordered[0]:.0f} to {ordered[-1]:.0f}"


def with_interval(figure: Values, key: str = "value", *, signed: bool = False) -> str:
    """Return a figure with three decimals and its interval, if it has one; a difference is signed."""
    sign = "+" if signed else ""
    if sign and round(figure[key], 6) == 0 and figure["low"] == figure["high"]:
        return "0"
    value, low, high = (
        "" if figure[name] is None else f"{figure[name]:{sign}.3f}" for name in (key, "low", "high")
    )
    return (f"{value} [{low}, {high}]" if low and high else value).replace("-", "−")


def change(figure: Values) -> str:
    """Return a difference with its interval, in bold type if that excludes 0."""
    low, high = figure["low"], figure["high"]
    text = with_interval(figure, "difference", signed=True)
    return f"**{text}**" if low is not None and high is not None and low * high > 0 else text


def folded(title: str, text: str) -> str:
    """Return Markdown that a reader unfolds."""
    return f"<details>\n<summary>{title}</summary>\n\n{text}\n</details>\n"
