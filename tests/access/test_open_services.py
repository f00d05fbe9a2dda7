"""The lists and files of the services that distribute open corpora."""

import hashlib
import io
import os
import zipfile

import pytest
from open_servers import BucketHandler, BucketServer, ZenodoServer, bucket_page
from psgimg.builder.access import host as hosts
from psgimg.builder.access import s3_listing
from psgimg.builder.access.openneuro_service import OpenNeuro
from psgimg.builder.access.physionet_service import PhysioNet, Project
from psgimg.builder.access.s3_listing import Stored
from psgimg.builder.access.zenodo_service import Zenodo
from psgimg.builder.errors import RecordingError

PROJECT = Project("sleep-edfx", "1.0.0")
NAMES = tuple(f"sleep-cassette/SC40{i:02d}E0-PSG.edf" for i in range(8))


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(hosts, "PAUSE_S", 0.0)


@pytest.fixture
def bucket(monkeypatch):
    server = BucketServer()
    monkeypatch.setenv("PSGIMG_PHYSIONET_URL", server.url)
    monkeypatch.setenv("PSGIMG_OPENNEURO_URL", server.url)
    for i, name in enumerate(NAMES):
        server.files[f"/sleep-edfx/1.0.0/{name}"] = os.urandom(1000 + i)
    yield server
    server.close()


@pytest.mark.parametrize("lists", [True, False])
def test_physionet_lists_with_its_own_checksums_and_sizes_where_it_has_them(
    bucket, tmp_path, lists
):
    bucket.put_sums("sleep-edfx/1.0.0")
    bucket.lists = lists
    service = PhysioNet(PROJECT, connections=4)
    with service.host:
        files = service.files()
        fetched = service.fetch(files[0], tmp_path)
    assert [str(file.path) for file in files] == list(NAMES)
    assert [file.size for file in files] == [1000 + i if lists else None for i in range(8)]
    assert fetched.sha256 == dict(files[0].checksums)["sha256"]


def test_physionet_refuses_a_list_that_is_none(bucket):
    bucket.files["/sleep-edfx/1.0.0/SHA256SUMS.txt"] = b"<html>moved</html>"
    service = PhysioNet(PROJECT, connections=4)
    with service.host, pytest.raises(RecordingError, match="not a list of checksums"):
        service.files()


@pytest.mark.parametrize("path", ["../up", "/etc/passwd", "a/../../b"])
def test_no_path_leaves_the_folder(bucket, path):
    bucket.files["/sleep-edfx/1.0.0/SHA256SUMS.txt"] = f"{'0' * 64} {path}\n".encode()
    service = PhysioNet(PROJECT, connections=4)
    with service.host, pytest.raises(RecordingError, match="not a path to use"):
        service.files()


def test_openneuro_lists_page_by_page_what_is_wanted(bucket, tmp_path):
    for i in range(1, 9):
        name = f"/ds1/sub-{i}/eeg/sub-{i}_task-Sleep_acq-psg_eeg.edf"
        bucket.files[name] = os.urandom(500)
        bucket.files[name.replace("psg", "headband")] = b"another device"
    service = OpenNeuro("ds1", r"sub-\d+/eeg/.*acq-psg_.*", connections=4)
    with service.host:
        files = service.files()
        fetched = service.fetch(files[0], tmp_path)
    assert len(files) == 8
    assert dict(files[0].checksums)["md5"] == hashlib.md5(fetched.path.read_bytes()).hexdigest()


@pytest.mark.parametrize(("size", "algorithm"), [(154652160, "sha256"), (12, "md5")])
def test_the_signals_of_boas_have_published_checksums(bucket, monkeypatch, size, algorithm):
    """A file of another size is of another version of the dataset; the server's checksum holds then."""
    key = "ds005555/sub-1/eeg/sub-1_task-Sleep_acq-psg_eeg.edf"
    stored = Stored(key, size, "0" * 32)
    monkeypatch.setattr(s3_listing, "listed", lambda *_: iter([stored]))
    service = OpenNeuro("ds005555", ".*", connections=4)
    with service.host:
        (file,) = service.files()
    ((name, digest),) = file.checksums
    assert name == algorithm
    assert digest.startswith("871ad6c6f024" if algorithm == "sha256" else "0" * 32)


