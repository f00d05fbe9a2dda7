"""Pages per second, memory and use of a card by psgimg and by plain TRL, as JSON and as a table.

    python benchmarks/gpu.py --budget 300 --out gpu.json
    python benchmarks/gpu.py --shape llava-next-7b --only sft
    OMP_NUM_THREADS=1 python benchmarks/gpu.py --tiny --device cpu

Models have the shapes of published ones with random weights, and pages are drawn; nothing is
downloaded. What is measured is psgimg itself, in the settings of a long run, and with one lever less
at a time. Measurements come in order of importance; those for which no time is left are reported as
not run, and one that fails is reported with its error.

    python benchmarks/gpu.py --weights DIR --root physionet-sleep-data --out folds

trains a model's projector and LoRA together instead, on a real night in five folds by blocks of time.
"""

from __future__ import annotations

import argparse
import gc
import json
import tempfile
import time
import traceback
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
import transformers
import trl
from on_gpu import (
    estimates,
    folds,
    measurement,
    models,
    pages,
    parts,
    scoring,
    traffic,
    training,
)
from on_gpu.measurement import JOBS, Measurement, Setting

MEASUREMENTS = sorted(
    (*training.MEASUREMENTS, *scoring.MEASUREMENTS), key=lambda measurement: measurement.rank
)

COLUMNS = {
    "pages_per_s": "pages/s",
    "step_s": "step, s",
    "night_s": "night, s",
    "waiting": "waiting",
    "peak_gb": "peak GB",
    "estimated_gb": "estimated GB",
    "share_of_card": "of the card",
    "at_once": "at once",
    "checkpointing": "checkpointing",
}
"""Figures of the table → their headings."""


def main() -> None:
    """Measure within the budget; write JSON and print a table."""
    options = _options()
    if options.estimates:
        print(estimates.table(), end="")
        return
    if options.traffic:
        print(traffic.table(), end="")
        return
    if options.parts:
        n_pages, n_answered = (64, 4) if options.tiny else (scoring.NIGHT, 64)
        print(parts.table(options.shape, n_pages, n_answered), end="")
        return
    if options.weights:
        out = options.out or Path("folds")
        folds.run(options.weights, options.root, out, options.steps, options.fold)
        return
    with tempfile.TemporaryDirectory() as work:
        dataset = options.dataset or pages.draw(Path(work))
        setting = Setting(str(dataset), options.device, options.tiny, options.profile)
        report = _measure(options, setting)
    print(json.dumps(report, indent=1))
    print(table(report["results"]))


def _measure(options: argparse.Namespace, setting: Setting) -> dict[str, Any]:
    """Return the figures of all measurements, which are written after each."""
    began = time.perf_counter()
    ceiling = measurement.matmul_tflop_per_s() if setting.on_card else None
    report = _head(setting, ceiling)
    for one in _chosen(options):
        if time.perf_counter() - began > options.budget:
            result: dict[str, Any] = {"name": one.name, "not_run": "the budget was spent"}
        else:
            result = {**asdict(one), **_result(one, setting, ceiling)}
        report["results"].append(result)
        print(table(report["results"][-1:]).splitlines()[-1], flush=True)
        if options.out:  # after each, as the machine may be taken away
            options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report


def _chosen(options: argparse.Namespace) -> list[Measurement]:
    """Return the measurements that are asked for, of other shapes or sizes where these are."""
    found = [one for one in MEASUREMENTS if _is_asked(one, options)]
    if options.shape:
        usual = [one for one in found if one.shape == Measurement.shape]
        found = [replace(one, shape=shape) for shape in options.shape for one in usual]
    if options.tiny:
        found = [replace(one, batch=4, steps=1, loaders=1) for one in found]
    return found


def _is_asked(one: Measurement, options: argparse.Namespace) -> bool:
    return not options.only or any(words in one.name for words in options.only)


def _result(one: Measurement, setting: Setting, ceiling: float | None) -> dict[str, Any]:
    """Return the figures of a measurement, or its error."""
    start = time.perf_counter()
    gc.collect()
    torch._dynamo.reset()
    if setting.on_card:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    try:
        result = JOBS[one.job](one, setting)
    except Exception as error:
        traceback.print_exc(limit=-6)
        result = {"error": f"{type(error).__name__}: {error}"[:300]}
    if setting.on_card:
        result["peak_gb"] = round(torch.cuda.max_memory_allocated() / 1e9, 1)
    if ceiling and "tflop_per_s" in result:
        result["share_of_card"] = round(result["tflop_per_s"] / ceiling, 3)
    return {**result, "took_s": round(time.perf_counter() - start, 1)}


def _head(setting: Setting, ceiling: float | None) -> dict[str, Any]:
    return {
        "card": torch.cuda.get_device_name() if setting.on_card else "CPU",
        "matmul_tflop_per_s": ceiling and round(ceiling, 1),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "trl": trl.__version__,
        "results": [],
    }


def table(results: list[dict[str, Any]]) -> str:
    """Return the results as a Markdown table."""
    lines = [
        f"| | {' | '.join(COLUMNS.values())} |",
        f"|:--|{'--:|' * len(COLUMNS)}",
    ]
    for result in results:
        missing = result.get("not_run") or result.get("error")
        cells = (
            [missing or "", *[""] * (len(COLUMNS) - 1)]
            if missing
            else map(_cell, COLUMNS, [result] * len(COLUMNS))
        )
        lines.append(f"| {result['name']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(key: str, result: dict[str, Any]) -> str:
    value = result.get(key)
    if value is None:
        return "–"
    return f"{value:.1%}" if key in ("waiting", "share_of_card") else str(value)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", type=Path, help="pages to use, not drawn ones")
    parser.add_argument("--shape", action="append", choices=models.SHAPES, help="repeatable")
    parser.add_argument("--tiny", action="store_true", help="models of two layers on few pages")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--budget", type=float, default=300.0, help="seconds in all")
    parser.add_argument("--only", action="append", default=[], help="part of a name; repeatable")
    parser.add_argument("--profile", action="store_true", help="print the slowest kernels")
    parser.add_argument("--estimates", action="store_true", help="print only a table of memory")
    parser.add_argument("--traffic", action="store_true", help="print only kernels and their bytes")
    parser.add_argument(
        "--parts", action="store_true", help="print only what stage does beside the card"
    )
    parser.add_argument("--weights", type=Path, help="a model to train on a real night, see --root")
    parser.add_argument("--root", type=Path, help="folder with SC4001 of Sleep-EDF")
    parser.add_argument("--steps", type=int, help="training steps of a fold, not one pass")
    parser.add_argument("--fold", type=int, action="append", default=[], help="repeatable")
    parser.add_argument("--out", type=Path, help="JSON file; with --weights, a folder")
    options = parser.parse_args()
    if options.estimates or options.traffic or options.parts:
        return options
    if options.weights:
        if not options.root:
            parser.error("--weights: name a folder with SC4001 of Sleep-EDF by --root")
        return options
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error(
            "--device cuda: torch finds no card; use --tiny --device cpu to try the benchmark"
        )
    return options


if __name__ == "__main__":
    main()
