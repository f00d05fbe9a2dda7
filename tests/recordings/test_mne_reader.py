"""MNE reader: every other format gives the same night as its EDF, in µV, with its gaps."""

import shutil
import struct
import sys
from contextlib import suppress
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import edfio
import mne
import numpy as np
import pytest
import tiny_bids
from edf_fields import set_field
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.edf import EdfFile
from psgimg.builder.recordings.edf_records import GAPS
from psgimg.builder.recordings.formats.mne_reader import MneFile
from psgimg.builder.recordings.montage import MONTAGES, Derivation, Kind
from psgimg.builder.recordings.open_signal import open_signal
from psgimg.builder.recordings.usable import judge
from psgimg.builder.signals.filter_settings import Filters
from psgimg.builder.signals.filtering import read_signals
from raw_edf import RawHeader, set_fields, write_raw
from scipy.io import savemat
from tiny_edf import channels, night

SFREQ_HZ = 256
LABELS = ["EEG C4-A1", "EOG E1-M2", "SaO2"]
START = datetime(2024, 3, 1, 22, 15, 30, tzinfo=UTC)


@pytest.fixture
def wave_uv():
    """Two minutes of three channels, different in each second."""
    rng = np.random.default_rng(0)
    return np.round(40 * rng.standard_normal((len(LABELS), 120 * SFREQ_HZ)), 1)


def raw_of(wave_uv, **options):
    info = mne.create_info(LABELS, SFREQ_HZ, ["eeg", "eog", "misc"])
    info.set_meas_date(START)
    return mne.io.RawArray(wave_uv * 1e-6, info, verbose="error", **options)


def write_fif(path, wave_uv):
    raw_of(wave_uv).save(path / "night_raw.fif", verbose="error")
    return path / "night_raw.fif"


def write_brainvision(path, wave_uv, *, breaks_s=()):
    """Header, markers and samples as BrainVision's Core Data Format 1.0 has them."""
    units = ["µV", "µV", "C"]
    channels = [f"Ch{i + 1}={label},,0.1,{units[i]}" for i, label in enumerate(LABELS)]
    (path / "night.vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        "DataFile=night.eeg\nMarkerFile=night.vmrk\nDataFormat=BINARY\n"
        f"DataOrientation=MULTIPLEXED\nNumberOfChannels={len(LABELS)}\n"
        f"SamplingInterval={1e6 / SFREQ_HZ}\n[Binary Infos]\nBinaryFormat=INT_16\n"
        "[Channel Infos]\n" + "\n".join(channels) + "\n",
        encoding="utf-8",
    )
    marks = [
        f"Mk{i}=New Segment,,{at_s * SFREQ_HZ + 1},1,0,{START:%Y%m%d%H%M%S}000000"
        for i, at_s in enumerate([0, *breaks_s], start=1)
    ]
    (path / "night.vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        "DataFile=night.eeg\n[Marker Infos]\n" + "\n".join(marks) + "\n"
    )
    (path / "night.eeg").write_bytes(np.round(wave_uv.T * 10).astype("<i2").tobytes())
    return path / "night.vhdr"


def write_bdf(path, wave_uv):
    signals = [
        edfio.BdfSignal(
            row, SFREQ_HZ, label=label, physical_dimension="uV", physical_range=(-400, 400)
        )
        for label, row in zip(LABELS, wave_uv, strict=True)
    ]
    edfio.Bdf(
        signals,
        recording=edfio.Recording(startdate=START.date()),
        starttime=START.time(),
    ).write(path / "night.bdf")
    return path / "night.bdf"


