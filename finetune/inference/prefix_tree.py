"""Prefix tree: the five answers as one sequence after a prompt, in which tokens attend to their own.

Shared beginnings of answers (N1, N2 and N3) are processed once, and the cache of the prompt is not
copied for each answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from psgimg.finetune.inference.encoding import Candidates

ROOT = -1
"""Parent of the first token of an answer: the end of the prompt."""


@dataclass(frozen=True)
class Tree:
    """Prefix tree of the answers without their last tokens, whose logits are not needed.

    Parameters
    ----------
    tokens, parents, depths
        Token of each node, its parent node, and its number of tokens after the first of the answer.
    steps
        For each answer, the pairs (parent node, token) of its tokens.
    """

    tokens: tuple[int, ...]
    parents: tuple[int, ...]
    depths: tuple[int, ...]
    steps: tuple[tuple[tuple[int, int], ...], ...]

    @classmethod
    def of(cls, answers: Candidates) -> Tree:
        """Build the tree of some answers."""
        nodes: dict[tuple[int, ...], int] = {}
        steps = []
        for ids, mask in zip(answers.ids.tolist(), answers.mask.tolist(), strict=True):
            answer = ids[: sum(mask)]
            prefixes = [tuple(answer[:i]) for i in range(1, len(answer))]
            before = [ROOT, *(nodes.setdefault(path, len(nodes)) for path in prefixes)]
            steps.append(tuple(zip(before, answer, strict=True)))
        return cls(
            tokens=tuple(path[-1] for path in nodes),
            parents=tuple(nodes.get(path[:-1], ROOT) for path in nodes),
            depths=tuple(len(path) - 1 for path in nodes),
            steps=tuple(steps),
        )

    @cached_property
    def attends(self) -> torch.Tensor:
        """(nodes, nodes) bool, whether the row's node attends to the column's: itself or an ancestor."""
        attends = torch.eye(len(self.tokens), dtype=torch.bool)
        for node, parent in enumerate(self.parents):  # parents precede children
            if parent != ROOT:
                attends[node] |= attends[parent]
        return attends

    def mask(self, prompt: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """Return the additive attention mask of the nodes, (n, 1, nodes, prompt + nodes).

        Parameters
        ----------
        prompt : (n, prompt)
            Attention mask of the prompts.
        """
        return _additive(self._visible(prompt), dtype)

    def mask_with_prompt(self, prompt: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """Return that of the prompt and the nodes, (n, 1, prompt + nodes, prompt + nodes)."""
        n, n_prompt = prompt.shape
        causal = torch.ones(n_prompt, n_prompt, dtype=torch.bool, device=prompt.device).tril()
        past = causal & prompt.bool()[:, None, :]
        unseen = past.new_zeros(n, n_prompt, len(self.tokens))
        return _additive(
            torch.cat([torch.cat([past, unseen], dim=-1), self._visible(prompt)], dim=1), dtype
        )

    def _visible(self, prompt: torch.Tensor) -> torch.Tensor:
        """Return (n, nodes, prompt + nodes) bool, what each node attends to."""
        n, m = len(prompt), len(self.tokens)
        past = prompt.bool()[:, None, :].expand(n, m, -1)
        return torch.cat([past, self.attends.to(prompt.device).expand(n, m, m)], dim=-1)

    def sums(self, first: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        """Return the log-probabilities of the answers, (n, answers).

        Parameters
        ----------
        first : (n, vocabulary)
            Logits after the prompt.
        after : (n, nodes, vocabulary)
            Logits after each node.
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


def _additive(visible: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return a mask that is 0 where (n, queries, keys) are visible, (n, 1, queries, keys)."""
    hidden = torch.zeros(visible.shape, dtype=dtype, device=visible.device)
    return hidden.masked_fill_(~visible, torch.finfo(dtype).min)[:, None]
