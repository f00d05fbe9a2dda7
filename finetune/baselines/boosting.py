"""Boosting: gradient-boosted trees on YASA's features, learned from the dataset's own train split.

Vallat & Walker (2021), eLife 10:e70092, with the settings of YASA's published classifiers but for
their class weights: every page counts alike, as it does for the other methods.
"""

from __future__ import annotations

from collections.abc import Sequence
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


def stage(task: Task) -> Outcome:
    """Learn from the train split and stage the asked one."""
    train = task.nights.train
    table, labels = _table(task, train), np.concatenate([night.labels for night in train])
    model = fit(table, labels, task.seed, task.workers)
    asked = nights.over(task.nights.asked, features.of_night, "features to stage", task)
    staged = {night.key: probabilities(model, frame) for night, frame in asked}
    return Outcome(staged, {"method": {**SETTINGS, "features": table.shape[1]}})


def fit(table: pd.DataFrame, labels: npt.NDArray[np.int8], seed: int, threads: int) -> Any:
    """A classifier; the same table gives the same, whatever the number of threads.

    Raises
    ------
    BuildError
        If all pages have one stage.
    """
    from lightgbm import LGBMClassifier

    if len(np.unique(labels)) < 2:
        raise BuildError(
            f"every page to learn from is {STAGE_NAMES[labels[0]]}; give a dataset with more stages"
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
    """(n, 5) of a night's pages; a stage that was never seen has 0, a feature that lacks is NaN."""
    found = np.zeros((len(frame), len(STAGE_NAMES)))
    found[:, model.classes_] = model.predict_proba(frame.reindex(columns=model.feature_name_))
    return found


def _table(task: Task, train: Sequence[Night]) -> pd.DataFrame:
    """Features of all nights, in their order; columns in order of name."""
    import pandas as pd

    frames = dict(nights.over(train, features.of_night, "features to learn from", task))
    table: pd.DataFrame = pd.concat([frames[night] for night in train], ignore_index=True)
    return table.sort_index(axis=1)
