"""BIDS layout: find the recordings of a dataset, with their tables of events and their sidecars."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from psgimg.builder.corpora import votes
from psgimg.builder.corpora.bids import bids_file, bids_scoring
from psgimg.builder.corpora.bids.bids_file import BidsFile, parse
from psgimg.builder.corpora.bids.bids_form import BidsForm
from psgimg.builder.corpora.bids.people import people
from psgimg.builder.corpora.reading import listed, walk
from psgimg.builder.recordings.listing import Place
from psgimg.builder.recordings.recording import Recording

SIGNALS = (".edf", ".bdf", ".vhdr", ".set")
BESIDE = {".vhdr": (".eeg", ".vmrk"), ".set": (".fdt",)}
"""Files that belong to one of these; the first has the samples, if it is there."""

NAMES = r"sub-[A-Za-z]?\d{1,6}(-ses-[a-z]{0,8}\d{1,3})?(-(task|acq)-[A-Za-z]{1,20}\d{0,2}|-run-\d{1,3})*"
"""Names of recordings that may be published: labels of ``task-`` and ``acq-`` are the dataset's, not a
person's; a longer number in ``ses-`` could be a date."""

_SCORING = re.compile(r"scor|stag|hypno")


def recordings(form: BidsForm, root: Place) -> Iterator[Recording]:
    """Yield the recordings in name order.

    Raises
    ------
    BuildError
        If there are none, there are several datasets, or the file with the people can't be read.
    """
    paths = list(walk(root))
    base = bids_file.base_of(root, paths)
    files = _Files(base, tuple(bids_file.within(paths, base)))
    persons = people(base, files.paths, form.person)
    nights = [_recording(form, files, signal, persons) for signal in files.signals(form)]
    nights = nights if form.columns else _with_scorers(nights)
    return listed(nights, root, "files like sub-1/eeg/sub-1_task-sleep_eeg.edf")


@dataclass(frozen=True)
class _Files:
    """The files of a dataset in the folder ``base``."""

    base: Path
    paths: tuple[Path, ...]

    @cached_property
    def by_person(self) -> dict[str, list[BidsFile]]:
        """Label of ``sub-``, or nothing → files with names of BIDS, except those without raw recordings."""
        found: defaultdict[str, list[BidsFile]] = defaultdict(list)
        for path in self.paths:
            if not bids_file.is_outside(path, self.base) and (file := parse(path)):
                found[file.entities.get("sub", "")].append(file)
        return dict(found)

    @cached_property
    def by_name(self) -> dict[tuple[Path, str], Path]:
        """Folder and name in lower case → file."""
        return {(path.parent, path.name.lower()): path for path in self.paths}

    @cached_property
    def source_tables(self) -> list[Path]:
        """The tables in ``sourcedata`` that are named after a scoring."""
        return [
            path
            for path in self.paths
            if path.relative_to(self.base).parts[0].lower() == "sourcedata"
            and path.suffix.lower() in (".tsv", ".csv")
            and _SCORING.search(path.stem.lower())
        ]

    def signals(self, form: BidsForm) -> Iterator[BidsFile]:
        """Yield the signal files to use."""
        wanted = {"task": form.task.lower(), "acq": form.acq.lower()}
        stated = {key: label for key, label in wanted.items() if label}
        for sub, files in self.by_person.items():
            for file in files if sub else ():
                if file.has("eeg", *SIGNALS) and stated.items() <= file.entities.items():
                    yield file

    def beside(self, signal: BidsFile) -> list[Path]:
        """Return the further files that hold the signal, the one with the samples first."""
        names = (signal.path.with_suffix(each) for each in BESIDE.get(signal.extension, ()))
        found = (self.by_name.get((path.parent, path.name.lower())) for path in names)
        return [path for path in found if path]

    def events(self, signal: BidsFile) -> list[Path]:
        """Return the tables of events that may hold the stages of a signal, the likeliest first.

        A table that could be of several recordings of a person is left out: which of them its times
        belong to is not told.
        """
        own = self.by_person[signal.entities["sub"]]
        signals = [file for file in own if file.has("eeg", *SIGNALS)]
        others = [file for file in signals if _without_acq(file) != _without_acq(signal)]
        alone = len(signals) - len(others) == 1
        ranked = [
            (rank, file.path.parent != signal.path.parent, file.path)
            for file in own
            if file.has("events", ".tsv")
            and (rank := _fits(file, signal, alone=alone)) is not None
            and (rank == 0 or not any(_may_be_of(file, other) for other in others))
        ]
        return [path for *_, path in sorted(ranked)] + self._source_tables_of(signal, others)

    def _source_tables_of(self, signal: BidsFile, others: Sequence[BidsFile]) -> list[Path]:
        """Return the tables in ``sourcedata`` for a signal, by their names and their columns."""
        found = [path for path in self.source_tables if bids_scoring.is_named_after(path, signal)]
        return [
            path
            for path in sorted(found)
            if not bids_scoring.is_shared(
                path, signal, [one for one in others if bids_scoring.is_named_after(path, one)]
            )
        ]

    def sidecars(self, signal: BidsFile, events: Path | None) -> list[Path]:
        """Return the sidecars that hold for a recording, those of the whole dataset first."""
        scoring = parse(events) if events else None
        found = [
            file.path
            for file in (*self.by_person.get("", ()), *self.by_person[signal.entities["sub"]])
            if (file.has("eeg", ".json") and _inherits(signal, file))
            or (file.has("channels", ".tsv") and _inherits(signal, file))
            or (scoring and file.has("events", ".json") and _inherits(scoring, file))
        ]
        return sorted(found, key=lambda path: (len(path.parts), len(path.name), path.name))


