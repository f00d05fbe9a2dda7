"""Durable: contents reach the disk before their name, and the name before anything relies on it."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from psgimg.builder import atomic_file, atomic_folder
from psgimg.builder.building import shard_files
from psgimg.builder.dataset import shards
from psgimg.builder.files import durable
from shard_parts import facts, publish, rows


@pytest.fixture
def calls(monkeypatch):
    """What is flushed, renamed and deleted, in order, by name."""
    made = []
    fsync, replace, unlink = os.fsync, Path.replace, Path.unlink

    def synced(descriptor):
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        made.append(("sync", path.name))
        fsync(descriptor)

    def replaced(source, target):
        made.append(("rename", source.name, target.name))
        return replace(source, target)

    def unlinked(path, missing_ok=False):
        if path.exists():
            made.append(("delete", path.name))
        unlink(path, missing_ok)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    monkeypatch.setattr(Path, "unlink", unlinked)
    return made


def test_a_file_is_flushed_then_renamed_then_its_folder_is_flushed(tmp_path, calls):
    atomic_file.write_text(tmp_path / "a.txt", "text")
    (first, temporary), *rest = calls
    assert (first, temporary.endswith(".tmp")) == ("sync", True)
    assert rest == [("rename", temporary, "a.txt"), ("sync", tmp_path.name)]


def test_writers_at_the_same_time_have_files_of_their_own(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"

    def name():
        with atomic_file.whole(path) as temporary:
            temporary.touch()
            return temporary.name

    with ThreadPoolExecutor(1) as other:
        names = {name(), other.submit(name).result()}
    monkeypatch.setattr(atomic_file, "_machine", lambda: "0123abcd")
    names.add(name())
    assert len(names) == 3
    assert {atomic_file.target_name(one) for one in names} == {"a.txt"}


def test_a_file_that_another_machine_writes_is_no_leftover_until_it_was_given_up(tmp_path):
    path = tmp_path / "a.txt"
    elsewhere = tmp_path / ".a.txt.0123abcd-1.tmp"
    elsewhere.touch()
    atomic_file.write_text(path, "text")
    assert elsewhere.exists()
    given_up_s = elsewhere.stat().st_mtime - atomic_file.ABANDONED_S - 60
    os.utime(elsewhere, (given_up_s, given_up_s))
    atomic_file.write_text(path, "text")
    assert sorted(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("process", ["999999999", "here-999999999"])
def test_what_a_killed_process_of_this_machine_has_left_is_removed(tmp_path, process):
    here = process.replace("here", atomic_file._machine())
    (tmp_path / f".a.txt.{here}.tmp").touch()
    atomic_file.write_text(tmp_path / "a.txt", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_the_name_of_a_new_folder_reaches_the_disk_before_what_is_in_it(tmp_path, calls):
    atomic_file.write_text(tmp_path / "x" / "y" / "a.txt", "text")
    assert calls[:2] == [("sync", tmp_path.name), ("sync", "x")]
    assert calls[-1] == ("sync", "y")


def test_every_file_of_a_folder_is_flushed_before_the_folder_is_renamed(tmp_path, calls):
    out = tmp_path / "out"
    out.mkdir()
    with atomic_folder.whole(out, None, tuple, "test") as room:
        (room / "sub").mkdir()
        for path in (room / "a", room / "sub" / "b"):
            path.write_text("x")
        calls.clear()
    renames = [i for i, call in enumerate(calls) if call[0] == "rename"]
    before = {name for what, name, *_ in calls[: renames[0]] if what == "sync"}
    assert before == {"a", "b", "sub", "new"}
    moved_away, moved_in = renames
    assert calls[moved_away] == ("rename", "out", "old")
    assert calls[moved_in] == ("rename", "new", "out")
    assert ("sync", tmp_path.name) in calls[moved_away:moved_in]
    assert ("sync", tmp_path.name) in calls[moved_in:]


def test_a_file_that_is_removed_for_good_has_its_folder_flushed(tmp_path, calls):
    (tmp_path / "a").write_text("")
    durable.remove(tmp_path / "a")
    assert calls == [("delete", "a"), ("sync", tmp_path.name)]


@pytest.mark.parametrize(("number", "fails"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_a_file_system_without_flushing_of_folders_is_no_error_and_a_broken_disk_is_one(
    tmp_path, monkeypatch, number, fails
):
    def fsync(descriptor):
        if Path(f"/proc/self/fd/{descriptor}").is_dir():
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    if fails:
        with pytest.raises(OSError, match="Input/output"):
            durable.sync_folder(tmp_path)
    else:
        durable.sync_folder(tmp_path)


def test_the_next_writer_of_a_file_removes_what_a_killed_one_left_of_it_and_nothing_else(tmp_path):
    process = os.fork()
    if not process:
        os._exit(0)
    os.waitpid(process, 0)  # no process has this number now
    left = tmp_path / f".a.txt.{process}.tmp"
    kept = [
        tmp_path / f".a.txt.{os.getppid()}.tmp",  # of a process that runs
        tmp_path / ".a.txt.mine.tmp",
        tmp_path / f".b.txt.{process}.tmp",
    ]
    for path in (left, *kept):
        path.write_text("")
    atomic_file.write_text(tmp_path / "a.txt", "text")
    assert not left.exists()
    assert all(path.exists() for path in kept)


def test_a_recording_s_part_leaves_only_when_its_shard_is_on_the_disk(tmp_path, calls):
    """And a shard that is no longer wanted is gone for good before the new state is relied on."""
    for name in ("0001-night", "0002-night"):
        shards.write_part(tmp_path, rows(name), facts(name))
    calls.clear()
    publish(tmp_path)
    shard = next((tmp_path / "data").rglob("*.parquet"))
    staged = calls.index(next(c for c in calls if c[0] == "rename" and c[2] == shard.name))
    flushed = calls.index(("sync", shard.parent.name), staged)
    deleted = [i for i, call in enumerate(calls) if call[0] == "delete"]
    assert deleted
    assert min(deleted) > flushed
    moved = [i for i, call in enumerate(calls) if call == ("rename", shard.name, shard.name)]
    assert ("sync", shard.parent.name) in calls[moved[0] :]
    calls.clear()
    shard_files.publish(tmp_path, [])
    assert ("delete", shard.name) in calls
    assert calls[calls.index(("delete", shard.name)) + 1] == ("sync", shard.parent.name)
