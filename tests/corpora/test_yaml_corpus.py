"""A corpus of one's own: what its YAML file says is what is read, and what can't be right is refused."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import edfio
import pytest
from psgimg.builder.corpora import sources
from psgimg.builder.corpora.registry import corpora, corpus, is_open
from psgimg.builder.corpora.sources import Source
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.recordings.recording import Policy
from tiny import truth
from tiny_edf import night, runs, write_annotations, write_psg
from tiny_lab import DESCRIPTION, INPUTS, STAGES, WORDS, describe, write_lab
from tiny_scorings import nsrr_xml, profusion_xml

NIGHT = night(20, 3, odd="?M")
SPANS = [(onset, length, WORDS[word]) for onset, length, word in runs(NIGHT, 30, 60.0)]
EVENTS = [(75.0, 4.2, "Arousal 3"), (90.0, 0.0, "Lights off")]


def lines(*rows: tuple[object, ...], sep: str = ",") -> str:
    return "".join(sep.join(map(str, row)) + "\n" for row in rows)


def annotated(path: Path) -> None:
    write_annotations(path, sorted([*SPANS, *EVENTS]))


def text(content: str):
    return lambda path: path.write_text(content, encoding="utf-8")


EPOCHS = [(60 + 30 * i, WORDS[word]) for i, word in enumerate(NIGHT)]
FORMS: dict[str, tuple[dict[str, Any], Any]] = {
    "annotations": ({"format": "annotations", "ignore": ["Arousal*", "Lights off"]}, annotated),
    "csv": (
        {"format": "csv", "ignore": ["Arousal*"]},
        text(lines(("onset", "duration", "stage"), *SPANS, (75.0, 60, "Arousal 3"))),
    ),
    "csv-onsets": (
        {"format": "csv", "columns": {"onset": "from", "stage": "is"}},
        text(lines(("is", "from", "note"), *((word, onset, "-") for onset, word in EPOCHS))),
    ),
    "tsv-epochs": (
        {"format": "tsv", "columns": {"stage": "stage"}},
        text(lines(("n", "stage"), *((i, w) for i, (_, w) in enumerate(EPOCHS)), sep="\t")),
    ),
    "txt": ({"format": "txt"}, text(lines(*((word,) for _, word in EPOCHS)))),
    "nsrr": ({"format": "nsrr"}, text(nsrr_xml(NIGHT))),
    "profusion": ({"format": "profusion"}, text(profusion_xml(NIGHT))),
}
START_S = {"annotations": 60.0, "csv": 60.0, "csv-onsets": 60.0}


def lab(place: Path, write, form: dict[str, Any], **changes: Any):
    """A night with a scoring, and the corpus whose file describes them."""
    signal = place / "recordings" / "P001" / "night1.edf"
    write_psg(signal, INPUTS[:1], NIGHT, start_s=60.0)
    write(signal.with_name("night1.scored"))
    scoring = {key: form[key] for key in ("format", "columns") if key in form}
    scoring["file"] = "{subject}/{recording}.scored"
    stages = None if form["format"] in ("nsrr", "profusion") else STAGES
    values = {"scoring": scoring, "stages": stages, "ignore": form.get("ignore"), **changes}
    found = corpus(str(describe(place / "my-lab.yaml", **values)))
    return found, next(found.recordings(place / "recordings"))


@pytest.mark.parametrize("name", FORMS)
def test_stages_and_their_places_come_out_as_written_in_every_format(name, tmp_path):
    form, write = FORMS[name]
    found, recording = lab(tmp_path, write, form)
    hypnogram = found.read_hypnogram(recording, "")
    assert hypnogram.scores == truth(NIGHT)
    assert hypnogram.onsets_s[0] == START_S.get(name, 0.0)
    assert all(hypnogram.contiguous(i) for i in range(1, len(hypnogram)))


def test_annotations_may_lie_in_the_signal_file_itself(tmp_path):
    form = {"format": "annotations", "ignore": ["Arousal*", "Lights off"]}
    found, recording = lab(tmp_path, annotated, form, scoring={"format": "annotations"})
    edf = edfio.read_edf(recording.signal)
    edf.add_annotations([edfio.EdfAnnotation(*one) for one in SPANS])
    edf.write(recording.signal)
    assert recording.scorings == {"": recording.signal}
    assert found.read_hypnogram(recording, "").scores == truth(NIGHT)


def test_epochs_are_as_long_as_the_file_says(tmp_path):
    form, write = FORMS["txt"]
    found, recording = lab(tmp_path, write, form, epoch_s=20)
    hypnogram = found.read_hypnogram(recording, "")
    assert (hypnogram.epoch_s, hypnogram.onsets_s[:3]) == (20.0, (0.0, 20.0, 40.0))


@pytest.mark.parametrize("name", ["annotations", "csv", "txt"])
def test_a_stage_word_that_is_not_listed_is_refused_with_file_word_and_remedy(name, tmp_path):
    form, write = FORMS[name]
    known = {word: stage for word, stage in STAGES.items() if word != "REM"}
    found, recording = lab(tmp_path, write, form, stages=known)
    with pytest.raises(RecordingError, match=r"'REM', not defined in my-lab.yaml") as caught:
        found.read_hypnogram(recording, "")
    assert "night1.scored" in caught.value.detail
    assert "add each under stages" in caught.value.detail


def test_only_a_star_stands_for_other_letters_in_what_is_ignored(tmp_path):
    rows = [("onset", "duration", "stage"), (0, 30, "S1"), (30, 30, "X"), (60, 30, "?")]
    known = {"S1": "N1"}
    form = {"format": "csv", "ignore": ["?"]}
    found, recording = lab(tmp_path, text(lines(*rows)), form, stages=known)
    with pytest.raises(RecordingError, match=r"has 'X', not defined in"):
        found.read_hypnogram(recording, "")


def test_a_technicians_free_text_is_refused_but_never_repeated(tmp_path):
    form = {"format": "annotations", "ignore": ["Arousal*"]}
    rows = sorted([*SPANS, (77.0, 0.0, "Ms Kowalska awake"), (78.0, 0.0, "phone")])
    found, recording = lab(tmp_path, lambda path: write_annotations(path, rows), form)
    with pytest.raises(RecordingError, match="2 texts shorter than an epoch") as caught:
        found.read_hypnogram(recording, "")
    assert "Kowalska" not in str(caught.value) + caught.value.detail


@pytest.mark.parametrize(
    ("content", "reason", "match"),
    [
        (lines(("onset", "stage"), (0, "S1")), "unreadable scoring", "no column duration"),
        (
            lines(("onset", "duration", "stage"), (0, 30)),
            "unreadable scoring",
            "line 2 is incomplete",
        ),
        (lines(("onset", "duration", "stage"), ("x", 30, "S1")), "unreadable scoring", "'x'"),
        (lines(("onset", "duration", "stage")), "empty scoring", "has no stage"),
        (
            lines(("onset", "duration", "stage"), (0, 45, "S1"), (45, 30, "S2")),
            "wrong epoch length",
            "lasts 45 s",
        ),
        (
            lines(("onset", "duration", "stage"), (0, 60, "S1"), (30, 60, "S2")),
            "overlapping scoring",
            "0 s and 30 s|30 s and 30 s",
        ),
    ],
)
def test_a_damaged_table_is_refused_with_a_countable_reason(content, reason, match, tmp_path):
    found, recording = lab(tmp_path, text(content), FORMS["csv"][0])
    with pytest.raises(RecordingError, match=match) as caught:
        found.read_hypnogram(recording, "")
    assert caught.value.reason == reason


def listed(place: Path, paths: list[str], **changes: Any):
    """What a corpus makes of some (empty) files."""
    for path in paths:
        (place / "recordings" / path).parent.mkdir(parents=True, exist_ok=True)
        (place / "recordings" / path).touch()
    found = corpus(str(describe(place / "my-lab.yaml", **changes)))
    return list(found.recordings(place / "recordings"))


@pytest.mark.parametrize(
    ("pattern", "path", "subject", "recording"),
    [
        ("{subject}/{recording}.edf", "P001/night1.edf", "P001", "P001-night1"),
        ("{subject}/{recording}.edf", "P001/P001_n1.EDF", "P001", "P001_n1"),
        ("{subject}.edf", "P001.edf", "P001", "P001"),
        ("**/{subject}_{recording}.edf", "a/b/P001_night_1.edf", "P001", "P001-night_1"),
        ("**/{subject}_{recording}.edf", "P001_1.edf", "P001", "P001-1"),
        ("{subject}/*/{subject}_{recording}_eeg.edf", "p1/x/p1_2_eeg.edf", "p1", "p1-2"),
        ("sub {subject}.edf", "sub Ala 01.edf", "Ala-01", "Ala-01"),
    ],
)
def test_a_path_gives_subject_and_recording(pattern, path, subject, recording, tmp_path):
    (found,) = listed(
        tmp_path, [path], recordings=pattern, scoring={"format": "txt", "file": "{subject}.txt"}
    )
    assert (found.subject, found.recording) == (subject, recording)


def test_a_field_fits_what_its_regular_expression_says(tmp_path):
    pattern = {"subject": r"SC\d{3}", "recording": r"\d"}
    paths = ["SC4001.edf", "SC4002.edf", "SC41.edf", "notes.edf"]
    scoring = {"format": "txt", "file": "*/{subject}{recording}.txt"}
    found = listed(
        tmp_path,
        [*paths, "scores/SC4001.txt", "scores/sc4002.TXT"],
        recordings="{subject}{recording}.edf",
        fields=pattern,
        scoring=scoring,
    )
    assert [(one.subject, one.recording) for one in found] == [
        ("SC400", "SC400-1"),
        ("SC400", "SC400-2"),
    ]
    assert [one.scorings[""].name for one in found] == ["SC4001.txt", "sc4002.TXT"]


def test_relatives_stay_together(tmp_path):
    found = listed(
        tmp_path,
        ["f7/a.edf", "f7/b.edf"],
        recordings="{family}/{subject}.edf",
        scoring={"format": "txt", "file": "{subject}.txt"},
    )
    assert {one.split_key for one in found} == {"family-f7"}


def test_a_scoring_is_not_taken_for_a_recording(tmp_path):
    found = listed(
        tmp_path,
        ["P1.edf", "P1_scored.edf"],
        recordings="{subject}.edf",
        scoring={"format": "annotations", "file": "{subject}_scored.edf"},
    )
    assert [one.signal.name for one in found] == ["P1.edf"]


def test_every_scorer_has_a_file_and_the_first_is_the_reference(tmp_path):
    files = {"bob": "{subject}/B.txt", "alice": "{subject}/A.txt"}
    paths = ["P1/n.edf", "P1/A.txt", "P1/B.txt"]
    (found,) = listed(
        tmp_path, paths, recordings="{subject}/n.edf", scoring={"format": "txt", "file": files}
    )
    assert [(who, path.name) for who, path in found.scorings.items()] == [
        ("bob", "B.txt"),
        ("alice", "A.txt"),
    ]


def test_a_recording_without_a_scoring_is_listed_to_be_set_aside(tmp_path):
    (found,) = listed(tmp_path, ["P1/n1.edf"])
    assert found.scorings == {}


@pytest.mark.parametrize(
    ("paths", "match"),
    [
        (["P 1/n.edf", "P-1/n.edf"], "'P 1' and 'P-1' would both be P-1"),
        (["P1/n.edf", "p1/m.edf"], "'P1' and 'p1' would both be p1"),
        (["---/n.edf"], "can't be used in file names"),
        ([f"{'x' * 101}/n.edf"], "100 at most"),
        (["P1/n.txt"], r"has no files like \{subject\}/\{recording\}.edf"),
    ],
)
def test_names_that_are_not_safe_and_unique_are_refused(paths, match, tmp_path):
    with pytest.raises(BuildError, match=match):
        listed(tmp_path, paths)


def test_two_files_that_could_be_the_scoring_of_a_night_are_refused(tmp_path):
    scoring = {"format": "txt", "file": "{subject}/*.txt"}
    with pytest.raises(BuildError, match=r"both a.txt and b.txt could be the scoring of n.edf"):
        listed(tmp_path, ["P1/n.edf", "P1/a.txt", "P1/b.txt"], scoring=scoring)


TERMS = DESCRIPTION["terms"]
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown key": ({"chanels": {}}, "unknown key chanels; choose from bids, channels, "),
    "missing key": ({"title": None}, "title is missing"),
    "name": ({"name": "My Lab"}, "'My Lab' is not a valid corpus name; use lower-case letters"),
    "name of every config": ({"name": "all"}, "'all' is not a valid corpus name"),
    "name of psgimg's own": ({"name": "sleep-edf"}, "sleep-edf is the name of another corpus"),
    "number for text": ({"title": 2024}, r"title is 2024; give text \(numbers in quotes\)"),
    "control characters": ({"title": "a\x1b[31m"}, "give text"),
    "no subject": ({"recordings": "{recording}.edf"}, r"has no \{subject\}"),
    "field": ({"recordings": "{subject}/{night}.edf"}, r"field \{night\}; choose from \{subject\}"),
    "brace": ({"recordings": "{subject.edf"}, "an unmatched brace"),
    "out of the folder": (
        {"recordings": "../{subject}.edf"},
        "not a path below the folder of the corpus",
    ),
    "absolute": (
        {"recordings": "/data/{subject}.edf"},
        "not a path below the folder of the corpus",
    ),
    "backslash": ({"recordings": "a\\{subject}.edf"}, "write it with /"),
    "stars": ({"recordings": "**{subject}.edf"}, r"use \*\* only for folders"),
    "regex": ({"fields": {"subject": "("}}, "is not a valid regular expression"),
    "group": ({"fields": {"subject": "(a|b)"}}, "has a group"),
    "empty": ({"fields": {"subject": ".*"}}, "matches an empty name"),
    "unused field": ({"fields": {"family": "a"}}, r"recordings has no \{family\}"),
    "scoring out of the folder": (
        {"scoring": {"format": "txt", "file": "../../{subject}.txt"}},
        "not a path below the folder of the corpus",
    ),
    "field of scoring": (
        {"scoring": {"format": "txt", "file": "{family}.txt"}},
        r"recordings has no \{family\}",
    ),
    "no scoring file": ({"scoring": {"format": "csv"}}, "scoring: file is missing"),
    "format": (
        {"scoring": {"format": "xls", "file": "a"}},
        "no format 'xls'; choose from annotations, csv, tsv, txt, nsrr, profusion",
    ),
    "columns": (
        {"scoring": {"format": "csv", "file": "a", "columns": {"duration": "d", "stage": "s"}}},
        "columns: give stage, onset and duration",
    ),
    "column": (
        {"scoring": {"format": "csv", "file": "a", "columns": {"stage": "s", "start": "b"}}},
        "columns: unknown start",
    ),
    "columns of text": (
        {"scoring": {"format": "txt", "file": "a", "columns": {"stage": "s"}}},
        "columns is only for csv and tsv",
    ),
    "stages of XML": (
        {"scoring": {"format": "profusion", "file": "a"}},
        "format profusion has its own stages; remove the key",
    ),
    "stage": ({"stages": {"S4": "S4"}}, "S4: no stage 'S4'; choose from W, N1, N2, N3, REM"),
    "no stages": ({"stages": {}}, "give `name: value` lines under it"),
    "ignore without times": (
        {"scoring": {"format": "txt", "file": "a"}, "ignore": "MT"},
        "ignore would shift all later epochs",
    ),
    "epoch_s": ({"epoch_s": 60}, "epoch_s is 60; give 30, 20"),
    "derivation": ({"channels": {"EEG": "C4 - M1"}}, "'C4 - M1', not a derivation"),
    "mains_hz": ({"mains_hz": 55}, "mains_hz is 55; give 50 or 60"),
    "mains_hz as text": ({"mains_hz": "50"}, "mains_hz is '50'; give a number"),
    "terms": ({"terms": {**TERMS, "licence": None}}, "licence is None; give text"),
    "policy": ({"terms": {**TERMS, "policy": "open"}}, "always restricted; remove policy"),
    "licence_url": ({"terms": {**TERMS, "licence_url": "javascript:alert(1)"}}, "https://"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_right_is_refused_in_a_line_with_file_and_remedy(name, tmp_path):
    changes, match = REFUSED[name]
    path = describe(tmp_path / "my-lab.yaml", **changes)
    with pytest.raises(BuildError, match=match) as caught:
        corpus(str(path))
    assert "my-lab.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("name: 0010", "YAML reads 0010 as 8; put it in quotes"),
        ("stages: {no: W}", "YAML reads no as false; put it in quotes"),
        ("stages: {0: W}", "key 0 is not text; put it in quotes"),
    ],
)
def test_words_that_yaml_changes_need_quotes(line, match, tmp_path):
    path = tmp_path / "my-lab.yaml"
    path.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(BuildError, match=match):
        corpus(str(path))


def test_two_sources_of_one_name_are_refused(tmp_path):
    files = [str(describe(tmp_path / name)) for name in ("a.yaml", "b.yaml")]
    with pytest.raises(BuildError, match=r"b.yaml: another source is also named my-lab"):
        corpora(files)


def test_its_recordings_lie_where_root_says_unless_the_user_says_otherwise(tmp_path, monkeypatch):
    for name in ("recordings", "elsewhere", "here"):
        write_lab(tmp_path / name, 1, minutes=5)
    described = corpora([str(describe(tmp_path / "my-lab.yaml"))])
    assert sources.locate(described, [])[0].root == tmp_path / "recordings"
    monkeypatch.setenv("PSGIMG_MY_LAB_ROOT", str(tmp_path / "elsewhere"))
    assert sources.locate(described, [])[0].root == tmp_path / "elsewhere"
    assert sources.locate(described, [f"my-lab={tmp_path / 'here'}"])[0].root == tmp_path / "here"
    monkeypatch.delenv("PSGIMG_MY_LAB_ROOT")
    own = corpora([str(describe(tmp_path / "here" / "my-lab.yaml", root=None))])
    assert sources.locate(own, [])[0].root == tmp_path / "here"


def test_its_montage_may_be_a_file_beside_it(tmp_path):
    (tmp_path / "two.yaml").write_text("lanes: [C4-M1, C3-M2]\n")
    path = describe(tmp_path / "my-lab.yaml", montage="two.yaml")
    montage = BuildConfig((str(path),)).recipe().montage
    assert [lane.name for lane in montage.lanes] == ["C4-M1", "C3-M2"]
    assert BuildConfig((str(path),)).command() == "psgimg build --source my-lab.yaml"


def test_it_is_restricted_and_reaches_worker_processes_whole(tmp_path):
    write_lab(tmp_path / "recordings", 1, minutes=5)
    found = corpus(str(describe(tmp_path / "my-lab.yaml")))
    assert found.terms.policy is Policy.RESTRICTED
    assert not is_open("my-lab", "open")
    again = pickle.loads(pickle.dumps(found))
    recordings = [list(one.recordings(tmp_path / "recordings")) for one in (found, again)]
    assert recordings[0] == recordings[1]


def test_a_reader_cannot_give_its_recordings_the_name_of_an_open_corpus(tmp_path):
    write_lab(tmp_path / "recordings", 1, minutes=5)
    found = corpus(str(describe(tmp_path / "my-lab.yaml")))
    disguised = Source(replace(found, name="demo"), tmp_path / "recordings")
    with pytest.raises(BuildError, match="its reader assigns P001-night1 to my-lab"):
        sources.recordings(disguised)
