"""Pages per second of training and scoring on one GPU, by lever, as JSON and as a table.

    python benchmarks/gpu.py psg-images --budget 300 --out gpu.json
    python benchmarks/gpu.py psg-images --tiny --device cpu --budget 60

The model has the shape of a published one with random weights. Most important measurements come
first; those for which no time is left are listed as not run. A measurement that fails is reported
with its error, and the others go on.
"""

from __future__ import annotations

import argparse
import gc
import json
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gpu_levers
import gpu_models
import numpy as np
import torch
from psgimg.builder.dataset import prompts
from psgimg.finetune.data import page_set
from psgimg.finetune.data.augment import Augmented
from psgimg.finetune.inference import encoding
from psgimg.finetune.inference.likelihood import Scorer
from psgimg.finetune.inference.prefetch import ahead
from psgimg.finetune.models import families
from psgimg.finetune.training.trainer import StagingTrainer
from sft_step import bare
from transformers import TrainerCallback
from trl import ModelConfig, SFTConfig, SFTTrainer, get_peft_config

PROMPT = prompts.load(prompts.DEFAULT)
TEXTS = [PROMPT.question, PROMPT.system, *PROMPT.answers.values()]
WARM_UP = 3


@dataclass(frozen=True)
class Measurement:
    """What is measured: training or scoring, with some levers."""

    name: str
    job: str
    batch: int = 16
    checkpointing: bool = False
    levers: frozenset[str] = frozenset()
    loaders: int = 4
    steps: int = 8
    options: dict[str, Any] = field(default_factory=dict)


def _m(name: str, job: str, levers: str = "", **kwargs: Any) -> Measurement:
    return Measurement(name, job, levers=frozenset(levers.split()), **kwargs)


ALL = "varlen positions"
BEST = f"{ALL} conv"
MEASUREMENTS = (
    _m("sft, defaults", "sft", checkpointing=True),
    _m("bare TRL", "bare", checkpointing=True),
    _m("score, defaults", "score", steps=10),
    _m("sft, no checkpointing", "sft"),
    _m("sft, one-call vision attention", "sft", "varlen"),
    _m("sft, + positions on the CPU", "sft", ALL),
    _m("sft, + patches by product", "sft", BEST),
    _m("sft, + batch 32", "sft", BEST, batch=32, loaders=8),
    _m("sft, + compiled layers", "sft", f"{BEST} compile", batch=32, loaders=8),
    _m("score, batch 64", "score", batch=64),
    _m("score, + workers", "score", "workers", batch=64, loaders=12),
    _m(
        "score, + one-call vision attention, positions",
        "score",
        f"{ALL} workers",
        batch=64,
        loaders=12,
    ),
    _m("score, + patches by product", "score", f"{BEST} workers", batch=64, loaders=12),
    _m("score, + one pass", "score", f"{BEST} workers onepass", batch=64, loaders=12),
    _m(
        "score, + compiled layers", "score", f"{BEST} workers onepass compile", batch=64, loaders=14
    ),
    _m(
        "score, + batch 128",
        "score",
        f"{BEST} workers onepass compile",
        batch=128,
        steps=6,
        loaders=14,
    ),
    _m(
        "sft, compiled, checkpointing, batch 64",
        "sft",
        f"{BEST} compile",
        batch=64,
        checkpointing=True,
        loaders=10,
        steps=5,
    ),
    _m(
        "sft, compiled, no dropout in the adapter",
        "sft",
        f"{BEST} compile plain",
        batch=32,
        loaders=8,
    ),
    _m("sft, compiled, adapter in bf16", "sft", f"{BEST} compile plain half", batch=32, loaders=8),
    _m("sft, compiled, batch 16", "sft", f"{BEST} compile", batch=16, loaders=8),
)


