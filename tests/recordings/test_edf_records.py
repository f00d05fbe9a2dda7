"""EDF records: their own onsets count, whatever the header says of gaps and the label is spelt."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.edf import open_edf
from psgimg.builder.recordings.edf_records import DRIFT, FEW_ONSETS, GAPS, NO_ONSETS, TOLERANCE_S
from psgimg.builder.recordings.segments import Segment
from raw_edf import RawChannel, RawHeader, entry, onsets, write_raw

SHORT = RawChannel("EEG C4-M1", 4)
GAPPED = [*range(20), *range(100, 120)]


def times_of(edf, n_records):
    """The time at which a reader places each record; NaN where it is in no segment."""
    times_s = np.full(n_records, np.nan)
    for segment in edf.segments:
        n = segment.stop - segment.first
        times_s[segment.first : segment.stop] = segment.onset_s + np.arange(n) * float(edf.record_s)
    return times_s


@pytest.mark.parametrize("flag", ["EDF+D", "EDF+C", "", "EDF", b"\0"])
@pytest.mark.parametrize("label", ["EDF Annotations", "EDF annotations", "Annotations"])
def test_gaps_count_whatever_the_header_says(tmp_path, flag, label):
    path = tmp_path / "a.edf"
    edf = open_edf(
        write_raw(path, [SHORT], RawHeader(flag), blocks=onsets(GAPPED), note_label=label)
    )
    assert edf.segments == (Segment(0, 0, 20), Segment(100, 20, 40))
    assert edf.notes == (() if flag == "EDF+D" else (GAPS,))
    assert edf.duration_s == 120


@pytest.mark.parametrize("flag", ["EDF+D", "EDF+C"])
@pytest.mark.parametrize("step_s", [1.0009, 1.0001, 0.9991, 1.00005])
def test_a_drift_never_parts_signal_and_label(tmp_path, flag, step_s):
    n = 5000
    edf = open_edf(
        write_raw(
            tmp_path / "a.edf", [SHORT], RawHeader(flag), blocks=onsets(np.arange(n) * step_s)
        )
    )
    off_s = times_of(edf, n) - np.arange(n) * step_s
    assert np.abs(off_s).max() <= TOLERANCE_S + 1e-6
    assert DRIFT in edf.notes
    assert len(edf.segments) == pytest.approx(n * abs(step_s - 1) / TOLERANCE_S, abs=2)


@settings(max_examples=60)
@given(
    st.lists(st.floats(-0.3, 3), min_size=1, max_size=25),
    st.sampled_from(["EDF+D", "EDF+C", ""]),
    st.sampled_from(["0.25", "1", "1,5", "30"]),
)
def test_any_onsets_are_kept_to_or_refused(tmp_path_factory, jumps_s, flag, record_s):
    step_s = float(record_s.replace(",", "."))
    stated_s = np.round(np.cumsum([0, *(step_s + jump for jump in jumps_s)]), 6)
    path = tmp_path_factory.mktemp("any") / "a.edf"
    write_raw(path, [SHORT], RawHeader(flag, record_s), blocks=onsets(stated_s))
    overlaps = np.diff(stated_s) - step_s < -min(TOLERANCE_S, step_s / 2) - 1e-9
    if overlaps.any():
        with pytest.raises(RecordingError, match="records out of order"):
            open_edf(path)
        return
    edf = open_edf(path)
    assert np.abs(times_of(edf, len(stated_s)) - stated_s).max() <= TOLERANCE_S + 1e-6


@pytest.mark.parametrize("flag", ["EDF+D", "EDF+C", ""])
@pytest.mark.parametrize(
    "times_s",
    [
        [0, 1, 2, 2, 3],  # a record twice
        [0, 1, 2, 1, 2],  # backwards
        [0, 1, 1.5, 2.5],  # overlapping
        [0, 0, 0, 0],
        [5, 4, 3],
    ],
)
def test_records_that_overlap_or_run_backwards_are_refused(tmp_path, flag, times_s):
    path = write_raw(tmp_path / "a.edf", [SHORT], RawHeader(flag), blocks=onsets(times_s))
    with pytest.raises(RecordingError, match=r"records out of order: a\.edf: record \d starts at"):
        open_edf(path)


def test_rounded_onsets_are_no_gap(tmp_path):
    times_s = np.round(np.arange(3000) * 0.999936, 1)
    header = RawHeader("EDF+C", "0.999936")
    edf = open_edf(write_raw(tmp_path / "a.edf", [SHORT], header, blocks=onsets(times_s)))
    assert (edf.segments, edf.notes) == ((Segment(0, 0, 3000),), ())


@pytest.mark.parametrize(
    "stamp",
    [
        "+{}",
        "{}",
        "+{},0",
        "+{}.",
        "+{}.000",
        "+{}e0",
        "+000{}",
        "+{}.00000000000001",
        "+{}\x151",
        "+{}\x15",
    ],
)
def test_onsets_are_read_as_others_write_them(tmp_path, stamp):
    blocks = [entry(stamp.format(time_s)) for time_s in GAPPED]
    edf = open_edf(write_raw(tmp_path / "a.edf", [SHORT], RawHeader("EDF+D"), blocks=blocks))
    assert [segment.onset_s for segment in edf.segments] == [0, 100]


def test_onsets_in_several_spellings_are_read_alike(tmp_path):
    blocks = [entry(f"+{i},0" if i % 2 else f"+{i}.0") + entry("+3", "1", "x") for i in GAPPED]
    edf = open_edf(write_raw(tmp_path / "a.edf", [SHORT], RawHeader("EDF+D"), blocks=blocks))
    assert [segment.onset_s for segment in edf.segments] == [0, 100]


def test_a_late_first_record_starts_the_recording(tmp_path):
    blocks = onsets(3600.25 + np.array(GAPPED))
    edf = open_edf(write_raw(tmp_path / "a.edf", [SHORT], RawHeader("EDF+D"), blocks=blocks))
    assert edf.segments == (Segment(0, 0, 20), Segment(100, 20, 40))


UNREADABLE = [
    b"",
    entry("+x"),
    entry("nan"),
    b"+3",
    b"+3\x14",
    b"+3\x14text\x14\0",
    b"\x153\x14\x14",
    b"\xff" * 8,
]


@pytest.mark.parametrize("block", UNREADABLE)
def test_a_discontinuous_file_without_an_onset_is_refused(tmp_path, block):
    blocks = onsets(range(6))
    blocks[3] = block
    path = write_raw(tmp_path / "a.edf", [SHORT], RawHeader("EDF+D"), blocks=blocks)
    with pytest.raises(RecordingError, match=r"header says EDF.D, but 1 of 6 records do not state"):
        open_edf(path)


@pytest.mark.parametrize("flag", ["EDF+D", "edf+d", " EDF+D", b"EDF+D\0"])
def test_a_discontinuous_file_without_annotations_is_refused(tmp_path, flag):
    with pytest.raises(RecordingError, match=r"record without onset: .*60 of 60 records"):
        open_edf(write_raw(tmp_path / "a.edf", [SHORT], RawHeader(flag)))


@pytest.mark.parametrize("block", UNREADABLE)
def test_a_continuous_file_without_onsets_is_taken_as_such_with_a_note(tmp_path, block):
    path = write_raw(tmp_path / "a.edf", [SHORT], RawHeader("EDF+C"), blocks=[block] * 6)
    edf = open_edf(path)
    assert (edf.segments, edf.notes) == ((Segment(0, 0, 6),), (NO_ONSETS,))


@pytest.mark.parametrize("missing", [[0], [3], [5], [1, 2, 3, 4]])
def test_onsets_missing_between_others_are_noted_if_those_have_no_gap(tmp_path, missing):
    path = tmp_path / "a.edf"
    for times_s, has_gap in ((list(range(6)), False), ([0, 1, 2, 3, 4, 90], 5 not in missing)):
        blocks = [b"" if i in missing else entry(f"+{t}") for i, t in enumerate(times_s)]
        write_raw(path, [SHORT], RawHeader("EDF+C"), blocks=blocks)
        if has_gap:
            with pytest.raises(RecordingError, match=r"its records have gaps, but . of 6 records"):
                open_edf(path)
        else:
            edf = open_edf(path)
            assert (edf.segments, edf.notes) == ((Segment(0, 0, 6),), (FEW_ONSETS,))


def test_a_plain_edf_has_no_note(tmp_path):
    edf = open_edf(write_raw(tmp_path / "a.edf", [SHORT]))
    assert (edf.segments, edf.notes) == ((Segment(0, 0, 60),), ())


@pytest.mark.parametrize("last_s", ["1e8", "99999999999", "1e300"])
def test_an_absurd_gap_is_refused(tmp_path, last_s):
    blocks = [entry("+0"), entry("+1"), entry(last_s)]
    path = write_raw(tmp_path / "a.edf", [SHORT], RawHeader("EDF+D"), blocks=blocks)
    with pytest.raises(RecordingError, match="implausible duration"):
        open_edf(path)


def test_onsets_in_the_second_annotation_channel_are_read(tmp_path):
    blocks = onsets(GAPPED)
    path = tmp_path / "a.edf"
    empty = RawChannel("EDF Annotations", 0)
    edf = open_edf(write_raw(path, [empty, SHORT], RawHeader("EDF+D"), blocks=blocks))
    assert [segment.onset_s for segment in edf.segments] == [0, 100]


def test_a_recording_in_thousands_of_pieces_is_refused(tmp_path):
    blocks = onsets(np.arange(6000) * 1.2)
    path = write_raw(tmp_path / "a.edf", [SHORT], RawHeader("EDF+D"), blocks=blocks)
    with pytest.raises(RecordingError, match=r"too many gaps: a\.edf: .* 5999 gaps; re-export"):
        open_edf(path)
