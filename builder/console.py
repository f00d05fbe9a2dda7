"""Console: the terminal that the commands write to, its tables and its progress bars.

A string is printed as it is: never read as markup or emoji, and on one line.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import Any

from psgimg.builder.files import secrets
from psgimg.builder.files.quoting import visible
from psgimg.builder.progress import BYTES
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    ProgressColumn,
    Task,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

UNLIMITED = 100_000
"""Width of the console in characters if the output is no terminal: nothing is cut or folded."""


class _LiteralConsole(Console):
    """A console that shows the control characters of every string as escapes."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a string as text, one line without markup."""
        return super().render_str(visible(text), **options)


def open_console() -> Console:
    """Return the console; the terminal wraps long lines, so that they can be copied whole."""
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    return _LiteralConsole(
        soft_wrap=True,
        markup=False,
        highlight=False,
        emoji=False,
        width=None if is_terminal else UNLIMITED,
    )


def styled(*parts: str | tuple[str, str]) -> Text:
    """Return a line of text: each part is a string, or a string with its style, such as ``bold``."""
    pairs = (part if isinstance(part, tuple) else (part, "") for part in parts)
    return Text.assemble(*((visible(text), style) for text, style in pairs))


def new_table(*heads: str, left: Collection[str] = (), has_heads: bool = True) -> Table:
    """Return an empty table; what a terminal's width can't show is folded, never cut.

    Parameters
    ----------
    left
        Heads of the columns that are aligned left, as text; the others are aligned right.
    has_heads
        Whether the heads are shown.
    """
    table = Table(box=None, header_style="bold", show_header=has_heads)
    for head in heads:
        justify = "left" if head in left else "right"
        table.add_column(head, justify=justify, overflow="fold", min_width=1)  # type: ignore[arg-type]
    return table


class ProgressBar:
    """Progress bars with done of total, elapsed and remaining time; see ``progress.Progress``."""

    def __init__(self, console: Console) -> None:
        self._bar = Bar(
            _Task(),
            BarColumn(bar_width=24),
            _Done(),
            TimeElapsedColumn(),
            _Left(),
            console=console,
        )

    def __enter__(self) -> ProgressBar:
        self._bar.start()
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self._finish(early=error is not None)
        if self._bar.tasks:
            self._bar.stop()
        else:  # without the empty line that ends the bars in a file
            self._bar.live.stop()

    def start(self, task: str, total: int | None = None, unit: str = "") -> None:
        """Start a task and end the previous one; one with nothing to do is not shown."""
        self._finish()
        if total != 0:
            self._bar.add_task(task, total=total, unit=unit, pages=0)

    def advance(self, n: int = 1, pages: int = 0) -> None:
        """Report ``n`` more finished units, with ``pages`` more pages."""
        task = self._bar.tasks[-1]
        self._bar.update(task.id, advance=n, pages=task.fields["pages"] + pages)

    def note(self, message: str) -> None:
        """Show one line above the bar."""
        self._bar.console.print(secrets.mask(message))

    def _finish(self, *, early: bool = False) -> None:
        """End the running task; the bar of a step that counted nothing is removed.

        One that an error ended ``early`` keeps its total.
        """
        for task in self._bar.tasks:
            if task.total is None and not task.completed:
                self._bar.remove_task(task.id)
            elif not (task.finished or early):  # with fewer units than announced
                self._bar.update(task.id, total=task.completed)


class _Task(ProgressColumn):
    """Column with the description of the task."""

    def render(self, task: Task) -> Text:
        return styled(task.description)


class _Done(ProgressColumn):
    """Column such as ``12/34 recordings · 5,678 pages · 123/s``, or a number of bytes."""

    def __init__(self) -> None:
        super().__init__()
        self._bytes = DownloadColumn()

    def render(self, task: Task) -> Text:
        if task.fields["unit"] == BYTES:
            return self._bytes.render(task) if task.total else Text()
        if task.total is None and not task.completed:
            return Text()
        total = "" if task.total is None else f"/{task.total:,.0f}"
        done = f"{task.completed:,.0f}{total} {task.fields['unit']}".rstrip()
        if pages := task.fields["pages"]:
            done += f" · {pages:,} pages · {pages / (task.elapsed or 1):,.0f}/s"
        return Text(done, style="progress.download")


class _Left(TimeRemainingColumn):
    """Column with the remaining time, once it can be estimated."""

    def render(self, task: Task) -> Text:
        if task.total is None or task.finished:
            return Text()
        return Text("left ") + super().render(task)
