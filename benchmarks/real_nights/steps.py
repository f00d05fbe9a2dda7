"""Steps that the benchmarks of real nights share: commands, figures, and a baseline without pictures."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from psgimg.builder import atomic_file, lane_signals
from psgimg.builder.dataset.page_spec import PageSpec
from psgimg.builder.recordings.recording import Corpus, Recording
from psgimg.finetune.metrics import metric_table, metrics, predictions

COMMON = (
    "--eval-strategy no --save-strategy no --use-peft false --freeze-vision false "
    "--augment flip,shift --learning-rate 1e-3 --per-device-train-batch-size 16 "
    "--weight-decay 0.05 --adam-beta2 0.99 --warmup-steps 10 "
    "--bf16 false --gradient-checkpointing false --dtype float32"
)
"""Defaults of `--model tiny`; a model from a folder would otherwise be trained like a large one."""

BANDS_HZ = ((0.5, 4.0), (4.0, 8.0), (8.0, 12.0), (12.0, 16.0), (16.0, 30.0))
"""Delta, theta, alpha, sigma, beta."""

VARIED_NIGHTS = "psgimg-demo-varied"
"""Folder of the nights of the varied demo, which its build leaves beside that of the dataset."""

N_TREES = 500
SEED = 0
PACKAGES = ("psgimg", "torch", "transformers", "trl", "scikit-learn", "scipy", "numpy")

Values = dict[str, Any]
Features = npt.NDArray[np.float64]


def parser(doc: str) -> argparse.ArgumentParser:
    """Return the options of every benchmark that writes a section of the page of results."""
    shared = argparse.ArgumentParser(description=doc.splitlines()[0])
    shared.add_argument("--out", type=Path, default=Path("docs/results.json"))
    shared.add_argument("--work", type=Path, help="folder to keep and resume from")
    shared.add_argument("--note", default="", help="remark on this run for the page")
    return shared


@contextmanager
def work_folder(given: Path | None) -> Iterator[Path]:
    """Make the folder of a run, which is kept if it was given."""
    with tempfile.TemporaryDirectory(prefix="psgimg-benchmark-") as temporary:
        work = (given or Path(temporary)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        yield work


def psgimg(work: Path, words: str) -> Values:
    """Run a command on one thread; return its wall-clock and CPU seconds, cached in the work folder."""
    name = re.sub(r"[^a-z0-9-]+", "-", re.sub(r"^(\w+).* --out[\w-]* (\S+).*", r"\1-\2", words))
    log, kept = work / f"{name}.log", work / f"{name}.json"
    if kept.exists() and (cached := json.loads(kept.read_text()))["words"] == words:
        return dict(cached["took"])
    own = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    command = [str(Path(sys.executable).with_name("psgimg")), *shlex.split(words)]
    start = time.perf_counter()
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, cwd=work, env={**os.environ, **own}, stdout=stream, stderr=stream
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"psgimg {words}\n{log.read_text()[-2000:]}")
    took = {
        "seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
    }
    atomic_file.write_text(kept, json.dumps({"words": words, "took": took}))
    return took


def table_of(path: Path) -> metrics.Table:
    """Return the confusion table of a predictions file."""
    predicted = predictions.read(path)
    return metrics.confusion(predicted.labels, predicted.predictions)


def figures(table: metrics.Table) -> Values:
    """Return the metrics of a table, its number of pages, and the table."""
    rounded = {name: round(value, 4) for name, value in metric_table.summary(table).items()}
    return {**rounded, "pages": int(table.sum()), "table": table.tolist()}


def subjects(build: Values) -> dict[str, int]:
    """Return the number of subjects by split."""
    people = {(fact["split"], fact["subject"]) for fact in build["recordings"]}
    return dict(Counter(split for split, _ in sorted(people)))


def forest(
    features: Features, labels: npt.NDArray[np.int64], tested: Features
) -> npt.NDArray[np.int64]:
    """Return the stages that a random forest taught on (epochs, features) gives to other epochs."""
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(N_TREES, random_state=SEED).fit(features, labels)
    stages: npt.NDArray[np.int64] = model.predict(tested)
    return stages


def band_powers(spec: PageSpec, corpus: Corpus, recording: Recording) -> dict[int, Features]:
    """Return log band power of EEG and EOG and the log level of the EMG by epoch, from lanes in µV.

    Lanes that the recording lacks are left out.
    """
    from scipy.signal import welch

    sfreq_hz = spec.recipe.sfreq_hz
    origin = lane_signals.Origin(corpus, recording, spec)
    read = lane_signals.read(origin, sfreq_hz=sfreq_hz, filtered=True)
    waves = [not level for level in read.signals.envelopes]
    features = {}
    for epoch, page_uv in zip(read.epochs, read.pages_uv(), strict=True):
        hz, density = welch(page_uv[waves], sfreq_hz, nperseg=round(4 * sfreq_hz))
        bands = [density[:, (hz >= low) & (hz < high)].mean(1) for low, high in BANDS_HZ]
        level = np.abs(page_uv[np.logical_not(waves)]).mean(1)
        features[epoch.index] = np.log10(np.concatenate([*bands, level]) + 1e-6)
    return features


def machine(note: str) -> Values:
    """Return the machine and the versions that the times refer to."""
    return {
        "note": note,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "versions": {name: version(name) for name in PACKAGES},
    }
