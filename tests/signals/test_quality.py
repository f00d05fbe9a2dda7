"""Quality: what the samples of a lane say about it, as a sleep technologist would judge."""

from fractions import Fraction

import edfio
import numpy as np
import pytest
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.edf import open_edf
from psgimg.builder.recordings.montage import Derivation, Kind, Lane
from psgimg.builder.signals import quality
from psgimg.builder.signals.deriving import read_lane
from psgimg.builder.signals.quality_measure import Pages, extremes, level, wave
from raw_edf import RawChannel, RawHeader, write_raw
from tiny_edf import discontinuous

N_PAGES = 10
C4 = Lane("C4", Kind.EEG, ("C4-M1",))
GOOD = {"flat": 0, "saturated": 0, "implausible": 0, "mains": 0, "usable": 1}


def eeg(rate_hz, n_pages=N_PAGES, seed=0, amplitude_uv=15.0):
    """Noise with the spectrum of an EEG: power falls with frequency."""
    n = round(rate_hz * 30) * n_pages
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=n))
    hz = np.fft.rfftfreq(n, 1 / rate_hz)
    spectrum /= np.maximum(hz, 0.5)
    samples = np.fft.irfft(spectrum, n)
    return amplitude_uv * samples / samples.std()


def time_s(samples, rate_hz):
    return np.arange(len(samples)) / rate_hz


def judged(samples, rate_hz=128, kind=Kind.EEG):
    rate = Fraction(rate_hz)
    n_pages = len(samples) // round(30 * rate)
    pages = Pages([Segment(len(samples))], Fraction(1), [30.0 * i for i in range(n_pages)])
    return wave(samples, rate, pages, kind, [extremes(samples, rate, pages)])


class Segment:
    """One gapless segment from the start."""

    onset_s, first = 0.0, 0

    def __init__(self, stop):
        self.stop = stop


def with_mains(hz, amplitude_uv, rate_hz=128):
    samples = eeg(rate_hz)
    return samples + amplitude_uv * np.sin(2 * np.pi * hz * time_s(samples, rate_hz) + 1)


def dead_after(seconds, rate_hz=128):
    samples = eeg(rate_hz)
    samples[round(seconds * rate_hz) :] = samples[0]
    return samples


def popped(share, rate_hz=128):
    """An electrode that pops off: the input floats to the rail of the amplifier."""
    samples = np.clip(eeg(rate_hz), -250, 250)
    samples[-round(share * len(samples)) :] = 250
    return samples


def at_both_rails(rate_hz=128):
    return np.clip(100 * eeg(rate_hz), -250, 250)


def quantised(samples, step_uv):
    return step_uv * np.round(samples / step_uv)


@pytest.mark.parametrize(
    ("samples", "defect", "share"),
    [
        (eeg(128) * 1e6, "implausible", 1.0),  # V in the header, the numbers are µV
        (eeg(128) * 1e3, "implausible", 1.0),  # mV in the header
        (eeg(128) * 1e-6, "implausible", 1.0),  # µV in the header, the numbers are V
        (eeg(128) * 1e-3, "implausible", 1.0),
        (np.random.default_rng(0).normal(0, 0.02, 128 * 300), "implausible", 1.0),
        (quantised(np.random.default_rng(0).normal(0, 0.02, 128 * 300), 0.03), "implausible", 1.0),
        (1e5 + eeg(128) * 1e3, "implausible", 1.0),
        (dead_after(1), "flat", 1.0),
        (dead_after(151), "flat", 0.5),
        (np.zeros(128 * 300), "flat", 1.0),
        (np.full(128 * 300, -250.0), "flat", 1.0),
        (popped(0.9), "saturated", 0.9),
        (popped(0.5), "saturated", 0.5),
        (-popped(0.5), "saturated", 0.5),
        (at_both_rails(), "saturated", 1.0),
        (with_mains(50, 60), "mains", 1.0),
        (with_mains(60, 60), "mains", 1.0),
        (with_mains(49.8, 60), "mains", 1.0),
        (1e4 + with_mains(50.1, 60), "mains", 1.0),
    ],
)
def test_a_bad_lane_has_its_defect_in_the_epochs_that_are_bad(samples, defect, share):
    found = judged(samples)
    assert found == GOOD | {defect: share, "usable": round(1 - share, 4)}


@pytest.mark.parametrize(
    ("samples", "rate_hz"),
    [
        (eeg(100), 100),
        (eeg(512), 512),
        (eeg(50), 50),  # mains can't be seen, and is not imagined
        (eeg(128, amplitude_uv=2.0), 128),  # a low-voltage EEG
        (eeg(128, amplitude_uv=120.0), 128),  # slow waves of a child
        (eeg(128) + 5e4, 128),  # DC-coupled
        (quantised(eeg(128), 1.0), 128),  # 8 bits for ±125 µV, as in SHHS
        (np.clip(eeg(128, amplitude_uv=90.0), -125, 125), 128),  # clipped now and then
        (with_mains(50, 10), 128),  # mains, but less than EEG
        (eeg(128) + 40 * np.sin(2 * np.pi * 10 * time_s(eeg(128), 128)), 128),  # alpha rhythm
    ],
)
def test_a_plausible_eeg_is_usable_throughout(samples, rate_hz):
    assert judged(samples, rate_hz) == GOOD


