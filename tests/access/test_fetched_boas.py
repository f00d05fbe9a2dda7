"""BOAS from a bucket: who is one person is known before a night comes, and the bytes are those of files."""

import pytest
import tiny_bids
from builds import content, run
from click.testing import CliRunner
from open_servers import BucketServer
from progress import Remembered
from psgimg.builder.access import host as hosts
from psgimg.builder.access.fetch_config import FetchConfig
from psgimg.builder.build import build
from psgimg.builder.cli import command_line
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    tiny_bids.write_boas(tmp_path / "full", n=5, minutes=3, persons=[1, 1, 2, 3, 3])
    server = BucketServer()
    server.put("ds005555", tmp_path / "full")
    monkeypatch.setenv("PSGIMG_OPENNEURO_URL", server.url)
    monkeypatch.setattr(hosts, "PAUSE_S", 0.0)
    yield server
    server.close()


def published(out):
    return {name: data for name, data in content(out).items() if not name.startswith(".cache/")}


def test_the_command_of_a_newcomer_gives_the_bytes_of_a_build_from_files(
    bucket, tmp_path, monkeypatch
):
    run(tmp_path / "local" / "psg-images", tmp_path / "full", "boas", limit=4)
    bucket.faults["/ds005555/sub-2/eeg/sub-2_task-Sleep_acq-psg_eeg.edf"] = ["drop", 503]
    (tmp_path / "afar").mkdir()
    monkeypatch.chdir(tmp_path / "afar")
    result = CliRunner().invoke(
        command_line(), ["build", "--source", "boas", "--fetch", "--limit", "4", "--workers", "1"]
    )
    assert result.exit_code == 0, result.output
    here = tmp_path / "afar" / "psg-images"
    assert published(here) == published(tmp_path / "local" / "psg-images")
    left = {path.name for path in (tmp_path / "afar" / "ds005555").rglob("*") if path.is_file()}
    assert left == {"participants.tsv", "boas.json", "fetched.jsonl"}
    assert not [path for path, *_ in bucket.seen if "headband" in path]


def test_a_bucket_without_the_list_of_people_ends_the_build(bucket, tmp_path):
    del bucket.files["/ds005555/participants.tsv"]
    config = BuildConfig(
        ("boas",), (str(tmp_path / "nights"),), tmp_path / "out", fetch=FetchConfig()
    )
    with pytest.raises(BuildError, match=r"has no participants\.tsv"):
        build(config, Remembered())
