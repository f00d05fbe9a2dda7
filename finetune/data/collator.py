"""Collator: labels that restrict the loss to the answer and the token that ends its turn; parts of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

IGNORED = -100

PAGES = "n_pages"
"""Key of a batch: the number of pages of each row, (rows,). The model is not given it."""

GRID = "image_grid_thw"


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
        batch[PAGES] = batch["labels"].new_tensor([len(row["images"]) for row in examples])
        return batch


def padded(batch: Any, multiple: int) -> None:
    """Pad the tokens of a batch at the end to a multiple of some length, which is masked."""
    n_rows, n_tokens = batch["input_ids"].shape
    rest = -n_tokens % multiple
    for name, value in batch.items():
        if rest and getattr(value, "shape", None) == (n_rows, n_tokens):
            filler = IGNORED if name == "labels" else 0
            batch[name] = value.new_full((n_rows, n_tokens + rest), filler)
            batch[name][:, :n_tokens] = value


def parts(batch: Mapping[str, Any], n_parts: int) -> Iterator[dict[str, Any]]:
    """Yield a batch in parts of as many rows each as possible, with their pages.

    Values are told apart by their first dimension: rows, pages, or patches of all pages.

    Raises
    ------
    ValueError
        If a tensor has another first dimension.
    """
    ends = [0, *batch[PAGES].cumsum(0).tolist()]
    patches = None
    if GRID in batch:
        patches = [0, *batch[GRID].prod(-1).cumsum(0).tolist()]
    n_rows = len(ends) - 1
    size = -(-n_rows // n_parts)
    for start in range(0, n_rows, size):
        stop = min(start + size, n_rows)
        first, last = ends[start], ends[stop]
        cut = {n_rows: (start, stop), ends[-1]: (first, last)}
        if patches is not None:
            cut[patches[-1]] = (patches[first], patches[last])
        yield {name: _cut(name, value, cut) for name, value in batch.items()}


def _cut(name: str, value: Any, cut: Mapping[int, tuple[int, int]]) -> Any:
    """Return the part of a value by the length of its first dimension."""
    if not hasattr(value, "shape"):
        return value
    if len(value) not in cut:
        raise ValueError(f"{name} of {len(value)} entries can't be divided")
    start, stop = cut[len(value)]
    return value[start:stop]


def supervised(batch: Any, tokenizer: Any, row: int = 0) -> str:
    """Return the text that the loss of a row covers, with its special tokens."""
    labels = batch["labels"][row]
    return str(tokenizer.decode(labels[labels != IGNORED], skip_special_tokens=False))


def special_tokens(tokenizer: Any) -> set[int]:
    """Return the ids of all special tokens; the first of them in an answer ends the turn."""
    added = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
    return added | set(tokenizer.all_special_ids)
