"""Cluster: the workers of a Dask cluster draw what one machine draws, and may die, come and leave."""

import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest
import tiny
from builds import content, run
from dask_processes import DaskProcesses
from patience import PATIENCE_S, wait_for
from psgimg.builder import build as main_path
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.engines import attempt, dask_cluster
from psgimg.builder.engines.attempt import Died, Site
from psgimg.builder.errors import BuildError
from psgimg.builder.progress import SILENT

SMALL = {"style": "paper", "trim_min": None, "splits": "1/1/1"}

SLOW = """
import time
from pathlib import Path
from psgimg.builder import night
drawn = night.draw
def draw(plan, spec):
    while not Path("go").exists():  # beside the logs
        time.sleep(0.02)
    return drawn(plan, spec)
night.draw = draw
"""

DEADLY = """
import os, signal
from psgimg.builder import night
drawn = night.draw
def draw(plan, spec):
    if plan.recording.recording == "shhs1-200002":
        os.kill(os.getpid(), signal.SIGKILL)
    return drawn(plan, spec)
night.draw = draw
"""


@pytest.fixture(scope="module")
def shhs(tmp_path_factory):
    root = tmp_path_factory.mktemp("shhs")
    tiny.write_shhs(root, n_subjects=3, visits=(1, 2), minutes=3)
    return root


