"""Joining: bring the recordings of all parts of a build together, once every part has finished."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from psgimg.builder import atomic_file
from psgimg.builder.building import changes, part_record
from psgimg.builder.building.part_record import Basis, Finished
from psgimg.builder.building.planning import Plan
from psgimg.builder.dataset import build_report, shards
from psgimg.builder.dataset.build_report import SetAside
from psgimg.builder.dataset.shards import Done, Key
from psgimg.builder.errors import BuildError
from psgimg.builder.files import durable
from psgimg.builder.placing import parts
from psgimg.builder.processes import lock
from psgimg.builder.progress import Progress
from psgimg.builder.words import counted

N_NAMED = 5
"""Number of parts that a one-line message lists; the rest are counted."""


Gathered = tuple[Mapping[Key, Done], list[SetAside]]


def gather(plan: Plan, folders: Sequence[Path], progress: Progress) -> Gathered:
    """Bring the recordings of all parts into the folder of the dataset.

    Parameters
    ----------
    folders
        Folders in which parts ran, or folders that hold those; the dataset's own is always one.

    Returns
    -------
    done, set_aside
        The finished recordings, and those that parts have set aside.

    Raises
    ------
    BuildError
        If a part is missing or not of this build.
    """
    out = plan.config.out
    homes = [out, *(home for home in _homes(folders) if not _same(home, out))]
    records = [one for home in homes for one in part_record.read(home)]
    if not (chosen := _complete(records)):
        if (aside := _joined_before(plan)) is not None:
            return plan.done, aside
        raise BuildError(_missing(records, homes))
    _refuse_others(chosen, part_record.basis(plan.config, plan.planned.recordings))
    done = dict(plan.done)
    for home in homes[1:]:
        refusal = f"a part of a build is running in {home}; wait for it"
        with lock.held(home / shards.STATE / "lock", refusal, needed=False):
            done |= _moved(home, plan, done, progress)
    aside = [entry for one in chosen for entry in one.set_aside]
    aside = [entry for entry in aside if entry.key not in done]
    _refuse_gaps(plan, done, {entry.key for entry in aside}, chosen[0].part.n_parts)
    return done, sorted(set(aside))


def _homes(folders: Iterable[Path]) -> list[Path]:
    """Return the folders in which parts ran, of those given or one level below."""
    homes = []
    for folder in folders:
        inner = sorted(path.parent for path in folder.glob(f"*/{shards.STATE}"))
        if not (found := [folder] if (folder / shards.STATE).is_dir() else inner):
            raise BuildError(f"--parts {folder}: no part of a build is there; give its --out")
        homes += found
    return homes


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _complete(records: Sequence[Finished]) -> list[Finished]:
    """Return the records of all parts of N, for the N of which all are there; empty if there is none."""
    for n_parts in sorted({one.part.n_parts for one in records}):
        some = [one for one in records if one.part.n_parts == n_parts]
        if len({one.part for one in some}) == n_parts:
            return sorted(some, key=lambda one: one.part.number)
    return []


def _joined_before(plan: Plan) -> list[SetAside] | None:
    """Return what the finished dataset has set aside, if it has all of this build; else None.

    A command that was killed after it had finished the dataset, or is run once more, ends so.
    """
    earlier = build_report.read_earlier(plan.config.out)
    if earlier is None:
        return None
    aside = [
        SetAside(entry["corpus"], entry["recording"], entry["reason"])
        for entry in earlier["set_aside"]
    ]
    known = {*plan.published, *(entry.key for entry in aside)}
    keys = {task.key for task in plan.planned.tasks}
    return [entry for entry in aside if entry.key in keys] if keys <= known else None


def _missing(records: Sequence[Finished], homes: Sequence[Path]) -> str:
    """Return the message for parts that have not finished."""
    if not records:
        where = " or ".join(map(str, homes[:N_NAMED]))
        return (
            f"--join: no part has finished in {where}; run the same build with --part 1/N and so on"
        )
    n_parts = max(one.part.n_parts for one in records)
    there = {one.part.number for one in records if one.part.n_parts == n_parts}
    left = [number for number in range(1, n_parts + 1) if number not in there]
    more = f" and {len(left) - N_NAMED} more" if len(left) > N_NAMED else ""
    return (
        f"--join: {counted(len(left), 'part')} of {n_parts} not finished: "
        f"{', '.join(map(str, left[:N_NAMED]))}{more}; run the same build with --part {left[0]}/{n_parts}"
        f"{' and so on' if more or len(left) > 1 else ''}, or give the folders of all with --parts"
    )


def _refuse_others(records: Iterable[Finished], common: Basis) -> None:
    """Refuse parts of another build, or of other versions: ``build.json`` states one of each."""
    for one in records:
        what = f"--join: part {one.part} in {one.folder}"
        again = f"run it again with --part {one.part}"
        if keys := _differing(one.record["settings"], common["settings"]):
            raise BuildError(f"{what} was drawn with other settings ({keys}); {again} and these")
        if keys := _differing(one.record["versions"], common["versions"]):
            raise BuildError(
                f"{what} was drawn with other versions ({keys}); {again} or join there"
            )
        if one.record["recordings"] != common["recordings"]:
            raise BuildError(
                f"{what} found another list of recordings than there is here; give the same --root, "
                f"--subjects and --limit, or {again}"
            )


def _differing(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    return ", ".join(key for key in sorted({*before, *now}) if before.get(key) != now.get(key))


def _moved(home: Path, plan: Plan, here: Mapping[Key, Done], progress: Progress) -> dict[Key, Done]:
    """Move the recordings that were drawn in another folder into that of the dataset; return them."""
    out, keys = plan.config.out, {task.key for task in plan.planned.tasks}
    todo = [
        one
        for key, one in shards.finished(home).items()
        if key in keys and (key not in here or here[key].facts != one.facts)
    ]
    if todo and plan.published:
        raise BuildError(
            f"{out} is a finished dataset, which the part in {home} did not know; to extend it, run its "
            f"parts with --out {out}"
        )
    progress.start(f"moving from {home}", len(todo), "recordings")
    moved = {}
    for one in todo:
        place = shards.part_path(out, one.key)
        _bring(one.path, place)
        moved[one.key] = replace(one, path=place)
        progress.advance()
    return moved


def _bring(source: Path, target: Path) -> None:
    """Move a file, by its name alone where the file system is the same."""
    durable.make_folder(target.parent)
    try:
        durable.replace(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise BuildError(atomic_file.unwritable(target, error)) from error
        with atomic_file.whole(target) as temporary:
            shutil.copyfile(source, temporary)
        source.unlink()


def _refuse_gaps(plan: Plan, done: Mapping[Key, Done], aside: set[Key], n_parts: int) -> None:
    """Refuse to join without a recording, or with one that has changed since it was drawn."""
    subjects = {one.key: f"{one.corpus}/{one.subject}" for one in plan.planned.recordings}
    numbers = parts.dealt(subjects.values(), n_parts)
    for task in plan.planned.tasks:
        kept = done.get(task.key)
        if kept is None and task.key not in aside:
            problem = "was not there when its part ran"
        elif kept and task.identity and changes.has_changed(kept, task, task.identity):
            problem = "has changed since it was drawn"
        else:
            continue
        again = f"--part {numbers[subjects[task.key]]}/{n_parts}"
        raise BuildError(f"--join: {task.key[1]} of {task.key[0]} {problem}; run {again} again")
