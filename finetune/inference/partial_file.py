"""Partial file: a file of predictions written in parts, so that an interrupted command can resume.

OUT                        the predictions, once they are complete
OUT.json                   their settings, versions and counts
OUT.parts/settings.json    settings of an unfinished command
OUT.parts/000003.parquet   a finished part of some hundred pages
OUT.parts/learned          what a baseline learned, with which its parts are staged
OUT.parts/of-7             several commands write the file, each one of seven shares (`--part 3/7`)
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from psgimg.builder import atomic_file
from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded, ownership
from psgimg.builder.placing.parts import Part
from psgimg.builder.processes import lock
from psgimg.finetune.inference import earlier_settings
from psgimg.finetune.metrics import predictions, table_files
from psgimg.finetune.metrics.predictions import Predictions

FILE = r"(\d{6}\.parquet|settings\.json|learned)"
OWN_NAME = re.compile(rf"lock|{FILE}|\.{FILE}\.[\w-]+\.tmp", re.ASCII)
"""Names of the files in the folder of the parts."""

SHARES = re.compile(r"of-([1-9]\d{0,8})", re.ASCII)
"""Name of an empty file that states the number of shares."""


@dataclass(frozen=True)
class Parts:
    """A file of predictions that is being written in parts."""

    out: Path
    settings: Mapping[str, Any]

    @property
    def folder(self) -> Path:
        """Folder of the parts."""
        return self.out.with_name(f"{self.out.name}.parts")

    @property
    def sidecar(self) -> Path:
        """JSON file with the settings of a finished file."""
        return self.out.with_name(f"{self.out.name}.json")

    def finished(self) -> Predictions | None:
        """Return the predictions if an earlier command finished them, else None."""
        return predictions.read(self.out) if self.sidecar.exists() and self.out.exists() else None

    def is_done(self, i: int) -> bool:
        """Return whether a part is finished."""
        return self._part(i).exists()

    def any_done(self) -> bool:
        """Return whether any part is finished, or what it needs is learned."""
        return self.learned.exists() or any(self.folder.glob("*.parquet"))

    @property
    def n_shares(self) -> int | None:
        """Number of commands that share the file; None if it is not known."""
        present = self.folder.iterdir() if self.folder.is_dir() else ()
        found = [int(match[1]) for path in present if (match := SHARES.fullmatch(path.name))]
        return found[0] if len(found) == 1 else None

    def share(self, part: Part) -> None:
        """Note into how many shares the file is divided."""
        (self.folder / f"of-{part.n_parts}").touch()

    @property
    def learned(self) -> Path:
        """What a method learned to make these predictions; complete if it exists."""
        return self.folder / "learned"

    @contextmanager
    def learning(self) -> Iterator[Path]:
        """Yield the path under which to write what a method learned."""
        with atomic_file.whole(self.learned) as temporary:
            yield temporary

    def write(self, i: int, part: Predictions) -> None:
        """Write a part, completely or not at all."""
        predictions.write(self._part(i), part)

    def join(
        self, n_parts: int, finish: Callable[[Predictions], Predictions] | None = None
    ) -> Predictions:
        """Write the parts as one file, after ``finish`` of all of them, and return its predictions."""
        tables = [predictions.read(self._part(i)).table for i in range(n_parts)]
        whole = Predictions(pa.concat_tables(tables).combine_chunks())
        whole = finish(whole) if finish else whole
        predictions.write(self.out, whole)
        return whole

    def seal(self, facts: Mapping[str, Any]) -> None:
        """Write settings and ``facts`` to the sidecar, which marks the file as finished."""
        values = {"settings": self.settings, **facts}
        atomic_file.write_text(
            self.sidecar, json.dumps(values, indent=1, ensure_ascii=False) + "\n"
        )

    def _part(self, i: int) -> Path:
        return self.folder / f"{i:06d}.parquet"


@contextmanager
def hold(out: Path, settings: Mapping[str, Any], *, shared: bool = False) -> Iterator[Parts]:
    """Lock a file of predictions to write it, or resume it, with these settings.

    Parameters
    ----------
    shared
        Whether other commands may write other parts meanwhile; whoever joins them does so alone.

    Raises
    ------
    BuildError
        If its suffix is unknown, it can't be written, another command is writing it, it was written
        or begun with other settings, or it is not a file of psgimg.
    """
    parts = Parts(table_files.checked(out), settings)
    _refuse_foreign(parts)
    refusal = f"another command is writing {parts.out}; wait for it or choose another --out"
    with lock.held(parts.folder / "lock", refusal, shared=shared, needed=not shared):
        if shared:
            _check_settings(parts, begun=True)
            yield parts
            if parts.sidecar.exists():  # joined already
                shutil.rmtree(parts.folder, ignore_errors=True)
            return
        try:
            _check_settings(parts, begun=parts.any_done())
            yield parts
        except BaseException:
            if not parts.any_done():  # nothing to resume: allow other settings
                shutil.rmtree(parts.folder, ignore_errors=True)
            raise
        shutil.rmtree(parts.folder)


def _refuse_foreign(parts: Parts) -> None:
    """Refuse to replace or delete files beside the predictions that are not of psgimg."""
    if parts.sidecar.exists() and not ownership.read_mark(parts.sidecar):
        raise ownership.foreign(parts.sidecar, "--out")
    ownership.refuse_links([parts.folder], "--out")
    present = parts.folder.iterdir() if parts.folder.is_dir() else ()
    for path in sorted(present):
        if not (OWN_NAME.fullmatch(path.name) or SHARES.fullmatch(path.name)):
            raise ownership.foreign(path, "--out")


def _check_settings(parts: Parts, *, begun: bool) -> None:
    """Raise BuildError if the file was written, or begun, with other settings.

    Parameters
    ----------
    begun
        Whether the settings of an unfinished command count.
    """
    path = parts.folder / "settings.json"
    try:
        before = _settings(parts, path if begun else None)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(f"{parts.sidecar} is damaged ({error}); choose another --out") from error
    if before is None and parts.out.exists():
        raise BuildError(f"{parts.out} exists already; choose another --out or remove it")
    before = earlier_settings.completed(before, parts.settings, earlier_settings.OF_PREDICTIONS)
    if before is not None and (changed := earlier_settings.changed(before, parts.settings)):
        raise BuildError(
            f"{parts.out} was written or begun with other settings ({', '.join(changed)}); use the "
            f"same ones, choose another --out, or remove it with {parts.sidecar.name} and "
            f"{parts.folder.name}"
        )
    atomic_file.write_text(path, json.dumps(parts.settings, sort_keys=True))


def _settings(parts: Parts, begun: Path | None) -> dict[str, Any] | None:
    """Return the settings of the command that wrote, or began, the file; None if there is none."""
    if parts.sidecar.exists() and parts.out.exists():
        finished: dict[str, Any] = bounded.read_json(parts.sidecar)["settings"]
        return finished
    if begun is not None and (begun.exists() or parts.any_done()):
        unfinished: dict[str, Any] = bounded.read_json(begun)
        return unfinished
    return None
