"""What goes wrong while files come: nothing damaged is used, no token is shown, everything can end."""

import logging
import os
import signal
import subprocess
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import httpx2
import pytest
from builds import PSGIMG
from file_server import FileServer
from hypothesis import given
from hypothesis import strategies as st
from nsrr_server import TOKEN, NsrrServer
from patience import PATIENCE_S, wait_for
from progress import Remembered
from psgimg.builder import fetch as fetching
from psgimg.builder.access import host as hosts
from psgimg.builder.access import services
from psgimg.builder.access.addresses import address
from psgimg.builder.access.arrivals import Arrivals
from psgimg.builder.access.fetch_config import FetchConfig
from psgimg.builder.access.host import Host
from psgimg.builder.access.ledger import Ledger
from psgimg.builder.access.remote_file import RemoteFile
from psgimg.builder.access.stock import Stock
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.files import hash_cache
from psgimg.builder.recordings.recording import Recording

CONTENT = os.urandom(100_000)
NIGHTS = tuple(f"shhs1-2000{i:02d}" for i in range(1, 4))


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(hosts, "PAUSE_S", 0.0)


@pytest.fixture
def server():
    server = FileServer()
    yield server
    server.close()


@pytest.fixture
def nsrr(tmp_path, monkeypatch):
    """A dataset of three nights that can be fetched, though not read."""
    for name in NIGHTS:
        edf, xml = paths(tmp_path / "full", name)
        for path, content in ((edf, name.encode() * 5000), (xml, b"<PSGAnnotation/>")):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    server = NsrrServer("shhs", tmp_path / "full")
    monkeypatch.setenv("PSGIMG_NSRR_URL", server.url)
    monkeypatch.setenv("NSRR_TOKEN", TOKEN)
    yield server
    server.close()


def paths(root, name):
    top = root / "polysomnography"
    xml = top / "annotations-events-nsrr" / "shhs1" / f"{name}-nsrr.xml"
    return top / "edfs" / "shhs1" / f"{name}.edf", xml


def fetched(root):
    return fetching.fetch(("shhs",), (str(root),), (), 0, FetchConfig(keep=True), Remembered())


class Served:
    """A service whose files are at one server, with recordings of one file each."""

    def __init__(self, server, n=1):
        self.host = Host("the service", "ask for access", connections=4)
        self.fetch = self.host.fetch
        self.files = []
        for i in range(n):
            server.files[f"/n{i}.edf"] = CONTENT
            path = PurePosixPath(f"n{i}.edf")
            self.files.append(RemoteFile(path, f"{server.url}/{path}", len(CONTENT)))

    def stock(self, root, *, keep=False):
        return Stock(self, root, self.files, Ledger(root / ".psgimg"), keep=keep)


@pytest.fixture
def served(server):
    """Makes a service of some files."""
    with ExitStack() as stack:

        def make(n=1):
            service = Served(server, n)
            stack.enter_context(service.host)
            return service

        yield make


def night(root, i=0):
    return Recording("one", f"s{i}", f"n{i}", root / f"n{i}.edf", {})


def test_ending_waits_for_no_server_and_what_has_come_stays(server, tmp_path):
    server.files["/n.edf"] = CONTENT
    server.faults["/n.edf"] = ["hang"]
    with Host("the service", "ask", connections=4) as host:
        file = RemoteFile(PurePosixPath("n.edf"), f"{server.url}/n.edf", len(CONTENT))
        errors = []

        def work():
            try:
                host.fetch(file, tmp_path)
            except RecordingError as error:
                errors.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        assert server.hanging.wait(PATIENCE_S)
        wait_for((tmp_path / ".n.edf.part").exists)
        host.stop()
        thread.join()
    assert len(errors) == 1
    assert not (tmp_path / "n.edf").exists()


def test_pieces_of_unknown_versions_are_not_joined(server, tmp_path):
    server.files["/n.edf"], server.tags = CONTENT, False
    server.faults["/n.edf"] = ["drop"]
    file = RemoteFile(PurePosixPath("n.edf"), f"{server.url}/n.edf", len(CONTENT))
    with Host("the service", "ask", connections=4) as host:
        host.fetch(file, tmp_path)
    assert [asked for *_, asked in server.seen] == [None, None]


