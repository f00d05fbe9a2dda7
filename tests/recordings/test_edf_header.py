"""EDF header: as others write it, with one truth for the layout, and no field believed blindly."""

import tracemalloc
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings import edf_fields
from psgimg.builder.recordings.edf import open_edf, start_datetime
from psgimg.builder.recordings.edf_annotations import read_annotations
from raw_edf import RawChannel, RawHeader, entry, onsets, set_fields, write_raw

MB = 2**20
LEFT, RIGHT = RawChannel("EEG C3-M2", 100), RawChannel("EEG C4-M1", 50)


def uv_of(channel, n_records=60):
    """The samples that a reader must return for a channel of ±500 µV."""
    return ((channel.digital(n_records).astype(float) + 32768) * 1000 / 65535 - 500).reshape(-1)


@given(
    st.integers(-(10**6), 10**6),
    st.sampled_from(".,"),
    st.integers(0, 3),
    st.sampled_from(["", "+"]),
)
def test_a_number_is_the_same_in_every_spelling(value, point, n_zeros, plus):
    sign = "-" if value < 0 else plus
    spellings = [
        f"{sign}{abs(value)}",
        f"{sign}{abs(value)}{point}{'0' * n_zeros}",
        f"{sign}00{abs(value)}",
        f"{sign}{abs(value)}E0",
        f"{sign}{abs(value) / 10:.1f}e+1".replace(".", point),
    ]
    for spelt in spellings:
        assert edf_fields.real(spelt) == edf_fields.exact(spelt) == edf_fields.whole(spelt) == value


@pytest.mark.parametrize(
    "spelt",
    [
        "",
        "nan",
        "inf",
        "-inf",
        "1e999",
        "1_000",
        "\u0661",
        "\xb2",
        "0x10",
        "1,2,3",
        "--1",
        "1 0",
        "n/a",
        ".",
    ],
)
def test_what_is_no_finite_number_is_none(spelt):
    for parse in (edf_fields.real, edf_fields.exact, edf_fields.whole):
        with pytest.raises(ValueError, match="number"):
            parse(spelt)


