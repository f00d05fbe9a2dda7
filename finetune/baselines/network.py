"""Network: one small convolutional network on the lanes, braindecode's of Chambon et al. (2018).

IEEE Trans. Neural Syst. Rehabil. Eng. 26(4), 758-769. It sees one page, filtered as the picture of
it was. Trained in plain torch; the pass that does best on the validation split is kept.
"""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.baselines import nights, store
from psgimg.finetune.baselines.nights import PAGE_SAMPLES, SFREQ_HZ, Outcome, Task
from psgimg.finetune.baselines.store import Scale, Store

if TYPE_CHECKING:
    import torch
    from torch import nn

BATCH = 32
LEARNING_RATE = 1e-3
PASSES = 25
PATIENCE = 4
"""Passes without a smaller loss on the validation split after which training ends."""

PASSES_UNWATCHED = 10
"""Passes where there is no validation split."""


def stage(task: Task) -> Outcome:
    """Learn from the train split, watch the validation split, and stage the asked one."""
    import torch

    with tempfile.TemporaryDirectory(prefix="psgimg-lanes-") as room, torch.random.fork_rng():
        torch.manual_seed(task.seed)
        train = store.fill(Path(room, "train"), task.nights.train, "lanes to learn from", task)
        watched = None
        # Chosen by the very pages it is judged on, the best pass would flatter it.
        asked = {night.key for night in task.nights.asked}
        if free := [night for night in task.nights.validation if night.key not in asked]:
            watched = store.fill(Path(room, "validation"), free, "lanes to watch", task)
        else:
            task.progress.note(
                f"cnn: no validation split but what is staged; {PASSES_UNWATCHED} passes, none chosen"
            )
        model = _model(train.pages_uv.shape[1])
        facts = learn(model, train, watched, task)
    staged = {
        night.key: probabilities(model, pages_uv, train.scale)
        for night, pages_uv in nights.over(task.nights.asked, store.pages_of, "cnn stages", task)
    }
    return Outcome(staged, {"method": _settings(), **facts})


def learn(model: nn.Module, train: Store, watched: Store | None, task: Task) -> dict[str, Any]:
    """Teach a model in place, and leave it as it was after its best pass.

    Returns
    -------
    Number of passes, the best one (None if unwatched), and the loss on the validation split.
    """
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE)
    rng = np.random.default_rng(task.seed)
    n_passes = PASSES if watched else PASSES_UNWATCHED
    best, best_pass, kept = float("inf"), 0, model.state_dict()
    losses: list[float] = []
    task.progress.start("training the network", n_passes, "passes")
    for done in range(1, n_passes + 1):
        _pass(model, optimizer, train, rng.permutation(len(train.labels)))
        task.progress.advance()
        if watched is None:
            continue
        losses.append(_loss(model, watched, train.scale))
        if losses[-1] < best:
            best, best_pass, kept = losses[-1], done, copy.deepcopy(model.state_dict())
        elif done - best_pass >= PATIENCE:
            break
    if watched is not None:
        model.load_state_dict(kept)
    return {
        "passes": done,
        "best_pass": best_pass or None,
        "validation_loss": [round(loss, 4) for loss in losses],
    }


def probabilities(
    model: nn.Module, pages_uv: npt.NDArray[np.float16], scale: Scale
) -> npt.NDArray[np.float64]:
    """(n, 5) of some pages, (n, n_lanes, n_samples) in µV."""
    import torch

    model.eval()
    found = []
    with torch.inference_mode():
        for first in range(0, len(pages_uv), BATCH):
            logits = model(_batch(pages_uv[first : first + BATCH], scale, model))
            found.append(torch.softmax(logits.double(), 1).cpu().numpy())
    return np.concatenate(found)


def _model(n_lanes: int) -> nn.Module:
    """An untrained network, on a GPU if there is one."""
    import torch
    from braindecode.models import SleepStagerChambon2018

    model: nn.Module = SleepStagerChambon2018(
        n_chans=n_lanes,
        sfreq=SFREQ_HZ,
        n_times=PAGE_SAMPLES,
        n_outputs=len(STAGE_NAMES),
        apply_batch_norm=True,
    )
    return model.to("cuda" if torch.cuda.is_available() else "cpu")


def _pass(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    train: Store,
    order: npt.NDArray[np.int64],
) -> None:
    """One training pass over all pages; every page counts alike."""
    import torch

    model.train()
    for first in range(0, len(order), BATCH):
        rows = np.sort(order[first : first + BATCH])  # forwards through the file
        logits = model(_batch(train.pages_uv[rows], train.scale, model))
        labels = torch.from_numpy(train.labels[rows]).to(logits.device)
        loss = torch.nn.functional.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def _loss(model: nn.Module, watched: Store, scale: Scale) -> float:
    """Mean cross-entropy of a split."""
    found = probabilities(model, watched.pages_uv, scale)
    told = found[np.arange(len(found)), watched.labels]
    return float(-np.log(np.maximum(told, 1e-12)).mean())


def _batch(pages_uv: npt.NDArray[np.float16], scale: Scale, model: nn.Module) -> torch.Tensor:
    import torch

    device = next(model.parameters()).device
    return torch.from_numpy(scale.apply(pages_uv)).to(device)


def _settings() -> dict[str, Any]:
    return {
        "network": "SleepStagerChambon2018",
        "batch": BATCH,
        "learning_rate": LEARNING_RATE,
        "passes": PASSES,
        "patience": PATIENCE,
    }
