"""What the terminal shows of a release: its steps, what goes where, and how to load it."""

from __future__ import annotations

from psgimg.builder import metadata
from psgimg.builder.rebuild import Rebuilt
from psgimg.builder.release.plan import Plan
from psgimg.builder.release.push import Pushed
from psgimg.builder.report import Report
from psgimg.builder.rows import SPLITS
from psgimg.builder.stages import STAGE_NAMES
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

SHOWN, LISTED = 8, 20
"""Files, and recordings that differ, that are listed one by one."""


class PushProgress:
    """Progress of a push: one line a step, with bytes where they are known."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description:24}"),
            BarColumn(),
            DownloadColumn(),
            TimeElapsedColumn(),
            console=console,
        )

    def __enter__(self) -> PushProgress:
        from huggingface_hub.utils.tqdm import disable_progress_bars

        disable_progress_bars()  # two bars for one upload
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def step(self, name: str, n_bytes: int = 0) -> None:
        """A step begins, over so many bytes where that is known."""
        self._finish()
        self._bar.add_task(name, total=n_bytes or None)

    def advance(self, n_bytes: int) -> None:
        """So many bytes of the step are done."""
        self._bar.advance(self._bar.tasks[-1].id, n_bytes)

    def show(self, plan: Plan) -> None:
        """What is going to be sent where, before the first write."""
        self._finish()
        show_plan(self._bar.console, plan)

    def _finish(self) -> None:
        for task in self._bar.tasks:
            if task.total is None:
                self._bar.remove_task(task.id)


class ExportProgress:
    """Progress of an export: pages written."""

    def __init__(self, console: Console) -> None:
        self._bar = Progress(
            TextColumn("writing {task.completed:,.0f} pages"), TimeElapsedColumn(), console=console
        )
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> ExportProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def advance(self, n_pages: int) -> None:
        """So many more pages are written."""
        self._bar.advance(self._task, n_pages)


def show_rebuilt(console: Console, rebuilt: Rebuilt) -> None:
    """How many shards are those of the export, and what differs."""
    for mismatch in rebuilt.mismatches[:LISTED]:
        console.print(
            f"  {mismatch.corpus} {mismatch.name}: [yellow]{mismatch.reason}[/]: {mismatch.detail}"
        )
    if len(rebuilt.mismatches) > LISTED:
        console.print(f"  … and {len(rebuilt.mismatches) - LISTED} more")
    console.print(
        f"{rebuilt.n_verified} of {rebuilt.n_shards} shards are byte for byte those of the export"
    )


def show_plan(console: Console, plan: Plan) -> None:
    """Where a release goes, who may see it, and which files are sent, kept and removed."""
    result = Report(plan.values)
    console.print(f"[bold]{plan.repo.address}[/]  ({plan.visibility})", highlight=False)
    table = Table("corpus", *SPLITS, *STAGE_NAMES, box=None, header_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    for corpus in metadata.with_rows(result):
        n_splits = [result.n_epochs(corpus, split) for split in SPLITS]
        n_stages = [result.n_epochs(corpus, stage=stage) for stage in STAGE_NAMES]
        table.add_row(corpus, *(f"{n:,}" for n in (*n_splits, *n_stages)))
    console.print(table)
    console.print(
        f"to send: {len(plan.send)} files, {_size(plan.bytes_to_send)}; there already: {plan.n_kept} "
        f"files, {_size(plan.bytes_kept)}; to remove: {len(plan.removed)} files",
        highlight=False,
    )
    for addition in plan.send[:SHOWN]:
        console.print(f"  + {addition.path}  [dim]{_size(addition.n_bytes)}[/]", highlight=False)
    if len(plan.send) > SHOWN:
        console.print(f"  … and {len(plan.send) - SHOWN} more")
    for path in plan.removed[:SHOWN]:
        console.print(f"  [red]-[/] {path}", highlight=False)
    revision = plan.revision
    console.print(f"revision [bold]{revision.tag}[/]: {revision.what}", highlight=False)


def show_pushed(console: Console, pushed: Pushed | None) -> None:
    """Where the release is and how it is loaded."""
    if pushed is None:
        console.print("dry run: nothing was written")
        return
    plan = pushed.plan
    console.print(f"\n[bold]{plan.repo.address}[/] is released and loads ({plan.visibility}):")
    console.print(f'  load_dataset("{plan.repo.id}", split="train")', highlight=False)
    console.print(
        f'  load_dataset("{plan.repo.id}", split="train", revision="{plan.revision.tag}")',
        highlight=False,
    )


def _size(n_bytes: int) -> str:
    value, units = float(n_bytes), ["B", "kB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:,.{0 if units[0] == 'B' else 1}f} {units[0]}"
