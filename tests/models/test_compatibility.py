"""Compatibility: older and newer names of transformers, each where it is the one that is taken."""

import warnings
from types import SimpleNamespace

import pytest
from psgimg.finetune.models import compatibility


def test_a_cache_is_read_and_given_by_the_name_of_either_version():
    cache = object()
    for name in ("cache", "past_key_values"):
        assert compatibility.cache_of(SimpleNamespace(**{name: cache})) is cache
        assert compatibility.cache_argument(cache, {"input_ids", name}) == {name: cache}


def test_a_training_option_goes_by_its_newest_name_that_is_known():
    values = {"gradient_checkpointing": True, "learning_rate": 0.1}
    assert compatibility.training_options(values, {"gradient_checkpointing"}) == values
    assert compatibility.training_options(
        values, {"gradient_checkpointing", "activation_checkpointing"}
    ) == {"activation_checkpointing": True, "learning_rate": 0.1}


def test_older_names_in_other_libraries_are_silenced_and_nothing_else():
    with compatibility.without_deprecations():
        warnings.warn("`is_gradient_checkpointing` is deprecated", FutureWarning, stacklevel=1)
    with (
        pytest.raises(FutureWarning, match="something else"),
        compatibility.without_deprecations(),
    ):
        warnings.warn("something else is deprecated", FutureWarning, stacklevel=1)
