"""Methods: the baselines by name, and the optional libraries that each requires."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import BuildError
from psgimg.finetune.baselines import (
    boosting,
    braindecode_models,
    features,
    foundation,
    network,
    sequence_network,
    sequences,
    store,
    yasa_stager,
)
from psgimg.finetune.baselines.nights import Night
from psgimg.finetune.metrics.disclosure import (
    ELSEWHERE,
    LIKE_FOR_LIKE,
    ONE_PAGE,
    PEOPLE,
    VIEW,
    Elsewhere,
    View,
)

REMEDY = "install with: pip install 'psgimg[baselines]'"


class Stager(Protocol):
    """What a method learned."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """Settings and losses, for the JSON file beside the predictions."""

    def probabilities(self, prepared: Any) -> npt.NDArray[np.float64]:
        """Return (n, 5) probabilities of the epochs of a prepared night."""

    def save(self, path: Path) -> None:
        """Write it to a file."""


@dataclass(frozen=True)
class Learner:
    """How a method is trained.

    Parameters
    ----------
    train, load
        Trains it on the train split; reads what ``Stager.save`` wrote.
    validates
        Whether it uses the validation split for early stopping.
    """

    train: Callable[..., Stager]
    load: Callable[[Path], Stager]
    validates: bool = False


@dataclass(frozen=True)
class Method:
    """A method of staging from signals.

    Parameters
    ----------
    prepare
        What is computed of a night in a worker process: the probabilities of its epochs, or, if the
        method learns, what ``Stager.probabilities`` takes.
    modules, libraries
        Modules that it imports, and the distributions that provide them.
    learner
        None if it is not trained.
    stages, notes
        Whether it can stage a night; what the user is told about those that it can't.
    sees
        What it sees of a night.
    elsewhere
        What it learned from before it was published; None if it learns from the dataset alone.
    pretrained
        Whether it needs pretrained weights, which psgimg does not bring; see ``given``.
    weights
        Name and hash of the weights given, as JSON values.
    """

    prepare: Callable[..., Any]
    modules: tuple[str, ...]
    libraries: tuple[str, ...]
    learner: Learner | None = None
    stages: Callable[[Night], bool] = lambda night: True
    notes: Callable[[Sequence[Night]], list[str]] = lambda nights: []
    sees: View = ONE_PAGE
    elsewhere: Elsewhere | None = None
    pretrained: bool = False
    weights: Mapping[str, str] | None = None

    @property
    def trains(self) -> bool:
        """Whether it is trained on the train split."""
        return self.learner is not None

    @property
    def validates(self) -> bool:
        """Whether it uses the validation split for early stopping."""
        return self.learner is not None and self.learner.validates

    def versions(self) -> dict[str, str]:
        """Return the versions of its libraries."""
        return {name: version(name) for name in self.libraries}

    def disclosure(self, corpora: Iterable[str]) -> dict[str, Any]:
        """Return what it sees and from whom it learned, as JSON values, given the corpora to stage."""
        told: dict[str, Any] = {VIEW: self.sees.to_dict()}
        if self.elsewhere:
            told[ELSEWHERE] = self.elsewhere.to_dict()
            told[PEOPLE] = self.elsewhere.people_of(corpora)
        return told


_YASA = (("yasa", "lightgbm"), ("yasa", "lightgbm", "scikit-learn", "mne"))
_CNN = (("torch", "braindecode.models"), ("braindecode", "torch"))

METHODS = {
    "boosting": Method(
        features.of_night, *_YASA, Learner(boosting.train, boosting.load), sees=features.VIEW
    ),
    "cnn": Method(store.pages_of, *_CNN, Learner(network.train, network.load, validates=True)),
    "usleep": Method(
        sequences.of_night,
        *_CNN,
        Learner(sequence_network.train, sequence_network.load, validates=True),
        sees=sequences.VIEW,
    ),
    "yasa": Method(
        yasa_stager.of_night,
        *_YASA,
        stages=yasa_stager.supports,
        notes=yasa_stager.notes,
        sees=features.VIEW,
        elsewhere=yasa_stager.LEARNED_FROM,
    ),
    "labram": Method(
        foundation.of_night,
        (*_CNN[0], "sklearn"),
        (*_CNN[1], "scikit-learn"),
        Learner(foundation.train, foundation.load),
        elsewhere=foundation.LEARNED_FROM,
        pretrained=True,
    ),
    LIKE_FOR_LIKE: Method(
        features.of_pages, *_YASA, Learner(boosting.train_on_pages, boosting.load)
    ),
}


def available(
    names: Sequence[str], weights: str | None = None
) -> tuple[dict[str, Method], list[str]]:
    """Return the named methods, or all whose libraries are installed if none is named.

    Parameters
    ----------
    weights
        Folder or Hub id of pretrained weights; None leaves out the method that needs them.

    Returns
    -------
    methods
        Method by name.
    notes
        Why a method was left out, one line each.

    Raises
    ------
    BuildError
        If a method is unknown, a named one lacks its libraries or weights, none is left, or the weights
        are not those of any.
    """
    if unknown := [name for name in names if name not in METHODS]:
        raise BuildError(f"--method {unknown[0]!r} is unknown; use {', '.join(METHODS)}")
    wanted = {name: METHODS[name] for name in METHODS if not names or name in names}
    if weights is not None and not any(method.pretrained for method in wanted.values()):
        raise BuildError(
            f"--weights {weights}: no method asked for takes weights; add --method labram"
        )
    if not names and weights is None:
        wanted = {name: method for name, method in wanted.items() if not method.pretrained}
    faults = {name: why for name, method in wanted.items() if (why := fault(method))}
    remaining = {name: one for name, one in wanted.items() if name not in faults}
    if faults and (names or not remaining):
        raise BuildError(next(f"{name}: {why}" for name, why in faults.items()))
    notes = [f"{name} is left out: {why}" for name, why in faults.items()]
    return {name: _given(name, one, weights) for name, one in remaining.items()}, notes


def _given(name: str, method: Method, weights: str | None) -> Method:
    """Return a method with its pretrained weights, if it needs any."""
    if not method.pretrained or method.learner is None:
        return method
    if weights is None:
        raise BuildError(
            f"{name} needs pretrained weights, without which its features are random; give a folder or "
            f"an id on the Hub by --weights, such as {foundation.PUBLISHED}"
        )
    found = foundation.located(weights)
    return replace(
        method,
        prepare=partial(foundation.of_night, found.folder),
        learner=Learner(partial(foundation.train, weights=found), method.learner.load),
        weights=found.facts(),
    )


def applicable(
    methods: Mapping[str, Method], nights: Sequence[Night], named: Sequence[str]
) -> tuple[dict[str, Method], list[str]]:
    """Return the methods that can stage some nights, and notes on those that can't.

    Raises
    ------
    BuildError
        If a named method can't stage any of the nights, or none is left.
    """
    if any(yasa_stager.supports(night) for night in nights):
        return dict(methods), []
    why = f"yasa: {yasa_stager.CENTRAL_ONLY}; none of {len(nights)} recordings has such a lane"
    remaining = {name: method for name, method in methods.items() if name != "yasa"}
    if "yasa" in methods and ("yasa" in named or not remaining):
        raise BuildError(f"{why}; leave it out")
    return remaining, [f"{why}; it is left out"] if "yasa" in methods else []


def fault(method: Method) -> str:
    """Return why a method's libraries can't be imported, with the remedy; empty if they can."""
    for name in method.modules:
        try:
            with warnings.catch_warnings():  # from imports of these libraries, not from psgimg
                warnings.simplefilter("ignore")
                if name == braindecode_models.NAME:
                    braindecode_models.models()
                else:
                    importlib.import_module(name)
        except ModuleNotFoundError as error:
            return f"{error.name} is missing; {REMEDY}"
        except (ImportError, OSError) as error:
            reason = " ".join(str(error).split())
            return f"{name} can't be imported ({reason}); {REMEDY}"
    return ""
