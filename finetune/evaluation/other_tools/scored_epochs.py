"""Scored epochs: corpus, subject, recording, epoch and stages, from a dataset or any predictions file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.data import page_index, source, votes
from psgimg.finetune.data.page_index import NO_STAGE
from psgimg.finetune.evaluation import stage_words
from psgimg.finetune.evaluation.other_tools.staged import EPOCH_S
from psgimg.finetune.evaluation.predictions_file import LENIENT
from psgimg.finetune.evaluation.stage_words import Codes
from psgimg.finetune.metrics import predictions, table_files

NEEDED = ("recording", "epoch", "label")
COLUMNS = ("corpus", "subject", *NEEDED, "label_2", "epoch_s", "votes")
FAR_S = 1.0
"""Epochs that start further than this from a multiple of 30 s are counted as shifted."""


@dataclass(frozen=True, eq=False)
class Scored:
    """Epochs that have a stage by a scorer.

    Parameters
    ----------
    table
        Some or all of ``COLUMNS``, a row per epoch.
    place : (n,) int64
        The nearest of the epochs of 30 s that are counted from the recording's start.
    shifted : (n,) bool
        Whether the epoch begins elsewhere than that one.
    facts
        What the predictions' JSON file takes over: the policy, where it is stated.
    """

    table: pa.Table
    place: npt.NDArray[np.int64]
    shifted: npt.NDArray[np.bool_]
    facts: Mapping[str, Any]


def read(labels: str, codes: Codes) -> Scored:
    """Read the scored epochs of a predictions file, or of all splits of a dataset.

    Parameters
    ----------
    labels
        A file with at least ``NEEDED``, or a folder or Hub id of a dataset.

    Raises
    ------
    BuildError
        If it can't be read, has no epochs, or they do not last 30 s.
    """
    path = Path(labels)
    scored = _of_file(path, codes) if path.suffix in table_files.FORMATS else _of_dataset(labels)
    if not len(scored.table):
        raise BuildError(f"--labels {labels} has no epochs; give the scored epochs of a night")
    if "epoch_s" in scored.table.column_names:
        lengths_s = scored.table["epoch_s"].to_numpy(zero_copy_only=False).astype(np.float64)
        for row in np.flatnonzero(~np.isnan(lengths_s) & (lengths_s != EPOCH_S))[:1]:
            raise BuildError(
                f"--labels {labels}: {scored.table['recording'][int(row)]} has epochs of "
                f"{lengths_s[row]:g} s, and the tool has {EPOCH_S:g} s; leave it out"
            )
    return scored


def _of_file(path: Path, codes: Codes) -> Scored:
    table = table_files.read(path, LENIENT)
    if missing := [name for name in NEEDED if name not in table.column_names]:
        raise BuildError(f"--labels {path}: no column {missing[0]!r}; give {', '.join(NEEDED)}")
    table, _ = stage_words.read(table, codes)
    own = [name for name in COLUMNS if name in table.column_names]
    table = predictions.typed(table, path).select(own)
    for name in ("recording", "epoch"):
        if table[name].null_count:
            raise BuildError(f"--labels {path}: an epoch has no {name}; fill it in")
    place = table["epoch"].to_numpy().astype(np.int64)
    return Scored(table, place, np.zeros(len(table), np.bool_), {})


def _of_dataset(labels: str) -> Scored:
    tables, onsets_s, policies = [], [], set()
    for split in source.splits(labels, None):
        found = source.find(labels, None, split)
        index = page_index.read(found)
        policies.add(found.build["policy"])
        keys = index.recordings
        lengths_s = [found.epochs_s[key.corpus, key.recording] for key in keys]
        own = {
            **{name: pa.array([getattr(key, name) for key in keys]) for name in keys[0]._fields},
            "epoch_s": pa.array(lengths_s),
        }
        of = pa.array(index.recording)
        voted = votes.read(found)
        at = zip(index.recording.tolist(), index.epoch.tolist(), strict=True)
        tables.append(
            pa.table(
                {
                    **{name: values.take(of) for name, values in own.items()},
                    "epoch": index.epoch,
                    "label": _names(index.label),
                    "label_2": _names(index.label_2),
                    "votes": pa.array(
                        [voted.get((keys[i].corpus, keys[i].recording, epoch)) for i, epoch in at],
                        pa.string(),
                    ),
                }
            )
        )
        onsets_s.append(index.onset_s.astype(np.float64))
    onset_s = np.concatenate(onsets_s)
    place = np.rint(onset_s / EPOCH_S).astype(np.int64)
    shifted = np.abs(onset_s - EPOCH_S * place) > FAR_S
    # Whatever is stated, what is not open in one split is not open.
    policy = policies.pop() if len(policies) == 1 else "restricted"
    return Scored(pa.concat_tables(tables), place, shifted, {"policy": policy})


def _names(codes: npt.NDArray[np.int8]) -> pa.Array:
    """Return the names of stages; null for none."""
    at = pa.array(codes.astype(np.int64), mask=codes == NO_STAGE)
    return pc.take(pa.array(STAGE_NAMES), at)
