"""The varied demo: people who differ, nights like sleep, and two scorers who differ where it is hard."""

from __future__ import annotations

from pathlib import Path

import edfio
import numpy as np
import pytest
from psgimg.builder.corpora import demo_varied, registry
from psgimg.builder.corpora.synthetic.person import Age
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import Stage
from support import builds

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
    _, card = builds.run(tmp_path / "out", root, "demo-varied", limit=1, splits="100/0/0")
    (row, *_), _ = builds.rows(tmp_path / "out"), card
    assert row["label_2"] is not None
    assert "synthetic" in card.split("---")[1]


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
