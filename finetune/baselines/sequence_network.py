"""Sequence network: U-Sleep on windows of pages that follow one another, from braindecode.

Perslev et al. (2021), npj Digit. Med. 4, 72, with the architecture of braindecode and its own training:
it learns from the dataset alone, on all its lanes, and every pass cuts the nights at other places. The
weights that are kept are a running mean of those of the last steps, which stands for a learning rate that
falls: how long training goes on is decided by early stopping. The probabilities of a page are the means of
those of the windows that it is in.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.baselines import (
    braindecode_models,
    early_stopping,
    sequences,
    store,
    weights_file,
)
from psgimg.finetune.baselines.nights import PAGE_SAMPLES, SFREQ_HZ, Task
from psgimg.finetune.baselines.sequences import LENGTH, Sequences, Window

if TYPE_CHECKING:
    import torch
    from torch import nn

BATCH = 2
"""Windows of a step: few, since each has 35 pages, and a small corpus would else make too few steps."""

LEARNING_RATE = 1e-3
DECAY = 0.99
"""What a step leaves of the running mean of the weights."""

PASSES = 30
PASSES_UNVALIDATED = 15
"""Number of passes without a validation split."""


@dataclass(frozen=True, eq=False)
class SequenceNetwork:
    """A trained network.

    Parameters
    ----------
    facts
        Settings and losses, for the JSON file beside the predictions.
    """

    model: nn.Module
    n_lanes: int
    facts: Mapping[str, Any]

    def probabilities(self, night: Sequences) -> npt.NDArray[np.float64]:
        """Return (n, 5) probabilities of the pages of a night."""
        return probabilities(self.model, night)

    def save(self, path: Path) -> None:
        """Write the network to a file."""
        weights_file.write(path, self.model, self.facts, {"n_lanes": self.n_lanes})


def load(path: Path) -> SequenceNetwork:
    """Read a network from the file that ``SequenceNetwork.save`` wrote."""
    values = weights_file.read(path)
    model = untrained(values["n_lanes"])
    model.load_state_dict(values["weights"])
    return SequenceNetwork(model, values["n_lanes"], values["facts"])


def train(task: Task) -> SequenceNetwork:
    """Train on the train split, with early stopping on validation."""
    import torch

    chosen = task.nights.train
    own = sequences.scaled_pages
    with tempfile.TemporaryDirectory(prefix="psgimg-lanes-") as room, torch.random.fork_rng():
        torch.manual_seed(task.seed)
        told = "lanes for training"
        held = store.fill(Path(room, "train"), chosen, told, task, task.votes, own)
        train_set = Sequences(held.pages_uv, sequences.runs(chosen))
        watched = None
        if others := early_stopping.held_out(task, "usleep", PASSES_UNVALIDATED):
            path = Path(room, "validation")
            kept = store.fill(path, others, "lanes for validation", task, prepare=own)
            watched = (Sequences(kept.pages_uv, sequences.runs(others)), kept.targets)
        n_lanes = held.pages_uv.shape[1]
        model = untrained(n_lanes)
        facts = fit(model, train_set, held.targets, watched, task)
    return SequenceNetwork(model, n_lanes, {"method": _settings(), **facts})


def fit(
    model: nn.Module,
    train_set: Sequences,
    targets: npt.NDArray[np.float32],
    validation: tuple[Sequences, npt.NDArray[np.float32]] | None,
    task: Task,
) -> dict[str, Any]:
    """Train a model in place; see :func:`psgimg.finetune.baselines.early_stopping.fit`.

    Parameters
    ----------
    targets : (n, 5)
        Shares of the scorers who chose each stage of the pages.
    validation
        Pages of other people with their targets.
    """
    import torch
    from torch.optim.swa_utils import AveragedModel

    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE)
    average = AveragedModel(model, avg_fn=_running_mean, use_buffers=True)
    rng = np.random.default_rng(task.seed)

    def one_pass() -> None:
        model.train()
        windows = sequences.random_windows(train_set.runs, rng)
        for first in range(0, len(windows), BATCH):
            some = windows[first : first + BATCH]
            log_probs = _log_probabilities(model, train_set.pages, some)
            wanted = torch.zeros_like(log_probs)
            for i, (start, stop) in enumerate(some):
                wanted[i, : stop - start] = torch.from_numpy(targets[start:stop])
            loss = -(wanted * log_probs).sum() / wanted.sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            average.update_parameters(model)

    watched = partial(_loss, average.module, *validation) if validation else None
    n_passes = PASSES if validation else PASSES_UNVALIDATED
    facts = early_stopping.fit(average.module, one_pass, watched, n_passes, task.progress)
    model.load_state_dict(average.module.state_dict())
    return facts


def probabilities(model: nn.Module, night: Sequences) -> npt.NDArray[np.float64]:
    """Return (n, 5) probabilities of the pages of some runs, means over the windows they are in."""
    import torch

    model.eval()
    sums = np.zeros((len(night.pages), len(STAGE_NAMES)))
    windows = sequences.overlapping_windows(night.runs)
    with torch.inference_mode():
        for first in range(0, len(windows), BATCH):
            some = windows[first : first + BATCH]
            found = _log_probabilities(model, night.pages, some).double().exp().cpu().numpy()
            for values, (start, stop) in zip(found, some, strict=True):
                sums[start:stop] += values[: stop - start]
    return np.asarray(sums / sums.sum(axis=1, keepdims=True))


def untrained(n_lanes: int) -> nn.Module:
    """Return an untrained network, on a GPU if available."""
    import torch

    model: nn.Module = braindecode_models.models().USleep(
        n_chans=n_lanes,
        sfreq=SFREQ_HZ,
        n_times=PAGE_SAMPLES,
        n_outputs=len(STAGE_NAMES),
        ensure_odd_conv_size=True,
    )
    return model.to("cuda" if torch.cuda.is_available() else "cpu")


def _log_probabilities(
    model: nn.Module, pages: npt.NDArray[np.float16], windows: Sequence[Window]
) -> torch.Tensor:
    """Return (n_windows, LENGTH, 5) log-probabilities; short windows are padded with silence."""
    import torch

    batch = np.zeros((len(windows), LENGTH, *pages.shape[1:]), np.float32)
    for i, (start, stop) in enumerate(windows):
        batch[i, : stop - start] = pages[start:stop]
    device = next(model.parameters()).device
    with warnings.catch_warnings():
        # Its kernels of 2 are padded by a copy, as torch says once
        warnings.filterwarnings("ignore", "Using padding='same' with even kernel", UserWarning)
        logits: torch.Tensor = model(torch.from_numpy(batch).to(device))
    return logits.permute(0, 2, 1).log_softmax(-1)


def _running_mean(mean: torch.Tensor, new: torch.Tensor, n: torch.Tensor | int) -> torch.Tensor:
    """Return the running mean of a weight after ``n`` steps; the first ones count less and less."""
    return mean + (new - mean) * max(1 - DECAY, 9 / (10 + int(n)))


def _loss(model: nn.Module, night: Sequences, targets: npt.NDArray[np.float32]) -> float:
    """Return the mean cross-entropy of the validation split."""
    likelihood = (probabilities(model, night) * targets).sum(axis=1)
    return float(-np.log(np.maximum(likelihood, 1e-12)).mean())


def _settings() -> dict[str, Any]:
    return {
        "network": "USleep",
        "pages_of_a_window": LENGTH,
        "batch": BATCH,
        "learning_rate": LEARNING_RATE,
        "decay": DECAY,
        "passes": PASSES,
        "patience": early_stopping.PATIENCE,
    }
