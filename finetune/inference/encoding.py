"""Inputs: chat rows to the tensors that a model takes, exactly as TRL's trainer makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.data.chat import ChatRow
from psgimg.finetune.data.collator import special_tokens
from trl.data_utils import apply_chat_template, prepare_multimodal_messages

Encoded = dict[str, torch.Tensor]
"""Prompts and their pictures as a model's forward takes them, by the names of its parameters."""


@dataclass(frozen=True)
class Candidates:
    """The five answers as a model would say them, up to the end of its turn.

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
    """What ``model`` takes of some prompts and their pages, padded at the left.

    Whatever the trainer does to a prompt is done here with its own functions: the chat template,
    the places of the pictures, no token added.
    """
    asked = [_texts(processor, row, "W")[0] for row in rows]
    encoded = processor(
        text=asked,
        images=[row["images"] for row in rows],  # nested: a flat list breaks some families
        padding=True,
        padding_side="left",
        return_tensors="pt",
        add_special_tokens=False,
    )
    return dict(encoded.to(model.device, dtype=model.dtype))


def candidates(processor: Any, row: ChatRow, answers: Mapping[str, str]) -> Candidates:
    """The five answers in tokens, each with the token that ends the turn.

    Parameters
    ----------
    row
        Any prompt; a template may say an answer differently after other words.
    answers
        Stage → text.
    """
    tokenizer = processor.tokenizer
    told = [_texts(processor, row, answers[stage])[1] for stage in STAGE_NAMES]
    ids = [
        _to_end_of_turn(tokenizer, tokenizer(text, add_special_tokens=False)["input_ids"])
        for text in told
    ]
    longest = max(map(len, ids))
    padded = [some + [tokenizer.pad_token_id or 0] * (longest - len(some)) for some in ids]
    mask = [[1] * len(some) + [0] * (longest - len(some)) for some in ids]
    return Candidates(torch.tensor(padded), torch.tensor(mask))


def _texts(processor: Any, row: ChatRow, answer: str) -> tuple[str, str]:
    """A prompt and an answer to it as the chat template writes them."""
    turns: Any = row["prompt"]
    said = {"role": "assistant", "content": [{"type": "text", "text": answer}]}
    prompt = prepare_multimodal_messages(turns, images=row["images"])
    example: Any = {"prompt": prompt, "completion": [said]}
    texts = apply_chat_template(example, processor)
    return texts["prompt"], texts["completion"]


def _to_end_of_turn(tokenizer: Any, ids: list[int]) -> list[int]:
    """Tokens up to the one that ends the turn: what templates write after it nobody generates."""
    special = special_tokens(tokenizer)
    for i, token in enumerate(ids):
        if i and token in special:
            return ids[: i + 1]
    return ids
