"""Tasks: the recordings that a build is to draw, each identified by its files first."""

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
from psgimg.builder.recordings.fingerprint import fingerprints
from psgimg.builder.recordings.recording import Corpus, Recording
from psgimg.builder.signals.corruption_spec import SPLIT


@dataclass(frozen=True)
class Task:
    """One recording to draw, with everything that a worker needs.

    Parameters
    ----------
    corpus
        Its tables and reading functions.
    signal, fingerprint
        Hash of its signal, and of all its files.
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
    found: Sequence[Source],
    policy: SplitPolicy,
    built: Sequence[RecordingFacts] = (),
) -> tuple[list[Task], list[SetAside]]:
    """A task for each recording that can be identified; the others are set aside.

    A corrupted twin has tasks for the test split alone, which is that of the clean dataset.

    Parameters
    ----------
    built
        Facts of the recordings that are in the folder already: no signal comes in twice.
    """
    spec = config.page_spec()
    recordings = _wanted(config, found)
    corpora = {source.corpus.name: source.corpus for source in found}
    # Made again, a recording that is there was drawn from the right file, whatever lies there now.
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
        shown = _test_split(recordings, policy)
        tasks = [task for task in tasks if _key(task.recording) in shown]
        set_aside = [entry for entry in set_aside if (entry.corpus, entry.recording) in shown]
    return tasks, [*set_aside, *_not_here(config.pinned, recordings, kept)]


@dataclass(frozen=True)
class _Seen:
    """The recordings so far: the signal file of each name, and the name that each signal has."""

    files: dict[Key, str]
    signals: dict[str, str]

    def refuse_duplicate(self, recording: Recording, signal: str) -> None:
        """Refuse a second recording of one name, or a second name for one signal."""
        if (other := self.files.get(_key(recording))) is not None:
            file = recording.signal
            raise RecordingError(
                "duplicate recording",
                f"{file.parent.name}/{file.name} has the name of {other}; remove one of the two",
            )
        twin = self.signals.setdefault(signal, recording.recording)
        if twin != recording.recording:
            raise RecordingError(
                "duplicate recording",
                f"{recording.signal.name} has the bytes of {twin}'s signal; remove one of the two",
            )


def _key(recording: Recording) -> Key:
    return recording.corpus, recording.recording


def _refuse_without_split(policy: SplitPolicy, recording: Recording) -> None:
    if policy.split(recording.corpus, recording.subject, recording.split_key) is None:
        raise RecordingError(
            "not in the split file", f"subject {recording.subject} has no split there"
        )


def _test_split(wanted: Sequence[Recording], policy: SplitPolicy) -> set[Key]:
    """The recordings that a corrupted twin holds."""
    shown = {_key(r) for r in wanted if policy.split(r.corpus, r.subject, r.split_key) == SPLIT}
    if wanted and not shown:
        raise BuildError(
            f"none of the {len(wanted)} recordings is in the {SPLIT} split, and no other is drawn "
            "corrupted; give the --source, --subjects, --splits and --seed of the clean build"
        )
    return shown


def _wanted(config: BuildConfig, found: Sequence[Source]) -> list[Recording]:
    wanted = [
        r
        for source in found
        for r in sources.recordings(source, config.subjects, config.limit)
        if config.pinned is None or _key(r) in config.pinned.signals
    ]
    missing = sorted(set(config.subjects) - {recording.subject for recording in wanted})
    if missing and not config.limit:
        raise BuildError(
            f"no subject {', '.join(missing)} in {', '.join(config.source)}; `psgimg check` without "
            "--subjects lists those there are"
        )
    return wanted


def _refuse_other_signal(pinned: Pinned | None, recording: Recording, signal: str) -> None:
    """Refuse a signal other than that of the dataset to rebuild."""
    if pinned and pinned.signals[_key(recording)] != signal:
        raise RecordingError(
            "other signal",
            f"{recording.signal.name} is not the file that the dataset was made from: other bytes; "
            f"is this another release of {recording.corpus}, or a damaged copy? Get the file again",
        )


def _not_here(
    pinned: Pinned | None, found: Iterable[Recording], kept: Iterable[Key]
) -> list[SetAside]:
    """Recordings of the dataset to rebuild that are not in the folder of their corpus."""
    here = {_key(recording) for recording in found}.union(kept)
    return [
        SetAside(
            corpus,
            recording,
            "not here",
            f"{recording} is not in the folder of {corpus}; get it from the distributor",
        )
        for corpus, recording in sorted(set(pinned.signals if pinned else ()) - here)
    ]
