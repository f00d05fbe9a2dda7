"""Terminal output of push and rebuild: the plan of a release, how to load it, shards that differ."""

from __future__ import annotations

from psgimg.builder.card import card_metadata
from psgimg.builder.console import new_table, styled
from psgimg.builder.dataset.build_report import Report
from psgimg.builder.dataset.schema import SPLITS
from psgimg.builder.files import quoting
from psgimg.builder.rebuild import Rebuilt
from psgimg.builder.release import models
from psgimg.builder.release.plan import Plan
from psgimg.builder.release.push import Pushed
from psgimg.builder.release.transfer import Transfer
from psgimg.builder.stages import STAGE_NAMES
from psgimg.builder.words import counted, size
from rich.console import Console

SHOWN, LISTED = 8, 20
"""Number of files, and of recordings that differ, that are listed one by one."""


def show_rebuilt(console: Console, rebuilt: Rebuilt) -> None:
    """Print how many shards match the export, and what differs."""
    for mismatch in rebuilt.mismatches[:LISTED]:
        where = f"  {mismatch.corpus} {mismatch.name}: "
        console.print(styled(where, (mismatch.reason, "yellow"), f": {mismatch.detail}"))
    if len(rebuilt.mismatches) > LISTED:
        console.print(f"  … and {len(rebuilt.mismatches) - LISTED} more")
    console.print(
        f"{rebuilt.n_verified} of {rebuilt.n_shards} shards match the export byte for byte"
    )


def show_plan(console: Console, plan: Plan) -> None:
    """Print the repository of a release, its visibility, and the files sent, kept and removed."""
    result = Report(plan.values)
    show_place(console, plan.transfer)
    table = new_table("corpus", *SPLITS, *STAGE_NAMES, left=("corpus",))
    for corpus in card_metadata.with_rows(result):
        n_splits = [result.n_epochs(corpus, split) for split in SPLITS]
        n_stages = [result.n_epochs(corpus, stage=stage) for stage in STAGE_NAMES]
        table.add_row(corpus, *(f"{n:,}" for n in (*n_splits, *n_stages)))
    console.print(table)
    show_transfer(console, plan.transfer)
    if plan.edited:
        edited = ("README.md was edited on the Hub", "yellow")
        console.print(styled(edited, ": the card of this release replaces it"))
    if plan.transfer.visibility.permitted:
        permitted = ", ".join(plan.transfer.visibility.permitted)
        public = ("public by permission", "yellow")
        console.print(styled(public, f": {permitted}, including old revisions"))
    revision = plan.revision
    console.print(styled("revision ", (revision.tag, "bold"), f": {revision.what}"))


def show_model_plan(console: Console, transfer: Transfer, left: tuple[str, ...]) -> None:
    """Print the repository of a model, and which of its files are sent and which are not."""
    show_place(console, transfer)
    show_transfer(console, transfer)
    if left:
        console.print(f"not sent: {', '.join(left)}")


def show_place(console: Console, transfer: Transfer) -> None:
    """Print the address of a repository and its visibility."""
    console.print(styled((transfer.repo.address, "bold"), f"  ({transfer.visibility})"))


def show_transfer(console: Console, transfer: Transfer) -> None:
    """Print which files are sent, kept and removed."""
    console.print(
        f"to send: {counted(len(transfer.send), 'file')}, {size(transfer.n_bytes)}; already there: "
        f"{counted(transfer.n_kept, 'file')}, {size(transfer.bytes_kept)}; to remove: "
        f"{counted(len(transfer.removed), 'file')}"
    )
    for addition in transfer.send[:SHOWN]:
        console.print(styled(f"  + {addition.path}  ", (size(addition.n_bytes), "dim")))
    if len(transfer.send) > SHOWN:
        console.print(f"  … and {len(transfer.send) - SHOWN} more")
    for path in transfer.removed[:SHOWN]:
        console.print(styled("  ", ("-", "red"), f" {path}"))


def show_pushed(console: Console, pushed: Pushed | None) -> None:
    """Print the address of a release and how to load it."""
    if pushed is None:
        console.print("dry run: nothing was written")
        return
    transfer, tag = pushed.plan.transfer, pushed.plan.revision.tag
    name = transfer.repo.id
    released = f" is released and can be loaded ({transfer.visibility}):"
    result = Report(pushed.plan.values)
    split = next(split for split in SPLITS if result.n_epochs(split=split))
    console.print()
    console.print(styled((transfer.repo.address, "bold"), released))
    console.print(f'  load_dataset("{name}", split="{split}")')
    console.print(f'  load_dataset("{name}", split="{split}", revision="{tag}")')


def show_pushed_model(console: Console, pushed: models.Pushed | None) -> None:
    """Print the address of a published model and how to use it."""
    if pushed is None:
        console.print("dry run: nothing was written")
        return
    repo = pushed.transfer.repo
    console.print()
    console.print(styled((repo.address, "bold"), f" is released ({pushed.transfer.visibility}):"))
    console.print(f"  {quoting.command('predict', model=repo.id, dataset='DATASET')}")
