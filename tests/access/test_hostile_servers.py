"""Servers that do what they should not: every request ends, and nothing but the file counts as the file."""

import gzip
import hashlib
import logging
import os
import threading
from pathlib import PurePosixPath
from types import SimpleNamespace

import pytest
from file_server import FileHandler, FileServer, nobody
from patience import PATIENCE_S
from psgimg.builder.access import host as hosts
from psgimg.builder.access import nsrr_service, services, turns
from psgimg.builder.access.host import Host
from psgimg.builder.access.nsrr_service import Nsrr
from psgimg.builder.access.physionet_service import PhysioNet, Project
from psgimg.builder.access.remote_file import RemoteFile, relative
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.files import secrets

CONTENT = os.urandom(100_000)
TOKEN = "tokenwithoutanyshape"
FILE = PurePosixPath("n.edf")


class Hostile(FileHandler):
    """Answers as the server's ``act`` says, which is given the handler and the number of the request."""

    def answer(self, path, query, fault):
        self.server.act(self, len(self.server.seen))

    def send(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def begin_at(self):
        asked = self.headers.get("Range", "bytes=0-")
        return int(asked.removeprefix("bytes=").partition("-")[0])

    def drop(self):
        self.wfile.flush()
        self.close_connection = True
        self.connection.close()


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(hosts, "PAUSE_S", 0.0)
    monkeypatch.setattr(hosts, "PATIENCE_S", 0.5)
    monkeypatch.setattr(hosts, "FIRST_PATIENCE_S", 0.5)
    monkeypatch.setattr("psgimg.builder.http_retry.FIRST_WAIT_S", 0.05)
    monkeypatch.setattr("psgimg.builder.http_retry.LONGEST_WAIT_S", 0.2)


@pytest.fixture
def server():
    server = FileServer(Hostile)
    yield server
    server.close()


@pytest.fixture
def host():
    with Host("the service", "ask", secret={"auth_token": TOKEN}, connections=4) as host:
        yield host


def remote(server, *, size=True, md5=True):
    checksums = (("md5", hashlib.md5(CONTENT).hexdigest()),) if md5 else ()
    return RemoteFile(FILE, f"{server.url}/n.edf", len(CONTENT) if size else None, checksums)


def busy(handler, _):
    handler.send(503, Content_Length=0, Retry_After=0)


def half(handler, _):
    handler.send(200, CONTENT[:50_000], Content_Length=len(CONTENT))
    handler.drop()


def elsewhere(handler, n):
    if n == 1:
        return half(handler, n)
    span = f"bytes 7-{len(CONTENT) - 1}/{len(CONTENT)}"
    return handler.send(206, CONTENT[7:], Content_Length=len(CONTENT) - 7, Content_Range=span)


def beyond(handler, _):
    handler.send(416, Content_Length=0)


@pytest.mark.parametrize("act", [busy, half, elsewhere, beyond])
def test_what_brings_nothing_new_is_not_repeated_without_end(server, host, tmp_path, act):
    server.act = act
    with pytest.raises(RecordingError, match="run the same command again later") as caught:
        host.fetch(remote(server), tmp_path)
    assert caught.value.reason == "server not reachable"
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (1, "(it asks for a wait of 1 s); trying again in 1 s"),
        (7200, "(it asks for a wait of 7200 s, of which 1.5 s are waited); trying again in 1.5 s"),
    ],
)
def test_a_wait_that_the_server_asks_for_is_kept_up_to_a_limit_and_said(
    server, tmp_path, monkeypatch, asked, said
):
    """It is longer than every wait that nobody asks for."""
    monkeypatch.setattr("psgimg.builder.http_retry.LONGEST_REQUESTED_S", 1.5)
    monkeypatch.setattr(hosts, "FIRST_PATIENCE_S", PATIENCE_S)  # the first answer may take long

    def act(handler, n):
        if n == 1:
            return handler.send(503, Content_Length=0, Retry_After=asked)
        return handler.send(200, CONTENT, Content_Length=len(CONTENT))

    server.act, notes = act, []
    with Host("the service", "ask", connections=4, notify=notes.append) as host:
        assert host.fetch(remote(server), tmp_path).path.read_bytes() == CONTENT
    [line] = notes
    assert line.endswith(said)


def pieces(handler, _):
    """Never sends more than a part of what is asked for, as a server may."""
    begin = handler.begin_at()
    body = CONTENT[begin : begin + 20_000]
    span = f"bytes {begin}-{begin + len(body) - 1}/{len(CONTENT)}"
    handler.send(206, body, Content_Length=len(body), Content_Range=span, ETag='"1"')


def unsized(handler, n):
    """Does not tell the length, so that the end of the connection looks like that of the file."""
    begin = handler.begin_at()
    body = CONTENT[begin:] if n > 2 else CONTENT[begin : begin + 30_000]
    span = {"Content_Range": f"bytes {begin}-{len(CONTENT) - 1}/{len(CONTENT)}"} if begin else {}
    handler.send(206 if begin else 200, body, Connection="close", ETag='"1"', **span)
    handler.drop()


@pytest.mark.parametrize("md5", [True, False])
@pytest.mark.parametrize("act", [pieces, unsized])
def test_an_answer_that_ends_early_is_gone_on_with(server, host, tmp_path, act, md5):
    server.act = act
    assert host.fetch(remote(server, md5=md5), tmp_path).path.read_bytes() == CONTENT


def test_a_part_is_not_taken_for_the_file_whose_size_is_not_listed(server, host, tmp_path):
    server.act = pieces
    fetched = host.fetch(remote(server, size=False, md5=False), tmp_path)
    assert fetched.path.read_bytes() == CONTENT


