"""Scoring: pages per second of `psgimg predict`, and the seconds in which `psgimg stage` stages a night.

Levers that a measurement can leave out: ``one_call`` (vision attention), ``pass`` (answers in the same
forward pass as the prompt), ``patches`` (embedded by a product), ``compiled`` (layers), ``fused`` (norms
and positions, where layers are not compiled).
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from psgimg.builder.unscored_night import UnscoredPage
from psgimg.finetune.data import page_set
from psgimg.finetune.data.context import ALONE
from psgimg.finetune.inference import devices, predictors, preparing
from psgimg.finetune.inference.fleet import Fleet
from psgimg.finetune.inference.likelihood import Scorer
from psgimg.finetune.inference.local_model import LocalModel
from psgimg.finetune.inference.opening import Staging
from psgimg.finetune.models import families, fused, vision_attention
from psgimg.finetune.staging import inference
from psgimg.finetune.staging.inference import Asked, Questions
from psgimg.finetune.training.cost import Cost

from on_gpu.measurement import PROMPT, WARM_UP, Measurement, Setting, job, profile, timed

NIGHT = 1_000
"""Pages of a night."""

MEASUREMENTS = (
    Measurement(2, "predict, defaults", "predict"),
    Measurement(3, "stage, a night of 1,000 pages", "stage", without=("compiled",)),
    Measurement(16, "predict, not compiled", "predict", without=("compiled",)),
    Measurement(
        17, "predict, after the prompt, on its cache", "predict", without=("pass", "compiled")
    ),
    Measurement(
        16, "predict, norms as they are, not compiled", "predict", without=("compiled", "fused")
    ),
    Measurement(18, "predict, patches by a convolution", "predict", without=("patches",)),
    Measurement(18, "predict, vision attention page by page", "predict", without=("one_call",)),
    Measurement(19, "predict, pages prepared in a thread", "predict", loaders=0),
    Measurement(52, "predict, batch 16", "predict", batch=16),
    Measurement(53, "predict, batch 128", "predict", batch=128),
    Measurement(54, "stage, a night of 1,000 pages, compiled", "stage"),
)


class Clocked:
    """A model that scores pages as psgimg does, and what it spends its time on."""

    def __init__(self, one: Measurement, setting: Setting, n_pages: int) -> None:
        model, processor = setting.model(one)
        self.model = model.eval()
        if "one_call" not in one.without:
            vision_attention.in_one_call(model)
        if "patches" not in one.without:
            fused.patches(model)
        compiles = setting.on_card and "compiled" not in one.without
        if not compiles and "fused" not in one.without:
            fused.elementwise(model)
        self.scorer = Scorer(
            model,
            processor,
            PROMPT.answers,
            print,
            ("tree",) if "pass" in one.without else None,
            compiles=compiles and families.has_constant_shapes(model),
        )
        loaders = one.loaders
        if loaders is None:
            loaders = preparing.n_loaders(n_pages, 1, on_card=setting.on_card)
        self.local: LocalModel = predictors.of_scorer(self.scorer, model.device, loaders, print)
        self._answer = self.local.answer
        self.local.answer = self._timed
        self.size = one.batch or devices.batch_size(str(model.device))
        self.ends_s: list[float] = []
        self.busy_s: list[float] = []

    def _timed(self, encoded: Any) -> Any:
        began = time.perf_counter()
        answers = self._answer(encoded)
        self.ends_s.append(time.perf_counter())
        self.busy_s.append(self.ends_s[-1] - began)
        return answers

    def waiting(self, n_first: int) -> float:
        """Return the share of time in which the card waited for pages, after some batches."""
        whole_s = self.ends_s[-1] - self.ends_s[n_first - 1]
        return round(1 - sum(self.busy_s[n_first:]) / whole_s, 4)


@job("predict")
def predict(one: Measurement, setting: Setting) -> dict[str, Any]:
    """Score one batch repeatedly, then many as they come, and return the figures."""
    split = page_set.load(setting.dataset, None, "train")
    clocked = Clocked(one, setting, n_pages=10**6)
    size, scorer = clocked.size, clocked.scorer
    n_batches = WARM_UP + 2 * clocked.local.loaders + one.steps  # those prepared ahead do not count
    rows = np.resize(split.rows, size * n_batches).tolist()
    batches = [rows[i : i + size] for i in range(0, len(rows), size)]

    def read(some: list[int]) -> Any:
        return split.chat_rows(some, PROMPT, ALONE)

    first = scorer.prepare(read(batches[0]))
    card_s = timed(lambda: scorer.score(first), one.steps)
    for _ in clocked.local(read, batches):
        pass
    n_first = n_batches - one.steps
    whole_s = (clocked.ends_s[-1] - clocked.ends_s[n_first - 1]) / one.steps
    if setting.is_profiled:
        profile(lambda: scorer.score(first))
    cost = Cost.of(clocked.model, first, targets=None, rank=0)
    return {
        "pages_per_s": round(size / whole_s, 2),
        "pages_per_s_without_waiting": round(size / card_s, 2),
        "waiting": clocked.waiting(n_first),
        "tflop_per_s": round(size / card_s * (cost.vision_flops + cost.text_flops) / 1e12, 1),
        "answers": [round(float(value), 3) for value in scorer.score(first).log_probs[0]],
        "way": scorer.way,
        "at_once": size,
        "tokens": int(first["input_ids"].shape[1]),
    }


@job("stage")
def stage(one: Measurement, setting: Setting) -> dict[str, Any]:
    """Stage a night of drawn pages by a loaded model; with compiled layers, these are compiled before."""
    n_pages = 8 if setting.is_tiny else NIGHT
    split = page_set.load(setting.dataset, None, "train")
    pngs = [_png(image) for image in split.images(split.rows[:n_pages].tolist())]
    night = [Asked(UnscoredPage(i), 0, (pngs[i % len(pngs)],)) for i in range(n_pages)]
    clocked = Clocked(one, setting, n_pages)
    questions = Questions(PROMPT, ALONE)

    @contextmanager
    def opened(device: str, note: Callable[[str], None]) -> Iterator[LocalModel]:
        yield clocked.local

    with Fleet(opened, (setting.device,), print) as fleet:
        if setting.on_card and "compiled" not in one.without:
            list(fleet.run(Staging(questions), [night[: clocked.size]]))
        clocked.busy_s.clear()
        began = time.perf_counter()
        staged = list(inference.answers(night, fleet, questions, clocked.size))
        took_s = time.perf_counter() - began
    return {
        "pages_per_s": round(sum(map(len, staged)) / took_s, 2),
        "step_s": round(float(np.median(clocked.busy_s)), 4),
        "night_s": round(took_s, 2),
        "waiting": round(1 - sum(clocked.busy_s) / took_s, 4),
        "way": clocked.scorer.way,
        "at_once": clocked.size,
    }


def _png(image: Any) -> bytes:
    png = io.BytesIO()
    image.save(png, "PNG")
    return png.getvalue()
