"""Benchmarks: what they time still runs, so that the next measurement finds no dead import."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import scale
import scale_phases
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


def test_every_phase_of_a_large_corpus_runs_and_its_tables_are_filled(tmp_path, monkeypatch):
    for name in ("XDG_CACHE_HOME", "HF_HOME"):  # which the phases set
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(scale_phases, "N_DRAWN", 1)
    phases = {
        name: {"peak_mb": 1, **scale_phases.run(name, tmp_path, n_nights=4, n_pages=6)}
        for name in scale_phases.PHASES
    }
    assert (phases["list"]["recordings"], phases["plan"]["tasks"]) == (4, 4)
    assert phases["draw"]["pages"] == scale_phases.SHORT_EPOCHS
    assert phases["evaluate"]["rows"] == 4 * 6
    assert 0 < phases["index"]["rows"] == phases["load"]["rows"] < 4 * 6
    n_bytes = sum(path.stat().st_size for path in (tmp_path / "shhs").rglob("*.*"))
    if "read_mb" in phases["fingerprint"]:
        assert phases["fingerprint"]["read_mb"] >= round(n_bytes / 1e6, 2)
    found = {"sizes": {"4": phases}}
    drawn = json.loads((CHILD.parents[1] / "docs" / "benchmarks.json").read_text())
    found["machine"] = {"cpus": 2, "system": "Linux x86_64"}
    assert scale.sizes_table(found).count("\n| ") == len(scale.SHOWN)
    n_gb = drawn["page"]["clinical"]["png_kb"] * 950 * 8444 / 1e6
    assert f"| disk for the dataset | {n_gb:,.0f} GB |\n" in scale.costs_table(found, drawn)
