"""EDF: µV whatever the header calls them, exact rates, gaps, and no night that is not whole."""

from fractions import Fraction

import edfio
import numpy as np
import pytest
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.edf import open_edf, start_datetime, uv_per_unit
from psgimg.builder.recordings.edf_annotations import read_annotations
from psgimg.builder.recordings.segments import Segment
from tiny_edf import discontinuous


def write(path, data_uv, *, sfreq_hz=100, unit="uV", scale=1.0, record_s=1.0, annotations=None):
    signal = edfio.EdfSignal(
        data_uv * scale,
        sfreq_hz,
        label="EEG C4-M1",
        physical_dimension=unit,
        physical_range=(-500 * scale, 500 * scale),
    )
    edfio.Edf([signal], data_record_duration=record_s, annotations=annotations).write(path)
    return path


def patch(path, offset, text):
    raw = bytearray(path.read_bytes())
    raw[offset : offset + len(text)] = text
    path.write_bytes(raw)


@pytest.fixture
def wave():
    return 100 * np.sin(np.arange(6000) / 10)


@pytest.mark.parametrize(
    ("unit", "scale"),
    [
        ("uV", 1),
        ("mV", 1e-3),
        ("V", 1e-6),
        ("nV", 1e3),
        ("", 1),
        ("microV", 1),
        ("Volts", 1e-6),
        ("nanovolt", 1e3),
    ],
)
def test_samples_are_microvolts_whatever_the_header_says(tmp_path, wave, unit, scale):
    edf = open_edf(write(tmp_path / "a.edf", wave, unit=unit, scale=scale))
    assert edf.read_uv(0) == pytest.approx(wave, abs=0.02)


@pytest.mark.parametrize("raw", ["µV".encode("latin-1"), "µV".encode(), "μV".encode()])
def test_a_micro_sign_is_understood_in_every_encoding(tmp_path, wave, raw):
    path = write(tmp_path / "a.edf", wave)
    patch(path, 256 + 16 + 80, raw.ljust(8))
    assert open_edf(path).unit(0) != "uV"
    assert open_edf(path).read_uv(0) == pytest.approx(wave, abs=0.02)


def test_a_unit_that_is_no_voltage_is_refused():
    with pytest.raises(RecordingError, match=r"night.edf, channel 'SpO2' is in '%'"):
        uv_per_unit("%", "night.edf, channel 'SpO2'")


def test_polarity_is_kept(tmp_path):
    slow = np.concatenate((np.zeros(500), np.full(500, -75.0)))
    assert open_edf(write(tmp_path / "a.edf", slow)).read_uv(0)[750] == pytest.approx(-75, abs=0.02)


def test_rates_are_exact_where_records_last_no_whole_second(tmp_path):
    path = write(tmp_path / "a.edf", np.zeros(256 * 60), sfreq_hz=256)
    patch(path, 244, b"0.999936")
    assert open_edf(path).sfreqs_hz == (Fraction(256) / Fraction("0.999936"),)


def test_a_truncated_night_is_refused_not_shortened(tmp_path, wave):
    path = write(tmp_path / "a.edf", wave)
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(RecordingError, match=r"truncated EDF: a.edf: the header states 60 records"):
        open_edf(path)


def test_a_header_that_states_fewer_records_than_the_file_holds_is_refused(tmp_path, wave):
    path = write(tmp_path / "a.edf", wave)
    patch(path, 236, b"30      ")
    with pytest.raises(RecordingError, match=r"more records than stated.*30 records.* 60"):
        open_edf(path)


def test_an_unfinished_header_takes_the_length_from_the_file(tmp_path, wave):
    path = write(tmp_path / "a.edf", wave)
    patch(path, 236, b"-1      ")
    edf = open_edf(path)
    assert edf.duration_s == 60
    assert "taken from the file" in edf.notes[0]


def test_a_stray_byte_after_the_last_record_is_noted(tmp_path, wave):
    path = write(tmp_path / "a.edf", wave)
    path.write_bytes(path.read_bytes() + b"\n")
    edf = open_edf(path)
    assert (edf.duration_s, edf.notes) == (60, ("bytes after the last record ignored",))


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 1000, b"not an EDF at all" * 100, b"0       " * 40]
)
def test_what_is_no_edf_is_refused_by_name(tmp_path, content):
    path = tmp_path / "bad.edf"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=r"bad\.edf"):
        open_edf(path)


def test_a_missing_file_and_a_folder_are_refused_by_name(tmp_path):
    for path in (tmp_path / "gone.edf", tmp_path):
        with pytest.raises(RecordingError, match=f"unreadable file: {path.name}"):
            open_edf(path)


def test_a_channel_without_range_is_refused(tmp_path, wave):
    path = write(tmp_path / "a.edf", wave)
    patch(path, 256 + 16 + 80 + 8, b"500     ")
    with pytest.raises(RecordingError, match="channel without range"):
        open_edf(path).read_uv(0)


