"""Engine: a worker that dies takes its own task with it, and a parent that dies takes its workers."""

import importlib.util
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from patience import PATIENCE_S, wait_for
from pool_work import double, fragile, has_imported, lost, refuse, refuse_or_sleep
from psgimg.builder.building import WORKER_MODULES
from psgimg.builder.processes import pool


@pytest.mark.parametrize("workers", [1, 2])
def test_every_task_has_one_result(workers):
    assert sorted(pool.run(double, range(20), workers, crashed=lost)) == list(range(0, 40, 2))


def test_a_task_that_kills_its_worker_costs_no_other(tmp_path):
    tasks = [(i, str(tmp_path)) for i in range(8)]
    found = list(pool.run(fragile, tasks, 2, crashed=lost))
    assert ("lost", 3) in found
    assert sorted(n for n in found if n != ("lost", 3)) == [0, 1, 2, 4, 5, 6, 7]


def test_workers_that_were_started_early_do_the_first_tasks(tmp_path):
    """One of them may have imported the module for both."""
    with pool.Processes(2).importing(["this"]) as engine:
        assert any(engine(has_imported, [("this", str(tmp_path))] * 2, crashed=lost))


def test_workers_without_any_task_end_with_the_context():
    """Ask the system: `is_alive` is true while another thread waits for the same process."""
    before = children()
    with pool.Processes(2).importing(["this"]):
        started = children() - before
        assert started
    assert not any(map(alive, started))


def test_one_worker_is_this_process_and_starts_nothing():
    before = children()
    with pool.Processes(1).importing(["this"]) as engine:
        assert children() <= before
        assert list(engine(double, range(3), crashed=lost)) == [0, 2, 4]


def test_what_workers_import_is_there():
    """A name that does not exist would go unnoticed: the tasks import what they need themselves."""
    assert all(importlib.util.find_spec(name) for name in WORKER_MODULES)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_ends_the_run(workers):
    with pytest.raises(ValueError, match="task"):
        list(pool.run(refuse, range(4), workers, crashed=lost))


@pytest.mark.parametrize("workers", [1, 2])
def test_once_asked_to_stop_what_is_in_progress_is_done_and_nothing_begun(workers):
    found = []
    results = pool.run(double, range(100), workers, crashed=lost, stop=lambda: bool(found))
    found.append(next(results))
    found += results
    assert 1 <= len(found) <= workers


SLEEPER = """
import sys, time
from pathlib import Path
from psgimg.builder.processes import pool

def work(task):
    import os
    Path(sys.argv[1], str(os.getpid())).touch()
    time.sleep(600)

if __name__ == "__main__":
    list(pool.run(work, range(4), 2, crashed=work))
"""


def test_no_worker_outlives_a_killed_parent(tmp_path):
    script = tmp_path / "sleeper.py"
    script.write_text(SLEEPER)
    pids = tmp_path / "pids"
    pids.mkdir()
    parent = subprocess.Popen([sys.executable, "-P", script, pids])
    wait_for(lambda: len(list(pids.iterdir())) == 2)
    parent.kill()
    parent.wait()
    wait_for(lambda: not any(alive(int(pid.name)) for pid in pids.iterdir()))


@pytest.mark.parametrize("number", pool.OF_PARENT)
def test_a_signal_to_the_whole_group_ends_the_run_without_a_traceback(tmp_path, number):
    """The resource tracker of multiprocessing is in the group too."""
    script = tmp_path / "sleeper.py"
    run = "list(pool.run(work, range(4), 2, crashed=work))"
    ending = "try:\n        with termination.handled():\n            "
    caught = "\n    except termination.Terminated:\n        pass"
    imported = SLEEPER.replace(
        "import pool", "import pool\nfrom psgimg.builder.processes import termination"
    )
    script.write_text(imported.replace(run, f"{ending}{run}{caught}"))
    pids = tmp_path / "pids"
    pids.mkdir()
    command = [sys.executable, "-P", script, pids]
    parent = subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE)
    wait_for(lambda: len(list(pids.iterdir())) == 2)
    os.killpg(parent.pid, number)
    _, errors = parent.communicate(timeout=PATIENCE_S)
    assert (parent.returncode, errors) == (0, b"")


def children():
    return {process.pid for process in multiprocessing.active_children()}


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_task_is_not_lost_when_the_pool_breaks_while_results_are_consumed(tmp_path):
    """The consumer is slow; meanwhile a worker dies and the next submission meets a broken pool."""
    tasks = [(i, str(tmp_path)) for i in (0, 3, 1, 2, 4, 5, 6, 7)]
    found = []
    for result in pool.run(fragile, tasks, 2, crashed=lost):
        time.sleep(0.5)
        found.append(result[1] if isinstance(result, tuple) else result)
    assert sorted(found) == list(range(8))


def test_after_an_error_no_worker_goes_on(tmp_path):
    with pytest.raises(ValueError, match="task 0"):  # whoever waits for the others waits in vain
        list(pool.run(refuse_or_sleep, range(4), 2, crashed=lost))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_whole_group_ends_workers_without_a_word_of_their_own(tmp_path, number):
    """As a terminal and a cluster send it: to the command and to its workers at the same time."""
    script = tmp_path / "sleeper.py"
    script.write_text(SLEEPER)
    pids = tmp_path / "pids"
    pids.mkdir()
    parent = subprocess.Popen(
        [sys.executable, "-P", script, pids],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: len(list(pids.iterdir())) == 2)
    os.killpg(parent.pid, number)
    _, error = parent.communicate(timeout=PATIENCE_S)
    assert error.count("Traceback") <= 1, error  # that of the parent, no psgimg command
    assert "SpawnProcess" not in error
    wait_for(lambda: not any(alive(int(pid.name)) for pid in pids.iterdir()))
