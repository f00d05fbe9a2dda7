"""Check: what a build would take and set aside, from headers and scorings alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from psgimg.builder import night, report, sources, worklist
from psgimg.builder.config import BuildConfig
from psgimg.builder.corpora import corpus
from psgimg.builder.report import SetAside
from psgimg.builder.worklist import Task


def check(
    config: BuildConfig, track: Callable[[Sequence[Task]], Iterable[Task]]
) -> tuple[list[dict[str, Any]], list[SetAside]]:
    """Facts of each recording that would be built, with its split; and those set aside.

    Parameters
    ----------
    track
        Wraps the recordings looked at, to show progress.
    """
    policy = config.split_policy()
    tasks, set_aside = worklist.make(config, sources.locate(config.source, config.root), policy)
    found = []
    for task in track(tasks):
        recording = task.recording
        try:
            plan = night.plan(
                corpus(recording.corpus), recording, task.recipe, task.scorer, task.trim_min
            )
        except Exception as error:  # as in a build, it must not cost the others
            set_aside.append(report.set_aside_for(recording, error))
            continue
        split = policy.split(recording.corpus, recording.subject, recording.split_key)
        found.append({**night.facts(plan), "split": split})
    return found, set_aside
