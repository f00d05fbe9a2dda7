"""Encoding: chat rows as input tensors of a model, exactly as TRL's trainer prepares them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jinja2 import TemplateError
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.data.chat import ChatRow
from psgimg.finetune.data.collator import special_tokens
from psgimg.finetune.models.page_positions import PagePositions
from trl.data_utils import apply_chat_template, prepare_multimodal_messages

Encoded = dict[str, Any]
"""Prompts and pictures as keyword arguments of a model's forward method, mostly tensors."""


OFFSETS = "offsets_after"
"""Key of the offsets (n, 1) of the positions of tokens after a prompt, which no model takes."""


@dataclass(frozen=True)
class Encoder:
    """Encodes chat rows on the CPU; it can be sent to another process.

    Parameters
    ----------
    dtype
        Precision of the model, which halves what is copied to a card where it is half.
    positions
        Adds what a model would derive from the size of the pages on the card, and ``OFFSETS``.
    """

    processor: Any
    dtype: torch.dtype
    positions: PagePositions | None = None

    def __call__(self, rows: Sequence[ChatRow]) -> Encoded:
        """Return prompts and their pages, padded on the left.

        Prompts are processed by the same functions as in training: chat template, positions of the
        pictures, no added special tokens.
        """
        encoded = self.processor(
            text=[_texts(self.processor, row, "W")[0] for row in rows],
            images=[row["images"] for row in rows],  # nested: a flat list breaks some families
            padding=True,
            padding_side="left",
            return_tensors="pt",
            add_special_tokens=False,
        )
        values = dict(encoded.to(dtype=self.dtype))
        if self.positions is not None:
            values[OFFSETS] = self.positions.add(values)
        return values


@dataclass(frozen=True)
class Candidates:
    """The five answers as token ids, each with the token that ends the turn.

    Parameters
    ----------
    ids
        (5, longest) token ids in the order of the stages, padded at the end.
    mask
        (5, longest), 1 for a token of the answer.
    """

    ids: torch.Tensor
    mask: torch.Tensor


def encode(model: Any, processor: Any, rows: Sequence[ChatRow]) -> Encoded:
    """Return the inputs of ``model`` for some prompts and their pages; see :class:`Encoder`."""
    return moved(Encoder(processor, model.dtype)(rows), model.device)


def moved(encoded: Encoded, device: torch.device) -> Encoded:
    """Return the inputs on a device; from pinned memory, they are copied while this code runs on."""
    return {
        key: value.to(device, non_blocking=True) if isinstance(value, torch.Tensor) else value
        for key, value in encoded.items()
    }


def candidates(processor: Any, row: ChatRow, answers: Mapping[str, str]) -> Candidates:
    """Return the five answers as tokens, each with the token that ends the turn.

    Parameters
    ----------
    row
        Any prompt; in some templates the text of an answer depends on what precedes it.
    answers
        Stage → text of its answer.
    """
    tokenizer = processor.tokenizer
    texts = [_texts(processor, row, answers[stage])[1] for stage in STAGE_NAMES]
    ids = [
        _to_end_of_turn(tokenizer, tokenizer(text, add_special_tokens=False)["input_ids"])
        for text in texts
    ]
    longest = max(map(len, ids))
    padded = [answer + [tokenizer.pad_token_id or 0] * (longest - len(answer)) for answer in ids]
    mask = [[1] * len(answer) + [0] * (longest - len(answer)) for answer in ids]
    return Candidates(torch.tensor(padded), torch.tensor(mask))


def _texts(processor: Any, row: ChatRow, answer: str) -> tuple[str, str]:
    """Return a prompt and an answer in the format of the chat template.

    Raises
    ------
    BuildError
        If the template is damaged, or does not allow such turns.
    """
    turns: Any = row["prompt"]
    reply = {"role": "assistant", "content": [{"type": "text", "text": answer}]}
    prompt = prepare_multimodal_messages(turns, images=row["images"])
    example: Any = {"prompt": prompt, "completion": [reply]}
    try:
        texts = apply_chat_template(example, processor)
    except TemplateError as error:
        raise BuildError(
            f"the model's chat template can't format a page ({error}); copy its chat_template.jinja "
            "again, or use another --prompt if it does not allow this one"
        ) from error
    return texts["prompt"], texts["completion"]


def _to_end_of_turn(tokenizer: Any, ids: list[int]) -> list[int]:
    """Return the tokens up to the one that ends the turn; later ones are never generated."""
    special = special_tokens(tokenizer)
    for i, token in enumerate(ids):
        if i and token in special:
            return ids[: i + 1]
    return ids
