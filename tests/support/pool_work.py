"""What the workers of ``test_engine.py`` do: in a module that a spawned process can import."""

import os
import signal
import sys
import time
from pathlib import Path

from patience import PATIENCE_S, wait_for


def double(task):
    return 2 * task


def fragile(task):
    """Task 3 kills its worker each time; task 5 only once."""
    number, folder = task
    mark = Path(folder) / "died"
    if number == 3 or (number == 5 and not mark.exists()):
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def has_imported(task):
    """Whether a module was imported before; a task for each of two workers, who wait for each other."""
    name, folder = task
    Path(folder, str(os.getpid())).touch()
    wait_for(lambda: len(list(Path(folder).iterdir())) == 2)
    return name in sys.modules


def lost(task):
    return ("lost", task[0])


def refuse(task):
    raise ValueError(f"task {task}")


def refuse_or_sleep(task):
    if task:
        time.sleep(2 * PATIENCE_S)
    raise ValueError(f"task {task}")