class Clock(TrainerCallback):
    """Seconds of each step and of the wait for its pages, with the card synchronised."""

    def __init__(self) -> None:
        self.steps_s: list[float] = []
        self.waits_s: list[float] = []
        self._last = time.perf_counter()

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Record the wait for the pages."""
        self.waits_s.append(time.perf_counter() - self._last)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Record the step."""
        _synchronise()
        now = time.perf_counter()
        self.steps_s.append(now - self._last)
        self._last = now


def main() -> None:
    """Measure within the budget; print JSON and table."""
    options = _options()
    began = time.perf_counter()
    results: list[dict[str, Any]] = []
    chosen = [m for m in MEASUREMENTS if not options.only or any(o in m.name for o in options.only)]
    peak = _ceiling(options.device)
    for measurement in chosen:
        left = options.budget - (time.perf_counter() - began)
        if left < options.reserve:
            results.append({"name": measurement.name, "not_run": "no time left"})
            continue
        start = time.perf_counter()
        try:
            result = _measure(measurement, options)
        except Exception as error:
            traceback.print_exc(limit=-6)
            result = {"error": f"{type(error).__name__}: {error}"[:300]}
        with suppress(KeyError):
            result["share_of_card"] = round(result["tflop_per_s"] / peak, 3) if peak else None
        kept = {"name": measurement.name, **_plain(measurement), **result}
        kept["took_s"] = round(time.perf_counter() - start, 1)
        results.append(kept)
        print(_line(kept), flush=True)
        if options.out:
            options.out.write_text(json.dumps(_report(options, peak, results), indent=1) + "\n")
    print(json.dumps(_report(options, peak, results)))


def _measure(measurement: Measurement, options: argparse.Namespace) -> dict[str, Any]:
    gc.collect()
    if options.device == "cuda":
        torch._dynamo.reset()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    dtype = torch.bfloat16 if options.device == "cuda" else torch.float32
    torch.manual_seed(0)
    model, processor = gpu_models.make(options.model, TEXTS, options.device, dtype)
    if "varlen" in measurement.levers:
        gpu_levers.use_varlen(model)
    if "conv" in measurement.levers:
        gpu_levers.patches_by_product(model)
    result = (_score if measurement.job == "score" else _train)(
        measurement, options, model, processor
    )
    if options.device == "cuda":
        result["peak_gb"] = round(torch.cuda.max_memory_allocated() / 1e9, 1)
    return result


def _train(
    measurement: Measurement, options: argparse.Namespace, model: Any, processor: Any
) -> dict[str, Any]:
    train = page_set.load(options.dataset, None, "train")
    n_steps = WARM_UP + measurement.steps
    rows = np.resize(train.rows, n_steps * measurement.batch)
    clock = Clock()
    on_gpu = options.device == "cuda"
    with tempfile.TemporaryDirectory() as out:
        config = SFTConfig(
            output_dir=out,
            max_steps=n_steps,
            per_device_train_batch_size=measurement.batch,
            max_length=None,
            bf16=on_gpu,
            use_cpu=not on_gpu,
            gradient_checkpointing=measurement.checkpointing,
            dataloader_num_workers=measurement.loaders if on_gpu else 0,
            dataloader_pin_memory=on_gpu,
            remove_unused_columns=False,
            save_strategy="no",
            logging_steps=1000,
            report_to=[],
            disable_tqdm=True,
        )
        chosen = ModelConfig(
            use_peft=True,
            lora_r=16,
            lora_dropout=0.0 if "plain" in measurement.levers else 0.05,
            lora_target_modules=families.lora_targets(model, vision=False),
        )
        common: dict[str, Any] = {
            "model": model,
            "processing_class": processor,
            "args": config,
            "callbacks": [clock],
            "peft_config": get_peft_config(chosen),
        }
        if measurement.job == "bare":
            trainer: Any = SFTTrainer(train_dataset=bare(options.dataset, rows), **common)
        else:
            own = Augmented(train, lambda number: rows, PROMPT, 0, "none", 0).dataset()
            trainer = StagingTrainer(train_dataset=own, answers=PROMPT.answers, **common)
        if "positions" in measurement.levers:
            collate, add = trainer.data_collator, gpu_levers.positions(trainer.model)
            trainer.data_collator = lambda examples: _without(
                add(collate(examples)), gpu_levers.DELTAS
            )
        if "half" in measurement.levers:
            for parameter in trainer.model.parameters():
                if parameter.requires_grad:
                    parameter.data = parameter.data.to(torch.bfloat16)
        if "compile" in measurement.levers:
            gpu_levers.compile_layers(trainer.model)
        batch = trainer.data_collator([own_row for own_row in _first(trainer.train_dataset, 1)])
        trainer.train()
        if options.profile:
            inputs = trainer._prepare_inputs(
                trainer.data_collator(list(_first(trainer.train_dataset, measurement.batch)))
            )
            _profile(lambda: trainer.training_step(trainer.model, inputs, measurement.batch))
    steps, waits = clock.steps_s[WARM_UP:], clock.waits_s[WARM_UP:]
    pages_s = measurement.batch * len(steps) / sum(steps)
    flops = _flops(gpu_levers.base(trainer.model), batch)
    # Forward through both; backward through the text alone, whose frozen weights need no gradient.
    per_page = flops["vision"] + flops["text"] * (3 if measurement.checkpointing else 2)
    return {
        "pages_per_s": round(pages_s, 2),
        "step_s": round(float(np.median(steps)), 4),
        "waiting": round(sum(waits) / sum(steps), 4),
        "tflop_per_s": round(pages_s * per_page / 1e12, 1),
        "tokens": int(batch["input_ids"].shape[1]),
    }


