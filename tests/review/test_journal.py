"""The journal: what was confirmed is on the disk, and nothing else is taken for it."""

import json
import os

import pytest
from psgimg.builder.errors import BuildError
from psgimg.finetune.review.journal import Journal

HEAD = {"night": "night.edf", "epochs": 12}
LINES = [{"revision": n, "edits": [{"kind": "note", "epoch": 0, "text": "ü\n1"}]} for n in (1, 2)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "review" / "journal.jsonl"


def written(path, lines=LINES):
    journal = Journal(path, HEAD)
    for line in lines:
        journal.append(line)
    return path


def test_lines_are_found_again_and_the_file_is_text_for_people(path):
    assert not path.exists()
    assert Journal(written(path), HEAD).lines == LINES
    assert "ü" in path.read_text(encoding="utf-8")
    assert len(path.read_text(encoding="utf-8").splitlines()) == 3


def test_nothing_is_written_before_the_first_edit(path):
    Journal(path, HEAD)
    assert not path.parent.exists()


@pytest.mark.parametrize("n_lost", range(1, 60, 7))
def test_a_line_that_was_not_finished_is_removed_and_the_next_stands_alone(path, n_lost):
    whole = written(path).read_bytes()
    path.write_bytes(whole[:-n_lost])
    journal = Journal(path, HEAD)
    assert journal.lines == LINES[:1]
    journal.append(LINES[1])
    assert path.read_bytes() == whole


def test_a_killed_first_edit_leaves_a_journal_to_go_on_with(path):
    whole = written(path, LINES[:1]).read_bytes()
    path.write_bytes(whole[:20])
    journal = Journal(path, HEAD)
    journal.append(LINES[0])
    assert path.read_bytes() == whole


def test_a_damaged_line_is_named(path):
    lines = written(path).read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([lines[0], lines[1][:-3], lines[2], ""]), encoding="utf-8")
    with pytest.raises(BuildError, match=r"journal.jsonl, line 2: .*restore the file"):
        Journal(path, HEAD)


def test_the_journal_of_another_night_is_refused(path):
    written(path)
    with pytest.raises(BuildError, match=r"epochs 12, not 11; choose another --out"):
        Journal(path, {**HEAD, "epochs": 11})


def test_an_edit_that_can_not_be_written_leaves_the_journal_as_it_was(path, monkeypatch):
    before = written(path).read_bytes()
    journal = Journal(path, HEAD)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "no space left")))
        with pytest.raises(BuildError, match="make the change again"):
            journal.append({"revision": 3})
    assert path.read_bytes() == before
    journal.append({"revision": 3})
    assert json.loads(path.read_text(encoding="utf-8").splitlines()[-1]) == {"revision": 3}
