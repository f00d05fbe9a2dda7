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
