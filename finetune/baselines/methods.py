"""Methods: the baselines by name, and what each needs beside the base install."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from psgimg.builder.errors import BuildError
from psgimg.finetune.baselines import boosting, network, yasa_stager
from psgimg.finetune.baselines.nights import Night, Outcome, Task

REMEDY = "install with: pip install 'psgimg[baselines]'"


@dataclass(frozen=True)
class Method:
    """A way of staging without pictures.

    Parameters
    ----------
    learns, watches
        Whether it learns from the train split, and watches the validation split meanwhile.
    modules, libraries
        What it imports, and the names of what is installed for that.
    """

    stage: Callable[[Task], Outcome]
    learns: bool
    watches: bool
    modules: tuple[str, ...]
    libraries: tuple[str, ...]

    def versions(self) -> dict[str, str]:
        """Versions of its libraries."""
        return {name: version(name) for name in self.libraries}


_YASA = (("yasa", "lightgbm"), ("yasa", "lightgbm", "scikit-learn", "mne"))

METHODS = {
    "boosting": Method(boosting.stage, True, False, *_YASA),
    "cnn": Method(
        network.stage, True, True, ("braindecode.models", "torch"), ("braindecode", "torch")
    ),
    "yasa": Method(yasa_stager.stage, False, False, *_YASA),
}


def able(names: Sequence[str]) -> tuple[dict[str, Method], list[str]]:
    """The methods of these names; of none named, all that this machine can.

    Returns
    -------
    methods
    notes
        Why one is left out, a line each.

    Raises
    ------
    BuildError
        If there is no such method, or it was named and its libraries are missing; or no method is
        left.
    """
    if unknown := [name for name in names if name not in METHODS]:
        raise BuildError(f"no method {unknown[0]!r}; there are {', '.join(METHODS)}")
    wanted = {name: METHODS[name] for name in METHODS if not names or name in names}
    faults = {name: why for name, method in wanted.items() if (why := fault(method))}
    left = {name: method for name, method in wanted.items() if name not in faults}
    if faults and (names or not left):
        raise BuildError(next(f"{name}: {why}" for name, why in faults.items()))
    return left, [f"{name} is left out: {why}" for name, why in faults.items()]


def fit(
    able: Mapping[str, Method], asked: Sequence[Night], named: Sequence[str]
) -> tuple[dict[str, Method], list[str]]:
    """Those of some methods that fit the nights to stage, and why one does not.

    Raises
    ------
    BuildError
        If one that does not was named, or none is left.
    """
    if any(yasa_stager.knows(night) for night in asked):
        return dict(able), []
    why = (
        f"yasa: {yasa_stager.UNKNOWN}; none of {len(asked)} recordings to stage has a lane of them"
    )
    left = {name: method for name, method in able.items() if name != "yasa"}
    if "yasa" in able and ("yasa" in named or not left):
        raise BuildError(f"{why}; leave it out")
    return left, [f"{why}; it is left out"] if "yasa" in able else []


def fault(method: Method) -> str:
    """Why a method's libraries can't be imported; empty if they can."""
    for name in method.modules:
        try:
            with warnings.catch_warnings():  # of what these libraries import, none of it ours
                warnings.simplefilter("ignore")
                importlib.import_module(name)
        except ModuleNotFoundError as error:
            return f"{error.name} is missing; {REMEDY}"
        # braindecode imports torchaudio, which loads libraries of the torch that it was built for.
        except (ImportError, OSError) as error:
            said = " ".join(str(error).split())
            return f"{name} can't be imported ({said}); install the torchaudio of your torch"
    return ""