def write_eeglab(path, wave_uv, *, cuts_s=()):
    """A ``.set`` file; ``cuts_s`` : when signal was cut out and how much, in seconds."""
    events = np.zeros(
        len(cuts_s) + 1, dtype=[("type", object), ("latency", object), ("duration", object)]
    )
    events[0] = ("boundary", 0.5, 0)
    for i, (at_s, gone_s) in enumerate(cuts_s, start=1):
        events[i] = ("boundary", at_s * SFREQ_HZ + 0.5, gone_s * SFREQ_HZ)
    channels = np.zeros(len(LABELS), dtype=[("labels", object)])
    for i, label in enumerate(LABELS):
        channels[i] = (label,)
    n_channels, n_samples = wave_uv.shape
    eeg = {
        "nbchan": n_channels,
        "pnts": n_samples,
        "trials": 1,
        "srate": float(SFREQ_HZ),
        "xmin": 0.0,
        "xmax": (n_samples - 1) / SFREQ_HZ,
        "data": wave_uv.astype("f4"),
        "chanlocs": channels,
        "event": events,
    }
    savemat(path / "night.set", {"EEG": eeg})
    return path / "night.set"


WRITERS = [write_fif, write_brainvision, write_bdf, write_eeglab]


@pytest.mark.parametrize("write", WRITERS)
def test_every_format_gives_microvolts_at_its_own_rate(tmp_path, wave_uv, write):
    file = open_signal(write(tmp_path, wave_uv))
    assert isinstance(file, MneFile)
    assert file.labels == tuple(LABELS)
    assert file.sfreqs_hz == (Fraction(SFREQ_HZ),) * 3
    assert file.duration_s == pytest.approx(120)
    for channel in (0, 1):
        assert file.unit(channel)
        assert file.read_uv(channel) == pytest.approx(wave_uv[channel], abs=0.01)


@pytest.mark.parametrize("write", [write_fif, write_brainvision, write_bdf])
def test_the_start_is_that_of_the_header(tmp_path, wave_uv, write):
    assert open_signal(write(tmp_path, wave_uv)).start == START.replace(tzinfo=None)


def test_a_format_without_a_date_has_no_start(tmp_path, wave_uv):
    assert open_signal(write_eeglab(tmp_path, wave_uv)).start is None


@pytest.mark.parametrize("write", [write_fif, write_brainvision])
def test_what_is_no_voltage_is_not_read_as_one(tmp_path, wave_uv, write):
    file = open_signal(write(tmp_path, wave_uv))
    fault = file.fault(2)
    assert fault is not None
    assert (file.fault(0), fault.reason) == (None, "unit is not a voltage")
    with pytest.raises(RecordingError, match=r"channel 'SaO2' is in .* not in V"):
        file.read_uv(2)


@pytest.mark.parametrize(
    ("write", "unit"),
    [(write_fif, "V"), (write_brainvision, "µV"), (write_bdf, "µV"), (write_eeglab, "µV")],
)
def test_the_unit_is_that_in_which_the_file_was_recorded(tmp_path, wave_uv, write, unit):
    assert open_signal(write(tmp_path, wave_uv)).unit(0) == unit


def test_units_are_those_of_the_header_whatever_mne_makes_of_them(tmp_path):
    units = ["uV", "mV", "V", "UV", "nV", "Ohm", "%", ""]
    signals = [
        edfio.BdfSignal(
            np.arange(300.0),
            100,
            label=f"c{i}",
            physical_dimension=unit,
            physical_range=(-300, 300),
        )
        for i, unit in enumerate(units)
    ]
    edfio.Bdf(signals).write(tmp_path / "a.bdf")
    file = open_signal(tmp_path / "a.bdf")
    expected_uv = [7, 7e3, 7e6, 7, 7e-3]  # the last two spellings MNE leaves as they are
    assert [file.read_uv(i)[7] for i in range(5)] == pytest.approx(expected_uv, rel=1e-3)
    for channel in range(5, 8):
        with pytest.raises(RecordingError, match="unit is not a voltage"):
            file.read_uv(channel)


