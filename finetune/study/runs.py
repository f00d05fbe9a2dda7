"""Runs: steps of a study as processes, each once; what is finished is known by the mark it left."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from psgimg.builder import atomic_file
from psgimg.builder.progress import Progress
from psgimg.finetune.study.command_words import last_line
from psgimg.finetune.study.plan import Cell, Step

STEPS = "steps"
"""Folder of the marks, logs and locks, one of each a step."""

PSGIMG = (sys.executable, "-P", "-c", "from psgimg.builder.cli import main; main()")
"""The command of this very installation, whatever the path says."""

TAIL_BYTES = 20_000


@dataclass
class Runner:
    """Runs steps in the folder of a study, what they need first.

    Parameters
    ----------
    out
        Folder of the study.
    failed
        Steps that failed in this run → why. They are not tried again before the next.
    """

    out: Path
    progress: Progress
    failed: dict[str, str] = field(default_factory=dict)

    def run(self, cells: Sequence[Cell]) -> None:
        """Have every cell evaluated, but those whose steps fail."""
        for cell in cells:
            if reason := self._ensure(cell.evaluation):
                self.progress.note(f"set aside: {cell.name}: {reason}")

    def _ensure(self, step: Step) -> str | None:
        """Have a step done; None, or why it can't be. What it needs is not asked for if it is done."""
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
        """Run a command to its end and leave a mark; None, or why it failed."""
        log = _file(self.out, step, "log")
        earlier = log.exists()
        words = [*located(self.out, step), *_going_on(self.out, step)]
        self.progress.note(f"{' '.join(['psgimg', *words])}  (log: {log})")
        begun = time.perf_counter()
        with log.open("ab") as stream:
            status, cpu_seconds = _wait([*PSGIMG, *words], stream, lock)
        mark: dict[str, Any] = {"words": list(step.words), "psgimg": version("psgimg")}
        reason = None if status == 0 else f"{step.command}: {_why(status, log)}"
        if reason is None:
            mark |= {
                "seconds": round(time.perf_counter() - begun, 1),
                "cpu_seconds": round(cpu_seconds, 1),
                "interrupted": earlier,
            }
        else:
            mark["failed"] = reason
        atomic_file.write_text(_file(self.out, step, "json"), json.dumps(mark, indent=1) + "\n")
        return reason

    @contextmanager
    def _held(self, step: Step) -> Iterator[int]:
        """Hold a step. Its process inherits the lock, and keeps it should this one be killed."""
        path = _file(self.out, step, "lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.progress.note(f"waiting for another process at {step.id}")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield lock.fileno()


def is_done(out: Path, step: Step) -> bool:
    """Whether a step is finished: its mark says so, and what it made is there."""
    mark = read_mark(out, step)
    return bool(mark) and "failed" not in mark and (out / step.finished).exists()


def read_mark(out: Path, step: Step) -> dict[str, Any]:
    """What a step left: ``seconds``, ``cpu_seconds`` and ``interrupted``, or ``failed``; or nothing."""
    try:
        mark = json.loads(_file(out, step, "json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return mark if isinstance(mark, dict) and mark.get("words") == list(step.words) else {}


def located(out: Path, step: Step) -> list[str]:
    """Words of a step with the study's folder put in."""
    return [str(out / word[2:]) if word.startswith("@/") else word for word in step.words]


def _file(out: Path, step: Step, suffix: str) -> Path:
    return out / STEPS / f"{step.id}.{suffix}"


def _going_on(out: Path, step: Step) -> list[str]:
    """Further words for a training that was interrupted; without a checkpoint it begins anew."""
    folder = out / step.made
    if step.command == "predict":
        _forget_earlier(out, step)
    if step.command != "sft" or not folder.exists():
        return []
    if any(_is_whole(path) for path in folder.glob("checkpoint-*/trainer_state.json")):
        return ["--resume-from-checkpoint", "true"]
    shutil.rmtree(folder)
    return []


def _forget_earlier(out: Path, step: Step) -> None:
    """Remove answers of a model that was taught anew since: `predict` would not go on with them."""
    taught = [out / need.finished for need in step.needs if need.command == "sft"]
    made = out / step.made
    left = [made.with_name(made.name + suffix) for suffix in ("", ".json", ".parts")]
    for path in filter(Path.exists, left):
        if any(path.stat().st_mtime < model.stat().st_mtime for model in taught):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _is_whole(state: Path) -> bool:
    """Whether the file that the trainer writes last into a checkpoint is there to its end."""
    try:
        json.loads(state.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


def _wait(words: Sequence[str], stream: Any, lock: int) -> tuple[int, float]:
    """Run a process: its status, and its seconds of CPU."""
    process = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, pass_fds=(lock,)
    )
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:  # an interruption: nothing is to work on behind the user's back
        process.terminate()
        process.wait()
        raise
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime


def _why(status: int, log: Path) -> str:
    """Why a command failed, in one line: what it said last, and the signal that ended it."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_BYTES))
        said = last_line(file.read().decode("utf-8", "replace"))
    if status < 0:
        return f"ended by {signal.Signals(-status).name}; the last it said: {said or 'nothing'}"
    return said or f"ended with status {status} and said nothing"
