"""Signals: µV in, µV out; nothing moves in time, nothing is aliased, nothing crosses a gap."""

from dataclasses import replace
from fractions import Fraction

import edfio
import numpy as np
import pytest
from psgimg.builder.recordings.by_kind import ByKind
from psgimg.builder.recordings.edf import open_edf
from psgimg.builder.recordings.montage import Derivation, Kind, Lane, Montage
from psgimg.builder.recordings.segments import Segment
from psgimg.builder.signals.deriving import read_lane
from psgimg.builder.signals.filter_settings import Band, Filters
from psgimg.builder.signals.filtering import read_signals
from psgimg.builder.signals.resampling import resample
from tiny_edf import discontinuous

SFREQ_HZ = 200.0
AS_RECORDED = (Derivation("C4-M1", 0),)
EEG = Montage("one", (Lane("C4", Kind.EEG, ("C4-M1",)),))
EMG = Montage("chin", (Lane("chin", Kind.EMG, ("Chin",)),))


def write(path, waves, sfreqs_hz, record_s=1.0, annotations=None):
    signals = [
        edfio.EdfSignal(
            wave, rate, label=f"ch{i}", physical_dimension="uV", physical_range=(-1000, 1000)
        )
        for i, (wave, rate) in enumerate(zip(waves, sfreqs_hz, strict=True))
    ]
    edfio.Edf(signals, data_record_duration=record_s, annotations=annotations).write(path)
    return open_edf(path)


def read(
    edf,
    montage=EEG,
    derivations=AS_RECORDED,
    *,
    mains_hz=50.0,
    span_s=None,
    sfreq_hz=SFREQ_HZ,
    filters=None,
):
    return read_signals(
        edf,
        montage,
        derivations,
        filters=filters or Filters(),
        mains_hz=mains_hz,
        sfreq_hz=sfreq_hz,
        span_s=span_s or (0.0, edf.duration_s),
    )


def tone(freq_hz, rate_hz, seconds=120, amplitude_uv=50.0):
    return amplitude_uv * np.sin(2 * np.pi * freq_hz * np.arange(int(seconds * rate_hz)) / rate_hz)


