"""Preflight: checks of the first batch before training, and a summary of what will be trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psgimg.builder.errors import BuildError
from psgimg.builder.words import percent
from psgimg.finetune.data.collator import supervised
from psgimg.finetune.models import families


def inspect(trainer: Any, answers: Mapping[str, str]) -> dict[str, Any]:
    """Build a batch of one row as the trainer does, and check what the loss covers.

    Returns
    -------
    dict
        ``supervised`` (text that the loss covers), numbers of ``pictures``, ``image_tokens`` and
        ``tokens`` in a row, of ``rows`` in a training pass, and of ``trainable`` and all
        ``parameters``.

    Raises
    ------
    BuildError
        If the loss would not cover the answer, or the model would see no picture.
    """
    row = trainer.train_dataset[0]
    answer, n_pictures = row["completion"][0]["content"], len(row["images"])
    batch = trainer.data_collator([row])
    text = supervised(batch, trainer.processing_class.tokenizer)
    if answer not in text or answer not in answers.values():
        raise BuildError(
            f"the loss would cover {text!r} and not the answer {answer!r}; use another chat "
            "template with --chat-template-path FILE.jinja"
        )
    model, ids = trainer.accelerator.unwrap_model(trainer.model), batch["input_ids"]
    n_tokens = families.n_image_tokens(model, trainer.processing_class, ids)
    if n_tokens == 0:
        raise BuildError(
            "the chat template has no place for pictures; use one that has with "
            "--chat-template-path FILE.jinja"
        )
    parameters = list(model.parameters())
    return {
        "supervised": text,
        "pictures": n_pictures,
        "image_tokens": n_tokens,
        "tokens": int(ids.shape[1]),
        "rows": len(trainer.train_dataset),
        "trainable": sum(p.numel() for p in parameters if p.requires_grad),
        "parameters": sum(p.numel() for p in parameters),
    }


def lines(facts: Mapping[str, Any]) -> list[str]:
    """Return the result of ``inspect`` as lines to print."""
    share = facts["trainable"] / facts["parameters"]
    told = [
        f"loss covers       {facts['supervised']!r} (first row)",
        f"row               {facts['pictures']} picture(s), {facts['image_tokens']} image tokens of "
        f"{facts['tokens']} tokens",
        f"training pass     {facts['rows']:,} rows",
        f"trainable         {facts['trainable']:,} of {facts['parameters']:,} parameters ({percent(share, 1)})",
    ]
    if "several" in facts:
        told.append(
            f"scorers           several of {facts['several']:,} pages, who differ on "
            f"{facts['disputed']:,}"
        )
    return told
