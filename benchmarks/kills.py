"""Kills commands at many moments, runs them again, and compares every byte of what they made.

``python benchmarks/kills.py --points N [--command NAME] [--seed S]`` spreads N points evenly over the
lives of the commands: half of them before each change that they make to the file system, half in
time. Of five points, three are by SIGKILL, one by SIGTERM and one by Ctrl-C. The exit status is 1 if a
byte differs from an uninterrupted run, or a temporary file or a child process is left.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import kill_cases
import kill_point
from kill_cases import Case
from kill_point import Contents, Moment, Outcome

ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    **dict.fromkeys(("HF_HUB_DISABLE_PROGRESS_BARS", "HF_HUB_DISABLE_TELEMETRY"), "1"),
    "HF_HUB_OFFLINE": "0",
    "TOKENIZERS_PARALLELISM": "false",
    "COLUMNS": "100",
}
"""Variables that libraries read when they are imported: one thread per process, as forks need."""

COMMANDS = ("build", "part", "join", "push", "export", "rebuild", "predict", "stage", "study")
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGKILL)
COLUMNS = "{:24} {:>7} {:>7} {:>8} {:>10} {:>10} {:>7} {:>7} {:>7}"


@dataclass(frozen=True)
class Reference:
    """An uninterrupted run of a case."""

    files: Contents
    n_events: int
    seconds: float


def main() -> None:
    """Run the points and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=100, help="number of points [100]")
    parser.add_argument("--command", action="append", choices=COMMANDS, help="only this command")
    parser.add_argument("--seed", type=int, default=0, help="shifts the moments [0]")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="points at a time")
    parser.add_argument(
        "--spawn", action="store_true", help="start new interpreters for workers and steps"
    )
    options = parser.parse_args()
    commands = options.command or COMMANDS
    with tempfile.TemporaryDirectory(prefix="psgimg-kills-") as scratch:
        os.environ |= {**ENVIRONMENT, "HF_HOME": str(Path(scratch) / "home")}
        faults = measure(Path(scratch), commands, options)
    sys.exit(faults > 0)


def measure(scratch: Path, commands: Sequence[str], options: argparse.Namespace) -> int:
    """Run all points and print one line per case; return the number of faults."""
    kill_cases.warm_up(commands)
    if not options.spawn:
        kill_cases.fork_for_spawn()
    inputs = scratch / "inputs"
    inputs.mkdir()
    cases = kill_cases.cases(inputs, commands)
    heads = ("points", "killed", "resumed", "different", "temporary", "alive", "status", "mean s")
    print(COLUMNS.format("command", *heads), flush=True)
    faults = 0
    for case, n_points in shares(cases, options.points):
        folder = scratch / "points"
        folder.mkdir()
        outcomes = run_case(case, n_points, folder, options)
        shutil.rmtree(folder)
        faults += show(case, outcomes)
    return faults


