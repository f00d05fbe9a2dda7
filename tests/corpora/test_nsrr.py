"""NSRR: two exports of one scoring, and which of them counts."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from psgimg.builder.access import services
from psgimg.builder.corpora.nsrr import nsrr_corpora, nsrr_xml
from psgimg.builder.corpora.registry import CORPORA, corpus
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.recording import Recording
from psgimg.builder.stages import Stage, Unscored
from tiny_edf import night
from tiny_scorings import LEGACY_CONCEPTS, profusion_xml
from tiny_scorings import nsrr_xml as nsrr_xml_text

FOLDER = "polysomnography/annotations-events-{form}/shhs1/shhs1-200001-{form}.xml"
WORDS = night(20, 7)


@pytest.fixture
def one(tmp_path: Path) -> Path:
    tiny.write_shhs(tmp_path, 1, (1,), 10)
    return tmp_path


def put(root: Path, form: str, content: str | None) -> Path:
    path = root / FOLDER.format(form=form)
    path.unlink()
    if content is not None:
        path.write_text(content)
    return path


def only(root: Path) -> Recording:
    (recording,) = corpus("shhs").recordings(root)
    return recording


def test_the_nsrr_form_is_the_default_and_both_make_one_scorer(one: Path) -> None:
    put(one, "profusion", profusion_xml(["W"] * 20))
    assert list(only(one).scorings) == [""]
    hypnogram = corpus("shhs").read_hypnogram(only(one), "")
    assert set(hypnogram.scores) > {Stage.W}


def test_profusion_is_read_where_the_nsrr_file_is_absent(one: Path) -> None:
    put(one, "nsrr", None)
    put(one, "profusion", profusion_xml(WORDS))
    assert corpus("shhs").read_hypnogram(only(one), "").scores == tiny.truth(WORDS)


def test_profusion_is_preferred_to_the_legacy_form_that_lost_the_last_run(one: Path) -> None:
    put(one, "nsrr", nsrr_xml_text(WORDS, LEGACY_CONCEPTS))
    put(one, "profusion", profusion_xml(WORDS))
    assert corpus("shhs").read_hypnogram(only(one), "").scores == tiny.truth(WORDS)


def test_the_legacy_form_alone_is_read_as_far_as_it_goes(one: Path) -> None:
    put(one, "nsrr", nsrr_xml_text(WORDS, LEGACY_CONCEPTS))
    put(one, "profusion", None)
    found = corpus("shhs").read_hypnogram(only(one), "").scores
    assert 0 < len(found) < len(WORDS)
    assert found == tiny.truth(WORDS)[: len(found)]


def test_a_legacy_name_that_is_not_known_is_refused(one: Path) -> None:
    text = nsrr_xml_text(WORDS, LEGACY_CONCEPTS)
    put(one, "nsrr", text.replace("Sleep-N2", "Sleep-N5"))
    put(one, "profusion", None)
    with pytest.raises(RecordingError, match=r"unknown stage code.*N5"):
        corpus("shhs").read_hypnogram(only(one), "")


def test_a_scoring_with_a_twin_is_parsed_once(one: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    parse = nsrr_xml._parse
    monkeypatch.setattr(nsrr_xml, "_parse", lambda path: (parsed.append(path.name), parse(path))[1])
    corpus("shhs").read_hypnogram(only(one), "")
    assert len(parsed) == 1


def test_a_legacy_name_that_is_not_known_costs_nothing_beside_a_profusion_file(one: Path) -> None:
    text = nsrr_xml_text(WORDS, LEGACY_CONCEPTS)
    put(one, "nsrr", text.replace("Sleep-N2", "Sleep-N5"))
    put(one, "profusion", profusion_xml(WORDS))
    assert corpus("shhs").read_hypnogram(only(one), "").scores == tiny.truth(WORDS)


@pytest.mark.parametrize("form", ["nsrr", "profusion"])
def test_a_form_can_be_insisted_on(one: Path, form: str) -> None:
    put(one, "nsrr", nsrr_xml_text(["W"] * 20))
    put(one, "profusion", profusion_xml(["2"] * 20))
    hypnogram = corpus("shhs").read_hypnogram(only(one), form)
    assert set(hypnogram.scores) == {Stage.W if form == "nsrr" else Stage.N2}
    assert hypnogram.scorer == form


@pytest.mark.parametrize("form", ["nsrr", "profusion"])
def test_choosing_a_missing_format_is_refused(one: Path, form: str) -> None:
    put(one, form, None)
    with pytest.raises(RecordingError, match=rf"scorer missing.*-{form}\.xml"):
        corpus("shhs").read_hypnogram(only(one), form)


def test_a_hypopnoea_called_unsure_is_no_stage(one: Path) -> None:
    text = (one / FOLDER.format(form="nsrr")).read_text()
    assert "Unsure|Unsure" in text
    hypnogram = corpus("shhs").read_hypnogram(only(one), "")
    assert len(hypnogram) == 20


@pytest.mark.parametrize("kind", ["", "stages|Stages", "Stages", "Staging|Stages"])
def test_a_stage_whose_type_is_spelt_otherwise_is_not_lost(one: Path, kind: str) -> None:
    text = (one / FOLDER.format(form="nsrr")).read_text()
    put(one, "nsrr", text.replace("Stages|Stages", kind, 3))
    assert len(corpus("shhs").read_hypnogram(only(one), "")) == 20


def test_an_unknown_stage_is_refused_however_its_type_is_spelt(one: Path) -> None:
    text = nsrr_xml_text(WORDS).replace("Stages|Stages", "STAGES|Stages")
    put(one, "nsrr", text.replace("Stage 2 sleep|2", "Stage 7 sleep|7"))
    with pytest.raises(RecordingError, match=r"unknown stage code.*Stage 7"):
        corpus("shhs").read_hypnogram(only(one), "")


def test_scorings_without_any_stage_are_refused(one: Path) -> None:
    put(one, "nsrr", "<PSGAnnotation><EpochLength>30</EpochLength></PSGAnnotation>")
    with pytest.raises(RecordingError, match="empty scoring"):
        corpus("shhs").read_hypnogram(only(one), "")
    put(one, "profusion", "<CMPStudyConfig><SleepStages/></CMPStudyConfig>")
    with pytest.raises(RecordingError, match="empty scoring"):
        corpus("shhs").read_hypnogram(only(one), "profusion")


def test_movement_and_unscored_epochs_are_no_stage_in_either_form(tmp_path: Path) -> None:
    words = ["W", "M", "?", "4"]
    expected = (Stage.W, Unscored.MOVEMENT, Unscored.UNSCORED, Stage.N3)
    for form, content in (("nsrr", nsrr_xml_text(words)), ("profusion", profusion_xml(words))):
        path = tmp_path / f"x-{form}.xml"
        path.write_text(content)
        read = nsrr_xml.read_nsrr if form == "nsrr" else nsrr_xml.read_profusion
        assert read(path).scores == expected


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from("W1234RM?"), min_size=1, max_size=200))
def test_both_forms_of_any_night_give_the_same_epochs(words: list[str]) -> None:
    with TemporaryDirectory() as folder:
        nsrr, profusion = Path(folder, "x-nsrr.xml"), Path(folder, "x-profusion.xml")
        nsrr.write_text(nsrr_xml_text(words))
        profusion.write_text(profusion_xml(words))
        assert nsrr_xml.read_nsrr(nsrr) == nsrr_xml.read_profusion(profusion)
        assert nsrr_xml.read_nsrr(nsrr).scores == tiny.truth(words)


def test_nights_that_the_distributor_calls_wrong_are_named_as_the_reader_names_them() -> None:
    listed = {one.name: len(one.absent) for one in nsrr_corpora.CORPORA if one.absent}
    assert listed == {"mesa": 2, "mros": 16}
    for name in listed:
        names = CORPORA[name].recordings.args[0]
        assert all(re.fullmatch(names.stem, night_) for night_ in CORPORA[name].absent)


def test_a_wsc_scoring_with_an_unknown_word_names_its_line(tmp_path: Path) -> None:
    scoring = tmp_path / "wsc-visit1-10119-nsrr.eannot"
    scoring.write_text("wake\nN1\nN7\n")
    night = Recording("wsc", "10119", "wsc-visit1-10119", tmp_path / "x.edf", {"": scoring})
    with pytest.raises(RecordingError, match=r"wsc-visit1-10119-nsrr\.eannot, line 3 has 'n7'"):
        corpus("wsc").read_hypnogram(night, "")


def test_every_corpus_of_the_nsrr_can_be_fetched() -> None:
    hosted = {name for name, entry in CORPORA.items() if "NSRR" in entry.terms.licence}
    assert hosted >= {"shhs", "ccshs", "chat", "sof", "abc", "homepap"}
    assert all(services.can_fetch(name) for name in hosted)


@pytest.mark.parametrize(
    ("name", "stem", "subject"),
    [
        ("chat", "chat-baseline-300001", "300001"),
        ("chat", "chat-followup-300221", "300221"),
        ("chat", "chat-nonrandomized-300004", "300004"),
        ("abc", "abc-month18-900049", "900049"),
        ("homepap", "homepap-lab-full-1600373", "1600373"),
    ],
)
def test_visits_of_further_corpora_are_nights_of_one_person(
    name: str, stem: str, subject: str, tmp_path: Path
) -> None:
    (tmp_path / f"{stem}.edf").touch()
    (tmp_path / f"{stem}-nsrr.xml").touch()
    (night,) = corpus(name).recordings(tmp_path)
    assert (night.recording, night.subject, list(night.scorings)) == (stem, subject, [""])
