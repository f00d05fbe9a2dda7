"""Built again: a command with nothing to do reads no picture, writes no file and says so quickly."""

import os
import time

import pytest
import tiny
from builds import content, run
from psgimg.builder.card import dataset_card
from psgimg.builder.dataset import shards
from psgimg.builder.files import hash_cache

SMALL = {"style": "paper", "trim_min": None}


@pytest.fixture
def built(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tiny.write_shhs(tmp_path / "shhs", n_subjects=2, visits=(1,), minutes=3)
    for path in (tmp_path / "shhs").rglob("*.*"):
        os.utime(path, (1e9, 1e9))
    time.sleep(hash_cache.FINE_TICK_S)  # hashes of files that have just changed are not remembered
    run(tmp_path / "out", tmp_path / "shhs", **SMALL)
    return tmp_path / "out"


def changes(out):
    return {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}


def test_nothing_is_read_or_written_again(built, monkeypatch):
    before = changes(built)

    def refuse(*args, **kwargs):
        raise AssertionError("a picture or a whole file was read")

    monkeypatch.setattr(shards, "read_column", refuse)
    monkeypatch.setattr(hash_cache, "read", refuse)
    report, _ = run(built, built.parent / "shhs", **SMALL)
    assert changes(built) == before
    assert report.n_epochs() > 0


@pytest.mark.parametrize("name", [dataset_card.FILE, dataset_card.SHEET, "card/W.png"])
@pytest.mark.parametrize("harm", [lambda path: path.unlink(), lambda path: path.write_text("x")])
def test_a_file_beside_the_shards_that_was_removed_or_changed_is_written_again(built, name, harm):
    before = content(built)
    harm(built / name)
    run(built, built.parent / "shhs", **SMALL)
    assert content(built) == before
