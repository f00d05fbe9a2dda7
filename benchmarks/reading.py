"""Measures how pages are read from the shards of a dataset: opening, the first batch, any order.

    psgimg build --source demo --out demo
    python benchmarks/reading.py --dataset demo --recordings 8444 --bytes 100
    python benchmarks/reading.py --dataset demo --recordings 100 --layout "as built"

A stand-in of as many recordings is made of the first one of ``--dataset``; with ``--bytes`` its pictures
are cut, so that the rest of a large dataset fits on any disk. Each measurement runs in a process of its
own, once with the shards out of the page cache of the system and once with them in it. Figures are
wall-clock, opening also in seconds of CPU; bytes are those that the process asked of the system.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import many_nights
import numpy as np

EPOCHS = 950
BATCH = 8
SPREAD = 32
"""Pages of successive training steps whose recordings are counted."""


def main() -> None:
    """Make the stand-in, measure, print and write the results."""
    options = arguments()
    if options.measure:
        print(json.dumps(measure(options.measure, options.pages, cut=options.bytes > 0)))
        return
    with tempfile.TemporaryDirectory(prefix="psgimg-reading-", dir=options.work) as work:
        size = many_nights.make(
            options.dataset,
            Path(work),
            options.recordings,
            options.epochs,
            options.bytes,
            options.layout,
        )
        result = {
            "command": "python " + " ".join(sys.argv),
            "layout": options.layout,
            "recordings": options.recordings,
            "pages": options.recordings * options.epochs,
            "gigabytes": round(size / 1e9, 2),
        }
        for name in ("cold", "warm"):
            if name == "cold":
                forget(Path(work))
            result[name] = child(Path(work), options)
    print(json.dumps(result, indent=1))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dataset", type=Path, help="a small dataset, whose first night is copied")
    parser.add_argument("--recordings", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="pages a recording")
    parser.add_argument("--bytes", type=int, default=0, help="cut pictures; 0: whole")
    parser.add_argument("--layout", choices=many_nights.LAYOUTS, default="as built")
    parser.add_argument("--pages", type=int, default=2000, help="pages read in each order")
    parser.add_argument("--work", type=Path, help="where the stand-in is put for the time being")
    parser.add_argument("--out", type=Path, help="JSON file of the results")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def child(dataset: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Measure in a new process."""
    words = ["--measure", dataset, "--pages", options.pages, "--bytes", options.bytes]
    command = [sys.executable, __file__, *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def forget(folder: Path) -> None:
    """Put the shards of a folder out of the page cache of the system."""
    for path in folder.rglob("*.parquet"):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def measure(dataset: Path, n_pages: int, *, cut: bool) -> dict[str, Any]:
    """Open a dataset and read pages in a random order, again, and in their own order."""
    from psgimg.finetune.data import page_set, sampling

    before_mb = memory_mb()
    began, cpu_s = time.perf_counter(), time.process_time()
    pages = page_set.load(str(dataset), None, "train")
    opened = time.perf_counter()
    order = pages.rows[sampling.order(pages.labels, "natural", 0)]
    read = pages.pictures.read if cut else pages.images
    assert len(read(order[:BATCH].tolist())) == BATCH
    ready, cpu_s = time.perf_counter(), time.process_time() - cpu_s
    batches = order[: len(order) // SPREAD * SPREAD].reshape(-1, SPREAD)[:200]
    n_recordings = [len(set(pages.index.recording[batch].tolist())) for batch in batches]
    chosen = order[BATCH : BATCH + n_pages].tolist()
    return {
        "opening_s": round(opened - began, 2),
        "first_batch_s": round(ready - began, 2),
        "first_batch_cpu_s": round(cpu_s, 2),
        "random": reading(pages, chosen),
        "random_again": reading(pages, chosen),
        "in_order": reading(pages, pages.rows[:n_pages].tolist()),
        "decoding_ms": None if cut else round(decoding_ms(pages, chosen[:50]), 2),
        f"recordings_in_{SPREAD}_pages": round(float(np.mean(n_recordings)), 1),
        "memory_mb": round(memory_mb() - before_mb),
    }


def reading(pages: Any, rows: list[int]) -> dict[str, float]:
    """Read the pictures of some rows, and return milliseconds and kilobytes for each."""
    asked, began = asked_bytes(), time.perf_counter()
    for row in rows:
        pages.pictures.read([row])
    took_s = time.perf_counter() - began
    return {
        "ms": round(1000 * took_s / len(rows), 3),
        "kb": round((asked_bytes() - asked) / 1000 / len(rows), 1),
    }


def decoding_ms(pages: Any, rows: list[int]) -> float:
    """Return the time that a picture takes from the shard to pixels."""
    began = time.perf_counter()
    for row in rows:
        pages.images([row])
    return 1000 * (time.perf_counter() - began) / len(rows)


def asked_bytes() -> int:
    """Return the bytes that this process has asked of the system."""
    return int(Path("/proc/self/io").read_text().split()[1])


def memory_mb() -> float:
    """Return the largest memory of this process so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000


if __name__ == "__main__":
    main()
