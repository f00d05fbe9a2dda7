"""Compatibility: names that differ between the supported versions of transformers."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

CHECKPOINTING = {
    "gradient_checkpointing": "activation_checkpointing",
    "gradient_checkpointing_kwargs": "activation_checkpointing_kwargs",
}
"""Training options by their names before transformers 5.23 → since."""

SWITCH = ("gradient_checkpointing", "activation_checkpointing")
"""Names of the training option that switches it; newer versions have both."""


def cache_of(output: Any) -> Any:
    """Return the cache in a model's output: ``cache`` since transformers 5.24, else ``past_key_values``."""
    return output.cache if hasattr(output, "cache") else output.past_key_values


def cache_argument(cache: Any, parameters: Collection[str]) -> dict[str, Any]:
    """Return a cache as keyword argument for a forward method with these parameters."""
    return {"cache" if "cache" in parameters else "past_key_values": cache}


def training_options(values: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Return training options under the newest of their names that are known."""
    return {
        new if (new := CHECKPOINTING.get(name, name)) in known else name: value
        for name, value in values.items()
    }


def is_checkpointed(training: Any) -> bool:
    """Whether training options ask for activation checkpointing."""
    return any(getattr(training, name, False) for name in SWITCH)


def set_checkpointing(training: Any, on: bool) -> None:
    """Set activation checkpointing in training options, under all names that they have."""
    for name in SWITCH:
        if hasattr(training, name):
            setattr(training, name, on)


def checkpoint(model: Any, on: bool) -> None:
    """Switch activation checkpointing of a model."""
    verb = "enable" if on else "disable"
    newest = f"activation_checkpointing_{verb}"
    switch = newest if hasattr(model, newest) else f"gradient_checkpointing_{verb}"
    getattr(model, switch)()


@contextmanager
def _without_remarks() -> Iterator[None]:
    """Silence a remark of the trainer, in a short run, that checkpoints are sorted by their numbers."""

    def is_of_use(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith("mtime may not be reliable")

    logger = logging.getLogger("transformers.trainer_utils")
    logger.addFilter(is_of_use)
    try:
        yield
    finally:
        logger.removeFilter(is_of_use)


@contextmanager
def without_deprecations() -> Iterator[None]:
    """Silence deprecation warnings that peft and TRL cause, which users can't fix, and such a remark.

    peft 0.21 reads ``is_gradient_checkpointing`` of every model; remove this once the minimum
    supported peft does not.
    """
    with warnings.catch_warnings(), _without_remarks():
        warnings.filterwarnings(
            "ignore", r"`\w*gradient_checkpointing\w*` is deprecated", FutureWarning
        )
        yield
