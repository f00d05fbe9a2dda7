"""Report: an explanation as a folder: Markdown, pictures, figures as JSON, all cells as Parquet."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from psgimg.builder import atomic_file
from psgimg.builder.card import templates
from psgimg.builder.dataset.build_json import BuildJson
from psgimg.builder.errors import BuildError
from psgimg.builder.signals.epoching import PAGE_S
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.explaining import plot_explanation
from psgimg.finetune.explaining.cells import PATCH_PX, Grid
from psgimg.finetune.explaining.faithfulness import CONTROLS, ORDERS, SHARES, WAYS
from psgimg.finetune.explaining.page_intervals import Mean
from psgimg.finetune.explaining.summary import Explained, StageSummary, Summary
from psgimg.finetune.inference.predict_config import Question
from psgimg.finetune.metrics.bootstrap import LEVEL

if TYPE_CHECKING:
    from psgimg.finetune.explaining.config import ExplainConfig

JSON, TEXT, CELLS = "explanation.json", "report.md", "cells.parquet"
TEMPLATE = "explanation.md.j2"


def check(out: Path) -> None:
    """Refuse a folder that holds something else, before anything is computed.

    Raises
    ------
    BuildError
        If it does, or is a file.
    """
    if out.exists() and not out.is_dir():
        raise BuildError(f"{out} is a file; choose another --out")
    if out.is_dir() and any(out.iterdir()) and not (out / JSON).is_file():
        raise BuildError(f"{out} holds something else; choose another --out, or an empty folder")


def write(
    config: ExplainConfig, build: BuildJson, asked: Question, grid: Grid, found: Summary
) -> None:
    """Write the folder; an earlier explanation in it is replaced."""
    out = config.out
    for earlier in (out / plot_explanation.PAGES).glob("*.png"):
        earlier.unlink()
    drawn = plot_explanation.write(out, found, grid)
    _write_cells(out / CELLS, found, grid)
    values = _values(config, build, asked, grid, found)
    context = {
        **values,
        "page_s": PAGE_S,
        "patch_px": PATCH_PX,
        "controls": CONTROLS,
        "ways": WAYS,
        "level": LEVEL,
        "restricted": build["policy"] != "open",
        "overlays": [(str(path.relative_to(out)), page.page, page.right) for path, page in drawn],
        "pictures": {
            "lanes": plot_explanation.LANES,
            "faithfulness": plot_explanation.FAITHFULNESS,
        },
    }
    atomic_file.write_text(out / TEXT, templates.render(TEMPLATE, context))
    atomic_file.write_text(out / JSON, json.dumps(_json(values), indent=1, allow_nan=False) + "\n")


def _values(
    config: ExplainConfig, build: BuildJson, asked: Question, grid: Grid, found: Summary
) -> dict[str, Any]:
    """All of ``explanation.json``."""
    return {
        "psgimg": version("psgimg"),
        "model": Path(config.model).name if Path(config.model).is_dir() else config.model,
        "weights": asked.known.weights,
        "dataset": Path(config.dataset).name if Path(config.dataset).is_dir() else config.dataset,
        "split": config.split,
        "recipe_hash": build["recipe_hash"],
        "policy": build["policy"],
        "method": config.method,
        "fill": config.fill,
        "window_s": grid.window_s,
        "seed": config.seed,
        "prompt": asked.name,
        "context": asked.context,
        "notes": list(asked.notes),
        "counts": {
            "pages": len(found.pages),
            "right": sum(page.right for page in found.pages),
            "recordings": found.n_recordings,
            "subjects": found.n_subjects,
        },
        "lanes": list(found.lanes),
        "stages": {name: _stage(stage, found.lanes) for name, stage in found.stages.items()},
        "faithfulness": {
            "believable": found.verdict.believable,
            "words": found.verdict.words,
            "gains": {
                way: {control: found.verdict.gains[way, control]._asdict() for control in CONTROLS}
                for way in WAYS
            },
            "shares": SHARES.tolist(),
            "curves": {
                way: {order: found.curves[way, order].tolist() for order in ORDERS} for way in WAYS
            },
        },
        "pages": [_page(page, found.lanes) for page in found.pages],
    }


def _stage(stage: StageSummary, lanes: tuple[str, ...]) -> dict[str, Any]:
    def told(means: tuple[Mean, ...]) -> dict[str, dict[str, float]]:
        return {lane: mean._asdict() for lane, mean in zip(lanes, means, strict=True)}

    return {
        "pages": stage.n_pages,
        "right": stage.n_right,
        "most": lanes[stage.most] if stage.most >= 0 else None,
        "share": told(stage.shares),
        "drop": told(stage.drops),
        "turns": told(stage.turns),
        "seconds": stage.seconds.tolist(),
    }


def _page(page: Explained, lanes: tuple[str, ...]) -> dict[str, Any]:
    def told(values: Any) -> dict[str, float]:
        return dict(zip(lanes, values.tolist(), strict=True))

    known = page.page._asdict()
    return {
        **{key: known[key] for key in ("corpus", "subject", "recording", "epoch")},
        "label": page.page.stage,
        "prediction": STAGE_NAMES[page.stage],
        "probability": float(np.exp(page.log_probs[page.stage])),
        "margin": page.margin,
        "lanes": told(page.cells.sum(axis=1)),
        "drop": told(page.drops),
    }


def _write_cells(path: Path, found: Summary, grid: Grid) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [
            *((name, pa.string()) for name in ("corpus", "subject", "recording")),
            ("epoch", pa.int32()),
            *((name, pa.string()) for name in ("label", "prediction", "lane", "derivation")),
            *((name, pa.float32()) for name in ("start_s", "stop_s", "attribution")),
            ("ink_px", pa.int32()),
        ]
    )
    rows = [row for page in found.pages for row in _cells(page, grid)]
    with atomic_file.whole(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), temporary, compression="zstd")


def _cells(page: Explained, grid: Grid) -> Iterator[dict[str, Any]]:
    """A row a cell of a lane that is there."""
    known = {**page.page._asdict(), "label": page.page.stage}
    for lane, window in np.ndindex(*grid.shape):
        if page.lanes[lane] is not None:
            yield {
                **known,
                "prediction": STAGE_NAMES[page.stage],
                "lane": grid.lanes[lane],
                "derivation": page.lanes[lane],
                "start_s": window * grid.window_s,
                "stop_s": (window + 1) * grid.window_s,
                "attribution": page.cells[lane, window],
                "ink_px": int(page.ink[lane, window]),
            }


def _json(value: Any) -> Any:
    """The same with null for what is no number, and digits that mean something."""
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    return value
