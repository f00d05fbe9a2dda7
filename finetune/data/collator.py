"""Collator: labels that restrict the loss to the answer and the token that ends its turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

IGNORED = -100


@dataclass
class AnswerOnly:
    """A collator whose labels stop at the end of the turn.

    Most chat templates add text after it, such as a line break, which is never generated.

    Parameters
    ----------
    collator
        TRL's collator, whose labels cover the completion.
    """

    collator: Callable[[list[dict[str, Any]]], Any]
    tokenizer: Any

    def __call__(self, examples: list[dict[str, Any]]) -> Any:
        """Collate chat rows into a batch."""
        batch = self.collator(examples)
        special = special_tokens(self.tokenizer)
        for labels in batch["labels"]:
            covered = (labels != IGNORED).nonzero().flatten().tolist()
            ends = [at for at in covered[1:] if int(labels[at]) in special]
            if ends:
                labels[ends[0] + 1 :] = IGNORED
        return batch


def supervised(batch: Any, tokenizer: Any, row: int = 0) -> str:
    """Return the text that the loss of a row covers, with its special tokens."""
    labels = batch["labels"][row]
    return str(tokenizer.decode(labels[labels != IGNORED], skip_special_tokens=False))


def special_tokens(tokenizer: Any) -> set[int]:
    """Return the ids of all special tokens; the first of them in an answer ends the turn."""
    added = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
    return added | set(tokenizer.all_special_ids)
