"""Work in a process of its own, so that imports count and no other work's memory does.

``python child.py WORK ARGUMENTS`` prints what the work returned with its peak memory.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def run(work: str, *arguments: object, cores: int = 1) -> dict[str, Any]:
    """Run a function of ``work.py`` in a fresh process on so many cores.

    ``seconds`` is from the start of the process to its end, imports included.
    """
    command = [sys.executable, __file__, work, str(cores), *map(str, arguments)]
    start = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    seconds = time.perf_counter() - start
    return {"seconds": round(seconds, 2), **json.loads(done.stdout.splitlines()[-1])}


def pin(cores: int) -> None:
    """Keep this process and its children on so many cores, where the system lets us."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def peak_mb() -> float:
    """Peak resident memory of this process."""
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss keeps the parent's peak over fork and exec
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return round(int(line.split()[1]) * 1024 / 1e6, 1)
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)


def main() -> None:
    """Do what the command line says."""
    name, cores, *arguments = sys.argv[1:]
    pin(int(cores))
    import work

    result = getattr(work, name)(*arguments)
    print(json.dumps({**result, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()
