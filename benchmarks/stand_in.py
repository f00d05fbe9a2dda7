"""Stand-in: nights and predictions as many and as long as those of a large corpus, without signals."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from psgimg.builder.dataset.build_json import RecordingFacts
    from psgimg.builder.recordings.fingerprint import Identity
    from psgimg.builder.recordings.recording import Recording

PAGE_BYTES = 34_000
"""Of a page of ``clinical``; see ``docs/benchmarks.json``."""

RUN = 5
"""Epochs of one stage before the next."""

AGREEMENT = 0.8
"""Share of the epochs in which predictions equal the stage."""


def facts(drawn: Path) -> RecordingFacts:
    """Return the facts of a recording in the folder of a build."""
    from psgimg.builder.dataset import shards

    return next(iter(shards.finished(drawn).values())).facts


def write(
    out: Path,
    base: RecordingFacts,
    known: Iterable[tuple[Recording, Identity]],
    n_pages: int,
    page: bytes,
) -> None:
    """Write finished nights to the folder of a build, all of whose pages are the same.

    Parameters
    ----------
    base
        Facts of a drawn recording, which all get apart from names, hashes and stages.
    """
    from psgimg.builder.dataset import shards
    from psgimg.builder.stages import STAGE_NAMES

    rows: list[Any] = [_row(epoch, base["lanes"], page) for epoch in range(n_pages)]
    stages = dict.fromkeys(STAGE_NAMES, 0)
    for epoch in range(n_pages):
        stages[STAGE_NAMES[label(epoch)]] += 1
    for one, identity in known:
        for row in rows:
            row |= {"subject": one.subject, "recording": one.recording}
        own = {"subject": one.subject, "kin": one.split_key, "recording": one.recording}
        own |= {"signal": identity.signal, "fingerprint": identity.fingerprint}
        length = {"stages": stages, "duration_s": 30.0 * n_pages}
        shards.write_part(out, rows, cast("RecordingFacts", {**base, **own, **length}))


def names(number: int) -> tuple[str, str]:
    """Return subject and recording of a night."""
    return f"{200001 + number}", f"shhs1-{200001 + number}"


def label(epoch: int) -> int:
    """Return the number of the stage of an epoch."""
    return epoch // RUN % 5


def _row(epoch: int, lanes: list[str | None], page: bytes) -> dict[str, Any]:
    return {
        "image": {"bytes": page, "path": None},
        "label": label(epoch),
        "corpus": "shhs",
        "epoch": epoch,
        "onset_s": 30.0 * epoch,
        "label_2": None,
        "votes": None,
        "lanes": lanes,
    }


def tiny_page() -> bytes:
    """Return a PNG of a hundred bytes."""
    from PIL import Image

    data = io.BytesIO()
    Image.new("L", (16, 8), 255).save(data, "png")
    return data.getvalue()


def write_predictions(path: Path, n_nights: int, n_pages: int) -> None:
    """Write a predictions file for all pages of nights."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    from psgimg.builder.stages import STAGE_NAMES

    stage = np.tile([label(epoch) for epoch in range(n_pages)], n_nights)
    is_right = np.random.default_rng(0).random(len(stage)) < AGREEMENT
    night = np.repeat(np.arange(n_nights, dtype=np.int32), n_pages)
    subjects, recordings = zip(*map(names, range(n_nights)), strict=True)

    def column(indices: Any, values: Any) -> pa.DictionaryArray:
        return pa.DictionaryArray.from_arrays(indices.astype(np.int32), pa.array(values))

    table = {
        "corpus": column(np.zeros_like(night), ["shhs"]),
        "subject": column(night, subjects),
        "recording": column(night, recordings),
        "epoch": np.tile(np.arange(n_pages, dtype=np.int32), n_nights),
        "label": column(stage, STAGE_NAMES),
        "prediction": column(np.where(is_right, stage, (stage + 1) % 5), STAGE_NAMES),
    }
    pq.write_table(pa.table(table), path)
