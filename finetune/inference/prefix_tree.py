"""Tree: the five answers as one short sequence after a prompt, in which each token sees its own past.

What answers share (N1, N2 and N3 begin alike) goes through the model once, and the prompt's cache
is not copied for each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from psgimg.finetune.inference.encoding import Candidates

ROOT = -1
"""Where the prompt ends."""


@dataclass(frozen=True)
class Tree:
    """Tokens that are fed: every beginning of an answer, but not its last token.

    Parameters
    ----------
    tokens, parents, depths
        Of each node its token, the node before it, and how many tokens after the prompt it is.
    steps
        Answer → (node before, token) of each of its tokens.
    """

    tokens: tuple[int, ...]
    parents: tuple[int, ...]
    depths: tuple[int, ...]
    steps: tuple[tuple[tuple[int, int], ...], ...]

    @classmethod
    def of(cls, answers: Candidates) -> Tree:
        """The tree of some answers."""
        nodes: dict[tuple[int, ...], int] = {}
        steps = []
        for ids, mask in zip(answers.ids.tolist(), answers.mask.tolist(), strict=True):
            told = ids[: sum(mask)]
            beginnings = [tuple(told[:i]) for i in range(1, len(told))]
            before = [ROOT, *(nodes.setdefault(path, len(nodes)) for path in beginnings)]
            steps.append(tuple(zip(before, told, strict=True)))
        return cls(
            tokens=tuple(path[-1] for path in nodes),
            parents=tuple(nodes.get(path[:-1], ROOT) for path in nodes),
            depths=tuple(len(path) - 1 for path in nodes),
            steps=tuple(steps),
        )

    @cached_property
    def sees(self) -> torch.Tensor:
        """(nodes, nodes) whether the one in the row sees the other: itself and its past."""
        found = torch.eye(len(self.tokens), dtype=torch.bool)
        for node, parent in enumerate(self.parents):  # parents come first
            if parent != ROOT:
                found[node] |= found[parent]
        return found

    def mask(self, prompt: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """(n, 1, nodes, prompt + nodes) what is added to attention, for a prompt's mask (n, prompt)."""
        n, device = len(prompt), prompt.device
        m = len(self.tokens)
        past = prompt.bool()[:, None, :].expand(n, m, -1)
        own = self.sees.to(device).expand(n, m, m)
        seen = torch.cat([past, own], dim=-1)[:, None]
        return torch.zeros(seen.shape, dtype=dtype, device=device).masked_fill(
            ~seen, torch.finfo(dtype).min
        )

    def sums(self, first: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        """(n, answers) log-probabilities, from logits (n, words) after the prompt and (n, nodes,
        words) after each node.
        """
        at_root = first.float().log_softmax(-1)
        at_node = after.float().log_softmax(-1)
        columns = [
            torch.stack(
                [
                    at_root[:, token] if node == ROOT else at_node[:, node, token]
                    for node, token in steps
                ]
            ).sum(0)
            for steps in self.steps
        ]
        return torch.stack(columns, dim=1)