def test_gaps_come_from_the_records_own_onsets(tmp_path, wave):
    path = write(tmp_path / "a.edf", wave, annotations=[edfio.EdfAnnotation(1, None, "x")])
    discontinuous(path, {20: 100.0, 40: 500.25})
    edf = open_edf(path)
    assert edf.segments == (Segment(0, 0, 20), Segment(100, 20, 40), Segment(500.25, 40, 60))
    assert edf.duration_s == 520.25


def test_records_that_run_backwards_are_refused(tmp_path, wave):
    path = write(tmp_path / "a.edf", wave, annotations=[edfio.EdfAnnotation(1, None, "x")])
    discontinuous(path, {20: 5.0})
    with pytest.raises(RecordingError, match="records out of order"):
        open_edf(path)


def test_annotations_are_read_in_time_order(tmp_path, wave):
    notes = [
        edfio.EdfAnnotation(30, 30, "Sleep stage 2"),
        edfio.EdfAnnotation(0, 30, "Sleep stage W"),
    ]
    path = write(tmp_path / "a.edf", wave, annotations=notes)
    assert [(a.onset_s, a.duration_s, a.text) for a in read_annotations(path).events] == [
        (0, 30, "Sleep stage W"),
        (30, 30, "Sleep stage 2"),
    ]


def test_a_scoring_without_annotation_is_refused(tmp_path, wave):
    with pytest.raises(RecordingError, match=r"empty scoring: a\.edf"):
        read_annotations(write(tmp_path / "a.edf", wave))


def test_a_real_recording_with_90_mixed_channels_is_read(real_recordings):
    edf = open_edf(real_recordings / "odd" / "rsleep-noxturnal-subject1.edf")
    assert (len(edf.labels), edf.duration_s) == (89, 120)
    c4 = edf.labels.index("C4-M1")
    assert edf.unit(c4) == "V"
    assert 1 < edf.read_uv(c4).std() < 1000


@pytest.mark.parametrize("unit", ["?V", "\ufffdV", "V^2", "1/V", "kV", "dB", "VV"])
def test_a_garbled_unit_is_refused_and_not_taken_for_volts(unit):
    with pytest.raises(RecordingError, match="unit is not a voltage"):
        uv_per_unit(unit, "night.edf")


@pytest.mark.parametrize("unit", ["æV", "ìV", "µV", "Î¼V", "u V"])
def test_a_micro_sign_that_changed_encodings_is_still_micro(unit):
    assert uv_per_unit(unit, "night.edf") == 1.0


def test_a_truncated_scoring_is_refused_not_shortened(tmp_path, wave):
    notes = [edfio.EdfAnnotation(i, 1, "Sleep stage W") for i in range(60)]
    path = write(tmp_path / "a.edf", wave, annotations=notes)
    path.write_bytes(path.read_bytes()[:-4000])
    with pytest.raises(RecordingError, match=r"truncated EDF: a\.edf"):
        read_annotations(path)


def test_a_start_within_a_second_counts(tmp_path, wave):
    path = write(tmp_path / "a.edf", wave, annotations=[edfio.EdfAnnotation(0, 30, "x")])
    whole = start_datetime(path)
    discontinuous(path, {0: 0.9})
    assert (start_datetime(path) - whole).total_seconds() == pytest.approx(0.9)


def test_a_broken_date_is_not_repeated_where_others_read_it(tmp_path, wave):
    path = write(tmp_path / "a.edf", wave)
    patch(path, 168, b"31.02.07")
    with pytest.raises(RecordingError, match="no start time") as refused:
        start_datetime(path)
    assert "31.02" not in str(refused.value)


@pytest.mark.parametrize(
    ("column", "text", "reason"),
    [
        (96, b"%", "unit is not a voltage"),
        (104, b"500", "channel without range"),  # physical minimum = maximum
        (112, b"-500", "channel without range"),
        (112, b"n/a", "channel without range"),
        (112, b"nan", "channel without range"),
        (112, b"inf", "channel without range"),
        (120, b"32767", "channel without range"),  # digital minimum = maximum
        (120, b"", "channel without range"),
    ],
)
def test_the_header_alone_shows_that_a_channel_cant_be_read(tmp_path, wave, column, text, reason):
    path = write(tmp_path / "a.edf", wave)
    assert open_edf(path).fault(0) is None
    patch(path, 256 + column, text.ljust(8))
    edf = open_edf(path)  # the fault of one channel is not one of the file
    fault = edf.fault(0)
    assert fault is not None
    assert fault.reason == reason
    assert "a.edf, channel 'EEG C4-M1'" in fault.detail
    with pytest.raises(RecordingError) as raised:
        edf.read_uv(0)
    assert str(raised.value) == str(fault)
