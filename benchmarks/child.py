"""Child: runs a benchmark in a process of its own, so that its imports and peak memory are measured.

``python child.py WORK CORES ARGUMENTS`` prints the result of the work and its peak memory as JSON.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any


def run(work: str, *arguments: object, cores: int = 1) -> dict[str, Any]:
    """Run a function of ``work.py`` in a fresh process, pinned to a number of cores.

    ``seconds`` in the result covers the whole process, imports included, and ``cpu_seconds`` the CPU
    time of it and its children, on which other programs have less influence.
    """
    command = [sys.executable, __file__, work, str(cores), *map(str, arguments)]
    # As installed: modules are compiled once, not at every start.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    before, start = _cpu_seconds(), time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
    seconds, cpu_seconds = time.perf_counter() - start, _cpu_seconds() - before
    return {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu_seconds, 2),
        **json.loads(done.stdout.splitlines()[-1]),
    }


def machine(packages: Sequence[str]) -> dict[str, Any]:
    """Return what a benchmark runs on, with the versions of some packages."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "versions": {name: version(name) for name in packages},
    }


def _cpu_seconds() -> float:
    """Return the CPU time of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def pin(cores: int) -> None:
    """Pin this process and its children to a number of cores, where the system supports it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def peak_mb() -> float:
    """Return the peak resident memory of this process in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss would include the parent's peak across fork and exec
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return round(int(line.split()[1]) * 1024 / 1e6, 1)
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)


def main() -> None:
    """Run the work named on the command line."""
    name, cores, *arguments = sys.argv[1:]
    pin(int(cores))
    import work

    result = getattr(work, name)(*arguments)
    print(json.dumps({**result, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()
