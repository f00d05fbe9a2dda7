"""Runs all benchmarks and prints JSON: ``python benchmarks/run.py [--quick] [--out FILE.json]``.

Every result is compared with a naive implementation measured in the same run; the ratios are
comparable between machines, the milliseconds are not. ``--quick`` takes less than a minute: fewer
pages, no cold start, and so few nights that the start-up of the second worker outweighs its work.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import child
import night
import nights
import workers

PACKAGES = ("psgimg", "numpy", "scipy", "numba", "isal", "matplotlib", "mne", "pillow", "pyarrow")


def main() -> None:
    """Run the benchmarks, print the JSON, and write it if a file is given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer pages and nights")
    parser.add_argument("--out", type=Path, help="also write the JSON to this file")
    options = parser.parse_args()
    text = json.dumps(measure(options.quick), indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


def measure(quick: bool) -> dict[str, Any]:
    """Run every benchmark; this process imports nothing heavy and only waits."""
    n_nights = 2 if quick else 24
    with tempfile.TemporaryDirectory(prefix="psgimg-benchmark-") as folder:
        root, scratch = Path(folder) / "shhs", Path(folder) / "scratch"
        scratch.mkdir()
        nights.write(root, n_nights)
        start_up = {} if quick else night.start_up(scratch)
        page = child.run("measure_pages", 6 if quick else 60)
        one_night = night.speed(root, scratch, 60 if quick else 240, 1 if quick else 3)
        pair = workers.pair(root, scratch / "out", n_nights)
    return {
        "machine": child.machine(PACKAGES),
        "quick": quick,
        "page": page,
        "night": one_night,
        "memory": night.memory(one_night, pair),
        "workers": workers.best([pair]),
        "start_up": start_up,
    }


if __name__ == "__main__":
    main()
