"""Scoring: pages per second of scoring the five answers, with and without waiting for pages."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from psgimg.finetune.data import page_set
from psgimg.finetune.inference.likelihood import Scorer
from psgimg.finetune.inference.preparing import ahead

from on_gpu import models
from on_gpu.measurement import PROMPT, WARM_UP, Measurement, Setting, job, profile, timed

MEASUREMENTS = (
    Measurement(2, "predict, batch 16", "predict", batch=16),
    Measurement(16, "predict, batch 64", "predict", batch=64),
)


@job("predict")
def predict(one: Measurement, setting: Setting) -> dict[str, Any]:
    """Score some batches, the first one repeatedly and then all, and return the figures."""
    model, processor = setting.model(one)
    split = page_set.load(setting.dataset, None, "train")
    scorer = Scorer(model.eval(), processor, PROMPT.answers, print)
    size = one.batch or 16
    rows = np.resize(split.rows, size * (WARM_UP + one.steps)).tolist()
    batches = [rows[i : i + size] for i in range(0, len(rows), size)]
    first = scorer.prepare(split.chat_rows(batches[0], PROMPT, 0))
    card_s = timed(lambda: scorer.score(first), one.steps)
    ends_s = []
    for values in ahead(scorer.prepare(split.chat_rows(batch, PROMPT, 0)) for batch in batches):
        scorer.score(values)
        ends_s.append(time.perf_counter())
    whole_s = (ends_s[-1] - ends_s[WARM_UP - 1]) / one.steps
    if setting.is_profiled:
        profile(lambda: scorer.score(first))
    flops = sum(models.flops_per_page(model, first).values())
    return {
        "pages_per_s": round(size / whole_s, 2),
        "pages_per_s_without_waiting": round(size / card_s, 2),
        "tflop_per_s": round(size / card_s * flops / 1e12, 1),
        "answers": [round(float(value), 3) for value in scorer.score(first).log_probs[0]],
        "tokens": int(first["input_ids"].shape[1]),
    }