def test_no_log_shows_the_token(server, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    server.files["/n.edf"] = CONTENT
    file = RemoteFile(PurePosixPath("n.edf"), f"{server.url}/n.edf")
    with Host("it", "ask", secret={"auth_token": TOKEN}, connections=4) as host:
        host.fetch(file, tmp_path)
    assert "HTTP Request" in caplog.text
    assert TOKEN not in caplog.text


def test_what_a_killed_command_has_left_goes_and_a_file_of_the_user_stays(served, tmp_path):
    service = served(2)
    left = service.stock(tmp_path)  # never closed, as if killed
    for i in range(2):
        left.bring(night(tmp_path, i))
    os.utime(tmp_path / "n1.edf", ns=(1, 1))  # put there by the user
    with service.stock(tmp_path) as stock:
        assert not stock.is_remote(night(tmp_path))
    assert [path.name for path in tmp_path.glob("*.edf")] == ["n1.edf"]


def test_what_is_fetched_to_be_kept_stays_from_then_on(served, tmp_path):
    service = served()
    service.stock(tmp_path).bring(night(tmp_path))
    with service.stock(tmp_path, keep=True):
        pass
    with service.stock(tmp_path):
        pass
    assert (tmp_path / "n0.edf").exists()


def test_a_server_that_refuses_one_after_another_is_left_alone(served, server, tmp_path):
    service = served(25)
    server.faults.update({f"/n{i}.edf": [302] for i in range(25)})
    stock = service.stock(tmp_path)
    for i in range(25):
        with pytest.raises(RecordingError, match="ask for access") as caught:
            stock.bring(night(tmp_path, i))
        assert caught.value.reason == "no access"
    assert len(server.seen) == 20
    assert "n24 was not asked for, after 20 others in vain" in caught.value.detail


@dataclass(frozen=True)
class Job:
    key: int
    recording: Recording


def test_no_more_than_stated_is_on_disk_at_the_same_time(served, tmp_path):
    service = served(12)
    jobs = [Job(i, night(tmp_path, i)) for i in range(12)]
    most = 0

    def bring(job, stock):
        stock.bring(job.recording)
        return job

    def n_here():
        return len(list(tmp_path.glob("*.edf")))

    with service.stock(tmp_path) as stock:
        arrivals = Arrivals(jobs, {"one": stock}, bring, None, connections=4, ahead=3)
        for n_left in range(12, 0, -1):
            job = arrivals.take(wait=True)
            n_expected = min(3, n_left)
            wait_for(lambda n=n_expected: n_here() >= n)
            time.sleep(0.02)  # so that the threads could run further ahead
            most = max(most, n_here())
            arrivals.used(job.key)
        assert not arrivals
        arrivals.close()
    assert most == 3
    assert not list(tmp_path.glob("*.edf"))


def test_a_folder_that_can_not_be_written_ends_the_command(nsrr, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        BuildError, match=r"can't write .*fix its permissions or choose another --root"
    ):
        fetched(tmp_path / "file" / "root")


def test_a_file_on_disk_that_is_not_the_servers_is_refused(served, tmp_path):
    service = served()
    (tmp_path / "n0.edf").write_bytes(CONTENT[:-1])
    with service.stock(tmp_path) as stock, pytest.raises(RecordingError, match="delete it and it"):
        stock.bring(night(tmp_path))
    assert (tmp_path / "n0.edf").exists()


@pytest.mark.parametrize(
    "text",
    [
        *("here", "ftp://host", "http://", "http://[", "https://me:pass@host", "https://host?a=b"),
        *("https://host#a", "http://host:port", "http://host:99999999999", "http://a..b:x"),
    ],
)
def test_an_address_that_is_none_is_refused(monkeypatch, text):
    monkeypatch.setenv("PSGIMG_X_URL", text)
    with pytest.raises(BuildError, match="PSGIMG_X_URL is not an address"):
        address("PSGIMG_X_URL", "https://it")


@given(st.text("ab.:/@[]%#?9 -_é\t\0", max_size=12).map("http://".__add__))
def test_every_address_that_is_accepted_can_be_asked(text):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", {"PSGIMG_X_URL": text})
        try:
            accepted = address("PSGIMG_X_URL", "https://it")
        except BuildError:
            return
    httpx2.Request("GET", f"{accepted}/path")


@pytest.mark.parametrize(("text", "ok"), [("http://elsewhere", False), ("http://[::1]:80", True)])
def test_a_token_goes_unencrypted_to_this_machine_only(monkeypatch, text, ok):
    monkeypatch.setenv("PSGIMG_X_URL", text)
    assert address("PSGIMG_X_URL", "https://it") == text
    if ok:
        assert address("PSGIMG_X_URL", "https://it", secret=True) == text
    else:
        with pytest.raises(BuildError, match="unencrypted"):
            address("PSGIMG_X_URL", "https://it", secret=True)


def test_a_list_that_a_wrong_token_leaves_empty_is_not_kept(nsrr, tmp_path, monkeypatch):
    monkeypatch.setenv("NSRR_TOKEN", "9-wrong")
    with pytest.raises(BuildError, match="lists no files of shhs for you: check the token"):
        fetched(tmp_path / "root")
    monkeypatch.setenv("NSRR_TOKEN", TOKEN)
    assert fetched(tmp_path / "root").n_recordings == 3


def test_a_list_of_another_address_is_asked_for_anew(nsrr, tmp_path, monkeypatch):
    fetched(tmp_path / "root")
    moved = NsrrServer("shhs", tmp_path / "full")
    monkeypatch.setenv("PSGIMG_NSRR_URL", moved.url)
    paths(tmp_path / "root", NIGHTS[0])[0].unlink()
    assert fetched(tmp_path / "root").lost == {}
    assert any("files.json" in path for path, *_ in moved.seen)
    moved.close()


def test_a_night_that_has_changed_since_it_was_listed_comes_with_the_next_command(nsrr, tmp_path):
    fetched(tmp_path / "root")
    here, there = (paths(tmp_path / place, NIGHTS[0])[0] for place in ("root", "full"))
    here.unlink()
    there.write_bytes(b"corrected")
    assert list(fetched(tmp_path / "root").lost) == [NIGHTS[0]]
    assert not here.exists()
    assert fetched(tmp_path / "root").lost == {}
    assert here.read_bytes() == b"corrected"


def test_two_commands_do_not_fetch_into_one_folder(nsrr, tmp_path):
    root = tmp_path / "root"
    config = FetchConfig(keep=True)
    with (
        services.stocked({"shhs": root}, config, print),
        pytest.raises(BuildError, match="another command is fetching into"),
    ):
        fetched(root)
    assert fetched(root).n_recordings == 3


def test_a_list_without_md5_is_proven_by_size(nsrr, tmp_path):
    nsrr.md5 = False
    nsrr.faults[nsrr.address(str(paths(Path(), NIGHTS[0])[0]))] = ["more", "more"]
    lost = fetched(tmp_path / "root").lost
    assert list(lost) == [NIGHTS[0]]
    assert "bytes came instead of" in lost[NIGHTS[0]]


@pytest.mark.parametrize(
    ("words", "number"),
    [
        (["fetch"], signal.SIGINT),
        (["fetch"], signal.SIGKILL),
        (["build", "--fetch", "--workers", "2", "--out", "out"], signal.SIGINT),
    ],
)
def test_an_ended_command_goes_on_where_it_was(nsrr, tmp_path, words, number):
    edf = paths(Path(), NIGHTS[0])[0].as_posix()
    half = nsrr.tree[edf].stat().st_size // 2
    nsrr.faults[nsrr.address(edf)] = ["hang"]
    root = tmp_path / "root"
    command = [*PSGIMG, *words, "--source", "shhs", "--root", str(root)]
    part = paths(root, NIGHTS[0])[0].with_name(f".{NIGHTS[0]}.edf.part")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as running:
        assert nsrr.hanging.wait(PATIENCE_S)
        wait_for(lambda: part.exists() and part.stat().st_size)
        running.send_signal(number)
        _, said = running.communicate()
    assert running.returncode == (130 if number == signal.SIGINT else -number)
    assert TOKEN not in said
    assert "Traceback" not in said
    assert 0 < part.stat().st_size <= half
    n_seen, n_come = len(nsrr.seen), part.stat().st_size
    assert fetched(root).n_recordings == 3
    assert (nsrr.address(edf), f"bytes={n_come}-") in [(p, r) for p, _, r in nsrr.seen[n_seen:]]


def test_a_night_that_a_command_was_killed_over_as_it_got_its_name_goes_too(
    served, tmp_path, monkeypatch
):
    """It is in the ledger before it has its name: no moment leaves a file that nobody knows of."""
    service = served()
    with monkeypatch.context() as killed:
        killed.setattr(hash_cache, "remember", None)  # what follows the name is never reached
        with pytest.raises(TypeError):
            service.stock(tmp_path).bring(night(tmp_path))
    assert (tmp_path / "n0.edf").exists()
    with service.stock(tmp_path) as stock:
        assert not stock.is_remote(night(tmp_path))
    assert not (tmp_path / "n0.edf").exists()


def test_a_link_to_nothing_is_the_users_and_stays(served, tmp_path):
    """DataLad and git-annex leave such links for files that were not got yet."""
    service = served()
    link = tmp_path / "n0.edf"
    link.symlink_to("annex/objects/n0.edf")
    with service.stock(tmp_path) as stock, pytest.raises(RecordingError, match="delete the link"):
        stock.bring(night(tmp_path))
    assert link.is_symlink()
