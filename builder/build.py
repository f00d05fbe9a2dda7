"""Build: turn corpora on disk into a dataset that ``load_dataset`` opens. The main path."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder import atomic_file, night
from psgimg.builder.access import supply
from psgimg.builder.access.stock import Stock
from psgimg.builder.building import arriving, changes, expected_size, outcomes, shard_files
from psgimg.builder.building.outcomes import Failed
from psgimg.builder.card import croissant, dataset_card, terms_files
from psgimg.builder.corpora.presence import Presence
from psgimg.builder.corpora.sources import Source
from psgimg.builder.dataset import (
    build_report,
    corpus_record,
    own_files,
    placements,
    public_names,
    settings,
    shards,
)
from psgimg.builder.dataset.build_json import BuildJson, RecordingFacts
from psgimg.builder.dataset.build_report import Report, SetAside
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.dataset.shards import Done, Key
from psgimg.builder.dataset.splits import SplitPolicy, SubjectSplits
from psgimg.builder.errors import BuildError
from psgimg.builder.processes import lock
from psgimg.builder.progress import Progress
from psgimg.builder.recordings import fingerprint
from psgimg.builder.tasks import Task, make_tasks, same_signal


@dataclass(frozen=True)
class Drawn:
    """A recording that was drawn and written as a part."""

    key: Key
    n_pictures: int


def build(
    config: BuildConfig,
    progress: Progress,
    expect: Callable[[int, int], None] = lambda n_recordings, n_bytes: None,
) -> Report:
    """Build a dataset, or resume or extend one; finished recordings are kept.

    Parameters
    ----------
    expect
        Called before the first page is drawn, with the recordings that the dataset will have and its
        expected size in bytes; may refuse it.

    Raises
    ------
    BuildError
        If the build can't continue. Finished recordings are kept, and running the same command
        again resumes the build.
    """
    own_files.refuse_foreign(config.out, _beside())
    opened = supply.opened(config.corpora, config.root, config.fetch, progress)
    with _locked(config.out), opened as (found, stocks):
        done = shards.finished(config.out)
        built = [one.facts for one in done.values()]
        located = _with_public_names(config, found, built, progress)
        settings.refuse_others(config)
        earlier = build_report.read_earlier(config.out)
        policy = config.split_policy().keeping(placements.in_splits(earlier))
        corpus_record.refuse_unnamed(config.out, config.corpora, earlier, built)
        published = {
            (fact["corpus"], fact["recording"])
            for fact in (earlier["recordings"] if earlier else ())
        }
        _note_new_folds(config, earlier, progress)
        people = dict(zip(done, placements.persons(built), strict=True))
        planned = make_tasks(config, located, policy, published, people, stocks)
        tasks, set_aside = planned.tasks, planned.set_aside
        presence = Presence(located)
        todo, refused = changes.to_draw(config, tasks, done, presence, progress, stocks)
        n_expected = len({*done, *(task.key for task in todo)})
        size = expected_size.n_bytes(n_expected, done.values(), config.page_spec().recipe.style)
        expect(n_expected, size)
        refused += _draw_new(config, todo, done, presence, stocks, progress)
        set_aside += refused
        used = {task.key for task in tasks} - {entry.key for entry in refused}
        for entry in set_aside:
            if entry.key not in used:
                shards.discard(config.out, done.get(entry.key))
        ranks = {task.key: rank for rank, task in enumerate(tasks) if task.key not in published}
        return _publish(config, policy, planned.placed, set_aside, ranks)


def _note_new_folds(config: BuildConfig, earlier: BuildJson | None, progress: Progress) -> None:
    """Report that another number of folds gives everyone a fold anew."""
    if earlier and earlier["folds"] and config.folds not in (0, earlier["folds"]):
        progress.note(
            f"{build_report.FOLDS_FILE} had {earlier['folds']} folds and gets {config.folds}: everyone is "
            "given a fold anew, and models trained with the former folds can't be tested with these"
        )


def _with_public_names(
    config: BuildConfig,
    located: Sequence[Source],
    built: Sequence[RecordingFacts],
    progress: Progress,
) -> list[Source]:
    """Return the sources with their recordings under public names, and report new numbers."""
    known = config.pinned.names if config.pinned else built
    public, _ = public_names.assign(located, config.out, known, config.listed_subjects, save=True)
    if n := sum(one.original is not None for source in public for one in source.published or ()):
        progress.note(
            f"{n} recordings are published under numbers, as their names could be those of people; "
            f"{config.out / public_names.FILE} links the two and stays on this machine"
        )
    return public


def draw(task: Task) -> Drawn | Failed:
    """Draw one recording and write it as a part; runs in a worker process.

    The files are hashed first, so that they are drawn from memory, and compared once more at the
    end: pictures are never stored under the hash of other files.
    """
    recording = task.recording
    try:
        identity = task.identity or fingerprint.identify(recording)
        plan = night.plan(task.corpus, recording, task.spec)
        rows, facts = night.draw(plan, task.spec)
        fingerprint.require_unchanged(identity)
    except Exception as error:  # a bug that affects one night must not stop the others
        return outcomes.failed(task, error)
    recorded = RecordingFacts(**facts, signal=identity.signal, fingerprint=identity.fingerprint)
    shards.write_part(task.out, rows, recorded)
    return Drawn(task.key, len(rows))


def _draw_new(
    config: BuildConfig,
    tasks: Sequence[Task],
    done: Mapping[Key, Done],
    presence: Presence,
    stocks: Mapping[str, Stock],
    progress: Progress,
) -> list[SetAside]:
    """Draw recordings, and return those that can't be used."""
    progress.start("drawing", len(tasks), "recordings")
    set_aside = []
    with arriving.tasks(config, tasks, done, stocks, progress) as arrivals:
        for outcome in outcomes.run(draw, tasks, config.workers, presence, arrivals):
            if isinstance(outcome, Failed):
                set_aside.append(outcome.entry)
            if arrivals:
                arrivals.used(outcome.key)
            progress.advance(1, outcome.n_pictures)
    return set_aside


