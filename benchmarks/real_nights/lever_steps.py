"""Lever steps: temperature, decoded nights and ensembles of any predictions, and what each row is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from psgimg.finetune.calibrate import CalibrateConfig, calibrate
from psgimg.finetune.evaluation import evaluate as evaluation
from psgimg.finetune.evaluation.evaluate_config import EvaluateConfig
from psgimg.finetune.evaluation.intervals import finite
from psgimg.finetune.study import pooling

from real_nights.tables import KEYS, Values

PAGES = "page by page"
"""The row that others are compared with."""

Files = dict[str, list[str]]
"""Split or row → a file of predictions for each seed, relative to the work folder."""


@dataclass(frozen=True)
class Bench:
    """A work folder, and the `psgimg` commands that were run in it.

    Parameters
    ----------
    work
        Folder of all predictions.
    dataset
        The varied demo, whose train split shows how stages follow each other.
    commands
        Filled as files are made; of several seeds, with the command of the first.
    """

    work: Path
    dataset: Path
    commands: list[str] = field(default_factory=list)

    def calibrated(self, files: Files, decode: str) -> list[str]:
        """Fit each seed's file of the validation split, and apply the fit to that of the test split."""
        made = []
        for validation, test in zip(files["validation"], files["test"], strict=True):
            out = f"{Path(test).with_suffix('')}-{decode}.parquet".replace("/", "-")
            if not made:
                words = f"--apply {test} --decode {decode} --dataset varied --out {out}"
                self.commands.append(f"calibrate {validation} {words}")
            if not (self.work / out).exists():
                paths = {"apply": self.work / test, "out": self.work / out}
                dataset = str(self.dataset)
                calibrate(
                    CalibrateConfig(self.work / validation, **paths, decode=decode, dataset=dataset)
                )
            made.append(out)
        return made

    def combined(self, name: str, files: Files) -> Files:
        """Return the files of the mean of the seeds' probabilities."""
        made: Files = {}
        for split, own in files.items():
            out = f"{name}-{split}"
            self.commands.append(f"evaluate --combine {' '.join(own)} --out {out}")
            made[split] = [f"{out}/combined.parquet"]
            if not (self.work / made[split][0]).exists():
                config = EvaluateConfig(tuple(self.work / file for file in own), combine=True)
                evaluation.write(self.work / out, evaluation.evaluate(config))
        return made

    def rows(self, name: str, files: Files) -> Files:
        """Return the test files of some predictions, and of what is done to them afterwards."""
        rows = {PAGES: files["test"], "temperature": self.calibrated(files, "page")}
        rows["night decoded"] = self.calibrated(files, "night")
        ensemble = self.combined(name, files)
        rows["ensemble"] = ensemble["test"]
        rows["ensemble, temperature"] = self.calibrated(ensemble, "page")
        rows["ensemble, night decoded"] = self.calibrated(ensemble, "night")
        return rows

    def figures(self, rows: Files, first: Sequence[str] = ()) -> Values:
        """Return means over the files of each row, and paired differences from some files.

        Parameters
        ----------
        first
            A file for each seed; without any, those of :data:`PAGES`.
        """
        before = [pooling.read(self.work / file) for file in first or rows[PAGES]]
        found: Values = {}
        for row, own in rows.items():
            cells = [pooling.read(self.work / file) for file in own]
            pairs = [*zip(before, cells * (len(before) // len(cells)), strict=True)]
            means, differences = pooling.means(cells), pooling.differences(pairs)
            found[row] = {
                "figures": {key: means[key]._asdict() for key in KEYS},
                "differences": {key: differences[key]._asdict() for key in KEYS},
                **_mean([_further(self.work / file) for file in own]),
            }
        return dict(finite(found))


def accuracies(work: Path, rows: Files, first: Sequence[str]) -> Values:
    """Return accuracy and its difference from some files, of each row, nothing else."""
    before = [pooling.read(work / file) for file in first]
    found = {}
    for row, own in rows.items():
        cells = [pooling.read(work / file) for file in own]
        difference = pooling.differences([*zip(before, cells, strict=True)])["accuracy"]
        found[row] = {
            **pooling.means(cells)["accuracy"]._asdict(),
            "change": difference._asdict(),
        }
    return dict(finite(found))


def _further(path: Path) -> dict[str, float]:
    """Return calibration, yield of a review of a tenth, and changes of stage an hour of a file."""
    values = evaluation.evaluate(EvaluateConfig((path,))).values
    rates = values["transitions"]["rate_per_hour"]
    return {
        "nll": values["calibration"]["nll"],
        "ece": values["calibration"]["ece"],
        "found": values["review"]["shares"][1]["found"]["value"],
        "changes": rates["predicted"]["value"],
        "scored_changes": rates["scored"]["value"],
    }


def _mean(seeds: list[dict[str, float]]) -> Mapping[str, float]:
    return {key: round(float(np.mean([one[key] for one in seeds])), 4) for key in seeds[0]}
