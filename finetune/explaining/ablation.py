"""Ablation: what the margin loses when one 14×14-px patch is replaced, as arXiv 2509.22810 does."""

from __future__ import annotations

import numpy as np
import torch
from captum.attr import FeatureAblation
from psgimg.finetune.explaining.cells import Floats, Pixels, ink, patches
from psgimg.finetune.explaining.margins import Asking, Case, margin


def density(case: Case, stage: int, ask: Asking) -> Floats:
    """(height, width) what the margin of ``stage`` loses when a patch is filled, mean over the fills.

    Spread evenly over the patch's pixels. By captum's feature ablation; the patches that a fill
    does not change are one feature.
    """
    found = [_ablated(case, stage, fill, ask) for fill in case.fills]
    return np.asarray(np.mean(found, axis=0))


def _ablated(case: Case, stage: int, fill: Pixels, ask: Asking) -> Floats:
    units = patches(*case.pixels.shape[:2])
    changes = np.bincount(units.ravel(), ink(case.pixels, fill).ravel())[units] > 0
    features = np.where(changes, units + 1, 0)
    _, features = np.unique(features, return_inverse=True)

    def margins(pictures: torch.Tensor) -> torch.Tensor:
        changed = pictures.permute(0, 2, 3, 1).numpy().astype(np.uint8)
        return torch.from_numpy(margin(ask(case, changed), stage))

    found = FeatureAblation(margins).attribute(
        _tensor(case.pixels),
        baselines=_tensor(fill),
        feature_mask=torch.from_numpy(features.reshape(units.shape))[None, None],
        perturbations_per_eval=ask.batch_size,
    )
    area = np.bincount(units.ravel())[units]
    return np.where(changes, found[0, 0].double().numpy() / area, 0.0)


def _tensor(pixels: Pixels) -> torch.Tensor:
    """(1, 3, height, width) float32."""
    return torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None]
