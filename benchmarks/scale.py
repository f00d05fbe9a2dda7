"""Scale: what a corpus of thousands of nights costs, phase by phase, and what that makes of SHHS.

``python benchmarks/scale.py [--sizes 300,1000,3000,8444] [--phases NAME,...] [--out FILE.json]``
measures each phase in a process of its own: seconds of the wall and of the CPU, peak memory, bytes
read and written. A size is added to those in FILE.json as soon as it is measured, in place of an
earlier measurement of the same phases, so that sizes, and phases that need no others, can be measured
on different days. ``--project FILE.json`` prints the tables of a file.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import child
import scale_phases

SIZES = (300, 1000, 3000, 8444)
PACKAGES = ("psgimg", "numpy", "pyarrow", "datasets")

NIGHTS, PAGES = 8444, 950
"""Recordings of SHHS, and pages of one from 30 min before sleep to 30 min after it."""

SHOWN = {
    "list": "find the recordings",
    "fingerprint": "hash their files, of one minute each",
    "plan": "plan, with all hashes known",
    "publish": "join nights to shards",
    "card": "card, contact sheet, Croissant and `build.json`",
    "again": "`build` with nothing to do",
    "index": "index the training split",
    "load": "open it and read 1,000 pages at random",
    "evaluate": "`evaluate` a prediction of every page",
}
"""Phases of the table of sizes, with their names in it."""


def main() -> None:
    """Measure, or read an earlier measurement; print JSON and tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="numbers of nights")
    parser.add_argument("--pages", type=int, default=PAGES, help="pages a night")
    parser.add_argument(
        "--phases",
        default=",".join(scale_phases.PHASES),
        help="phases to measure, such as evaluate",
    )
    parser.add_argument("--folder", type=Path, help="where to write; by default a temporary folder")
    parser.add_argument("--out", type=Path, help="also write the JSON to this file")
    parser.add_argument("--project", type=Path, help="print the tables of this JSON instead")
    options = parser.parse_args()
    if options.project:
        found = json.loads(options.project.read_text(encoding="utf-8"))
    else:
        found = earlier(options.out, options.pages)
        for size in sorted(int(word) for word in options.sizes.split(",")):
            with tempfile.TemporaryDirectory(prefix="psgimg-scale-", dir=options.folder) as folder:
                new = measure(Path(folder), size, options.pages, options.phases.split(","))
                found["sizes"][str(size)] = found["sizes"].get(str(size), {}) | new
            found["sizes"] = dict(sorted(found["sizes"].items(), key=lambda item: int(item[0])))
            text = json.dumps(found, indent=1)
            print(text)
            if options.out:
                options.out.write_text(text + "\n", encoding="utf-8")
    docs = Path(__file__).resolve().parents[1] / "docs"
    drawn = json.loads((docs / "benchmarks.json").read_text(encoding="utf-8"))
    print(f"{sizes_table(found)}\n{costs_table(found, drawn)}")


def earlier(path: Path | None, n_pages: int) -> dict[str, Any]:
    """Return the measurements in a file, to which others are added; none if there is no file."""
    if path is None or not path.exists():
        return {"pages": n_pages, "sizes": {}}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if found["pages"] != n_pages:
        raise SystemExit(f"{path} has nights of {found['pages']} pages, not {n_pages}")
    return found


def measure(
    folder: Path, n_nights: int, n_pages: int, names: Sequence[str] = tuple(scale_phases.PHASES)
) -> dict[str, Any]:
    """Run phases, by default all, on as many nights."""
    phases = {
        phase: child.run("scale", phase, folder, n_nights, n_pages, cores=2) for phase in names
    }
    return {"machine": child.machine(PACKAGES), **phases}


def sizes_table(found: Mapping[str, Any]) -> str:
    """Return CPU seconds and peak memory of each phase by number of nights, as Markdown."""
    sizes = sorted(found["sizes"], key=int)
    largest = found["sizes"][sizes[-1]]
    heads = " | ".join(f"{int(size):,} nights" for size in sizes)
    lines = [
        f"| | {heads} | read / written, {int(sizes[-1]):,} |",
        "|:--|" + "--:|" * (len(sizes) + 1),
    ]
    for phase, words in SHOWN.items():
        cells = [_cell(found["sizes"][size][phase]) for size in sizes]
        moved = largest[phase]
        transfer = (
            f"{moved['read_mb']:,.0f} / {moved['written_mb']:,.0f} MB" if "read_mb" in moved else ""
        )
        lines.append(f"| {words} | {' | '.join(cells)} | {transfer} |")
    machine = largest["machine"]
    run = (
        f"Measured with `python benchmarks/scale.py` on {machine['cpus']} cores of {machine['system']} "
        "([all figures](scale.json))."
    )
    return "\n".join([*lines, "", run]) + "\n"


def _cell(phase: Mapping[str, Any]) -> str:
    return f"{_number(phase['cpu_seconds'])} s, {phase['peak_mb']:,.0f} MB"


def costs_table(found: Mapping[str, Any], drawn: Mapping[str, Any]) -> str:
    """Return what SHHS costs, as Markdown: measured phases times its nights and pages.

    Parameters
    ----------
    found
        The measurements of all sizes.
    drawn
        Result of ``benchmarks/run.py``, for drawing and the size of a page.
    """
    size = max(found["sizes"], key=int)
    phases, factor = found["sizes"][size], NIGHTS / int(size)
    night = drawn["night"]["edf_to_parquet"]
    draw_s = night["psgimg_seconds"] / night["pages"] * PAGES * NIGHTS
    joined = phases["publish pages"]
    n_bytes = drawn["page"]["clinical"]["png_kb"] * 1e3 * PAGES * NIGHTS
    shards_s = joined["cpu_seconds"] / (joined["mb"] * 1e6) * n_bytes

    def seconds(phase: str) -> str:
        return _time(phases[phase]["cpu_seconds"] * factor)

    costs = [
        (
            "find, plan",
            f"{_time(sum(phases[p]['cpu_seconds'] for p in ('list', 'plan')) * factor)}",
        ),
        ("read, hash and draw, one core", _time(draw_s)),
        ("join to shards", _time(shards_s)),
        ("card and `build.json`", seconds("card")),
        ("the same `build` again", seconds("again")),
        ("index for training", seconds("index")),
        ("`evaluate` all pages", seconds("evaluate")),
        ("disk for the dataset", f"{n_bytes / 1e9:,.0f} GB"),
        (
            "disk beside it while it is built or grows, one shard",
            f"{n_bytes / 1e9 / NIGHTS * 64:.1f} GB",
        ),
        ("disk for the cache of `load_dataset`, unless streamed", f"{n_bytes / 1e9:,.0f} GB"),
    ]
    rows = [f"| {what} | {cost} |" for what, cost in costs]
    how = (
        f"`python benchmarks/scale.py --project docs/scale.json`: CPU time of one core, measured on "
        f"{int(size):,} recordings, for {NIGHTS:,} of {PAGES} pages; joining to shards, which includes "
        "hashing them, by the rate in bytes; drawing and the size of a page by "
        "[benchmarks.json](benchmarks.json). Workers divide the drawing."
    )
    return "\n".join(["| SHHS | |", "|:--|--:|", *rows, "", how]) + "\n"


def _time(seconds: float) -> str:
    """Return a time in the unit that fits."""
    if seconds >= 2 * 3600:
        return f"{seconds / 3600:.1f} h"
    if seconds >= 2 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{_number(seconds)} s"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


if __name__ == "__main__":
    main()
