"""Which nights a review is of: folders that are recordings, and folders that hold nights."""

import json

import pytest
from psgimg.builder import atomic_file
from psgimg.builder.errors import BuildError
from psgimg.finetune.review import night_place
from psgimg.finetune.review.review_config import ReviewConfig
from review_nights import write_recording, write_staged


def place(*nights, **options):
    [found] = night_place.find(ReviewConfig(nights, **options))
    return found


@pytest.fixture
def mff(tmp_path):
    """A folder as EGI writes them; only names matter here."""
    folder = tmp_path / "night.mff"
    folder.mkdir()
    (folder / "signal1.bin").write_bytes(b"one")
    (folder / "info.xml").write_bytes(b"two")
    return folder


@pytest.fixture
def staged(mff):
    """What `psgimg stage` would write of such a folder."""
    edf = write_recording(mff.with_suffix(".edf"))
    folder = write_staged(edf)
    edf.unlink()
    facts = json.loads((folder / "statistics.json").read_text())
    facts |= {"night": "night.mff", "recording": "../night.mff", "signal": atomic_file.sha256(mff)}
    (folder / "statistics.json").write_text(json.dumps(facts))
    return folder


def test_a_recording_that_is_a_folder_is_a_night(mff):
    assert (place(mff).recording, place(mff).staged, place(mff).name) == (mff, None, "night")


def test_a_folder_that_is_no_recording_is_searched_for_nights(staged, mff):
    assert (place(staged.parent).staged, place(staged.parent).recording.resolve()) == (staged, mff)


def test_a_recording_that_is_a_folder_may_have_moved(staged, mff):
    moved = mff.rename(mff.with_name("renamed.mff"))
    assert place(staged, recording=moved).recording == moved
    elsewhere = moved.parent / "elsewhere" / "night.mff"
    elsewhere.parent.mkdir()
    moved.rename(elsewhere)
    with pytest.raises(BuildError, match="say with --recording where it is"):
        place(staged)
    assert place(staged, recording=elsewhere.parent).recording == elsewhere


def test_a_recording_that_is_a_folder_is_known_by_its_files(mff):
    before = atomic_file.sha256(mff)
    (mff / ".DS_Store").write_bytes(b"of a file manager")
    assert atomic_file.sha256(mff) == before
    (mff / "signal1.bin").rename(mff / "signal2.bin")
    assert atomic_file.sha256(mff) != before
    (mff / "signal2.bin").rename(mff / "signal1.bin")
    (mff / "info.xml").write_bytes(b"other")
    assert atomic_file.sha256(mff) != before
