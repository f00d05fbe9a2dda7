"""Intervals: whole subjects leave, intervals cover, and nothing is said of too few or too much alike."""

import interval_methods
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intervals import POPULATIONS, _kind, _of, _weights, chosen
from psgimg.finetune.evaluation.intervals import differences, intervals, means
from psgimg.finetune.metrics import metric_table


def tables_of(n_subjects, seed=0, most=40):
    """Confusion tables of subjects that differ in how well they are staged."""
    random = np.random.default_rng(seed)
    tables = random.integers(0, most // 8, (n_subjects, 5, 6))
    tables[:, range(5), range(5)] += random.integers(0, most, (n_subjects, 5))
    return tables


def test_the_value_is_that_of_all_epochs():
    tables = tables_of(7)
    found = intervals(tables)
    assert {name: figure.value for name, figure in found.items()} == metric_table.summary(
        tables.sum(0)
    )
    assert all(figure.low < figure.value < figure.high for figure in found.values())
    assert all(figure.reason is None for figure in found.values())


@settings(deadline=None, max_examples=8)
@given(st.permutations(range(6)))
def test_the_order_of_the_subjects_moves_nothing(order):
    first, second = tables_of(6, 1), tables_of(6, 2)
    assert intervals(first[order]) == intervals(first)
    assert differences(first[order], second[order]) == differences(first, second)


def test_the_same_predictions_differ_by_nothing_and_have_no_interval():
    for figure in differences(tables_of(5), tables_of(5)).values():
        assert figure.difference == 0
        assert np.isnan([figure.low, figure.high]).all()
        assert figure.reason == "the same in every subject"


def test_a_difference_pairs_the_subjects():
    """Between nights that vary widely, a gain of 4 to 6 % in each of them is sure."""
    right, gain = np.linspace(20, 90, 10).astype(int), np.array([4, 5, 6, 5, 4, 6, 5, 5, 4, 6])
    first, second = np.zeros((2, 10, 5, 6), np.int64)
    first[:, 0, 0], first[:, 0, 1] = right, 100 - right
    second[:, 0, 0], second[:, 0, 1] = right + gain, 100 - right - gain
    found = differences(first, second)["accuracy"]
    assert found.difference == pytest.approx(0.05)
    assert 0.04 < found.low < 0.05 < found.high < 0.06
    alone = intervals(first)["accuracy"]
    assert alone.high - alone.low > 0.15


def test_epochs_of_a_subject_count_once():
    """Ten subjects right and ten wrong throughout: a thousand epochs tell no more than twenty."""
    tables = np.zeros((20, 5, 6), np.int64)
    tables[:10, 2, 2] = tables[10:, 2, 3] = 50
    many, few = intervals(tables)["accuracy"], intervals(tables // 50)["accuracy"]
    assert many == few
    assert (many.low, many.high) == pytest.approx((0.28, 0.72), abs=0.01)


@pytest.mark.parametrize("n_subjects", [0, 1, 2])
def test_fewer_than_three_subjects_have_no_interval(n_subjects):
    both = tables_of(n_subjects, 1), tables_of(n_subjects, 2)
    for figure in [*intervals(both[0]).values(), *differences(*both).values()]:
        assert np.isnan([figure.low, figure.high]).all()
        assert figure.reason.endswith("at least 3 are needed")
    nobody = np.concatenate([both[0], np.zeros((4, 5, 6), int)])  # subjects without an epoch
    assert all(figure.reason for figure in intervals(nobody).values())


def test_all_right_in_everybody_has_no_interval():
    tables = np.zeros((8, 5, 6), np.int64)
    tables[:, range(5), range(5)] = np.random.default_rng(0).integers(1, 90, (8, 5))
    for figure in intervals(tables).values():
        assert (figure.value, figure.reason) == (1, "the same in every subject")


def test_a_stage_of_too_few_subjects_has_no_interval_for_its_f1():
    tables = np.zeros((4, 5, 6), np.int64)
    tables[:, 0, 0], tables[:, 0, 2] = 10, [1, 2, 3, 4]
    tables[:2, 1, 1], tables[:2, 1, 0] = 6, [[4], [2]][0]
    found = intervals(tables)
    assert found["f1_N1"].reason == "N1 was scored in 2 subjects; at least 3 are needed"
    assert found["f1_N3"].reason == "N3 was scored in 0 subjects; at least 3 are needed"
    assert np.isnan(found["f1_N3"].value), "nobody scored or predicted it"
    assert found["f1_W"].reason is None
    tables[2, 1, 1] = 3
    assert intervals(tables)["f1_N1"].reason is None


def test_a_stage_that_nobody_has_but_the_model_sees_leaves_macro_f1_without_interval():
    """Its F1 of 0 says nothing of people who have the stage, and is a fifth of the mean."""
    tables = tables_of(9)
    tables[:, 3] = 0
    found = intervals(tables)
    assert found["macro_f1"].reason == "N3 was predicted, but scored in no subject"
    assert found["accuracy"].reason is found["kappa"].reason is None
    tables[:, :, 3] = 0  # neither seen nor scored
    assert intervals(tables)["macro_f1"].reason is None


def test_cells_with_other_subjects_count_each_person_once():
    """The same nine people in three cells, or three in each: the first tells less per table."""
    tables = tables_of(9)
    same = means(np.stack([tables] * 3))
    for name, figure in intervals(tables).items():
        assert same[name][:3] == pytest.approx(figure[:3], abs=1e-12)
    apart = np.zeros((3, 9, 5, 6), np.int64)
    for cell in range(3):
        apart[cell, cell::3] = tables[cell::3]
    for name, figure in means(apart).items():
        ones = [metric_table.summary(tables[cell::3].sum(0))[name] for cell in range(3)]
        assert figure.value == pytest.approx(np.mean(ones))
        assert figure.reason is None


@pytest.mark.parametrize("population", ["typical", "unequal, N3 in two fifths"])
def test_the_simulated_method_is_the_one_that_is_printed(population):
    people = POPULATIONS[population].draw(300, np.random.default_rng(1))
    n_printed = 0
    for n in (2, 3, 5, 10):
        studies = people[np.random.default_rng(n).integers(300, size=(6, n))]
        totals = studies.sum(axis=1)
        for metric in chosen():
            values, left = _of(metric, totals), _of(metric, totals[:, None] - studies)
            reach = 1 - metric.lowest
            for kind, within in (("single", (metric.lowest, 1.0)), ("pair", (-reach, reach))):
                weights = _weights(metric, studies if kind == "pair" else studies[:, :, :1])
                simulated = interval_methods.effective(
                    _kind(values, kind), _kind(left, kind), within, weights
                )
                for study, ends in zip(studies, simulated, strict=True):
                    found = (
                        intervals(study[:, 0])
                        if kind == "single"
                        else differences(study[:, 0], study[:, 1])
                    )[metric.key]
                    np.testing.assert_allclose([found.low, found.high], ends, atol=1e-9)
                    n_printed += bool(np.isfinite(ends).all())
    assert n_printed > 100


@pytest.mark.parametrize("n", [3, 5, 10])
def test_intervals_cover_the_figures_of_a_simulated_population(n):
    """Of all metrics together, single and in pairs; the percentile bootstrap covers 71 to 87 %."""
    people = POPULATIONS["near perfect"].draw(3000, np.random.default_rng(2))
    total = people.sum(axis=0)
    covers = []
    for study in people[np.random.default_rng(n).integers(3000, size=(120, n))]:
        alone, apart = intervals(study[:, 0]), differences(study[:, 0], study[:, 1])
        for metric in metric_table.headline():
            true = metric.each(total)
            for figure, value in (
                (alone[metric.key], true[0]),
                (apart[metric.key], true[1] - true[0]),
            ):
                if figure.reason is None:
                    covers.append(figure.low <= value <= figure.high)
    assert 0.91 <= np.mean(covers) <= 0.99
