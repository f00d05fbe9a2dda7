"""Console: the terminal that the commands write to, and its progress bars."""

from __future__ import annotations

from psgimg.builder.files import secrets
from psgimg.builder.progress import BYTES
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar
from rich.text import Text


def open_console() -> Console:
    """Return the console; the terminal wraps long lines, so that they can be copied whole."""
    return Console(soft_wrap=True)


class ProgressBar:
    """Progress bars with done of total, elapsed and remaining time; see ``progress.Progress``."""

    def __init__(self, console: Console) -> None:
        self._bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            _Done(),
            TimeElapsedColumn(),
            _Left(),
            console=console,
        )

    def __enter__(self) -> ProgressBar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._finish()
        self._bar.stop()

    def start(self, task: str, total: int | None = None, unit: str = "") -> None:
        """Start a task and end the previous one."""
        self._finish()
        self._bar.add_task(task, total=total, unit=unit, pages=0)

    def advance(self, n: int = 1, pages: int = 0) -> None:
        """Report ``n`` more finished units, with ``pages`` more pages."""
        task = self._bar.tasks[-1]
        self._bar.update(task.id, advance=n, pages=task.fields["pages"] + pages)

    def note(self, message: str) -> None:
        """Show one line above the bar."""
        self._bar.console.print(escape(secrets.mask(message)), highlight=False)

    def _finish(self) -> None:
        """End the running task; the bar of a step that counted nothing is removed."""
        for task in self._bar.tasks:
            if task.total is None and not task.completed:
                self._bar.remove_task(task.id)
            elif not task.finished:  # with fewer units than announced
                self._bar.update(task.id, total=task.completed)


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
