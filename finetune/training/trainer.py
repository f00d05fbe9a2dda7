"""Trainer: TRL's, with the loss on the answer only and staging metrics at each evaluation."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from accelerate.utils.memory import clear_device_cache
from peft import PeftModel
from psgimg.builder.errors import BuildError
from psgimg.builder.files import durable
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.data import collator as batches
from psgimg.finetune.data.collator import PAGES, AnswerOnly
from psgimg.finetune.inference.forward import Forward
from psgimg.finetune.inference.likelihood import Scorer
from psgimg.finetune.metrics import metric_table, metrics
from psgimg.finetune.models import compatibility, compiled, permissions
from psgimg.finetune.models.page_positions import PagePositions
from psgimg.finetune.training import divergence, soft_loss
from psgimg.finetune.training.soft_loss import SoftTargets
from transformers import PreTrainedModel
from trl import SFTTrainer

REASON_WIDTH = 120
"""Characters of an error of the compiler that are shown."""


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
        answer_only = AnswerOnly(own, self.processing_class.tokenizer)
        self.data_collator: Any = SoftTargets(answer_only, self.processing_class, answers)
        self._answers = answers
        self._stage_of = {answers[stage]: i for i, stage in enumerate(STAGE_NAMES)}
        self._n_parts, self._weight = 1, 1.0
        self._since_step: list[Any] = []
        self.compiled = False
        """Whether layers are compiled when they run first."""

    @property
    def is_adapted(self) -> bool:
        """Whether an adapter is trained, not the weights of the model itself."""
        return isinstance(self.accelerator.unwrap_model(self.model), PeftModel)

    def follow_batch_size(self) -> None:
        """Take over a batch size that was changed in the arguments."""
        self._train_batch_size = self.args.train_batch_size

    def peak_bytes(self, n_rows: int, checkpointing: bool) -> float:
        """Return the memory that a forward and a backward pass of some pages take on the card.

        Nothing is learned, and the random numbers of the training stay as they are. Infinite if
        memory runs out.
        """
        model = self.accelerator.unwrap_model(self.model)
        compatibility.checkpoint(model, checkpointing)
        batch = self.data_collator([self.train_dataset[i] for i in range(n_rows)])
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        peak = math.inf
        device = self.args.device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            try:
                self.current_gradient_accumulation_steps = 1
                super().training_step(model, batch)
                peak = float(torch.cuda.max_memory_allocated())
            except torch.OutOfMemoryError:
                pass
        model.zero_grad()
        self._metrics["train"].clear()
        self._total_train_tokens = 0
        compatibility.checkpoint(model, False)
        return peak

    def get_batch_samples(
        self, epoch_iterator: Any, num_batches: int, device: torch.device
    ) -> tuple[list[Any], Any]:
        """Return the batches of a step; none after the last, which resuming would go beyond.

        transformers (5.24) does not look whether the checkpoint is that of the last step.
        """
        if self.state.global_step >= self.state.max_steps:
            self.control.should_training_stop = True
            return [], None
        batches_of_step: tuple[list[Any], Any] = super().get_batch_samples(
            epoch_iterator, num_batches, device
        )
        return batches_of_step

    def training_step(
        self, model: Any, inputs: Any, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Train on a batch; where memory runs out, go on with fewer pages at once in the same steps."""
        self._since_step.append(inputs)
        pending = [inputs]
        while True:
            remedy = None
            try:
                losses = [self._in_parts(model, batch, num_items_in_batch) for batch in pending]
            except (torch.OutOfMemoryError, *compiled.FAILURES) as error:
                remedy = self._remedy(error, len(inputs["input_ids"]))
                if remedy is None:
                    raise
            # Outside the handler, which keeps the tensors of the failed pass alive
            if remedy is None:
                break
            self.accelerator.print(remedy)
            self._weight = 1.0
            model.zero_grad()
            clear_device_cache()
            pending = self._since_step
        if self.accelerator.sync_gradients:
            self._since_step = []
        return losses[-1]

    def _remedy(self, error: Exception, n_rows: int) -> str | None:
        """Change what made a batch fail and return a line that says so; None if nothing can be."""
        if isinstance(error, compiled.FAILURES):
            if not self.compiled:
                return None
            compiled.undo(self.accelerator.unwrap_model(self.model))
            self.compiled = False
            reason = textwrap.shorten(str(error), REASON_WIDTH, placeholder=" …")
            return (
                f"layers can't be compiled here ({reason}); training goes on without, more slowly"
            )
        at_once = math.ceil(n_rows / self._n_parts)
        if at_once == 1 or self.accelerator.num_processes > 1:
            return None  # the other processes are waiting for the gradients of this one
        self._n_parts *= 2
        half = math.ceil(n_rows / self._n_parts)
        return f"out of memory with {at_once} pages at once; going on with {half}, as many a step as before"

    def _in_parts(self, model: Any, batch: Any, n_items: Any) -> torch.Tensor:
        """Train on a batch in as many parts as memory needs, and return its loss."""
        n_parts = min(self._n_parts, len(batch["input_ids"]))
        if n_parts == 1:
            loss: torch.Tensor = super().training_step(model, dict(batch), n_items)
            return loss
        whole = (batch["labels"] != batches.IGNORED).sum()
        positions = getattr(self.data_collator, "positions", None)
        losses = []
        for part in batches.parts(PagePositions.without(batch), n_parts):
            if positions is not None:
                positions.add(part)
            learned = (part["labels"] != batches.IGNORED).sum()
            # Where the items of a step are not counted, the loss is the mean over the tokens of a batch.
            self._weight = float(learned / whole) if n_items is None else 1.0
            losses.append(super().training_step(model, part, n_items))
        self._weight = 1.0
        return torch.stack(losses).sum()

    def compute_loss(
        self,
        model: Any,
        inputs: Any,
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Compute the loss as TRL does, weighted by the share of a part in its batch."""
        inputs = {name: value for name, value in inputs.items() if name != PAGES}
        if soft_loss.WEIGHTS in inputs:
            loss = self._soft_loss(model, inputs, num_items_in_batch)
        else:
            loss = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        return loss if self._weight == 1.0 else loss * self._weight

    def _soft_loss(self, model: Any, inputs: Any, n_items: Any) -> torch.Tensor:
        """Compute the loss against all scorers, per token and scaled as TRL scales its own."""
        if getattr(self, "aux_loss_enabled", False):
            raise BuildError(
                "--soft-labels: this model's experts are balanced by a second loss, which is not "
                "computed with it; leave it out"
            )
        loss = soft_loss.summed(model, self._forward, inputs)
        if n_items is None:
            return loss / (inputs["labels"] != batches.IGNORED).sum().clamp(min=1)
        averaged = self.args.average_tokens_across_devices
        return loss / n_items * (self.accelerator.num_processes if averaged else 1)

    def evaluation_loop(
        self,
        dataloader: Any,
        description: str,
        prediction_loss_only: bool | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> Any:
        """Compute the loss as TRL does, then the staging metrics."""
        with compiled.as_they_are():
            output = super().evaluation_loop(
                dataloader, description, prediction_loss_only, ignore_keys, metric_key_prefix
            )
            staging = self._staging_metrics(self.eval_dataset)
        output.metrics.update({f"{metric_key_prefix}_{key}": v for key, v in staging.items()})
        return output

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save the model; checkpoints (internal calls) keep the names of its modules."""
        model = self.accelerator.unwrap_model(self.model)
        divergence.refuse(model, self.args.learning_rate)
        with _module_names(model) if _internal_call else nullcontext():
            super().save_model(output_dir, _internal_call)
        if self.args.should_save:
            permissions.follow_folder(Path(output_dir or self.args.output_dir))

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
    def _forward(self) -> Forward:
        return Forward(self.accelerator.unwrap_model(self.model))

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
