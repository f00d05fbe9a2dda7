"""Damaged scorings: each is refused with a countable reason and the file's name, never guessed at."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from shutil import copytree

import pytest
import tiny
from psgimg.builder.corpora.registry import corpus
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.recording import Recording
from tiny_edf import write_annotations


def shhs(root: Path) -> None:
    tiny.write_shhs(root, 1, (1,), 5)


def profusion(root: Path) -> None:
    shhs(root)
    (root / "polysomnography/annotations-events-nsrr/shhs1/shhs1-200001-nsrr.xml").unlink()


def isruc(root: Path) -> None:
    tiny.write_isruc(root, 0, 5)


def isruc_table(root: Path) -> None:
    isruc(root)
    for text in root.rglob("*.txt"):
        text.unlink()


def mass(root: Path) -> None:
    tiny.write_mass(root, (2,), 4)


def sleep_edf(root: Path) -> None:
    tiny.write_sleep_edf(root, 0, 5)


def hmc(root: Path) -> None:
    tiny.write_hmc(root, 1, 5)


def dcsm(root: Path) -> None:
    tiny.write_dcsm(root, 1, 5)


FORMS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "nsrr": ("shhs", shhs),
    "profusion": ("shhs", profusion),
    "isruc-txt": ("isruc", isruc),
    "isruc-xlsx": ("isruc", isruc_table),
    "mass": ("mass", mass),
    "sleep-edf": ("sleep-edf", sleep_edf),
    "hmc": ("hmc", hmc),
    "dcsm": ("dcsm", dcsm),
}
TEXT = {
    "nsrr": ("Wake|0", "Wake|7"),
    "profusion": ("<SleepStage>0<", "<SleepStage>7<"),
    "isruc-txt": ("2", "4"),
    "hmc": ("Sleep stage N2", "Sleep stage N4"),
    "dcsm": (",N2", ",N4"),
}
"""A known code and an unknown one, in the formats of plain text."""


First = Callable[[str], tuple[Recording, Path]]


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Write each corpus once."""

    @cache
    def write(form: str) -> Path:
        root = tmp_path_factory.mktemp(form)
        FORMS[form][1](root)
        return root

    return write


@pytest.fixture
def first(originals: Callable[[str], Path], tmp_path: Path) -> First:
    """Give the first recording and its reference scoring of a fresh copy of a corpus."""

    def copy(form: str) -> tuple[Recording, Path]:
        root = copytree(originals(form), tmp_path / form)
        recording = next(iter(corpus(FORMS[form][0]).recordings(root)))
        return recording, next(iter(recording.scorings.values()))

    return copy


def refusal(recording: Recording) -> RecordingError:
    with pytest.raises(RecordingError) as caught:
        corpus(recording.corpus).read_hypnogram(recording, "")
    assert caught.value.reason == caught.value.reason.strip()
    assert not any(ch.isdigit() for ch in caught.value.reason)
    return caught.value


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("content", [b"", b"\n \n", bytes(range(256)) * 4, b"\xff\xfe\x00\x01"])
def test_an_empty_or_garbage_file_is_refused(form: str, content: bytes, first: First) -> None:
    recording, scoring = first(form)
    scoring.write_bytes(content)
    error = refusal(recording)
    assert scoring.name in error.detail


