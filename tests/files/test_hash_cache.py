"""Hash cache: a hash is right or unknown, whatever happened to the file or to the cache."""

import hashlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor

import file_clock
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psgimg.builder.files import hash_cache
from psgimg.builder.files.hash_cache import FileChangedError, HashCache, Stamp

SECOND_NS = 10**9


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def settled(monkeypatch):
    """Files that tests wrote a moment ago count as written long ago."""
    monkeypatch.setattr(hash_cache, "COARSE_TICK_S", 0)
    monkeypatch.setattr(hash_cache, "FINE_TICK_S", 0)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "Maria Silva 1950" / "night.edf"
    path.parent.mkdir()
    path.write_bytes(bytes(300_000))
    return path


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def known(path):
    hashed = HashCache.load().get(path)
    return hashed and hashed.sha256


def test_the_hash_is_that_of_sha256sum_and_is_remembered(file, settled):
    assert known(file) is None
    assert hash_cache.read(file).sha256 == sha256(file) == known(file)


@pytest.mark.parametrize("place", [0, 1, 65_536, 150_000, 299_999])
def test_a_byte_anywhere_changes_the_hash_even_if_size_and_time_are_as_before(file, settled, place):
    before, times = hash_cache.read(file), file.stat()
    file_clock.moved_on(file)
    with file.open("rb+") as opened:
        opened.seek(place)
        opened.write(b"x")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert known(file) is None
    assert not hash_cache.is_unchanged(file, before)
    assert hash_cache.read(file).sha256 == sha256(file) != before.sha256


def replace(file):
    copy = file.with_name("copy")
    copy.write_bytes(b"y" * 300_000)
    os.utime(copy, ns=(0, file.stat().st_mtime_ns))
    copy.replace(file)


def move_away(file):
    file.rename(file.with_name("elsewhere"))
    file.write_bytes(b"z" * 300_000)


@pytest.mark.parametrize("change", [replace, move_away])
def test_another_file_in_its_place_is_not_taken_for_it(file, settled, change):
    before = hash_cache.read(file)
    change(file)
    assert known(file) is None
    assert not hash_cache.is_unchanged(file, before)


def test_a_copy_of_the_same_content_is_unchanged(file, settled):
    before = hash_cache.read(file)
    copy = file.with_name("copy")
    copy.write_bytes(file.read_bytes())
    copy.replace(file)
    assert hash_cache.is_unchanged(file, before)


@pytest.mark.parametrize(
    ("mtime_s", "ctime_s", "settled"),
    [
        (100.5, 100.5, True),
        (100.5, 199.95, False),  # within a step of a clock of milliseconds
        (199.95, 100.5, False),  # a file system whose ctime does not follow
        (198.0, 199.0, False),  # within a step of a clock of whole seconds
        (100.0, 100.0, True),
        (100.5, 200.5, False),  # the server's clock is ahead
        (900.5, 100.5, True),  # a recorder whose clock was wrong
    ],
)
def test_a_file_written_within_a_step_of_the_clock_is_not_trusted(mtime_s, ctime_s, settled):
    stamp = Stamp(1, 1, int(mtime_s * SECOND_NS), int(ctime_s * SECOND_NS))
    assert stamp.is_settled(200 * SECOND_NS) is settled


def test_a_file_that_was_just_written_is_read_again(file, monkeypatch):
    monkeypatch.setattr(hash_cache, "FINE_TICK_S", 60)
    before = hash_cache.read(file)
    assert not before.settled
    assert known(file) is None
    file.write_bytes(b"w" * 300_000)
    monkeypatch.setattr(Stamp, "of", lambda status: before.stamp)  # as a coarse clock would
    assert not hash_cache.is_unchanged(file, before)


def test_a_file_that_grows_while_it_is_read_has_no_hash(file, monkeypatch):
    digest = hashlib.file_digest

    def growing(opened, name):
        with file.open("ab") as other:
            other.write(b"more")
        return digest(opened, name)

    monkeypatch.setattr(hashlib, "file_digest", growing)
    with pytest.raises(FileChangedError):
        hash_cache.read(file)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(place=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_a_damaged_cache_is_never_believed(file, settled, place, byte):
    right = hash_cache.read(file).sha256
    cache = hash_cache.location()
    whole = cache.read_bytes()
    spoilt = bytearray(whole)
    spoilt[int(place * len(whole))] = byte
    for content in (bytes(spoilt), whole[: int(place * len(whole))]):
        cache.write_bytes(content)
        assert known(file) in (None, right)
        hash_cache.read(file)  # the next entry is whole again, even behind a torn one
        assert known(file) == right
    cache.unlink()


@pytest.mark.parametrize(
    "content", [b"\0" * 99, b"[" * 99_999, b"{}\n[]\n3\n", b"\xff\n", b"[1,2]"]
)
def test_a_cache_of_something_else_is_empty(file, content):
    cache = hash_cache.location()
    cache.parent.mkdir(parents=True)
    cache.write_bytes(content)
    assert known(file) is None


def test_the_cache_is_private_and_names_nobody(file, settled):
    hash_cache.read(file)
    cache = hash_cache.location()
    assert stat.S_IMODE(cache.stat().st_mode) == 0o600
    assert b"Maria" not in cache.read_bytes()
    assert b"night" not in cache.read_bytes()


def test_the_cache_stays_bounded_and_keeps_the_latest(tmp_path, settled, monkeypatch):
    monkeypatch.setattr(hash_cache, "MAX_ENTRIES", 3)
    paths = [tmp_path / f"{i}.edf" for i in range(9)]
    for path in paths:
        path.write_text(path.name)
        hash_cache.read(path)
    HashCache.load()
    assert [known(path) is not None for path in paths] == [False] * 6 + [True] * 3
    assert len(hash_cache.location().read_bytes().split()) == 3


def test_many_writers_at_once_lose_nothing(tmp_path, settled):
    paths = [tmp_path / f"{i}.edf" for i in range(200)]
    for path in paths:
        path.write_text(path.name)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(hash_cache.read, paths))
    assert [known(path) for path in paths] == list(map(sha256, paths))


def no_home(monkeypatch, tmp_path):
    monkeypatch.delenv("XDG_CACHE_HOME")

    def nobody():
        raise RuntimeError

    monkeypatch.setattr(hash_cache.Path, "home", nobody)


def file_in_place(monkeypatch, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder would be")


def relative(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", "somewhere")  # to be ignored
    monkeypatch.setenv("HOME", str(tmp_path / "night-shift"))
    (tmp_path / "night-shift").write_text("")


@pytest.mark.parametrize("impair", [no_home, file_in_place, relative])
def test_without_a_place_for_the_cache_files_are_hashed_all_the_same(
    file, settled, monkeypatch, tmp_path, impair
):
    impair(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    assert hash_cache.read(file).sha256 == sha256(file)
    assert known(file) is None
    assert not (tmp_path / "somewhere").exists()


def test_a_pipe_or_device_among_the_files_is_refused_unread(tmp_path):
    """Reading one may never end."""
    os.mkfifo(tmp_path / "pipe.edf")
    (tmp_path / "zero.edf").symlink_to("/dev/zero")
    for path in tmp_path.iterdir():
        with pytest.raises(OSError, match="not a regular file"):
            HashCache.load().get(path)
