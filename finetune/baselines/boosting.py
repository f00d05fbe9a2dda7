"""Boosting: gradient-boosted trees on YASA's features, trained on the dataset's own train split.

Vallat & Walker (2021), eLife 10:e70092, with the settings of YASA's published classifiers except for
their class weights: all pages are weighted equally, as in the other methods. These features know the
neighbouring epochs and the time of night; ``stage_pages`` has none that does, as a model has one page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.baselines import features, nights
from psgimg.finetune.baselines.nights import Night, Outcome, Task

if TYPE_CHECKING:
    import pandas as pd

SETTINGS = {"n_estimators": 400, "max_depth": 5, "num_leaves": 90, "colsample_bytree": 0.5}


Features = Callable[[Night], "pd.DataFrame"]


def stage(task: Task) -> Outcome:
    """Train on the train split and stage the target split, with all features of YASA."""
    return _stage(task, features.of_night)


def stage_pages(task: Task) -> Outcome:
    """Train on the train split and stage the target split, each epoch by itself."""
    return _stage(task, features.of_pages)


def _stage(task: Task, of: Features) -> Outcome:
    train = task.nights.train
    table, labels = _table(task, train, of), np.concatenate([night.labels for night in train])
    model = fit(table, labels, task.seed, task.workers)
    frames = nights.process(task.nights.target, of, "features for staging", task)
    staged = {night.key: probabilities(model, frame) for night, frame in frames}
    return Outcome(staged, {"method": {**SETTINGS, "features": table.shape[1]}})


def fit(table: pd.DataFrame, labels: npt.NDArray[np.int8], seed: int, threads: int) -> Any:
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
    return model.fit(table, labels)


def probabilities(model: Any, frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return (n, 5) probabilities of a night's pages, given their features.

    A stage absent from the training data has probability 0; a missing feature is NaN.
    """
    values = np.zeros((len(frame), len(STAGE_NAMES)))
    values[:, model.classes_] = model.predict_proba(frame.reindex(columns=model.feature_name_))
    return values


def _table(task: Task, train: Sequence[Night], of: Features) -> pd.DataFrame:
    """Return the features of all nights in their order, with columns sorted by name."""
    import pandas as pd

    frames = dict(nights.process(train, of, "features for training", task))
    table: pd.DataFrame = pd.concat([frames[night] for night in train], ignore_index=True)
    return table.sort_index(axis=1)
