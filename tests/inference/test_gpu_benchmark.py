"""GPU benchmark: its levers change the speed of a model, not its answers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import builds
import pytest

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu.py"


def test_levers_leave_the_answers_as_they_are(demo_corpus, tmp_path):
    pages = tmp_path / "pages"
    builds.run(pages, demo_corpus, "demo", limit=3)
    words = [str(pages), "--tiny", "--device", "cpu", "--budget", "600", "--out", "gpu.json"]
    only = ["--only", "score, defaults", "--only", "score, + one pass", "--only", "bare TRL"]
    done = subprocess.run(
        [sys.executable, str(BENCHMARK), *words, *only],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "gpu.json").read_text())["results"]
    bare, usual, levered = results
    assert bare["pages_per_s"] > 0
    assert bare["waiting"] < 1
    assert levered["levers"] == "varlen positions conv workers onepass"
    assert levered["answers"] == pytest.approx(usual["answers"], abs=2e-3)
