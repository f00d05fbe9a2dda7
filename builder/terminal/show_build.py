"""Terminal output of build, check, sources and preview: reports, corpora and recordings as tables."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from psgimg.builder.build import PartDone
from psgimg.builder.console import new_table, styled
from psgimg.builder.corpora.sources import root_variable
from psgimg.builder.dataset.build_json import PlanFacts, PlannedRecording
from psgimg.builder.dataset.build_report import Report, SetAside
from psgimg.builder.dataset.schema import SPLITS, SplitName, variant_column
from psgimg.builder.files import quoting
from psgimg.builder.preview import PreviewPage
from psgimg.builder.recordings.recording import Corpus
from psgimg.builder.signals import corruption_spec, variant_spec
from psgimg.builder.stages import STAGE_NAMES
from psgimg.builder.terminal import show_fetch
from psgimg.builder.words import counted
from rich.console import Console
from rich.table import Table

T = TypeVar("T")

SHOWN = 20
"""Number of recordings set aside, or of notes, that are listed one by one; ``build.json`` has all."""


def show_report(console: Console, report: Report) -> None:
    """Print what was found, built and set aside, and the number of epochs by stage and split."""
    for name, facts in report.values["corpora"].items():
        summary = (
            f": {facts['found']} recordings found, {facts['built']} built "
            f"({facts['subjects']} subjects), {facts['set_aside']} set aside"
        )
        console.print(styled((name, "bold"), summary))
        left_out = report.values["left_out"][name]
        if left_out:
            console.print(
                "  epochs left out: " + ", ".join(f"{n:,} {why}" for why, n in left_out.items())
            )
    show_set_aside(console, [SetAside(**entry) for entry in report.values["set_aside"]])
    show_notes(console, report.values["recordings"])
    counts = {
        (corpus, split): [report.n_epochs(corpus, split, stage) for stage in STAGE_NAMES]
        for corpus in report.values["counts"]
        for split in SPLITS
    }
    console.print(_epochs(counts))
    for corpus, parted in report.values["parted"].items():
        told = (
            f"The published split parts relatives of {corpus}: {parted['subjects']} members of "
            f"{parted['families']} families are not all in one split."
        )
        console.print(styled((told, "yellow")))
    show_variants(console, report)
    if corruption_spec.KEY in report.values:
        console.print(
            f"Only the test split is drawn, corrupted by {report.values[corruption_spec.KEY]['spec']}: "
            "for testing, not for training."
        )
    elif report.empty_splits:
        empty = f"No subject is in {' and '.join(report.empty_splits)}"
        remedy = (
            ", as there are few subjects. Build more subjects, change --splits, or assign subjects "
            "with --split-file."
        )
        console.print(styled((empty, "yellow"), remedy))


def show_variants(console: Console, report: Report) -> None:
    """Print which further pictures the training pages have."""
    for number, one in enumerate(report.values["fixed"].get(variant_spec.KEY, []), start=1):
        console.print(
            f"{variant_column(number)}: each training page again, drawn from signals with {one['spec']}"
        )


def show_part(console: Console, done: PartDone) -> None:
    """Print what a finished part of a build has drawn and set aside."""
    show_set_aside(console, done.set_aside)
    console.print(
        f"part {done.part} is finished: {counted(done.n_recordings, 'recording')} drawn, "
        f"{len(done.set_aside)} set aside. Once all parts are, the same command with --join in place of "
        "--part finishes the dataset"
    )


def show_ready(console: Console, out: Path, report: Report) -> None:
    """Print where a finished dataset is and how to load it."""
    console.print()
    filled = [split for split in SPLITS if split not in report.empty_splits]
    console.print(styled((str(out), "bold"), f" is ready. Look at {out / 'preview.png'}, then:"))
    console.print(f"  datasets.{quoting.load_call(out, filled)}")
    if quoting.is_pattern(out):
        plain = f"load_dataset({quoting.python(out)})"
        console.print(
            f"  ({plain} finds no files, as datasets takes [ ] * ? in a path as a pattern)"
        )


def show_set_aside(console: Console, entries: Sequence[SetAside]) -> None:
    """Print the recordings that could not be used, by reason and one by one."""
    if not entries:
        return
    reasons = Counter(entry.reason for entry in entries)
    listed = ", ".join(f"{why} ({n})" for why, n in reasons.most_common())
    console.print(styled(("set aside", "yellow"), f": {listed}"))
    for entry in entries[:SHOWN]:
        where = f"  {entry.corpus} {entry.recording}: "
        console.print(styled(where, (entry.reason, "yellow"), f": {entry.detail}"))
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
        console.print(f"note: {note} ({where})")
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
        terms = f"  {corpus.title}  ({corpus.terms.policy.value}: {corpus.terms.licence})"
        console.print(styled((corpus.name, "bold"), terms))
        if place := places[corpus.name]:
            console.print(styled("    ", (f"found in {place}", "green")))
        console.print(styled("    ", (corpus.terms.access, "dim")))
        if how := show_fetch.how_to_fetch(corpus.name):
            console.print(styled("    ", (how, "dim")))
    for fault in faults:
        console.print(styled((fault, "yellow")))
    console.print()
    console.print(
        "A corpus that is in a folder of yours: --root DIR, or set PSGIMG_<NAME>_ROOT, such as "
        f"{root_variable('sleep-edf')}."
    )
    console.print(
        "To add your own corpus, describe it in a YAML file: --source my-lab.yaml; see "
        "docs/add-a-corpus.md"
    )


def show_page(console: Console, page: PreviewPage) -> None:
    """Print the file of a preview, the derivations that it shows, and notes on the recording."""
    for lane, source in page.lanes:
        console.print(f"  {lane:8} {source}")
    for note in page.notes:
        console.print(f"note: {note}")
    console.print(styled((str(page.out), "bold"), f" shows {page.title}"))
    console.print(styled((str(page.named), "bold"), " shows it with its lanes named"))


def show_plans(console: Console, plans: Iterable[PlannedRecording]) -> None:
    """Print the recordings that a build would draw, one per line."""
    names, contents = ("corpus", "recording", "subject", "split"), ("lanes", "left out")
    table = new_table(*names, *STAGE_NAMES, *contents, left=(*names, *contents))
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


def show_totals(console: Console, plans: Sequence[PlannedRecording]) -> None:
    """Print the number of epochs by stage and split that a build would draw."""
    corpora = dict.fromkeys(facts["corpus"] for facts in plans)
    counts = {(corpus, split): [0] * len(STAGE_NAMES) for corpus in corpora for split in SPLITS}
    for facts in plans:
        if facts["split"]:
            totals = counts[facts["corpus"], facts["split"]]
            for i, n in enumerate(facts["stages"].values()):
                totals[i] += n
    console.print(_epochs(counts))


def _epochs(counts: Mapping[tuple[str, SplitName], Sequence[int]]) -> Table:
    """Return a table of the epochs of each stage, by corpus and split."""
    left = ("corpus", "split")
    table = new_table(*left, *STAGE_NAMES, "epochs", left=left)
    for (corpus, split), stages in counts.items():
        table.add_row(corpus, split, *(f"{n:,}" for n in (*stages, sum(stages))))
    return table
