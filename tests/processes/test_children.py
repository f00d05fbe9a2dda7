"""Children: whatever ends a command, nothing that it has started outlives it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from patience import PATIENCE_S, wait_for

CHILD = """
import sys, os
from psgimg.builder.processes import children, termination
hasty = "from psgimg.builder.processes import parent; parent.CLEAN_UP_S = 0.5; "
children.CLEAN_UP_S, children.WATCH = 0.5, hasty + children.WATCH
with termination.handled(), open(sys.argv[1] + "/log", "wb") as log:
    children.run(
        "import os, sys, time, signal, subprocess; "
        "signal.signal(signal.SIGTERM, signal.SIG_IGN) if sys.argv[2] == 'deaf' else None; "
        "grand = subprocess.Popen(['sleep', '100']); "
        "open(sys.argv[1] + '/pids', 'w').write(f'{os.getpid()} {grand.pid} '); "
        "os.rename(sys.argv[1] + '/pids', sys.argv[1] + '/ready'); time.sleep(100)",
        sys.argv[1:], log,
    )
"""


@pytest.mark.parametrize("how", ["heeding", "deaf"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_child_and_no_grandchild_outlives_the_command_that_started_it(tmp_path, number, how):
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", CHILD, str(tmp_path), how], stderr=subprocess.DEVNULL
    )
    wait_for((tmp_path / "ready").exists)
    pids = [int(word) for word in (tmp_path / "ready").read_text().split()]
    process.send_signal(number)
    process.wait(PATIENCE_S)
    wait_for(lambda: not any(map(alive, pids)))


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
