"""The varied demo: people who differ, nights like sleep, and two scorers who differ where it is hard."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from itertools import groupby, pairwise
from pathlib import Path

import builds
import edfio
import numpy as np
import pytest
from psgimg.builder.corpora import demo_varied, registry
from psgimg.builder.corpora.synthetic import two_scorers, varied_signals
from psgimg.builder.corpora.synthetic.person import Age
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.edf import open_edf
from psgimg.builder.stages import Stage

EPOCH_S = 30


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("varied") / "new" / "folder"
    demo_varied.write(folder, n_subjects=2)
    return folder


@pytest.fixture(scope="module")
def people() -> list[demo_varied.Draft]:
    """Everybody, without their signals."""
    return [demo_varied.draw(number) for number in range(1, demo_varied.N_SUBJECTS + 1)]


def scored(people: list[demo_varied.Draft], scorer: str) -> np.ndarray:
    return np.array([draft.scores[scorer] for draft in people])


def kappa(one: np.ndarray, two: np.ndarray) -> float:
    agree = (one == two).mean()
    by_chance = sum((one == stage).mean() * (two == stage).mean() for stage in Stage)
    return (agree - by_chance) / (1 - by_chance)


# The files


def test_header_names_no_person_and_says_synthetic(root: Path) -> None:
    for path in root.iterdir():
        header = path.read_bytes()[:256]
        assert header[8:88].split() == [b"X"] * 4
        assert b"synthetic" in header[88:168]


def test_a_night_has_its_signals_and_a_scoring_by_each_of_two_scorers(root: Path) -> None:
    found = list(demo_varied.CORPUS.recordings(root))
    assert [r.recording for r in found] == ["varied-01", "varied-02"]
    for recording in found:
        assert set(edfio.read_edf(recording.signal).labels) <= set(demo_varied.CHANNELS)
        one, two = (demo_varied.read_hypnogram(recording, scorer) for scorer in ("1", "2"))
        assert len(one) == len(two) == demo_varied.N_EPOCHS
        assert one.scores != two.scores


def test_a_person_stays_the_same_whoever_else_is_written_and_after_a_kill(
    root: Path, tmp_path: Path
) -> None:
    whole = {path.name: path.read_bytes() for path in root.glob("varied-01-*")}
    (tmp_path / "varied-01-PSG.edf").write_bytes(whole["varied-01-PSG.edf"][:5000])
    demo_varied.write(tmp_path, n_subjects=1)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == whole


def test_complete_nights_are_left_alone(root: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in root.iterdir()}
    demo_varied.write(root, n_subjects=2)
    assert {path: path.stat().st_mtime_ns for path in root.iterdir()} == before


def test_a_folder_without_nights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="has no nights of demo-varied"):
        list(demo_varied.recordings(tmp_path))


def test_the_second_scorer_is_in_the_dataset_and_the_card_says_synthetic(
    root: Path, tmp_path: Path
) -> None:
    report, _ = builds.run(tmp_path / "out", root, "demo-varied", limit=1, splits="100/0/0")
    assert {row["label_2"] for row in builds.rows(tmp_path / "out")} == set(Stage)
    assert "synthetic" in (tmp_path / "out" / "README.md").read_text().split("---")[1]
    assert "synthetic" in report.values["corpora"]["demo-varied"]["title"]


def test_both_demos_and_nothing_else_are_synthetic() -> None:
    assert registry.synthetic(registry.CORPORA) == ["demo", "demo-varied"]
    assert registry.is_synthetic(["demo", "demo-varied"])
    assert not registry.is_synthetic(["demo", "shhs"])
    assert not registry.is_synthetic([])


# The people


def test_slow_waves_shrink_with_age_and_n3_with_them(people: list[demo_varied.Draft]) -> None:
    n3 = {
        age: np.mean([d.scores["1"].count(Stage.N3) for d in people if d.age is age]) for age in Age
    }
    assert n3[Age.CHILD] > n3[Age.ADULT] > n3[Age.OLD]


def test_some_lack_a_lane_lose_one_or_have_the_left_side(people: list[demo_varied.Draft]) -> None:
    for of in (lambda s: s.left, lambda s: s.missing is not None, lambda s: s.failing is not None):
        n = sum(bool(of(draft.setup)) for draft in people)
        assert 0 < n < len(people) / 2
    assert any(draft.setup.missing == 5 for draft in people)  # the chin


def test_people_differ_by_more_than_twofold_in_amplitude(people: list[demo_varied.Draft]) -> None:
    gains = [draft.person.eeg_gain for draft in people]
    assert 0.55 < min(gains) < 0.75
    assert 1.3 < max(gains) < 1.55
    assert max(d.person.alpha_uv for d in people) > 8 * min(d.person.alpha_uv for d in people)


# The nights


def test_all_stages_occur_in_plausible_shares(people: list[demo_varied.Draft]) -> None:
    counts = Counter(scored(people, "1").ravel().tolist())
    share = {stage: counts[stage] / counts.total() for stage in Stage}
    assert share[Stage.N2] == max(share.values())
    assert 0.08 < share[Stage.W] < 0.2
    assert 0.08 < share[Stage.N1] < 0.2
    assert 0.08 < share[Stage.N3] < 0.25
    assert 0.1 < share[Stage.REM] < 0.25


def test_sleep_begins_light_and_n1_is_short(people: list[demo_varied.Draft]) -> None:
    for draft in people:
        scores = draft.scores["1"]
        assert scores[0] is Stage.W
        first = scores.index(Stage.REM)
        assert {Stage.N1, Stage.N2} <= set(scores[:first])
        assert first * EPOCH_S > 10 * 60
    bouts = [
        len(list(run))
        for draft in people
        for stage, run in groupby(draft.scores["1"])
        if stage is Stage.N1
    ]
    assert np.median(bouts) <= 3


def test_rem_gets_longer_and_n3_less_towards_morning(people: list[demo_varied.Draft]) -> None:
    stages = scored(people, "1")
    early, late = stages[:, :100], stages[:, 100:]
    assert (late == Stage.REM).sum() > 1.5 * (early == Stage.REM).sum()
    assert (early == Stage.N3).sum() > 1.5 * (late == Stage.N3).sum()


def test_sleep_hardly_jumps_between_distant_stages(people: list[demo_varied.Draft]) -> None:
    steps = Counter(
        pair for draft in people for pair in pairwise(draft.scores["1"]) if pair[0] is not pair[1]
    )
    far = [(Stage.W, Stage.N3), (Stage.REM, Stage.N3), (Stage.N3, Stage.REM)]
    assert sum(steps[pair] for pair in far) < 0.02 * steps.total()


# The scorers


def test_scorers_agree_as_well_as_people_do(people: list[demo_varied.Draft]) -> None:
    one, two = scored(people, "1"), scored(people, "2")
    assert 0.75 < kappa(one, two) < 0.82
    by_stage = {stage: kappa(one == stage, two == stage) for stage in Stage}
    assert min(by_stage, key=lambda stage: by_stage[stage]) is Stage.N1


def test_scorers_differ_where_epochs_are_ambiguous(people: list[demo_varied.Draft]) -> None:
    agree = scored(people, "1") == scored(people, "2")
    filled = np.array([draft.course.shares(EPOCH_S).max(axis=0) for draft in people])
    assert agree[filled > 0.95].mean() > 0.95
    assert agree[filled < 0.6].mean() < 0.75
    changes = np.array([np.diff(draft.scores["1"], prepend=Stage.W) != 0 for draft in people])
    assert agree[changes].mean() < agree[~changes].mean() - 0.1


def test_n3_starts_at_a_fifth_of_slow_waves_unless_the_scorer_errs() -> None:
    course = demo_varied.draw(4).course
    share = course.shares(EPOCH_S)
    settled = share[Stage.N2] + share[Stage.N3] > 0.95
    slow = share[Stage.N3]
    stages = np.array(two_scorers.score(course, two_scorers.SCORERS["1"], np.random.default_rng(0)))
    assert (stages[settled & (slow > 0.6)] == Stage.N3).all()
    assert not (stages[slow == 0] == Stage.N3).any()


# The signals


def test_no_vector_instructions_of_a_processor_change_a_byte(root: Path, tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from psgimg.builder.corpora import demo_varied; "
        "demo_varied.write(pathlib.Path(sys.argv[1]), n_subjects=1)"
    )
    found = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    environment = os.environ | {
        "NPY_DISABLE_CPU_FEATURES": " ".join(found),
        "OPENBLAS_CORETYPE": "Prescott",
    }
    subprocess.run([sys.executable, "-P", "-c", code, tmp_path], check=True, env=environment)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (root / path.name).read_bytes()


def test_slow_waves_over_75_uv_tell_n3_from_n2(root: Path) -> None:
    """As measured in the file, where they ride on other waves, and as the scorer judged them."""
    recording = next(demo_varied.recordings(root))
    scores = np.array(demo_varied.read_hypnogram(recording, "1").scores)
    file = open_edf(recording.signal)
    f4 = file.read_uv(0).reshape(len(scores), -1)
    large = np.array([slow_wave_share(page) for page in f4])
    assert (large[scores == Stage.N3] > 0.2).mean() > 0.8
    assert (large[scores == Stage.N2] > 0.2).mean() < 0.5
    assert (large[scores == Stage.REM] > 0.2).mean() < 0.1


def slow_wave_share(page_uv: np.ndarray, sfreq_hz: int = 128) -> float:
    """Share of a page in waves of 0.5-2 Hz whose half-waves span more than 75 µV."""
    spectrum = np.fft.rfft(page_uv)
    hz = np.fft.rfftfreq(page_uv.size, 1 / sfreq_hz)
    slow = np.fft.irfft(np.where((hz > 0.3) & (hz < 4), spectrum, 0), page_uv.size)
    crossings = np.flatnonzero((slow[:-1] < 0) & (slow[1:] >= 0))
    waves = [slow[a:b] for a, b in pairwise(crossings) if 0.5 <= (b - a) / sfreq_hz <= 2]
    return sum(wave.size for wave in waves if np.ptp(wave) > 75) / page_uv.size


def test_a_lead_that_comes_loose_loses_its_signal() -> None:
    number = next(n for n in range(1, 33) if demo_varied.draw(n).setup.failing in (1, 2))
    draft = demo_varied.draw(number)
    night = varied_signals.synthesize(
        draft.course, draft.person, draft.setup, np.random.default_rng(0)
    )
    lead = night.leads_uv[draft.setup.failing]
    start = round(draft.setup.fails_at * lead.size)
    rest = np.diff(lead[start:])
    assert not rest.any() or rest.std() > 3 * np.diff(lead[:start]).std()
