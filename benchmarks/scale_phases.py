"""Scale phases: the steps of a build, and those after it, each timed alone on thousands of nights.

The recordings are EDF files of one minute. The dataset has as many pages for each as a whole night,
but tiny ones: its tables, shards and reports are of true length, its bytes are not.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import stand_in

SHORT_EPOCHS = 2
N_READ = 1000
"""Pages read at random places."""

N_DRAWN = 100
"""Most nights that are drawn."""

N_REAL = 24
"""Nights with pages of real size."""

Measured = dict[str, Any]


@contextmanager
def measured(result: Measured) -> Iterator[None]:
    """Add seconds of the wall and of the CPU, and bytes read and written, to a result."""
    before, cpu, start = _transferred(), time.process_time(), time.perf_counter()
    yield
    result["phase_seconds"] = round(time.perf_counter() - start, 3)
    result["cpu_seconds"] = round(time.process_time() - cpu, 3)
    if (after := _transferred()) and before:
        result["read_mb"], result["written_mb"] = (
            round((b - a) / 1e6, 2) for a, b in zip(before, after, strict=True)
        )


def _transferred() -> tuple[int, int] | None:
    """Return the bytes that this process has read and written by system calls, where Linux tells."""
    path = Path("/proc/self/io")
    if not path.exists():
        return None
    values = dict(line.split(": ") for line in path.read_text().splitlines())
    return int(values["rchar"]), int(values["wchar"])


def run(phase: str, folder: Path, n_nights: int, n_pages: int) -> Measured:
    """Run one phase on the first nights of the stand-ins, and return what it took."""
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    os.environ["HF_HOME"] = str(folder / "huggingface")
    result: Measured = {}
    PHASES[phase](folder, n_nights, n_pages, result)
    return result


def write_nights(folder: Path, n_nights: int, n_pages: int, result: Measured) -> None:
    """Write the EDF files."""
    import nights

    del n_pages
    with measured(result):
        nights.write(folder / "shhs", n_nights, SHORT_EPOCHS)


def _config(folder: Path, n_nights: int) -> Any:
    from psgimg.builder.dataset.config import BuildConfig

    root, out = str(folder / "shhs"), folder / f"dataset-{n_nights}"
    return BuildConfig(("shhs",), (root,), out, limit=n_nights, workers=1, trim_min=None)


def _listed(config: Any) -> list[Any]:
    from psgimg.builder.corpora import sources

    located = sources.locate(config.corpora, config.root)
    return [recording for _, recording in sources.chosen(located, config.subjects, config.limit)]


def list_recordings(folder: Path, n_nights: int, n_pages: int, result: Measured) -> None:
    """Find the recordings."""
    del n_pages
    config = _config(folder, n_nights)
    with measured(result):
        result["recordings"] = len(_listed(config))


def fingerprint(folder: Path, n_nights: int, n_pages: int, result: Measured) -> None:
    """Hash the files, as the first build does."""
    from psgimg.builder.recordings import fingerprint as files

    del n_pages
    recordings = _listed(_config(folder, n_nights))
    with measured(result):
        for recording in recordings:
            files.identify(recording)


def plan(folder: Path, n_nights: int, n_pages: int, result: Measured) -> None:
    """Decide what to draw, with all hashes known."""
    del n_pages
    config = _config(folder, n_nights)
    with measured(result):
        result["tasks"] = len(_tasks(config))


def _tasks(config: Any) -> list[Any]:
    from psgimg.builder import tasks
    from psgimg.builder.corpora import sources

    located = sources.locate(config.corpora, config.root)
    return list(tasks.make_tasks(config, located, config.split_policy()).tasks)


def draw(folder: Path, n_nights: int, n_pages: int, result: Measured) -> None:
    """Draw some recordings, the reading of their minute included, into one file each."""
    from psgimg.builder.building.one_recording import Drawn
    from psgimg.builder.building.one_recording import draw as draw_one

    del n_pages
    tasks = [replace(task, out=folder / "drawn") for task in _tasks(_config(folder, n_nights))]
    draw_one(tasks[0])
    with measured(result):
        drawn = [draw_one(task) for task in tasks[:N_DRAWN]]
    if wrong := [one for one in drawn if not isinstance(one, Drawn)]:
        raise SystemExit(str(wrong[0]))
    result["pages"] = sum(one.n_pictures for one in drawn if isinstance(one, Drawn))


def write_dataset(folder: Path, n_nights: int, n_pages: int, result: Measured) -> None:
    """Write the nights of the dataset, in place of drawing them."""
    from psgimg.builder.recordings import fingerprint as files

    config = _config(folder, n_nights)
    shutil.rmtree(config.out, ignore_errors=True)
    base, page = stand_in.facts(folder / "drawn"), stand_in.tiny_page()
    known = [(recording, files.identify(recording)) for recording in _listed(config)]
    with measured(result):
        stand_in.write(config.out, base, known, n_pages, page)


def again(folder: Path, n_nights: int, n_pages: int, result: Measured) -> None:
    """Run ``build`` on the finished dataset, with nothing to do."""
    from psgimg.builder.build import build
    from psgimg.builder.progress import SILENT

    del n_pages
    config = _config(folder, n_nights)
    before = (config.out / "build.json").stat().st_mtime_ns
    with measured(result):
        build(config, SILENT)
    if (config.out / "build.json").stat().st_mtime_ns != before:
        raise SystemExit("the dataset was written again")


def _split_of(config: Any, done: Any) -> Any:
    from psgimg.builder.dataset import placements

    facts = [one.facts for one in done.values()]
    policy = config.split_policy()
    return placements.of_recordings(facts, policy.place(placements.persons(facts)), policy)


def publish(folder: Path, n_nights: int, n_pages: int, result: Measured) -> None:
    """Make shards of the nights."""
    from psgimg.builder.building import shard_files, shard_plan
    from psgimg.builder.dataset import shards

    del n_pages
    config = _config(folder, n_nights)
    with measured(result):
        done = shards.finished(config.out)
        planned = shard_plan.plan(done.values(), _split_of(config, done))
        shard_files.publish(config.out, planned).remember(wait=True)
    result["shards"] = len(planned)


def card(folder: Path, n_nights: int, n_pages: int, result: Measured) -> None:
    """Write card, contact sheet, Croissant file and ``build.json``."""
    from psgimg.builder import atomic_file
    from psgimg.builder.card import croissant, dataset_card
    from psgimg.builder.dataset import build_report, shards

    del n_pages
    config = _config(folder, n_nights)
    out = config.out
    with measured(result):
        split_of = _split_of(config, shards.finished(out))
        report = build_report.collect(config, [], split_of)
        dataset_card.write(out, report)
        text = build_report.text(croissant.croissant(report.values))
        atomic_file.write_text(out / croissant.FILE, text)
        pictures = [name for name in dataset_card.picture_files() if (out / name).exists()]
        beside = [dataset_card.FILE, dataset_card.SHEET, croissant.FILE, *pictures]
        build_report.write(out, report, beside)
    result["build_json_mb"] = round((out / build_report.FILE).stat().st_size / 1e6, 2)
    shutil.rmtree(out / shards.STATE, ignore_errors=True)


def index(folder: Path, n_nights: int, n_pages: int, result: Measured) -> None:
    """Index the training split without its pictures."""
    from psgimg.finetune.data import page_index, source

    del n_pages
    with measured(result):
        found = page_index.read(source.find(str(folder / f"dataset-{n_nights}"), None, "train"))
    result["rows"] = len(found)


def load(folder: Path, n_nights: int, n_pages: int, result: Measured) -> None:
    """Open the training split as ``sft`` does, and read pages at random places."""
    import numpy as np
    from psgimg.finetune.data import page_set

    del n_pages
    with measured(result):
        pages = page_set.load(str(folder / f"dataset-{n_nights}"), None, "train")
        chosen = np.random.default_rng(0).choice(len(pages), min(N_READ, len(pages)), replace=False)
        for row in chosen:
            pages.images([int(row)])
    result["rows"] = len(pages)


def evaluate(folder: Path, n_nights: int, n_pages: int, result: Measured) -> None:
    """Evaluate predictions for every page, with all figures and intervals."""
    from psgimg.finetune.evaluation import evaluate as main_path

    path = folder / f"predictions-{n_nights}.parquet"
    stand_in.write_predictions(path, n_nights, n_pages)
    out = folder / f"evaluation-{n_nights}"
    with measured(result):
        main_path.write(out, main_path.evaluate(main_path.EvaluateConfig((path,), out)))
    result["rows"] = n_nights * n_pages


def publish_pages(folder: Path, n_nights: int, n_pages: int, result: Measured) -> None:
    """Make shards of a few nights whose pages have the size of real ones, for the rate in bytes."""
    from psgimg.builder.building import shard_files, shard_plan
    from psgimg.builder.dataset import shards
    from psgimg.builder.recordings import fingerprint as files

    out, page = folder / "pages", os.urandom(stand_in.PAGE_BYTES)
    shutil.rmtree(out, ignore_errors=True)
    some = _listed(_config(folder, min(n_nights, N_REAL)))
    known = [(recording, files.identify(recording)) for recording in some]
    stand_in.write(out, stand_in.facts(folder / "drawn"), known, n_pages, page)
    with measured(result):
        done = shards.finished(out)
        shard_files.publish(out, shard_plan.plan(done.values(), dict.fromkeys(done, "train")))
    result["mb"] = round(sum(path.stat().st_size for path in out.rglob("*.parquet")) / 1e6, 1)
    shutil.rmtree(out)


Phase = Callable[[Path, int, int, Measured], None]
PHASES: dict[str, Phase] = {
    "write nights": write_nights,
    "list": list_recordings,
    "fingerprint": fingerprint,
    "plan": plan,
    "draw": draw,
    "write dataset": write_dataset,
    "publish": publish,
    "card": card,
    "again": again,
    "index": index,
    "load": load,
    "evaluate": evaluate,
    "publish pages": publish_pages,
}
"""In the order in which each finds what it needs."""
