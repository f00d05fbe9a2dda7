"""Divergence: weights that are no longer numbers, of which neither a checkpoint nor a model is saved."""

from __future__ import annotations

from typing import Any

from psgimg.builder.errors import BuildError


def refuse(model: Any, learning_rate: float) -> None:
    """Refuse a model that training has left with infinite weights, or ones that are no numbers.

    Parameters
    ----------
    model
        The model in training; of a sharded one, each process looks at its share.

    Raises
    ------
    BuildError
        If there is such a weight.
    """
    trained = (weight for weight in model.parameters() if weight.requires_grad)
    if not all(bool(weight.isfinite().all()) for weight in trained):
        raise BuildError(
            "the training has diverged, as its weights are no longer numbers; nothing more is saved: "
            f"lower --learning-rate (now {learning_rate:g}) and choose another --output-dir"
        )
