"""Publishing: shards change in place, killed at any moment, with disk space for one more."""

import contextlib
import shutil
from pathlib import Path

import pytest
from psgimg.builder.building import shard_files, shard_plan
from psgimg.builder.dataset import build_report, shards
from psgimg.builder.errors import BuildError
from psgimg.builder.files import hash_cache, hashing_file
from shard_parts import content, publish, write

NAMES = [f"{i:04d}-night" for i in range(64)]
REPORT = build_report.FILE


class Killed(BaseException):
    """As final as SIGKILL: no handler of ours catches it."""


def at_each_step(monkeypatch, act):
    """Call a function before each operation on files."""

    def watched(operation):
        def call(*args, **kwargs):
            act()
            return operation(*args, **kwargs)

        return call

    for name in ("replace", "unlink", "mkdir"):
        monkeypatch.setattr(Path, name, watched(getattr(Path, name)))


def kill_after(monkeypatch, n_steps):
    """Die at the n-th file operation."""
    steps = iter(range(n_steps))

    def act():
        if next(steps, None) is None:
            raise Killed

    at_each_step(monkeypatch, act)


def settled(out):
    return {name: data for name, data in content(out).items() if ".tmp" not in name}


def grow(out):
    """One shard becomes two, a recording is drawn anew, another can no longer be built."""
    write(out, NAMES[4:8])
    write(out, NAMES[1:2], mark=1)
    shards.discard(out, shards.finished(out).get(("shhs", NAMES[2])))


def shrink(out):
    """Two shards become one."""
    for name in NAMES[3:8]:
        shards.discard(out, shards.finished(out).get(("shhs", name)))


CHANGES = [(4, grow), (8, shrink), (8, grow)]


@pytest.mark.parametrize(("n_before", "change"), CHANGES)
def test_publishing_killed_at_any_step_ends_with_the_same_bytes(
    n_before, change, tmp_path, monkeypatch
):
    """And at every step each recording is known by its newest rows, and no report fits by mistake."""
    monkeypatch.setattr(shard_plan, "PER_SHARD", 4)

    whole, begun = tmp_path / "whole", tmp_path / "begun"
    write(begun, NAMES[:n_before])
    publish(begun)
    (begun / REPORT).write_text("before")
    before = settled(begun / "data")
    change(begun)
    shutil.copytree(begun, whole)
    wanted = {key: done.facts for key, done in shards.finished(whole).items()}
    publish(whole)
    expected = settled(whole)
    assert REPORT not in expected
    for n_steps in range(400):
        out = tmp_path / str(n_steps)
        shutil.copytree(begun, out)
        with monkeypatch.context() as dying:
            kill_after(dying, n_steps)
            try:
                publish(out)
                survived = True
            except Killed:
                survived = False
        assert {key: done.facts for key, done in shards.finished(out).items()} == wanted
        if (out / REPORT).exists():
            assert settled(out / "data") == before
        assert build_report.earlier_file(out).read_text() == "before" or survived
        publish(out)
        found = settled(out)
        assert found == expected, f"killed at step {n_steps}"
        if survived:
            assert n_steps >= 10
            return
    pytest.fail("publishing never came to an end")


def test_a_killed_publishing_may_go_on_with_more_recordings(tmp_path, monkeypatch):
    """Also if one was drawn anew before it was killed, and shards that it staged are not wanted."""
    monkeypatch.setattr(shard_plan, "PER_SHARD", 4)

    whole, begun, more = (tmp_path / name for name in ("whole", "begun", "more"))
    write(begun, NAMES[:4])
    publish(begun)
    write(begun, NAMES[4:8])
    write(begun, NAMES[:1], mark=1)
    write(more, NAMES[8:20])
    for folder in (begun, more):
        shutil.copytree(folder, whole, dirs_exist_ok=True)
    publish(whole)
    for n_steps in range(1, 40, 3):
        out = tmp_path / str(n_steps)
        shutil.copytree(begun, out)
        with monkeypatch.context() as dying, contextlib.suppress(Killed):
            kill_after(dying, n_steps)
            publish(out)
        shutil.copytree(more, out, dirs_exist_ok=True)
        with monkeypatch.context() as dying, contextlib.suppress(Killed):
            kill_after(dying, n_steps)
            publish(out)
        marks = [done.facts["mark"] for done in shards.finished(out).values()]
        assert sorted(marks) == [0] * 19 + [1], f"killed at step {n_steps}"
        publish(out)
        assert settled(out) == content(whole), f"killed at step {n_steps}"


