"""LaTeX: the figures as tables for a paper, with booktabs. A row a file, the scorers last."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.metrics.plotting import HEADLINE, short

COLUMNS = (*HEADLINE, *(f"f1_{stage}" for stage in STAGE_NAMES))
HEADS = ("Accuracy", "Macro-F1", r"$\kappa$", *STAGE_NAMES)

ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}

Figures = Mapping[str, Mapping[str, float | None]]


def tables(values: Mapping[str, Any], others: Sequence[Figures]) -> str:
    """The tables of an evaluation: figures with intervals, and differences if there are any.

    Parameters
    ----------
    values
        As in ``metrics.json``.
    others
        The figures of each further file by itself, in the order of ``values["comparisons"]``.
    """
    parts = ["% needs \\usepackage{booktabs}", _figures(values, others)]
    if values["comparisons"]:
        parts.append(_differences(values))
    return "\n\n".join(parts) + "\n"


def escaped(words: str) -> str:
    """Words from outside as LaTeX sets them, whatever its engine: no signs of its own, ASCII."""
    plain = unicodedata.normalize("NFKD", " ".join(words.split()))
    kept = (sign for sign in plain if not unicodedata.combining(sign))
    return "".join(ESCAPES.get(sign, sign if " " <= sign <= "~" else "?") for sign in kept)


def _figures(values: Mapping[str, Any], others: Sequence[Figures]) -> str:
    counts, scorers = values["counts"], values["scorers"]
    named = zip([entry["file"] for entry in values["comparisons"]], others, strict=True)
    rows = [_row(values["file"], counts["epochs"], values["pooled"]["figures"])]
    rows += [_row(name, counts["epochs"], figures) for name, figures in named]
    if scorers:
        rows += [
            r"\midrule",
            rf"\multicolumn{{{len(COLUMNS) + 2}}}{{@{{}}l}}{{\emph{{Epochs scored twice}}}} \\",
            _row(values["file"], scorers["epochs"], scorers["model_on_same"]),
            _row("second scorer", scorers["epochs"], scorers["figures"]),
        ]
    head = (
        r" & & & & & \multicolumn{5}{c}{F1} \\",
        r"\cmidrule(lr){6-10}",
        rf"Predictions & Epochs & {' & '.join(HEADS)} \\",
    )
    caption = (
        f"Agreement with the reference scorer over {_counted(counts, 'recording')} of "
        f"{_counted(counts, 'subject')}. {_intervals(values)}{_unanswered(values)}"
    )
    return _table("tab:stages", caption, "lr" + "c" * len(COLUMNS), head, rows)


def _differences(values: Mapping[str, Any]) -> str:
    rows = [
        _cells(entry["file"], [_difference(entry["figures"][name]) for name in HEADLINE])
        for entry in values["comparisons"]
    ]
    head = (rf"Predictions & {' & '.join(HEADS[: len(HEADLINE)])} \\",)
    caption = (
        f"Difference from {escaped(values['file'])} on the same {values['counts']['epochs']:,} "
        f"epochs, paired. {_intervals(values)}"
    )
    return _table("tab:differences", caption, "l" + "c" * len(HEADLINE), head, rows)


def _intervals(values: Mapping[str, Any]) -> str:
    interval, n = values["interval"], values["counts"]["subjects"]
    if n < 2:
        return "No intervals: there is one subject."
    return (
        rf"In brackets: {100 * interval['level']:g}\,\% interval, bootstrap over {n:,} subjects "
        f"({interval['rounds']:,} rounds)."
    )


def _unanswered(values: Mapping[str, Any]) -> str:
    n = values["counts"]["no_answer"]
    here = f" ({n:,} in {escaped(values['file'])})" if n else ""
    return f" Epochs without a valid answer count as wrong{here}."


def _table(label: str, caption: str, columns: str, head: Sequence[str], rows: Sequence[str]) -> str:
    return "\n".join(
        [
            r"\begin{table*}",
            r"\centering",
            rf"\caption{{{caption}}}",
            rf"\label{{{label}}}",
            r"\small",
            r"\setlength{\tabcolsep}{2pt}",
            rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}",
            r"\toprule",
            *head,
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table*}",
        ]
    )


def _row(name: str, epochs: int, figures: Figures) -> str:
    """Two lines: the figures, and their intervals if there are any."""
    entries = [figures[column] for column in COLUMNS]
    row = _cells(name, [f"{epochs:,}", *(_number(entry["value"]) for entry in entries)])
    if all(entry["low"] is None for entry in entries):
        return row
    ends = [
        ""
        if entry["low"] is None
        else _small(f"[{_number(entry['low'])}, {_number(entry['high'])}]")
        for entry in entries
    ]
    return f"{row}[-2pt]\n{' & '.join(['', '', *ends])} \\\\[2pt]"


def _difference(entry: Mapping[str, float | None]) -> str:
    ends = f"[{_number(entry['low'], '+')}, {_number(entry['high'], '+')}]"
    return _number(entry["difference"], "+") + ("" if entry["low"] is None else f" {_small(ends)}")


def _cells(name: str, cells: Sequence[str]) -> str:
    # A bracket or star that begins a row would be taken for an option of the row's end before it.
    words = escaped(short(name))
    words = f"{{}}{words}" if words.startswith(("[", "*")) else words
    return f"{' & '.join([words, *cells])} \\\\"


def _number(value: float | None, sign: str = "-") -> str:
    """Three digits without the zero before the point, and a minus that is one."""
    if value is None:
        return "--"
    return f"{value:{sign}.3f}".replace("0.", ".", 1).replace("-", "$-$").replace("+", "$+$")


def _small(words: str) -> str:
    return rf"{{\scriptsize {words}}}"


def _counted(counts: Mapping[str, int], noun: str) -> str:
    n = counts[f"{noun}s"]
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
