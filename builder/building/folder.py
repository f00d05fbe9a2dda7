"""Folder: who may write to the folder of a dataset at the same time, and what an error leaves there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from psgimg.builder.building import part_record
from psgimg.builder.dataset import shards
from psgimg.builder.processes import lock


@contextmanager
def alone(out: Path, *, joins: bool = False) -> Iterator[None]:
    """Let one command build in a folder, as two would mix their files.

    At the end nothing is left of its state. After an error that of finished recordings and parts is
    kept, and if there are none, the folder is as it was before.

    Parameters
    ----------
    joins
        Whether the command may do without a lock, where the file system has none.
    """
    state, is_new = out / shards.STATE, not out.exists()
    with lock.held(state / "lock", _refusal(out), needed=not joins):
        try:
            yield
        except BaseException:
            started = {path.name for path in state.iterdir()} - {"lock"}
            if not started or not (part_record.any_in(out) or shards.finished(out)):
                shutil.rmtree(state)
                if is_new:
                    with suppress(OSError):  # not empty
                        out.rmdir()
            raise
        shutil.rmtree(state)


@contextmanager
def among_parts(out: Path) -> Iterator[None]:
    """Let a part of a build draw in a folder, with other parts and no other command.

    Where the file system has no locks, it draws all the same: every file is written whole, and two
    runs of a part write the same. After an error everything stays but a folder that is new and empty.
    """
    state, is_new = out / shards.STATE, not out.exists()
    try:
        with lock.held(state / "lock", _refusal(out), shared=True, needed=False):
            yield
    except BaseException:
        with suppress(OSError):  # not empty
            state.rmdir()
            if is_new:
                out.rmdir()
        raise


def _refusal(out: Path) -> str:
    return f"another build is running in {out}; wait for it or choose another --out"
