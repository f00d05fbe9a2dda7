"""Pages per second of training and scoring on one GPU, by lever, as JSON and as a table.

    python benchmarks/gpu.py psg-images --budget 300 --out gpu.json
    OMP_NUM_THREADS=1 python benchmarks/gpu.py psg-images --tiny --device cpu --only "one pass"

The model has the shape of a published one with random weights; nothing is downloaded. Measurements
come in order of importance; those for which no time is left are reported as not run, and one that
fails is reported with its error. The levers are prototypes here: each leaves the model's answers as
they are, which the column ``answers`` shows.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
import traceback
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
import transformers
import trl
from on_gpu import levers, measurement, models, scoring, training
from on_gpu.measurement import PROMPT, Measurement

TEXTS = [PROMPT.question, PROMPT.system, *PROMPT.answers.values()]
BEST = "varlen positions conv"
FAST = f"{BEST} workers onepass compile"

MEASUREMENTS = (
    Measurement("sft, defaults", "sft", checkpointing=True),
    Measurement("bare TRL", "bare", checkpointing=True),
    Measurement("score, defaults", "score"),
    Measurement("sft, compiled, batch 32", "sft", f"{BEST} compile", 32, loaders=8),
    Measurement("score, compiled, one pass, batch 64", "score", FAST, 64, loaders=14),
    Measurement("sft, compiled, batch 64", "sft", f"{BEST} compile", 64, True, 10, 5),
    Measurement("sft, no checkpointing", "sft"),
    Measurement("sft, one-call vision attention", "sft", "varlen"),
    Measurement("sft, + positions on the CPU", "sft", "varlen positions"),
    Measurement("sft, + patches by product", "sft", BEST),
    Measurement("sft, + batch 32", "sft", BEST, 32, loaders=8),
    Measurement("score, batch 64", "score", "", 64),
    Measurement("score, + workers", "score", "workers", 64, loaders=12),
    Measurement(
        "score, + vision attention, positions", "score", "varlen positions workers", 64, loaders=12
    ),
    Measurement("score, + patches by product", "score", f"{BEST} workers", 64, loaders=12),
    Measurement("score, + one pass", "score", f"{BEST} workers onepass", 64, loaders=12),
    Measurement("score, compiled, one pass, batch 128", "score", FAST, 128, loaders=14, steps=6),
    Measurement("sft, compiled, no dropout", "sft", f"{BEST} compile plain", 32, loaders=8),
    Measurement(
        "sft, compiled, adapter in bf16", "sft", f"{BEST} compile plain half", 32, loaders=8
    ),
    Measurement("sft, compiled, batch 16", "sft", f"{BEST} compile", 16, loaders=8),
)


def main() -> None:
    """Measure within the budget; write JSON and print a line each."""
    options = _options()
    began = time.perf_counter()
    ceiling = measurement.matmul_tflop_per_s() if options.device == "cuda" else None
    results: list[dict[str, Any]] = []
    for one in (_small(one) for one in MEASUREMENTS) if options.tiny else MEASUREMENTS:
        if options.only and not any(words in one.name for words in options.only):
            continue
        if time.perf_counter() - began > options.budget:
            results.append({"name": one.name, "not_run": "the budget was spent"})
            continue
        results.append({**asdict(one), **_result(one, options, ceiling)})
        print(_line(results[-1]), flush=True)
        if options.out:  # after each, as the machine may be taken away
            options.out.write_text(_report(options, ceiling, results), encoding="utf-8")
    print(_report(options, ceiling, results))


def _small(one: Measurement) -> Measurement:
    return replace(one, batch=4, steps=1, loaders=1)


def _result(one: Measurement, options: argparse.Namespace, ceiling: float | None) -> dict[str, Any]:
    """Return the figures of a measurement, or its error."""
    start = time.perf_counter()
    try:
        result = _measured(one, options)
    except Exception as error:
        traceback.print_exc(limit=-6)
        result = {"error": f"{type(error).__name__}: {error}"[:300]}
    else:
        if ceiling:
            result["share_of_card"] = round(result["tflop_per_s"] / ceiling, 3)
    return {**result, "took_s": round(time.perf_counter() - start, 1)}


def _measured(one: Measurement, options: argparse.Namespace) -> dict[str, Any]:
    on_gpu = options.device == "cuda"
    gc.collect()
    torch._dynamo.reset()
    if on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    torch.manual_seed(0)
    dtype = torch.bfloat16 if on_gpu else torch.float32
    model, processor = models.make(options.model, TEXTS, options.device, dtype)
    if one.uses("varlen"):
        levers.use_varlen(model)
    if one.uses("conv"):
        levers.patches_by_product(model)
    job = scoring if one.job == "score" else training
    result = job.measure(one, options.dataset, model, processor, profiled=options.profile)
    if on_gpu:
        result["peak_gb"] = round(torch.cuda.max_memory_allocated() / 1e9, 1)
    return result


def _line(result: dict[str, Any]) -> str:
    keys = ("pages_per_s", "waiting", "peak_gb", "share_of_card", "error", "took_s")
    return f"{result['name']:40}" + "".join(f"  {k} {result[k]}" for k in keys if k in result)


def _report(
    options: argparse.Namespace, ceiling: float | None, results: list[dict[str, Any]]
) -> str:
    values = {
        "model": options.model,
        "card": torch.cuda.get_device_name() if options.device == "cuda" else "CPU",
        "matmul_tflop_per_s": ceiling and round(ceiling, 1),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "trl": trl.__version__,
        "results": results,
    }
    return json.dumps(values, indent=1) + "\n"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--model", default="qwen3-vl-2b", choices=models.QWEN3_VL)
    parser.add_argument("--tiny", action="store_true", help="a model of two layers on few pages")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--budget", type=float, default=300.0, help="seconds in all")
    parser.add_argument("--only", action="append", default=[], help="part of a name; repeatable")
    parser.add_argument("--profile", action="store_true", help="print the slowest kernels")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.tiny:
        options.model = "qwen3-vl-tiny"
    return options


if __name__ == "__main__":
    main()
