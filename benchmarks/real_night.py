"""Trains a tiny model by `psgimg sft` on the demo, then on one real night held out in blocks of time.

    python benchmarks/real_night.py --root physionet-sleep-data --out docs/results.json

ROOT has SC4001 of Sleep-EDF. All steps use the commands available to users. A page with the suffix
`.md` is written beside the JSON. Steps finished in `--work DIR` are not repeated; `--recipe` runs only
some recipes and adds them to the JSON. The page includes ``studies/real.json`` if it exists.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import real_night_page
from psgimg.builder import atomic_file, lane_signals
from psgimg.builder.corpora.registry import corpus
from psgimg.builder.dataset import build_report
from psgimg.builder.dataset.page_spec import PageSpec
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.metrics import metric_table, metrics, predictions

RECORDING = "SC4001"
BLOCK, N_FOLDS = 42, 5
"""Pages per block and number of folds; every fifth block is held out, shifted by one block per fold."""

COMMON = (
    "--eval-strategy no --save-strategy no --use-peft false --freeze-vision false "
    "--augment flip,shift --learning-rate 1e-3 --per-device-train-batch-size 16 "
    "--weight-decay 0.05 --adam-beta2 0.99 --warmup-steps 10 "
    "--bf16 false --gradient-checkpointing false --dtype float32"
)
"""Defaults of `--model tiny`; a model from a folder would otherwise be trained like a large one."""

RECIPES = {
    "4 passes": "--num-train-epochs 4 --sampling natural",
    "6 passes": "--num-train-epochs 6 --sampling natural",
}
CHOSEN = "4 passes"

BANDS_HZ = ((0.5, 4.0), (4.0, 8.0), (8.0, 12.0), (12.0, 16.0), (16.0, 30.0))
"""Delta, theta, alpha, sigma, beta."""

N_TREES = 500
SEED = 0
PACKAGES = ("psgimg", "torch", "transformers", "trl", "scikit-learn", "scipy", "numpy")
GOALS = {"demo_accuracy": 0.90, "demo_cpu_minutes": 10, "night_accuracy": 0.82}

Values = dict[str, Any]
Features = npt.NDArray[np.float64]


def main() -> None:
    """Run all steps and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True, help="folder with SC4001 of Sleep-EDF")
    parser.add_argument("--out", type=Path, default=Path("docs/results.json"))
    parser.add_argument("--work", type=Path, help="folder to keep and resume from")
    parser.add_argument("--recipe", action="append", choices=RECIPES, help="may be repeated")
    parser.add_argument(
        "--parallel", type=int, default=2, help="folds run in parallel, one core each"
    )
    parser.add_argument("--note", default="", help="remark on this run for the page")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="psgimg-real-night-") as temporary:
        work = (options.work or Path(temporary)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        write(options.out, {"machine": machine(options.note), "goals": GOALS, "demo": demo(work)})
        folds = cut_folds(work, options.root)
        write(options.out, {"night": night(folds), "mark": baseline(folds, options.root)})
        for name in options.recipe or RECIPES:
            write(options.out, {"recipes": {name: trained(work, folds, name, options.parallel)}})


def demo(work: Path) -> Values:
    """Step 1: train the tiny model on synthetic nights, and test it on unseen subjects."""
    if not (work / "demo").exists():
        psgimg(work, "build --source demo --out demo")
    sft = "sft --dataset demo --model tiny --output-dir demo-model"
    predict = "predict --model demo-model --dataset demo --split test --out demo.parquet"
    training, prediction = psgimg(work, sft), psgimg(work, predict)
    build = build_report.read(work / "demo")
    return {
        "commands": [
            f"psgimg {words}" for words in ("build --source demo --out demo", sft, predict)
        ],
        "splits": {split: sum(n.values()) for split, n in build["counts"]["demo"].items()},
        "subjects": subjects(build),
        "sft": training,
        "predict": prediction,
        **figures(table_of(work / "demo.parquet")),
    }


def cut_folds(work: Path, root: Path) -> list[Path]:
    """Step 2: build the real night, and divide it into five datasets by blocks of pages."""
    night = work / "night"
    if not night.exists():
        words = f"build --source sleep-edf --root {shlex.quote(str(root.resolve()))}"
        psgimg(work, f"{words} --subjects SC400 --out night")
    build = build_report.read(night)
    rows = pq.read_table(night / build["shards"][0]["path"])
    fold_of = np.arange(len(rows)) // BLOCK % N_FOLDS
    folders = [work / f"fold-{fold}" for fold in range(N_FOLDS)]
    for fold, folder in enumerate(folders):
        shards, counts = [], {}
        for split, held in (("test", fold_of == fold), ("train", fold_of != fold)):
            part = rows.filter(held)
            path = folder / f"data/sleep-edf/{split}-00000-of-00001.parquet"
            with atomic_file.whole(path) as whole:
                pq.write_table(part, whole, row_group_size=len(part))
            about = {"path": path.relative_to(folder).as_posix(), "corpus": "sleep-edf"}
            shards.append(
                {
                    **about,
                    "split": split,
                    "rows": len(part),
                    **build_report.entry(path.read_bytes()),
                }
            )
            n = np.bincount(part["label"].to_numpy(), minlength=len(STAGE_NAMES)).tolist()
            counts[split] = dict(zip(STAGE_NAMES, n, strict=True))
        counts["validation"] = dict.fromkeys(STAGE_NAMES, 0)
        own = {"command": "", "counts": {"sleep-edf": counts}, "shards": shards, "files": {}}
        atomic_file.write_text(folder / build_report.FILE, build_report.text({**build, **own}))
    return folders


def night(folds: list[Path]) -> Values:
    """Return the numbers of pages of the night and of the folds."""
    counts = [build_report.read(folder)["counts"]["sleep-edf"] for folder in folds]
    whole = {stage: sum(one["test"][stage] for one in counts) for stage in STAGE_NAMES}
    return {
        "recording": RECORDING,
        "block": BLOCK,
        "stages": whole,
        "train": [sum(one["train"].values()) for one in counts],
        "test": [sum(one["test"].values()) for one in counts],
    }


def trained(work: Path, folds: list[Path], recipe: str, parallel: int) -> Values:
    """Step 3: fine-tune the demo's model on each fold, and test it on the held-out blocks."""
    options, suffix = f"{RECIPES[recipe]} {COMMON}", recipe.replace(" ", "-")

    def one(folder: Path) -> tuple[metrics.Table, Values]:
        out = f"{folder.name}-{suffix}"
        words = f"--dataset {folder.name} --model demo-model --output-dir {out}"
        done = psgimg(work, f"sft {words} {options}")
        psgimg(
            work, f"predict --model {out} --dataset {folder.name} --split test --out {out}.parquet"
        )
        table = table_of(work / f"{out}.parquet")
        return table, {**figures(table), "sft": done}

    with ThreadPoolExecutor(parallel) as threads:
        results = list(threads.map(one, folds))
    return {"options": options, **over_folds(*zip(*results, strict=True))}


def baseline(folds: list[Path], root: Path) -> Values:
    """Return the baseline: a random forest on band powers of the same pages, in the same folds."""
    from sklearn.ensemble import RandomForestClassifier

    build = build_report.read(folds[0])
    powers = band_powers(PageSpec.from_build(build), root)
    results = []
    for folder in folds:
        parts = []
        for split in ("train", "test"):
            path = folder / f"data/sleep-edf/{split}-00000-of-00001.parquet"
            rows = pq.read_table(path, columns=["epoch", "label"])
            parts += [
                np.stack([powers[i] for i in rows["epoch"].to_pylist()]),
                rows["label"].to_numpy(),
            ]
        forest = RandomForestClassifier(N_TREES, random_state=SEED).fit(parts[0], parts[1])
        table = metrics.confusion(parts[3], forest.predict(parts[2]))
        results.append((table, figures(table)))
    return {"trees": N_TREES, "bands_hz": BANDS_HZ, **over_folds(*zip(*results, strict=True))}


def band_powers(spec: PageSpec, root: Path) -> dict[int, Features]:
    """Return log band power of EEG and EOG and the log level of the EMG by epoch, from lanes in µV."""
    from scipy.signal import welch

    sleep_edf = corpus("sleep-edf")
    recording = next(one for one in sleep_edf.recordings(root) if one.recording == RECORDING)
    origin = lane_signals.Origin(sleep_edf, recording, spec)
    sfreq_hz = spec.recipe.sfreq_hz
    read = lane_signals.read(origin, sfreq_hz=sfreq_hz, filtered=True)
    waves = [not level for level in read.signals.envelopes]
    features = {}
    for epoch, page_uv in zip(read.epochs, read.pages_uv(), strict=True):
        hz, density = welch(page_uv[waves], sfreq_hz, nperseg=round(4 * sfreq_hz))
        bands = [density[:, (hz >= low) & (hz < high)].mean(1) for low, high in BANDS_HZ]
        level = np.abs(page_uv[np.logical_not(waves)]).mean(1)
        features[epoch.index] = np.log10(np.concatenate([*bands, level]) + 1e-6)
    return features


def psgimg(work: Path, words: str) -> Values:
    """Run a command on one thread; return its wall-clock and CPU seconds, cached in the work folder."""
    name = re.sub(r"[^a-z0-9-]+", "-", re.sub(r"^(\w+).* --out\w* (\S+).*", r"\1-\2", words))
    log, kept = work / f"{name}.log", work / f"{name}.json"
    if kept.exists() and (cached := json.loads(kept.read_text()))["words"] == words:
        return dict(cached["took"])
    own = {"OMP_NUM_THREADS": "1", "HF_DATASETS_CACHE": str(work / "cache"), "HF_HUB_OFFLINE": "1"}
    command = [str(Path(sys.executable).with_name("psgimg")), *shlex.split(words)]
    start = time.perf_counter()
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, cwd=work, env={**os.environ, **own}, stdout=stream, stderr=stream
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"psgimg {words}\n{log.read_text()[-2000:]}")
    took = {
        "seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
    }
    atomic_file.write_text(kept, json.dumps({"words": words, "took": took}))
    return took