def bdf_with(path, rates_hz, **changes):
    """A BDF with a channel of each rate, and changes to the header fields of the last one."""
    wave = np.random.default_rng(0).normal(0, 30, 60 * 256)
    signals = [
        edfio.BdfSignal(
            wave[: 60 * hz],
            hz,
            label=f"ch{i}",
            physical_dimension="uV",
            physical_range=(-250, 250),
        )
        for i, hz in enumerate(rates_hz)
    ]
    edfio.Bdf(signals).write(path)
    for name, text in changes.items():
        set_field(path, f"ch{len(rates_hz) - 1}", name, text)
    return open_signal(path)


@pytest.mark.parametrize(
    "limits",
    [
        {"pmin": "0", "pmax": "0"},
        {"pmin": "nan"},
        {"dmin": "5", "dmax": "5"},
        {"dmax": "8388609"},
    ],
)
def test_a_fault_of_one_channel_of_a_bdf_costs_no_other(tmp_path, limits):
    file = bdf_with(tmp_path / "a.bdf", (256, 256), **limits)
    assert file.fault(1).reason == "channel without range"
    with pytest.raises(RecordingError, match=r"channel without range: a\.bdf, channel 'ch1'"):
        file.read_uv(1)
    assert file.fault(0) is None
    assert np.isfinite(file.read_uv(0)).all()


@pytest.mark.parametrize("limits", [{"pmin": "-250,0"}, {"dmax": "8388607"}, {"dmax": "8388608"}])
def test_limits_of_a_bdf_have_24_bits_and_may_have_a_comma(tmp_path, limits):
    assert bdf_with(tmp_path / "a.bdf", (256,), **limits).fault(0) is None


def test_equal_labels_of_a_bdf_are_those_of_the_file(tmp_path):
    bdf_with(tmp_path / "a.bdf", (256, 256), pmin="0", pmax="0", label="ch0")
    file = open_signal(tmp_path / "a.bdf")
    assert file.labels == ("ch0", "ch0")
    assert (file.fault(0), file.fault(1).reason) == (None, "channel without range")


def test_a_bdf_without_a_duration_of_records_is_refused_as_an_edf_is(tmp_path):
    bdf_with(tmp_path / "a.bdf", (256,))
    set_fields(tmp_path / "a.bdf", {244: b"0       "})
    with pytest.raises(RecordingError, match=r"no sampling rate: a\.bdf: the duration of a record"):
        open_signal(tmp_path / "a.bdf")


@pytest.mark.parametrize(
    ("kind", "rate_hz", "reason"),
    [
        (Kind.EEG, 2, "sampled too slowly"),
        (Kind.EEG, 100, None),
        (Kind.EMG, 1, "level without waveform"),  # as levels, it could be drawn only as recorded
    ],
)
def test_a_rate_counts_as_recorded_not_as_mne_resamples_it(tmp_path, kind, rate_hz, reason):
    file = bdf_with(tmp_path / "a.bdf", (256, rate_hz))
    assert file.recorded_hz == (256, rate_hz)
    assert file.sfreqs_hz == (256, 256)
    fault = judge(file)(Derivation("any", 1), kind)
    assert (fault and fault.reason) == reason


def test_time_that_mne_marks_as_skipped_is_a_gap(tmp_path, wave_uv):
    raw = raw_of(wave_uv, first_samp=10 * SFREQ_HZ)  # marks count from the date, not from here
    raw.set_annotations(
        mne.Annotations([30, 70, 90], [20, 5, 10], ["BAD_ACQ_SKIP", "BAD_EMG", "x"])
    )
    raw.save(tmp_path / "night_raw.fif", verbose="error")
    file = open_signal(tmp_path / "night_raw.fif")
    assert [(s.onset_s, s.length_s(file.record_s)) for s in file.segments] == [(0, 30), (50, 70)]
    assert file.duration_s == 120
    kept = np.r_[wave_uv[0, : 30 * SFREQ_HZ], wave_uv[0, 50 * SFREQ_HZ :]]
    assert file.read_uv(0) == pytest.approx(kept, abs=0.01)
    assert file.start == START.replace(tzinfo=None, second=40)


