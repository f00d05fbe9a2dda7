"""Network: a small convolutional network on the lanes (Chambon et al. 2018), from braindecode.

IEEE Trans. Neural Syst. Rehabil. Eng. 26(4), 758-769. Its input is one page, filtered as for the
picture. Trained in plain torch; the weights of the pass with the lowest validation loss are kept.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.baselines import braindecode_models, early_stopping, store, weights_file
from psgimg.finetune.baselines.nights import PAGE_SAMPLES, SFREQ_HZ, Task
from psgimg.finetune.baselines.store import Scale, Store

if TYPE_CHECKING:
    import torch
    from torch import nn

BATCH = 32
LEARNING_RATE = 1e-3
PASSES = 25
PASSES_UNVALIDATED = 10
"""Number of passes without a validation split."""


@dataclass(frozen=True, eq=False)
class Network:
    """A trained network, with the scale of its training data.

    Parameters
    ----------
    facts
        Settings and losses, for the JSON file beside the predictions.
    """

    model: nn.Module
    scale: Scale
    facts: Mapping[str, Any]

    def probabilities(self, pages_uv: npt.NDArray[np.float16]) -> npt.NDArray[np.float64]:
        """Return (n, 5) probabilities of some pages, (n, n_lanes, n_samples) in µV."""
        return probabilities(self.model, pages_uv, self.scale)

    def save(self, path: Path) -> None:
        """Write the network to a file."""
        import torch

        scale = {
            "centre_uv": torch.from_numpy(self.scale.centre_uv),
            "width_uv": torch.from_numpy(self.scale.width_uv),
        }
        weights_file.write(path, self.model, self.facts, scale)


def load(path: Path) -> Network:
    """Read a network from the file that ``Network.save`` wrote."""
    values = weights_file.read(path)
    scale = Scale(values["centre_uv"].numpy(), values["width_uv"].numpy())
    model = _model(len(scale.centre_uv))
    model.load_state_dict(values["weights"])
    return Network(model, scale, values["facts"])


def train(task: Task) -> Network:
    """Train on the train split, with early stopping on validation."""
    import torch

    with tempfile.TemporaryDirectory(prefix="psgimg-lanes-") as room, torch.random.fork_rng():
        torch.manual_seed(task.seed)
        told = "lanes for training"
        pages = store.fill(Path(room, "train"), task.nights.train, told, task, task.votes)
        validation = None
        if held_out := early_stopping.held_out(task, "cnn", PASSES_UNVALIDATED):
            path = Path(room, "validation")
            validation = store.fill(path, held_out, "lanes for validation", task)
        model = _model(pages.pages_uv.shape[1])
        facts = fit(model, pages, validation, task)
    return Network(model, pages.scale, {"method": _settings(), **facts})


def fit(model: nn.Module, train: Store, validation: Store | None, task: Task) -> dict[str, Any]:
    """Train a model in place; see :func:`psgimg.finetune.baselines.early_stopping.fit`."""
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE)
    rng = np.random.default_rng(task.seed)

    def one_pass() -> None:
        _pass(model, optimizer, train, rng.permutation(len(train.targets)))

    if validation is None:
        return early_stopping.fit(model, one_pass, None, PASSES_UNVALIDATED, task.progress)
    watched = partial(_loss, model, validation, train.scale)
    return early_stopping.fit(model, one_pass, watched, PASSES, task.progress)


def probabilities(
    model: nn.Module, pages_uv: npt.NDArray[np.float16], scale: Scale
) -> npt.NDArray[np.float64]:
    """Return (n, 5) probabilities of some pages, (n, n_lanes, n_samples) in µV."""
    import torch

    model.eval()
    batches = []
    with torch.inference_mode():
        for first in range(0, len(pages_uv), BATCH):
            logits = model(_batch(pages_uv[first : first + BATCH], scale, model))
            batches.append(torch.softmax(logits.double(), 1).cpu().numpy())
    return np.concatenate(batches)


def _model(n_lanes: int) -> nn.Module:
    """Return an untrained network, on a GPU if available."""
    import torch

    model: nn.Module = braindecode_models.models().SleepStagerChambon2018(
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
    """Train for one pass over all pages, weighted equally."""
    import torch

    model.train()
    for first in range(0, len(order), BATCH):
        rows = np.sort(order[first : first + BATCH])  # sequential access to the file
        logits = model(_batch(train.pages_uv[rows], train.scale, model))
        targets = torch.from_numpy(train.targets[rows]).to(logits.device)
        loss = torch.nn.functional.cross_entropy(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def _loss(model: nn.Module, validation: Store, scale: Scale) -> float:
    """Return the mean cross-entropy of the validation split."""
    values = probabilities(model, validation.pages_uv, scale)
    likelihood = (values * validation.targets).sum(axis=1)
    return float(-np.log(np.maximum(likelihood, 1e-12)).mean())


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
        "patience": early_stopping.PATIENCE,
    }
