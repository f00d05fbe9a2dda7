"""Check: which recordings a build would draw or set aside, from headers and scorings alone."""

from __future__ import annotations

from psgimg.builder import night
from psgimg.builder.corpora import sources
from psgimg.builder.dataset import build_report, public_names
from psgimg.builder.dataset.build_json import PlannedRecording
from psgimg.builder.dataset.build_report import SetAside
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.progress import Progress
from psgimg.builder.tasks import make_tasks


def check(config: BuildConfig, progress: Progress) -> tuple[list[PlannedRecording], list[SetAside]]:
    """Return the facts and split of each recording that a build would draw, and those set aside."""
    found = sources.locate(config.corpora, config.root)
    located, names = public_names.assign(found, config.out, (), config.listed_subjects, save=False)
    policy = config.split_policy(names)
    tasks, set_aside = make_tasks(config, located, policy)
    facts: list[PlannedRecording] = []
    progress.start("checking", len(tasks), "recordings")
    for task in tasks:
        progress.advance()
        recording = task.recording
        try:
            plan = night.plan(task.corpus, recording, task.spec)
        except Exception as error:  # as in a build, the others continue
            set_aside.append(build_report.set_aside_for(recording, error))
            continue
        split = policy.split(recording.corpus, recording.subject, recording.split_key)
        facts.append({**night.facts(plan), "split": split})
    return facts, set_aside
