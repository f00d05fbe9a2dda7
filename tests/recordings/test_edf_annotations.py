"""EDF annotations: each is judged by itself, and what is left out is counted in a note."""

import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st
from psgimg.builder import night
from psgimg.builder.corpora.registry import corpus
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.edf_annotations import parse_entry, read_annotations
from raw_edf import RawHeader, entry, write_raw

STAGES = [(30.0 * i, 30.0, f"Sleep stage {word}") for i, word in enumerate("W123R")]
GOOD = [entry(f"+{onset_s:g}", "30", text) for onset_s, _, text in STAGES]


START = entry("+0")


def scoring(path, entries, *, first=START):
    return write_raw(path, [], RawHeader("EDF+C", "0"), blocks=[first + b"".join(entries)])


def events(path):
    return [(one.onset_s, one.duration_s, one.text) for one in read_annotations(path).events]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Lumière éteinte".encode("latin-1"), "Lumière éteinte"),
        (b"Bewegung \xfcber 3 s", "Bewegung über 3 s"),
        (b"\xb5-arousal", "µ-arousal"),
    ],
)
def test_text_that_is_not_utf_8_is_latin_1_and_no_other_event_is_affected(tmp_path, raw, text):
    utf8 = entry("+99", None, "Étape".encode())
    path = scoring(tmp_path / "a.edf", [*GOOD[:2], entry("+45", "1", raw), *GOOD[2:], utf8])
    assert events(path) == [
        *STAGES[:2],
        (45, 1, text),
        STAGES[2],
        (90, 30, "Sleep stage 3"),
        (99, 0, "Étape"),
        STAGES[4],
    ]
    assert read_annotations(path).notes == (
        "scoring: annotations not in UTF-8, read as Latin-1: 1",
    )


MALFORMED = [
    b"x\x1430\x14text\x14\0",
    b"+60\x15\x14text\x14\0",
    b"+60\x15abc\x14text\x14\0",
    b"+60\x15-30\x14text\x14\0",
    b"nan\x1530\x14text\x14\0",
    b"+60\x15inf\x14text\x14\0",
    b"+60\x1530text\0",
    b"+60\x1530\x14text\0",
    b"+60\x1530\x14one\x14+90\x1530\x14two\x14\0",
    b"+60\x14one\x14+90\x14two\x14\0",
    b"+1e999\x14text\x14\0",
    b"\xff\xfe\xfd\0",
]


@pytest.mark.parametrize("entry_", MALFORMED)
def test_a_malformed_annotation_is_counted_and_no_other_is_affected(tmp_path, entry_):
    path = scoring(tmp_path / "a.edf", [*GOOD[:2], entry_, *GOOD[2:]])
    assert events(path) == STAGES
    assert read_annotations(path).notes == ("scoring: malformed annotations left out: 1",)


def test_a_nul_within_a_text_is_two_malformed_annotations(tmp_path):
    broken = b"+60\x1530\x14Sleep\0stage 2\x14\0"
    path = scoring(tmp_path / "a.edf", [*GOOD[:2], broken, *GOOD[2:]])
    assert events(path) == STAGES
    assert read_annotations(path).notes == ("scoring: malformed annotations left out: 2",)


def test_a_scoring_of_malformed_annotations_only_is_refused(tmp_path):
    with pytest.raises(
        RecordingError, match=r"empty scoring: a\.edf has no annotations that can be"
    ):
        read_annotations(scoring(tmp_path / "a.edf", MALFORMED))


@pytest.mark.parametrize(
    "onset", ["+{:g}", "{:g}", "+{:.1f}", "+{:.0f},0", "+{:.0f}.", "+{:.1e}", "+00{:g}"]
)
@pytest.mark.parametrize("duration", ["30", "30.0", "30,0", "30.", "3.0E1", "+30"])
def test_times_are_read_as_others_write_them(tmp_path, onset, duration):
    entries = [entry(onset.format(onset_s), duration, text) for onset_s, _, text in STAGES]
    path = scoring(tmp_path / "a.edf", entries)
    assert events(path) == STAGES
    assert read_annotations(path).notes == ()


def test_padding_between_annotations_is_none(tmp_path):
    path = scoring(tmp_path / "a.edf", [b"\0\0\0" + one + b"    \0" for one in GOOD])
    assert (events(path), read_annotations(path).notes) == (STAGES, ())


def test_each_text_of_an_entry_is_an_annotation(tmp_path):
    path = scoring(tmp_path / "a.edf", [entry("+30", "30", "Arousal", "Sleep stage 2", " ")])
    assert events(path) == [(30, 30, "Arousal"), (30, 30, "Sleep stage 2")]


def test_a_scoring_that_states_no_onset_of_its_record_loses_no_stage(tmp_path):
    path = scoring(tmp_path / "a.edf", GOOD, first=b"")
    assert events(path) == STAGES
    assert "fraction of a second" in read_annotations(path).notes[0]


def test_onsets_count_from_the_first_record(tmp_path):
    path = scoring(tmp_path / "a.edf", [entry("+8192.202312", "30", "x")], first=entry("+0.202312"))
    assert events(path) == [(8192, 30, "x")]


def test_the_annotations_of_every_record_and_channel_are_read(tmp_path):
    blocks = [entry(f"+{i}") + entry(f"+{i}", "1", f"event {i}") for i in range(5)]
    path = write_raw(tmp_path / "a.edf", blocks=blocks, note_label="EDF annotations")
    assert events(path) == [(i, 1, f"event {i}") for i in range(5)]


def test_a_flood_of_annotations_is_refused(tmp_path):
    path = scoring(tmp_path / "a.edf", [b"+1\x14x\x14\0" * 300_001])
    with pytest.raises(RecordingError, match=r"too many annotations: a\.edf has more than 300,000"):
        read_annotations(path)


@given(st.binary(max_size=40))
def test_any_bytes_are_an_annotation_or_none(block):
    try:
        onset_s, duration_s, texts = parse_entry(block)
    except ValueError:
        return
    assert abs(onset_s) < float("inf")
    assert 0 <= duration_s < float("inf")
    assert block.partition(b"\x14")[2].split(b"\x14") == texts


def test_notes_on_a_scoring_reach_the_facts_of_the_recording(tmp_path):
    tiny.write_mass(tmp_path, (1,), 10)
    mass = corpus("mass")
    recording = next(mass.recordings(tmp_path))
    path = recording.scorings[""]
    read = read_annotations(path)
    entries = [entry(f"+{e.onset_s:.6f}", f"{e.duration_s:g}", e.text) for e in read.events]
    scoring(
        path,
        [*entries, entry("+20", "1", b"Lumi\xe8re"), b"+20\x15x\x14y\x14\0"],
    )
    spec = BuildConfig(source=("mass",)).page_spec()
    assert night.facts(night.plan(mass, recording, spec))["notes"] == [
        "scoring: malformed annotations left out: 1",
        "scoring: annotations not in UTF-8, read as Latin-1: 1",
    ]
