"""What the workers of ``test_engine.py`` do: in a module that a spawned process can import."""

import os
import signal
import time
from pathlib import Path


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


def lost(task):
    return ("lost", task[0])


def refuse(task):
    raise ValueError(f"task {task}")


def refuse_or_sleep(task):
    if task:
        time.sleep(60)
    raise ValueError(f"task {task}")
