"""Atomic folders: an output folder is complete or absent, because it is written beside its target.

All files are written to ``.NAME.part`` beside the target, which is replaced in one step at the end.
A command that is killed leaves the target unchanged, or moved to ``.NAME.part/old`` just before its
replacement; the next one restores it and removes the leftovers.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from psgimg.builder.errors import BuildError
from psgimg.builder.files import durable
from psgimg.builder.processes import lock


@contextmanager
def whole(
    out: Path, dataset: Path | None, own: Callable[[], Collection[str]], kind: str
) -> Iterator[Path]:
    """Yield a folder to write to; it becomes ``out`` on success and is deleted on failure.

    Parameters
    ----------
    dataset
        The dataset that is exported, if any; ``out`` must not be inside it.
    own
        Returns the names of the top-level entries that an earlier export of this kind has left in
        ``out``; they are replaced.
    kind
        Kind of export, as named in messages.

    Raises
    ------
    BuildError
        If ``out`` contains anything else, another export is writing to it, or it can't be written.
    """
    target = out.resolve()
    work = target.with_name(f".{target.name}.part")
    refusal = f"another export is writing {out}; wait for it or choose another --out"
    try:
        _refuse_target(dataset, out)
        durable.make_folder(work)
        with lock.held(work / "lock", refusal):
            _restore(work, target)
            _refuse_foreign(out, own(), kind)
            (work / "new").mkdir()
            yield work / "new"
            durable.sync_tree(work / "new")
            if target.exists():
                durable.replace(target, work / "old")
            durable.replace(work / "new", target)
            _remove(work, target)
    except OSError as error:
        raise BuildError(
            f"can't write {out}: {error.strerror or error}; free some space there, fix its "
            "permissions or choose another --out"
        ) from error
    finally:  # whatever was interrupted, even the last steps above
        if work.exists():
            with suppress(BuildError, OSError), lock.held(work / "lock", refusal):  # else another's
                _remove(work, target)


def _restore(work: Path, target: Path) -> None:
    """Undo an unfinished replacement, and remove what is left of it."""
    if (work / "old").exists() and not target.exists():
        durable.replace(work / "old", target)
    for leftover in (work / "new", work / "old"):
        shutil.rmtree(leftover, ignore_errors=True)


def _remove(work: Path, target: Path) -> None:
    """Remove the working folder, with an earlier ``target`` put back if it is not yet replaced."""
    _restore(work, target)
    shutil.rmtree(work, ignore_errors=True)


def _refuse_target(dataset: Path | None, out: Path) -> None:
    """Refuse a target inside the dataset, which a later push would include, and the current folder."""
    target = out.resolve()
    if dataset and dataset.resolve() in (target, *target.parents):
        raise BuildError(f"--out {out} is inside the dataset {dataset}; choose a folder outside it")
    current = Path.cwd()
    if target in (current, *current.parents):  # replacing it would delete the current folder
        raise BuildError(f"--out {out} is or contains the current folder; choose a new folder")


def _refuse_foreign(out: Path, own: Collection[str], kind: str) -> None:
    """Refuse a folder that contains anything but an earlier export of this kind."""
    if out.exists() and not out.is_dir():
        raise BuildError(f"--out {out} is a file; choose another --out")
    present = {path.name for path in out.iterdir()} if out.exists() else set()
    if foreign := sorted(present - set(own)):
        raise BuildError(
            f"--out {out} contains {foreign[0]}, which is not part of an earlier {kind} export; "
            "choose another --out or move it away"
        )
