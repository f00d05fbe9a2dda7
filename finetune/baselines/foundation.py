"""Foundation: LaBraM, a network pretrained on much EEG, and a linear probe of its features.

Jiang et al. (2024), arXiv:2405.18765, from braindecode. Its weights, which psgimg does not bring, stay as
they are; a logistic regression learns the stages from the mean of its tokens. It knows electrodes by their
names, sees the EEG lanes of one page, filtered as for the picture, and no lane of another kind.
"""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import BuildError
from psgimg.builder.signals.epoching import PAGE_S
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune import hub
from psgimg.finetune.baselines import braindecode_models, nights
from psgimg.finetune.baselines.nights import Night, Task
from psgimg.finetune.metrics.disclosure import Elsewhere
from psgimg.finetune.models import identity

SFREQ_HZ = 200.0
"""Sampling rate that LaBraM was pretrained at."""

UNIT_UV = 100.0
"""LaBraM takes signals in units of 0.1 mV."""

BATCH = 32

PUBLISHED = "braindecode/labram-pretrained"
"""Weights on the Hub that braindecode's documentation names."""

LEARNED_FROM = Elsewhere(
    "LaBraM, by the weights that were given,",
    (),
    "no list of their recordings is among the weights",
    complete=False,
)

Features = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Weights:
    """Pretrained weights.

    Parameters
    ----------
    name
        Last part of the folder, or the id on the Hub.
    digest
        Hash of the files.
    folder
        Where they are.
    """

    name: str
    digest: str
    folder: Path

    def facts(self) -> dict[str, str]:
        """Return their name and hash as JSON values."""
        return {"name": self.name, "hash": self.digest}


def located(source: str) -> Weights:
    """Return pretrained weights in a folder or on the Hub, from which they are downloaded.

    Raises
    ------
    BuildError
        If there are none, or they are not those of a Labram of braindecode.
    """
    folder = hub.folder(source)
    if folder is None:
        folder = _downloaded(source)
        found = Weights(source, folder.name, folder)
    else:
        found = Weights(folder.resolve().name, identity.identify(source).weights, folder.resolve())
    network(found.folder)
    return found


