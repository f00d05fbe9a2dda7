"""Recordings in HDF5: which channels there are, their rates and units, and what is refused."""

from fractions import Fraction
from pathlib import Path

import h5py
import numpy as np
import pytest
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.formats.hdf5_reader import UNEVEN, read_integers
from psgimg.builder.recordings.open_signal import open_signal
from tiny_dod import write_h5


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "night.h5"
    write_h5(path, [0, 1, 2, 2], {"eeg": ("C3_M2", "F4_M1")}, sfreq_hz=100)
    return path


def changed(path, change):
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def test_every_channel_of_every_kind_is_listed(path):
    file = open_signal(path)
    assert file.labels == ("C3_M2", "F4_M1", "ECG", "EMG", "EOG1", "EOG2")
    assert file.sfreqs_hz == file.recorded_hz == (Fraction(100),) * 6
    assert file.duration_s == 120
    assert file.start is None


@pytest.mark.parametrize(
    ("unit", "uv"), [("µV", 1), (b"uV", 1), ("mV", 1e3), ("V", 1e6), (b"\xb5V", 1)]
)
def test_samples_are_read_in_microvolts(path, unit, uv):
    with h5py.File(path) as file:
        stored = file["signals/eeg/F4_M1"][:].astype(float)
    changed(path, lambda file: file["signals/eeg"].attrs.modify("unit", unit))
    np.testing.assert_allclose(open_signal(path).read_uv(1), stored * uv)


def test_a_missing_unit_is_stated_as_missing(tmp_path):
    write_h5(tmp_path / "night.h5", [0, 1], unit=None)
    assert open_signal(tmp_path / "night.h5").unit(0) == ""


def test_a_channel_that_is_no_voltage_is_a_fault_of_that_channel_alone(path):
    changed(path, lambda file: file["signals/emg"].attrs.modify("unit", "%"))
    file = open_signal(path)
    assert [file.fault(i) is None for i in range(6)] == [True, True, False, False, True, True]


def test_kinds_may_differ_in_rate(path):
    def slower(file):
        file["signals/eog"].attrs["fs"] = 40.0
        for label in ("EOG1", "EOG2"):
            del file[f"signals/eog/{label}"]
            file[f"signals/eog/{label}"] = np.zeros(40 * 120 + 7)

    file = open_signal(changed(path, slower))
    assert file.duration_s == 120
    assert [len(file.read_uv(i)) for i in (0, 4)] == [12000, 4800]
    assert all((rate * file.record_s).denominator == 1 for rate in file.sfreqs_hz)


def spoil_samples(file):
    file["signals/eeg/C3_M2"][50] = np.nan


def test_samples_that_are_no_numbers_are_refused(path):
    with pytest.raises(RecordingError, match=r"night\.h5, channel C3_M2"):
        open_signal(changed(path, spoil_samples)).read_uv(0)


def in_another_file(file):
    folder = Path(file.filename).parent
    write_h5(folder / "other.h5", [0] * 4, {"eeg": ("C3_M2",)}, sfreq_hz=100)
    del file["signals/eeg/C3_M2"]
    return folder / "other.h5"


def linked(file):
    file["signals/eeg/C3_M2"] = h5py.ExternalLink(in_another_file(file).name, "signals/eeg/C3_M2")


def linked_twice(file):
    file["elsewhere"] = h5py.ExternalLink(in_another_file(file).name, "signals/eeg")
    file["signals/eeg/C3_M2"] = h5py.SoftLink("/elsewhere/C3_M2")


def virtual(file):
    source = h5py.VirtualSource(in_another_file(file), "signals/eeg/C3_M2", shape=(12000,))
    layout = h5py.VirtualLayout(shape=(12000,), dtype="f4")
    layout[:] = source
    file.create_virtual_dataset("signals/eeg/C3_M2", layout)


def stored_outside(file):
    raw = Path(file.filename).with_name("raw.bin")
    raw.write_bytes(bytes(48000))
    del file["signals/eeg/C3_M2"]
    stored = [(str(raw), 0, 48000)]
    file.create_dataset("signals/eeg/C3_M2", shape=(12000,), dtype="f4", external=stored)


@pytest.mark.parametrize("change", [linked, linked_twice, virtual, stored_outside])
def test_data_of_a_file_that_no_hash_covers_are_refused(path, change):
    with pytest.raises(RecordingError, match=r"data in another file: .*C3_M2"):
        open_signal(changed(path, change))


@pytest.mark.parametrize("chunks", [(1000,), None])
@pytest.mark.parametrize("n_samples", [12000, 10**13])
def test_samples_that_were_never_written_are_not_read_as_zeros(path, chunks, n_samples):
    def unwritten(file):
        del file["signals/eeg/C3_M2"]
        file.create_dataset("signals/eeg/C3_M2", shape=(n_samples,), dtype="f4", chunks=chunks)

    with pytest.raises(RecordingError, match=r"samples missing: .*C3_M2 were never written"):
        open_signal(changed(path, unwritten))


def test_a_channel_without_samples_costs_no_other(path):
    def emptied(file):
        del file["signals/emg/ECG"]
        file["signals/emg/ECG"] = np.zeros(0, np.float32)

    file = open_signal(changed(path, emptied))
    assert "ECG" not in file.labels
    assert (file.duration_s, file.notes) == (120, ())


def test_a_channel_that_ends_early_is_told(path):
    def shortened(file):
        del file["signals/emg/ECG"]
        file["signals/emg/ECG"] = np.zeros(5000, np.float32)

    file = open_signal(changed(path, shortened))
    assert (file.duration_s, file.notes) == (50, (UNEVEN,))


@pytest.mark.parametrize("rate", [np.float32(99.99), 99.99, 100.00001])
def test_a_rate_with_decimals_costs_no_minutes_at_the_end(path, rate):
    changed(path, lambda file: file["signals/eeg"].attrs.modify("fs", rate))
    assert open_signal(path).record_s <= 100


def no_rate(file):
    del file["signals/eeg"].attrs["fs"]


def rate_of_zero(file):
    file["signals/eeg"].attrs["fs"] = 0


def no_signals(file):
    del file["signals"]


def no_channels(file):
    del file["signals"]
    file.create_group("signals/eeg").attrs["fs"] = 250


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (no_rate, "signals/eeg/C3_M2.*'fs'"),
        (rate_of_zero, "signals/eeg/C3_M2.*'fs'"),
        (no_signals, "no group 'signals'"),
        (no_channels, "no samples"),
    ],
)
def test_another_layout_is_refused_in_one_line(path, change, message):
    with pytest.raises(RecordingError, match=message) as refused:
        open_signal(changed(path, change))
    assert "\n" not in str(refused.value)
    assert "night.h5" in str(refused.value)


@pytest.mark.parametrize("n_bytes", [8, 100, 5000])
def test_a_file_cut_short_is_refused_in_one_line(path, n_bytes):
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(RecordingError, match=r"night\.h5: h5py can't read it .*; get it again"):
        open_signal(path)


@pytest.mark.parametrize(
    "values", [[0.5, 1], [0, np.inf], [0, np.nan], [0, 1j], [[0, 1], [1, 2]], 3, ["W", "N1"]]
)
def test_a_list_of_other_than_whole_numbers_is_no_scoring(path, values):
    def replaced(file):
        del file["hypnogram"]
        file["hypnogram"] = values

    with pytest.raises(RecordingError, match="whole numbers 'hypnogram'"):
        read_integers(changed(path, replaced), "hypnogram")
