"""Gradients: integrated gradients of the margin along the path from each fill to the page.

For models whose image input is one tensor of the whole page, such as LLaVA. Sundararajan et al.,
arXiv:1703.01365, averaged over baselines (arXiv:1906.10670).
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
"""Positions of test blocks, as fractions of height and width, used to locate a page in the input."""
PROBE_SHARE = 0.08
SLACK_PX = 4
"""Distance in pixels by which resampling may spread a block in the model's input."""


@dataclass(frozen=True, eq=False)
class Gradients:
    """Integrated gradients of one model.

    Parameters
    ----------
    model, processor
        The model and its processor.
    answers
        Stage → text of its answer.
    batch_size
        Number of pictures per forward and backward pass.
    """

    model: Any
    processor: Any
    answers: Mapping[str, str]
    batch_size: int

    def density(self, case: Case, stage: int, other: int) -> Floats:
        """Return (height, width) the attribution of each pixel to the margin over ``other``.

        Attributions sum to the margin of the page minus the mean margin of its fills, up to the
        approximation by ``STEPS`` steps.

        Raises
        ------
        BuildError
            If pixels of the model's input can't be mapped to pixels of the page.
        """
        encoded = encoding.encode(self.model, self.processor, [case.chat])
        picture = self._picture(case, encoded)
        candidates = encoding.candidates(self.processor, case.chat, self.answers)

        def margins(pictures: torch.Tensor) -> torch.Tensor:
            values = [
                self._log_prob(case, encoded, pictures, candidates, k) for k in (stage, other)
            ]
            return values[0] - values[1]

        method = IntegratedGradients(margins)
        attributions = [
            method.attribute(
                picture,
                baselines=self._of(case, fill),
                n_steps=STEPS,
                internal_batch_size=self.batch_size,
            )
            for fill in case.fills
        ]
        shares = torch.cat(attributions).mean(0).sum(0).double().cpu().numpy()
        height, width = case.pixels.shape[:2]
        return _resampled(_resampled(shares, height).T, width).T

    def _log_prob(
        self,
        case: Case,
        encoded: Encoded,
        pictures: torch.Tensor,
        candidates: Candidates,
        answer: int,
    ) -> torch.Tensor:
        """Return (n,) the log-probability of one answer, with the page replaced by each picture."""
        n, device = len(pictures), pictures.device
        ids = candidates.ids[answer][candidates.mask[answer] == 1].to(device)
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
        """Return (1, 3, h, w) the page as the model's input; refuse models that split pages."""
        expected = {"input_ids", "attention_mask", PICTURE}
        pictures = encoded.get(PICTURE)
        if (
            pictures is None
            or pictures.shape[:2] != (len(case.chat["images"]), 3)
            or pictures.ndim != 4
            or set(encoded) != expected
            or not all(self._is_aligned(case, *place) for place in PROBES)
        ):
            raise BuildError(
                f"--method gradients: not for {type(self.model).__name__}, whose image input is not "
                "the whole page in one piece; use --method occlusion"
            )
        return pictures[case.place][None]

    def _is_aligned(self, case: Case, down: float, across: float) -> bool:
        """Whether a block of the page appears at the corresponding place of the model's input."""
        height, width = case.pixels.shape[:2]
        edges = np.array([down, down + PROBE_SHARE, across, across + PROBE_SHARE])
        top, bottom, left, right = np.rint(edges * [height, height, width, width]).astype(int)
        changed = case.ground.copy()
        changed[top:bottom, left:right] = 255 - changed[top:bottom, left:right]
        difference = (self._of(case, changed) - self._of(case, case.ground)).abs().sum((0, 1))
        rows, columns = (difference.amax(1 - axis).nonzero()[:, 0] for axis in (0, 1))
        if not len(rows):
            return False
        actual = [rows.min(), rows.max() + 1, columns.min(), columns.max() + 1]
        h, w = difference.shape
        scale = np.array([h / height, h / height, w / width, w / width])
        return bool((abs(np.array(actual) - [top, bottom, left, right] * scale) <= SLACK_PX).all())

    def _of(self, case: Case, pixels: Any) -> torch.Tensor:
        """Return (1, 3, h, w) a changed page as the model's input."""
        encoded = encoding.encode(self.model, self.processor, [case.chat_with(pixels)])
        return encoded[PICTURE][case.place][None]


def _resampled(density: Floats, n: int) -> Floats:
    """Resample (m, k) values to ``n`` rows; the sum of every column is preserved."""
    m = len(density)
    sums = np.concatenate([np.zeros((1, density.shape[1])), density.cumsum(axis=0)])
    at = np.linspace(0, m, n + 1)
    low = np.minimum(at.astype(int), m - 1)
    part = (at - low)[:, None]
    return np.asarray(np.diff(sums[low] * (1 - part) + sums[low + 1] * part, axis=0))
