"""Trains a tiny model by `psgimg sft` on the demo, then on one real night held out in blocks of time.

    python benchmarks/real_night.py --root physionet-sleep-data --out docs/results.json

ROOT has SC4001 of Sleep-EDF. All steps use the commands available to users. A page with the suffix
`.md` is written beside the JSON. Steps finished in `--work DIR` are not repeated; `--recipe` runs only
some recipes and adds them to the JSON. The page includes ``studies/real.json`` if it exists.
"""

from __future__ import annotations

import json
import re
import shlex
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from psgimg.builder import atomic_file
from psgimg.builder.corpora.registry import corpus
from psgimg.builder.dataset import build_report
from psgimg.builder.dataset.page_spec import PageSpec
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.metrics import metric_table, metrics
from real_nights import one_night_page
from real_nights.steps import (
    BANDS_HZ,
    COMMON,
    N_TREES,
    Values,
    band_powers,
    figures,
    forest,
    machine,
    parser,
    psgimg,
    subjects,
    table_of,
    work_folder,
)

RECORDING = "SC4001"
BLOCK, N_FOLDS = 42, 5
"""Pages per block and number of folds; every fifth block is held out, shifted by one block per fold."""

RECIPES = {
    "4 passes": "--num-train-epochs 4 --sampling natural",
    "4 passes, lanes left out": "--num-train-epochs 4 --sampling natural --augment flip,shift,lanes",
}
SOME_FOLDS = (0, 2)
"""Folds on which lanes are left out, by each recipe, and the only ones of the second recipe."""

CHOSEN = "4 passes"

GOALS = {"demo_accuracy": 0.90, "demo_cpu_minutes": 10, "night_accuracy": 0.82}


def main() -> None:
    """Run all steps and write the results."""
    asked = parser(__doc__)
    asked.add_argument("--root", type=Path, required=True, help="folder with SC4001 of Sleep-EDF")
    asked.add_argument("--recipe", action="append", choices=RECIPES, help="may be repeated")
    asked.add_argument(
        "--parallel", type=int, default=2, help="folds run in parallel, one core each"
    )
    options = asked.parse_args()
    with work_folder(options.work) as work:
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
    options = f"{COMMON} {RECIPES[recipe]}"  # of an option given twice, the last one counts
    suffix = re.sub("[^a-z0-9]+", "-", recipe)

    def one(folder: Path) -> tuple[metrics.Table, Values]:
        out = f"{folder.name}-{suffix}"
        words = f"--dataset {folder.name} --model demo-model --output-dir {out}"
        done = psgimg(work, f"sft {words} {options}")
        pages = f"--dataset {folder.name} --split test --any-lanes --each-lane-out"
        psgimg(work, f"predict --model {out} {pages} --out {out}.parquet")
        table = table_of(work / f"{out}.parquet")
        return table, {**figures(table), "sft": done}

    some = [folds[i] for i in SOME_FOLDS]
    with ThreadPoolExecutor(parallel) as threads:
        results = list(threads.map(one, folds if recipe == CHOSEN else some))
    names = [f"{folder.name}-{suffix}" for folder in some]
    return {
        "options": options,
        **over_folds(*zip(*results, strict=True)),
        "without": without(work, names),
    }


def without(work: Path, names: list[str]) -> Values:
    """Return the metrics of the pages of some folds, as they are and with each lane left out."""
    lanes = [
        path.stem.removeprefix(f"{names[0]}-without-")
        for path in sorted(work.glob(f"{names[0]}-without-*.parquet"))
    ]
    ends = {"": "", **{lane: f"-without-{lane}" for lane in lanes}}
    return {
        lane: figures(sum(table_of(work / f"{name}{end}.parquet") for name in names))
        for lane, end in ends.items()
    }


def baseline(folds: list[Path], root: Path) -> Values:
    """Return the baseline: a random forest on band powers of the same pages, in the same folds."""
    sleep_edf = corpus("sleep-edf")
    recording = next(one for one in sleep_edf.recordings(root) if one.recording == RECORDING)
    spec = PageSpec.from_build(build_report.read(folds[0]))
    powers = band_powers(spec, sleep_edf, recording)
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
        table = metrics.confusion(parts[3], forest(parts[0], parts[1], parts[2]))
        results.append((table, figures(table)))
    return {"trees": N_TREES, "bands_hz": BANDS_HZ, **over_folds(*zip(*results, strict=True))}


def over_folds(tables: tuple[metrics.Table, ...], folds: tuple[Values, ...]) -> Values:
    """Return means over folds, and the metrics of the pages of all folds pooled."""
    names = [metric.key for metric in metric_table.headline()]
    means = {name: round(float(np.mean([one[name] for one in folds])), 4) for name in names}
    together: metrics.Table = np.sum(tables, axis=0)
    return {"mean": means, "together": figures(together), "folds": list(folds)}


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
        atomic_file.write_text(out.with_suffix(".md"), one_night_page.page(values, CHOSEN, study))


if __name__ == "__main__":
    main()
