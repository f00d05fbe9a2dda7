"""Runs: execution of a study's steps as processes; a mark on disk records each finished step."""

from __future__ import annotations

import fcntl
import json
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from psgimg.builder import atomic_file
from psgimg.builder.files import bounded, quoting, secrets
from psgimg.builder.processes import children
from psgimg.builder.progress import Progress
from psgimg.finetune.study.command_words import last_line
from psgimg.finetune.study.plan import Cell
from psgimg.finetune.study.step import Step

STEPS = "steps"
"""Subfolder with a mark, a log and a lock file per step."""

COMMAND = "from psgimg.builder.cli import main; main()"
"""Code of the `psgimg` command of the running installation, independent of ``PATH``."""

TAIL_BYTES = 20_000


@dataclass
class Runner:
    """Runs the steps of a study in its folder, prerequisites first.

    Parameters
    ----------
    out
        Folder of the study.
    progress
        Receives progress and notes.
    failed
        Id of each step that failed in this run → reason. Failed steps are retried in the next run.
    """

    out: Path
    progress: Progress
    failed: dict[str, str] = field(default_factory=dict)

    def run(self, cells: Sequence[Cell]) -> None:
        """Evaluate every cell, and explain it if asked; a cell with a failed step is set aside."""
        for cell in cells:
            for goal in cell.goals:
                if reason := self._ensure(goal):
                    self.progress.note(f"set aside: {cell.name}: {reason}")

    def _ensure(self, step: Step) -> str | None:
        """Run a step and its prerequisites unless it is finished; return the reason of a failure."""
        if step.id in self.failed:
            return self.failed[step.id]
        if is_done(self.out, step):
            return None
        for need in step.needs:
            if reason := self._ensure(need):
                return reason
        with self._held(step) as lock:
            if is_done(self.out, step):  # by another process, meanwhile
                return None
            reason = self._run(step, lock)
        self.progress.advance()
        if reason:
            self.failed[step.id] = reason
        return reason

    def _run(self, step: Step, lock: int) -> str | None:
        """Run a command to completion and write its mark; return the reason if it failed."""
        log = _file(self.out, step, "log")
        earlier = log.exists()
        words = [*located(self.out, step), *_resume_words(self.out, step)]
        self.progress.note(f"{quoting.command(*words)}  (log: {log})")
        start = time.perf_counter()
        with log.open("ab") as stream:
            status, cpu_seconds = children.run(COMMAND, words, stream, keep=(lock,))
        mark: dict[str, Any] = {"words": list(step.words), "psgimg": version("psgimg")}
        reason = None if status == 0 else f"{step.command}: {_why(status, log)}"
        if reason is None:
            mark |= {
                "seconds": round(time.perf_counter() - start, 1),
                "cpu_seconds": round(cpu_seconds, 1),
                "interrupted": earlier,
            }
        else:
            mark["failed"] = reason
        atomic_file.write_text(_file(self.out, step, "json"), json.dumps(mark, indent=1) + "\n")
        return reason

    @contextmanager
    def _held(self, step: Step) -> Iterator[int]:
        """Lock a step. Its process inherits the lock, and keeps it if this process is killed."""
        path = _file(self.out, step, "lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.progress.note(f"waiting for another process that runs {step.id}")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield lock.fileno()


def is_done(out: Path, step: Step) -> bool:
    """Return whether a step is finished: its mark records success, and its output exists."""
    mark = read_mark(out, step)
    return bool(mark) and "failed" not in mark and (out / step.finished).exists()


def read_mark(out: Path, step: Step) -> dict[str, Any]:
    """Return a step's mark: its times and ``interrupted``, or ``failed``; empty without a mark."""
    try:
        mark = bounded.read_json(_file(out, step, "json"))
    except (OSError, ValueError):
        return {}
    return mark if isinstance(mark, dict) and mark.get("words") == list(step.words) else {}


def located(out: Path, step: Step) -> list[str]:
    """Return the words of a step, with paths in the study's folder resolved."""
    return [str(out / word[2:]) if word.startswith("@/") else word for word in step.words]


def _file(out: Path, step: Step, suffix: str) -> Path:
    return out / STEPS / f"{step.id}.{suffix}"


def _resume_words(out: Path, step: Step) -> list[str]:
    """Return extra words that resume an interrupted training; without a checkpoint, it restarts."""
    folder = out / step.made
    if step.command == "predict":
        _remove_stale(out, step)
    if step.command != "sft" or not folder.exists():
        return []
    if any(_is_whole(path) for path in folder.glob("checkpoint-*/trainer_state.json")):
        return ["--resume-from-checkpoint", "true"]
    if _file(out, step, "log").exists():  # else never begun: what is there is not this study's
        shutil.rmtree(folder)
    return []


def _remove_stale(out: Path, step: Step) -> None:
    """Remove predictions of a model that was retrained since, which `predict` would not resume."""
    trained = [out / need.finished for need in step.needs if need.command == "sft"]
    made = out / step.made
    earlier = [made.with_name(made.name + suffix) for suffix in ("", ".json", ".parts")]
    for path in filter(Path.exists, earlier):
        if any(path.stat().st_mtime < model.stat().st_mtime for model in trained):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _is_whole(state: Path) -> bool:
    """Return whether a checkpoint is complete, by the file that the trainer writes last."""
    try:
        bounded.read_json(state)
    except (OSError, ValueError):
        return False
    return True


def _why(status: int, log: Path) -> str:
    """Return why a command failed, in one line: the last line of its log, and any signal."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_BYTES))
        line = secrets.mask(last_line(file.read().decode("utf-8", "replace")))
    if status < 0:
        name = signal.Signals(-status).name
        return f"killed by {name}; last line of its log: {line or 'none'}"
    return line or f"exited with status {status} without a message"
