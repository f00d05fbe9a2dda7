"""Early shards: written while nights are drawn, with the bytes of a publishing after the last one."""

import pytest
from patience import wait_for
from psgimg.builder.building import shard_files, shard_plan
from psgimg.builder.building.early_shards import EarlyShards
from psgimg.builder.dataset import shards
from psgimg.builder.errors import BuildError
from shard_parts import content, facts, publish, write

NAMES = [f"{i:04d}-night" for i in range(8)]
KEYS = [("shhs", name) for name in NAMES]


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(shard_plan, "PER_SHARD", 4)


def early(out, names=NAMES):
    kin_of = {("shhs", name): facts(name)["kin"] for name in names}
    return EarlyShards(out, shard_plan.arrange(kin_of, dict.fromkeys(kin_of, "train")))


def finish(out, hashes):
    """Publish what is there, given the hashes of the shards that were written early."""
    done = shards.finished(out)
    planned = shard_plan.plan(done.values(), dict.fromkeys(done, "train"))
    return shard_files.publish(out, planned, hashes)


@pytest.fixture
def whole(tmp_path):
    write(tmp_path / "whole", NAMES)
    publish(tmp_path / "whole")
    return content(tmp_path / "whole")


def test_shards_written_meanwhile_have_the_same_bytes_and_are_not_written_again(
    tmp_path, whole, monkeypatch
):
    out = tmp_path / "out"
    work = early(out)
    with work.written():
        for name in reversed(NAMES):  # workers finish in any order
            write(out, [name])
            work.known(("shhs", name))
    assert not list((out / ".psgimg" / "parts").rglob("*.parquet"))
    monkeypatch.setattr(shards, "write_shard", None)
    finish(out, work.hashes)
    assert content(out) == whole


def test_a_shard_is_complete_before_the_last_recording_is_drawn(tmp_path):
    """Otherwise all of them would be written by one process after the last night."""
    out = tmp_path / "out"
    work = early(out)
    (first, *_), keys = next(iter(work.places.items()))
    assert len(keys) < len(NAMES)
    with work.written():
        for key in keys:
            write(out, [key[1]])
            work.known(key)
        wait_for(lambda: first in work.hashes)
        for key in set(KEYS) - set(keys):
            write(out, [key[1]])
            work.known(key)
    assert set(work.hashes) == {name for name, *_ in work.places}


@pytest.mark.parametrize("lost", [NAMES[:1], NAMES[3:5], NAMES[1:]], ids=len)
def test_recordings_that_were_set_aside_meanwhile_leave_no_trace(tmp_path, lost):
    """Also if fewer recordings need fewer shards."""
    left = [name for name in NAMES if name not in lost]
    write(tmp_path / "whole", left)
    publish(tmp_path / "whole")
    out = tmp_path / "out"
    work = early(out)
    with work.written():
        for name in NAMES:
            if name in left:
                write(out, [name])
            work.known(("shhs", name))
    finish(out, work.hashes)
    assert content(out) == content(tmp_path / "whole")


def interrupted(out, work):
    with work.written():
        for name in NAMES[:5]:
            write(out, [name])
            work.known(("shhs", name))
        raise KeyError


def test_after_an_error_finished_recordings_stay_and_no_half_shard(tmp_path, whole):
    out = tmp_path / "out"
    work = early(out)
    with pytest.raises(KeyError):
        interrupted(out, work)
    assert set(shards.finished(out)) == set(KEYS[:5])
    assert not [name for name in content(out) if ".tmp" in name]
    write(out, NAMES[5:])
    publish(out)
    assert content(out) == whole


def test_a_disk_that_is_full_meanwhile_is_no_end_by_itself(tmp_path, whole, monkeypatch):
    """The publishing meets it again, and says so, or no longer does."""
    out = tmp_path / "out"
    work = early(out)
    with monkeypatch.context() as full:

        def refuse(*_):
            raise BuildError("the disk is full")

        full.setattr(shards, "write_shard", refuse)
        with work.written():
            for name in NAMES:
                write(out, [name])
                work.known(("shhs", name))
    assert work.hashes == {}
    finish(out, work.hashes)
    assert content(out) == whole
