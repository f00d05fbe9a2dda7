"""ISRUC-Sleep: trees as archives leave them, two experts, and what only the tables tell."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny
from openpyxl import Workbook, load_workbook
from psgimg.builder.corpora.registry import corpus
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.recordings.recording import Recording
from psgimg.builder.stages import Stage, Unscored


def names(root: Path, *places: str) -> list[tuple[str, str]]:
    for place in places:
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).touch()
    return [(found.subject, found.recording) for found in corpus("isruc").recordings(root)]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("subgroupI/8/8.rec", ("I-008", "I-008")),
        ("subgroupI/8/8/8.rec", ("I-008", "I-008")),
        ("subgroupI/1/1/1.rec", ("I-001", "I-001")),
        ("ISRUC_Sleep/subgroupIII/1/1.rec", ("III-001", "III-001")),
        ("Subgroup_3/10/10.rec", ("III-010", "III-010")),
        ("ISRUC-III/10.rec", ("III-010", "III-010")),
        ("group1/100/100.edf", ("I-100", "I-100")),
        ("subgroupII/3/1/1.rec", ("II-003", "II-003-1")),
        ("subgroupII/1/1/1.rec", ("II-001", "II-001-1")),
        ("subgroupII/1/2/2.rec", ("II-001", "II-001-2")),
        ("subgroupII/1/1/2/2.rec", ("II-001", "II-001-2")),
        ("subgroup II/8/2/2.rec", ("II-008", "II-008-2")),
    ],
)
def test_subgroup_subject_and_night_are_read_from_the_path(
    place: str, expected: tuple[str, str], tmp_path: Path
) -> None:
    assert names(tmp_path, place) == [expected]


def test_root_may_be_the_subgroup_folder_itself(tmp_path: Path) -> None:
    names(tmp_path, "subgroupII/1/1/1.rec", "subgroupII/1/2/2.rec")
    found = list(corpus("isruc").recordings(tmp_path / "subgroupII" / "1"))
    assert [recording.recording for recording in found] == ["II-001-1", "II-001-2"]
    assert {recording.split_key for recording in found} == {"II-001"}


def test_equal_numbers_of_different_subgroups_are_different_people(tmp_path: Path) -> None:
    found = names(tmp_path, "subgroupI/1/1.rec", "subgroupII/1/1/1.rec", "subgroupIII/1/1.rec")
    assert len(set(found)) == 3


def test_a_copy_renamed_to_edf_is_the_same_night(tmp_path: Path) -> None:
    assert names(tmp_path, "subgroupI/8/8.rec", "subgroupI/8/8.edf") == [("I-008", "I-008")]


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("8/8.rec", "is in no subgroup"),
        (
            "subgroupI/8/9.rec",
            "misplaced for a recording of subgroup I; move it to <subject>/<subject>.rec",
        ),
        (
            "subgroupII/1.rec",
            "misplaced for a recording of subgroup II; move it to <subject>/<night>/<night>.rec",
        ),
    ],
)
def test_a_misplaced_file_is_refused(place: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=message):
        names(tmp_path, place)


@pytest.fixture
def one(tmp_path: Path) -> tuple[Recording, tuple]:
    truth = tiny.write_isruc(tmp_path, 0, 10)
    first = next(iter(corpus("isruc").recordings(tmp_path)))
    return first, truth[first.recording]


def test_expert_1_is_the_reference_and_expert_2_can_be_chosen(one) -> None:
    recording, truth = one
    assert list(recording.scorings) == ["1", "2"]
    read = corpus("isruc").read_hypnogram
    assert read(recording, "").scores == read(recording, "1").scores == truth
    other = read(recording, "2")
    assert other.scorer == "2"
    changed = {a for a, b in zip(truth, other.scores, strict=True) if a != b}
    assert changed == {Stage.N1}


def test_zeros_that_the_table_calls_unscored_are_not_w(one) -> None:
    recording, truth = one
    at = truth.index(Unscored.UNSCORED)
    read = corpus("isruc").read_hypnogram
    assert read(recording, "").scores[at] is Unscored.UNSCORED
    recording.scorings["1"].with_suffix(".xlsx").unlink()
    assert read(recording, "").scores[at] is Stage.W  # the text alone can't tell


def test_a_stray_n_of_the_table_is_unscored(one) -> None:
    recording, truth = one
    table = recording.scorings["1"].with_suffix(".xlsx")
    book = load_workbook(table)
    book.worksheets[0]["B6"] = "N"
    book.save(table)
    found = corpus("isruc").read_hypnogram(recording, "").scores
    assert [i for i in range(len(truth)) if found[i] != truth[i]] == [4]
    assert found[4] is Unscored.UNSCORED


def test_the_table_alone_serves_where_the_text_is_missing(one) -> None:
    recording, truth = one
    recording.scorings["1"].unlink()
    again = next(iter(corpus("isruc").recordings(recording.signal.parents[3])))
    assert again.scorings["1"].suffix == ".xlsx"
    assert corpus("isruc").read_hypnogram(again, "1").scores == truth


@pytest.mark.parametrize("rows", [[[2, "W"]], [[1, "W"], [3, "W"]], [], [["one", "W"]]])
def test_a_table_with_holes_can_not_stand_alone(one, rows: list) -> None:
    recording, _ = one
    table = recording.scorings["1"].with_suffix(".xlsx")
    book = Workbook()
    for row in [["Epoch", "Stage"], *rows]:
        book.active.append(row)
    book.save(table)
    alone = Recording("isruc", "x", "x", recording.signal, {"1": table})
    with pytest.raises(RecordingError, match="scoring"):
        corpus("isruc").read_hypnogram(alone, "1")
