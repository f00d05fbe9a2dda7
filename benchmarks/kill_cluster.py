"""Kills workers of a Dask cluster, and commands that use it, and compares every byte of what they made.

``python benchmarks/kill_cluster.py --kills N [--seed S]`` builds a small corpus again and again on a
scheduler with three workers. In three runs of four a worker is killed while it draws, and another one
comes; in the fourth the command is killed, and run again. The exit status is 1 if a byte differs from
the build of one machine.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import kill_point

SUPPORT = Path(__file__).resolve().parents[1] / "tests" / "support"
PSGIMG = (sys.executable, "-P", "-c", "from psgimg.builder.cli import main; main()")
BUILD = ("build", "--source", "shhs", "--trim", "none", "--splits", "1/1/1")
COLUMNS = "{:10} {:>6} {:>7} {:>10} {:>7} {:>7}"
LIMIT_S = 300.0


def main() -> None:
    """Kill, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=34, help="number of kills [34]")
    parser.add_argument("--workers", type=int, default=3, help="number of workers [3]")
    parser.add_argument("--nights", type=int, default=6, help="nights of the corpus [6]")
    parser.add_argument("--seed", type=int, default=0, help="shifts the moments [0]")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="psgimg-cluster-") as scratch:
        faults = measure(Path(scratch), options)
    sys.exit(faults > 0)


def measure(scratch: Path, options: argparse.Namespace) -> int:
    """Make all kills and print a line for each kind; return the number of faults."""
    sys.path.insert(0, str(SUPPORT))
    import tiny
    from dask_processes import DaskProcesses

    root = scratch / "shhs"
    tiny.write_shhs(root, n_subjects=options.nights // 2, visits=(1, 2), minutes=20)
    build = [*PSGIMG, *BUILD, "--root", str(root), "--out"]
    whole = scratch / "whole"
    subprocess.run([*build, str(whole), "--workers", "1"], check=True, stdout=subprocess.DEVNULL)
    random_ = random.Random(options.seed)
    found = {kind: {"kills": 0, "drawing": 0, "different": 0, "status": 0} for kind in KINDS}
    began = time.monotonic()
    cluster = DaskProcesses(scratch / "dask", options.workers)
    try:
        for i in range(options.kills):
            kind, out = KINDS[i % 4 == 3], scratch / f"out{i}"
            command = [*build, str(out), "--cluster", str(cluster.file)]
            status, drawing = killed(command, out, kind, cluster, random_)
            counts = found[kind]
            counts["kills"] += 1
            counts["drawing"] += drawing
            counts["different"] += kill_point.contents(out) != kill_point.contents(whole)
            counts["status"] += status != 0
            shutil.rmtree(out, ignore_errors=True)
    finally:
        cluster.close()
    print(COLUMNS.format("killed", "kills", "drawing", "different", "status", "mean s"))
    mean_s = (time.monotonic() - began) / max(options.kills, 1)
    for kind, counts in found.items():
        print(COLUMNS.format(kind, *counts.values(), f"{mean_s:.1f}"))
    return sum(counts["different"] + counts["status"] for counts in found.values())


KINDS = ("worker", "command")


def killed(
    command: Sequence[str], out: Path, kind: str, cluster: object, random_: random.Random
) -> tuple[int, bool]:
    """Run a build to its end with one kill; return its status, and whether nights were being drawn."""
    process = started(command, out)
    wait_for_drawing(process, out)
    time.sleep(random_.random() * 1.5)
    drawing = bool(marks(out))
    if kind == "command":
        process.send_signal(random_.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGINT)))
        process.wait(LIMIT_S)
        process = started(command, out)
    else:
        cluster.kill_worker(random_.choice(cluster.workers))  # type: ignore[attr-defined]
        cluster.add_worker()  # type: ignore[attr-defined]
    return process.wait(LIMIT_S), drawing


def started(command: Sequence[str], out: Path) -> subprocess.Popen[bytes]:
    """Start a command, with its output in a log."""
    with out.with_suffix(".log").open("ab") as log:
        return subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, "COLUMNS": "100"}
        )


def marks(out: Path) -> list[Path]:
    """Return the marks of the tasks that workers are doing."""
    return list((out / ".psgimg" / "begun").glob("*/*"))


def wait_for_drawing(process: subprocess.Popen[bytes], out: Path) -> None:
    """Wait until a worker has begun a night, or the command has ended."""
    while process.poll() is None and not marks(out):
        time.sleep(0.01)


if __name__ == "__main__":
    main()
