"""Ablation: drop in the margin when a 14×14-px patch is replaced, following arXiv:2509.22810."""

from __future__ import annotations

import numpy as np
import torch
from captum.attr import FeatureAblation
from psgimg.finetune.explaining.cells import Floats, Pixels, ink, patches
from psgimg.finetune.explaining.margins import Case, PageScorer, margin


def density(case: Case, stage: int, score: PageScorer) -> Floats:
    """Return (height, width) drops in the margin of ``stage`` when a patch is filled, in nats.

    Each value is the mean over the fills, spread evenly over the patch's pixels. Computed by captum's
    feature ablation; patches that a fill does not change are treated as one feature.
    """
    drops = [_ablated(case, stage, fill, score) for fill in case.fills]
    return np.asarray(np.mean(drops, axis=0))


def _ablated(case: Case, stage: int, fill: Pixels, score: PageScorer) -> Floats:
    units = patches(*case.pixels.shape[:2])
    changes = np.bincount(units.ravel(), ink(case.pixels, fill).ravel())[units] > 0
    features = np.where(changes, units + 1, 0)
    _, features = np.unique(features, return_inverse=True)

    def margins(pictures: torch.Tensor) -> torch.Tensor:
        changed = pictures.permute(0, 2, 3, 1).numpy().astype(np.uint8)
        return torch.from_numpy(margin(score(case, changed), stage))

    drops = FeatureAblation(margins).attribute(
        _tensor(case.pixels),
        baselines=_tensor(fill),
        feature_mask=torch.from_numpy(features.reshape(units.shape))[None, None],
        perturbations_per_eval=score.batch_size,
    )
    area = np.bincount(units.ravel())[units]
    return np.where(changes, drops[0, 0].double().numpy() / area, 0.0)


def _tensor(pixels: Pixels) -> torch.Tensor:
    """(1, 3, height, width) float32."""
    return torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None]
