"""The figures of scikit-learn, as a reference."""

import warnings

import pytest


def reference(labels, predictions):
    sk = pytest.importorskip("sklearn.metrics")
    present = sorted(set(labels) | set(predictions) - {-1})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            "accuracy": sk.accuracy_score(labels, predictions),
            "balanced_accuracy": sk.balanced_accuracy_score(labels, predictions),
            "macro_f1": sk.f1_score(labels, predictions, labels=present, average="macro"),
            "kappa": sk.cohen_kappa_score(labels, predictions),
            "mcc": sk.matthews_corrcoef(labels, predictions),
        }
