"""Scoring: pages per second of scoring the five answers, with and without waiting for pages."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from psgimg.finetune.data import page_set
from psgimg.finetune.inference import encoding
from psgimg.finetune.inference.likelihood import Scorer
from psgimg.finetune.inference.preparing import ahead

from on_gpu import levers
from on_gpu.measurement import PROMPT, WARM_UP, Measurement, page_flops, profile, timed


class Scoring:
    """A model that scores the pages of a dataset, with the levers of a measurement."""

    def __init__(self, one: Measurement, dataset: str, model: Any, processor: Any) -> None:
        self.split = page_set.load(dataset, None, "train")
        self.scorer = Scorer(model, processor, PROMPT.answers, print)
        self._one, self._model, self._processor = one, model.eval(), processor
        if one.uses("compile"):
            levers.compile_layers(model)
        self._add = levers.positions(model) if one.uses("positions") else None
        n = one.batch * (WARM_UP + one.steps)
        rows = np.resize(self.split.rows, n).tolist()
        self.batches = [rows[i : i + one.batch] for i in range(0, n, one.batch)]
        first = self.split.chat_rows(self.batches[0][:1], PROMPT, 0)
        self.scorer.prepare(first)  # encodes the answers

    def encoded(self, batch: list[int]) -> Any:
        """Return the inputs of some pages, on the CPU."""
        target = SimpleNamespace(device="cpu", dtype=self._model.dtype)
        chats = self.split.chat_rows(batch, PROMPT, 0)
        values = encoding.encode(target, self._processor, chats)
        return self._add(values) if self._add else values

    def on_card(self, values: Any) -> Any:
        """Return the inputs on the model's device."""
        moved = {
            key: value.to(self._model.device, non_blocking=True) if hasattr(value, "to") else value
            for key, value in values.items()
        }
        if self._add:
            self._model.model.rope_deltas = moved[levers.DELTAS]
        return moved

    def prepared(self) -> Iterator[Any]:
        """Yield all batches, prepared in a thread or in processes."""
        if not self._one.uses("workers"):
            yield from ahead(self.on_card(self.encoded(batch)) for batch in self.batches)
            return
        loader = torch.utils.data.DataLoader(
            self.batches,
            collate_fn=lambda batches: self.encoded(batches[0]),
            num_workers=self._one.loaders,
            pin_memory=self._model.device.type == "cuda",
        )
        yield from map(self.on_card, loader)

    def score(self, values: Any) -> Any:
        """Return the log-probabilities of the answers, (n, 5)."""
        values = dict(values)
        if not self._one.uses("onepass"):
            values.pop(levers.DELTAS, None)
            return self.scorer.score(values).log_probs
        with torch.no_grad():
            sums = levers.score_in_one_pass(self._model, self.scorer, values)
        return sums.double().log_softmax(-1).cpu().numpy()


def measure(
    one: Measurement, dataset: str, model: Any, processor: Any, *, profiled: bool
) -> dict[str, Any]:
    """Score some batches, the first one repeatedly and then all, and return the figures."""
    scoring = Scoring(one, dataset, model, processor)
    first = scoring.on_card(scoring.encoded(scoring.batches[0]))
    card_s = timed(lambda: scoring.score(first), one.steps)
    ends_s = []
    for values in scoring.prepared():
        scoring.score(values)
        ends_s.append(time.perf_counter())
    whole_s = (ends_s[-1] - ends_s[WARM_UP - 1]) / one.steps
    if profiled:
        profile(lambda: scoring.score(first))
    flops = sum(page_flops(model, first).values())
    return {
        "pages_per_s": round(one.batch / whole_s, 2),
        "pages_per_s_without_waiting": round(one.batch / card_s, 2),
        "tflop_per_s": round(one.batch / card_s * flops / 1e12, 1),
        "answers": [round(float(value), 3) for value in scoring.score(first)[0]],
        "tokens": int(first["input_ids"].shape[1]),
    }
