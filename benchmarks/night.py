"""Night: EDF to Parquet compared with the naive implementation, and memory."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import child
import nights


def speed(root: Path, scratch: Path, n_naive: int, repeats: int) -> dict[str, Any]:
    """Measure one 8-h night with one worker on one core, compared with MNE and matplotlib.

    Drawing of the naive night is extrapolated from ``n_naive`` pages; its other steps are measured
    in full.
    """
    edf, _ = nights.paths(root, 0)
    naive = child.run("naive_night", edf, _fresh(scratch / "naive"), n_naive)
    nights_s = [child.run("night", root, _fresh(scratch / "out")) for _ in range(repeats)]
    builds = [_build(root, scratch, 1, 1, cores=1) for _ in range(repeats)]
    night = min(nights_s, key=lambda run: run["night_seconds"])
    build = min(builds, key=lambda run: run["seconds"])
    n_pages = night["pages"]
    naive_s = naive["read_and_filter_seconds"] + n_pages * naive["seconds_per_page"]
    whole_s = naive["seconds"] + (n_pages - naive["pages_drawn"]) * naive["seconds_per_page"]
    return {
        "naive": {**naive, "extrapolated_to_pages": n_pages},
        "edf_to_parquet": {
            "timed": "reading, filters, pages, Parquet; without imports and card",
            "pages": n_pages,
            "psgimg_seconds": night["night_seconds"],
            "naive_seconds_extrapolated": round(naive_s, 1),
            "ratio": round(naive_s / night["night_seconds"], 1),
        },
        "whole_command": {
            "timed": "the whole process: imports for both, and for psgimg also shards, contact sheet "
            "and card",
            "psgimg_seconds": build["seconds"],
            "psgimg_peak_mb": build["peak_mb"],
            "naive_seconds_extrapolated": round(whole_s, 1),
            "ratio": round(whole_s / build["seconds"], 1),
        },
    }


def memory(speed: dict[str, Any], workers: dict[str, Any]) -> dict[str, Any]:
    """Return the peak resident memory of builds of one and of many nights by one worker."""
    one, many = speed["whole_command"]["psgimg_peak_mb"], workers["one_worker"]["peak_mb"]
    return {
        "naive_1_night_peak_mb": speed["naive"]["peak_mb"],
        "1_night_peak_mb": one,
        f"{workers['nights']}_nights_peak_mb": many,
        "growth_mb": round(many - one, 1),
    }


def start_up(scratch: Path) -> dict[str, Any]:
    """Measure the first page of a process, with and without compiled kernels on disk."""
    import os

    cache = _fresh(scratch / "kernels")
    os.environ["NUMBA_CACHE_DIR"] = str(cache)
    try:
        cold, warm = child.run("first_page"), child.run("first_page")
    finally:
        del os.environ["NUMBA_CACHE_DIR"]
    return {"compiling": cold, "compiled": warm}


def _build(root: Path, scratch: Path, n_nights: int, n_workers: int, cores: int) -> dict[str, Any]:
    return child.run("build", root, _fresh(scratch / "out"), n_nights, n_workers, cores=cores)


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return folder