def _without(batch: Any, key: str) -> Any:
    del batch[key]
    return batch


def _first(dataset: Any, n: int) -> Iterator[Any]:
    for i in range(n):
        yield dataset[i]


def _score(
    measurement: Measurement, options: argparse.Namespace, model: Any, processor: Any
) -> dict[str, Any]:
    model.eval()
    split = page_set.load(options.dataset, None, "train")
    scorer = Scorer(model, processor, PROMPT.answers, print)
    if "compile" in measurement.levers:
        gpu_levers.compile_layers(model)
    add = gpu_levers.positions(model) if "positions" in measurement.levers else None
    one_pass = "onepass" in measurement.levers
    size, n_batches = measurement.batch, WARM_UP + measurement.steps
    rows = np.resize(split.rows, size * n_batches).tolist()
    batches = [rows[i : i + size] for i in range(0, len(rows), size)]
    scorer.prepare(split.chat_rows(batches[0][:1], PROMPT, 0))  # the answers' tokens
    on_cpu = SimpleNamespace(device="cpu", dtype=model.dtype)

    def encoded(batch: list[int]) -> Any:
        values = encoding.encode(on_cpu, processor, split.chat_rows(batch, PROMPT, 0))
        return add(values) if add else values

    def on_card(values: Any) -> Any:
        moved = {
            key: value.to(model.device, non_blocking=True) if hasattr(value, "to") else value
            for key, value in values.items()
        }
        if add:
            model.model.rope_deltas = moved[gpu_levers.DELTAS]
            if not one_pass:
                del moved[gpu_levers.DELTAS]
        return moved

    def prepared() -> Iterator[Any]:
        if "workers" not in measurement.levers:
            yield from ahead(on_card(encoded(batch)) for batch in batches)
            return
        loader = torch.utils.data.DataLoader(
            batches,
            collate_fn=lambda one: encoded(one[0]),
            num_workers=measurement.loaders,
            pin_memory=options.device == "cuda",
        )
        for values in loader:
            yield on_card(values)

    def score(values: Any) -> Any:
        if not one_pass:
            return scorer.score(dict(values)).log_probs
        with torch.no_grad():
            sums = gpu_levers.score_in_one_pass(model, scorer, values)
        return sums.double().log_softmax(-1).cpu().numpy()

    first = on_card(encoded(batches[0]))
    for _ in range(WARM_UP):
        score(first)
    _synchronise()
    began = time.perf_counter()
    for _ in range(measurement.steps):
        answers = score(first)
    _synchronise()
    card_s = (time.perf_counter() - began) / measurement.steps
    ends_s = []
    for values in prepared():
        score(values)
        ends_s.append(time.perf_counter())
    whole_s = (ends_s[-1] - ends_s[WARM_UP - 1]) / measurement.steps
    if options.profile:
        _profile(lambda: score(first))
    flops = _flops(model, first, pages=size)
    return {
        "pages_per_s": round(size / whole_s, 2),
        "pages_per_s_card": round(size / card_s, 2),
        "tflop_per_s": round(size / card_s * sum(flops.values()) / 1e12, 1),
        "way": scorer.way,
        "answer": [round(float(x), 3) for x in answers[0]],
        "tokens": int(first["input_ids"].shape[1]),
    }


