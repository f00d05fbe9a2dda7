"""Polarity: blinks, and nothing else of a night, turn a recording over; all its EEG and EOG with it."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from psgimg.builder.corpora import demo
from psgimg.builder.corpora.registry import corpus
from psgimg.builder.recordings.edf import open_edf
from psgimg.builder.recordings.montage import MONTAGES, Derivation
from psgimg.builder.recordings.segments import Segment
from psgimg.builder.signals import blinks, polarity
from psgimg.builder.signals.blinks import Blinks
from psgimg.builder.stages import Stage

RATE_HZ = 128
MINUTES = 20
UPSIDE_DOWN = Blinks(0, 90, 0, 12)


def hump(width_s, rate_hz=RATE_HZ):
    """A bell of a given width at half its height."""
    t = np.arange(-1.5, 1.5, 1 / rate_hz)
    return np.exp(-np.log(2) * (2 * t / width_s) ** 2)


def eeg(wave=None, every_s=4.0, *, seed=0, rate_hz=RATE_HZ, minutes=MINUTES, asleep=False):
    """An EEG awake or asleep, with a wave added at irregular times."""
    rng = np.random.default_rng(seed)
    n = minutes * 60 * rate_hz
    spectrum = np.fft.rfft(rng.normal(0, 1, n))
    hz = np.fft.rfftfreq(n, 1 / rate_hz)
    shaped = spectrum / np.maximum(hz, 0.5) ** (1.6 if asleep else 0.5)
    samples = np.fft.irfft(shaped, n)
    samples *= (15 if asleep else 8) / samples.std()
    at = np.arange(5 * rate_hz, n - 5 * rate_hz, int(every_s * rate_hz))
    for start in at + rng.integers(0, rate_hz, len(at)):
        if wave is not None:
            samples[start : start + len(wave)] += rng.uniform(0.8, 1.2) * wave
    return samples


def counted(samples, rate_hz=RATE_HZ):
    segment = Segment(0.0, 0, len(samples) // rate_hz)
    return blinks.count(samples, Fraction(rate_hz), Fraction(1), [segment])


@pytest.mark.parametrize("rate_hz", [100, 128, 256, 512])
@pytest.mark.parametrize("sign", [1, -1])
def test_blinks_tell_the_sign_at_any_rate(sign, rate_hz):
    samples = sign * eeg(100 * hump(0.2, rate_hz), rate_hz=rate_hz)
    assert counted(samples, rate_hz).sign == sign


K_COMPLEX = 0.7 * np.roll(hump(0.6), int(0.45 * RATE_HZ)) - hump(0.2)
POP = np.exp(-np.arange(3 * RATE_HZ) / (0.4 * RATE_HZ))
R_WAVE = hump(0.03)
SLOW_EYES = hump(1.2)


@pytest.mark.parametrize(
    ("wave", "every_s", "asleep"),
    [
        (None, 4, False),
        (100 * K_COMPLEX, 6, False),
        (100 * K_COMPLEX, 6, True),
        (-60 * hump(0.12), 20, False),  # vertex waves of drowsiness, two in an epoch
        (-100 * hump(0.3), 3, True),  # slow waves without a second phase
        (-100 * POP, 5, False),
        (-80 * R_WAVE, 1, False),
        (-120 * SLOW_EYES, 4, False),
    ],
    ids=["nothing", "K awake", "K asleep", "vertex", "slow", "pops", "ECG", "slow eyes"],
)
def test_what_is_no_blink_decides_nothing(wave, every_s, asleep):
    assert counted(eeg(wave, every_s, asleep=asleep)).sign == 0


def test_rapid_eye_movements_of_both_signs_decide_nothing():
    samples = eeg(90 * hump(0.2), seed=1) - eeg(90 * hump(0.2), seed=2)
    assert counted(samples).sign == 0


def test_one_restless_minute_decides_nothing():
    samples = eeg()
    samples[: 60 * RATE_HZ] = -eeg(150 * hump(0.2), 0.8, minutes=1)
    assert counted(samples).sign == 0


def test_blinks_are_counted_within_segments_and_a_step_between_them_is_none():
    samples = eeg(100 * hump(0.2))
    half = len(samples) // 2
    samples[half:] += 5000
    middle = half // RATE_HZ
    segments = [Segment(0.0, 0, middle), Segment(1e4, middle, len(samples) // RATE_HZ)]
    apart = blinks.count(samples, Fraction(RATE_HZ), Fraction(1), segments)
    assert apart.sign == 1
    assert apart.votes_down == 0


def test_a_channel_too_slow_to_tell_wakefulness_is_not_judged():
    assert counted(eeg(100 * hump(0.2, 50), rate_hz=50), 50) == Blinks()


@pytest.mark.parametrize(
    ("up", "down", "sign"), [(0, 8, -1), (0, 7, 0), (1, 9, -1), (2, 9, 0), (9, 1, 1), (0, 0, 0)]
)
def test_a_clear_majority_of_enough_votes_decides(up, down, sign):
    assert Blinks(0, 0, up, down).sign == sign


def test_the_real_night_is_upside_down_and_its_sleep_alone_decides_nothing(real_recordings):
    source = corpus("sleep-edf")
    (recording,) = source.recordings(real_recordings / "sleep-edf")
    file = open_edf(recording.signal)
    samples, rate = file.read_uv(0), file.sfreqs_hz[0]
    whole = blinks.count(samples, rate, file.record_s, file.segments)
    assert whole.sign == -1
    assert whole.votes_down > 100 * whole.votes_up
    stages = [stage for _, stage in source.read_hypnogram(recording, "")]
    sleeping = [
        i for i, stage in enumerate(stages) if isinstance(stage, Stage) and stage != Stage.W
    ]
    asleep = samples[: len(stages) * 3000].reshape(-1, 3000)[sleeping].ravel()
    assert len(sleeping) == 653
    votes = counted(asleep, 100)
    assert (votes.votes_up, votes.votes_down) == (0, 0)


def test_the_demo_is_the_right_way_up_and_inverted_it_is_not(demo_corpus):
    recording = next(iter(demo.recordings(demo_corpus)))
    file = open_edf(recording.signal)
    samples, rate = file.read_uv(0), file.sfreqs_hz[0]
    for sign in (1, -1):
        found = blinks.count(sign * samples, rate, file.record_s, file.segments)
        assert found.sign == sign


# Which derivation is examined, and which lanes are turned


def file_of(**channels):
    """A recording of named channels, each an array in µV."""
    names = list(channels)
    return SimpleNamespace(
        path=Path("night.edf"),
        labels=tuple(name.replace("_", "-") for name in names),
        sfreqs_hz=(Fraction(RATE_HZ),) * len(names),
        recorded_hz=(Fraction(RATE_HZ),) * len(names),
        record_s=Fraction(1),
        segments=(Segment(0.0, 0, MINUTES * 60),),
        fault=lambda _channel: None,
        read_uv=lambda channel: np.array(channels[names[channel]]),
    )


def decided(file, rule="blinks", derivations=(), *, stated=False):
    table = {label: label for label in file.labels}
    return polarity.decide(rule, file, table, derivations, stated=stated)


BLINKING, STILL = eeg(100 * hump(0.2)), eeg(seed=5)


@pytest.mark.parametrize("name", ["Fpz_Cz", "Fp1_M2", "F4_M1", "Fz_LER"])
def test_a_frontal_derivation_is_examined_whether_or_not_it_is_drawn(name):
    found = decided(file_of(C3_M2=STILL, **{name: -BLINKING}))
    assert (found.turned, found.by) == (True, "blinks")
    assert found.derivation == name.replace("_", "-")


def test_a_frontal_derivation_is_computed_from_a_common_reference_or_inverted():
    assert decided(file_of(F4_REF=STILL - BLINKING, M1_REF=STILL)).turned
    reverse = decided(file_of(M1_F4=BLINKING))  # as recorded, F4-M1 has its blinks down
    assert (reverse.turned, reverse.derivation) == (True, "F4-M1")


@pytest.mark.parametrize("name", ["C4_M1", "F4_REF", "Fp1", "E2_M1", "F4_Fp2"])
def test_other_derivations_are_not_examined(name):
    found = decided(file_of(**{name: -BLINKING}))
    assert (found.turned, found.by, found.derivation) == (False, "", None)


def test_a_second_frontal_electrode_is_asked_if_the_first_is_silent():
    found = decided(file_of(Fp1_M2=STILL, F4_M1=-BLINKING))
    assert (found.turned, found.derivation) == (True, "F4-M1")


def test_a_derivation_assigned_by_hand_is_examined():
    file = file_of(X9=-BLINKING)
    assert not decided(file).turned
    assert decided(file, derivations=[Derivation("F4-M1", 0)]).turned


NIGHTS = {"up": BLINKING, "down": -BLINKING, "still": STILL}


@pytest.mark.parametrize(
    ("rule", "night", "stated", "turned", "by", "noted"),
    [
        ("blinks", "down", False, True, "blinks", True),
        ("blinks", "up", False, False, "blinks", False),
        ("blinks", "still", False, False, "", False),
        ("blinks", "still", True, True, "corpus", True),
        ("blinks", "up", True, False, "blinks", True),
        ("recorded", "down", False, False, "option", True),
        ("recorded", "up", False, False, "option", False),
        ("recorded", "up", True, True, "corpus", True),
        ("inverted", "up", False, True, "option", True),
        ("inverted", "still", True, True, "option", True),
    ],
)
def test_the_rule_the_blinks_and_the_corpus_decide_in_this_order(
    rule, night, stated, turned, by, noted
):
    found = decided(file_of(F4_M1=NIGHTS[night]), rule, stated=stated)
    assert (found.turned, found.by, bool(found.notes)) == (turned, by, noted)


def test_all_eeg_and_eog_lanes_are_turned_and_no_other():
    montage = MONTAGES["central-ecg"]
    lanes = [Derivation(lane.name, i) for i, lane in enumerate(montage.lanes)]
    lanes[1] = replace(lanes[1], minus=7, sign=-1)
    found = polarity.Polarity(True, "blinks", "F4-M1", UPSIDE_DOWN)
    turned = found.turn(montage, [*lanes[:3], None, *lanes[4:]])
    assert [one and one.sign for one in turned] == [-1, 1, -1, None, 1, 1]
    assert replace(found, turned=False).turn(montage, lanes) == tuple(lanes)
