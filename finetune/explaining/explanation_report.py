"""Explanation report: an explanation as Markdown, pictures, JSON values and a Parquet file of cells."""

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
from psgimg.builder.files import ownership
from psgimg.builder.signals.epoching import PAGE_S
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.explaining import plot_explanation
from psgimg.finetune.explaining.cells import PATCH_PX, Grid
from psgimg.finetune.explaining.faithfulness import CONTROLS, ORDERS, SHARES, WAYS
from psgimg.finetune.explaining.summary import Explained, StageSummary, Summary
from psgimg.finetune.inference.predict_config import Question
from psgimg.finetune.metrics.jackknife import FEWEST, LEVEL, Interval, too_few

if TYPE_CHECKING:
    from psgimg.finetune.explaining.config import ExplainConfig

JSON, TEXT, CELLS = "explanation.json", "report.md", "cells.parquet"
OWN = {TEXT, CELLS, plot_explanation.LANES, plot_explanation.FAITHFULNESS, plot_explanation.PAGES}
"""The files of an explanation beside ``JSON``, which marks its folder; ``TEXT`` is written last."""
TEMPLATE = "explanation.md.j2"


def check(out: Path) -> None:
    """Refuse an output folder that holds other files, before anything is computed.

    Raises
    ------
    BuildError
        If the folder holds anything but an earlier explanation, or is a file.
    """
    if out.exists() and not out.is_dir():
        raise BuildError(f"{out} is a file; choose another --out")
    present = (
        {atomic_file.target_name(path.name) for path in out.iterdir()} if out.exists() else set()
    )
    others = present - OWN or present == {TEXT}  # anyone's, by its name
    if others and not ownership.read_mark(out / JSON):
        raise BuildError(f"{out} holds other files; choose another --out, or an empty folder")


def write(
    config: ExplainConfig, build: BuildJson, query: Question, grid: Grid, result: Summary
) -> None:
    """Write the report folder, replacing an earlier explanation in it."""
    out = config.out
    values = _values(config, build, query, grid, result)
    # Without its text, a folder is not finished; with the mark, a killed command may be run again.
    (out / TEXT).unlink(missing_ok=True)
    atomic_file.write_text(out / JSON, json.dumps(_json(values), indent=1, allow_nan=False) + "\n")
    plot_explanation.remove_pages(out)
    drawn = plot_explanation.write(out, result, grid)
    _write_cells(out / CELLS, result, grid)
    context = {
        **values,
        "page_s": PAGE_S,
        "patch_px": PATCH_PX,
        "controls": CONTROLS,
        "ways": WAYS,
        "level": LEVEL,
        "too_few": too_few(result.n_subjects) if result.n_subjects < FEWEST else "",
        "restricted": build["policy"] != "open",
        "overlays": [(str(path.relative_to(out)), page.page, page.right) for path, page in drawn],
        "pictures": {
            "lanes": plot_explanation.LANES,
            "faithfulness": plot_explanation.FAITHFULNESS,
        },
    }
    atomic_file.write_text(out / TEXT, templates.render(TEMPLATE, context))


def _values(
    config: ExplainConfig, build: BuildJson, query: Question, grid: Grid, result: Summary
) -> dict[str, Any]:
    """Return the contents of ``explanation.json``."""
    return {
        "psgimg": version("psgimg"),
        "model": Path(config.model).name if Path(config.model).is_dir() else config.model,
        "weights": query.identity.weights,
        "dataset": Path(config.dataset).name if Path(config.dataset).is_dir() else config.dataset,
        "split": config.split,
        "fold": config.fold,
        "recipe_hash": build["recipe_hash"],
        "policy": build["policy"],
        "method": config.method,
        "fill": config.fill,
        "window_s": grid.window_s,
        "seed": config.seed,
        "prompt": query.name,
        "context": query.context.pages,
        "context_scale": query.context.scale,
        "notes": list(query.notes),
        "counts": {
            "pages": len(result.pages),
            "right": sum(page.right for page in result.pages),
            "recordings": result.n_recordings,
            "subjects": result.n_subjects,
            "tested": result.n_tested,
        },
        "lanes": list(result.lanes),
        "stages": {name: _stage(stage, result.lanes) for name, stage in result.stages.items()},
        "faithfulness": {
            "believable": result.verdict.believable,
            "words": result.verdict.words,
            "gains": {
                way: {control: result.verdict.gains[way, control]._asdict() for control in CONTROLS}
                for way in WAYS
            },
            "shares": SHARES.tolist(),
            "curves": {
                way: {order: result.curves[way, order].tolist() for order in ORDERS} for way in WAYS
            },
        },
        "pages": [_page(page, result.lanes) for page in result.pages],
    }


def _stage(stage: StageSummary, lanes: tuple[str, ...]) -> dict[str, Any]:
    def by_lane(means: tuple[Interval, ...]) -> dict[str, dict[str, Any]]:
        return {lane: mean._asdict() for lane, mean in zip(lanes, means, strict=True)}

    return {
        "pages": stage.n_pages,
        "right": stage.n_right,
        "most": lanes[stage.most] if stage.most >= 0 else None,
        "share": by_lane(stage.shares),
        "drop": by_lane(stage.drops),
        "turns": by_lane(stage.turns),
        "seconds": stage.seconds.tolist(),
    }


def _page(page: Explained, lanes: tuple[str, ...]) -> dict[str, Any]:
    def by_lane(values: Any) -> dict[str, float]:
        return dict(zip(lanes, values.tolist(), strict=True))

    fields = page.page._asdict()
    return {
        **{key: fields[key] for key in ("corpus", "subject", "recording", "epoch")},
        "label": page.page.stage,
        "prediction": STAGE_NAMES[page.stage],
        "probability": float(np.exp(page.log_probs[page.stage])),
        "margin": page.margin,
        "lanes": by_lane(page.cells.sum(axis=1)),
        "drop": by_lane(page.drops),
    }


def _write_cells(path: Path, result: Summary, grid: Grid) -> None:
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
    rows = [row for page in result.pages for row in _cells(page, grid)]
    with atomic_file.whole(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), temporary, compression="zstd")


def _cells(page: Explained, grid: Grid) -> Iterator[dict[str, Any]]:
    """Yield one row per cell of the lanes that were recorded."""
    fields = {**page.page._asdict(), "label": page.page.stage}
    for lane, window in np.ndindex(*grid.shape):
        if page.lanes[lane] is not None:
            yield {
                **fields,
                "prediction": STAGE_NAMES[page.stage],
                "lane": grid.lanes[lane],
                "derivation": page.lanes[lane],
                "start_s": window * grid.window_s,
                "stop_s": (window + 1) * grid.window_s,
                "attribution": page.cells[lane, window],
                "ink_px": int(page.ink[lane, window]),
            }


def _json(value: Any) -> Any:
    """Return a JSON value, rounded to six decimals and with None for NaN and infinity."""
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    return value
