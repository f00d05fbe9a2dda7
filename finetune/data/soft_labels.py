"""Soft labels: what share of the scorers of a page chose each stage, to learn from all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from psgimg.builder.dataset.prompts import Message, Prompt
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.data.page_index import NO_STAGE, Index
from psgimg.finetune.data.votes import Votes

Stages = npt.NDArray[np.int8]

SHARES = "shares"
"""Key of a chat row: the share of the scorers who chose each stage, five numbers."""

SALT = 5
"""Keeps the answer that is drawn for a page apart from its augmentation, by the same seed."""


@dataclass(frozen=True, eq=False)
class SoftLabels:
    """The scorers of all pages of a split.

    Parameters
    ----------
    shares : (n, 5) float32
        Share of the scorers of a page who chose each stage; rows are those of the split.
    several : (n,) bool
        Whether more than one person scored a page.
    """

    shares: npt.NDArray[np.float32]
    several: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, index: Index, votes: Votes) -> SoftLabels:
        """Return those of a split: by its votes, else by its two scorers, else by its labels."""
        keys = [(key.corpus, key.recording) for key in index.recordings]
        epochs = zip(index.recording.tolist(), index.epoch.tolist(), strict=True)
        voted = [votes.get((*keys[of], epoch)) for of, epoch in epochs] if votes else ()
        return cls.of_columns(index.label, index.label_2, voted)

    @classmethod
    def of_columns(cls, label: Stages, label_2: Stages, votes: Sequence[str | None]) -> SoftLabels:
        """Return those of some epochs; ``votes`` is empty where no epoch has any."""
        counts = np.zeros((len(label), len(STAGE_NAMES)), np.float32)
        counts[np.arange(len(counts)), label] = 1
        second = np.flatnonzero(label_2 != NO_STAGE)
        counts[second, label_2[second]] += 1
        for row, text in enumerate(votes):
            if text is not None:
                counts[row] = text.split()
        people = counts.sum(axis=1)
        return cls(counts / people[:, None], people > 1)

    def require(self, rows: npt.NDArray[np.int64], dataset: str) -> None:
        """Refuse pages of which each has one scorer.

        Raises
        ------
        BuildError
            If none of the rows has several.
        """
        if not self.several[rows].any():
            raise BuildError(one_scorer(dataset))

    def counts(self, rows: npt.NDArray[np.int64]) -> dict[str, int]:
        """Return the numbers of ``several`` (pages of more than one scorer) and ``disputed`` ones."""
        disputed = self.shares[rows].max(axis=1) < 1
        return {"several": int(self.several[rows].sum()), "disputed": int(disputed.sum())}

    def added(
        self, chat: Mapping[str, list[Any]], rows: Sequence[int], prompt: Prompt, draws: Draws
    ) -> dict[str, list[Any]]:
        """Return chat rows with the shares of their scorers and the answer of one, drawn by lot.

        The loss follows the drawn answer from token to token and compares every token with all
        scorers (:mod:`psgimg.finetune.training.soft_loss`).
        """
        answers = [
            [Message(role="assistant", content=prompt.answers[STAGE_NAMES[stage]])]
            for stage in draws.stages(self.shares[list(rows)])
        ]
        return {**chat, "completion": answers, SHARES: self.shares[list(rows)].tolist()}


def one_scorer(dataset: str) -> str:
    """Return the refusal of a dataset each of whose pages one person scored."""
    return (
        f"--soft-labels: no training page of {dataset} has more than one scorer; leave it out, or "
        "build from a corpus with several, such as dod-h, isruc or demo-varied"
    )


@dataclass(frozen=True)
class Draws:
    """What decides which scorer's answer is drawn at some positions of a training pass."""

    seed: int
    number: int
    positions: Sequence[int]

    def stages(self, shares: npt.NDArray[np.float32]) -> list[int]:
        """Return the stage drawn at each position by the shares (n, 5) of the scorers."""
        odds = shares.astype(np.float64)
        odds /= odds.sum(axis=1, keepdims=True)
        return [
            int(np.random.default_rng((self.seed, self.number, at, SALT)).choice(len(one), p=one))
            for at, one in zip(self.positions, odds, strict=True)
        ]