def shares(cases: Sequence[Case], n_points: int) -> list[tuple[Case, int]]:
    """Divide the points evenly among the commands, then among the cases of each."""
    commands = list(dict.fromkeys(case.command for case in cases))
    result = []
    for i, command in enumerate(commands):
        own = [case for case in cases if case.command == command]
        n_own = n_points // len(commands) + (i < n_points % len(commands))
        result += [(case, n_own // len(own) + (j < n_own % len(own))) for j, case in enumerate(own)]
    return result


def run_case(
    case: Case, n_points: int, scratch: Path, options: argparse.Namespace
) -> list[Outcome]:
    """Run the points of a case, several at a time, each in a process of its own."""
    reference = uninterrupted(case, scratch)
    running: dict[int, Path] = {}
    reports = []
    for i, moment in enumerate(moments(case, n_points, reference, options.seed)):
        if len(running) == options.jobs:
            running.pop(os.wait()[0])
        report = scratch / f"{i}.json"
        reports.append(report)
        running[_forked(case, moment, scratch / str(i), reference, report)] = report
    while running:
        running.pop(os.wait()[0])
    return [Outcome(**json.loads(path.read_text())) for path in reports]


def uninterrupted(case: Case, scratch: Path) -> Reference:
    """Run a case twice to its end, compare the two, and measure it."""
    runs: list[dict[str, Any]] = []
    for name in ("first", "second"):
        report = scratch / f"{name}.json"
        # The second run is timed: the first one also fills caches.
        os.waitpid(kill_point.fork(lambda n=name, r=report: _whole(case, scratch / n, r)), 0)
        runs.append(json.loads(report.read_text()))
    first, second = (run["files"] for run in runs)
    unlike = Outcome()
    kill_point.compare(unlike, second, first, case.timed)
    if unlike.different or unlike.left:
        raise SystemExit(f"{case.name}: two uninterrupted runs differ: {unlike}")
    return Reference(first, runs[0]["n_events"], runs[1]["seconds"])


def moments(case: Case, n_points: int, reference: Reference, seed: int) -> list[Moment]:
    """Return the moments of a case: the same seed gives the same ones."""
    random_ = random.Random(f"{seed}/{case.name}")
    shift = random_.random()
    result = []
    for i in range(n_points):
        share = (i + shift) / n_points
        number = SIGNALS[(i // 2) % len(SIGNALS)]
        if i % 2:
            result.append(Moment(number, after_s=share * reference.seconds))
        else:
            result.append(Moment(number, event=1 + int(share * reference.n_events)))
    return result


def show(case: Case, outcomes: Sequence[Outcome]) -> int:
    """Print the line of a case with its faults, and return their number."""
    found = {
        "different": [path for one in outcomes for path in one.different],
        "left": [path for one in outcomes for path in one.left],
        "status": [text for one in outcomes for text in one.wrong_exit],
    }
    n_alive = sum(one.alive for one in outcomes)
    numbers = (
        len(outcomes),
        sum(one.landed for one in outcomes),
        sum("second run" not in " ".join(one.wrong_exit) for one in outcomes),
        len(found["different"]),
        len(found["left"]),
        n_alive,
        len(found["status"]),
        f"{sum(one.seconds for one in outcomes) / max(len(outcomes), 1):.1f}",
    )
    print(COLUMNS.format(case.name, *numbers), flush=True)
    for what, texts in found.items():
        for text in sorted(set(texts)):
            print(f"  {what}: {text} ({texts.count(text)} times)")
    return sum(map(len, found.values())) + n_alive


def _forked(case: Case, moment: Moment, folder: Path, reference: Reference, report: Path) -> int:
    """Run a point in a fork that adopts the orphans of its command, and writes its outcome."""

    def run() -> None:
        kill_point.adopt_orphans()
        with _hub(case, folder) as (known, published):
            outcome = kill_point.run_point(case.words, folder, case.before, moment, known)
            files: Contents = {**kill_point.contents(folder), **published()}
        kill_point.compare(outcome, files, reference.files, case.timed)
        shutil.rmtree(folder)
        report.write_text(json.dumps(asdict(outcome)))

    return kill_point.fork(run)


def _whole(case: Case, folder: Path, report: Path) -> None:
    """Run a case to its end; write its files, the number of its changes and its seconds."""
    kill_point.adopt_orphans()
    count = folder.with_suffix(".count")
    with _hub(case, folder) as (_, published):
        if case.before:
            shutil.copytree(case.before, folder)
        folder.mkdir(parents=True, exist_ok=True)
        log, began = folder.with_suffix(".log"), time.monotonic()
        counted = kill_point.count_events(count)
        if kill_point.wait(kill_point.start(case.words, folder, log, counted)) != 0:
            raise SystemExit(f"psgimg {' '.join(case.words)} failed:\n{log.read_text()}")
        values: Mapping[str, Any] = {
            "seconds": time.monotonic() - began,
            "n_events": int(count.read_text()),
            "files": {**kill_point.contents(folder), **published()},
        }
    shutil.rmtree(folder)
    report.write_text(json.dumps(values))


@contextmanager
def _hub(case: Case, folder: Path) -> Iterator[tuple[set[int], Callable[[], Contents]]]:
    """Yield the children that may live on, and a function that returns what was published."""
    if case.command != "push":
        yield set(), dict
        return
    with kill_cases.hub(folder.with_name(f"{folder.name}.home")) as (process, contents):
        yield {process}, contents


if __name__ == "__main__":
    main()
