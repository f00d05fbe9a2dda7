"""Build: from corpora on disk to a dataset that ``load_dataset`` opens. The main path."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from psgimg.builder import atomic_file, night, pool
from psgimg.builder.card import croissant, dataset_card
from psgimg.builder.corpora import sources
from psgimg.builder.corpora.registry import corpus
from psgimg.builder.dataset import build_report, build_schema, shards
from psgimg.builder.dataset.build_json import Fixed, RecordingFacts
from psgimg.builder.dataset.build_report import Report, SetAside
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.builder.progress import Progress
from psgimg.builder.tasks import Task, make_tasks


@dataclass(frozen=True)
class Drawn:
    """A recording that became a part."""

    recording: str
    n_pictures: int


def build(config: BuildConfig, progress: Progress) -> Report:
    """Build a dataset, or go on with one: finished recordings are kept.

    Raises
    ------
    BuildError
        If the command can't go on. What is finished stays, and the same command goes on from there.
    """
    found = sources.locate(config.source, config.root)
    shards.check_writable(config.out)
    with _alone(config.out):
        _refuse_other_settings(config)
        policy = config.split_policy()
        done = shards.finished(config.out)
        built = [value.facts for value in done.values()]
        tasks, set_aside = make_tasks(config, found, policy, built)
        todo = [task for task in tasks if not _is_done(task, done)]
        if n_kept := len(tasks) - len(todo):
            progress.note(f"{n_kept} recordings are there from an earlier run and stay as they are")
        progress.start("drawing", len(todo), "recordings")
        for outcome in pool.run(draw, todo, config.workers, crashed=_crashed):
            if isinstance(outcome, SetAside):
                set_aside.append(outcome)
                shards.discard(config.out, done.get((outcome.corpus, outcome.recording)))
            progress.advance(1, outcome.n_pictures)

        done = shards.finished(config.out)
        if not done:
            raise BuildError(build_report.nothing_built(set_aside))
        split_of = build_report.splits([value.facts for value in done.values()], policy)
        shards.publish(config.out, shards.plan(done.values(), split_of))
        result = build_report.collect(config, set_aside, split_of)
        dataset_card.write(config.out, result)
        atomic_file.write_text(
            config.out / croissant.FILE, build_report.text(croissant.croissant(result.values))
        )
        build_report.write(config.out, result, _beside(config.out))
        return result


def draw(task: Task) -> Drawn | SetAside:
    """Draw one recording and write it as a part; runs in a worker."""
    recording = task.recording
    source = corpus(recording.corpus)
    try:
        plan = night.plan(source, recording, task.recipe, task.scorer, task.trim_min)
        rows, facts = night.draw(source, plan, task.recipe, task.corruptions)
    except Exception as error:  # even a fault of ours in one night must not cost the others
        return build_report.set_aside_for(recording, error)
    known = RecordingFacts(**facts, signal=task.signal, fingerprint=task.fingerprint)
    shards.write_part(task.out, rows, known)
    return Drawn(recording.recording, len(rows))


def _beside(out: Path) -> list[str]:
    """What lies beside the shards for people to read and look at."""
    pictures = sorted(
        path.relative_to(out).as_posix() for path in out.glob(f"{dataset_card.PICTURES}/*.png")
    )
    return [dataset_card.FILE, dataset_card.SHEET, croissant.FILE, *pictures]


def _is_done(task: Task, done: dict[shards.Key, shards.Done]) -> bool:
    key = (task.recording.corpus, task.recording.recording)
    return key in done and done[key].facts["fingerprint"] == task.fingerprint


def _crashed(task: Task) -> SetAside:
    detail = f"{task.recording.signal.name} twice ended the worker that drew it; try more memory or --workers 1"
    return SetAside(task.recording.corpus, task.recording.recording, "worker died", detail)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Hold the folder: two builds at once would take each other's files for their own."""
    try:
        with FileLock(out / shards.STATE / "lock", timeout=0):
            for folder in (out, out / dataset_card.PICTURES):
                for torn in folder.glob(".*.tmp"):  # of a build that was killed while it wrote
                    torn.unlink()
            yield
    except Timeout:
        raise BuildError(
            f"another build is at work in {out}; wait for it or choose another --out"
        ) from None
    except BaseException:
        begun = {path.name for path in (out / shards.STATE).iterdir()} - {"lock"}
        if not begun or not shards.finished(out):  # nothing to go on from: as it was before
            shutil.rmtree(out / shards.STATE)
        raise
    shutil.rmtree(out / shards.STATE)


def _refuse_other_settings(config: BuildConfig) -> None:
    """Refuse a folder that was built, or begun, with settings that give other rows."""
    fixed = config.fixed()
    path = config.out / shards.STATE / "settings.json"
    before = _fixed_before(config.out, path)
    if before is not None and before != fixed:
        keys = sorted({*fixed, *before})
        changed = ", ".join(key for key in keys if before.get(key) != fixed.get(key))
        raise BuildError(
            f"{config.out} was built with other settings ({changed}); use the same ones or choose another --out"
        )
    if not path.exists():
        atomic_file.write_text(path, json.dumps(fixed, sort_keys=True))


def _fixed_before(out: Path, settings: Path) -> Fixed | None:
    try:
        if (out / build_report.FILE).exists():
            return build_schema.check(build_report.read(out))["fixed"]
        if settings.exists():
            begun: Fixed = json.loads(settings.read_text(encoding="utf-8"))
            return begun
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(
            f"{out / build_report.FILE} is damaged ({error}); choose another --out"
        ) from error
    return None
