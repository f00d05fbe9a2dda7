"""Divergence: nothing is saved of a model whose weights are no longer numbers."""

import math

import pytest
from psgimg.builder.errors import BuildError

torch = pytest.importorskip("torch")

from psgimg.finetune.training import divergence  # noqa: E402


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_diverged_model_is_refused_with_its_learning_rate(value):
    model = torch.nn.Linear(3, 2)
    divergence.refuse(model, 0.5)
    with torch.no_grad():
        model.weight[1, 2] = value
    with pytest.raises(BuildError, match=r"has diverged.*lower --learning-rate \(now 0.5\)"):
        divergence.refuse(model, 0.5)


def test_only_what_is_trained_counts():
    model = torch.nn.Linear(3, 2).requires_grad_(False)
    with torch.no_grad():
        model.weight[:] = math.nan
    divergence.refuse(model, 0.5)