def amplitude(data_uv, freq_hz, sfreq_hz=SFREQ_HZ):
    """Amplitude of one frequency in the middle of a signal."""
    middle = data_uv[len(data_uv) // 4 : -len(data_uv) // 4].astype(float)
    middle = middle * np.hanning(len(middle)) * 2
    turns = np.exp(-2j * np.pi * freq_hz * np.arange(len(middle)) / sfreq_hz)
    return 2 * abs((middle * turns).mean())


@pytest.mark.parametrize("rate_hz", [100, 125, 128, 200, 256, 512])
def test_a_spindle_keeps_its_place_and_its_height(tmp_path, rate_hz):
    times = np.arange(120 * rate_hz) / rate_hz
    spindle = 40 * np.sin(2 * np.pi * 13 * times) * np.exp(-((times - 61.7) ** 2) / 0.2)
    signals = read(write(tmp_path / "a.edf", [spindle], [rate_hz]))
    out = signals.stretches[0].data_uv[0]
    envelope = np.abs(out)
    centre_s = (envelope * np.arange(len(out))).sum() / envelope.sum() / SFREQ_HZ
    assert centre_s == pytest.approx(61.7, abs=0.02)
    assert out.max() == pytest.approx(40, rel=0.05)


@pytest.mark.parametrize("rate_hz", [125, 200, 256, 512])
def test_a_tone_above_the_new_nyquist_rate_does_not_come_back_lower(tmp_path, rate_hz):
    """The 60 Hz tone of a chin EMG that linear resampling to 100 Hz turns into 40 Hz."""
    edf = write(tmp_path / "a.edf", [tone(60, rate_hz)], [rate_hz])
    out = read(edf, EMG, (Derivation("Chin", 0),), sfreq_hz=100.0).stretches[0].data_uv[0]
    assert amplitude(out, 40, 100.0) < 0.5


def test_bands_keep_what_they_should_and_drop_the_rest(tmp_path):
    rate_hz = 256
    waves = (
        tone(0.05, rate_hz, 240)
        + tone(1, rate_hz, 240)
        + tone(10, rate_hz, 240)
        + tone(70, rate_hz, 240)
    )
    out = read(write(tmp_path / "a.edf", [waves], [rate_hz])).stretches[0].data_uv[0]
    assert amplitude(out, 1) == pytest.approx(50, rel=0.03)
    assert amplitude(out, 10) == pytest.approx(50, rel=0.02)
    assert amplitude(out, 0.05) < 3
    assert amplitude(out, 70) < 0.5


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
def test_hum_is_notched_at_the_mains_frequency_of_the_country(tmp_path, mains_hz):
    edf = write(tmp_path / "a.edf", [tone(50, 256) + tone(60, 256)], [256])
    out = read(edf, EMG, (Derivation("Chin", 0),), mains_hz=mains_hz).stretches[0].data_uv[0]
    other_hz = 110.0 - mains_hz
    assert amplitude(out, mains_hz) < 1
    assert amplitude(out, other_hz) > 40


def test_a_decimal_rate_does_not_drift_over_the_night():
    """MASS: 256.0163 Hz read as 256 Hz is off by two seconds after eight hours."""
    rate = Fraction("256.0163")
    n_samples = int(rate * 8 * 3600)
    marker = np.zeros(n_samples)
    place_s = 8 * 3600 - 30.0
    marker[round(place_s * rate)] = 1000.0
    out = resample(marker, rate, SFREQ_HZ)
    assert np.argmax(out) / SFREQ_HZ == pytest.approx(place_s, abs=0.01)
    assert len(out) / SFREQ_HZ == pytest.approx(n_samples / rate, abs=0.01)


def test_records_of_no_whole_second_keep_time(tmp_path):
    wave = np.zeros(256 * 100)
    wave[256 * 80] = 900
    edf = write(tmp_path / "a.edf", [wave], [256], record_s=0.5)
    out = read(edf).stretches[0].data_uv[0]
    assert np.argmax(out) / SFREQ_HZ == pytest.approx(80, abs=0.01)


def test_a_derivation_is_plus_minus_minus(tmp_path):
    edf = write(tmp_path / "a.edf", [tone(10, 256), tone(10, 128, amplitude_uv=20)], [256, 128])
    out = read(edf, derivations=(Derivation("C4-M1", 0, 1),)).stretches[0].data_uv[0]
    assert amplitude(out, 10) == pytest.approx(30, rel=0.03)


def test_a_turned_derivation_has_its_sign_turned(tmp_path):
    edf = write(tmp_path / "a.edf", [tone(10, 100)], [100])
    as_it_is = read(edf).stretches[0].data_uv[0]
    turned = read(edf, derivations=(Derivation("C4-M1", 0, sign=-1),)).stretches[0].data_uv[0]
    np.testing.assert_allclose(turned, -as_it_is)


def test_filters_never_run_across_a_gap(tmp_path):
    wave = np.concatenate((np.zeros(60 * 100), np.full(60 * 100, 500.0)))
    notes = [edfio.EdfAnnotation(1, None, "x")]
    write(tmp_path / "a.edf", [wave], [100], annotations=notes)
    discontinuous(tmp_path / "a.edf", {60: 1000.0})
    signals = read(open_edf(tmp_path / "a.edf"))
    assert [s.start_s for s in signals.stretches] == [0.0, 1000.0]
    assert np.abs(signals.stretches[0].data_uv).max() < 1e-3, "the step lies beyond the gap"


def test_a_piece_too_short_to_resample_between_two_gaps_leaves_the_others_as_they_are(tmp_path):
    edf = write(tmp_path / "a.edf", [tone(10, 250, 80)], [250], record_s=0.004)
    whole = [Segment(0.0, 0, 10_000), Segment(54.0, 10_001, 20_000)]
    pieces = [whole[0], Segment(47.0, 10_000, 10_001), whole[1]]
    wanted = read(replace(edf, segments=tuple(whole)), sfreq_hz=100.0).stretches
    got = read(replace(edf, segments=tuple(pieces)), sfreq_hz=100.0).stretches
    assert [each.start_s for each in got] == [0.0, 54.0]
    for one, other in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(one.data_uv, other.data_uv)


def test_part_of_a_night_is_the_same_as_that_part_of_the_whole(tmp_path):
    rng = np.random.default_rng(1)
    edf = write(tmp_path / "a.edf", [rng.normal(0, 30, 600 * 128)], [128])
    whole = read(edf).stretches[0]
    part = read(edf, span_s=(300.0, 330.0)).stretches[0]
    first = round((300 - part.start_s) * SFREQ_HZ)
    np.testing.assert_allclose(
        part.data_uv[:, first : first + 6000], whole.data_uv[:, 60_000:66_000], atol=0.01
    )


def test_an_emg_level_stays_a_level(tmp_path):
    edf = write(tmp_path / "a.edf", [np.repeat([1.0, 3.0], 60)], [1])
    signals = read(edf, EMG, (Derivation("Chin", 0),))
    assert signals.envelopes == (True,)
    out = signals.stretches[0].data_uv[0]
    assert (out[1000], out[-1000]) == pytest.approx((1, 3), abs=0.05)


@pytest.mark.parametrize(("rate_hz", "level"), [(10, True), (20, True), (25, False), (100, False)])
def test_an_emg_is_a_level_up_to_20_samples_a_second_and_a_waveform_above(tmp_path, rate_hz, level):
    """From 10 Hz on an EMG is a waveform; 20 samples a second hold nothing of it."""
    ramp = np.linspace(5.0, 7.0, 60 * rate_hz)
    signals = read(write(tmp_path / "a.edf", [ramp], [rate_hz]), EMG, (Derivation("Chin", 0),))
    assert signals.envelopes == (level,)
    mean_uv = signals.stretches[0].data_uv[0].mean()
    assert mean_uv == pytest.approx(6 if level else 0, abs=0.1)  # a high-pass has no mean


def test_a_band_from_0_keeps_the_mean_and_one_without_notch_the_mains(tmp_path):
    edf = write(tmp_path / "a.edf", [100 + tone(50, 256)], [256])
    bands = ByKind({Kind.EEG: Band(0, 100)})
    for notch, mains_uv in ((True, 0), (False, 50)):
        out = read(edf, filters=Filters(bands, notch=notch)).stretches[0].data_uv[0]
        assert out.mean() == pytest.approx(100, abs=0.5)
        assert amplitude(out - 100, 50) == pytest.approx(mains_uv, abs=1.5)


def test_a_missing_lane_is_nan_and_a_dead_one_is_flat(tmp_path):
    montage = Montage("two", (EEG.lanes[0], Lane("C3", Kind.EEG, ("C3-M2",))))
    signals = read(
        write(tmp_path / "a.edf", [np.zeros(6000)], [100]), montage, (Derivation("C4-M1", 0), None)
    )
    assert np.isnan(signals.stretches[0].data_uv[1]).all()
    assert (signals.lanes, signals.flat) == (("C4-M1", None), (True, False))


def test_rates_below_a_band_leave_that_edge_open(tmp_path):
    """SHHS has its EOG at 50 Hz: a 35 Hz low-pass is beyond its Nyquist rate."""
    out = read(write(tmp_path / "a.edf", [tone(5, 50)], [50])).stretches[0].data_uv[0]
    assert amplitude(out, 5) == pytest.approx(50, rel=0.03)


@pytest.mark.parametrize("rate_hz", [128, 200, 256, 512])
@pytest.mark.parametrize("order", [2, 4, 8])
def test_both_passes_together_attenuate_the_edges_of_the_band_by_3_db(tmp_path, rate_hz, order):
    edges_hz = (1.0, 30.0)
    filters = replace(Filters(), bands=ByKind({Kind.EEG: Band(*edges_hz)}), order=order)
    waves = sum(tone(hz, rate_hz, 200) for hz in (*edges_hz, 8.0))
    out = read(write(tmp_path / "a.edf", [waves], [rate_hz]), filters=filters)
    for hz in edges_hz:
        left = amplitude(out.stretches[0].data_uv[0], hz) / 50
        assert 20 * np.log10(left) == pytest.approx(-3.01, abs=0.1)


@pytest.mark.parametrize(("plus_hz", "minus_hz"), [(256, 128), (128, 256), (200, 256), (256, 200)])
def test_a_reference_at_another_rate_leaves_nothing_of_a_step_at_a_gap(tmp_path, plus_hz, minus_hz):
    """Both channels step by 400 µV while the recorder paused: their difference stays 0 up to the edge."""
    waves = [np.repeat([-200.0, 200.0], 60 * hz) for hz in (plus_hz, minus_hz)]
    path = tmp_path / "a.edf"
    write(path, waves, (plus_hz, minus_hz), annotations=[edfio.EdfAnnotation(0, None, "x")])
    discontinuous(path, {60: 90.0})
    edf = open_edf(path)
    assert len(edf.segments) == 2
    for sign in (1, -1):
        lane = read_lane(edf, Kind.EEG, Derivation("C4-M1", 0, 1, sign)).samples_uv
        assert np.abs(lane).max() < 0.02  # the steps of 16 bits


@pytest.mark.parametrize("sign", [1, -1])
def test_the_sign_of_a_difference_holds_for_both_of_its_channels(tmp_path, sign):
    edf = write(tmp_path / "a.edf", [tone(5, 128), tone(5, 256, amplitude_uv=-30.0)], [128, 256])
    lane = read_lane(edf, Kind.EEG, Derivation("C4-M1", 0, 1, sign)).samples_uv[128:-128]
    assert lane == pytest.approx(sign * 1.6 * tone(5, 128)[128:-128], abs=0.3)
