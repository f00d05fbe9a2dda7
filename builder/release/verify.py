"""Verify: load a row of every config and split from the Hub, as users would, and compare it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow.parquet as pq
from psgimg.builder.card import card_metadata
from psgimg.builder.dataset.build_json import BuildFacts
from psgimg.builder.dataset.build_report import Report
from psgimg.builder.dataset.schema import SPLITS, features
from psgimg.builder.errors import BuildError
from psgimg.builder.release.audit import Build
from psgimg.builder.release.hub import Repo
from psgimg.builder.release.retry import clean


def verify(repo: Repo, commit: str, build: Build, values: BuildFacts) -> None:
    """Load the first row of each config and split at a commit, and compare it with the folder.

    If the row's shard is in the folder, its label and the bytes of its picture must be equal.

    Raises
    ------
    BuildError
        If the release can't be loaded, or differs from the folder.
    """
    result = Report(values)
    for name in (card_metadata.ALL, *card_metadata.with_rows(result)):
        corpus = None if name == card_metadata.ALL else name
        for split in SPLITS:
            if n_rows := result.n_epochs(corpus, split):
                try:
                    _load(repo, commit, build, name, split, n_rows)
                except BuildError:
                    raise
                except Exception as error:  # users would get whatever `datasets` raises
                    text = clean(error)
                    raise BuildError(
                        f"{repo.id} at {commit[:12]} can't be loaded: config {name}, split {split}: "
                        f"{type(error).__name__}: {text}; it is not tagged; run the same command again"
                    ) from None


def _load(repo: Repo, commit: str, build: Build, name: str, split: str, n_rows: int) -> None:
    from datasets import Image, load_dataset

    rows = load_dataset(
        repo.id, name, split=split, revision=commit, streaming=True, token=repo.api.token
    )
    n_loaded = rows.info.splits[split].num_examples
    if rows.features != features(Report(build.values).n_variants) or n_loaded != n_rows:
        raise BuildError(
            f"{repo.id}: config {name}, split {split} loads with other columns or {n_loaded} rows instead "
            f"of {n_rows}; delete the repository and push again"
        )
    row = next(iter(rows.cast_column("image", Image(decode=False))))
    mine = _local_row(build, split, row)
    if mine is not None and (
        mine["image"]["bytes"] != row["image"]["bytes"] or mine["label"] != row["label"]
    ):
        raise BuildError(
            f"{repo.id}: config {name}, split {split}: {row['recording']} epoch {row['epoch']} loads "
            "with another picture or stage; delete the repository and push again"
        )


def _local_row(build: Build, split: str, wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the same row of the folder; None if its corpus is not in the folder."""
    for shard in build.values["shards"]:
        if (shard["corpus"], shard["split"]) != (wanted["corpus"], split):
            continue
        with pq.ParquetFile(build.folder / shard["path"]) as file:
            for number in range(file.num_row_groups):
                names = file.read_row_group(number, columns=["recording", "epoch"]).to_pydict()
                if names["recording"][0] == wanted["recording"]:
                    place = names["epoch"].index(wanted["epoch"])
                    row = file.read_row_group(number).slice(place, 1).to_pylist()[0]
                    return dict(row)
    return None