def test_an_eeg_that_the_recorder_filtered_at_35_hz_is_usable():
    from scipy.signal import butter, sosfiltfilt

    assert judged(sosfiltfilt(butter(8, 35, fs=256, output="sos"), eeg(256)), 256) == GOOD


def test_mains_that_a_low_rate_folds_out_of_the_eeg_band_are_seen():
    """60 Hz sampled at 100 Hz without an anti-aliasing filter is a line at 40 Hz."""
    assert judged(with_mains(60, 60, 100), 100)["mains"] == 1
    assert judged(with_mains(60, 60, 70), 70)["mains"] == 0  # at 10 Hz: may be an alpha rhythm


@pytest.mark.parametrize("hz", [50.0, 49.99])
def test_mains_at_half_the_rate_are_seen(hz):
    """50 Hz at 100 Hz, as in Sleep-EDF: samples alternate, by an amplitude that varies with phase."""
    assert judged(with_mains(hz, 60, 100), 100)["mains"] >= 0.7
    assert judged(with_mains(hz, 5, 100), 100)["mains"] == 0


def test_half_of_the_seconds_of_an_epoch_decide():
    for n_bad, n_usable in ((14, N_PAGES), (15, 0)):
        seconds = eeg(128).reshape(N_PAGES, 30, 128)
        seconds[:, :n_bad] = seconds[0, 0, 0]
        assert judged(seconds.ravel())["usable"] == n_usable / N_PAGES


def test_defects_of_different_kinds_add_up():
    seconds = eeg(128).reshape(N_PAGES, 30, 128)
    seconds[:, :8] = seconds[0, 0, 0]
    seconds[:, 8:16] *= 1e4
    assert judged(seconds.ravel()) == GOOD | {"usable": 0}


@pytest.mark.parametrize(
    ("kind", "samples", "defect"),
    [
        (Kind.EOG, 20 * eeg(128, amplitude_uv=4.0), None),
        (Kind.EOG, 1e6 * eeg(128), "implausible"),
        (Kind.EMG, np.random.default_rng(1).normal(0, 0.3, 128 * 300), None),  # atonia in REM
        (Kind.EMG, np.random.default_rng(1).normal(0, 0.02, 128 * 300), "implausible"),
        (Kind.EMG, np.random.default_rng(1).normal(0, 2e4, 128 * 300), "implausible"),
        (Kind.ECG, 1000 * (time_s(eeg(128), 128) % 1.4 < 0.06) + eeg(128, amplitude_uv=40), None),
        (Kind.ECG, 1e-3 * eeg(128, amplitude_uv=500), "implausible"),
    ],
)
def test_each_kind_of_lane_has_its_own_plausible_amplitudes(kind, samples, defect):
    found = judged(samples, kind=kind)
    assert found == (GOOD if defect is None else GOOD | {defect: 1, "usable": 0})


@pytest.mark.parametrize(
    ("factor", "found"),
    [
        (1, GOOD),
        (0, GOOD | {"flat": 1, "usable": 0}),
        (1e6, GOOD | {"implausible": 1, "usable": 0}),
        (1e-6, GOOD | {"implausible": 1, "usable": 0}),
    ],
)
def test_an_emg_level_is_judged_as_a_level(factor, found):
    levels_uv = factor * np.abs(3 + np.random.default_rng(0).normal(size=300))
    pages = Pages([Segment(300)], Fraction(30), [30.0 * i for i in range(N_PAGES)])
    assert level(levels_uv, Fraction(1), pages) == found


def write(path, waves, rate_hz=128, annotations=None):
    signals = [
        edfio.EdfSignal(
            samples, rate_hz, label=f"ch{i}", physical_dimension="uV", physical_range=(-500, 500)
        )
        for i, samples in enumerate(waves)
    ]
    edfio.Edf(signals, data_record_duration=1.0, annotations=annotations).write(path)
    return open_edf(path)


def test_a_level_of_half_a_hertz_is_judged_in_a_recording_of_one_page(tmp_path):
    path = write_raw(
        tmp_path / "a.edf", [RawChannel("chin", 1)], RawHeader(record_s="2"), n_records=15
    )
    lane = read_lane(open_edf(path), Kind.EMG, Derivation("Chin", 0), [0.0])
    assert lane.state.envelope
    assert lane.state.quality == GOOD


