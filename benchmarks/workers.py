"""Workers: nights by one worker on one core, and by two on two, phase by phase; JSON for the documents.

    python benchmarks/workers.py --out docs/workers.json

Runs one worker and two in turn, on the same synthetic nights of 8 h, and adds the pair to those in
the file. What more workers would take is projected from the phases of the best runs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import child
import nights

N_NIGHTS = 64
PROJECTED_NIGHTS = 1000
PROJECTED_WORKERS = (2, 4, 8, 16)
PACKAGES = ("psgimg", "numpy", "numba", "isal", "pyarrow")

Values = dict[str, Any]


def main() -> None:
    """Measure pairs, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nights", type=int, default=N_NIGHTS, help="how many nights are drawn")
    parser.add_argument("--pairs", type=int, default=1, help="how often both are measured")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to add the pairs to")
    options = parser.parse_args()
    found = json.loads(options.out.read_text()) if options.out.exists() else {"pairs": []}
    with tempfile.TemporaryDirectory(prefix="psgimg-benchmark-") as folder:
        root = Path(folder) / "shhs"
        nights.write(root, options.nights)
        for _ in range(options.pairs):
            found["pairs"].append(pair(root, Path(folder) / "out", options.nights))
    found = {"machine": child.machine(PACKAGES), **best(found["pairs"]), "pairs": found["pairs"]}
    options.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(table(found))


def pair(root: Path, out: Path, n_nights: int) -> Values:
    """Measure the same nights with one worker on one core, and with two workers on two cores."""
    one, two = (run(root, out.with_name(f"{out.name}-{n}"), n_nights, n) for n in (1, 2))
    return {"nights": n_nights, "one_worker": one, "two_workers": two}


def run(root: Path, out: Path, n_nights: int, n_workers: int) -> Values:
    """Measure one build as a whole process, and its phases by the log of its nights."""
    log = out.with_name(f"{out.name}.timings.jsonl")
    log.unlink(missing_ok=True)
    cache = out.parent / "cache"
    for folder in (out, cache):
        shutil.rmtree(folder, ignore_errors=True)
    os.environ["XDG_CACHE_HOME"] = str(cache)  # every run hashes the files anew
    began_s = time.time()
    whole = child.run("build", root, out, n_nights, n_workers, cores=n_workers)
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    starts_s = [datetime.fromisoformat(line["began"]).timestamp() for line in lines]
    lengths_s = [sum(v for k, v in line.items() if k.endswith("_s")) for line in lines]
    last_s = max(s + length for s, length in zip(starts_s, lengths_s, strict=True))
    phases = {
        "start_seconds": min(starts_s) - began_s,
        "night_seconds": sum(lengths_s) / len(lengths_s),
        "after_seconds": began_s + whole["seconds"] - last_s,
    }
    return {**whole, **{name: round(seconds, 2) for name, seconds in phases.items()}}


def best(pairs: list[Values]) -> Values:
    """Return the fastest run of each kind, and the ratio of their seconds."""
    one, two = (
        min((pair[kind] for pair in pairs), key=lambda run: run["seconds"])
        for kind in ("one_worker", "two_workers")
    )
    ratio = round(one["seconds"] / two["seconds"], 2)
    return {
        "nights": pairs[0]["nights"],
        "one_worker": one,
        "two_workers": two,
        "ratio": ratio,
    }


def projected(found: Values, n_workers: int) -> Values:
    """Return the seconds of many nights by some workers on as many cores, and the ratio to one.

    Each worker takes as long for a night as each of two; one thread beside them moves finished nights
    into shards, which takes as long as the difference of the two measured ends says.
    """
    one, two = found["one_worker"], found["two_workers"]
    n = PROJECTED_NIGHTS
    joining_s = n * max(0.0, one["after_seconds"] - two["after_seconds"]) / found["nights"]
    drawing_s = -(-n // n_workers) * two["night_seconds"]
    alone_s = one["start_seconds"] + n * one["night_seconds"] + joining_s + two["after_seconds"]
    seconds = two["start_seconds"] + max(drawing_s, joining_s) + two["after_seconds"]
    return {
        "seconds": seconds,
        "ratio": alone_s / seconds,
        "limit": "shards" if joining_s > drawing_s else "drawing",
    }


def table(found: Values) -> str:
    """Return what documents say of workers."""
    one, two = found["one_worker"], found["two_workers"]
    rows = [
        ("the whole command", "seconds"),
        ("CPU time, all processes", "cpu_seconds"),
        ("until the first night is begun", "start_seconds"),
        ("a night in its worker, mean", "night_seconds"),
        ("after the last night", "after_seconds"),
    ]
    lines = ["| | one worker, one core | two workers, two cores |", "|:--|--:|--:|"]
    lines += [f"| {words} | {one[key]:.1f} s | {two[key]:.1f} s |" for words, key in rows]
    machine = found["machine"]
    some = [projected(found, n) for n in PROJECTED_WORKERS]
    return (
        "\n".join(lines)
        + f"\n\n{found['nights']} nights of 8 h: two workers are **{found['ratio']:.2f}** times as fast "
        f"as one. Best of {len(found['pairs'])} pairs of `python benchmarks/workers.py` on "
        f"{machine['cpus']} cores of {machine['system']} ([all figures](workers.json)).\n\n"
        f"| {PROJECTED_NIGHTS:,} nights, projected | "
        + " | ".join(f"{n} workers" for n in PROJECTED_WORKERS)
        + " |\n|:--|"
        + "--:|" * len(some)
        + "\n| times as fast as one | "
        + " | ".join(f"{one['ratio']:.1f}" for one in some)
        + " |\n| limited by | "
        + " | ".join(one["limit"] for one in some)
        + " |\n"
    )


if __name__ == "__main__":
    main()
