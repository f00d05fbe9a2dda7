"""Soft labels: the tiny model taught by both scorers of the varied demo, against the labels of one.

    psgimg build --source demo-varied --splits 60/15/25 --out varied
    python benchmarks/soft_labels.py --dataset varied --out docs/results.json

Three seeds each, alike in all but `--soft-labels`. Figures are of the test split: whole people that nothing
was fitted to. Takes about 40 CPU minutes; the work folder keeps what is done.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from psgimg.builder.dataset import build_report
from real_night import write
from real_nights import people
from real_nights.steps import machine, parser, psgimg, work_folder

SEEDS = (0, 1, 2)
PASSES, PAGES = 1, 800
"""Training passes, and pages of the test split, evenly spread: all six models in about 40 CPU minutes."""

WAYS = {"hard": "", "soft": " --soft-labels true"}
"""What is learned from → the option."""

SFT = "--model tiny --num-train-epochs {passes} --eval-strategy no --save-strategy no --seed {seed}"


def main() -> None:
    """Run all steps and write the results."""
    asked = parser(__doc__)
    asked.add_argument("--dataset", type=Path, required=True, help="the varied demo, as built")
    asked.add_argument("--parallel", type=int, default=2, help="models trained at once")
    options = asked.parse_args()
    with work_folder(options.work) as work:
        dataset = options.dataset.resolve()
        cells = [(way, seed) for seed in SEEDS for way in WAYS]
        with ThreadPoolExecutor(options.parallel) as threads:
            took = list(threads.map(lambda cell: trained(work, dataset, *cell), cells))
        files = {way: [work / f"{way}-{seed}.parquet" for seed in SEEDS] for way in WAYS}
        found = {
            "passes": PASSES,
            "pages": PAGES,
            "scorers": {split: scorers(dataset, split) for split in ("train", "test")},
            "cpu_seconds": sorted(round(seconds) for seconds in took),
            "figures": {way: people.means(own) for way, own in files.items()},
            "differences": people.differences(files["hard"], files["soft"]),
            "machine": machine(options.note),
        }
    write(options.out, {"soft_labels": found})


def trained(work: Path, dataset: Path, way: str, seed: int) -> float:
    """Train a model and stage the test split; return the CPU seconds."""
    name = f"{way}-{seed}"
    words = SFT.format(passes=PASSES, seed=seed) + WAYS[way]
    one = psgimg(work, f"sft --dataset {dataset} {words} --output-dir {name}")
    pages = f"--dataset {dataset} --split test --limit {PAGES}"
    two = psgimg(work, f"predict --model {name} {pages} --out {name}.parquet")
    return float(one["cpu_seconds"] + two["cpu_seconds"])


def scorers(dataset: Path, split: str) -> dict[str, int]:
    """Return the numbers of pages of a split, and of those on which its two scorers differ."""
    import pyarrow.parquet as pq

    shards = [one for one in build_report.read(dataset)["shards"] if one["split"] == split]
    pages = disputed = 0
    for shard in shards:
        rows = pq.read_table(dataset / shard["path"], columns=["label", "label_2"])
        first, second = (rows[name].to_numpy() for name in rows.column_names)
        pages += len(first)
        disputed += int(((first != second) & (second >= 0)).sum())
    return {"pages": pages, "disputed": disputed}


if __name__ == "__main__":
    main()
