"""Boosting: gradient-boosted trees on YASA's features, trained on the dataset's own train split.

Vallat & Walker (2021), eLife 10:e70092, with the settings of YASA's published classifiers except for
their class weights: all pages are weighted equally, as in the other methods. These features know the
neighbouring epochs and the time of night; ``train_on_pages`` has none that does, as a model has one page.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.baselines import features, nights
from psgimg.finetune.baselines.nights import Night, Task

if TYPE_CHECKING:
    import pandas as pd

SETTINGS = {"n_estimators": 400, "max_depth": 5, "num_leaves": 90, "colsample_bytree": 0.5}


Features = Callable[[Night], "pd.DataFrame"]


@dataclass(frozen=True, eq=False)
class Trees:
    """A trained classifier.

    Parameters
    ----------
    model
        Text of LightGBM.
    classes
        The stages of the training data.
    facts
        Settings, for the JSON file beside the predictions.
    """

    model: str
    classes: tuple[int, ...]
    facts: Mapping[str, Any]

    @cached_property
    def _booster(self) -> Any:
        from lightgbm import Booster

        return Booster(model_str=self.model)

    def probabilities(self, frame: pd.DataFrame) -> npt.NDArray[np.float64]:
        """Return (n, 5) probabilities of a night's pages, given their features.

        A stage absent from the training data has probability 0; a missing feature is NaN.
        """
        found = self._booster.predict(frame.reindex(columns=self._booster.feature_name()))
        if found.ndim == 1:  # of two classes, the second
            found = np.stack([1 - found, found], axis=1)
        values = np.zeros((len(frame), len(STAGE_NAMES)))
        values[:, self.classes] = found
        return values

    def save(self, path: Path) -> None:
        """Write the trees to a file."""
        path.write_text(json.dumps(asdict(self)))


def load(path: Path) -> Trees:
    """Read trees from the file that ``Trees.save`` wrote."""
    values = json.loads(path.read_text())
    return Trees(values["model"], tuple(values["classes"]), values["facts"])


def train(task: Task) -> Trees:
    """Train on the train split, with all features of YASA."""
    return _train(task, features.of_night)


def train_on_pages(task: Task) -> Trees:
    """Train on the train split, each epoch by itself."""
    return _train(task, features.of_pages)


def _train(task: Task, of: Features) -> Trees:
    nights_of = task.nights.train
    table = _table(task, nights_of, of)
    shares = np.concatenate([night.scorers(task.votes).shares for night in nights_of])
    pages, stages = np.nonzero(
        shares
    )  # a page counts once, shared among the stages its scorers chose
    weights = None if task.votes is None else shares[pages, stages]
    return fit(table.iloc[pages], stages.astype(np.int8), task.seed, task.workers, weights=weights)


def fit(
    table: pd.DataFrame,
    labels: npt.NDArray[np.int8],
    seed: int,
    threads: int,
    weights: npt.NDArray[np.float32] | None = None,
) -> Trees:
    """Train a classifier; the result does not depend on the number of threads.

    Parameters
    ----------
    table : (n_pages, n_features)
        Features.
    labels : (n_pages,)
        Scored stages.
    seed
        Random seed.
    threads
        Number of threads.
    weights : (n_pages,) or None
        How much each page counts.

    Raises
    ------
    BuildError
        If all pages have the same stage.
    """
    from lightgbm import LGBMClassifier

    if len(np.unique(labels)) < 2:
        raise BuildError(
            f"every training page is {STAGE_NAMES[labels[0]]}; give a dataset with more stages"
        )
    model = LGBMClassifier(
        **SETTINGS,
        random_state=seed,
        n_jobs=threads,
        deterministic=True,
        force_row_wise=True,
        verbosity=-1,
    )
    model.fit(table, labels, sample_weight=weights)
    facts = {"method": {**SETTINGS, "features": table.shape[1]}}
    return Trees(model.booster_.model_to_string(), tuple(map(int, model.classes_)), facts)


def _table(task: Task, train: Sequence[Night], of: Features) -> pd.DataFrame:
    """Return the features of all nights in their order, with columns sorted by name."""
    import pandas as pd

    frames = dict(nights.process(train, of, "features for training", task))
    table: pd.DataFrame = pd.concat([frames[night] for night in train], ignore_index=True)
    return table.sort_index(axis=1)
