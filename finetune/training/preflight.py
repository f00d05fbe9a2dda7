"""Preflight: what the first batch really holds, told and checked before the first step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psgimg.builder.errors import BuildError
from psgimg.finetune.data.collator import supervised
from psgimg.finetune.models import families


def look(trainer: Any, answers: Mapping[str, str]) -> dict[str, Any]:
    """Make a batch of one row as the trainer will, and see what it teaches.

    Returns
    -------
    ``supervised`` (text that the loss covers), ``pictures`` of a row, ``image_tokens`` and
    ``tokens`` of a row, ``rows`` of a training pass, ``trainable`` and ``parameters`` (numbers).

    Raises
    ------
    BuildError
        If the loss would not cover the answer, or no picture would be seen.
    """
    row = trainer.train_dataset[0]
    answer, n_pictures = row["completion"][0]["content"], len(row["images"])
    batch = trainer.data_collator([row])
    text = supervised(batch, trainer.processing_class.tokenizer)
    if answer not in text or answer not in answers.values():
        raise BuildError(
            f"the loss would cover {text!r} and not the answer {answer!r}; give another chat "
            "template with --chat-template-path FILE.jinja"
        )
    model, ids = trainer.accelerator.unwrap_model(trainer.model), batch["input_ids"]
    n_tokens = families.n_image_tokens(model, trainer.processing_class, ids)
    if n_tokens == 0:
        raise BuildError(
            "the chat template leaves no place for pictures; give one that does with "
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
    """The same for people."""
    share = facts["trainable"] / facts["parameters"]
    return [
        f"the loss covers   {facts['supervised']!r} (of the first row)",
        f"a row             {facts['pictures']} page(s), {facts['image_tokens']} image tokens of "
        f"{facts['tokens']} tokens",
        f"a training pass   {facts['rows']:,} rows",
        f"learning          {facts['trainable']:,} of {facts['parameters']:,} parameters ({share:.1%})",
    ]
