"""Benchmarks: what they time still runs, so that the next measurement finds no dead import."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import tiny

CHILD = Path(__file__).resolve().parents[2] / "benchmarks" / "child.py"


@pytest.mark.parametrize(("work", "options"), [("build", ("1", "1")), ("night", ())])
def test_the_work_that_benchmarks_time_draws_every_page(work, options, tmp_path):
    ((_, scores),) = tiny.write_shhs(tmp_path / "shhs", 1, (1,), minutes=4).items()
    words = [work, "1", str(tmp_path / "shhs"), str(tmp_path / "out"), *options]
    done = subprocess.run(
        [sys.executable, str(CHILD), *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["pages"] == len(scores) - len("?M")


def test_the_cost_of_the_quality_measurement_is_timed_within_a_night(tmp_path):
    tiny.write_shhs(tmp_path / "shhs", 1, (1,), minutes=4)
    script = CHILD.with_name("quality.py")
    words = ["--source", "shhs", "--root", str(tmp_path / "shhs")]
    done = subprocess.run(
        [sys.executable, str(script), *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    timed = json.loads(done.stdout)
    assert timed["pages"] > 0
    assert 0 < timed["quality_cpu_seconds"] < timed["night_cpu_seconds"]