def test_skipped_time_that_mne_misplaces_is_refused(tmp_path, wave_uv):
    path = tmp_path / "night_raw.fif"
    for date, segments in ((START, [0.0, 40.0]), (None, None)):
        raw = raw_of(wave_uv)
        raw.set_meas_date(date)
        raw.set_annotations(mne.Annotations([0, 30], [10, 20], ["BAD_ACQ_SKIP"] * 2, date))
        raw.save(path, overwrite=True, verbose="error")
        if segments:
            assert [segment.onset_s for segment in open_signal(path).segments] == segments
        else:
            with pytest.raises(
                RecordingError, match="without a date, MNE can't locate its interruptions"
            ):
                open_signal(path)


def test_joined_files_are_not_filtered_across_their_border(tmp_path, wave_uv):
    half = 60 * SFREQ_HZ
    parts = [raw_of(wave_uv[:, :half]), raw_of(wave_uv[:, half:])]
    mne.concatenate_raws(parts, verbose="error").save(tmp_path / "a_raw.fif", verbose="error")
    file = open_signal(tmp_path / "a_raw.fif")
    assert [(s.onset_s, s.first, s.stop) for s in file.segments] == [
        (0, 0, half),
        (60, half, 2 * half),
    ]


def test_a_new_segment_of_brainvision_is_a_border(tmp_path, wave_uv):
    file = open_signal(write_brainvision(tmp_path, wave_uv, breaks_s=[45]))
    assert [segment.onset_s for segment in file.segments] == [0, 45]


def test_what_was_cut_out_in_eeglab_moves_the_rest_in_time(tmp_path, wave_uv):
    file = open_signal(write_eeglab(tmp_path, wave_uv, cuts_s=[(40, 90), (80, 10)]))
    assert [segment.onset_s for segment in file.segments] == [0, 130, 180]
    assert file.duration_s == pytest.approx(220)
    assert len(file.read_uv(0)) == wave_uv.shape[1]


def write_bdf_plus(path, times_s, flag):
    """A BDF+ of one channel at 100 Hz whose records of 1 s start at the given times."""
    n_records, width = len(times_s), 3 * 8
    signal = edfio.BdfSignal(
        np.arange(100.0 * n_records),
        100,
        label="C4-M1",
        physical_dimension="uV",
        physical_range=(0, 100 * n_records),
    )
    edfio.Bdf([signal]).write(path)
    raw = path.read_bytes()
    columns = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
    notes = (b"BDF Annotations", b"", b"", b"-1", b"1", b"-8388608", b"8388607", b"", b"8", b"")
    header, at = raw[:192] + flag.ljust(44) + raw[236:252] + b"2   ", 256
    for size, text in zip(columns, notes, strict=True):
        header += raw[at : at + size] + text.ljust(size)
        at += size
    blocks = [f"+{time_s}\x14\x14".encode().ljust(width, b"\0") for time_s in times_s]
    records = [raw[512 + 300 * i : 812 + 300 * i] + block for i, block in enumerate(blocks)]
    path.write_bytes(header[:184] + b"768     " + header[192:] + b"".join(records))
    return path


@pytest.mark.parametrize("flag", [b"BDF+C", b"BDF+D"])
def test_gaps_between_the_records_of_a_bdf_count_whatever_its_header_says(tmp_path, flag):
    path = write_bdf_plus(tmp_path / "a.bdf", [*range(30), *range(130, 160)], flag)
    file = open_signal(path)
    assert [(s.onset_s, s.first, s.stop) for s in file.segments] == [
        (0, 0, 3000),
        (130, 3000, 6000),
    ]
    assert file.notes == (() if flag == b"BDF+D" else (GAPS,))
    assert file.read_uv(0) == pytest.approx(np.arange(6000.0), abs=0.01)


