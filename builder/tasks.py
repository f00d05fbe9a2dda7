"""Tasks: the recordings that a build will draw, each identified by the hashes of its files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder.corpora import sources
from psgimg.builder.corpora.sources import Source
from psgimg.builder.dataset.build_json import RecordingFacts
from psgimg.builder.dataset.build_report import SetAside, set_aside_for
from psgimg.builder.dataset.config import BuildConfig, Pinned
from psgimg.builder.dataset.page_spec import PageSpec
from psgimg.builder.dataset.shards import Key
from psgimg.builder.dataset.splits import SplitPolicy
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.files.quoting import is_utf8
from psgimg.builder.recordings.fingerprint import fingerprints
from psgimg.builder.recordings.recording import Corpus, Recording
from psgimg.builder.signals.corruption_spec import SPLIT


@dataclass(frozen=True)
class Task:
    """One recording to draw, with everything that a worker needs.

    Parameters
    ----------
    corpus
        Corpus of the recording, with its channel table and reading functions.
    signal, fingerprint
        Hash of the recording's signal, and of all its files.
    out
        Folder of the dataset.
    """

    recording: Recording
    corpus: Corpus
    signal: str
    fingerprint: str
    spec: PageSpec
    out: Path


def make_tasks(
    config: BuildConfig,
    located: Sequence[Source],
    policy: SplitPolicy,
    built: Sequence[RecordingFacts] = (),
) -> tuple[list[Task], list[SetAside]]:
    """Return a task for each recording that can be identified, and those set aside.

    A corrupted twin has tasks for the test split only, which is that of the clean dataset.

    Parameters
    ----------
    located
        The corpora with their folders on disk.
    built
        Facts of the recordings already in the dataset; no signal may occur twice.
    """
    spec = config.page_spec()
    recordings, misnamed = _named_in_utf8(_wanted(config, located))
    corpora = {source.corpus.name: source.corpus for source in located}
    # In a rebuild, a recording in the folder was drawn from the right file, even if that has changed.
    kept = {(fact["corpus"], fact["recording"]) for fact in built if config.pinned}
    seen = _Seen({}, {fact["signal"]: fact["recording"] for fact in built})
    tasks: list[Task] = []
    set_aside: list[SetAside] = []
    for recording in recordings:
        try:
            signal, fingerprint = fingerprints(recording)
            _refuse_other_signal(config.pinned, recording, signal)
            seen.refuse_duplicate(recording, signal)
            _refuse_without_split(policy, recording)
        except RecordingError as error:
            if _key(recording) not in kept:
                set_aside.append(set_aside_for(recording, error))
            continue
        seen.files[_key(recording)] = recording.signal.name
        corpus = corpora[recording.corpus]
        tasks.append(Task(recording, corpus, signal, fingerprint, spec, config.out))
    if spec.corruptions:
        test = _test_split(recordings, policy)
        tasks = [task for task in tasks if _key(task.recording) in test]
        set_aside = [entry for entry in set_aside if (entry.corpus, entry.recording) in test]
    return tasks, [*misnamed, *set_aside, *_missing(config.pinned, recordings, kept)]


def _named_in_utf8(found: Iterable[Recording]) -> tuple[list[Recording], list[SetAside]]:
    """Return the recordings whose names and paths can be stored, and the others as set aside."""
    named, misnamed = [], []
    for one in found:
        paths = (one.signal, *one.scorings.values(), *one.side_files)
        wrong = [
            text for text in (one.recording, one.subject, *map(str, paths)) if not is_utf8(text)
        ]
        if not wrong:
            named.append(one)
            continue
        detail = f"the path of {one.signal.name} is not UTF-8; rename its files and folders, such as with convmv"
        misnamed.append(set_aside_for(one, RecordingError("name is not UTF-8", detail)))
    return named, misnamed


@dataclass(frozen=True)
class _Seen:
    """The recordings so far: the signal file of each name, and the name of each signal."""

    files: dict[Key, str]
    signals: dict[str, str]

    def refuse_duplicate(self, recording: Recording, signal: str) -> None:
        """Refuse a second recording with the same name, or a second name for the same signal."""
        if (other := self.files.get(_key(recording))) is not None:
            file = recording.signal
            raise RecordingError(
                "duplicate recording",
                f"{file.parent.name}/{file.name} has the same name as {other}; remove one of the two",
            )
        twin = self.signals.setdefault(signal, recording.recording)
        if twin != recording.recording:
            raise RecordingError(
                "duplicate recording",
                f"{recording.signal.name} has the same signal as {twin}; remove one of the two",
            )


def _key(recording: Recording) -> Key:
    return recording.corpus, recording.recording


def _refuse_without_split(policy: SplitPolicy, recording: Recording) -> None:
    if policy.split(recording.corpus, recording.subject, recording.split_key) is None:
        raise RecordingError(
            "not in the split file", f"the split file does not assign subject {recording.subject}"
        )


def _test_split(wanted: Sequence[Recording], policy: SplitPolicy) -> set[Key]:
    """Return the recordings of the test split, which a corrupted twin consists of."""
    test = {_key(r) for r in wanted if policy.split(r.corpus, r.subject, r.split_key) == SPLIT}
    if wanted and not test:
        raise BuildError(
            f"none of the {len(wanted)} recordings is in the {SPLIT} split, and only that is drawn "
            "corrupted; use the --source, --subjects, --splits and --seed of the clean build"
        )
    return test


def _wanted(config: BuildConfig, located: Sequence[Source]) -> list[Recording]:
    wanted = [
        r
        for source in located
        for r in sources.recordings(source, config.subjects, config.limit)
        if config.pinned is None or _key(r) in config.pinned.signals
    ]
    missing = sorted(set(config.subjects) - {recording.subject for recording in wanted})
    if missing and not config.limit:
        raise BuildError(
            f"no subject {', '.join(missing)} in {', '.join(config.source)}; `psgimg check` without "
            "--subjects lists all of them"
        )
    return wanted


def _refuse_other_signal(pinned: Pinned | None, recording: Recording, signal: str) -> None:
    """Refuse a signal that differs from that of the dataset to rebuild."""
    if pinned and pinned.signals[_key(recording)] != signal:
        raise RecordingError(
            "different signal",
            f"{recording.signal.name} differs from the file that the dataset was built from; "
            f"is this another release of {recording.corpus}, or a damaged copy? Get the file again",
        )


def _missing(
    pinned: Pinned | None, present: Iterable[Recording], kept: Iterable[Key]
) -> list[SetAside]:
    """Return the recordings of the dataset to rebuild that are not in the folder of their corpus."""
    available = {_key(recording) for recording in present}.union(kept)
    return [
        SetAside(
            corpus,
            recording,
            "not found",
            f"{recording} is not in the folder of {corpus}; get it from the distributor",
        )
        for corpus, recording in sorted(set(pinned.signals if pinned else ()) - available)
    ]
