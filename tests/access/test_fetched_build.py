"""A build whose nights are fetched gives the bytes of a build from files, and says what it could not have."""

import pytest
import tiny
from builds import content, run
from nsrr_server import TOKEN, NsrrServer
from progress import Remembered
from psgimg.builder.access import host as hosts
from psgimg.builder.access.fetch_config import FetchConfig
from psgimg.builder.build import build, build_part, join
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.builder.placing.parts import ALL, Part


@pytest.fixture
def corpus(tmp_path):
    root = tmp_path / "full" / "shhs"
    tiny.write_shhs(root, n_subjects=3, visits=(1,), minutes=4)
    return root


@pytest.fixture
def server(corpus, monkeypatch):
    server = NsrrServer("shhs", corpus)
    monkeypatch.setenv("PSGIMG_NSRR_URL", server.url)
    monkeypatch.setenv("NSRR_TOKEN", TOKEN)
    monkeypatch.setattr(hosts, "PAUSE_S", 0.0)
    yield server
    server.close()


def fetched(out, root, **options):
    config = BuildConfig(("shhs",), (str(root),), out, fetch=FetchConfig(), **options)
    progress = Remembered()
    return build(config, progress), progress


def set_aside(report):
    return {one["recording"]: one["reason"] for one in report.values["set_aside"]}


def published(out):
    return {name: data for name, data in content(out).items() if not name.startswith(".cache/")}


def test_the_bytes_are_those_of_a_build_from_files(server, corpus, tmp_path):
    run(tmp_path / "local" / "psg-images", corpus)
    server.faults[server.address("polysomnography/edfs/shhs1/shhs1-200001.edf")] = ["drop", 503]
    fetched(tmp_path / "afar" / "psg-images", tmp_path / "nights")
    assert published(tmp_path / "afar" / "psg-images") == published(
        tmp_path / "local" / "psg-images"
    )


def test_parts_that_fetch_each_into_a_folder_of_its_own_give_the_same_bytes(
    server, corpus, tmp_path
):
    run(tmp_path / "local" / "psg-images", corpus)
    out = tmp_path / "afar" / "psg-images"

    def config(root, part=ALL):
        root = (str(tmp_path / root),)
        return BuildConfig(("shhs",), root, out, fetch=FetchConfig(connections=1), part=part)

    for number in (1, 2):
        build_part(config(f"nights{number}", Part(number, 2)), Remembered())
    n_signals = sum(path.endswith(".edf") for path, *_ in server.seen)
    join(config("elsewhere"), (), Remembered())
    assert published(out) == published(tmp_path / "local" / "psg-images")
    assert sum(path.endswith(".edf") for path, *_ in server.seen) == n_signals


def test_nothing_that_was_fetched_stays(server, tmp_path):
    fetched(tmp_path / "out", tmp_path / "nights")
    left = {path for path in (tmp_path / "nights").rglob("*") if path.is_file()}
    assert {path.parent.name for path in left} == {".psgimg"}


def test_a_second_run_fetches_nothing(server, tmp_path):
    fetched(tmp_path / "out", tmp_path / "nights")
    before, n_seen = published(tmp_path / "out"), len(server.seen)
    fetched(tmp_path / "out", tmp_path / "nights")
    assert published(tmp_path / "out") == before
    assert len(server.seen) == n_seen


def test_a_night_that_is_refused_is_named_and_the_same_command_goes_on_with_it(server, tmp_path):
    refused = "polysomnography/edfs/shhs1/shhs1-200002.edf"
    server.refused = {refused}
    report, _ = fetched(tmp_path / "out", tmp_path / "nights")
    assert set_aside(report) == {"shhs1-200002": "no access"}
    assert len(report.values["recordings"]) == 2
    server.refused = set()
    n_seen = len(server.seen)
    report, _ = fetched(tmp_path / "out", tmp_path / "nights")
    assert len(report.values["recordings"]) == 3
    assert all("200002" in path for path, *_ in server.seen[n_seen:])


def test_without_a_token_the_command_says_where_to_get_one(server, tmp_path, monkeypatch):
    monkeypatch.delenv("NSRR_TOKEN")
    with pytest.raises(BuildError, match=r"sleepdata\.org/token"):
        fetched(tmp_path / "out", tmp_path / "nights")


def test_a_night_whose_scoring_is_refused_costs_no_signal(server, tmp_path):
    server.refused = {"polysomnography/annotations-events-nsrr/shhs1/shhs1-200002-nsrr.xml"}
    report, _ = fetched(tmp_path / "out", tmp_path / "nights")
    assert set_aside(report) == {"shhs1-200002": "no access"}
    assert not [path for path, *_ in server.seen if path.endswith("200002.edf")]
