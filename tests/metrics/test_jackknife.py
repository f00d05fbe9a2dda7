"""Jackknife: intervals over subjects that cover, and none where nothing is known of how subjects differ."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psgimg.finetune.metrics import jackknife

NOBODY = (np.nan, np.nan)


def test_one_value_per_subject_has_the_usual_interval_of_a_mean():
    stats = pytest.importorskip("scipy.stats")
    values = np.array([3.5, -12.0, 7.25, 31.0, 0.0, 2.0])
    found = jackknife.mean(values, [f"subject {i}" for i in range(6)])
    usual = stats.ttest_1samp(values, 0).confidence_interval()
    assert found.value == pytest.approx(values.mean())
    assert found[1:3] == pytest.approx(usual)
    assert found.reason is None


def test_digits_far_behind_the_point_are_kept():
    small = jackknife.mean([1.0, 2.0, 4.0], [1, 2, 3])
    large = jackknife.mean([1e9 + 1.0, 1e9 + 2.0, 1e9 + 4.0], [1, 2, 3])
    assert np.subtract(large[:3], 1e9) == pytest.approx(small[:3], abs=1e-5)


def test_a_mean_of_shares_has_an_interval_of_shares():
    shares = [0.97, 0.99, 0.6, 1.0]
    free, found = (jackknife.mean(shares, range(4), within=w) for w in (None, (0, 1)))
    assert found.value == pytest.approx(free.value)
    assert free.high > 1 > found.high > found.value > found.low > 0
    sums = np.column_stack([shares, np.ones(4)])
    same = jackknife.of_sums(sums, lambda part: part[0] / part[1], np.ones(4), within=(0, 1))
    assert found[:3] == pytest.approx(same[:3])


def test_nights_of_a_subject_leave_together():
    """Many nights of three people tell of three people; values of one person make no interval."""
    night, person = [1.0, 2.0, 6.0], ["a", "b", "c"]
    once = jackknife.mean(night, person)
    assert jackknife.mean(night * 9, person * 9)[:3] == pytest.approx(once[:3])
    alone = jackknife.mean(night * 9, ["a"] * 27)
    assert (alone.value, alone.reason) == (3.0, "1 subject; at least 3 are needed")


@pytest.mark.parametrize(("n", "word"), [(0, "subjects"), (1, "subject"), (2, "subjects")])
def test_fewer_than_three_subjects_have_no_interval_and_the_reason_says_how_many(n, word):
    found = jackknife.mean(np.arange(float(n)), range(n))
    assert np.isnan(found[1:3]).all()
    assert found.reason == f"{n} {word}; at least 3 are needed"
    assert jackknife.mean([1.0, 2.0, np.nan], range(3)).reason.startswith("2 subjects")
    assert np.isfinite(jackknife.mean([1.0, 2.0, 2.5], range(3))[1:3]).all()


def test_values_that_are_the_same_in_all_have_no_interval():
    """All at 1.000 does not show that everybody else is: the spread is not nothing, but unknown."""
    for value in (1.0, 0.0, 0.1, -37.3):
        found = jackknife.mean([value] * 12, range(12))
        assert (found.value, found.reason) == (pytest.approx(value), "the same in every subject")
        assert np.isnan(found[1:3]).all()
    ends = jackknife.ends(1.0, [1.0] * 9, [900.0] * 9, within=(0, 1))
    assert ends.reason == "the same in every subject"


@settings(deadline=None)
@given(st.lists(st.integers(1, 99), min_size=3, max_size=9), st.integers(1, 5))
def test_an_interval_stays_within_the_range_and_has_more_room_away_from_its_end(right, weight):
    parts = np.column_stack([right, [100] * len(right)]) * weight
    found = jackknife.of_sums(parts, lambda p: p[0] / p[1], parts[:, 1], within=(0, 1))
    if found.reason:
        assert len(set(right)) == 1
        return
    assert 0 <= found.low <= found.value <= found.high <= 1
    below, above = found.value - found.low, found.high - found.value
    assert (above <= below + 1e-9) if found.value > 0.5 else (below <= above + 1e-9)


def test_the_order_of_subjects_moves_no_digit():
    values, weights = np.random.default_rng(3).random((2, 40))
    order = np.random.default_rng(4).permutation(40)
    assert jackknife.ends(0.5, values, weights.round()) == jackknife.ends(
        0.5, values[order], weights.round()[order]
    )


def test_a_subject_with_most_of_the_nights_leaves_less_that_is_known():
    without = [0.8, 0.82, 0.79, 0.81, 0.78]
    alike = jackknife.ends(0.8, without, [900] * 5, within=(0, 1))
    one = jackknife.ends(0.8, without, [900] * 4 + [36_000], within=(0, 1))
    assert one.high - one.low > 2 * (alike.high - alike.low)
    bearing = jackknife.ends(0.8, without, [900, 900, 0, 0, 0], within=(0, 1))
    assert bearing.reason == "2 subjects; at least 3 are needed"


def test_a_figure_that_is_undefined_without_a_subject_has_no_interval():
    found = jackknife.ends(0.8, [0.7, np.nan, 0.9], [1, 1, 1], within=(0, 1))
    assert found.reason == "undefined without one of the subjects"


@pytest.mark.parametrize("n", [3, 5, 10])
def test_intervals_of_skewed_figures_cover_whatever_the_number_of_subjects(n):
    """Accuracies of mean 0.9 that reach 1.0: percentiles of resampled means cover 69, 79 and 87 %."""
    random = np.random.default_rng(n)
    covers = 0
    for accuracies in random.beta(9, 1, (1000, n)):
        without = (accuracies.sum() - accuracies) / (n - 1)
        low, high, _ = jackknife.ends(accuracies.mean(), without, np.ones(n), within=(0, 1))
        covers += low <= 0.9 <= high
    assert 920 <= covers <= 980
