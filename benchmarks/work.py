"""Work: functions that the benchmarks run in separate processes, by psgimg and the naive way."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any


def build(root: str, out: str, n_nights: str, workers: str) -> dict[str, Any]:
    """Build nights of SHHS from EDF to Parquet shards and card, as the command line does."""
    from psgimg.builder.building import WORKER_MODULES
    from psgimg.builder.processes.pool import Processes

    with Processes(int(workers)).importing(WORKER_MODULES) as engine:
        from psgimg.builder.build import build as build_dataset
        from psgimg.builder.dataset.config import BuildConfig
        from psgimg.builder.progress import SILENT

        config = BuildConfig(
            source=("shhs",),
            root=(root,),
            out=Path(out),
            limit=int(n_nights),
            workers=engine.workers,
            trim_min=None,
        )
        build_dataset(config, SILENT, engine=engine)
    import pyarrow.parquet as pq

    shards = list((Path(out) / "data").rglob("*.parquet"))
    return {"pages": sum(pq.read_metadata(shard).num_rows for shard in shards)}


def night(root: str, out: str) -> dict[str, Any]:
    """Draw the first night of SHHS from EDF to a Parquet file; imports are excluded from the time."""
    from psgimg.builder import tasks
    from psgimg.builder.building.one_recording import Drawn, draw
    from psgimg.builder.corpora import sources as corpora
    from psgimg.builder.dataset.config import BuildConfig

    config = BuildConfig(("shhs",), (root,), Path(out), limit=1, trim_min=None)
    located = corpora.locate(config.corpora, config.root)
    (task,) = tasks.make_tasks(config, located, config.split_policy()).tasks
    first_page()
    start = time.perf_counter()
    drawn = draw(task)
    seconds = time.perf_counter() - start
    if not isinstance(drawn, Drawn):
        raise SystemExit(str(drawn))
    return {"pages": drawn.n_pictures, "night_seconds": round(seconds, 2)}


def first_page() -> dict[str, Any]:
    """Draw one grey and one colour page."""
    import numpy as np
    from psgimg.builder.recordings.montage import MONTAGES
    from psgimg.builder.render.page import Page
    from psgimg.builder.render.style import PRESETS

    start = time.perf_counter()
    for name in ("clinical", "sleepvlm"):
        drawer = Page(PRESETS[name], MONTAGES["aasm"], [False] * 6, [False] * 5 + [True])
        drawer.png(np.zeros((6, 6000), np.float32))
    return {"drawing_seconds": round(time.perf_counter() - start, 2)}


def naive_night(edf: str, out: str, n_pages: str) -> dict[str, Any]:
    """Draw the first ``n_pages`` pages of a night by MNE and matplotlib into a Parquet file."""
    import mne
    import naive
    import nights
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    from psgimg.builder.recordings.montage import MONTAGES
    from psgimg.builder.render.style import CLINICAL

    mne.filter.filter_data(np.zeros((1, 5000)), 100.0, 1.0, 30.0, verbose="error")  # lazy imports
    start = time.perf_counter()
    raw = mne.io.read_raw_edf(edf, include=list(nights.WANTED), preload=True, verbose="error")
    raw.filter(0.3, 35.0, picks=[x for x in raw.ch_names if x != "EMG"], verbose="error")
    raw.filter(10.0, None, picks=["EMG"], verbose="error")
    raw.notch_filter(60.0, verbose="error")
    data_uv = raw.get_data(list(nights.WANTED)) * 1e6
    read_s = time.perf_counter() - start
    n_page = round(nights.EPOCH_S * raw.info["sfreq"])
    start = time.perf_counter()
    pictures = [
        naive.page(CLINICAL, MONTAGES["central"], data_uv[:, i * n_page : (i + 1) * n_page])
        for i in range(int(n_pages))
    ]
    pq.write_table(pa.table({"image": pictures}), Path(out))
    pages_s = time.perf_counter() - start
    return {
        "read_and_filter_seconds": round(read_s, 2),
        "pages_drawn": int(n_pages),
        "seconds_per_page": round(pages_s / int(n_pages), 4),
    }


def measure_pages(n_pages: str) -> dict[str, Any]:
    """Measure the milliseconds per page of each preset."""
    import page

    return page.measure(int(n_pages))


def scale(phase: str, folder: str, n_nights: str, n_pages: str) -> dict[str, Any]:
    """Measure one phase of ``scale.py``."""
    import scale_phases

    return scale_phases.run(phase, Path(folder), int(n_nights), int(n_pages))
