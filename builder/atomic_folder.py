"""Folders that are whole or absent: what is made from a dataset, written beside its place.

Everything is written into ``.NAME.part`` beside the folder and becomes the folder in one step at the
end. A killed command leaves the folder as it was; the next one clears away what is left over.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from psgimg.builder.errors import BuildError


@contextmanager
def whole(out: Path, dataset: Path, own: Collection[str], kind: str) -> Iterator[Path]:
    """A folder to write into; on success it becomes ``out``, on failure it goes.

    Parameters
    ----------
    dataset
        What is exported; ``out`` may not lie in it.
    own
        What may lie at the top of ``out``, of an earlier export of this kind, and is replaced.
    kind
        How messages call the kind.

    Raises
    ------
    BuildError
        If ``out`` holds anything else, another export writes to it, or it can't be written.
    """
    place = out.resolve()
    room = place.with_name(f".{place.name}.part")
    try:
        _refuse_place(dataset, out)
        _refuse_foreign(out, own, kind)
        room.mkdir(parents=True, exist_ok=True)
        with FileLock(room / "lock", timeout=0):
            for left_over in (room / "new", room / "old"):
                shutil.rmtree(left_over, ignore_errors=True)
            (room / "new").mkdir()
            try:
                yield room / "new"
                if place.exists():
                    place.replace(room / "old")
                (room / "new").replace(place)
            finally:
                shutil.rmtree(room, ignore_errors=True)
    except Timeout:
        raise BuildError(
            f"another export is writing {out}; wait for it or choose another --out"
        ) from None
    except OSError as error:
        raise BuildError(
            f"can't write {out}: {error.strerror or error}; free some space there, mend its "
            "permissions or choose another --out"
        ) from error


def _refuse_place(dataset: Path, out: Path) -> None:
    """Refuse the dataset itself, as a later push would take it along, and the working folder."""
    place = out.resolve()
    if dataset.resolve() in (place, *place.parents):
        raise BuildError(f"--out {out} lies in the dataset {dataset}; choose a folder outside it")
    here = Path.cwd()
    if place in (here, *here.parents):  # it is replaced: the user would stand in no folder
        raise BuildError(f"--out {out} is the folder that you are in; name a new one")


def _refuse_foreign(out: Path, own: Collection[str], kind: str) -> None:
    """Refuse a folder with anything in it that an export of this kind did not put there."""
    if out.exists() and not out.is_dir():
        raise BuildError(f"--out {out} is a file; choose another --out")
    found = {path.name for path in out.iterdir()} if out.exists() else set()
    if foreign := sorted(found - set(own)):
        raise BuildError(
            f"--out {out} holds {foreign[0]}, which is not of an earlier {kind} export; choose "
            "another --out or move it away"
        )