@pytest.fixture(scope="module")
def whole(shhs, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "out"
    run(out, shhs, **SMALL)
    return content(out)


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Return a function that starts a cluster; it ends with the test."""
    monkeypatch.setattr(dask_cluster, "TIMEOUT_S", PATIENCE_S)
    started = []

    def start(n_workers, code=""):
        started.append(DaskProcesses(tmp_path / "dask", n_workers, code))
        return started[-1]

    yield start
    for one in started:
        one.close()


def built_on(cluster, out, root):
    config = BuildConfig(("shhs",), (str(root),), out, **SMALL)
    return main_path.build_on(str(cluster.file), config, SILENT)


def n_begun(out):
    """Return how many nights are in progress; folders may vanish while they are listed."""
    with suppress(FileNotFoundError):
        return len(list(out.glob(".psgimg/begun/*/*")))
    return 0


def test_a_cluster_of_which_a_worker_is_killed_and_one_comes_late_builds_the_same(
    shhs, whole, tmp_path, cluster, monkeypatch
):
    monkeypatch.chdir(shhs)  # paths of the command are relative to where it runs
    ours, out = cluster(2, SLOW), tmp_path / "out"

    def kill_one():
        wait_for(lambda: n_begun(out) == 2)
        ours.kill_worker(ours.workers[0])
        ours.add_worker()
        (ours.folder / "go").touch()

    killing = threading.Thread(target=kill_one)
    killing.start()
    built_on(ours, out, ".")
    killing.join()
    assert content(out) == whole
    assert built_on(ours, out, ".").values["set_aside"] == []  # and once more, to extend it


def test_a_night_that_kills_its_worker_twice_is_set_aside_and_the_others_go_on(
    shhs, tmp_path, cluster
):
    report = built_on(cluster(3, DEADLY), tmp_path / "out", shhs)
    aside = {entry["recording"]: entry["reason"] for entry in report.values["set_aside"]}
    assert aside == {"shhs1-200002": "worker died"}
    assert len(report.values["recordings"]) == 5
    assert not (tmp_path / "out" / ".psgimg").exists()


def test_a_scheduler_that_dies_ends_the_command_in_one_line(shhs, tmp_path, cluster):
    ours, out = cluster(1, SLOW), tmp_path / "out"

    def kill():
        wait_for(lambda: n_begun(out))
        ours.scheduler.kill()

    killing = threading.Thread(target=kill)
    killing.start()
    with pytest.raises(BuildError, match="--cluster: the scheduler was lost or restarted"):
        built_on(ours, out, shhs)
    killing.join()


OTHER = """
from psgimg.builder.building import part_record
part_record.platform.python_version = lambda: "3.10.1"
"""


def test_a_worker_with_other_versions_ends_the_command_in_one_line(shhs, tmp_path, cluster):
    with pytest.raises(
        BuildError, match=r"--cluster: a worker on .* has .*3\.10\.1.*; install the"
    ):
        built_on(cluster(1, OTHER), tmp_path / "out", shhs)
    assert not (tmp_path / "out").exists()


# An attempt


def site(tmp_path, expected=1):
    marks = tmp_path / "begun" / "run"
    marks.mkdir(parents=True, exist_ok=True)
    return Site(marks, one, expected)


def one():
    return 1


def test_an_attempt_leaves_a_mark_while_it_lasts(tmp_path):
    ours = site(tmp_path)
    assert attempt.attempt(lambda _: ours.deaths(7), "task", 7, ours) == 1
    with pytest.raises(ZeroDivisionError):
        attempt.attempt(lambda _: 1 / 0, "task", 7, ours)
    assert ours.deaths(7) == 0


def test_a_task_is_not_tried_a_third_time_and_marks_are_its_own(tmp_path):
    ours = site(tmp_path)
    for name in ("1-a", "11-a", "11-b"):
        (ours.marks / name).touch()
    assert attempt.attempt(str, 5, 1, ours) == "5"
    assert attempt.attempt(str, 5, 11, ours) == Died()


def test_one_task_at_a_time_is_done_however_many_threads_a_worker_has(tmp_path):
    ours, present = site(tmp_path), []

    def work(_):
        present.append(len(list(ours.marks.iterdir())))
        time.sleep(0.05)

    threads = [threading.Thread(target=attempt.attempt, args=(work, i, i, ours)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert present == [1] * 4


def test_a_worker_that_does_not_see_the_folder_says_so(tmp_path):
    with pytest.raises(BuildError, match=r"does not see .*begun; use an --out that all machines"):
        attempt.attempt(str, 5, 1, Site(tmp_path / "begun" / "run", one, 1))


# What is refused


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("c.yaml", "jobs: 2\ncorse: 1", "unknown key corse; use jobs and the arguments of"),
        ("c.yaml", "cores: 1\nmemory: 2GB", "jobs is None; give the number of jobs, such as 20"),
        ("c.yaml", "jobs: 2", r"c\.yaml: cores and memory missing; say how much a job gets"),
        ("none.json", None, r"none\.json: no such file; start `dask scheduler` first"),
        ("none.yaml", None, r"--cluster .*none\.yaml"),
    ],
)
def test_a_file_that_describes_no_cluster_is_refused(tmp_path, name, text, message):
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(BuildError, match=message), dask_cluster.opened(str(path), print):
        pass


def test_the_library_of_clusters_leaves_the_signals_of_a_command_as_they_were(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("jobs: 1")
    code = (
        "import signal, sys; from psgimg.builder.engines import dask_cluster; before = "
        "signal.getsignal(signal.SIGINT)\ntry:\n    dask_cluster.opened(sys.argv[1], print).__enter__()"
        "\nexcept Exception as error:\n    print(error)\nassert 'dask_jobqueue' in sys.modules\n"
        "assert signal.getsignal(signal.SIGINT) is before"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code, str(path)], check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("where", ["127.0.0.1:9", "nowhere", "tcp://127.0.0.1:9", "x://y:1"])
def test_an_address_where_no_scheduler_answers_is_refused(where, monkeypatch):
    monkeypatch.setattr(dask_cluster, "TIMEOUT_S", 1)
    message = f"--cluster {where}: no scheduler answers there"
    with pytest.raises(BuildError, match=message), dask_cluster.opened(where, print):
        pass


def test_a_cluster_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(BuildError, match=r'needs Dask: pip install "psgimg\[cluster\]"'),
        dask_cluster.opened("127.0.0.1:1", print),
    ):
        pass
