r"""Levers: what each one is worth on the varied demo, to readers of single pages, in three seeds.

    psgimg build --source demo-varied --splits 60/15/25 --variants labs --out varied
    python benchmarks/levers.py --dataset varied --out docs/results.json

Readers are boosted trees: on what the picture of a page shows, on the features of its signals, and on
those of the night around it. They learn from the train split. Everything that is fitted afterwards is
fitted to the validation split, and all figures are of the test split: whole people that nothing was fitted
to. The corrupted twins of the test split are built in the work folder, which keeps what is done.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from psgimg.builder.dataset import build_report
from psgimg.builder.dataset.build_json import RecipeJson
from psgimg.finetune.baselines import boosting
from psgimg.finetune.data import page_set
from psgimg.finetune.data.context import Context
from real_night import write
from real_nights import picture_trees
from real_nights.lever_steps import PAGES, Bench, accuracies
from real_nights.page_ink import Ink
from real_nights.picture_trees import Way
from real_nights.steps import VARIED_NIGHTS, Values, machine, parser, psgimg, work_folder

SEEDS = (0, 1, 2)
TREES = ("boosting-page", "boosting")
SOFT = "both scorers"
WAYS = {
    PAGES: Way(),
    SOFT: Way(soft=True),
    "1 whole": Way(Context(1)),
    "1 narrowed": Way(Context(1, 0.25)),
    "1 narrowed, mixed": Way(Context(1, 0.25), mixed=True),
    "2 narrowed": Way(Context(2, 0.25)),
    "variants": Way(varied=True),
    "lanes left out": Way(lanes=True),
    "several": Way(Context(1, 0.25), soft=True),
}
"""Ways in which trees learn from pictures; the last one before an ensemble and decoded nights."""

SCALES = (1.0, 0.25)
SPLITS = ("validation", "test")

LABS = (PAGES, "variants", "lanes left out")
TWINS = {
    "scale": "scale:factor=0.7..1.4",
    "noise": "noise:snr_db=5",
}
"""Corruptions of the test split, of those that change what trees see: a wave upside down, or shifted in
time, has the same ink."""


def main() -> None:
    """Run all steps and write the results."""
    asked = parser(__doc__)
    asked.add_argument("--dataset", type=Path, required=True, help="the varied demo with variants")
    asked.add_argument(
        "--parallel", type=int, default=2, help="baselines run in parallel, one core each"
    )
    options = asked.parse_args()
    with work_folder(options.work) as work:
        dataset = options.dataset.resolve()
        with ThreadPoolExecutor(options.parallel) as threads:
            steps = [*baselines(dataset), *twins(dataset)]
            done = threads.map(lambda words: psgimg(work, words), steps)
            learn(work, dataset)
            list(done)
        stage_twins(work)
        found = {
            "readers": {"picture": of_pictures(work, dataset), **of_signals(work, dataset)},
            "labs": of_labs(work, dataset),
            "machine": machine(options.note),
        }
    write(options.out, {"levers": found})


def baselines(dataset: Path) -> list[str]:
    """Return the commands that stage by trees on signals, without and with the second scorer."""
    methods = " ".join(f"--method {name}" for name in TREES)
    common = f"baseline --dataset {dataset} --root {dataset.parent / VARIED_NIGHTS} {methods}"
    return [
        f"{common} --split {split} --seed {seed}{how} --out {out}-{split}-{seed}"
        for seed in SEEDS
        for out, split, how in (
            ("trees", "validation", ""),
            ("trees", "test", ""),
            ("soft", "test", " --soft-labels"),
        )
    ]


def twins(dataset: Path) -> list[str]:
    """Return the commands that build the corrupted twins of the test split."""
    source = f"--source demo-varied --root {dataset.parent / VARIED_NIGHTS} --splits 60/15/25"
    return [f"build {source} --corrupt {spec} --out twin-{name}" for name, spec in TWINS.items()]


def learn(work: Path, dataset: Path) -> None:
    """Stage both splits by trees on pictures, in each way and by each seed; keep those of `LABS`."""
    inks = {
        split: Ink.of(
            page_set.load(str(dataset), None, split),
            SCALES,
            work / f"ink-{split}.npz",
            varied=split == "train",
        )
        for split in ("train", *SPLITS)
    }
    for name, way in WAYS.items():
        for seed in SEEDS:
            last = staged(name, "test", seed)
            if (work / last).exists():
                continue
            trees = picture_trees.learn(inks["train"], way, seed)
            if name in LABS:
                trees.save(work / f"{_word(name)}-{seed}.trees.json")
            if way.context.pages:
                found = picture_trees.predict(trees, inks["test"], way, alone=True)
                picture_trees.write(work / staged(name, "test", seed, "alone"), [found])
            if name in LABS:
                for lane in lanes(inks["test"].pages.build["recipe"]):
                    found = picture_trees.predict(trees, inks["test"], way, without=lane)
                    picture_trees.write(work / staged(name, "test", seed, f"no {lane}"), [found])
            for split in SPLITS:
                found = picture_trees.predict(trees, inks[split], way)
                picture_trees.write(work / staged(name, split, seed), [found])


def stage_twins(work: Path) -> None:
    """Stage the corrupted twins by the trees of `LABS`."""
    for twin in TWINS:
        pages = page_set.load(str(work / f"twin-{twin}"), None, "test")
        ink = Ink.of(pages, (1.0,), work / f"ink-twin-{twin}.npz")
        for name in LABS:
            for seed in SEEDS:
                trees = boosting.load(work / f"{_word(name)}-{seed}.trees.json")
                found = picture_trees.predict(trees, ink, WAYS[name])
                picture_trees.write(work / staged(name, "test", seed, twin), [found])


def of_pictures(work: Path, dataset: Path) -> Values:
    """Return the figures of trees on pictures with each lever, and the commands that pull them."""
    bench = Bench(work, dataset)
    rows = bench.rows("pictures", {split: _all(PAGES, split) for split in SPLITS})
    rows |= {name: _all(name, "test") for name in WAYS if name not in (PAGES, "several")}
    several = bench.combined("several", {split: _all("several", split) for split in SPLITS})
    rows["several"] = bench.calibrated(several, "night")
    alone = {name: _all(name, "test", "alone") for name, way in WAYS.items() if way.context.pages}
    return {
        "rows": bench.figures(rows),
        "alone": accuracies(work, alone, rows[PAGES]),
        "commands": bench.commands,
    }


def of_signals(work: Path, dataset: Path) -> dict[str, Values]:
    """Return the same of trees on signals: of one page, and of the night around it."""
    page, night = (Bench(work, dataset) for _ in TREES)
    rows = {}
    for name, bench in zip(TREES, (page, night), strict=True):
        files = {
            split: [f"trees-{split}-{seed}/{name}.parquet" for seed in SEEDS] for split in SPLITS
        }
        rows[name] = bench.rows(name, files)
        rows[name][SOFT] = [f"soft-test-{seed}/{name}.parquet" for seed in SEEDS]
    around = {f"night around, {row}": files for row, files in rows["boosting"].items()}
    return {
        "boosting-page": {
            "rows": page.figures(rows["boosting-page"] | around),
            "commands": page.commands,
        },
        "boosting": {"rows": night.figures(rows["boosting"]), "commands": night.commands},
    }


def of_labs(work: Path, dataset: Path) -> Values:
    """Return accuracies under each corruption and without each lane, of the trees of `LABS`."""
    gone = [f"no {name}" for name in lanes(build_report.read(dataset)["recipe"])]
    found = {}
    for condition in ("", *TWINS, *gone):
        rows = {name: _all(name, "test", condition) for name in LABS}
        found[condition] = accuracies(work, rows, rows[PAGES])
    each = {
        name: [file for condition in gone for file in _all(name, "test", condition)]
        for name in LABS
    }
    found["any lane"] = accuracies(work, each, each[PAGES])
    return {"pages": found, "specs": TWINS}


def lanes(recipe: RecipeJson) -> list[str]:
    """Return the names of a recipe's lanes."""
    return [lane["name"] for lane in recipe["montage"]["lanes"]]


def staged(name: str, split: str, seed: int, condition: str = "") -> str:
    """Return the file of what trees of one way and seed make of a split, shown in some condition."""
    end = f"-{_word(condition)}" if condition else ""
    return f"pictures/{_word(name)}-{seed}-{split}{end}.parquet"


def _all(name: str, split: str, condition: str = "") -> list[str]:
    return [staged(name, split, seed, condition) for seed in SEEDS]


def _word(name: str) -> str:
    return re.sub("[^a-z0-9]+", "-", name.lower())


if __name__ == "__main__":
    main()
