"""BIDS layout: find the recordings of a dataset, with their tables of events and their sidecars."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

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
    return listed(nights, root, "files like sub-1/eeg/sub-1_task-sleep_eeg.edf")


@dataclass(frozen=True)
class _Files:
    """The files of a dataset in the folder ``base``."""

    base: Path
    paths: tuple[Path, ...]

    @cached_property
    def named(self) -> tuple[BidsFile, ...]:
        """The files with names of BIDS, except those in folders without raw recordings."""
        raw = (path for path in self.paths if not bids_file.is_outside(path, self.base))
        return tuple(file for file in map(parse, raw) if file)

    @cached_property
    def by_name(self) -> dict[tuple[Path, str], Path]:
        """Folder and name in lower case → file."""
        return {(path.parent, path.name.lower()): path for path in self.paths}

    def signals(self, form: BidsForm) -> Iterator[BidsFile]:
        """Yield the signal files to use."""
        wanted = {"task": form.task.lower(), "acq": form.acq.lower()}
        stated = {key: label for key, label in wanted.items() if label}
        for file in self.named:
            of_person = file.has("eeg", *SIGNALS) and file.entities.get("sub")
            if of_person and stated.items() <= file.entities.items():
                yield file

    def beside(self, signal: BidsFile) -> list[Path]:
        """Return the further files that hold the signal, the one with the samples first."""
        names = (signal.path.with_suffix(each) for each in BESIDE.get(signal.extension, ()))
        found = (self.by_name.get((path.parent, path.name.lower())) for path in names)
        return [path for path in found if path]

    def events(self, signal: BidsFile) -> list[Path]:
        """Return the tables of events that may hold the stages of a signal, the likeliest first."""
        ranked = [
            (rank, file.path)
            for file in self.named
            if file.has("events", ".tsv") and (rank := _fits(file, signal)) is not None
        ]
        name = re.compile(rf"(.*[^a-z0-9])?sub-{re.escape(signal.entities['sub'])}([^a-z0-9].*)?")
        tables = [
            path
            for path in self.paths
            if path.relative_to(self.base).parts[0].lower() == "sourcedata"
            and path.suffix.lower() in (".tsv", ".csv")
            and name.fullmatch(path.stem.lower())
            and _SCORING.search(path.stem.lower())
        ]
        return [path for _, path in sorted(ranked)] + sorted(tables)

    def sidecars(self, signal: BidsFile, events: Path | None) -> list[Path]:
        """Return the sidecars that hold for a recording, those of the whole dataset first."""
        scoring = parse(events) if events else None
        found = [
            file.path
            for file in self.named
            if (file.has("eeg", ".json") and _inherits(signal, file))
            or (file.has("channels", ".tsv") and _inherits(signal, file))
            or (scoring and file.has("events", ".json") and _inherits(scoring, file))
        ]
        return sorted(found, key=lambda path: (len(path.parts), len(path.name), path.name))


def _inherits(file: BidsFile, sidecar: BidsFile) -> bool:
    """Whether a sidecar holds for a file: it is in a folder above, and all its entities agree."""
    above = sidecar.path.parent in file.path.parents
    return above and sidecar.entities.items() <= file.entities.items()


def _fits(events: BidsFile, signal: BidsFile) -> int | None:
    """Return how far a table of events is from a signal: 0 for the same name; None if it is of another.

    Where a scoring has an ``acq-`` of its own, such as ``acq-scoring``, it belongs to the recording of
    that night.
    """
    if events.entities == signal.entities:
        return 0
    label = events.entities.get("acq", "")
    rest = {key: value for key, value in events.entities.items() if key != "acq"}
    if events.entities.get("sub") != signal.entities["sub"] or not (
        rest.items() <= signal.entities.items()
    ):
        return None
    if not label or label == signal.entities.get("acq"):
        return 1
    return 2 if _SCORING.search(label) else None


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
