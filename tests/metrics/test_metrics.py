"""Metrics: the same figures as scikit-learn, and no epoch left out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psgimg.builder.errors import BuildError
from psgimg.finetune.metrics import metric_table, metrics
from sklearn_figures import reference

PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(-1, 4)), min_size=1, max_size=60)


@settings(deadline=None)  # the first call imports scikit-learn
@given(PAIRS)
def test_every_figure_is_that_of_scikit_learn(pairs):
    labels, predictions = zip(*pairs, strict=True)
    found = metric_table.summary(metrics.confusion(labels, predictions))
    for name, value in reference(labels, predictions).items():
        np.testing.assert_allclose(found[name], value, atol=1e-12, rtol=0, err_msg=name)


@settings(deadline=None)  # the first call imports scikit-learn
@given(PAIRS)
def test_f1_of_each_stage_is_that_of_scikit_learn(pairs):
    sk = pytest.importorskip("sklearn.metrics")
    labels, predictions = zip(*pairs, strict=True)
    f1 = metrics.f1_per_stage(metrics.confusion(labels, predictions))
    present = {*labels, *predictions} - {-1}
    expected = sk.f1_score(labels, predictions, labels=range(5), average=None, zero_division=0)
    for stage in range(5):
        if stage in present:
            assert f1[stage] == pytest.approx(expected[stage], abs=1e-12)
        else:
            assert np.isnan(f1[stage])


def test_an_epoch_without_an_answer_is_wrong():
    table = metrics.confusion([0, 0, 2, 4], [0, -1, 2, -1])
    assert table.shape == (5, 6)
    assert table[:, 5].tolist() == [1, 0, 0, 0, 1]
    assert metrics.accuracy(table) == 0.5


def test_metrics_of_an_empty_table_are_undefined():
    figures = metric_table.summary(metrics.confusion([], []))
    assert np.isnan(figures["accuracy"])
    assert np.isnan(figures["macro_f1"])


@pytest.mark.parametrize(
    ("labels", "predictions", "said"),
    [
        ([5], [0], "label 5"),
        ([-1], [0], "label -1"),
        ([0], [7], "prediction 7"),
        ([0, 1], [0], "one prediction per label"),
    ],
)
def test_values_that_are_not_stages_are_refused(labels, predictions, said):
    with pytest.raises(BuildError, match=said):
        metrics.confusion(labels, predictions)