def shard_sizes(out):
    return [path.stat().st_size for path in (out / "data").rglob("*.parquet")]


@pytest.mark.parametrize("n_before", [0, 8, 16, 32])
def test_a_growing_dataset_needs_disk_space_for_one_more_shard(n_before, tmp_path, monkeypatch):
    """New, grown in place, and with twice or four times as many shards as before."""
    monkeypatch.setattr(shard_plan, "PER_SHARD", 8)
    write(tmp_path, NAMES[:n_before])
    publish(tmp_path)
    of_shards = shard_sizes(tmp_path)
    write(tmp_path, NAMES[n_before:])
    sizes = []

    def measure():
        sizes.append(sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()))

    measure()
    with monkeypatch.context() as watching:
        at_each_step(watching, measure)
        publish(tmp_path)
    of_shards += shard_sizes(tmp_path)
    assert len(sizes) > 3 * len(shard_sizes(tmp_path))
    assert max(sizes) <= max(sizes[0], sum(shard_sizes(tmp_path))) + max(of_shards)


def test_another_corpus_leaves_the_shards_of_the_first_untouched(tmp_path):
    write(tmp_path, NAMES[:3])
    publish(tmp_path)
    (path,) = (tmp_path / "data").rglob("*.parquet")
    before = path.stat().st_mtime_ns, path.stat().st_ino
    write(tmp_path, NAMES[:3], corpus="mesa")
    publish(tmp_path)
    assert len(list((tmp_path / "data").rglob("*.parquet"))) == 2
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before


def test_a_dataset_without_changes_keeps_its_report(tmp_path):
    write(tmp_path, NAMES[:3])
    publish(tmp_path)
    (tmp_path / REPORT).write_text("whole")
    publish(tmp_path)
    assert (tmp_path / REPORT).read_text() == "whole"


class HashedBytes:
    """Counts the bytes that are read to be hashed."""

    def __init__(self, monkeypatch):
        self.n_read = 0
        monkeypatch.setattr(hash_cache.hashlib, "file_digest", self._file_digest)

    def _file_digest(self, file, name):
        data = file.read()
        self.n_read += len(data)
        return hash_cache.hashlib.new(name, data)


def test_a_shard_is_hashed_as_it_is_written_and_never_read_for_it(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(shard_plan, "PER_SHARD", 8)
    hashed = HashedBytes(monkeypatch)
    out = tmp_path / "out"
    write(out, NAMES)
    done = shards.finished(out)
    new = shard_files.publish(out, shard_plan.plan(done.values(), dict.fromkeys(done, "train")))
    new.remember(wait=True)
    known = hash_cache.HashCache.load()
    paths = sorted((out / "data").rglob("*.parquet"))
    assert len(paths) == 8
    for path in paths:
        sha256 = hash_cache.hashlib.sha256(path.read_bytes()).hexdigest()
        assert new.get(path) == known.sha256(path) == sha256
    assert hashed.n_read == 0
    paths[0].write_bytes(paths[1].read_bytes())
    assert known.sha256(paths[0]) == new.get(paths[1])
    assert hashed.n_read == paths[1].stat().st_size


def test_a_full_disk_ends_publishing_and_leaves_every_recording(tmp_path, monkeypatch):
    """The file object that hashes reports it as any other."""
    write(tmp_path, NAMES[:3])

    def full(self, data):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as filling:
        filling.setattr(hashing_file.HashingWriter, "write", full)
        with pytest.raises(BuildError, match="disk is full"):
            publish(tmp_path)
    assert len(shards.finished(tmp_path)) == 3
    publish(tmp_path)
    assert len(list((tmp_path / "data").rglob("*.parquet"))) == 1
