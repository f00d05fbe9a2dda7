"""Kills: a few of the moments at which ``benchmarks/kills.py`` kills commands; see docs."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import kill_point
import kills
import pytest
from kill_cases import Case
from kill_point import Outcome

KILLS = Path(__file__).resolve().parents[2] / "benchmarks" / "kills.py"


def test_commands_killed_at_a_few_moments_end_with_the_same_bytes_and_leave_nothing():
    commands = ("build", "part", "join", "export", "rebuild")
    words = ["--points", "24", *(word for one in commands for word in ("--command", one))]
    done = subprocess.run(
        [sys.executable, str(KILLS), *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line.split() for line in done.stdout.splitlines()[1:]]
    counts = [list(map(int, line[-8:-1])) for line in lines]
    assert sum(n_points for n_points, *_ in counts) == 24
    assert sum(n_killed for _, n_killed, *_ in counts) > 12


def test_points_are_shared_evenly_among_commands_then_among_their_cases():
    cases = [Case("a1", ["a"]), Case("a2", ["a"]), Case("b", ["b"])]
    assert [(case.name, n) for case, n in kills.shares(cases, 9)] == [
        ("a1", 3),
        ("a2", 2),
        ("b", 4),
    ]


def test_moments_cover_every_change_and_are_the_same_for_a_seed():
    case = Case("build", ["build"])
    reference = kills.Reference({}, n_events=10, seconds=2.0)
    found = kills.moments(case, 20, reference, seed=1)
    assert sorted(moment.event for moment in found if moment.event) == list(range(1, 11))
    assert all(0 <= moment.after_s < 2 for moment in found)
    assert {moment.number for moment in found} == set(kills.SIGNALS)
    assert found == kills.moments(case, 20, reference, seed=1)
    assert found != kills.moments(case, 20, reference, seed=2)


def test_a_missing_a_different_and_a_left_over_file_are_faults_and_recorded_times_are_none():
    outcome = Outcome()
    expected = {"a": "1", "b": "1", "c": "1", "log": "1"}
    kill_point.compare(outcome, {"a": "1", "b": "2", "log": "2", ".x.tmp": "1"}, expected, ["l*"])
    assert (outcome.different, outcome.left) == (["b", "c"], [".x.tmp"])
    assert kills.show(Case("a", ["a"]), [outcome]) == 3


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_is_killed_before_the_change_that_is_named(tmp_path, number):
    def run():
        kill_point.kill_at(3, number)()
        for i in range(5):
            (tmp_path / str(i)).mkdir()
            if i == 2:
                signal.pause()

    assert kill_point.wait(kill_point.fork(run)) == -number
    assert {path.name for path in tmp_path.iterdir()} <= {"0", "1", "2"}
    assert (tmp_path / "1").exists()


def test_a_child_that_outlives_its_command_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(kill_point, "ORPHANS_S", 0.3)

    def run():
        kill_point.adopt_orphans()
        orphan = kill_point.fork(lambda: kill_point.fork(signal.pause))
        os.waitpid(orphan, 0)
        (tmp_path / "alive").write_text(str(kill_point.leave_no_child(set())))

    kill_point.wait(kill_point.fork(run))
    assert (tmp_path / "alive").read_text() == "1"