def table_of(path: Path) -> metrics.Table:
    """Return the confusion table of a predictions file."""
    predicted = predictions.read(path)
    return metrics.confusion(predicted.labels, predicted.predictions)


def figures(table: metrics.Table) -> Values:
    """Return the metrics of a table, its number of pages, and the table."""
    rounded = {name: round(value, 4) for name, value in metric_table.summary(table).items()}
    return {**rounded, "pages": int(table.sum()), "table": table.tolist()}


def over_folds(tables: tuple[metrics.Table, ...], folds: tuple[Values, ...]) -> Values:
    """Return means over folds, and the metrics of the pages of all folds pooled."""
    names = [metric.key for metric in metric_table.headline()]
    means = {name: round(float(np.mean([one[name] for one in folds])), 4) for name in names}
    together: metrics.Table = np.sum(tables, axis=0)
    return {"mean": means, "together": figures(together), "folds": list(folds)}


def subjects(build: Values) -> dict[str, int]:
    """Return the number of subjects by split."""
    people = {(fact["split"], fact["subject"]) for fact in build["recordings"]}
    return dict(Counter(split for split, _ in sorted(people)))


def machine(note: str) -> Values:
    """Return the machine and the versions that the times refer to."""
    return {
        "note": note,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "versions": {name: version(name) for name in PACKAGES},
    }


def write(out: Path, new: Values) -> None:
    """Add results to the JSON file, and update its page."""
    values = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
    if "recipes" in new:
        new = {"recipes": {**values.get("recipes", {}), **new["recipes"]}}
    values |= new
    atomic_file.write_text(out, json.dumps(values, indent=1) + "\n")
    if {"demo", "night", "mark", "recipes"} <= set(values):
        path = out.parent / "studies" / "real.json"
        study = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        atomic_file.write_text(out.with_suffix(".md"), real_night_page.page(values, CHOSEN, study))


if __name__ == "__main__":
    main()