def _profile(work: Callable[[], Any]) -> None:
    """Print the operations on which the card spends most of its time."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as found:
        work()
        _synchronise()
    rows = [r for r in found.key_averages() if r.self_device_time_total > 0]
    total = sum(r.self_device_time_total for r in rows if str(r.device_type).endswith("CUDA"))
    print(f"card busy {total / 1000:.1f} ms")
    rows = [r for r in rows if str(r.device_type).endswith("CUDA")]
    for row in sorted(rows, key=lambda r: -r.self_device_time_total)[:12]:
        print(f"  {row.self_device_time_total / total:6.1%} {row.count:5d}  {row.key[:100]}")


def _flops(model: Any, batch: Any, pages: int = 1) -> dict[str, float]:
    patches = int(batch["pixel_values"].shape[0]) // pages
    return gpu_models.flops_per_page(model, int(batch["input_ids"].shape[1]), patches)


def _ceiling(device: str) -> float:
    """Return the TFLOP/s of a large matrix product in bf16; 0 without a GPU."""
    if device != "cuda":
        return 0.0
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        a @ b
    _synchronise()
    began = time.perf_counter()
    for _ in range(20):
        a @ b
    _synchronise()
    return 20 * 2 * 8192**3 / (time.perf_counter() - began) / 1e12


def _synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _plain(measurement: Measurement) -> dict[str, Any]:
    values = asdict(measurement)
    return {key: values[key] for key in ("job", "batch", "checkpointing", "loaders")} | {
        "levers": sorted(measurement.levers)
    }


def _line(kept: dict[str, Any]) -> str:
    keys = (
        "pages_per_s",
        "pages_per_s_card",
        "step_s",
        "waiting",
        "peak_gb",
        "tflop_per_s",
        "share_of_card",
        "way",
        "error",
        "took_s",
    )
    return f"{kept['name']:56} " + "  ".join(f"{k} {kept[k]}" for k in keys if k in kept)


def _report(options: argparse.Namespace, peak: float, results: list[Any]) -> dict[str, Any]:
    import transformers
    import trl

    card = torch.cuda.get_device_name() if options.device == "cuda" else "cpu"
    versions = {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "trl": trl.__version__,
    }
    return {
        "model": options.model,
        "card": card,
        "matmul_tflop_per_s": round(peak, 1),
        **versions,
        "results": results,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--model", default="qwen3-vl-2b", choices=gpu_models.QWEN3_VL)
    parser.add_argument("--tiny", action="store_true", help="a model of two layers, for the tests")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--budget", type=float, default=300.0, help="seconds in all")
    parser.add_argument(
        "--reserve", type=float, default=25.0, help="seconds that a measurement needs"
    )
    parser.add_argument(
        "--only", action="append", default=[], help="measurements whose name has this"
    )
    parser.add_argument("--profile", action="store_true", help="print the slowest operations")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.tiny:
        options.model = "qwen3-vl-tiny"
    return options


if __name__ == "__main__":
    main()