def test_a_bdf_whose_samples_begin_elsewhere_is_refused(tmp_path):
    path = write_bdf_plus(tmp_path / "a.bdf", range(30), b"BDF+C")
    set_fields(path, {184: b"512     "})
    with pytest.raises(RecordingError, match=r"wrong header size: a\.bdf: bytes 184-191"):
        open_signal(path)


def test_a_bdf_that_is_called_edf_is_refused(tmp_path):
    path = write_bdf_plus(tmp_path / "a.edf", range(30), b"BDF+C")
    with pytest.raises(RecordingError, match=r"a\.edf is BDF; rename it to \.bdf"):
        open_signal(path)


def test_less_than_a_second_between_gaps_is_left_out(tmp_path, wave_uv):
    raw = raw_of(wave_uv)
    raw.set_annotations(mne.Annotations([30, 40.5], [10, 10], ["BAD_ACQ_SKIP"] * 2))
    raw.save(tmp_path / "night_raw.fif", verbose="error")
    file = open_signal(tmp_path / "night_raw.fif")
    assert [segment.onset_s for segment in file.segments] == [0, 50.5]
    assert len(file.read_uv(0)) == sum(s.stop - s.first for s in file.segments)


def test_signals_of_a_fif_with_a_gap_are_read_like_any_other(tmp_path, wave_uv):
    raw = raw_of(wave_uv)
    raw.set_annotations(mne.Annotations([30], [20], ["BAD_ACQ_SKIP"]))
    raw.save(tmp_path / "night_raw.fif", verbose="error")
    signals = read_signals(
        open_signal(tmp_path / "night_raw.fif"),
        MONTAGES["central"],
        [Derivation("C4-M1", 0), None, Derivation("E1-M2", 1), None, None],
        filters=Filters(),
        mains_hz=50.0,
        sfreq_hz=200.0,
        span_s=(0.0, 120.0),
    )
    assert [(s.start_s, s.data_uv.shape[1]) for s in signals.stretches] == [(0, 6000), (50, 14000)]


def test_edf_is_known_by_its_content_whatever_its_suffix(tmp_path):
    signal = edfio.EdfSignal(np.arange(3000.0), 100, label="C4", physical_dimension="uV")
    edfio.Edf([signal]).write(tmp_path / "night.edf")
    path = (tmp_path / "night.edf").rename(tmp_path / "night.rec")
    assert isinstance(open_signal(path), EdfFile)


def test_defects_that_mne_tolerates_are_noted(tmp_path, wave_uv):
    path = write_brainvision(tmp_path, wave_uv)
    path.with_suffix(".vmrk").unlink()
    file = open_signal(path)
    assert any("night.vmrk" in note and str(tmp_path) not in note for note in file.notes)


@pytest.mark.parametrize(
    ("seconds", "message"),
    [
        (-50, r"truncated BDF: night\.bdf: the header states 120 records, the file holds 70"),
        (-49.5, r"truncated BDF: night\.bdf: the header states 120 records, the file holds 70"),
        (10, r"more records than stated: night\.bdf: the header states 120 records, .*130"),
    ],
)
def test_a_bdf_has_as_many_records_as_its_header_states(tmp_path, wave_uv, seconds, message):
    path = write_bdf(tmp_path, wave_uv)
    n_bytes = round(seconds * 3 * 3 * SFREQ_HZ)
    whole = path.read_bytes()
    path.write_bytes(whole[:n_bytes] if n_bytes < 0 else whole + bytes(n_bytes))
    with pytest.raises(RecordingError, match=message):
        open_signal(path)


def test_a_bdf_that_does_not_state_its_records_or_has_a_byte_more_is_read_with_a_note(
    tmp_path, wave_uv
):
    path = write_bdf(tmp_path, wave_uv)
    set_fields(path, {236: b"-1      "})
    path.write_bytes(path.read_bytes() + b"\0")
    file = open_signal(path)
    assert file.duration_s == 120
    assert file.notes == ("number of records missing, taken from the file's size",)


