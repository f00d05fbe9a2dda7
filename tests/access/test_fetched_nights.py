"""Nights that a bad server gives: the build has all but the refused one; previews and baselines have theirs."""

import json

import numpy as np
import pytest
import tiny
from builds import content, run
from click.testing import CliRunner
from nsrr_server import TOKEN, NsrrServer
from progress import Remembered
from psgimg.builder.access import host as hosts
from psgimg.builder.access.fetch_config import FetchConfig
from psgimg.builder.build import build
from psgimg.builder.cli import command_line
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.finetune.baselines import nights, store
from psgimg.finetune.baselines.nights import Task

REFUSED = "shhs1-200004"


def edf(name):
    return f"polysomnography/edfs/shhs1/{name}.edf"


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    root = tmp_path_factory.mktemp("full") / "shhs"
    tiny.write_shhs(root, n_subjects=6, visits=(1,), minutes=3)
    return root


@pytest.fixture
def server(full, monkeypatch):
    server = NsrrServer("shhs", full)
    monkeypatch.setenv("PSGIMG_NSRR_URL", server.url)
    monkeypatch.setenv("NSRR_TOKEN", TOKEN)
    monkeypatch.setattr(hosts, "PAUSE_S", 0.0)
    yield server
    server.close()


@pytest.fixture(scope="module")
def pages(full, tmp_path_factory):
    """A dataset of these nights, drawn from files, without the one that is refused."""
    place = tmp_path_factory.mktemp("pages")
    names = [f"20000{i}" for i in range(1, 7) if i != 4]
    split = {"train": names[:3], "validation": names[3:4], "test": names[4:]}
    (place / "split.json").write_text(json.dumps(split))
    options = {"split_file": place / "split.json", "subjects": tuple(names)}
    run(place / "out", full, **options)
    return place


def shards(out):
    return {name: data for name, data in content(out).items() if name.endswith(".parquet")}


def test_a_bad_server_costs_the_refused_night_alone(server, pages, tmp_path):
    server.ranges, server.refused = False, {edf(REFUSED)}
    for i, faults in enumerate((["drop", 503], [503, "drop"], ["drop"], [], ["wrong"]), 1):
        server.faults[server.address(edf(f"shhs1-20000{i}"))] = faults
    split = pages / "split.json"
    config = BuildConfig(
        ("shhs",), (str(tmp_path / "n"),), tmp_path / "out", fetch=FetchConfig(), split_file=split
    )
    told = Remembered()
    report = build(config, told)
    assert [one["recording"] for one in report.values["set_aside"]] == [REFUSED]
    assert shards(tmp_path / "out") == shards(pages / "out")
    assert not list((tmp_path / "n").rglob("*.edf"))
    assert any("at the same time" in note for note in told.notes)
    for name, data in content(tmp_path / "out").items():
        assert TOKEN.encode() not in data, name


def test_a_preview_fetches_its_night_alone(server, tmp_path):
    root, out = tmp_path / "n", tmp_path / "page.png"
    words = ["preview", "--source", "shhs", "--root", root, "--recording", "shhs1-200002"]
    words += ["--epoch", 2, "--fetch", "--out", out]
    result = CliRunner().invoke(command_line(), [str(word) for word in words])
    assert result.exit_code == 0, result.output
    assert out.exists()
    asked = [path.rpartition("/")[2] for path, *_ in server.seen if "/files/m/" in path]
    assert "shhs1-200002.edf" in asked
    assert all(name.startswith("shhs1-200002") for name in asked)
    assert not list(root.rglob("*.edf"))


def test_a_file_is_not_fetched_for_a_preview(tmp_path):
    result = CliRunner().invoke(command_line(), ["preview", str(tmp_path / "a.edf"), "--fetch"])
    assert isinstance(result.exception, BuildError)
    assert "not a file" in str(result.exception)


def test_a_baseline_reads_what_it_fetches_as_from_files(server, full, pages, tmp_path):
    training = nights.training_sources(str(pages / "out"), None)
    target = nights.source.find(str(pages / "out"), None, "test")
    read = []
    for root, fetch in ((full, None), (tmp_path / "n", FetchConfig())):
        with nights.found(training, target, [str(root)], (), fetch, Remembered()) as (own, stocks):
            task = Task(own, 0, 1, Remembered(), fetch, stocks)
            read.append(store.fill(tmp_path / "lanes", own.train, "", task).pages_uv[:].copy())
    np.testing.assert_array_equal(*read)
    assert not list((tmp_path / "n").rglob("*.edf"))


def test_a_baseline_needs_every_night(server, pages, tmp_path):
    server.refused = {edf("shhs1-200001")}
    training = nights.training_sources(str(pages / "out"), None)
    target = nights.source.find(str(pages / "out"), None, "test")
    fetch = FetchConfig()
    with nights.found(training, target, [str(tmp_path / "n")], (), fetch, Remembered()) as (
        own,
        stocks,
    ):
        task = Task(own, 0, 1, Remembered(), fetch, stocks)
        with pytest.raises(BuildError, match=r"shhs1-200001 can't be fetched: .*token"):
            store.fill(tmp_path / "lanes", own.train, "", task)
    assert not list((tmp_path / "n").rglob("*.edf"))