@pytest.mark.parametrize("form", FORMS)
def test_a_file_cut_in_the_middle_is_refused_or_plainly_shorter(form: str, first: First) -> None:
    recording, scoring = first(form)
    whole = len(corpus(recording.corpus).read_hypnogram(recording, ""))
    scoring.write_bytes(scoring.read_bytes()[: scoring.stat().st_size // 2])
    if form in {"isruc-txt", "dcsm", "hmc"}:  # lines of text carry no mark of the end
        scoring.write_bytes(scoring.read_bytes().rpartition(b"\n")[0] + b"\n")
        assert 0 < len(corpus(recording.corpus).read_hypnogram(recording, "")) < whole
    else:
        assert scoring.name in refusal(recording).detail


@pytest.mark.parametrize("form", FORMS)
def test_a_file_gone_since_the_listing_is_refused(form: str, first: First) -> None:
    recording, scoring = first(form)
    scoring.unlink()
    error = refusal(recording)
    assert error.reason == "scoring missing"
    assert scoring.name in error.detail


@pytest.mark.parametrize("form", TEXT)
def test_an_unknown_code_is_refused_by_name(form: str, first: First) -> None:
    recording, scoring = first(form)
    known, unknown = TEXT[form]
    text = scoring.read_text()
    assert known in text
    scoring.write_text(text.replace(known, unknown))
    error = refusal(recording)
    assert error.reason == "unknown stage code"
    assert scoring.name in error.detail
    assert unknown.strip(",<").rpartition(">")[2] in error.detail


@pytest.mark.parametrize("spelt", ["Sleep stage X", "SLEEP STAGE W", "Sleep  Stage 2"])
@pytest.mark.parametrize("form", ["mass", "sleep-edf"])
def test_an_unknown_annotation_of_a_stage_is_refused_by_name(
    form: str, spelt: str, first: First
) -> None:
    recording, scoring = first(form)
    write_annotations(scoring, [(0.0, 30.0, spelt)])
    error = refusal(recording)
    assert error.reason == "unknown stage code"
    assert repr(spelt) in error.detail


def test_an_event_in_latin_1_costs_no_stage_of_a_text_file(first: First) -> None:
    recording, scoring = first("hmc")
    whole = corpus("hmc").read_hypnogram(recording, "")
    text = scoring.read_text()
    scoring.write_bytes(text.replace("Lights off", "Lumière éteinte").encode("latin-1"))
    assert corpus("hmc").read_hypnogram(recording, "") == whole


def test_an_unknown_code_of_a_table_is_refused_by_name(first: First) -> None:
    from openpyxl import load_workbook

    recording, scoring = first("isruc-xlsx")
    book = load_workbook(scoring)
    book.worksheets[0]["B5"] = "N4"
    book.save(scoring)
    assert "epoch 4 has 'N4'" in refusal(recording).detail


@pytest.mark.parametrize(("form", "length_s"), [("mass", 30.0), ("sleep-edf", 20.0)])
def test_epochs_of_another_length_are_never_floored(
    form: str, length_s: float, first: First
) -> None:
    recording, scoring = first(form)
    write_annotations(scoring, [(i * length_s, length_s, "Sleep stage 2") for i in range(9)])
    error = refusal(recording)
    assert error.reason == "wrong epoch length"
    assert f"{length_s:g} s" in error.detail


@pytest.mark.parametrize("form", ["mass", "sleep-edf"])
def test_annotations_without_duration_are_refused(form: str, first: First) -> None:
    recording, scoring = first(form)
    write_annotations(scoring, [(i * 30.0, None, "Sleep stage 2") for i in range(9)])
    assert refusal(recording).reason == "wrong epoch length"


def test_annotations_of_other_events_only_are_refused(first: First) -> None:
    recording, scoring = first("mass")
    write_annotations(scoring, [(50.0, 0.8, "spindle")])
    assert refusal(recording).reason == "empty scoring"


@pytest.mark.parametrize(
    ("form", "old", "new"),
    [
        ("hmc", ", 30, ", ", 20, "),
        ("nsrr", "<EpochLength>30<", "<EpochLength>20<"),
        ("profusion", "<EpochLength>30<", "<EpochLength>20<"),
        ("dcsm", ",60,", ",50,"),
    ],
)
def test_another_epoch_length_in_text_is_refused(
    form: str, old: str, new: str, first: First
) -> None:
    recording, scoring = first(form)
    assert old in scoring.read_text()
    scoring.write_text(scoring.read_text().replace(old, new))
    assert refusal(recording).reason == "wrong epoch length"


@pytest.mark.parametrize(
    ("form", "old", "new"),
    [
        ("hmc", "Recording onset", "Onset"),
        ("hmc", ", 30, ", ", nan, "),
        ("hmc", ", Sleep stage N2, ", ""),
        ("dcsm", ",N2", ""),
        ("dcsm", ",60,", ",sixty,"),
        ("nsrr", "<Duration>60.0", "<Duration>inf"),
        ("nsrr", "PSGAnnotation", "Annotation"),
        ("isruc-txt", "2\n2", "2\n\n2"),
    ],
)
def test_a_broken_line_is_refused_not_skipped(form: str, old: str, new: str, first: First) -> None:
    recording, scoring = first(form)
    text = scoring.read_text()
    assert old in text
    scoring.write_text(text.replace(old, new))
    assert scoring.name in refusal(recording).detail


BOMB = '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;&x;&x;">]>'
EXTERNAL = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
DTD = '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd">'


@pytest.mark.parametrize("form", ["nsrr", "profusion"])
@pytest.mark.parametrize("doctype", [BOMB, EXTERNAL, DTD])
def test_xml_with_entities_or_a_dtd_is_refused(form: str, doctype: str, first: First) -> None:
    recording, scoring = first(form)
    head, mark, rest = scoring.read_text().partition("?>")
    scoring.write_text(head + mark + doctype + rest)
    error = refusal(recording)
    assert error.reason == "refused XML"
    assert scoring.name in error.detail


def test_a_table_without_its_columns_is_refused_without_showing_its_content(first: First) -> None:
    from openpyxl import Workbook

    recording, scoring = first("isruc-xlsx")
    book = Workbook()
    book.active.append(["ID:", "097/09", "DATE:", "28/3/2009"])
    book.save(scoring)
    error = refusal(recording)
    assert "097" not in str(error)
    assert "2009" not in str(error)