def write_eeglab_apart(path, wave_uv):
    """A ``.set`` whose samples are in a ``.fdt`` beside it."""
    tiny_bids.write_eeglab(path / "night.set", night(4), channels(LABELS, SFREQ_HZ))
    return path / "night.set"


@pytest.mark.parametrize(
    ("write", "suffix", "stated"),
    [
        (write_brainvision, ".eeg", "DataPoints=30720\n"),
        (write_brainvision, ".eeg", ""),
        (write_eeglab_apart, ".fdt", ""),
    ],
)
@pytest.mark.parametrize("n_bytes", [-4001, 4001])
def test_samples_in_a_file_of_their_own_are_as_many_as_stated(
    tmp_path, wave_uv, write, suffix, stated, n_bytes
):
    path = write(tmp_path, wave_uv)
    if stated:
        text = path.read_text(encoding="utf-8").replace("NumberOfC", f"{stated}NumberOfC")
        path.write_text(text, encoding="utf-8")
    assert open_signal(path).duration_s == 120
    samples = path.with_suffix(suffix)
    whole = samples.read_bytes()
    samples.write_bytes(whole[:n_bytes] if n_bytes < 0 else whole + bytes(n_bytes))
    with pytest.raises(RecordingError, match=rf"wrong length: night\{suffix} holds \d+ samples"):
        open_signal(path)


@pytest.mark.parametrize("write", [write_brainvision, write_eeglab_apart])
def test_samples_beside_their_header_are_its_own_by_any_path(tmp_path, wave_uv, monkeypatch, write):
    path = write(tmp_path, wave_uv)
    for folder in ("linked", "objects"):
        (tmp_path / folder).mkdir()
    for i, file in enumerate(sorted(tmp_path.glob("night*"))):  # as git-annex keeps datasets
        shutil.copy(file, tmp_path / "objects" / f"MD5E-{i}{file.suffix}")
        (tmp_path / "linked" / file.name).symlink_to(
            tmp_path / "objects" / f"MD5E-{i}{file.suffix}"
        )
    (tmp_path / "folder").symlink_to("linked")
    monkeypatch.chdir(tmp_path)
    for way in (Path(path.name), Path("linked", path.name), tmp_path / "folder" / path.name):
        assert open_signal(way).duration_s == 120


@pytest.mark.parametrize(
    ("write", "suffix"), [(write_brainvision, ".eeg"), (write_eeglab_apart, ".fdt")]
)
def test_the_samples_of_a_recording_are_not_those_of_another(tmp_path, wave_uv, write, suffix):
    path = write(tmp_path, wave_uv)
    copied = path.rename(path.with_stem("night2"))
    message = rf"samples of another name: night2\S+ names night\{suffix} as the file of its samples"
    with pytest.raises(RecordingError, match=message):
        open_signal(copied)


