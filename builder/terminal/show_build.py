"""Terminal output of build, check, sources and preview: reports, corpora and recordings as tables."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from psgimg.builder.corpora.sources import root_variable
from psgimg.builder.dataset.build_json import PlanFacts, PlannedRecording
from psgimg.builder.dataset.build_report import Report, SetAside
from psgimg.builder.dataset.schema import SPLITS
from psgimg.builder.preview import PreviewPage
from psgimg.builder.recordings.recording import Corpus
from psgimg.builder.signals import corruption_spec
from psgimg.builder.stages import STAGE_NAMES
from rich.console import Console
from rich.markup import escape
from rich.table import Table

T = TypeVar("T")

SHOWN = 20
"""Number of recordings set aside, or of notes, that are listed one by one; ``build.json`` has all."""


def show_report(console: Console, report: Report) -> None:
    """Print what was found, built and set aside, and the number of epochs by stage and split."""
    for name, facts in report.values["corpora"].items():
        console.print(
            f"[bold]{name}[/]: {facts['found']} recordings found, {facts['built']} built "
            f"({facts['subjects']} subjects), {facts['set_aside']} set aside"
        )
        left_out = report.values["left_out"][name]
        if left_out:
            console.print(
                "  epochs left out: " + ", ".join(f"{n:,} {why}" for why, n in left_out.items())
            )
    show_set_aside(console, [SetAside(**entry) for entry in report.values["set_aside"]])
    show_notes(console, report.values["recordings"])
    table = Table("corpus", "split", *STAGE_NAMES, "epochs", box=None, header_style="bold")
    for column in table.columns[2:]:
        column.justify = "right"
    for corpus in report.values["counts"]:
        for split in SPLITS:
            counts = [report.n_epochs(corpus, split, stage) for stage in STAGE_NAMES]
            table.add_row(corpus, split, *(f"{n:,}" for n in (*counts, sum(counts))))
    console.print(table)
    if corruption_spec.KEY in report.values:
        console.print(
            f"Only the test split is drawn, corrupted by {report.values[corruption_spec.KEY]['spec']}: "
            "for testing, not for training.",
            highlight=False,
            markup=False,
        )
    elif report.empty_splits:
        console.print(
            f"[yellow]No subject is in {' and '.join(report.empty_splits)}[/], as there are few subjects. "
            "Build more subjects, change --splits, or assign subjects with --split-file."
        )


def show_set_aside(console: Console, entries: Sequence[SetAside]) -> None:
    """Print the recordings that could not be used, by reason and one by one."""
    if not entries:
        return
    reasons = Counter(entry.reason for entry in entries)
    console.print(
        "[yellow]set aside[/]: " + ", ".join(f"{why} ({n})" for why, n in reasons.most_common())
    )
    for entry in entries[:SHOWN]:
        console.print(
            f"  {entry.corpus} {entry.recording}: [yellow]{entry.reason}[/]: {entry.detail}",
            markup=True,
        )
    if len(entries) > SHOWN:
        console.print(f"  … and {len(entries) - SHOWN} more")


def show_notes(console: Console, recordings: Iterable[PlanFacts]) -> None:
    """Print the notes on recordings, each once, with the recording or the number of recordings."""
    noted: defaultdict[str, list[str]] = defaultdict(list)
    for facts in recordings:
        for note in facts["notes"]:
            noted[note].append(facts["recording"])
    most = sorted(noted.items(), key=lambda item: -len(item[1]))
    for note, names in most[:SHOWN]:
        where = names[0] if len(names) == 1 else f"{len(names)} recordings"
        console.print(f"note: {note} ({where})", highlight=False, markup=False)
    if len(most) > SHOWN:
        console.print(f"  … and {len(most) - SHOWN} more notes")


def show_corpora(
    console: Console,
    corpora: Iterable[Corpus],
    places: Mapping[str, Path | None],
    faults: Iterable[str],
) -> None:
    """Print the corpora with policy, licence, access and folder on disk, and how to add one.

    Parameters
    ----------
    places
        Name of a corpus to its folder on disk; None if it is not found.
    faults
        One line for each installed package whose corpora can't be used.
    """
    for corpus in corpora:
        place = places[corpus.name]
        where = (
            f"[green]found in {place}[/]"
            if place
            else f"not found; use --root DIR or set {root_variable(corpus.name)}"
        )
        terms = escape(f"{corpus.title}  ({corpus.terms.policy.value}: {corpus.terms.licence})")
        console.print(f"[bold]{corpus.name}[/]  {terms}")
        console.print(f"    {where}")
        console.print(f"    [dim]{escape(corpus.terms.access)}[/]", highlight=False)
    for fault in faults:
        console.print(f"[yellow]{escape(fault)}[/]", highlight=False)
    console.print(
        "\nTo add your own corpus, describe it in a YAML file: --source my-lab.yaml; see "
        "docs/add-a-corpus.md",
        highlight=False,
    )


def show_page(console: Console, page: PreviewPage) -> None:
    """Print the file of a preview, the derivations that it shows, and notes on the recording."""
    for lane, source in page.lanes:
        console.print(f"  {lane:8} {source}", highlight=False)
    for note in page.notes:
        console.print(f"note: {note}", highlight=False, markup=False)
    console.print(f"[bold]{page.out}[/] shows {page.title}", highlight=False)


def show_plans(console: Console, plans: Iterable[PlannedRecording]) -> None:
    """Print the recordings that a build would draw, one per line."""
    table = Table(
        "corpus",
        "recording",
        "subject",
        "split",
        *STAGE_NAMES,
        "lanes",
        "left out",
        box=None,
        header_style="bold",
    )
    for column in table.columns[4 : 4 + len(STAGE_NAMES)]:
        column.justify = "right"
    for facts in plans:
        table.add_row(
            facts["corpus"],
            facts["recording"],
            facts["subject"],
            facts["split"],
            *(str(n) for n in facts["stages"].values()),
            " ".join(lane or "–" for lane in facts["lanes"]),
            ", ".join(f"{n} {why}" for why, n in facts["left_out"].items()),
        )
    console.print(table)
