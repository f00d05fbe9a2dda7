"""Trainer: TRL's, with the loss on the answer only and staging metrics at each evaluation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from psgimg.builder.files import durable
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.data.collator import AnswerOnly
from psgimg.finetune.inference.likelihood import Scorer
from psgimg.finetune.metrics import metric_table, metrics
from transformers import PreTrainedModel
from trl import SFTTrainer

Rows = npt.NDArray[np.int64]


def subsample(rows: Rows, n: int, seed: int) -> Rows:
    """Return at most ``n`` of the rows, ascending, drawn by the seed."""
    if len(rows) <= n:
        return rows
    return np.sort(np.random.default_rng(seed).permutation(rows)[:n])


@contextmanager
def _module_names(model: Any) -> Iterator[None]:
    """Save full weights under the names of their modules, which the trainer expects on resuming.

    For many families, transformers saves weights under older names, but loads a checkpoint to
    resume, or the best model, without translating them, and silently keeps the current weights.
    Remove this once https://github.com/huggingface/transformers/issues/43701 is closed.
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
    """TRL's trainer with the loss on the answer only and staging metrics at each evaluation.

    ``eval_accuracy``, ``eval_macro_f1``, ``eval_kappa`` and so on are logged with ``eval_loss``, for
    ``metric_for_best_model``, early stopping and every experiment tracker.

    Parameters
    ----------
    answers
        Stage → text of its answer.
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
        """Compute the loss as TRL does, then the staging metrics."""
        output = super().evaluation_loop(
            dataloader, description, prediction_loss_only, ignore_keys, metric_key_prefix
        )
        staging = self._staging_metrics(self.eval_dataset)
        output.metrics.update({f"{metric_key_prefix}_{key}": v for key, v in staging.items()})
        return output

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save the model; checkpoints (internal calls) keep the names of its modules."""
        model = self.accelerator.unwrap_model(self.model)
        with _module_names(model) if _internal_call else nullcontext():
            super().save_model(output_dir, _internal_call)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Save a checkpoint; its last file, which marks it as complete, reaches the disk last."""
        save = self.state.save_to_json

        def save_last(path: str) -> None:
            durable.sync_tree(Path(path).parent)
            save(path)
            durable.sync_tree(Path(path).parent)
            durable.sync_folder(Path(path).parent.parent)

        self.state.save_to_json = save_last
        try:
            super()._save_checkpoint(model, trial)
        finally:
            del self.state.save_to_json

    def create_model_card(
        self,
        model_name: str | None = None,
        dataset_name: str | None = None,
        tags: str | list[str] | None = None,
    ) -> None:
        """Write no card: TRL's describes a chat model and would replace psgimg's."""

    @cached_property
    def _score(self) -> Scorer:
        """Scorer of the validation pages, created at the first evaluation."""
        model = self.accelerator.unwrap_model(self.model)
        return Scorer(model, self.processing_class, self._answers, self.accelerator.print)

    def _staging_metrics(self, dataset: Any) -> dict[str, float]:
        """Return the metrics over all processes, each of which scores its share of the pages."""
        n, size = len(dataset), self.args.per_device_eval_batch_size
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        share = math.ceil(n / world)
        mine = [
            min(rank * share + i, n - 1) for i in range(share)
        ]  # equal numbers, the last page repeated
        scored: list[tuple[int, int]] = []
        for start in range(0, share, size):
            rows = [dataset[i] for i in mine[start : start + size]]
            with self.compute_loss_context_manager():
                stages = self._score(rows).log_probs.argmax(1)
            labels = [self._stage_of[row["completion"][0]["content"]] for row in rows]
            scored += zip(labels, stages.tolist(), strict=True)
        own = torch.tensor(scored, device=self.accelerator.device)
        pairs = self.accelerator.gather(own).cpu().numpy()
        keep = [r * share + i < n for r in range(world) for i in range(share)]
        table = metrics.confusion(pairs[keep, 0], pairs[keep, 1])
        return {key: v for key, v in metric_table.summary(table).items() if not math.isnan(v)}
