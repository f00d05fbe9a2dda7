"""Validation: how well pages of the validation split are staged, every now and then during training."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.data.collator import AnswerOnly
from psgimg.finetune.inference.likelihood import Scorer
from psgimg.finetune.metrics import metric_table, metrics
from transformers import PreTrainedModel
from trl import SFTTrainer

Rows = npt.NDArray[np.int64]


def some(rows: Rows, n: int, seed: int) -> Rows:
    """At most ``n`` of the rows, ascending; the same for the same seed."""
    if len(rows) <= n:
        return rows
    return np.sort(np.random.default_rng(seed).permutation(rows)[:n])


@contextmanager
def _own_names(model: Any) -> Iterator[None]:
    """Save whole weights under the names that the trainer looks for when it goes on.

    transformers saves those of many families under older names and then resumes, and takes the
    best model, without translating: silently with the weights it has. It may go once
    https://github.com/huggingface/transformers/issues/43701 is closed.
    """
    if not isinstance(model, PreTrainedModel):
        yield
        return
    model.save_pretrained = partial(model.save_pretrained, save_original_format=False)
    try:
        yield
    finally:
        del model.save_pretrained


class StagingTrainer(SFTTrainer):  # type: ignore[misc]
    """TRL's trainer, taught by the answer alone, which at each evaluation also names the stages.

    ``eval_accuracy``, ``eval_macro_f1``, ``eval_kappa`` and so on stand beside ``eval_loss`` in the
    log, for ``metric_for_best_model``, early stopping and every reporter.

    Parameters
    ----------
    answers
        Stage → the text that answers.
    """

    def __init__(self, *args: Any, answers: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own: Any = self.data_collator
        self.data_collator: Any = AnswerOnly(own, self.processing_class.tokenizer)
        self._answers = answers
        self._stage_of = {answers[stage]: i for i, stage in enumerate(STAGE_NAMES)}

    def evaluation_loop(
        self,
        dataloader: Any,
        description: str,
        prediction_loss_only: bool | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> Any:
        """The loss as ever, then the stages."""
        output = super().evaluation_loop(
            dataloader, description, prediction_loss_only, ignore_keys, metric_key_prefix
        )
        figures = self._stage(self.eval_dataset)
        output.metrics.update({f"{metric_key_prefix}_{key}": v for key, v in figures.items()})
        return output

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save the model; a checkpoint (an internal call) under the names its modules have."""
        model = self.accelerator.unwrap_model(self.model)
        with _own_names(model) if _internal_call else nullcontext():
            super().save_model(output_dir, _internal_call)

    def create_model_card(
        self,
        model_name: str | None = None,
        dataset_name: str | None = None,
        tags: str | list[str] | None = None,
    ) -> None:
        """No card: TRL's is that of a chat bot, and would be written over ours."""

    @cached_property
    def _score(self) -> Scorer:
        """What scores pages at every evaluation."""
        model = self.accelerator.unwrap_model(self.model)
        return Scorer(model, self.processing_class, self._answers, self.accelerator.print)

    def _stage(self, dataset: Any) -> dict[str, float]:
        """Figures over all processes, each of which scores its share."""
        n, size = len(dataset), self.args.per_device_eval_batch_size
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        share = math.ceil(n / world)
        mine = [min(rank * share + i, n - 1) for i in range(share)]  # as many for each process
        found: list[tuple[int, int]] = []
        for start in range(0, share, size):
            rows = [dataset[i] for i in mine[start : start + size]]
            with self.compute_loss_context_manager():
                stages = self._score(rows).log_probs.argmax(1)
            labels = [self._stage_of[row["completion"][0]["content"]] for row in rows]
            found += zip(labels, stages.tolist(), strict=True)
        own = torch.tensor(found, device=self.accelerator.device)
        pairs = self.accelerator.gather(own).cpu().numpy()
        keep = [r * share + i < n for r in range(world) for i in range(share)]
        table = metrics.confusion(pairs[keep, 0], pairs[keep, 1])
        return {key: v for key, v in metric_table.summary(table).items() if not math.isnan(v)}