@contextmanager
def at_most(n_bytes):
    """Assert that no more is held at any time: of work without end, memory is what is measured alike."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < n_bytes
    finally:
        tracemalloc.stop()


def test_a_tiny_number_costs_no_memory():
    with at_most(MB):
        assert edf_fields.exact("1e-99999999999") == 0


@pytest.mark.parametrize("pad", [b" ", b"\0"])
@pytest.mark.parametrize(
    ("physical", "limits"),
    [
        (("-500", "500"), ("-32768", "32767")),
        (("-500,0", "+500,0"), ("-32768.0", "32767.")),
        (("-5.0E2", "5e2"), ("-32768,", "+32767")),
        ((b"-500\0x", b" 500"), (b"\0-32768", "32767")),
    ],
)
def test_limits_are_read_as_others_write_them(tmp_path, pad, physical, limits):
    odd = replace(LEFT, physical=physical, limits=limits)
    path = write_raw(tmp_path / "a.edf", [odd, RIGHT], RawHeader(record_s="1,0", pad=pad))
    edf = open_edf(path)
    assert (edf.labels, edf.unit(0), edf.sfreqs_hz, edf.notes) == (
        ("EEG C3-M2", "EEG C4-M1"),
        "uV",
        (100, 50),
        (),
    )
    for i, channel in enumerate((LEFT, RIGHT)):
        assert edf.fault(i) is None
        assert edf.read_uv(i) == pytest.approx(uv_of(channel), abs=1e-9)


@pytest.mark.parametrize(
    ("physical", "limits"),
    [(("500", "-500"), ("-32768", "32767")), (("-500", "500"), ("32767", "-32768"))],
)
def test_an_inverted_range_inverts_the_polarity(tmp_path, physical, limits):
    odd = replace(LEFT, physical=physical, limits=limits)
    edf = open_edf(write_raw(tmp_path / "a.edf", [odd]))
    slope = np.polyfit(LEFT.digital(60).reshape(-1), edf.read_uv(0), 1)[0]
    assert slope == pytest.approx(-1000 / 65535)


@pytest.mark.parametrize(
    "odd",
    [
        {"physical": ("nan", "500")},
        {"physical": ("-500", "inf")},
        {"physical": ("-500", "1e99")},
        {"physical": ("", "")},
        {"physical": ("0", "0,0")},
        {"limits": ("-32768", "n/a")},
        {"limits": ("0", "0")},
        {"limits": ("0", "65535")},
        {"limits": ("-8388608", "8388607")},
        {"limits": ("-32768.5", "32767")},
        {"unit": "%"},
        {"unit": b"\xff\xfe"},
        {"n_samples": 0},
    ],
)
def test_a_fault_of_one_channel_costs_no_other(tmp_path, odd):
    edf = open_edf(write_raw(tmp_path / "a.edf", [replace(LEFT, **odd), RIGHT]))
    fault = edf.fault(0)
    assert fault is not None
    assert "a.edf, channel 'EEG C3-M2'" in str(fault)
    assert "\n" not in str(fault)
    with pytest.raises(RecordingError) as raised:
        edf.read_uv(0)
    assert str(raised.value) == str(fault)
    assert edf.fault(1) is None
    assert edf.read_uv(1) == pytest.approx(uv_of(RIGHT))


@pytest.mark.parametrize("stated", ["512", "1024", "0", "-1", "", "abc", "99999999", "768,5"])
def test_a_wrong_header_size_is_repaired_where_the_records_fill_the_file(tmp_path, stated):
    path = write_raw(tmp_path / "a.edf", [LEFT, RIGHT], RawHeader(n_bytes=stated))
    edf = open_edf(path)
    assert edf.notes == ("header states a wrong size of itself, computed from its channels",)
    assert edf.read_uv(0) == pytest.approx(uv_of(LEFT))
    assert edf.read_uv(1) == pytest.approx(uv_of(RIGHT))
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(RecordingError, match=r"wrong header size: a\.edf: bytes 184-191"):
        open_edf(path)


@pytest.mark.parametrize("stated", ["768.0", b"768\0", "+768", " 768"])
def test_the_size_of_the_header_may_be_spelt_oddly(tmp_path, stated):
    path = write_raw(tmp_path / "a.edf", [LEFT, RIGHT], RawHeader(n_bytes=stated))
    assert open_edf(path).notes == ()


def test_a_wrong_header_size_is_refused_where_the_file_may_begin_elsewhere(tmp_path):
    header = RawHeader(n_bytes="768", n_records="-1")  # a record, too, has 256 bytes
    path = write_raw(tmp_path / "a.edf", [replace(LEFT, n_samples=128)], header)
    with pytest.raises(RecordingError, match="wrong header size"):
        open_edf(path)


def test_a_wrong_header_size_loses_no_stage_of_a_scoring(tmp_path):
    block = entry("+0") + b"".join(entry(f"+{30 * i}", "30", f"Sleep stage {i}") for i in range(5))
    header = RawHeader("EDF+C", "0", n_bytes="768")
    read = read_annotations(write_raw(tmp_path / "a.edf", [], header, blocks=[block]))
    assert [event.text for event in read.events] == [f"Sleep stage {i}" for i in range(5)]
    assert read.notes == (
        "scoring: header states a wrong size of itself, computed from its channels",
    )


@pytest.mark.parametrize("n", ["9999", "-1", "0", "", "1_0", "1.5", b"\xb2", b"\0", "nan"])
def test_a_wrong_number_of_signals_is_no_edf(tmp_path, n):
    path = write_raw(tmp_path / "a.edf", header=RawHeader(n_channels=n))
    with pytest.raises(RecordingError, match=r"not an EDF file: a\.edf is not a readable EDF"):
        open_edf(path)


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (
            RawHeader(record_s="nan"),
            r"duration of a record \(bytes 244-251 of the header\) is not a",
        ),
        (RawHeader(record_s="9e307"), "duration of a record .* is larger than any"),
        (RawHeader(record_s="-1"), "duration of a record .* is negative"),
        (RawHeader(record_s=""), "duration of a record .* is not a number"),
        (RawHeader(record_s="0"), r"no sampling rate: a.edf: the duration of a record \(bytes 244"),
        (RawHeader(record_s="1e6"), "implausible duration: a.edf would last 694.4 days"),
        (RawHeader(record_s="99999999"), "implausible duration"),
        (
            RawHeader(n_records="x"),
            r"number of records \(bytes 236-243 of the header\) is not a number",
        ),
        (RawHeader(n_records="99999999"), "truncated EDF"),
        (RawHeader(n_records="-2"), "more records than stated"),
        (RawHeader(n_records="59.5"), "number of records .* is not a whole number"),
    ],
)
def test_a_field_that_locates_the_samples_must_be_right(tmp_path, header, says):
    with pytest.raises(RecordingError, match=says):
        open_edf(write_raw(tmp_path / "a.edf", [LEFT], header))


@pytest.mark.parametrize("stated", ["-100", "1.5", "nan", "99999999", "", "1e300"])
def test_a_wrong_number_of_samples_ends_at_once(tmp_path, stated):
    path = write_raw(tmp_path / "a.edf", [replace(LEFT, stated_samples=stated or " "), RIGHT])
    with at_most(10 * MB), pytest.raises(RecordingError, match=r"a\.edf"):
        open_edf(path)


def test_a_record_of_a_gigabyte_is_not_read_for_its_header(tmp_path):
    odd = replace(LEFT, stated_samples="99999999")
    path = write_raw(tmp_path / "a.edf", [*[odd] * 5, RIGHT], n_records=1)
    with path.open("r+b") as file:  # a hole: it takes no space on the disk
        file.truncate(256 * 7 + 2 * (5 * 99999999 + 50))
    tracemalloc.start()
    edf = open_edf(path)
    assert len(edf.read_uv(5)) == 50
    assert tracemalloc.get_traced_memory()[1] < 10**7
    tracemalloc.stop()


@given(st.lists(st.tuples(st.integers(0, 767), st.binary(min_size=1, max_size=8)), max_size=6))
def test_no_header_raises_anything_else(tmp_path_factory, changes):
    path = tmp_path_factory.mktemp("any") / "a.edf"
    blocks = onsets(range(3))
    write_raw(path, [RawChannel(n_samples=10)], RawHeader("EDF+C"), blocks=blocks)
    set_fields(path, dict(changes))
    with suppress(RecordingError):
        _read_all(open_edf(path))


def _read_all(edf):
    assert edf.start is None or isinstance(edf.start, datetime)
    for i in range(len(edf.labels)):
        fault = edf.fault(i)
        if fault is None:
            assert np.isfinite(edf.read_uv(i)).all()


@pytest.mark.parametrize("first", [236, 244, 252, 184])
def test_the_content_of_an_unreadable_field_is_not_repeated(tmp_path, first):
    path = set_fields(
        write_raw(tmp_path / "a.edf", [LEFT]), {first: b"12.03.61"[: 4 + 4 * (first < 252)]}
    )
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(RecordingError) as raised:
        open_edf(path)
    assert "12.0" not in str(raised.value)


@pytest.mark.parametrize(
    "label",
    [
        "EDF Annotations",
        "EDF annotations",
        "EDF ANNOTATIONS",
        "edf  annotations",
        "EDF_Annotations",
        "EDFAnnotations",
        b"EDF Annotations\0",
        "BDF Annotations",
        "Annotations",
        "Events",
        "",
    ],
)
@pytest.mark.parametrize("notes_at", [0, 1, 2])
def test_an_annotation_channel_is_no_signal_however_it_is_labelled(tmp_path, label, notes_at):
    path = tmp_path / "a.edf"
    blocks = onsets(range(60))
    write_raw(path, [LEFT, RIGHT], blocks=blocks, note_label=label, notes_at=notes_at)
    edf = open_edf(path)
    assert edf.labels == ("EEG C3-M2", "EEG C4-M1")
    assert edf.read_uv(0) == pytest.approx(uv_of(LEFT))
    assert edf.read_uv(1) == pytest.approx(uv_of(RIGHT))


def test_a_file_that_shrinks_while_it_is_read_is_an_error_of_this_recording(tmp_path):
    path = write_raw(tmp_path / "a.edf", [LEFT, RIGHT])
    edf = open_edf(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(RecordingError, match=r"truncated EDF: a\.edf became shorter"):
        edf.read_uv(0)
    path.unlink()
    with pytest.raises(RecordingError, match=r"unreadable file: a\.edf"):
        edf.read_uv(0)


@pytest.mark.parametrize(
    "date", ["03.04.85", "3.4.85", " 3. 4.85", "03-04-85", "03/04/85", b"3.4.85\0x"]
)
@pytest.mark.parametrize("clock", ["22.05.06", "22:05:06", "22.5.6", "22,05,06"])
def test_a_start_is_read_with_other_separators(tmp_path, date, clock):
    path = write_raw(tmp_path / "a.edf", header=RawHeader(start=(date, clock)))
    assert start_datetime(path) == datetime(1985, 4, 3, 22, 5, 6)


@pytest.mark.parametrize(("year", "full"), [("84", 2084), ("85", 1985), ("99", 1999), ("00", 2000)])
def test_years_of_two_digits_begin_in_1985(tmp_path, year, full):
    path = write_raw(tmp_path / "a.edf", header=RawHeader(start=(f"01.01.{year}", "00.00.00")))
    assert start_datetime(path).year == full


@pytest.mark.parametrize("onset", ["1e30", "99999999999999"])
def test_an_absurd_first_onset_is_no_start(tmp_path, onset):
    path = write_raw(tmp_path / "a.edf", [LEFT], blocks=[entry(onset)])
    with pytest.raises(RecordingError, match="no start time"):
        start_datetime(path)
    assert open_edf(path).start is None
