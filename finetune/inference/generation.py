"""Generation: answers by greedy decoding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from psgimg.finetune.data.chat import ChatRow
from psgimg.finetune.inference import encoding
from psgimg.finetune.inference.encoding import Encoded

GREEDY = {
    "do_sample": False,
    "num_beams": 1,
    "repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "temperature": 1.0,
    "top_p": 1.0,
    "top_k": 50,
}
"""Greedy decoding, whatever the ``generation_config.json`` of a model sets."""


def generate(model: Any, processor: Any, rows: Sequence[ChatRow], max_new_tokens: int) -> list[str]:
    """Return the answers of a model to some prompts, without special tokens.

    Parameters
    ----------
    max_new_tokens
        Maximum length of an answer in tokens.
    """
    return generate_encoded(
        model, processor, encoding.encode(model, processor, rows), max_new_tokens
    )


def generate_encoded(
    model: Any, processor: Any, encoded: Encoded, max_new_tokens: int
) -> list[str]:
    """Return the answers to prompts that are already encoded; see :func:`generate`."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            inputs = encoding.moved(encoded, model.device)
            tokens = model.generate(**inputs, **GREEDY, max_new_tokens=max_new_tokens)
    finally:
        model.train(training)
    answers = tokens[:, encoded["input_ids"].shape[1] :]
    texts: list[str] = processor.tokenizer.batch_decode(answers, skip_special_tokens=True)
    return texts
