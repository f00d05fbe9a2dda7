"""Quality: the share of a night's time that measuring the quality of its lanes takes.

    python benchmarks/quality.py --source sleep-edf --root physionet-sleep-data

Prints JSON: CPU seconds of the first recording from EDF to Parquet, without imports, and of the
measurement within them.
"""

from __future__ import annotations

import argparse
import functools
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import work
from psgimg.builder import tasks
from psgimg.builder.building.one_recording import Drawn, draw
from psgimg.builder.corpora import sources
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.signals import deriving, quality_measure


def main() -> None:
    """Run the benchmark and print the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", default="sleep-edf", help="name of the corpus")
    parser.add_argument("--root", required=True, help="folder of the corpus")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="psgimg-quality-") as folder:
        print(json.dumps(measure(options.source, options.root, Path(folder)), indent=2))


def measure(source: str, root: str, out: Path) -> dict[str, Any]:
    """Draw the first night of a corpus, and time the measurement of its quality in the same run."""
    config = BuildConfig((source,), (root,), out, limit=1)
    found = sources.locate(config.corpora, config.root)
    (task,) = tasks.make_tasks(config, found, config.split_policy()).tasks
    work.first_page()
    measured: list[float] = []
    functions = {name: getattr(quality_measure, name) for name in ("extremes", "wave", "level")}
    timed = {name: _timed(function, measured) for name, function in functions.items()}
    deriving.quality_measure = SimpleNamespace(**timed)  # as called from there
    start = time.process_time()
    drawn = draw(task)
    seconds = time.process_time() - start
    if not isinstance(drawn, Drawn):
        raise SystemExit(str(drawn))
    return {
        "recording": drawn.key[1],
        "pages": drawn.n_pictures,
        "night_cpu_seconds": round(seconds, 2),
        "quality_cpu_seconds": round(sum(measured), 3),
        "share_percent": round(100 * sum(measured) / seconds, 2),
    }


def _timed(function: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    """Return the function with the CPU seconds of each call appended to a list."""

    @functools.wraps(function)
    def timed(*arguments: Any) -> Any:
        start = time.process_time()
        result = function(*arguments)
        seconds.append(time.process_time() - start)
        return result

    return timed


if __name__ == "__main__":
    main()
