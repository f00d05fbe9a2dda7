"""Benchmarks: what they time still runs, so that the next measurement finds no dead import."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import nights
import pytest
import scale
import scale_phases
import tiny
import workers

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
    machine = {"cpus": 2, "system": "Linux x86_64"}
    found = {"sizes": {"4": {"machine": machine, **phases}}}
    drawn = json.loads((CHILD.parents[1] / "docs" / "benchmarks.json").read_text())
    assert scale.sizes_table(found).count("\n| ") == len(scale.SHOWN)
    n_gb = drawn["page"]["clinical"]["png_kb"] * 950 * 8444 / 1e6
    assert f"| disk for the dataset | {n_gb:,.0f} GB |\n" in scale.costs_table(found, drawn)


def test_sizes_are_measured_one_by_one_and_gathered_in_one_file(tmp_path, monkeypatch, capsys):
    def measure(folder, n_nights, n_pages, phases):
        if n_nights == 5:
            raise SystemExit("interrupted")
        return {"machine": {"cpus": n_nights}, **dict.fromkeys(phases, len(phases))}

    monkeypatch.setattr(scale, "measure", measure)
    for name in ("sizes_table", "costs_table"):
        monkeypatch.setattr(scale, name, lambda *_: "")
    out = tmp_path / "scale.json"
    words = ["scale.py", "--pages", "6", "--out", str(out)]
    for sizes, known in (("30,4", ["4", "30"]), ("5", ["4", "30"]), ("7", ["4", "7", "30"])):
        monkeypatch.setattr(sys, "argv", [*words, "--sizes", sizes])
        with contextlib.suppress(SystemExit):
            scale.main()
        assert list(json.loads(out.read_text())["sizes"]) == known
    monkeypatch.setattr(sys, "argv", [*words, "--sizes", "7", "--phases", "evaluate"])
    scale.main()
    seven = json.loads(out.read_text())["sizes"]["7"]
    assert (seven["evaluate"], seven["index"]) == (1, len(scale_phases.PHASES))
    monkeypatch.setattr(sys, "argv", [*words[:2], "9", *words[3:]])
    with pytest.raises(SystemExit, match="has nights of 6 pages, not 9"):
        scale.main()
    capsys.readouterr()


def test_one_worker_and_two_are_measured_phase_by_phase(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # which a run sets
    nights.write(tmp_path / "shhs", 2, n_epochs=4)
    pair = workers.pair(tmp_path / "shhs", tmp_path / "out", 2)
    found = workers.best([pair])
    for run in (found["one_worker"], found["two_workers"]):
        assert run["pages"] == 8
        assert 0 < run["start_seconds"] + run["after_seconds"] < run["seconds"]
    text = workers.table({"machine": {"cpus": 2, "system": "x"}, "pairs": [pair], **found})
    assert f"**{found['ratio']:.2f}** times" in text


def test_what_is_projected_for_many_workers_ends_where_one_thread_can_do_no_more():
    one = {"start_seconds": 1.0, "night_seconds": 2.0, "after_seconds": 11.0}
    two = {"start_seconds": 2.0, "night_seconds": 2.0, "after_seconds": 1.0}
    found = {"nights": 100, "one_worker": one, "two_workers": two}  # 0.1 s of shards a night
    few, many, more = (workers.projected(found, n) for n in (4, 32, 64))
    assert few["seconds"] == 2 + 250 * 2 + 1
    assert few["limit"] == "drawing"
    assert many["seconds"] == more["seconds"] == 2 + 1000 * 0.1 + 1
    assert many["limit"] == "shards"
