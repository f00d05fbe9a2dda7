"""Skips of tests whose optional libraries are not installed."""

import contextlib
import importlib
import warnings

import pytest
from psgimg.finetune.baselines import methods


def need(name):
    """Skip where the libraries of a baseline are not installed."""
    with pytest.MonkeyPatch.context() as patch:  # antropy would compile for ten seconds and more
        patch.setattr("numba.core.config.DISABLE_JIT", True)
        with contextlib.suppress(ImportError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module("antropy")
    if fault := methods.fault(methods.METHODS[name]):
        pytest.skip(fault)
