"""Filter settings: a user's file is obeyed or refused in one clear line."""

import pytest
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.montage import Kind
from psgimg.builder.signals.filter_settings import AASM_BANDS, Band, Filters, load_filters


@pytest.fixture
def load(tmp_path):
    def write_and_load(text):
        path = tmp_path / "mine.yaml"
        path.write_text(text, encoding="utf-8")
        return load_filters(str(path))

    return write_and_load


def test_without_a_file_the_bands_are_the_aasm_manuals():
    assert load_filters("") == Filters(AASM_BANDS, order=4, notch=True)
    assert {kind.value: (band.low_hz, band.high_hz) for kind, band in AASM_BANDS.items()} == {
        "eeg": (0.3, 35),
        "eog": (0.3, 35),
        "emg": (10, 100),
        "ecg": (0.3, 70),
    }


def test_a_file_changes_what_it_names_and_keeps_the_rest(load):
    filters = load("eeg: {band_hz: [0.5, 30]}\nemg: {band_hz: [0, 90]}\nnotch: false\norder: 2\n")
    assert filters.band(Kind.EEG) == Band(0.5, 30.0)
    assert filters.band(Kind.EMG) == Band(0.0, 90.0)
    assert filters.band(Kind.EOG) == AASM_BANDS[Kind.EOG]
    assert (filters.notch, filters.order) == (False, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("meg: {band_hz: [1, 30]}\n", "unknown key 'meg'; use ecg, eeg, emg, eog, notch, or"),
        ("eeg: {band: [1, 30]}\n", "eeg: unknown key 'band'; use band_hz"),
        ("eeg: [1, 30]\n", "eeg: [1, 30]; write {band_hz: [0.3, 35]}"),
        ("eeg: {}\n", "eeg: band_hz is None; give two numbers"),
        ("eeg: {band_hz: 30}\n", "band_hz is 30; give two numbers"),
        ("eeg: {band_hz: [1]}\n", "band_hz is [1]; give two numbers"),
        ("eeg: {band_hz: [1, 30, 40]}\n", "give two numbers"),
        ("eeg: {band_hz: [1, high]}\n", "give two numbers"),
        ("eeg: {band_hz: [true, 30]}\n", "give two numbers"),
        ("eeg: {band_hz: [1, .inf]}\n", "give two numbers"),
        ("eeg: {band_hz: [.nan, 30]}\n", "give two numbers"),
        ("eeg: {band_hz: [35, 0.3]}\n", "eeg has a pass band from 35 to 0.3 Hz"),
        ("eeg: {band_hz: [35, 35]}\n", "eeg has a pass band from 35 to 35 Hz"),
        ("eeg: {band_hz: [-1, 35]}\n", "eeg has a pass band from -1 to 35 Hz"),
        ("notch: 50\n", "notch is 50; use true or false"),
        ("notch: no\n", "YAML reads no as false"),
        ("order: 4.0\n", "order is 4.0; use a whole number, 2 to 8"),
        ("order: 1\n", "filters of order 1; use 2 to 8"),
        ("order: 9\n", "filters of order 9; use 2 to 8"),
        ("", "expected `key: value` lines"),
    ],
)
def test_invalid_filters_are_refused_in_one_line(load, text, said):
    with pytest.raises(BuildError) as caught:
        load(text)
    message = str(caught.value)
    assert message.startswith("filter file ")
    assert "mine.yaml" in message
    assert said in message
    assert "\n" not in message


def test_a_missing_file_is_refused_by_name():
    with pytest.raises(BuildError, match=r"filter file gone.yaml: No such file"):
        load_filters("gone.yaml")
