"""Gradients: integrated gradients of the margin along the way from each fill to the page.

For models whose picture is one tensor of the whole page, such as LLaVA's. Sundararajan et al.,
arXiv:1703.01365, averaged over where the way begins (arXiv:1906.10670).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from captum.attr import IntegratedGradients
from psgimg.builder.errors import BuildError
from psgimg.finetune.explaining.cells import Floats
from psgimg.finetune.explaining.margins import Case
from psgimg.finetune.inference import encoding
from psgimg.finetune.inference.encoding import Candidates, Encoded

STEPS = 16
PICTURE = "pixel_values"

PROBES = ((0.1, 0.1), (0.45, 0.6), (0.8, 0.85))
"""Where blocks are changed to see where they come out, as shares of height and width."""
PROBE_SHARE = 0.08
SLACK_PX = 4
"""How far resampling may spread a block in the model's picture."""


@dataclass(frozen=True, eq=False)
class Gradients:
    """Integrated gradients of one model.

    Parameters
    ----------
    answers
        Stage → text.
    """

    model: Any
    processor: Any
    answers: Mapping[str, str]
    batch_size: int

    def density(self, case: Case, stage: int, other: int) -> Floats:
        """(height, width) share of each pixel in the margin of ``stage`` over ``other``.

        They add up to the margin of the page less the mean of that of its fills, as nearly as
        ``STEPS`` allow.

        Raises
        ------
        BuildError
            If it is not known where the model's picture shows which part of the page.
        """
        encoded = encoding.encode(self.model, self.processor, [case.chat])
        picture = self._picture(case, encoded)
        told = encoding.candidates(self.processor, case.chat, self.answers)

        def margins(pictures: torch.Tensor) -> torch.Tensor:
            values = [self._log_prob(case, encoded, pictures, told, k) for k in (stage, other)]
            return values[0] - values[1]

        way = IntegratedGradients(margins)
        found = [
            way.attribute(
                picture,
                baselines=self._of(case, fill),
                n_steps=STEPS,
                internal_batch_size=self.batch_size,
            )
            for fill in case.fills
        ]
        shares = torch.cat(found).mean(0).sum(0).double().cpu().numpy()
        height, width = case.pixels.shape[:2]
        return _resampled(_resampled(shares, height).T, width).T

    def _log_prob(
        self, case: Case, encoded: Encoded, pictures: torch.Tensor, told: Candidates, answer: int
    ) -> torch.Tensor:
        """(n,) log-probability of one answer when the page looks like each of the pictures."""
        n, device = len(pictures), pictures.device
        ids = told.ids[answer][told.mask[answer] == 1].to(device)
        whole = {
            key: torch.cat([value, value.new_ones(1, len(ids))], dim=1).repeat(n, 1)
            for key, value in encoded.items()
            if key == "attention_mask"
        }
        whole["input_ids"] = torch.cat([encoded["input_ids"], ids[None]], dim=1).repeat(n, 1)
        shown = encoded[PICTURE][None].repeat(n, 1, 1, 1, 1)
        shown[:, case.place] = pictures
        whole[PICTURE] = shown.flatten(0, 1)
        logits = self.model(**whole, use_cache=False).logits[:, -len(ids) - 1 : -1]
        log_probs = logits.float().log_softmax(-1)
        return log_probs.gather(-1, ids.expand(n, -1)[..., None])[..., 0].sum(-1)

    def _picture(self, case: Case, encoded: Encoded) -> torch.Tensor:
        """(1, 3, h, w) the page as the model sees it, once it is sure to be the whole page."""
        known = {"input_ids", "attention_mask", PICTURE}
        pictures = encoded.get(PICTURE)
        if (
            pictures is None
            or pictures.shape[:2] != (len(case.chat["images"]), 3)
            or pictures.ndim != 4
            or set(encoded) != known
            or not all(self._comes_out(case, *place) for place in PROBES)
        ):
            raise BuildError(
                f"--method gradients: not for {type(self.model).__name__}, whose picture is not the "
                "page as one piece; use --method occlusion"
            )
        return pictures[case.place][None]

    def _comes_out(self, case: Case, down: float, across: float) -> bool:
        """Whether a block of the page comes out where it should in the model's picture."""
        height, width = case.pixels.shape[:2]
        edges = np.array([down, down + PROBE_SHARE, across, across + PROBE_SHARE])
        top, bottom, left, right = np.rint(edges * [height, height, width, width]).astype(int)
        changed = case.ground.copy()
        changed[top:bottom, left:right] = 255 - changed[top:bottom, left:right]
        difference = (self._of(case, changed) - self._of(case, case.ground)).abs().sum((0, 1))
        rows, columns = (difference.amax(1 - axis).nonzero()[:, 0] for axis in (0, 1))
        if not len(rows):
            return False
        found = [rows.min(), rows.max() + 1, columns.min(), columns.max() + 1]
        h, w = difference.shape
        scale = np.array([h / height, h / height, w / width, w / width])
        return bool((abs(np.array(found) - [top, bottom, left, right] * scale) <= SLACK_PX).all())

    def _of(self, case: Case, pixels: Any) -> torch.Tensor:
        """(1, 3, h, w) a changed page as the model sees it."""
        encoded = encoding.encode(self.model, self.processor, [case.asked(pixels)])
        return encoded[PICTURE][case.place][None]


def _resampled(density: Floats, n: int) -> Floats:
    """(m, k) values over the same length in ``n`` rows; every column keeps its sum."""
    m = len(density)
    sums = np.concatenate([np.zeros((1, density.shape[1])), density.cumsum(axis=0)])
    at = np.linspace(0, m, n + 1)
    low = np.minimum(at.astype(int), m - 1)
    part = (at - low)[:, None]
    return np.asarray(np.diff(sums[low] * (1 - part) + sums[low + 1] * part, axis=0))
