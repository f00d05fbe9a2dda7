"""What a stranger types: names that are misspelt or left out, and what is said of sizes and servers."""

import pytest
import tiny
import tiny_bids
from click.testing import CliRunner
from nsrr_server import TOKEN, NsrrServer
from open_servers import BucketServer
from psgimg.builder.access import host as hosts
from psgimg.builder.cli import command_line
from psgimg.builder.errors import BuildError


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(hosts, "PAUSE_S", 0.0)
    return tmp_path / "here"


@pytest.fixture(scope="module")
def boas(tmp_path_factory):
    root = tmp_path_factory.mktemp("boas")
    tiny_bids.write_boas(root, n=3, minutes=2, persons=[1, 2, 3])
    return root


@pytest.fixture
def bucket(boas, tmp_path, monkeypatch):
    server = BucketServer()
    server.put("ds005555", boas)
    tiny.write_hmc(tmp_path / "hmc", n_subjects=2, minutes=2)
    server.put("hmc-sleep-staging/1.1", tmp_path / "hmc")
    server.put_sums("hmc-sleep-staging/1.1")
    monkeypatch.setenv("PSGIMG_OPENNEURO_URL", server.url)
    monkeypatch.setenv("PSGIMG_PHYSIONET_URL", server.url)
    yield server
    server.close()


def typed(*words):
    return CliRunner().invoke(command_line(), words)


def refused(*words):
    result = typed(*words)
    assert isinstance(result.exception, BuildError), result.output
    return str(result.exception)


def test_fetch_needs_a_source():
    assert "no --source" in refused("fetch")


@pytest.mark.parametrize("limit", [(), ("--limit", "1")])
@pytest.mark.parametrize("command", [("fetch",), ("build", "--fetch"), ("check", "--fetch")])
def test_an_unknown_subject_is_refused_and_others_are_named(bucket, command, limit):
    told = refused(*command, "--source", "boas", "--subjects", "pid-1,nobody", *limit)
    assert told == "no subject nobody in boas; choose from pid-1, pid-2, pid-3"


def test_subjects_belong_to_any_of_the_sources(bucket):
    words = ("fetch", "--source", "boas", "--source", "hmc", "--subjects", "pid-2,SN001")
    result = typed(*words)
    assert result.exit_code == 0, result.output
    assert "on disk: 2 recordings" in result.output


@pytest.mark.parametrize("command", ["fetch", "build"])
def test_a_root_of_another_corpus_is_no_new_folder(bucket, command, place):
    fetching = ["--fetch"] if command == "build" else []
    told = refused(command, *fetching, "--source", "boas", "--root", "bose=nights")
    assert told == "--root bose=nights: no source is named bose; give --root DIR or --root boas=DIR"
    assert not any(place.iterdir())


def test_a_folder_with_an_equals_sign_is_a_folder(bucket, boas, place):
    (place / "a=b").symlink_to(boas)
    assert typed("check", "--source", "boas", "--root", "a=b").exit_code == 0
    assert typed("fetch", "--source", "boas", "--root", "./c=d", "--limit", "1").exit_code == 0
    assert (place / "c=d" / "participants.tsv").exists()


def test_sizes_are_told_in_units_that_fit(bucket, boas):
    result = typed("fetch", "--source", "boas", "--limit", "1")
    size = sum(path.stat().st_size for path in boas.glob("sub-1/eeg/*acq-psg*"))
    assert f"on disk: 1 recording; fetched now: {size / 1000:.0f} kB" in result.output
    assert "fetched now: 0 B" in typed("fetch", "--source", "boas", "--limit", "1").output


def test_a_server_without_the_corpus_is_one_sentence(tmp_path, monkeypatch):
    server = NsrrServer("shhs", tmp_path)
    monkeypatch.setenv("PSGIMG_NSRR_URL", server.url)
    monkeypatch.setenv("NSRR_TOKEN", TOKEN)
    told = refused("fetch", "--source", "mesa")
    server.close()
    assert told == (
        "mesa can't be fetched: the NSRR does not have the list of files; update psgimg, or correct the "
        "address of the mirror"
    )


def test_a_server_that_is_not_there_can_not_be_reached(monkeypatch):
    monkeypatch.setenv("PSGIMG_OPENNEURO_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(hosts, "FIRST_PATIENCE_S", 0.0)
    assert "OpenNeuro (127.0.0.1) can't be reached ([Errno 111]" in refused(
        "fetch", "--source", "boas"
    )


def test_what_is_not_on_disk_says_whether_it_can_be_fetched():
    assert "PSGIMG_BOAS_ROOT, or let --fetch download it." in refused("build", "--source", "boas")
    told = refused("build", "--source", "isruc", "--fetch")
    assert "PSGIMG_ISRUC_ROOT; --fetch can't download it." in told


def test_a_folder_that_holds_only_what_fetching_has_noted_is_not_found(bucket, place):
    assert typed("build", "--source", "hmc", "--fetch", "--workers", "1").exit_code == 0
    home = place / "physionet.org/files/hmc-sleep-staging/1.1"
    assert [path.name for path in home.iterdir()] == [".psgimg"]
    assert "found in physionet.org" not in typed("sources").output
    assert typed("fetch", "--source", "hmc").exit_code == 0
    assert "found in physionet.org" in typed("sources").output
