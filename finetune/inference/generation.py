"""Generation: what a model says by itself, word after word, always the likeliest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from psgimg.finetune.data.chat import ChatRow
from psgimg.finetune.inference import encoding
from psgimg.finetune.inference.encoding import Encoded

PLAIN = {
    "do_sample": False,
    "num_beams": 1,
    "repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "temperature": 1.0,
    "top_p": 1.0,
    "top_k": 50,
}
"""The likeliest token each time, whatever a model's ``generation_config.json`` would rather have."""


def generate(model: Any, processor: Any, rows: Sequence[ChatRow], max_new_tokens: int) -> list[str]:
    """The texts that a model answers some prompts with, without special tokens.

    Parameters
    ----------
    max_new_tokens
        Where an answer that does not end is cut off.
    """
    return speak(model, processor, encoding.encode(model, processor, rows), max_new_tokens)


def speak(model: Any, processor: Any, encoded: Encoded, max_new_tokens: int) -> list[str]:
    """The same of prompts that are encoded."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            tokens = model.generate(**encoded, **PLAIN, max_new_tokens=max_new_tokens)
    finally:
        model.train(training)
    answers = tokens[:, encoded["input_ids"].shape[1] :]
    texts: list[str] = processor.tokenizer.batch_decode(answers, skip_special_tokens=True)
    return texts
