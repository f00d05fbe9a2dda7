"""What the terminal shows of a release: its steps, what goes where, and how to load it."""

from __future__ import annotations

from psgimg.builder.card import card_metadata
from psgimg.builder.dataset.build_report import Report
from psgimg.builder.dataset.schema import SPLITS
from psgimg.builder.rebuild import Rebuilt
from psgimg.builder.release import models
from psgimg.builder.release.plan import Plan
from psgimg.builder.release.push import Pushed
from psgimg.builder.release.transfer import Transfer
from psgimg.builder.stages import STAGE_NAMES
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

SHOWN, LISTED = 8, 20
"""Files, and recordings that differ, that are listed one by one."""


class _Bytes(DownloadColumn):
    """Bytes of a step that has any."""

    def render(self, task: Task) -> Text:
        return super().render(task) if task.total else Text()


class PushProgress:
    """Progress of a push: one line a step, with bytes where they are known."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description:24}"),
            BarColumn(),
            _Bytes(),
            TimeElapsedColumn(),
            console=console,
        )

    def __enter__(self) -> PushProgress:
        from huggingface_hub.utils.logging import set_verbosity_error
        from huggingface_hub.utils.tqdm import disable_progress_bars

        disable_progress_bars()  # two bars for one upload
        set_verbosity_error()  # type: ignore[no-untyped-call]  # what is waited out is told once, by `note`
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._finish()
        self._bar.stop()

    def step(self, name: str, n_bytes: int = 0) -> None:
        """A step begins, over so many bytes where that is known."""
        self._finish()
        self._bar.add_task(name, total=n_bytes or None)

    def advance(self, n_bytes: int) -> None:
        """So many bytes of the step are done."""
        self._bar.advance(self._bar.tasks[-1].id, n_bytes)

    def note(self, message: str) -> None:
        """One line that the user should know."""
        self._bar.console.print(escape(message), highlight=False)

    def show(self, plan: Plan) -> None:
        """What is going to be sent where, before the first write."""
        self._finish()
        show_plan(self._bar.console, plan)

    def show_model(self, transfer: Transfer, left: tuple[str, ...]) -> None:
        """What is going to be sent where, and what stays here, before the first write."""
        self._finish()
        show_place(self._bar.console, transfer)
        show_transfer(self._bar.console, transfer)
        if left:
            self._bar.console.print(f"stays here: {', '.join(left)}", highlight=False)

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
            f"  {mismatch.corpus} {escape(mismatch.name)}: [yellow]{mismatch.reason}[/]: "
            f"{escape(mismatch.detail)}"
        )
    if len(rebuilt.mismatches) > LISTED:
        console.print(f"  … and {len(rebuilt.mismatches) - LISTED} more")
    console.print(
        f"{rebuilt.n_verified} of {rebuilt.n_shards} shards are byte for byte those of the export"
    )


def show_plan(console: Console, plan: Plan) -> None:
    """Where a release goes, who may see it, and which files are sent, kept and removed."""
    result = Report(plan.values)
    show_place(console, plan.transfer)
    table = Table("corpus", *SPLITS, *STAGE_NAMES, box=None, header_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    for corpus in card_metadata.with_rows(result):
        n_splits = [result.n_epochs(corpus, split) for split in SPLITS]
        n_stages = [result.n_epochs(corpus, stage=stage) for stage in STAGE_NAMES]
        table.add_row(corpus, *(f"{n:,}" for n in (*n_splits, *n_stages)))
    console.print(table)
    show_transfer(console, plan.transfer)
    if plan.edited:
        console.print(
            "[yellow]README.md was edited there[/]: it is replaced by the card of this release"
        )
    if plan.transfer.visibility.permitted:
        opened = ", ".join(plan.transfer.visibility.permitted)
        console.print(f"[yellow]public by permission[/]: {opened}, old revisions too")
    revision = plan.revision
    console.print(f"revision [bold]{revision.tag}[/]: {revision.what}", highlight=False)


def show_place(console: Console, transfer: Transfer) -> None:
    """Which repository it is, and who may see it."""
    console.print(f"[bold]{transfer.repo.address}[/]  ({transfer.visibility})", highlight=False)


def show_transfer(console: Console, transfer: Transfer) -> None:
    """Which files are sent, kept and removed."""
    console.print(
        f"to send: {len(transfer.send)} files, {_size(transfer.n_bytes)}; there already: "
        f"{transfer.n_kept} files, {_size(transfer.bytes_kept)}; to remove: "
        f"{len(transfer.removed)} files",
        highlight=False,
    )
    for addition in transfer.send[:SHOWN]:
        console.print(f"  + {addition.path}  [dim]{_size(addition.n_bytes)}[/]", highlight=False)
    if len(transfer.send) > SHOWN:
        console.print(f"  … and {len(transfer.send) - SHOWN} more")
    for path in transfer.removed[:SHOWN]:
        console.print(f"  [red]-[/] {path}", highlight=False)


def show_pushed(console: Console, pushed: Pushed | None) -> None:
    """Where the release is and how it is loaded."""
    if pushed is None:
        console.print("dry run: nothing was written")
        return
    transfer, tag = pushed.plan.transfer, pushed.plan.revision.tag
    name = transfer.repo.id
    console.print(
        f"\n[bold]{transfer.repo.address}[/] is released and loads ({transfer.visibility}):"
    )
    console.print(f'  load_dataset("{name}", split="train")', highlight=False)
    console.print(f'  load_dataset("{name}", split="train", revision="{tag}")', highlight=False)


def show_pushed_model(console: Console, pushed: models.Pushed | None) -> None:
    """Where the model is and how it is used."""
    if pushed is None:
        console.print("dry run: nothing was written")
        return
    repo = pushed.transfer.repo
    console.print(f"\n[bold]{repo.address}[/] is released ({pushed.transfer.visibility}):")
    console.print(f"  psgimg predict --model {repo.id} --dataset DATASET", highlight=False)


def _size(n_bytes: int) -> str:
    value, units = float(n_bytes), ["B", "kB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:,.{0 if units[0] == 'B' else 1}f} {units[0]}"
