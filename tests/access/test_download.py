"""A file from a server counts only once it is whole; what came is not asked for again."""

import hashlib
import os
import threading
import time
from pathlib import PurePosixPath

import pytest
from file_server import FileServer, nobody
from patience import wait_for
from psgimg.builder.access import host as hosts
from psgimg.builder.access import incoming, turns
from psgimg.builder.access.answer import RefusedError
from psgimg.builder.access.host import Host
from psgimg.builder.access.remote_file import RemoteFile
from psgimg.builder.errors import BuildError, RecordingError

CONTENT = os.urandom(300_000)
SECRET = "41-kept4to5itself6entirely"


@pytest.fixture
def server():
    server = FileServer()
    server.files["/night.edf"] = CONTENT
    yield server
    server.close()


@pytest.fixture
def host(monkeypatch):
    monkeypatch.setattr(hosts, "PAUSE_S", 0.0)
    monkeypatch.setattr(turns, "_OF_SERVERS", {})  # of other tests, whose ports may come again
    with Host(
        "the service", "ask for access", secret={"auth_token": SECRET}, connections=4
    ) as host:
        yield host


def remote(server, *, md5=True, size=True, name="night.edf"):
    return remote_at(server.url, md5=md5, size=size, name=name)


def remote_at(url, *, md5=True, size=True, name="night.edf"):
    digest = hashlib.md5(CONTENT).hexdigest()
    return RemoteFile(
        PurePosixPath("edfs") / name,
        f"{url}/{name}",
        len(CONTENT) if size else None,
        (("md5", digest),) if md5 else (),
    )


def test_a_file_arrives_with_the_hash_taken_meanwhile(server, host, tmp_path):
    fetched = host.fetch(remote(server), tmp_path)
    assert fetched.path == tmp_path / "edfs" / "night.edf"
    assert fetched.path.read_bytes() == CONTENT
    assert fetched.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert server.seen == [("/night.edf", {"auth_token": [SECRET]}, None)]
    assert sorted(path.name for path in fetched.path.parent.iterdir()) == ["night.edf"]


def test_a_dropped_connection_goes_on_where_it_ended(server, host, tmp_path):
    server.faults["/night.edf"] = ["drop", 503, "drop", 429]
    assert host.fetch(remote(server), tmp_path).path.read_bytes() == CONTENT
    begins = [asked for *_, asked in server.seen]
    half, three_quarters = len(CONTENT) // 2, len(CONTENT) * 3 // 4
    assert begins == [None, f"bytes={half}-", f"bytes={half}-", *[f"bytes={three_quarters}-"] * 2]


def test_without_ranges_the_whole_file_is_taken_again(server, host, tmp_path):
    server.ranges = False
    server.faults["/night.edf"] = ["drop", "drop"]
    assert host.fetch(remote(server), tmp_path).path.read_bytes() == CONTENT


@pytest.mark.parametrize(("md5", "begin"), [(True, "bytes=1000-"), (False, None)])
def test_a_part_left_by_a_killed_process_is_continued_only_where_a_checksum_proves_it(
    server, host, tmp_path, md5, begin
):
    part = tmp_path / "edfs" / ".night.edf.part"
    part.parent.mkdir()
    part.write_bytes(CONTENT[:1000])
    assert host.fetch(remote(server, md5=md5), tmp_path).path.read_bytes() == CONTENT
    assert server.seen[0][2] == begin


@pytest.mark.parametrize("left", [b"x" * 1000, CONTENT + b"more", b""])
def test_a_wrong_part_is_begun_anew(server, host, tmp_path, left):
    part = tmp_path / "edfs" / ".night.edf.part"
    part.parent.mkdir()
    part.write_bytes(left)
    assert host.fetch(remote(server), tmp_path).path.read_bytes() == CONTENT


def test_a_whole_part_is_only_given_its_name(server, host, tmp_path):
    part = tmp_path / "edfs" / ".night.edf.part"
    part.parent.mkdir()
    part.write_bytes(CONTENT)
    host.fetch(remote(server), tmp_path)
    assert server.sent == 0


@pytest.mark.parametrize("fault", ["wrong", "more"])
def test_content_other_than_published_is_asked_for_once_more_and_then_refused(
    server, host, tmp_path, fault
):
    server.faults["/night.edf"] = [fault]
    assert host.fetch(remote(server), tmp_path).path.read_bytes() == CONTENT
    server.faults["/night.edf"] = [fault] * 2
    with pytest.raises(RecordingError, match=r"night\.edf: .*twice") as caught:
        host.fetch(remote(server), tmp_path / "again")
    assert caught.value.reason == "damaged in transfer"
    assert list((tmp_path / "again" / "edfs").iterdir()) == []


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(302, "no access"), ("html", "no access"), (404, "not on the server")],
)
def test_a_refusal_is_one_line_and_final(server, host, tmp_path, fault, reason):
    server.faults["/night.edf"] = [fault]
    with pytest.raises(RefusedError) as caught:
        host.fetch(remote(server), tmp_path)
    assert caught.value.reason == reason
    assert "night.edf" in str(caught.value)
    assert len(server.seen) == 1


def test_a_server_that_stays_away_is_told_without_the_secret(host, tmp_path, monkeypatch):
    monkeypatch.setattr(hosts, "FIRST_PATIENCE_S", 0.2)
    with (
        nobody() as url,
        pytest.raises(RecordingError, match="run the same command again later") as caught,
    ):
        host.fetch(remote_at(url), tmp_path)
    error = caught.value
    while error is not None:
        assert SECRET not in repr(error)
        assert SECRET not in str(error)
        error = error.__cause__ or error.__context__


def test_a_host_is_asked_for_four_files_at_a_time(server, host, tmp_path):
    names = [f"night{i}.edf" for i in range(12)]
    server.files.update({f"/{name}": CONTENT for name in names})
    threads = [
        threading.Thread(target=host.fetch, args=(remote(server, name=name), tmp_path))
        for name in names
    ]
    server.gate.clear()
    for thread in threads:
        thread.start()
    wait_for(lambda: server.at_once == 4)
    time.sleep(0.2)  # in which a fifth would come
    server.gate.set()
    for thread in threads:
        thread.join()
    assert len(list((tmp_path / "edfs").iterdir())) == 12
    assert server.at_most == 4


def test_a_full_disk_ends_the_command_and_keeps_what_came(server, host, tmp_path, monkeypatch):
    def full(self, chunks):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(incoming.Incoming, "append", full)
    with pytest.raises(BuildError, match="the disk is full"):
        host.fetch(remote(server), tmp_path)