def _downloaded(source: str) -> Path:
    """Return the folder in the cache with the files of a repository on the Hub."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    hub.require(source, "model")
    try:
        return Path(snapshot_download(source, allow_patterns=["config.json", "*.safetensors"]))
    except (HfHubHTTPError, OSError) as error:
        raise BuildError(hub.refusal(source, "model", None, error)) from error


@cache
def network(folder: Path) -> Any:
    """Return the pretrained network, ready to be asked, on the CPU.

    Raises
    ------
    BuildError
        If a weight is missing or of another size: none is ever random.
    """
    labram = braindecode_models.models().Labram
    try:
        # It warns that channels are not all of those it knows, and prints where weights are.
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            model = labram.from_pretrained(str(folder), strict=True)
        if model.n_times > PAGE_S * SFREQ_HZ:
            raise ValueError(
                f"its windows of {model.n_times / SFREQ_HZ:g} s are longer than a page"
            )
    except (OSError, RuntimeError, TypeError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise BuildError(
            f"--weights {folder}: not a Labram as braindecode saves it ({reason}); give the folder "
            "with config.json and model.safetensors, or its id on the Hub"
        ) from error
    return model.eval()


def of_night(folder: Path, night: Night) -> Features:
    """Return the features of a night's pages, (n_pages, n_features).

    Raises
    ------
    BuildError
        If no EEG lane of the night is of an electrode that LaBraM knows.
    """
    lanes = night.read(filtered=True, sfreq_hz=SFREQ_HZ)
    named = zip(lanes.kinds, lanes.signals.lanes, lanes.live, strict=True)
    electrodes = {
        i: (name or "").partition("-")[0].upper()
        for i, (kind, name, live) in enumerate(named)
        if kind == "eeg" and live
    }
    known = {i: name for i, name in electrodes.items() if name in _known()}
    if not known:
        raise BuildError(
            f"labram: {night.key.recording} has no EEG lane of an electrode that LaBraM knows, only "
            f"{', '.join(electrodes.values()) or 'lanes without a signal'}; leave labram out"
        )
    return features(network(folder), lanes.pages_uv()[:, list(known)], list(known.values()))


def features(model: Any, pages_uv: npt.NDArray[np.float32], electrodes: list[str]) -> Features:
    """Return the mean of the tokens of each page, over all windows of it, (n_pages, n_features).

    Parameters
    ----------
    pages_uv : (n_pages, n_electrodes, n_samples)
    """
    import torch

    n_windows = pages_uv.shape[2] // model.n_times
    first = (pages_uv.shape[2] - n_windows * model.n_times) // 2
    found = []
    with torch.inference_mode():
        for start in range(0, len(pages_uv), BATCH):
            some = np.nan_to_num(pages_uv[start : start + BATCH]) / UNIT_UV
            means = 0
            for k in range(n_windows):
                at = first + k * model.n_times
                window = torch.from_numpy(some[:, :, at : at + model.n_times])
                told = model(window, return_features=True, ch_names=electrodes)
                means = means + told["features"].mean(1) / n_windows
            found.append(np.asarray(means, np.float32))
    return np.concatenate(found)


@dataclass(frozen=True, eq=False)
class Probe:
    """A logistic regression on features.

    Parameters
    ----------
    centre, width : (n_features,)
        Mean and standard deviation of the training pages.
    coefficients : (n_classes, n_features)
    intercepts : (n_classes,)
    classes
        The stages of the training pages.
    facts
        Settings, for the JSON file beside the predictions.
    """

    centre: list[float]
    width: list[float]
    coefficients: list[list[float]]
    intercepts: list[float]
    classes: list[int]
    facts: Mapping[str, Any]

    def probabilities(self, night: Features) -> npt.NDArray[np.float64]:
        """Return (n, 5) probabilities of pages by their features; 0 of a stage that was never seen."""
        scaled = (night - np.array(self.centre)) / np.array(self.width)
        logits = scaled @ np.array(self.coefficients).T + np.array(self.intercepts)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        values = np.zeros((len(night), len(STAGE_NAMES)))
        values[:, self.classes] = odds / odds.sum(axis=1, keepdims=True)
        return values

    def save(self, path: Path) -> None:
        """Write the probe to a file."""
        path.write_text(json.dumps(asdict(self)))


def load(path: Path) -> Probe:
    """Read a probe from the file that ``Probe.save`` wrote."""
    return Probe(**json.loads(path.read_text()))


def train(task: Task, weights: Weights) -> Probe:
    """Train on the train split.

    Raises
    ------
    BuildError
        If all pages have the same stage.
    """
    chosen = task.nights.train
    told = "features for training"
    frames = dict(nights.process(chosen, partial(of_night, weights.folder), told, task))
    table = np.concatenate([frames[night] for night in chosen])
    shares = np.concatenate([night.scorers(task.votes).shares for night in chosen])
    return fit(table, shares, {"method": {"network": "Labram", "weights": weights.facts()}})


def fit(table: Features, shares: npt.NDArray[np.float32], facts: Mapping[str, Any]) -> Probe:
    """Train a probe on features, given the shares (n, 5) of the scorers who chose each stage."""
    from sklearn.linear_model import LogisticRegression

    pages, stages = np.nonzero(shares)
    if len(np.unique(stages)) < 2:
        raise BuildError(
            f"every training page is {STAGE_NAMES[stages[0]]}; give a dataset with more stages"
        )
    centre, width = table.mean(axis=0, dtype=np.float64), table.std(axis=0, dtype=np.float64)
    width[width == 0] = 1
    model = LogisticRegression(max_iter=2000)
    model.fit(((table - centre) / width)[pages], stages, sample_weight=shares[pages, stages])
    coefficients, intercepts = model.coef_, model.intercept_
    if len(coefficients) == 1:  # of two classes, the second against the first
        coefficients = np.vstack([np.zeros_like(coefficients), coefficients])
        intercepts = np.append(0.0, intercepts)
    return Probe(
        centre.tolist(),
        width.tolist(),
        coefficients.tolist(),
        intercepts.tolist(),
        model.classes_.tolist(),
        facts,
    )


@cache
def _known() -> frozenset[str]:
    """Return the names of the electrodes that LaBraM knows."""
    braindecode_models.models()
    from braindecode.models.labram import LABRAM_CHANNEL_ORDER

    return frozenset(name.upper() for name in LABRAM_CHANNEL_ORDER)