def test_samples_without_value_are_refused(tmp_path, wave_uv):
    wave_uv[0, 500] = np.nan
    with pytest.raises(RecordingError, match="'EEG C4-A1' has samples that are not finite numbers"):
        open_signal(write_fif(tmp_path, wave_uv)).read_uv(0)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("night.xyz", b"hello", r"night\.xyz: MNE can't read it \(Unsupported file type.*as EDF"),
        ("night.vhdr", b"hello", r"night\.vhdr: MNE can't read it .*export it as EDF"),
        ("night.fif", b"hello", r"night\.fif: MNE can't read it .*export it as EDF"),
        ("night.set", b"hello", r"night\.set: MNE can't read it .*export it as EDF"),
        ("night.edf", b"hello", r"night\.edf is not a readable EDF"),
        ("night", b"hello", r"night: MNE can't read it .*export it as EDF"),
    ],
)
def test_a_file_that_cant_be_read_is_one_line(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RecordingError, match=says) as caught:
        open_signal(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_brainvision_header_without_its_samples_says_so(tmp_path, wave_uv):
    path = write_brainvision(tmp_path, wave_uv)
    (tmp_path / "night.eeg").unlink()
    with pytest.raises(RecordingError, match=r"night\.eeg: No such file .*check that it exists"):
        open_signal(path)


def test_a_message_names_no_folder(tmp_path, wave_uv, monkeypatch):
    write_eeglab_apart(tmp_path, wave_uv).with_suffix(".fdt").unlink()
    monkeypatch.chdir(tmp_path.parent)
    for path in (tmp_path / "night.set", Path(tmp_path.name, "night.set")):
        with pytest.raises(RecordingError, match=r"File night\.fdt not found"):
            open_signal(path)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(RecordingError, match=r"unreadable file: night\.fif: No such file"):
        open_signal(tmp_path / "night.fif")


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("write", [write_fif, write_brainvision, write_bdf])
def test_a_damaged_file_is_one_line_whatever_the_library_raises(tmp_path, wave_uv, write, seed):
    rng = np.random.default_rng(seed)
    path = write(tmp_path, wave_uv)
    damaged = sorted(tmp_path.glob("night*"))[seed % len(list(tmp_path.glob("night*")))]
    content = bytearray(damaged.read_bytes())
    if seed % 3 == 0:
        del content[rng.integers(len(content)) :]
    for at in rng.integers(min(len(content), 2000), size=10 * (seed % 3)):
        content[at] = rng.integers(256)
    damaged.write_bytes(content)
    with suppress(RecordingError):
        file = open_signal(path)
        assert file.start is None or isinstance(file.start, datetime)
        for channel in range(len(file.labels)):
            if file.fault(channel) is None:
                assert np.isfinite(file.read_uv(channel)).all()


@pytest.mark.parametrize(
    "error", [RecursionError, MemoryError, struct.error, AssertionError, EOFError]
)
def test_any_error_of_a_library_is_one_line(tmp_path, wave_uv, monkeypatch, error):
    def fail(*_args, **_options):
        raise error("first line\nsecond line")

    path = write_fif(tmp_path, wave_uv)
    monkeypatch.setattr(mne.io, "read_raw", fail)
    with pytest.raises(
        RecordingError, match=r"MNE can't read it .first line second line.; export it"
    ):
        open_signal(path)


def test_a_recording_that_claims_to_last_for_years_is_refused(tmp_path, wave_uv):
    path = write_eeglab(tmp_path, wave_uv, cuts_s=[(40, 1e9)])
    with pytest.raises(RecordingError, match=r"implausible duration: night\.set would last"):
        open_signal(path)


def test_edf_with_nuls_for_padding_is_known_by_its_content(tmp_path):
    path = write_raw(tmp_path / "night.rec", header=RawHeader(pad=b"\0"))
    path.write_bytes(b"0".ljust(8, b"\0") + path.read_bytes()[8:])
    assert isinstance(open_signal(path), EdfFile)


@pytest.mark.parametrize("name", ["night", "night.fif", "night.bdf", "night.mat", "night.vhdr"])
def test_an_empty_file_is_called_so_whatever_its_suffix(name, tmp_path):
    (tmp_path / name).touch()
    with pytest.raises(RecordingError, match=f"^unreadable recording: {name} is empty; get"):
        open_signal(tmp_path / name)


@pytest.mark.parametrize("path", ["", ".", "/"])
def test_a_path_without_a_name_is_no_recording(path):
    with pytest.raises(RecordingError, match="is a folder; give the file of a recording"):
        open_signal(Path(path))


def test_a_format_whose_package_is_missing_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mffpy", None)
    (tmp_path / "night.mff").mkdir()
    with pytest.raises(
        RecordingError, match=r"mffpy, which is not installed; type: pip install mffpy"
    ):
        open_signal(tmp_path / "night.mff")
