"""Tasks: the recordings that a build will draw, identified by the hashes of their files if known."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from psgimg.builder.corpora import sources
from psgimg.builder.corpora.presence import Presence
from psgimg.builder.corpora.sources import Source
from psgimg.builder.dataset.build_report import SetAside, set_aside_for
from psgimg.builder.dataset.config import BuildConfig, Pinned
from psgimg.builder.dataset.page_spec import PageSpec
from psgimg.builder.dataset.placements import refuse_empty
from psgimg.builder.dataset.shards import Key
from psgimg.builder.dataset.splits import SplitPolicy, SubjectSplits
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.files import bounded
from psgimg.builder.files.hash_cache import HashCache
from psgimg.builder.files.quoting import is_utf8
from psgimg.builder.placing.people import Person
from psgimg.builder.recordings import fingerprint, twins
from psgimg.builder.recordings.fingerprint import Identity
from psgimg.builder.recordings.recording import Corpus, Recording
from psgimg.builder.signals import variant_spec
from psgimg.builder.signals.corruption_spec import SPLIT

if TYPE_CHECKING:
    from psgimg.builder.access.stock import Stock  # a worker needs no server

DUPLICATE = "duplicate recording"


@dataclass(frozen=True)
class Task:
    """One recording to draw, with everything that a worker needs.

    Parameters
    ----------
    corpus
        Corpus of the recording, with its channel table and reading functions.
    identity
        Hashes of the recording's files; None if the files must be read to know them.
    spec
        How the pages are drawn, with variants only if they are for training.
    out
        Folder of the dataset.
    n_columns
        Number of columns for variants in the dataset.
    """

    recording: Recording
    corpus: Corpus
    identity: Identity | None
    spec: PageSpec
    out: Path
    n_columns: int = 0

    @property
    def key(self) -> Key:
        """Corpus and recording."""
        return self.recording.key


@dataclass(frozen=True)
class Planned:
    """What a build will draw.

    Parameters
    ----------
    tasks
        Of a part of a build, its own.
    placed
        The splits of everyone with a recording to draw, or with a finished one.
    recordings
        All recordings that the build and its parts look at.
    of_others
        Those that other parts draw.
    """

    tasks: list[Task]
    set_aside: list[SetAside]
    placed: SubjectSplits
    recordings: list[Recording]
    of_others: frozenset[Key]


def make_tasks(
    config: BuildConfig,
    located: Sequence[Source],
    policy: SplitPolicy,
    published: Collection[Key] = (),
    finished: Mapping[Key, Person] = MappingProxyType({}),
    stocks: Mapping[str, Stock] | None = None,
) -> Planned:
    """Return a task for each recording that can be read, those set aside, and everyone's split.

    Hardly any file is read, so that a build, its check and its corrupted twin place the same people.
    A corrupted twin has tasks for the test split only, which is that of the clean dataset. A part of a
    build has tasks for its own subjects, and places everyone.

    Parameters
    ----------
    located
        The corpora with their folders on disk.
    published
        Recordings of the finished dataset in the folder: of several recordings with the same
        signal, the one in it stays, and otherwise the first in order is used.
    finished
        Recordings that are in the folder, published or not, and whose they are; they stay even if a
        file of theirs is missing now.
    stocks
        Corpus → its files on a server.

    Raises
    ------
    BuildError
        If there are more recordings than a dataset can have, relatives would be parted, or a fold
        would be empty.
    """
    spec = config.page_spec()
    recordings, misnamed = _named_in_utf8(_wanted(config, located))
    if (n := len(recordings)) > bounded.MOST_RECORDINGS:
        raise BuildError(
            f"{n:,} recordings, more than the {bounded.MOST_RECORDINGS:,} that a dataset can have; build "
            "several datasets, such as one for each --source"
        )
    corpora = {source.corpus.name: source.corpus for source in located}
    readable, missing = _readable(recordings, Presence(located), stocks or {})
    known, copies = _first_of_each_name(readable)
    of_others = _of_others(config, recordings)
    mine = [one for one, _ in known.values() if one.key not in of_others]
    ranked = sorted(mine, key=lambda one: one.key not in published)
    twin_of = twins.find(ranked, {key: one for key, (_, one) in known.items() if one})
    everyone = _placeable([one for one, _ in known.values()], corpora)
    # Whom a recording is of may have changed since it was drawn: the present family counts.
    by_subject = {(one.corpus, one.subject): one for one in (*finished.values(), *everyone)}
    placed = policy.place(by_subject.values())
    if config.folds and config.pinned is None:
        refuse_empty(config.folds, len({(one.corpus, one.kin) for one in by_subject.values()}))
    tasks: list[Task] = []
    set_aside = [*copies, *(entry for entry in missing if entry.key not in finished)]
    for key, (recording, identity) in known.items():
        try:
            if first := twin_of.get(key):
                raise same_signal(recording.recording, first.recording)
            _refuse_without_split(policy, recording)
        except RecordingError as error:
            set_aside.append(set_aside_for(recording, error))
            continue
        if key not in of_others:
            own = _for_split(spec, placed.get((recording.corpus, recording.subject)))
            corpus, n_columns = corpora[recording.corpus], len(spec.variants)
            tasks.append(Task(recording, corpus, identity, own, config.out, n_columns))
    if spec.corruptions:
        test = _test_split(recordings, placed)
        tasks = [task for task in tasks if task.key in test]
        set_aside = [entry for entry in set_aside if entry.key in test]
    missed = _missing(config.pinned, recordings, finished)
    return Planned(tasks, [*misnamed, *set_aside, *missed], placed, recordings, of_others)


def _for_split(spec: PageSpec, split: str | None) -> PageSpec:
    """Return how the pages of a split are drawn: without variants unless they are for training."""
    return spec if split == variant_spec.SPLIT else replace(spec, variants=())


def _of_others(config: BuildConfig, recordings: Sequence[Recording]) -> frozenset[Key]:
    """Return the recordings of subjects that other parts of a build draw."""
    subjects = {one.key: f"{one.corpus}/{one.subject}" for one in recordings}
    mine = config.part.by_hash(subjects.values())
    return frozenset(key for key, subject in subjects.items() if subject not in mine)


def _placeable(found: Iterable[Recording], corpora: Mapping[str, Corpus]) -> list[Person]:
    """Return whose recordings these are, without those known to be useless before any file is read."""
    return [
        Person(one.corpus, one.subject, one.split_key)
        for one in found
        if one.scorings and one.own.recording not in corpora[one.corpus].absent
    ]


def _named_in_utf8(found: Iterable[Recording]) -> tuple[list[Recording], list[SetAside]]:
    """Return the recordings whose names and paths can be stored, and the others as set aside."""
    named, misnamed = [], []
    for one in found:
        paths = fingerprint.files_of(one)
        wrong = [
            text for text in (one.recording, one.subject, *map(str, paths)) if not is_utf8(text)
        ]
        if not wrong:
            named.append(one)
            continue
        detail = f"the path of {one.signal.name} is not UTF-8; rename its files and folders, such as with convmv"
        misnamed.append(set_aside_for(one, RecordingError("name is not UTF-8", detail)))
    return named, misnamed


def _readable(
    recordings: Iterable[Recording], presence: Presence, stocks: Mapping[str, Stock]
) -> tuple[list[tuple[Recording, Identity | None]], list[SetAside]]:
    """Return the recordings whose files are all there, with their identity if known, and the others."""
    cache = HashCache.load()
    readable, missing = [], []
    for recording in recordings:
        stock = stocks.get(recording.corpus)
        if stock and stock.is_remote(recording):
            readable.append((recording, stock.recall(recording)))
            continue
        try:
            readable.append((recording, fingerprint.recall(recording, cache)))
        except RecordingError as error:
            presence.require(recording.corpus)
            missing.append(set_aside_for(recording, error))
    return readable, missing


def _first_of_each_name(
    recordings: Iterable[tuple[Recording, Identity | None]],
) -> tuple[dict[Key, tuple[Recording, Identity | None]], list[SetAside]]:
    """Return the first recording of each name with its identity, and the others set aside."""
    firsts: dict[Key, tuple[Recording, Identity | None]] = {}
    copies = []
    for recording, identity in recordings:
        first, _ = firsts.setdefault(recording.key, (recording, identity))
        if first is not recording:
            file = recording.signal
            error = RecordingError(
                DUPLICATE,
                f"{file.parent.name}/{file.name} has the same name as {first.signal.name}; remove "
                "one of the two",
            )
            copies.append(set_aside_for(recording, error))
    return firsts, copies


def same_signal(recording: str, twin: str) -> RecordingError:
    """Return the error for a recording whose signal is used under the name ``twin``."""
    return RecordingError(
        DUPLICATE, f"{recording} has the same signal as {twin}; remove one of the two"
    )


def _refuse_without_split(policy: SplitPolicy, recording: Recording) -> None:
    if not policy.is_of(recording.own.recording):
        raise RecordingError(
            "not in the split file",
            f"{recording.own.recording} is not of the visit that the split file is of",
        )
    if policy.is_listed and policy.assigned(recording.corpus, recording.subject) is None:
        raise RecordingError(
            "not in the split file",
            f"the split file does not assign subject {recording.own.subject}",
        )


def _test_split(wanted: Sequence[Recording], placed: SubjectSplits) -> set[Key]:
    """Return the recordings of the test split, which a corrupted twin consists of."""
    test = {r.key for r in wanted if placed.get((r.corpus, r.subject)) == SPLIT}
    if wanted and not test:
        raise BuildError(
            f"none of the {len(wanted)} recordings is in the {SPLIT} split, and only that is drawn "
            "corrupted; use the --source, --subjects, --splits and --seed of the clean build, or give its "
            "folder as --split-file"
        )
    return test


def _wanted(config: BuildConfig, located: Sequence[Source]) -> list[Recording]:
    return [
        recording
        for _, recording in sources.chosen(located, config.subjects, config.limit)
        if config.pinned is None or recording.key in config.pinned.signals
    ]


def _missing(
    pinned: Pinned | None, present: Iterable[Recording], finished: Iterable[Key]
) -> list[SetAside]:
    """Return the recordings of the dataset to rebuild that are not in the folder of their corpus."""
    available = {recording.key for recording in present}.union(finished)
    return [
        SetAside(
            corpus,
            recording,
            "not found",
            f"{recording} is not in the folder of {corpus}; get it from the distributor",
        )
        for corpus, recording in sorted(set(pinned.signals if pinned else ()) - available)
    ]
