"""Build: turn corpora on disk into a dataset that ``load_dataset`` opens. The main path."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder import atomic_file, night, pool
from psgimg.builder.card import croissant, dataset_card
from psgimg.builder.corpora import sources
from psgimg.builder.dataset import build_report, build_schema, corpus_record, shards
from psgimg.builder.dataset.build_json import Fixed, RecordingFacts
from psgimg.builder.dataset.build_report import Report, SetAside
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.dataset.shards import Done, Key
from psgimg.builder.dataset.splits import SplitPolicy
from psgimg.builder.errors import BuildError
from psgimg.builder.processes import lock
from psgimg.builder.progress import Progress
from psgimg.builder.tasks import Task, make_tasks


@dataclass(frozen=True)
class Drawn:
    """A recording that was drawn and written as a part."""

    recording: str
    n_pictures: int


def build(config: BuildConfig, progress: Progress) -> Report:
    """Build a dataset, or resume or extend one; finished recordings are kept.

    Raises
    ------
    BuildError
        If the build can't continue. Finished recordings are kept, and running the same command
        again resumes the build.
    """
    located = sources.locate(config.corpora, config.root)
    with _locked(config.out):
        _refuse_other_settings(config)
        policy = config.split_policy()
        done = shards.finished(config.out)
        built = [one.facts for one in done.values()]
        corpus_record.refuse_unnamed(
            config.out, config.corpora, build_report.read_earlier(config.out), built
        )
        tasks, set_aside = make_tasks(config, located, policy, built)
        set_aside += _draw_new(config, tasks, done, progress)
        return _publish(config, policy, set_aside)


def draw(task: Task) -> Drawn | SetAside:
    """Draw one recording and write it as a part; runs in a worker process."""
    recording = task.recording
    try:
        plan = night.plan(task.corpus, recording, task.spec)
        rows, facts = night.draw(task.corpus, plan, task.spec)
    except Exception as error:  # a bug that affects one night must not stop the others
        return build_report.set_aside_for(recording, error)
    recorded = RecordingFacts(**facts, signal=task.signal, fingerprint=task.fingerprint)
    shards.write_part(task.out, rows, recorded)
    return Drawn(recording.recording, len(rows))


def _draw_new(
    config: BuildConfig,
    tasks: Sequence[Task],
    done: Mapping[Key, Done],
    progress: Progress,
) -> list[SetAside]:
    """Draw the recordings that are not finished, and return those that can't be used."""
    todo = [task for task in tasks if not _is_done(task, done)]
    if n_kept := len(tasks) - len(todo):
        progress.note(f"{n_kept} recordings from an earlier run are kept")
    progress.start("drawing", len(todo), "recordings")
    set_aside = []
    for outcome in pool.run(draw, todo, config.workers, crashed=_crashed):
        if isinstance(outcome, SetAside):
            set_aside.append(outcome)
            shards.discard(config.out, done.get((outcome.corpus, outcome.recording)))
        progress.advance(1, outcome.n_pictures)
    return set_aside


def _publish(config: BuildConfig, policy: SplitPolicy, set_aside: Sequence[SetAside]) -> Report:
    """Combine the finished recordings into shards, and write card, Croissant file and report."""
    done = shards.finished(config.out)
    if not done:
        raise BuildError(build_report.nothing_built(set_aside))
    split_of = build_report.splits([one.facts for one in done.values()], policy)
    shards.publish(config.out, shards.plan(done.values(), split_of))
    report = build_report.collect(config, set_aside, split_of)
    dataset_card.write(config.out, report)
    described = build_report.text(croissant.croissant(report.values))
    atomic_file.write_text(config.out / croissant.FILE, described)
    build_report.write(config.out, report, _companions(config.out))
    return report


def _companions(out: Path) -> list[str]:
    """Return the paths of the files beside the shards: card, Croissant file and pictures."""
    pictures = sorted(
        path.relative_to(out).as_posix() for path in out.glob(f"{dataset_card.PICTURES}/*.png")
    )
    return [dataset_card.FILE, dataset_card.SHEET, croissant.FILE, *pictures]


def _is_done(task: Task, done: Mapping[Key, Done]) -> bool:
    key = (task.recording.corpus, task.recording.recording)
    return key in done and done[key].facts["fingerprint"] == task.fingerprint


def _crashed(task: Task) -> SetAside:
    detail = f"{task.recording.signal.name} crashed its worker process twice; try more memory or --workers 1"
    return SetAside(task.recording.corpus, task.recording.recording, "worker died", detail)


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Lock the folder, as two simultaneous builds would mix their files."""
    state = out / shards.STATE
    refusal = f"another build is running in {out}; wait for it or choose another --out"
    with lock.held(state / "lock", refusal):
        try:
            yield
        except BaseException:
            started = {path.name for path in state.iterdir()} - {"lock"}
            if not started or not shards.finished(out):  # nothing to resume: restore the folder
                shutil.rmtree(state)
            raise
        shutil.rmtree(state)


def _refuse_other_settings(config: BuildConfig) -> None:
    """Refuse a folder that was built or started with settings that give different rows."""
    fixed = config.fixed()
    path = config.out / shards.STATE / "settings.json"
    before = _recorded_settings(config.out, path)
    if before is not None and before != fixed:
        keys = sorted({*fixed, *before})
        changed = ", ".join(key for key in keys if before.get(key) != fixed.get(key))
        raise BuildError(
            f"{config.out} was built with different settings ({changed}); use the same ones or choose another --out"
        )
    corpus_record.refuse_changed(config.out, config.corpora, build_report.read_earlier(config.out))
    if not path.exists():
        atomic_file.write_text(path, json.dumps(fixed, sort_keys=True))


def _recorded_settings(out: Path, settings: Path) -> Fixed | None:
    try:
        if (out / build_report.FILE).exists():
            return build_schema.check(build_report.read(out))["fixed"]
        if settings.exists():
            started: Fixed = json.loads(settings.read_text(encoding="utf-8"))
            return started
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(
            f"{out / build_report.FILE} is damaged ({error}); choose another --out"
        ) from error
    return None
