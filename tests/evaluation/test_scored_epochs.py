"""Scored epochs of a dataset: every split, both scorers and the votes, at the times of the epochs."""

import numpy as np
import pytest
from builds import rows, run
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.data import source, votes
from psgimg.finetune.evaluation.evaluate import evaluate
from psgimg.finetune.evaluation.evaluate_config import EvaluateConfig
from psgimg.finetune.evaluation.other_tools import scored_epochs
from shard_damage import spoil
from tiny_dod import write_dod


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """One night of five scorers, of whom one is the second scorer of the dataset."""
    place = tmp_path_factory.mktemp("scored")
    write_dod(place / "dod")
    out = place / "out"
    run(out, place / "dod", "dod-h", style="paper", trim_min=None)
    return out


def test_labels_of_a_dataset_are_those_of_its_rows(dataset):
    scored, there = scored_epochs.read(str(dataset), {}), rows(dataset)
    found = sorted(scored.table.to_pylist(), key=lambda row: row["epoch"])
    assert [row["label"] for row in found] == [STAGE_NAMES[row["label"]] for row in there]
    second = [None if row["label_2"] is None else STAGE_NAMES[row["label_2"]] for row in there]
    assert [row["label_2"] for row in found] == second
    assert [row["votes"] for row in found] == [" ".join(map(str, row["votes"])) for row in there]
    assert {row["subject"] for row in found} == {row["subject"] for row in there}
    assert not scored.shifted.any()
    assert scored.place.tolist() == [row["epoch"] for row in there]


def test_a_tool_is_held_against_each_scorer_of_a_dataset(dataset, tmp_path):
    [recording] = {row["recording"] for row in rows(dataset)}
    stages = np.zeros(max(row["epoch"] for row in rows(dataset)) + 1, np.int64)
    for row in rows(dataset):
        stages[row["epoch"]] = row["label"]
    np.save(tmp_path / f"{recording}_PRED.npy", stages)
    files = (tmp_path / f"{recording}_PRED.npy",)
    values = evaluate(EvaluateConfig(files, tool="usleep", labels=str(dataset))).values
    assert values["pooled"]["figures"]["accuracy"]["value"] == 1
    people = values["people"]
    assert people["scorers"] == 5
    assert 0.5 < people["figures"]["accuracy"]["value"] < 1
    assert people["epochs"] == values["counts"]["epochs"]


def test_an_epoch_between_two_of_the_tool_takes_the_nearer_and_is_counted(dataset, tmp_path):
    there = rows(dataset)
    [shard] = dataset.rglob("*.parquet")
    last = len(there) - 1
    kept = shard.read_bytes()
    try:
        spoil(shard, "onset_s", last, there[last]["onset_s"] + 20)
        scored = scored_epochs.read(str(dataset), {})
    finally:
        shard.write_bytes(kept)
    assert scored.place[last] == there[last]["epoch"] + 1
    assert scored.shifted.sum() == 1


def test_votes_that_are_not_five_numbers_are_refused(dataset):
    [shard] = dataset.rglob("*.parquet")
    kept = shard.read_bytes()
    try:
        spoil(shard, "votes", 1, [1, 2])
        [split] = source.splits(str(dataset), None)
        with pytest.raises(
            BuildError, match=r"has the votes \[1, 2\], not one number for each stage"
        ):
            votes.read(source.find(str(dataset), None, split))
    finally:
        shard.write_bytes(kept)
