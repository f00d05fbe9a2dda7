"""Worklist: the recordings that a build is to draw, each looked at from outside first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psgimg.builder import night, sources
from psgimg.builder.config import BuildConfig
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.recipe import Recipe
from psgimg.builder.recording import Recording
from psgimg.builder.report import SetAside, set_aside_for
from psgimg.builder.sources import Source
from psgimg.builder.splits import SplitPolicy


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


def make(
    config: BuildConfig,
    found: Sequence[Source],
    policy: SplitPolicy,
    built: Iterable[Mapping[str, Any]] = (),
) -> tuple[list[Task], list[SetAside]]:
    """A task for each recording that is what it says; the others are set aside.

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
    for recording in _wanted(config, found):
        key = (recording.corpus, recording.recording)
        try:
            signal, fingerprint = night.fingerprints(recording)
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
            set_aside.append(set_aside_for(recording, error))
            continue
        names[key] = recording.signal.name
        tasks.append(
            Task(recording, signal, fingerprint, recipe, config.scorer, config.trim_min, config.out)
        )
    return tasks, set_aside


def _wanted(config: BuildConfig, found: Sequence[Source]) -> list[Recording]:
    wanted = [
        r for source in found for r in sources.recordings(source, config.subjects, config.limit)
    ]
    missing = sorted(set(config.subjects) - {recording.subject for recording in wanted})
    if missing and not config.limit:
        raise BuildError(
            f"no subject {', '.join(missing)} in {', '.join(config.source)}; `psgimg check` without "
            "--subjects lists those there are"
        )
    return wanted
