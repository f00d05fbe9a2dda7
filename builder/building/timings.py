"""Timings: a log beside a dataset of how long each recording took, which process drew it, and when.

    OUT.timings.jsonl                    of a build by one machine or a cluster
    OUT.part-3-of-200.timings.jsonl      of a part

It is never part of the dataset, whose files tell nothing of the machines that made them.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from psgimg.builder.dataset.build_report import SetAside
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.dataset.shards import Key


@dataclass(frozen=True)
class Timing:
    """When a recording was begun, in UTC, by which process of which machine, and the seconds it took."""

    began: str
    worker: str
    seconds: dict[str, float]


class Stopwatch:
    """Measures the steps of one recording, from now on."""

    def __init__(self) -> None:
        self._began = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._last = time.perf_counter()
        self._seconds: dict[str, float] = {}

    def lap(self, step: str) -> None:
        """End a step, which began when the one before ended."""
        now = time.perf_counter()
        self._seconds[step], self._last = round(now - self._last, 3), now

    def timing(self) -> Timing:
        """Return what was measured."""
        return Timing(self._began, f"{platform.node()}/{os.getpid()}", self._seconds)


@dataclass
class Log:
    """The log of a build; ``note`` is told if it can't be written, which ends nothing else."""

    path: Path
    note: Callable[[str], None]
    _is_open: bool = field(default=True, init=False)

    @classmethod
    def of(cls, config: BuildConfig, note: Callable[[str], None]) -> Log:
        """Return the log of a build or of a part of one."""
        out = config.out.resolve()
        part = config.part
        of_part = f".part-{part.number}-of-{part.n_parts}" if part.n_parts > 1 else ""
        return cls(out.with_name(f"{out.name}{of_part}.timings.jsonl"), note)

    def add(self, key: Key, n_pages: int, timing: Timing) -> None:
        """Append a line for a recording that was drawn."""
        where = {"began": timing.began, "worker": timing.worker}
        self._append(key, {"outcome": "drawn", "pages": n_pages, **where, **timing.seconds})

    def add_set_aside(self, entry: SetAside) -> None:
        """Append a line for a recording that was set aside."""
        self._append(entry.key, {"outcome": entry.reason})

    def _append(self, key: Key, values: Mapping[str, object]) -> None:
        if not self._is_open:
            return
        line = json.dumps({"corpus": key[0], "recording": key[1], **values})
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")
        except OSError as error:
            self._is_open = False
            self.note(f"{self.path} can't be written ({error.strerror}): timings are not logged")