def _inherits(file: BidsFile, sidecar: BidsFile) -> bool:
    """Whether a sidecar holds for a file: it is in a folder above, and all its entities agree."""
    above = sidecar.path.parent in file.path.parents
    return above and sidecar.entities.items() <= file.entities.items()


def _may_be_of(events: BidsFile, signal: BidsFile) -> bool:
    """Whether a table of events states nothing but the device that a signal does not."""
    return _without_acq(events).items() <= signal.entities.items()


def _without_acq(file: BidsFile) -> dict[str, str]:
    return {key: label for key, label in file.entities.items() if key != "acq"}


def _fits(events: BidsFile, signal: BidsFile, *, alone: bool) -> int | None:
    """Return how far a table of events is from a signal: 0 for the same name; None if it is of another.

    A scoring with an ``acq-`` of its own, such as ``acq-scoring``, belongs to the polysomnogram, and not
    to another device of that night, whose clock differs.

    Parameters
    ----------
    alone
        Whether the signal is the only one of that night.
    """
    if events.entities == signal.entities:
        return 0
    if not _may_be_of(events, signal):
        return None
    label, own = events.entities.get("acq", ""), signal.entities.get("acq", "")
    if label in ("", own):
        return 1
    if _SCORING.search(label) and (alone or own in label or own == "psg"):
        return 2
    return None


def _recording(
    form: BidsForm, files: _Files, signal: BidsFile, persons: dict[str, str]
) -> Recording:
    first, *_ = names = signal.path.name.partition(".")[0].split("_")[:-1]
    table, scorings = _scorings(form, files, signal)
    samples, *others = _with_samples_first(signal.path, files.beside(signal))
    return Recording(
        form.corpus,
        persons.get(signal.entities["sub"], first),
        first if form.short else "-".join(names),
        samples,
        scorings,
        side_files=(*others, *(files.sidecars(signal, table) if form.sidecars else ())),
    )


def _with_scorers(nights: Sequence[Recording]) -> list[Recording]:
    """Return the recordings with the columns of their dataset, the reference of all of them first.

    People come before programs, then the column that most recordings have, then the first one found.
    """
    n_nights = Counter(name for night in nights for name in night.scorings)
    order = sorted(n_nights, key=lambda name: (votes.is_of_program(name), -n_nights[name]))
    scorers = tuple(filter(None, order))
    return [night if "" in night.scorings else replace(night, scorers=scorers) for night in nights]


def _with_samples_first(header: Path, beside: Sequence[Path]) -> list[Path]:
    """Return the files of a signal, the one with the samples first: its hash identifies the signal."""
    if beside and beside[0].suffix.lower() in (".eeg", ".fdt"):
        return [beside[0], header, *beside[1:]]
    return [header, *beside]


def _scorings(
    form: BidsForm, files: _Files, signal: BidsFile
) -> tuple[Path | None, dict[str, Path]]:
    """Return the table with the stages of a signal, and its columns by scorer."""
    events = files.events(signal)
    for path in events:
        if not path.exists():  # it is fetched later; then the columns must be known
            return path, dict.fromkeys(form.columns or ("",), path)
        sidecars = files.sidecars(signal, path) if form.sidecars else []
        if columns := bids_scoring.columns(form, path, signal.path, sidecars):
            return path, dict.fromkeys(columns, path)
    if not events:
        return None, {}
    return events[0], {"": events[0]}
