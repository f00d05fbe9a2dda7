"""Worklist: the recordings that a build is to draw, each looked at from outside first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder import night
from psgimg.builder.corpora import sources
from psgimg.builder.corpora.sources import Source
from psgimg.builder.dataset.build_json import RecordingFacts
from psgimg.builder.dataset.build_report import SetAside, set_aside_for
from psgimg.builder.dataset.config import BuildConfig, Pinned
from psgimg.builder.dataset.splits import SplitPolicy
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.recordings.recording import Recording
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.signals.corruption_spec import SPLIT, Corruption


@dataclass(frozen=True)
class Task:
    """One recording to draw, with all that a worker must know.

    ``signal`` and ``fingerprint`` are the hashes of its signal, and of all its files.
    """

    recording: Recording
    signal: str
    fingerprint: str
    recipe: Recipe
    scorer: str
    trim_min: float | None
    out: Path
    corruptions: tuple[Corruption, ...] = ()


def make_tasks(
    config: BuildConfig,
    found: Sequence[Source],
    policy: SplitPolicy,
    built: Sequence[RecordingFacts] = (),
) -> tuple[list[Task], list[SetAside]]:
    """A task for each recording that is what it says; the others are set aside.

    Of a corrupted twin, that is for the test split; who is in it is decided as ever.

    Parameters
    ----------
    built
        Facts of the recordings that are in the folder already: no signal comes in twice.
    """
    tasks: list[Task] = []
    set_aside: list[SetAside] = []
    recipe = config.recipe()
    names: dict[tuple[str, str], str] = {}
    prints: dict[str, str] = {fact["signal"]: fact["recording"] for fact in built}
    # Made again, a recording that is there was drawn from the right file, whatever lies there now.
    kept = {(fact["corpus"], fact["recording"]) for fact in built if config.pinned}
    corruptions = config.corruptions()
    wanted = _wanted(config, found)
    for recording in wanted:
        key = (recording.corpus, recording.recording)
        try:
            signal, fingerprint = night.fingerprints(recording)
            _refuse_other_signal(config.pinned, recording, signal)
            if key in names:
                raise RecordingError(
                    "duplicate recording",
                    f"{recording.signal.parent.name}/{recording.signal.name} has the name of {names[key]}; remove one of the two",
                )
            if (twin := prints.setdefault(signal, recording.recording)) != recording.recording:
                raise RecordingError(
                    "duplicate recording",
                    f"{recording.signal.name} has the bytes of {twin}'s signal; remove one of the two",
                )
            if policy.split(recording.corpus, recording.subject, recording.split_key) is None:
                raise RecordingError(
                    "not in the split file", f"subject {recording.subject} has no split there"
                )
        except RecordingError as error:
            if key not in kept:
                set_aside.append(set_aside_for(recording, error))
            continue
        names[key] = recording.signal.name
        common = (recipe, config.scorer, config.trim_min, config.out, corruptions)
        tasks.append(Task(recording, signal, fingerprint, *common))
    if corruptions:
        shown = _test_split(wanted, policy)
        tasks = [t for t in tasks if (t.recording.corpus, t.recording.recording) in shown]
        set_aside = [entry for entry in set_aside if (entry.corpus, entry.recording) in shown]
    return tasks, [*set_aside, *_not_here(config.pinned, wanted, kept)]


def _test_split(wanted: Sequence[Recording], policy: SplitPolicy) -> set[tuple[str, str]]:
    """The recordings of which a corrupted twin is made."""
    shown = {
        (r.corpus, r.recording)
        for r in wanted
        if policy.split(r.corpus, r.subject, r.split_key) == SPLIT
    }
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
        if config.pinned is None or (r.corpus, r.recording) in config.pinned.signals
    ]
    missing = sorted(set(config.subjects) - {recording.subject for recording in wanted})
    if missing and not config.limit:
        raise BuildError(
            f"no subject {', '.join(missing)} in {', '.join(config.source)}; `psgimg check` without "
            "--subjects lists those there are"
        )
    return wanted


def _refuse_other_signal(pinned: Pinned | None, recording: Recording, signal: str) -> None:
    """Pictures of another signal must not get into a dataset that is to be made again."""
    if pinned and pinned.signals[recording.corpus, recording.recording] != signal:
        raise RecordingError(
            "other signal",
            f"{recording.signal.name} is not the file that the dataset was made from: other bytes; "
            f"is this another release of {recording.corpus}, or a damaged copy? Get the file again",
        )


def _not_here(
    pinned: Pinned | None, found: Iterable[Recording], kept: Iterable[tuple[str, str]]
) -> list[SetAside]:
    """Recordings of a dataset that is to be made again which the corpus does not have here."""
    here = {(recording.corpus, recording.recording) for recording in found}.union(kept)
    return [
        SetAside(
            corpus,
            recording,
            "not here",
            f"{recording} is not in the folder of {corpus}; get it from the distributor",
        )
        for corpus, recording in sorted(set(pinned.signals if pinned else ()) - here)
    ]
