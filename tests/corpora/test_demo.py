"""The demo corpus: real files, read by the common reader, that look like the stages they claim."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import edfio
import numpy as np
import pytest
from psgimg.builder.corpora import demo
from psgimg.builder.corpora.synthetic.physiology import CHIN_SFREQ_HZ, LEADS, SFREQ_HZ
from psgimg.builder.corpora.synthetic.synthesis import synthesize
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.recordings.edf import open_edf
from psgimg.builder.recordings.hypnogram import Hypnogram
from psgimg.builder.stages import Stage, Unscored

F4, C4, O2, E1, E2 = range(len(LEADS))
EPOCH_S = 30


@dataclass(frozen=True)
class Night:
    """A night as read back: leads (epoch, lead, sample), chin and ECG (epoch, sample), in µV."""

    hypnogram: Hypnogram
    leads: np.ndarray
    chin: np.ndarray
    ecg: np.ndarray

    def where(self, stage: Stage) -> np.ndarray:
        return np.array([score is stage for score in self.hypnogram.scores])


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "new" / "folder"
    demo.write(folder, n_subjects=2)
    return folder


@pytest.fixture(scope="module", params=[0, 1])
def night(root: Path, request: pytest.FixtureRequest) -> Night:
    recording = list(demo.recordings(root))[request.param]
    hypnogram = demo.read_hypnogram(recording, "")
    file = open_edf(recording.signal)
    rows = [file.read_uv(i).reshape(len(hypnogram), -1) for i in range(len(file.labels))]
    return Night(hypnogram, np.stack(rows[:5], axis=1), rows[5], rows[6])


def band_uv(x: np.ndarray, low_hz: float, high_hz: float, sfreq_hz: int = SFREQ_HZ) -> np.ndarray:
    """RMS within a band, over the last axis."""
    spectrum = np.fft.rfft(x, axis=-1)
    hz = np.fft.rfftfreq(x.shape[-1], 1 / sfreq_hz)
    power = np.abs(spectrum[..., (hz >= low_hz) & (hz < high_hz)]) ** 2
    return np.sqrt(2 * power.sum(-1)) / x.shape[-1]


def passed(x: np.ndarray, low_hz: float, high_hz: float) -> np.ndarray:
    """The part of a signal within a band, over the last axis."""
    spectrum = np.fft.rfft(x, axis=-1)
    hz = np.fft.rfftfreq(x.shape[-1], 1 / SFREQ_HZ)
    return np.fft.irfft(np.where((hz >= low_hz) & (hz < high_hz), spectrum, 0), x.shape[-1])


def slow_wave_share(x: np.ndarray) -> float:
    """Share of an epoch in waves of 0.5-2 Hz whose half-waves span more than 75 µV."""
    slow = passed(x, 0.3, 4)
    crossings = np.flatnonzero((slow[:-1] < 0) & (slow[1:] >= 0))
    total = 0
    for start, stop in pairwise(crossings):
        if 0.5 <= (stop - start) / SFREQ_HZ <= 2 and np.ptp(slow[start:stop]) > 75:
            total += stop - start
    return total / x.size


def rising_speed(x: np.ndarray) -> np.ndarray:
    """Largest change within 100 ms, over the last axis, in µV."""
    step = SFREQ_HZ // 10
    return np.abs(x[..., step:] - x[..., :-step]).max(-1)


# The files


def test_labels_units_and_mixed_rates_are_as_declared(root: Path) -> None:
    edf = edfio.read_edf(root / "demo-01-PSG.edf")
    assert edf.labels == tuple(demo.CORPUS.channels)
    assert [s.sampling_frequency for s in edf.signals] == [SFREQ_HZ] * 5 + [CHIN_SFREQ_HZ, SFREQ_HZ]
    assert [s.physical_dimension for s in edf.signals] == ["uV"] * 6 + ["mV"]
    assert edf.duration == demo.N_EPOCHS * EPOCH_S


def test_header_names_no_person_and_says_synthetic(root: Path) -> None:
    for path in root.iterdir():
        header = path.read_bytes()[:256]
        assert header[8:88].split() == [b"X"] * 4
        assert b"synthetic" in header[88:168]
        assert header[168:176] == b"01.01.85"


def test_scoring_is_edf_plus_with_annotations_only_as_runs(root: Path) -> None:
    edf = edfio.read_edf(root / "demo-01-Hypnogram.edf")
    assert edf.num_signals == 0
    assert {a.text for a in edf.annotations} <= set(demo.LABELS)
    assert len(edf.annotations) < demo.N_EPOCHS / 2
    assert sum(a.duration or 0 for a in edf.annotations) == demo.N_EPOCHS * EPOCH_S


def test_eight_nights_stay_below_100_mb(root: Path) -> None:
    size = sum(path.stat().st_size for path in root.glob("demo-01-*"))
    assert demo.N_SUBJECTS * (size + 1000) < 100e6


def test_signals_do_not_clip_in_any_stage(night: Night) -> None:
    staged = [isinstance(score, Stage) for score in night.hypnogram.scores]
    assert np.abs(night.leads[staged]).max() < 400
    assert np.abs(night.chin[staged]).max() < 400


def test_write_leaves_complete_nights_alone(root: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in root.iterdir()}
    demo.write(root, n_subjects=2)
    assert {path: path.stat().st_mtime_ns for path in root.iterdir()} == before


def test_write_restores_a_truncated_night_with_the_same_bytes(root: Path, tmp_path: Path) -> None:
    whole = {
        name: (root / name).read_bytes() for name in ("demo-01-PSG.edf", "demo-01-Hypnogram.edf")
    }
    (tmp_path / "demo-01-PSG.edf").write_bytes(whole["demo-01-PSG.edf"][:5000])
    demo.write(tmp_path, n_subjects=1)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == whole


def test_nights_of_two_subjects_differ(root: Path) -> None:
    one, two = demo.recordings(root)
    assert one.signal.read_bytes() != two.signal.read_bytes()
    assert demo.read_hypnogram(one, "").scores != demo.read_hypnogram(two, "").scores


# The corpus


def test_recordings_come_in_name_order_with_their_scoring(root: Path) -> None:
    found = list(demo.CORPUS.recordings(root))
    assert [r.recording for r in found] == ["demo-01", "demo-02"]
    assert [r.subject for r in found] == ["demo-01", "demo-02"]
    assert all(list(r.scorings) == [""] for r in found)


def test_a_folder_without_nights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="has no demo recordings"):
        list(demo.recordings(tmp_path))


def test_an_unknown_label_is_refused_by_name(root: Path, tmp_path: Path) -> None:
    for suffix in ("PSG", "Hypnogram"):
        edf = edfio.Edf([], annotations=[edfio.EdfAnnotation(0, 30, "Sleep stage 5")])
        edf.write(tmp_path / f"demo-01-{suffix}.edf")
    (recording,) = demo.recordings(tmp_path)
    with pytest.raises(RecordingError, match="Sleep stage 5"):
        demo.read_hypnogram(recording, "")


def test_card_facts_say_synthetic_and_forbid_claims() -> None:
    assert "synthetic" in demo.CORPUS.title
    assert "any claim about sleep" in demo.CORPUS.terms.citation
    assert all("Synthetic" in note for note in demo.CORPUS.notes)


@pytest.mark.parametrize("number", range(1, demo.N_SUBJECTS + 1))
def test_every_night_has_enough_of_each_stage_and_something_unscored(number: int) -> None:
    counts = Counter(demo.draw_scores(np.random.default_rng(number)))
    assert sum(counts.values()) == demo.N_EPOCHS
    assert counts[Stage.N1] >= 25
    assert counts[Stage.REM] >= 30
    assert min(counts[Stage.W], counts[Stage.N3]) >= 40
    assert counts[Stage.N2] == max(counts.values())
    assert 1 <= sum(counts[unscored] for unscored in Unscored) <= 2


def test_importing_the_corpus_loads_no_edf_library() -> None:
    code = "import sys, psgimg.builder.corpora.demo; sys.exit('edfio' in sys.modules)"
    assert subprocess.run([sys.executable, "-P", "-c", code], check=False).returncode == 0


# What the stages look like (AASM manual, adult rules)


def test_w_has_posterior_alpha_for_over_half_an_epoch_or_blinks(night: Night) -> None:
    w = night.leads[night.where(Stage.W)]
    alpha = passed(w[:, O2], 8, 12)
    envelope = np.abs(alpha).reshape(len(w), 60, -1).max(-1)  # half seconds
    relaxed = (envelope > 9).mean(1) > 0.5
    blinking = (passed(w[:, E1] + w[:, E2], 0.5, 8).max(1) / 2) > 50
    assert 0.3 < relaxed.mean() < 0.8
    assert (relaxed | blinking).mean() > 0.95
    assert band_uv(w[relaxed][:, O2], 8, 12).mean() > 1.5 * band_uv(w[relaxed][:, F4], 8, 12).mean()


def test_n1_loses_alpha_and_rolls_the_eyes_out_of_phase(night: Night) -> None:
    n1 = night.leads[night.where(Stage.N1)]
    assert np.median(band_uv(n1[:, C4], 4, 8)) > np.median(band_uv(n1[:, O2], 8, 12))
    slow = passed(n1[:, E1:], 0.2, 0.6)
    correlations = [np.corrcoef(epoch)[0, 1] for epoch in slow]
    assert np.median(correlations) < -0.8
    others = night.leads[night.where(Stage.N2)]
    assert np.median(band_uv(n1[:, E1], 0.2, 0.5)) > 3 * np.median(band_uv(others[:, E1], 0.2, 0.5))


def test_n2_has_a_central_sigma_peak_that_rem_lacks(night: Night) -> None:
    n2, rem = (night.leads[night.where(stage)] for stage in (Stage.N2, Stage.REM))
    sigma = [np.median(passed(x[:, C4], 11.5, 15).max(1)) for x in (n2, rem)]
    assert sigma[0] > 2 * sigma[1]
    per_hz = {hz: np.median(band_uv(n2[:, C4], hz, hz + 1)) for hz in range(10, 18)}
    assert per_hz[10] < max(per_hz[hz] for hz in (12, 13, 14)) > 1.5 * per_hz[16]
    assert np.median(band_uv(n2[:, C4], 12, 15)) > np.median(band_uv(n2[:, O2], 12, 15))


def test_n2_has_k_complexes_negative_first_and_frontal(night: Night) -> None:
    n2 = passed(night.leads[night.where(Stage.N2)], 0.3, 8)
    large = [epoch for epoch in n2 if epoch[F4].min() < -50]
    assert 0.5 < len(large) / len(n2) < 0.95  # and some quiet epochs
    after = []
    for epoch in large:
        trough = int(epoch[F4].argmin())
        assert epoch[F4, trough] < epoch[O2, trough]
        after.append(epoch[F4, trough : trough + SFREQ_HZ].max(initial=0))
    assert np.median(after) > 30


def test_n3_has_slow_waves_over_75_uv_for_a_fifth_of_the_epoch_and_n2_has_not(night: Night) -> None:
    n3 = [slow_wave_share(epoch[F4]) for epoch in night.leads[night.where(Stage.N3)]]
    n2 = [slow_wave_share(epoch[F4]) for epoch in night.leads[night.where(Stage.N2)]]
    assert min(n3) >= 0.2
    assert np.ptp(n3) > 0.2  # lighter and deeper
    assert max(n2) < 0.2


def test_n3_slow_waves_leak_into_the_eog_in_phase(night: Night) -> None:
    slow = passed(night.leads[night.where(Stage.N3)], 0.5, 2)
    assert np.median([np.corrcoef(epoch[E1], epoch[F4])[0, 1] for epoch in slow]) > 0.7
    assert np.median([np.corrcoef(epoch[E1], epoch[E2])[0, 1] for epoch in slow]) > 0.5


def test_rem_moves_the_eyes_fast_and_out_of_phase_in_most_epochs(night: Night) -> None:
    rem = passed(night.leads[night.where(Stage.REM)], 0.3, 15)
    phasic = rising_speed(rem[:, E1]) > 35
    assert 0.4 < phasic.mean() < 0.95  # the others are tonic
    assert np.median([np.corrcoef(epoch[E1:])[0, 1] for epoch in rem[phasic]]) < -0.7
    assert slow_wave_share(rem[0, C4]) < 0.1


def test_chin_tone_falls_from_w_through_nrem_to_rem(night: Night) -> None:
    rms = band_uv(night.chin, 10, 120, CHIN_SFREQ_HZ)
    median = {stage: float(np.median(rms[night.where(stage)])) for stage in Stage}
    nrem = [median[stage] for stage in (Stage.N1, Stage.N2, Stage.N3)]
    assert median[Stage.W] > 1.3 * max(nrem)
    assert min(nrem) > 1.3 * median[Stage.REM]


def test_chin_carries_mains_for_the_notch(night: Night) -> None:
    rem = night.chin[night.where(Stage.REM)]
    hum = np.median(band_uv(rem, 49.9, 50.1, CHIN_SFREQ_HZ))
    assert hum > 3 * np.median(band_uv(rem, 51, 51.2, CHIN_SFREQ_HZ))


def test_heart_beats_50_to_80_times_a_minute_at_1_mv(night: Night) -> None:
    x = night.ecg[night.where(Stage.N2)]
    beats = ((x[:, 1:] > 500) & (x[:, :-1] <= 500)).sum(1) * 60 / EPOCH_S
    assert np.all((beats >= 46) & (beats <= 84))
    assert 800 < np.median(x.max(1)) < 1300


def test_unscored_epochs_are_movement_artefact(night: Night) -> None:
    moved = [isinstance(score, Unscored) for score in night.hypnogram.scores]
    assert (np.abs(night.leads[moved]) > 100).mean() > 0.1
    assert band_uv(night.chin[moved], 10, 120, CHIN_SFREQ_HZ).min() > 30


def test_stages_can_not_be_distinguished_by_one_feature(night: Night) -> None:
    """Chin tone and theta, the plainest single numbers, overlap between neighbouring stages."""
    chin = band_uv(night.chin, 10, 120, CHIN_SFREQ_HZ)
    theta = band_uv(night.leads[:, C4], 4, 8)
    for feature, one, other in ((chin, Stage.N1, Stage.N2), (theta, Stage.N1, Stage.REM)):
        low, high = (feature[night.where(stage)] for stage in (one, other))
        assert low.min() < high.max()
        assert high.min() < low.max()


def test_same_seed_gives_the_same_samples() -> None:
    scores = [Stage.W, Stage.N1, Stage.N2, Stage.N3, Stage.REM, Unscored.MOVEMENT]
    one, two = (synthesize(scores, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(one.leads_uv, two.leads_uv)
    assert np.array_equal(one.chin_uv, two.chin_uv)