def test_new_bytes_earn_further_patience(server, host, tmp_path):
    """A file that takes longer than the patience comes, if only a little comes each time."""

    def act(handler, n):
        begin = handler.begin_at()
        span = f"bytes {begin}-{len(CONTENT) - 1}/{len(CONTENT)}"
        rest = CONTENT[begin:]
        handler.send(206, rest[:5_000], Content_Length=len(rest), Content_Range=span, ETag='"1"')
        if len(rest) > 5_000:
            handler.drop()

    server.act = act
    assert host.fetch(remote(server), tmp_path).path.read_bytes() == CONTENT
    assert len(server.seen) == 20


@pytest.mark.parametrize("size", [True, False])
def test_what_comes_compressed_is_not_taken_for_the_file(server, host, tmp_path, size):
    packed = gzip.compress(CONTENT)
    server.act = lambda handler, _: handler.send(
        200, packed, Content_Length=len(packed), Content_Encoding="gzip"
    )
    with pytest.raises(RecordingError, match="compressed"):
        host.fetch(remote(server, size=size, md5=False), tmp_path)
    assert not (tmp_path / FILE).exists()


def test_a_part_of_an_archive_takes_no_more_memory_than_was_asked_for(server, host):
    """Some servers go on to the end of the file, which has tens of GB."""
    sent = []

    def act(handler, _):
        handler.send(206, Content_Length=10**11, Content_Range=f"bytes 5-{10**11 + 4}/{10**11 + 5}")
        try:
            while len(sent) < 2_000:
                handler.wfile.write(CONTENT)
                sent.append(None)
        finally:
            handler.close_connection = True

    server.act = act
    assert host.piece(f"{server.url}/a.zip", 5, 1004) == CONTENT[:1000]
    assert len(sent) < 2_000


def test_the_text_of_a_server_is_in_no_message(server, host, tmp_path):
    """It may hold the address it was asked for, and control characters."""

    def act(handler, _):
        handler.wfile.write(f"HTTP/1.1 418 \x1b[31m{TOKEN}\r\nContent-Length: 0\r\n\r\n".encode())

    server.act = act
    with pytest.raises(RecordingError) as caught:
        host.fetch(remote(server), tmp_path)
    assert TOKEN not in str(caught.value)
    assert "answers 418" in str(caught.value)


def test_a_token_from_a_file_is_in_no_log_not_even_where_a_redirect_repeats_it(
    server, tmp_path, caplog, monkeypatch
):
    monkeypatch.setattr(secrets, "_KNOWN", set())
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o600)
    assert nsrr_service.token(file) == TOKEN
    caplog.set_level(logging.DEBUG)
    server.act = lambda handler, _: handler.send(
        302, Content_Length=0, Location=f"https://elsewhere/{TOKEN}/login?back=auth_token={TOKEN}"
    )
    with (
        Host("it", "ask", secret={"auth_token": TOKEN}, connections=4) as host,
        pytest.raises(RecordingError, match="ask"),
    ):
        host.fetch(remote(server), tmp_path)
    assert "elsewhere" in caplog.text
    assert TOKEN not in caplog.text


def test_a_folder_that_lists_itself_is_asked_for_once(monkeypatch):
    server = FileServer()
    path = "/api/v1/datasets/shhs/files.json"
    rows = [
        {"full_path": "polysomnography", "is_file": False},
        {"full_path": "polysomnography/edfs/ü #1?.edf", "is_file": True, "file_size": 1},
    ]
    monkeypatch.setattr(FileHandler, "answer", lambda self, *_: self.json(rows))
    monkeypatch.setenv("PSGIMG_NSRR_URL", server.url)
    service = Nsrr("shhs", TOKEN, connections=4)
    with service.host:
        (file,) = service.files()
    assert [asked for asked, *_ in server.seen] == [path]
    assert file.url.endswith("/polysomnography/edfs/%C3%BC%20%231%3F.edf")
    server.close()


def test_too_many_requests_keep_all_others_waiting():
    every = turns.of("busy.example", 4)
    assert turns.of("busy.example", 4) is every
    ended = threading.Event()
    every.rest(2 * PATIENCE_S)
    ended.set()
    with pytest.raises(ConnectionAbortedError), every.taken(0.0, ended):
        raise AssertionError


def test_physionet_is_asked_where_its_mirror_can_not_be_reached(monkeypatch):
    here = FileServer()
    here.files["/p/1/SHA256SUMS.txt"] = f"{'0' * 64} a.edf\n".encode()
    with nobody() as gone:
        addresses = "psgimg.builder.access.physionet_service.ADDRESSES"
        monkeypatch.setattr(addresses, (gone, here.url))
        service = PhysioNet(Project("p", "1"), connections=4)
        with service.host:
            assert [file.url for file in service.files()] == [f"{here.url}/p/1/a.edf"]
    here.close()


@pytest.mark.parametrize("name", ["n" * 251, "ü" * 126, "a/" + "b" * 250 + "/c"])
def test_a_name_too_long_for_the_disk_is_refused_when_it_is_listed(name):
    with pytest.raises(RecordingError, match="not a path to use"):
        relative(name, "the NSRR")


def test_corpora_on_one_disk_share_its_space(tmp_path, monkeypatch):
    free = 10**12
    monkeypatch.setattr(services.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    one, two = tmp_path / "one", tmp_path / "two"
    services.require_space({one: free * 2 // 3}, "choose fewer")
    with pytest.raises(BuildError, match="choose fewer"):
        services.require_space({one: free * 2 // 3, two: free * 2 // 3}, "choose fewer")
