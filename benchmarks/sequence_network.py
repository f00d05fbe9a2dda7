"""Sequence network: U-Sleep, trained anew on the varied demo, against boosted trees on the same epochs.

    psgimg build --source demo-varied --splits 60/15/25 --out varied
    python benchmarks/sequence_network.py --dataset varied --out docs/results.json

All methods learn from the same people and stage the test split: whole people that nothing was fitted to.
The nights are read from the folder that the build leaves beside that of the dataset. Needs braindecode; the
work folder keeps what is done.
"""

from __future__ import annotations

import json
from pathlib import Path

from real_night import write
from real_nights import people
from real_nights.steps import VARIED_NIGHTS, Values, machine, parser, psgimg, work_folder

SEED = 0
METHODS = ("boosting-page", "boosting", "usleep")


def main() -> None:
    """Run all steps and write the results."""
    asked = parser(__doc__)
    asked.add_argument("--dataset", type=Path, required=True, help="the varied demo, as built")
    options = asked.parse_args()
    with work_folder(options.work) as work:
        dataset = options.dataset.resolve()
        found = compared(work, {name: staged(work, dataset, name) for name in METHODS})
    found["machine"] = machine(options.note)
    write(options.out, {"sequence_network": found})


def staged(work: Path, dataset: Path, name: str) -> float:
    """Train a method and stage the test split; return the CPU seconds."""
    words = f"--root {dataset.parent / VARIED_NIGHTS} --method {name} --seed {SEED}"
    took = psgimg(work, f"baseline --dataset {dataset} {words} --out {name}")
    return float(took["cpu_seconds"])


def compared(work: Path, took: dict[str, float]) -> Values:
    """Return the figures of each method, and their paired differences from the one before it.

    Parameters
    ----------
    took
        CPU seconds by method, in the order in which they are compared.
    """
    files = {name: work / name / f"{name}.parquet" for name in took}
    told = {
        name: json.loads(file.with_name(f"{file.name}.json").read_text(encoding="utf-8"))
        for name, file in files.items()
    }
    last = "usleep"
    kept = ("method", "passes", "best_pass", "validation_loss")
    return {
        "cpu_seconds": {name: round(seconds) for name, seconds in took.items()},
        "figures": {name: people.means([file]) for name, file in files.items()},
        "differences": {
            name: people.differences([file], [files[last]])
            for name, file in files.items()
            if name != last
        },
        "training": {key: told[last][key] for key in kept},
    }


if __name__ == "__main__":
    main()
