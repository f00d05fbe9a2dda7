"""Calibration: the figures of scikit-learn, over the epochs that have probabilities."""

import numpy as np
import pytest
from psgimg.finetune.metrics import calibration as measures
from psgimg.finetune.metrics.calibration import LEAST, calibration

sk = pytest.importorskip("sklearn.metrics")
curve = pytest.importorskip("sklearn.calibration").calibration_curve


def drawn(n=400, seed=0):
    random = np.random.default_rng(seed)
    return random.integers(0, 5, n), random.dirichlet([0.4] * 5, n)


@pytest.mark.parametrize("seed", range(3))
def test_nll_and_brier_are_those_of_scikit_learn(seed):
    labels, probabilities = drawn(seed=seed)
    found = calibration(labels, probabilities)
    nll = sk.log_loss(labels, probabilities, labels=range(5))
    brier = 5 * sk.mean_squared_error(np.eye(5)[labels], probabilities)
    assert found["nll"] == pytest.approx(nll, abs=1e-12)
    assert found["brier"] == pytest.approx(brier, abs=1e-12)


@pytest.mark.parametrize("decimals", [1, 17])
def test_the_reliability_curve_is_that_of_scikit_learn_at_the_edges_too(decimals):
    labels, probabilities = drawn()
    probabilities = probabilities.round(decimals)
    right, confidence = probabilities.argmax(axis=1) == labels, probabilities.max(axis=1)
    found = calibration(labels, probabilities)
    bins = [b for b in found["bins"] if b["epochs"]]
    accuracy, mean = curve(right, confidence, n_bins=10)
    np.testing.assert_allclose([b["accuracy"] for b in bins], accuracy, atol=1e-12)
    np.testing.assert_allclose([b["confidence"] for b in bins], mean, atol=1e-12)
    shares = np.array([b["epochs"] for b in bins]) / len(labels)
    assert found["ece"] == pytest.approx((shares * np.abs(accuracy - mean)).sum(), abs=1e-12)


def test_a_sure_model_that_is_right_is_perfect_and_one_that_is_wrong_stays_finite():
    labels = np.array([0, 3])
    sure = calibration(labels, np.eye(5)[labels])
    assert (sure["ece"], sure["nll"], sure["brier"]) == (0, 0, 0)
    wrong = calibration(labels, np.eye(5)[[1, 1]])
    assert (wrong["ece"], wrong["nll"], wrong["brier"]) == (1, pytest.approx(-np.log(LEAST)), 2)


def test_only_epochs_with_probabilities_count():
    labels, probabilities = drawn(50)
    probabilities[10:] = np.nan
    found = calibration(labels, probabilities)
    np.testing.assert_equal(found, calibration(labels[:10], probabilities[:10]))
    assert found["epochs"] == sum(b["epochs"] for b in found["bins"]) == 10
    assert calibration(labels, None) is None


def test_epochs_measured_a_few_at_a_time_give_exactly_the_same_figures(monkeypatch):
    labels, probabilities = drawn()
    probabilities[::7] = np.nan
    whole = calibration(labels, probabilities)
    monkeypatch.setattr(measures, "BLOCK", 6)
    assert repr(calibration(labels, probabilities)) == repr(whole)  # NaN of empty bins included
