"""Parts: predictions that are done, each some hundred pages in a file, until all are and become one.

OUT                        the predictions, once they are whole
OUT.json                   the settings they came about with, versions and counts
OUT.parts/settings.json    settings of a command that was begun
OUT.parts/000003.parquet   a part that is done
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from filelock import FileLock, Timeout
from psgimg.builder import atomic_file
from psgimg.builder.errors import BuildError
from psgimg.finetune.metrics import predictions, table_files
from psgimg.finetune.metrics.predictions import Predictions


@dataclass(frozen=True)
class Parts:
    """A file of predictions that is being made."""

    out: Path
    settings: Mapping[str, Any]

    @property
    def folder(self) -> Path:
        """Where the parts lie."""
        return self.out.with_name(f"{self.out.name}.parts")

    @property
    def beside(self) -> Path:
        """The settings of a finished file."""
        return self.out.with_name(f"{self.out.name}.json")

    def finished(self) -> Predictions | None:
        """The predictions, if an earlier command made them all."""
        return predictions.read(self.out) if self.beside.exists() and self.out.exists() else None

    def is_done(self, i: int) -> bool:
        """Whether a part is there."""
        return self._part(i).exists()

    def any_done(self) -> bool:
        """Whether any part is there."""
        return any(self.folder.glob("*.parquet"))

    def write(self, i: int, part: Predictions) -> None:
        """Write a part, whole or not at all."""
        predictions.write(self._part(i), part)

    def join(self, n_parts: int) -> Predictions:
        """Make the file of all parts."""
        found = [predictions.read(self._part(i)).table for i in range(n_parts)]
        whole = Predictions(pa.concat_tables(found).combine_chunks())
        predictions.write(self.out, whole)
        return whole

    def seal(self, facts: Mapping[str, Any]) -> None:
        """Say beside the file how it came about: from now on it is finished."""
        values = {"settings": self.settings, **facts}
        atomic_file.write_text(self.beside, json.dumps(values, indent=1, ensure_ascii=False) + "\n")

    def _part(self, i: int) -> Path:
        return self.folder / f"{i:06d}.parquet"


@contextmanager
def hold(out: Path, settings: Mapping[str, Any]) -> Iterator[Parts]:
    """Hold a file of predictions that is to be made, or gone on with, by these settings.

    Raises
    ------
    BuildError
        If its suffix is unknown, it can't be written, another command is at it, or it was made or
        begun with other settings or by something else.
    """
    parts = Parts(table_files.checked(out), settings)
    with _alone(parts):
        try:
            _refuse_others(parts)
            yield parts
        except BaseException:
            if not parts.any_done():  # nothing to go on from: the next command may have its way
                shutil.rmtree(parts.folder, ignore_errors=True)
            raise
        shutil.rmtree(parts.folder)


@contextmanager
def _alone(parts: Parts) -> Iterator[None]:
    """Hold the folder of the parts: two commands at once would take each other's for their own."""
    lock = FileLock(parts.folder / "lock", timeout=0)
    try:
        parts.folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise BuildError(
            f"another command is at work on {parts.out}; wait for it or choose another --out"
        ) from None
    except OSError as error:
        raise BuildError(atomic_file.unwritable(parts.out, error)) from error
    with lock:
        lock.release()  # held twice until here
        for torn in parts.folder.glob(".*.tmp"):  # of a command that was killed as it wrote
            torn.unlink()
        yield


def _refuse_others(parts: Parts) -> None:
    """Refuse a file that was made, or begun, otherwise than these settings would."""
    begun = parts.folder / "settings.json"
    try:
        before = _settings(parts, begun)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(f"{parts.beside} is damaged ({error}); choose another --out") from error
    if before is None and parts.out.exists():
        raise BuildError(f"{parts.out} is there already; choose another --out or remove it")
    if before is not None and before != parts.settings:
        changed = sorted(
            key for key in {*before, *parts.settings} if before.get(key) != parts.settings.get(key)
        )
        raise BuildError(
            f"{parts.out} was made or begun with other settings ({', '.join(changed)}); use the same "
            "ones, choose another --out, or remove it with what lies beside it"
        )
    atomic_file.write_text(begun, json.dumps(parts.settings, sort_keys=True))


def _settings(parts: Parts, begun: Path) -> dict[str, Any] | None:
    """Settings of the command that made, or began, what is there; None if nothing is."""
    if parts.beside.exists() and parts.out.exists():
        made: dict[str, Any] = json.loads(parts.beside.read_text(encoding="utf-8"))["settings"]
        return made
    if parts.any_done():
        wanted: dict[str, Any] = json.loads(begun.read_text(encoding="utf-8"))
        return wanted
    return None