def test_a_derivation_is_saturated_where_either_of_its_channels_is(tmp_path):
    reference = eeg(128, seed=1)
    reference[len(reference) // 2 :] = 500
    file = write(tmp_path / "a.edf", [eeg(128), reference])
    starts_s = [30.0 * i for i in range(N_PAGES)]
    lane = read_lane(file, C4.kind, Derivation("C4-M1", 0, 1), starts_s)
    assert lane.state.quality == GOOD | {"saturated": 0.5, "usable": 0.5}


def test_a_derivation_is_flat_where_its_electrode_is_though_the_reference_lives(tmp_path):
    file = write(tmp_path / "a.edf", [dead_after(1), eeg(128, seed=1)])
    starts_s = [30.0 * i for i in range(N_PAGES)]
    lane = read_lane(file, C4.kind, Derivation("C4-M1", 0, 1), starts_s)
    assert lane.state.quality == GOOD | {"flat": 1, "usable": 0}
    reference_dead = read_lane(file, C4.kind, Derivation("C4-M1", 1, 0), starts_s)
    assert reference_dead.state.quality == GOOD  # as of a file recorded against that reference


def test_pages_are_judged_by_their_own_samples_behind_a_gap(tmp_path):
    samples = eeg(128, 4)
    samples[2 * 30 * 128 :] = samples[0]  # dead in the second segment
    path = tmp_path / "a.edf"
    write(path, [samples], annotations=[edfio.EdfAnnotation(0, None, "x")])
    discontinuous(path, {60: 1000.0})
    file = open_edf(path)
    for starts_s, n_flat in (([0.0, 30.0], 0), ([1000.0, 1030.0], 2), ([30.0, 1000.0], 1)):
        lane = read_lane(file, C4.kind, Derivation("C4-M1", 0), starts_s)
        assert lane.state.quality["flat"] == n_flat / 2


def test_only_the_given_pages_count_and_none_is_no_measurement(tmp_path):
    file = write(tmp_path / "a.edf", [dead_after(150)])
    state = read_lane(file, C4.kind, Derivation("C4-M1", 0), [0.0, 30.0]).state
    assert state.quality == GOOD
    assert read_lane(file, C4.kind, Derivation("C4-M1", 0)).state.quality is None


def test_the_shares_do_not_depend_on_how_many_pages_are_examined_at_once(monkeypatch):
    samples = popped(0.43)
    whole = judged(samples)
    monkeypatch.setattr("psgimg.builder.signals.quality_measure.N_CHUNK", 3)
    assert judged(samples) == whole


def test_what_prevails_is_a_note_that_names_lane_and_question():
    lanes = [C4, Lane("E1", Kind.EOG, ("E1-M2",)), Lane("chin", Kind.EMG, ("Chin",))]
    measured = {
        "C4-M1": GOOD | {"implausible": 0.6, "usable": 0.4},
        "E1-M2": GOOD | {"saturated": 0.4, "usable": 0.6},
    }
    assert quality.notes(lanes, ["C4-M1", "E1-M2", None], measured) == [
        "EEG amplitude implausible in most epochs of C4-M1: is the unit in the header right?"
    ]


def test_a_recording_is_refused_only_if_every_eeg_lane_is_below_the_least_share():
    lanes = [C4, Lane("C3", Kind.EEG, ("C3-M2",)), Lane("chin", Kind.EMG, ("Chin",))]
    names = ["C4-M1", "C3-M2", "Chin"]
    measured = dict(zip(names, (GOOD | {"usable": u} for u in (0.2, 0.5, 1.0)), strict=True))
    quality.require(0.5, lanes, names, measured, "a.edf")
    with pytest.raises(RecordingError, match=r"a\.edf: .*C4-M1 20 %, C3-M2 50 %;.*51 %") as caught:
        quality.require(0.51, lanes, names, measured, "a.edf")
    assert caught.value.reason == "poor signal quality"


def test_totals_weigh_each_recording_by_its_epochs():
    parts = [(GOOD, 900), (GOOD | {"flat": 1, "usable": 0}, 100)]
    assert quality.total(parts) == GOOD | {"flat": 0.1, "usable": 0.9}


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (1, "100 %"), (0.0001, "0.1 %"), (0.9999, "99.9 %"), (0.5, "50 %")],
)
def test_a_share_is_shown_as_all_or_nothing_only_if_it_is(share, text):
    assert quality.percent(share) == text


def test_real_nights_are_usable(real_recordings):
    sleep_edf = open_edf(real_recordings / "sleep-edf" / "SC4001E0-PSG.edf")
    starts_s = [30.0 * i for i in range(2650)]
    kinds = [Kind.EEG, Kind.EEG, Kind.EOG, Kind.EMG]
    for channel, kind in zip((0, 1, 2, 4), kinds, strict=True):
        state = read_lane(sleep_edf, kind, Derivation("x", channel), starts_s).state
        assert state.quality["usable"] >= quality.GOOD
    for number, rate_hz in ((1, 100), (2, 200), (3, 50), (4, 200)):
        path = real_recordings / "dreams" / f"excerpt{number}.txt"
        assert judged(np.loadtxt(path, skiprows=1), rate_hz)["usable"] >= quality.GOOD
    night = np.load(real_recordings / "ucddb-022" / "ucddb022_C3A2_128Hz.npz")["x"]
    raw = night[~np.isnan(night).any(axis=1)].astype(float).ravel()
    assert judged(60 * raw)["usable"] >= quality.GOOD  # about µV
    assert judged(raw)["implausible"] == 1  # the raw units are not µV