def _publish(
    config: BuildConfig,
    policy: SplitPolicy,
    placed: SubjectSplits,
    set_aside: Sequence[SetAside],
    ranks: Mapping[Key, int],
) -> Report:
    """Combine the finished recordings into shards, and write card, Croissant file and report."""
    done, twins = _without_twins(shards.finished(config.out), ranks)
    set_aside = [*set_aside, *twins]
    if not done:
        raise BuildError(build_report.nothing_built(set_aside))
    facts = [one.facts for one in done.values()]
    split_of = placements.of_recordings(facts, placed, policy)
    new = shard_files.publish(config.out, shards.plan(done.values(), split_of))
    report = build_report.collect(config, set_aside, split_of, new)
    if not build_report.is_described(config.out, report):
        _describe(config, report)
    new.remember(wait=True)
    return report


def _describe(config: BuildConfig, report: Report) -> None:
    """Write card, Croissant file, terms and ``build.json``, the last of all."""
    own_files.begin(config.out, _beside())
    dataset_card.write(config.out, report)
    described = build_report.text(croissant.croissant(report.values))
    atomic_file.write_text(config.out / croissant.FILE, described)
    for name, text in terms_files.texts(report.values).items():
        atomic_file.write_text(config.out / name, text)
    build_report.write(config.out, report, _companions(config.out))


def _without_twins(
    done: Mapping[Key, Done], ranks: Mapping[Key, int]
) -> tuple[dict[Key, Done], list[SetAside]]:
    """Return the finished recordings without second names of a signal, and those set aside.

    What was drawn in an earlier run under a name that is no longer on disk precedes what this run
    draws under another name.

    Parameters
    ----------
    ranks
        Order of the recordings that this run has added.
    """
    first: dict[str, Key] = {}
    twins = []
    for key in sorted(done, key=lambda key: (ranks.get(key, -1), key)):
        other = first.setdefault(done[key].facts["signal"], key)
        if other != key:
            error = same_signal(key[1], other[1])
            twins.append(SetAside(*key, error.reason, error.detail))
    dropped = {entry.key for entry in twins}
    return {key: one for key, one in done.items() if key not in dropped}, twins


def _beside() -> list[str]:
    """Return the paths of all files that a build may write beside the shards."""
    reports = [build_report.FILE, build_report.FOLDS_FILE, croissant.FILE, *terms_files.FILES]
    return [*reports, dataset_card.FILE, dataset_card.SHEET, *dataset_card.picture_files()]


def _companions(out: Path) -> list[str]:
    """Return the paths of the files beside the shards: card, Croissant file, terms and pictures."""
    pictures = [name for name in dataset_card.picture_files() if (out / name).exists()]
    return [dataset_card.FILE, dataset_card.SHEET, croissant.FILE, *terms_files.FILES, *pictures]


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Lock the folder, as two simultaneous builds would mix their files."""
    state, is_new = out / shards.STATE, not out.exists()
    refusal = f"another build is running in {out}; wait for it or choose another --out"
    with lock.held(state / "lock", refusal):
        try:
            yield
        except BaseException:
            started = {path.name for path in state.iterdir()} - {"lock"}
            if not started or not shards.finished(out):  # nothing to resume: restore the folder
                shutil.rmtree(state)
                if is_new:
                    with suppress(OSError):  # not empty
                        out.rmdir()
            raise
        shutil.rmtree(state)
