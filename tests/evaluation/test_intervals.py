"""Intervals: whole subjects are drawn, the same for a seed, and nothing is said of one subject."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psgimg.finetune.evaluation.intervals import differences, intervals
from psgimg.finetune.metrics import metric_table

FEW = 100


def tables_of(n_subjects, seed=0, most=40):
    """Confusion tables of subjects that differ in how well they are staged."""
    random = np.random.default_rng(seed)
    tables = random.integers(0, most // 8, (n_subjects, 5, 6))
    tables[:, range(5), range(5)] += random.integers(0, most, (n_subjects, 5))
    return tables


def test_the_value_is_that_of_all_epochs():
    tables = tables_of(7)
    found = intervals(tables, rounds=FEW)
    assert {name: figure.value for name, figure in found.items()} == metric_table.summary(
        tables.sum(0)
    )
    assert all(figure.low < figure.value < figure.high for figure in found.values())


@settings(deadline=None, max_examples=8)
@given(st.permutations(range(6)), st.integers(0, 9))
def test_the_order_of_the_subjects_moves_nothing(order, seed):
    first, second = tables_of(6, 1), tables_of(6, 2)
    kept = intervals(first, rounds=FEW, seed=seed)
    assert intervals(first[order], rounds=FEW, seed=seed) == kept
    apart = differences(first, second, rounds=FEW, seed=seed)
    assert differences(first[order], second[order], rounds=FEW, seed=seed) == apart


def test_the_same_predictions_differ_by_exactly_nothing():
    for figure in differences(tables_of(5), tables_of(5), rounds=FEW).values():
        assert figure.difference == figure.low == figure.high == 0


def test_a_seed_gives_the_same_and_another_another():
    tables = tables_of(9)
    assert intervals(tables, rounds=FEW) == intervals(tables, rounds=FEW)
    assert intervals(tables, rounds=FEW) != intervals(tables, rounds=FEW, seed=1)


def test_the_interval_is_that_of_drawing_subjects_one_by_one():
    tables, random = tables_of(12), np.random.default_rng(5)
    drawn = [metric_table.summary(tables[random.integers(0, 12, 12)].sum(0)) for _ in range(2000)]
    for name, figure in intervals(tables).items():
        expected = np.percentile([one[name] for one in drawn], [2.5, 97.5])
        np.testing.assert_allclose((figure.low, figure.high), expected, atol=0.006, err_msg=name)


def test_a_difference_pairs_the_subjects():
    """Between nights that vary widely, a gain of 5 % in each of them is sure."""
    right = np.linspace(20, 90, 10).astype(int)
    first, second = np.zeros((2, 10, 5, 6), np.int64)
    first[:, 0, 0], first[:, 0, 1] = right, 100 - right
    second[:, 0, 0], second[:, 0, 1] = right + 5, 95 - right
    found = differences(first, second, rounds=FEW)["accuracy"]
    assert found == pytest.approx((0.546, 0.596, 0.05, 0.05, 0.05))
    alone = intervals(first, rounds=FEW)["accuracy"]
    assert alone.high - alone.low > 0.15


def test_epochs_of_a_subject_count_as_one_draw():
    """Ten subjects right and ten wrong throughout: a thousand epochs tell no more than twenty."""
    tables = np.zeros((20, 5, 6), np.int64)
    tables[:10, 2, 2] = tables[10:, 2, 3] = 50
    found = intervals(tables)["accuracy"]
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.3, 0.7), abs=0.051)


@pytest.mark.parametrize("n_subjects", [0, 1])
def test_fewer_than_two_subjects_have_no_interval(n_subjects):
    for figure in intervals(tables_of(n_subjects)).values():
        assert np.isnan([figure.low, figure.high]).all()
    for figure in differences(tables_of(n_subjects), tables_of(n_subjects)).values():
        assert np.isnan([figure.low, figure.high]).all()


def test_rounds_without_a_stage_do_not_count_for_its_f1():
    tables = np.zeros((4, 5, 6), np.int64)
    tables[:, 0, 0] = 10
    tables[0, 1, 1], tables[0, 1, 0] = 6, 4
    found = intervals(tables, rounds=FEW)
    assert found["f1_N1"] == pytest.approx((0.75, 0.75, 0.75))
    assert np.isnan(found["f1_N3"]).all(), "nobody scored or predicted it"
    assert found["kappa"].low > 0
