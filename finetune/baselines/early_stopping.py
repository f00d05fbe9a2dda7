"""Early stopping: train pass by pass, and keep the weights of the lowest loss on other people.

A training epoch is called a pass, as an epoch is 30 s of sleep.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from psgimg.builder.progress import Progress
from psgimg.finetune.baselines.nights import Night, Task

if TYPE_CHECKING:
    from torch import nn

PATIENCE = 4
"""Number of passes without a lower validation loss after which training stops."""


def held_out(task: Task, name: str, n_passes: int) -> list[Night]:
    """Return the nights of the validation split; none, with a note, if they are those to stage.

    Selecting the best pass on the pages that are evaluated would bias the result.
    """
    target = {night.key for night in task.nights.target}
    nights = [night for night in task.nights.validation if night.key not in target]
    if not nights:
        task.progress.note(
            f"{name}: no validation split other than the split to stage; training for {n_passes} "
            "passes without early stopping"
        )
    return nights


def fit(
    model: nn.Module,
    one_pass: Callable[[], None],
    validation_loss: Callable[[], float] | None,
    n_passes: int,
    progress: Progress,
) -> dict[str, Any]:
    """Train a model in place, and restore its weights after the best pass.

    Parameters
    ----------
    one_pass
        Trains it for one pass.
    validation_loss
        Returns its loss on the validation split; None trains for all passes.

    Returns
    -------
    ``passes``, their number; ``best_pass``, None without validation; and ``validation_loss``, that of
    each pass.
    """
    best, best_pass, kept = float("inf"), 0, model.state_dict()
    losses: list[float] = []
    done = 0
    progress.start("training the network", n_passes, "passes")
    for done in range(1, n_passes + 1):
        one_pass()
        progress.advance()
        if validation_loss is None:
            continue
        losses.append(validation_loss())
        if losses[-1] < best:
            best, best_pass, kept = losses[-1], done, copy.deepcopy(model.state_dict())
        elif done - best_pass >= PATIENCE:
            break
    if validation_loss is not None:
        model.load_state_dict(kept)
    return {
        "passes": done,
        "best_pass": best_pass or None,
        "validation_loss": [round(loss, 4) for loss in losses],
    }
