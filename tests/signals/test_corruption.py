"""Corruptions: what a spec means, and that the raw samples are changed by just that."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.montage import MONTAGES, Kind
from psgimg.builder.recordings.segments import Segment
from psgimg.builder.signals import corrupt, corruption_spec
from psgimg.builder.signals.corruption_effects import RecordingContext
from psgimg.builder.signals.corruption_kinds import FORMS, Number
from psgimg.builder.signals.corruption_spec import Corruption, parse
from psgimg.builder.signals.filter_settings import Filters
from scipy.signal import butter, sosfiltfilt

AASM = MONTAGES["aasm"]
LANES = {lane.name: lane for lane in AASM.lanes}
MINUTES = 20


def ranges(param):
    ends = st.lists(st.floats(param.low, param.high), min_size=2, max_size=2)
    written = ends.map(lambda pair: sorted({float(f"{end:.12g}") for end in pair}))
    return written.filter(lambda pair: len(pair) > 1).map(lambda pair: f"{pair[0]}..{pair[1]}")


@st.composite
def corruptions(draw):
    kind = draw(st.sampled_from(sorted(FORMS)))
    params = {
        key: draw(st.floats(param.low, param.high) | st.just(param.default) | ranges(param))
        if isinstance(param, Number)
        else draw(st.sampled_from(param.words))
        for key, param in FORMS[kind].params.items()
    }
    names = st.lists(st.sampled_from(["eeg", "eog", "emg", "F4", "chin"]), min_size=1, unique=True)
    written = ",".join(f"{key}={value}" for key, value in params.items())
    seed = draw(st.integers(0, 10**9))
    return f"{kind}:{written},lanes={'+'.join(draw(names))},seed={seed}"


@given(corruptions())
def test_a_parsed_spec_is_written_as_an_equivalent_spec(spec):
    found = parse(spec)
    assert parse(found.spec) == found
    assert corruption_spec.from_dict(corruption_spec.to_dict([found, found])) == (found, found)


@pytest.mark.parametrize("kind", FORMS)
def test_every_kind_is_a_valid_spec_with_a_severity(kind):
    found = parse(kind)
    assert found.spec.startswith(f"{kind}:")
    assert isinstance(found.severity, float)
    assert found.form.unit
    corruption_spec.check_lanes([found], AASM)


def test_severity_of_a_loss_is_the_share_of_the_night_that_is_lost():
    assert parse("lost:from=0.3").severity == 0.7
    assert parse("lost:from=any,rate=0.7").severity == 0.35
    assert corruption_spec.to_dict([parse("hum"), parse("emg")])["severity"] is None


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("nosie", "no corruption 'nosie'; choose from lost, flat"),
        ("noise:db=3", "noise has no 'db=3'; give snr_db, colour, lanes, seed"),
        ("noise:snr_db", "noise has no 'snr_db'; give snr_db"),
        ("noise:snr_db=nan", "snr_db can't be 'nan'; give -60 to 60 (dB"),
        ("noise:snr_db=61", "snr_db can't be '61'"),
        ("noise:colour=red", "colour can't be 'red'; give white or pink"),
        ("hum:hz=any", "hz can't be 'any'; give 10 to 400 (Hz), or mains"),
        ("emg:uv=1,uv=2", "uv is given twice"),
        ("pops:seed=1.5", "seed can't be '1.5'; give a whole number"),
        ("scale:factor=0.7..200", "factor can't be '0.7..200'; give 0.01 to 100 (factor of the am"),
        ("scale:factor=1.4..0.7", "or a range such as 0.01..100"),
        ("scale:factor=1..1", "factor can't be '1..1'"),
        ("shift:s=1..2..3", "s can't be '1..2..3'"),
        ("noise:colour=white..pink", "colour can't be 'white..pink'"),
        ("lost:lanes=F9", "has no lane 'F9'; it has F4, C4, O2, E1, E2, chin"),
        ("lost:lanes=ecg", "has no lane 'ecg'"),
        ("lost:lanes=", "has no lane ''"),
    ],
)
def test_an_invalid_spec_is_refused_in_one_line(spec, said):
    with pytest.raises(BuildError) as caught:
        corruption_spec.check_lanes([parse(spec)], AASM)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda said: {**said, "version": 0},
        lambda said: {**said, "severity": 1.0},
        lambda said: {**said, "parts": []},
        lambda said: {**said, "parts": [{**said["parts"][0], "kind": "hum"}]},
        lambda said: {key: value for key, value in said.items() if key != "parts"},
        lambda said: "noise",
        lambda said: corruption_spec.to_dict([parse("noise:lanes=<script>")]),
        lambda said: corruption_spec.to_dict([parse("noise:lanes=[x](http://a.b)")]),
    ],
)
def test_a_corruption_that_this_psgimg_would_not_carry_out_alike_is_refused(change):
    said = corruption_spec.to_dict([parse("noise:snr_db=3")])
    assert corruption_spec.from_dict(said)
    with pytest.raises(BuildError, match="install the psgimg that made"):
        corruption_spec.from_dict(change(said))


def context(rate_hz=200, recording="n1", segments=None, **more):
    told = {
        "corpus": "c",
        "recording": recording,
        "segments": segments or (Segment(0.0, 0, MINUTES * 60),),
        "record_s": Fraction(1),
        "span_s": (120.0, MINUTES * 60 - 60.0),
        "mains_hz": 50.0,
        "filters": Filters(),
    }
    return RecordingContext(**{**told, **more})


def brain(rate_hz=200, minutes=MINUTES, seed=0):
    """Something with the spectrum of an EEG, an offset, a drift, and a movement in it, in µV."""
    chance = np.random.default_rng(seed)
    n = minutes * 60 * rate_hz
    wave = 20 * sosfiltfilt(
        butter(1, 4, fs=rate_hz, output="sos"), chance.standard_normal(n) * rate_hz**0.5
    )
    wave += 250 + np.linspace(0, 80, n)
    wave[n // 2 : n // 2 + 5 * rate_hz] += 900 * chance.standard_normal(5 * rate_hz)
    return wave


def done(spec, wave=None, rate_hz=200, lane="F4", place=None):
    """What corruptions make of a lane; a copy."""
    wave = brain(rate_hz) if wave is None else wave
    corruptor = corrupt.corruptor([parse(one) for one in spec.split()], place or context())
    return corruptor(LANES[lane], wave.copy(), Fraction(rate_hz))


def in_band(wave, rate_hz, low_hz=0.3, high_hz=35.0):
    """Median power of 4-s windows, by a filter: not the way that the product goes."""
    sos = butter(6, (low_hz, high_hz), "bandpass", fs=rate_hz, output="sos")
    passed = sosfiltfilt(sos, wave - wave.mean())[120 * rate_hz : -60 * rate_hz]
    return np.median(
        passed[: len(passed) // (4 * rate_hz) * 4 * rate_hz].reshape(-1, 4 * rate_hz).var(axis=1)
    )


@pytest.mark.parametrize("colour", ["white", "pink"])
@pytest.mark.parametrize("rate_hz", [100, 256])
@pytest.mark.parametrize("snr_db", [-10, 0, 10])
def test_noise_has_the_requested_power_in_the_pass_band(snr_db, rate_hz, colour):
    wave = brain(rate_hz)
    added = done(f"noise:snr_db={snr_db},colour={colour}", wave, rate_hz) - wave
    found_db = 10 * np.log10(in_band(wave, rate_hz) / in_band(added, rate_hz))
    assert found_db == pytest.approx(snr_db, abs=0.6)


def test_pink_noise_falls_by_3_db_an_octave_and_white_does_not_fall():
    wave = brain()
    for colour, fall_db in (("white", 0), ("pink", 3.01)):
        added = done(f"noise:colour={colour}", wave) - wave
        power = abs(np.fft.rfft(added)) ** 2
        hz = np.fft.rfftfreq(len(added), 1 / 200)
        octaves = [power[(hz >= low) & (hz < 2 * low)].mean() for low in 2.0 ** np.arange(-1, 5)]
        falls_db = -np.diff(10 * np.log10(octaves))
        assert falls_db == pytest.approx(fall_db, abs=0.6), colour


def test_more_noise_is_the_same_noise_higher():
    wave = brain()
    quiet, loud = (done(f"noise:snr_db={db}", wave) - wave for db in (20, 0))
    np.testing.assert_allclose(loud, 10 * quiet, atol=1e-6)


def test_hum_has_its_height_and_keeps_its_phase_across_a_gap():
    rate_hz = 256
    halves = (Segment(0.0, 0, 600), Segment(700.3, 600, 1200))
    nothing = np.zeros(1200 * rate_hz)
    hum = done("hum:uv=80", nothing, rate_hz, place=context(segments=halves))
    times_s = np.arange(600 * rate_hz) / rate_hz
    turned = [
        2 * np.mean(part * np.exp(-2j * np.pi * 50 * (start_s + times_s)))
        for start_s, part in ((0.0, hum[: 600 * rate_hz]), (700.3, hum[600 * rate_hz :]))
    ]
    assert abs(turned[0]) == pytest.approx(80)
    assert turned[1] == pytest.approx(turned[0])
    heights = 2 * abs(np.fft.rfft(hum[: 600 * rate_hz])) / (600 * rate_hz)
    shown_hz = np.flatnonzero(heights > 1) / 600
    assert shown_hz.tolist() == [50, 100], "the third harmonic is beyond this rate"


def test_hum_of_60_hz_where_the_notch_is_at_50():
    hum = done("hum:hz=60,uv=10", np.zeros(200 * MINUTES * 60))
    heights = abs(np.fft.rfft(hum))
    assert heights.argmax() / (MINUTES * 60) == 60


def test_muscle_bursts_have_the_given_rate_and_the_same_times_in_all_lanes():
    nothing = np.zeros(200 * MINUTES * 60)
    lanes = {name: done("emg:per_min=4,uv=30", nothing, lane=name) for name in ("F4", "C4", "E1")}
    on = {name: wave != 0 for name, wave in lanes.items()}
    assert (on["F4"] == on["C4"]).all()
    assert abs(np.corrcoef(lanes["F4"], lanes["C4"])[0, 1]) < 0.05
    starts = np.flatnonzero(np.diff(on["F4"].astype(int)) == 1)
    assert 50 < len(starts) < 100  # 80 are meant; some run into one another
    heights = [np.sqrt(np.mean(wave[on[name]] ** 2)) for name, wave in lanes.items()]
    assert np.mean(heights) == pytest.approx(30, rel=0.3)
    power = abs(np.fft.rfft(lanes["F4"])) ** 2
    hz = np.fft.rfftfreq(len(nothing), 1 / 200)
    assert power[(hz > 15) & (hz < 97)].sum() > 0.9 * power.sum()
    assert (done("emg", nothing, lane="chin") == 0).all(), "brain and eyes, unless told otherwise"


def test_a_pop_is_a_step_that_decays():
    nothing = np.zeros(200 * MINUTES * 60)
    wave = done("pops:per_min=1,uv=200", nothing)
    steps = np.flatnonzero(abs(np.diff(wave)) > 90)
    assert 8 < len(steps) < 40
    assert abs(np.diff(wave)[steps]).mean() == pytest.approx(200, rel=0.25)
    first = steps[0] + 1
    after = abs(wave[first : first + 60])
    assert (np.diff(after) < 0).all()
    assert (done("pops", nothing, lane="C4") != done("pops", nothing)).any(), "one electrode's own"


def test_a_lost_channel_is_constant_from_its_time_on_and_unchanged_before():
    wave = brain()
    lost = done("lost:from=0.25", wave)
    time_s = 120 + 0.25 * (MINUTES * 60 - 180)  # of what is drawn
    np.testing.assert_array_equal(lost[: round(200 * time_s)], wave[: round(200 * time_s)])
    assert (lost[round(200 * time_s) :] == np.median(wave)).all(), "its offset: no step to filter"
    assert np.ptp(done("lost:from=0", wave)) == 0
    assert (done("lost", wave, lane="E1") == wave).all()


def test_a_loss_at_any_time_affects_the_given_share_of_lanes():
    wave = brain(50)
    shares = []
    for night in range(200):
        place = context(recording=f"n{night}")
        lost = done("lost:from=any,rate=0.7", wave, 50, place=place) != wave
        shares.append(lost[120 * 50 : -60 * 50].mean())
    assert np.mean(np.array(shares) > 0) == pytest.approx(0.7, abs=0.1)
    assert np.mean(shares) == pytest.approx(0.35, abs=0.07)


@pytest.mark.parametrize("share", [0, 0.3, 1])
def test_a_channel_is_flat_for_the_given_share_of_the_night(share):
    wave = brain(50)
    flat = done(f"flat:share={share},length_s=5", wave, 50)
    still = flat == np.median(wave)
    assert still.mean() == pytest.approx(share, abs=0.09)
    np.testing.assert_array_equal(flat[~still], wave[~still])
    edges = np.flatnonzero(np.diff(still.astype(int))) + 1
    assert (edges % (5 * 50) == 0).all()


def test_polarity_and_scale():
    wave = brain()
    np.testing.assert_array_equal(done("polarity", wave), -wave)
    np.testing.assert_array_equal(done("scale:factor=3", wave), 3 * wave)
    np.testing.assert_array_equal(done("polarity scale:factor=2", wave), -2 * wave)
    np.testing.assert_array_equal(done("polarity:rate=0", wave), wave)


@pytest.mark.parametrize("spec", ["noise", "emg", "pops", "flat", "hum", "lost:from=any"])
def test_nothing_but_seed_recording_and_lane_decides_what_chance_brings(spec):
    wave = brain()
    told = f"{spec}{',' if ':' in spec else ':'}lanes=all"
    corruptor = corrupt.corruptor([parse(told)], context())
    others = [corruptor(LANES[name], brain(seed=1), Fraction(200)) for name in ("E1", "C4")]
    assert len(others) == 2
    again = corruptor(LANES["F4"], wave.copy(), Fraction(200))
    first = done(told, wave)
    np.testing.assert_array_equal(first, again)
    assert (first != wave).any()
    for other in (
        done(f"{told},seed=1", wave),
        done(told, wave, place=context(recording="n2")),
        done(told, wave, place=context(corpus="d")),
    ):
        assert (other != first).any()


def test_what_falls_into_a_gap_is_gone_and_the_rest_keeps_its_time():
    whole = done("pops:per_min=20", np.zeros(200 * MINUTES * 60))
    parts = (Segment(0.0, 0, 300), Segment(500.0, 300, 1000))  # as long, with a gap of 200 s
    gapped = done("pops:per_min=20", np.zeros(200 * 1000), place=context(segments=parts))
    np.testing.assert_allclose(gapped[: 200 * 300], whole[: 200 * 300])
    np.testing.assert_allclose(gapped[200 * 300 :], whole[200 * 500 :], atol=1e-12)


@pytest.mark.parametrize("kind", FORMS)
def test_a_level_of_an_emg_takes_no_waveform_but_can_be_lost_or_scaled(kind):
    level = np.linspace(1, 5, MINUTES * 60)
    one = parse(f"{kind}:lanes=emg" + (",share=1" if kind == "flat" else ""))
    corruptor = corrupt.corruptor([one], context())
    found = corruptor(LANES["chin"], level.copy(), Fraction(1))
    rates = [Fraction(100)] * 5 + [Fraction(1)]
    notes = corrupt.notes([one], AASM, rates, 50.0)
    if kind in ("lost", "flat", "scale", "shift"):
        assert (found != level).any()
        assert found.min() >= 0
        assert notes == []
    else:
        np.testing.assert_array_equal(found, level)
        assert notes == [f"{kind} not applied to chin: recorded as a level, without a waveform"]


def test_a_corruption_that_could_not_be_applied_is_noted():
    rates = [Fraction(100), None, Fraction(100), Fraction(40), Fraction(40), Fraction(200)]
    told = corrupt.notes([parse("hum"), parse("emg:lanes=E1"), parse("pops")], AASM, rates, 50.0)
    assert told == [
        *(
            f"hum not applied to {name}: 100 samples per second can't represent 50 Hz"
            for name in ("F4", "O2")
        ),
        *(
            f"hum not applied to {name}: 40 samples per second can't represent 50 Hz"
            for name in ("E1", "E2")
        ),
        "emg not applied to E1: 40 samples per second can't represent muscle activity",
    ]
    nobody = corrupt.notes([parse("lost:lanes=C4")], AASM, rates, 50.0)
    assert nobody == ["lost not applied: none of its lanes was recorded"]


def test_a_range_becomes_one_value_for_each_lane_of_each_recording_alone():
    ones = np.ones(200 * MINUTES * 60)
    found = {
        (night, name): done("scale:factor=0.5..2", ones, place=context(recording=night), lane=name)[
            0
        ]
        for night in map(str, range(100))
        for name in ("F4", "C4")
    }
    assert all(0.5 <= value <= 2 for value in found.values())
    assert len(set(found.values())) == 200, "each lane of each recording has its own"
    assert np.log2(list(found.values())).mean() == pytest.approx(0, abs=0.15), "half as twice"
    assert found["1", "F4"] == done("scale:factor=0.5..2", ones, place=context(recording="1"))[0]
    assert parse("scale:factor=0.5..2").severity == 1


def test_what_lanes_share_is_drawn_once_for_a_recording():
    time = np.arange(200.0 * MINUTES * 60)
    moved = {name: done("shift:s=-5..5", time, lane=name) for name in ("F4", "chin")}
    np.testing.assert_array_equal(moved["F4"], moved["chin"])
    signs = {
        night: {
            done("inverted:rate=0.5", time, place=context(recording=night), lane=name)[9] < 0
            for name in ("F4", "C4", "E1")
        }
        for night in map(str, range(40))
    }
    assert all(len(found) == 1 for found in signs.values()), "all lanes or none"
    assert 10 < sum(found == {True} for found in signs.values()) < 30


@pytest.mark.parametrize(("s", "first"), [(2, [399, 398]), (-2, [400, 401]), (0, [0, 1])])
def test_a_shift_moves_each_segment_and_mirrors_its_edge(s, first):
    parts = (Segment(0.0, 0, 300), Segment(500.0, 300, 1000))
    time = np.arange(200.0 * 1000)
    found = done(f"shift:s={s}", time, place=context(segments=parts))
    assert found[:2].tolist() == first
    assert found[1000:2000].tolist() == (time[1000:2000] - 200 * s).tolist()
    start = 200 * 300
    assert found[start : start + 2].tolist() == [start + one for one in first]
    assert set(found[start:]) <= set(time[start:]), "nothing crosses a gap"


def test_another_name_of_the_same_corruption_has_other_random_numbers():
    signal = np.random.default_rng(1).standard_normal(200 * MINUTES * 60)
    one, other, again = (
        corrupt.corruptor([parse("noise")], context(), name)(
            LANES["F4"], signal.copy(), Fraction(200)
        )
        for name in ("variant_1/", "variant_2/", "variant_1/")
    )
    np.testing.assert_array_equal(one, again)
    assert abs(np.corrcoef(one - signal, other - signal)[0, 1]) < 0.02


def test_a_lane_is_meant_by_its_name_its_kind_or_all():
    one = Corruption("noise", ("c4", "EOG"))
    assert [lane.name for lane in AASM.lanes if one.applies_to(lane)] == ["C4", "E1", "E2"]
    assert all(parse("scale").applies_to(lane) for lane in AASM.lanes)
    assert LANES["chin"].kind is Kind.EMG


def test_the_document_lists_every_kind_with_its_parameters():
    text = (Path(__file__).parents[2] / "docs" / "corruption.md").read_text(encoding="utf-8")
    for kind, form in FORMS.items():
        [line] = [line for line in text.splitlines() if line.startswith(f"| `{kind}` |")]
        for key, param in form.params.items():
            assert f"`{key}` (" in line
            bounds = isinstance(param, Number) and f"{param.low:g} to {param.high:g}"
            assert not bounds or bounds in line
            default = param.default if isinstance(param.default, str) else f"{param.default:g}"
            assert default in line
        assert line.endswith(f"| {form.unit} | {form.lanes} |")
