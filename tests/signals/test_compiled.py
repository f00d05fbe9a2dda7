"""Filters, resampling and peaks are computed as SciPy computes them, which no command imports."""

from fractions import Fraction

import numpy as np
import pytest
from psgimg.builder.signals import peaks, sections
from psgimg.builder.signals.filtering import Stretch
from psgimg.builder.signals.resampling import Level, Resampler, resample
from scipy import signal

RATES_HZ = (50, 100, 125, 128, 200, 256, 500, 512, 1000)


def response(of, at):
    """Response of sections at angles of the unit circle."""
    back = np.exp(-1j * at)[:, np.newaxis]
    b0, b1, b2, a1, a2 = of.T
    return np.prod((b0 + b1 * back + b2 * back**2) / (1 + a1 * back + a2 * back**2), axis=1)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_filters_have_the_response_of_scipys(rate_hz):
    at = np.linspace(0.001, np.pi - 0.001, 500)
    for order in range(1, 9):
        for kind, design in (("lowpass", sections.low_pass), ("highpass", sections.high_pass)):
            for edge_hz in (0.3, 0.2 * rate_hz):
                wanted = signal.butter(order, edge_hz, kind, fs=rate_hz, output="sos")
                _, of_scipy = signal.sosfreqz(wanted, at)
                found = response(design(order, edge_hz, rate_hz), at)
                np.testing.assert_allclose(found, of_scipy, atol=1e-9)
    for band_hz in ((0.5, 10.0), (0.5, 4.0), (18.0, 24.0)):
        wanted = signal.butter(2, band_hz, "bandpass", fs=rate_hz, output="sos")
        found = response(sections.band_pass(2, band_hz, rate_hz), at)
        np.testing.assert_allclose(found, signal.sosfreqz(wanted, at)[1], atol=1e-9)
    wanted = signal.freqz(*signal.iirnotch(0.4 * rate_hz, 30, fs=rate_hz), at)[1]
    np.testing.assert_allclose(
        response(sections.notch(0.4 * rate_hz, 30, rate_hz), at), wanted, atol=1e-9
    )


@pytest.mark.parametrize("n_pad", [0, 10, 333])
def test_filtering_both_ways_is_what_scipy_does(n_pad):
    wave = np.random.default_rng(2).normal(0, 30, 5000)
    of_scipy = signal.butter(4, 35, fs=128, output="sos")
    wanted = signal.sosfiltfilt(of_scipy, wave, padlen=n_pad)
    found = sections.both_ways(sections.low_pass(4, 35, 128), wave, n_pad)
    np.testing.assert_allclose(found, wanted, atol=1e-9)


@pytest.mark.parametrize("rate", [*map(Fraction, RATES_HZ), Fraction("256.0163")])
def test_resampling_is_what_scipy_does(rate):
    wave = np.random.default_rng(3).normal(0, 3, int(rate * 90)).cumsum().astype(np.float32)
    found = resample(wave, rate, 200.0)
    ratio = (200 / rate).limit_denominator(100 if rate.denominator == 1 else 1000)
    wanted = signal.resample_poly(wave, ratio.numerator, ratio.denominator, padtype="line")
    np.testing.assert_allclose(found, wanted[: len(found)], atol=1e-3)


def test_single_precision_and_streams_change_nothing_that_a_pixel_shows():
    """Twenty minutes at once, in streams, then in single precision, beside SciPy in double precision."""
    wave = np.random.default_rng(7).normal(0, 30, 125 * 1200).cumsum() / 10 + 500
    passes = [(2, 0.3, "highpass"), (4, 35.0, "lowpass")]
    wanted = np.concatenate([signal.butter(*one, fs=125, output="sos") for one in passes])
    filtered = signal.sosfiltfilt(wanted, wave, padlen=400)
    found = np.concatenate([sections.high_pass(2, 0.3, 125), sections.low_pass(4, 35.0, 125)])
    streams = sections.both_ways(found, wave, 400)
    np.testing.assert_allclose(streams, filtered, atol=1e-9)
    resampled = signal.resample_poly(filtered, 8, 5, padtype="line")
    np.testing.assert_allclose(resample(streams, Fraction(125), 200.0), resampled, atol=1e-3)


@pytest.mark.parametrize("rate", [*map(Fraction, RATES_HZ), Fraction("256.0163"), Fraction(1)])
@pytest.mark.parametrize("kind", [Resampler, Level])
def test_a_part_of_a_resampled_lane_is_that_part_of_the_whole(rate, kind):
    wave = np.random.default_rng(4).normal(0, 30, int(rate * 70))
    lane = kind(wave, rate, 200.0)
    whole = lane.part(0, len(lane))
    for first, stop in ((0, 1), (17, 6017), (len(lane) - 3, len(lane)), (5000, 5004)):
        np.testing.assert_array_equal(lane.part(first, stop), whole[first:stop])


def test_lanes_of_unequal_length_end_with_their_last_sample():
    """Rounding of rates may drop the last sample of a lane, whose page must still be whole."""
    long, short = (Resampler(np.arange(n, dtype=float), Fraction(1), 1.0) for n in (10, 8))
    part = Stretch((long, None, short), 10, 0.0).part(7, 12)
    np.testing.assert_array_equal(part, [[7, 8, 9], [np.nan] * 3, [7, 7, 7]])
    beyond = Stretch((long, None, short), 10, 0.0).part(9, 12)
    np.testing.assert_array_equal(beyond, [[9], [np.nan], [7]])


@pytest.mark.parametrize("step", [0.0, 10.0])
def test_peaks_are_those_that_scipy_finds(step):
    rng = np.random.default_rng(5)
    shaped = sections.band_pass(2, (0.5, 10.0), 100.0)
    for n_samples in (300, 3000, 8000):
        wave = sections.both_ways(shaped, rng.normal(0, 60, n_samples), 15)
        if step:  # with plateaus
            wave = np.round(wave / step) * step
        found = peaks.find(wave, 25.0, (8.0, 35.0), 241)
        at, facts = signal.find_peaks(wave, height=25, prominence=25, width=(8, 35), wlen=241)
        np.testing.assert_array_equal(found.at, at)
        np.testing.assert_allclose(found.rise, at - facts["left_ips"])
        np.testing.assert_allclose(found.fall, facts["right_ips"] - at)
