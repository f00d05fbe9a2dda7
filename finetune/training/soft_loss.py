"""Soft loss: cross-entropy against the shares of the scorers who chose each of the five answers.

The answer of one scorer, drawn by lot, is in the batch as if it were the label. At each of its tokens
the loss is the cross-entropy against all answers that begin with the tokens before it: in ``N1``, N is
compared with W, N and REM by their shares, and 1 with 1, 2 and 3 by the shares among those who chose N.
Averaged over the draws, this is exactly the cross-entropy of the five whole answers, with the end of
the turn; where answers differ in their first token, little is left to chance. A batch has as many
tokens as with labels, so that neither memory nor time grows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from psgimg.builder.errors import BuildError
from psgimg.finetune.data.collator import IGNORED
from psgimg.finetune.data.soft_labels import SHARES
from psgimg.finetune.inference import encoding
from psgimg.finetune.inference.forward import Forward

TOKENS, WEIGHTS = "soft_tokens", "soft_weights"
"""Keys of a batch: at each token of the drawn answer, the token that each of the five answers has there,
and its weight, both (rows, tokens, 5). Weights of padding are 0."""


@dataclass
class SoftTargets:
    """A collator that adds the answers of all scorers to rows that have their shares.

    Parameters
    ----------
    collator
        Its labels cover the answer and the token that ends the turn.
    answers
        Stage → text of its answer.
    """

    collator: Callable[[list[dict[str, Any]]], Any]
    processor: Any
    answers: Mapping[str, str]
    _paths: list[tuple[int, ...]] = field(default_factory=list)

    def __call__(self, examples: list[dict[str, Any]]) -> Any:
        """Collate chat rows into a batch."""
        soft = SHARES in examples[0]
        paths = self._paths or (self._find(examples[0]) if soft else [])  # before TRL rewrites it
        batch = self.collator(examples)
        if soft:
            drawn = [tuple(row[row != IGNORED].tolist()) for row in batch["labels"]]
            shares = torch.tensor([row[SHARES] for row in examples], dtype=torch.float32)
            batch[TOKENS], batch[WEIGHTS] = targets(paths, drawn, shares)
        return batch

    def _find(self, row: Any) -> list[tuple[int, ...]]:
        """Return the tokens of the five answers, which follow any prompt alike."""
        found = encoding.candidates(self.processor, row, self.answers)
        pairs = zip(found.ids.tolist(), found.mask.tolist(), strict=True)
        self._paths = [tuple(ids[: sum(mask)]) for ids, mask in pairs]
        return self._paths


def targets(
    paths: list[tuple[int, ...]], drawn: list[tuple[int, ...]], shares: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the tokens and weights of a batch; see ``TOKENS``.

    Parameters
    ----------
    paths
        Tokens of the five answers.
    drawn
        Those of the answer in each row.
    shares : (rows, 5)

    Raises
    ------
    BuildError
        If the chat template writes an answer in other tokens than those expected.
    """
    if unknown := set(drawn) - set(paths):
        raise BuildError(
            f"--soft-labels: the chat template gives an answer the tokens {sorted(unknown)[0]}, not "
            "those of any of the five answers; use another with --chat-template-path FILE.jinja"
        )
    longest = max(map(len, drawn))
    tokens = torch.zeros(len(drawn), longest, len(paths), dtype=torch.long)
    weights = torch.zeros(len(drawn), longest, len(paths))
    for row, answer in enumerate(drawn):
        for at in range(len(answer)):
            for k, path in enumerate(paths):
                if path[:at] == answer[:at] and at < len(path):
                    tokens[row, at, k], weights[row, at, k] = path[at], shares[row, k]
    return tokens, weights / weights.sum(-1, keepdim=True).clamp(min=1e-9)


def summed(model: Any, forward: Forward, inputs: Mapping[str, Any]) -> torch.Tensor:
    """Return the cross-entropy of a batch, summed over the tokens of its answers."""
    tokens, weights, labels = inputs[TOKENS], inputs[WEIGHTS], inputs["labels"]
    answer = labels != IGNORED
    # The logits after the token before the first answer and later; others are not computed
    n_kept = labels.shape[1] - int(answer.any(0).nonzero()[0]) + 1
    own = {k: v for k, v in inputs.items() if k not in (TOKENS, WEIGHTS, "labels", "use_cache")}
    logits = model(**own, **forward.keep(n_kept), use_cache=False).logits[:, -n_kept:]
    log_probs = logits[:, :-1][answer[:, 1 - n_kept :]].float().log_softmax(-1)
    known = weights.sum(-1) > 0
    return -(weights[known] * log_probs.gather(1, tokens[known])).sum()