@pytest.fixture
def zenodo(monkeypatch):
    nights = {f"dodh/{name}.h5": os.urandom(9_000_000 if name == "a" else 1000) for name in "abc"}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in nights.items():
            archive.writestr(name, content)
    server = ZenodoServer(15900394, "dodh.zip", buffer.getvalue())
    server.nights = nights
    monkeypatch.setenv("PSGIMG_ZENODO_URL", server.url)
    yield server
    server.close()


def test_one_member_of_an_archive_is_had_without_the_others(zenodo, tmp_path):
    service = Zenodo(15900394, "dodh.zip", connections=4)
    with service.host:
        files = service.files()
        sent = zenodo.sent
        fetched = service.fetch(files[1], tmp_path)
    assert [str(file.path) for file in files] == ["dodh/a.h5", "dodh/b.h5", "dodh/c.h5"]
    assert fetched.path.read_bytes() == zenodo.nights["dodh/b.h5"]
    assert zenodo.sent - sent < 9_000_000


def test_a_piece_that_is_dropped_is_asked_for_again(zenodo, tmp_path):
    content = "/api/records/15900394/files/dodh.zip/content"
    service = Zenodo(15900394, "dodh.zip", connections=4)
    with service.host:
        files = service.files()
        zenodo.faults[content] = ["drop", 503, "drop"]
        fetched = service.fetch(files[0], tmp_path)
    assert fetched.path.read_bytes() == zenodo.nights["dodh/a.h5"]


def test_a_server_without_ranges_is_told_in_one_line(zenodo):
    zenodo.ranges = False
    service = Zenodo(15900394, "dodh.zip", connections=4)
    with service.host, pytest.raises(RecordingError, match="does not send parts of an archive"):
        service.files()


def test_a_damaged_member_leaves_nothing(zenodo, tmp_path):
    service = Zenodo(15900394, "dodh.zip", connections=4)
    path = "/api/records/15900394/files/dodh.zip/content"
    with service.host:
        files = service.files()
        archive = bytearray(zenodo.files[path])
        archive[200:300] = bytes(100)
        zenodo.files[path] = bytes(archive)
        with pytest.raises(RecordingError, match="can't be unpacked"):
            service.fetch(files[0], tmp_path)
    assert not (tmp_path / "dodh" / "a.h5").exists()


def _in_bzip2(archive):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_BZIP2) as damaged:
        damaged.writestr("dodh/a.h5", os.urandom(5_000))
    content = bytearray(buffer.getvalue())
    content[200:210] = bytes(10)
    return bytes(content)


def _with_password(archive):
    """Return an archive whose first member says that it is encrypted."""
    content = bytearray(archive)
    content[6] |= 1
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:  # a mark may be in what it holds, too
        content[opened.start_dir + 8] |= 1
    return bytes(content)


@pytest.mark.parametrize("change", [_in_bzip2, _with_password])
def test_what_can_not_be_unpacked_is_a_fault_of_the_archive_and_not_of_the_disk(
    zenodo, tmp_path, change
):
    path = "/api/records/15900394/files/dodh.zip/content"
    zenodo.files[path] = change(zenodo.files[path])
    service = Zenodo(15900394, "dodh.zip", connections=4)
    with service.host:
        files = service.files()
        with pytest.raises(RecordingError, match=r"a\.h5 in dodh\.zip of Zenodo can't be unpacked"):
            service.fetch(files[0], tmp_path)


def test_a_list_of_a_bucket_without_end_is_refused(bucket, monkeypatch):
    monkeypatch.setattr(BucketHandler, "answer", lambda self, *_: self.reply(200, page, {}))
    page = bucket_page([], "again").encode()
    service = OpenNeuro("ds1", ".*", connections=4)
    with service.host, pytest.raises(RecordingError, match="a list of files without end"):
        service.files()
    assert len(bucket.seen) == 2


def test_what_is_not_wanted_of_a_bucket_does_not_matter(bucket):
    """Buckets may hold marks of folders, and files under names that can't be used everywhere."""
    bucket.files.update(
        {"/ds1/": b"", "/ds1/sub-1/": b"", "/ds1/code/con.py": b"", "/ds1/a.tsv": b""}
    )
    service = OpenNeuro("ds1", r"[^/]+\.tsv", connections=4)
    with service.host:
        assert [str(file.path) for file in service.files()] == ["a.tsv"]
