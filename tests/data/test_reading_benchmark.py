"""The benchmark of reading pages runs as its documents say, in every layout, on a few pages."""

import json
import subprocess
import sys
from pathlib import Path

import many_nights
import pytest
import tiny
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.dataset.config import BuildConfig
from psgimg.finetune.data import page_set

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "reading.py"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    place = tmp_path_factory.mktemp("small")
    tiny.write_shhs(place / "shhs", n_subjects=2, visits=(1,), minutes=6)
    options = {"style": "paper", "splits": "1/0/0", "trim_min": None}
    build(BuildConfig(("shhs",), (str(place / "shhs"),), place / "out", **options), Remembered())
    return place / "out"


@pytest.mark.parametrize("layout", many_nights.LAYOUTS)
def test_a_stand_in_opens_as_a_dataset_in_every_layout(small, tmp_path, layout):
    size = many_nights.make(small, tmp_path / "x", 3, 25, 0, layout)
    pages = page_set.load(str(tmp_path / "x"), None, "train")
    assert len(pages) == 3 * 25
    assert len(pages.index.recordings) == 3
    assert size == sum(path.stat().st_size for path in (tmp_path / "x").rglob("*.parquet"))
    assert len(pages.images([0, 74])) == 2
    in_place = "built" in layout or "one data page" in layout
    assert (pages.pictures.shards[0].groups[0].start is not None) == in_place


def test_the_benchmark_prints_what_it_measured(small, tmp_path):
    words = ["--dataset", small, "--recordings", 2, "--epochs", 40, "--pages", 10]
    words += ["--work", tmp_path, "--out", tmp_path / "reading.json"]
    command = [sys.executable, str(BENCHMARK), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "reading.json").read_text())
    assert json.loads(done.stdout) == found
    assert found["pages"] == 80
    for name in ("cold", "warm"):
        assert found[name]["random"]["kb"] > 0
        assert found[name]["recordings_in_32_pages"] == 2
