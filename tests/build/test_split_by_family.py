"""Leakage: all nights of a person, and all relatives, stay in one split and one fold."""

import csv
import itertools
import json

import pytest
import tiny
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.check import check
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.dataset.splits import SplitPolicy, fold

N_FOLDS = 2
NIGHTS = {
    "cfs": ("family-715", ("800002", "800003"), ("cfs-visit5-800002", "cfs-visit5-800003")),
    "shhs": ("200001", ("200001",), ("shhs1-200001", "shhs2-200001")),
}
"""Corpus → who decides the split, the subjects, and their recordings."""


def seed_of(corpus):
    """A seed that tests the nights, and would part them by any other name."""
    together, subjects, recordings = NIGHTS[corpus]
    others = [names for names in (subjects, recordings) if len(names) > 1]
    for seed in itertools.count():
        policy = SplitPolicy((1.0, 1.0, 1.0), seed)
        if policy.split(corpus, "", together) == "test" and all(
            len({policy.split(corpus, "", name) for name in names}) == 2
            and len({fold(corpus, name, N_FOLDS, seed) for name in names}) == 2
            for names in others
        ):
            return seed
    raise AssertionError


@pytest.mark.parametrize("corpus", NIGHTS)
def test_nights_that_belong_together_stay_together(corpus, tmp_path):
    _, subjects, recordings = NIGHTS[corpus]
    root = tmp_path / corpus
    if corpus == "cfs":
        tiny.write_cfs(root, n_subjects=2, minutes=5)
    else:
        tiny.write_shhs(root, n_subjects=1, visits=(1, 2), minutes=5)
    options = {"style": "paper", "splits": "1/1/1", "seed": seed_of(corpus), "trim_min": None}
    config = BuildConfig((corpus,), (str(root),), tmp_path / "out", folds=N_FOLDS, **options)

    plans, _ = check(config, Remembered())
    assert {plan["recording"]: plan["split"] for plan in plans} == dict.fromkeys(recordings, "test")

    build(config, Remembered())
    facts = json.loads((config.out / "build.json").read_text())["recordings"]
    assert {fact["recording"]: fact["split"] for fact in facts} == dict.fromkeys(recordings, "test")
    assert len({fact["kin"] for fact in facts}) == 1
    with (config.out / "folds.csv").open() as file:
        folds = {row["subject"]: row["fold"] for row in csv.DictReader(file)}
    assert set(folds) == set(subjects)
    assert len(set(folds.values())) == 1

    twin = BuildConfig(
        (corpus,), (str(root),), tmp_path / "twin", corrupt=("noise:snr_db=0",), **options
    )
    build(twin, Remembered())
    facts = json.loads((twin.out / "build.json").read_text())["recordings"]
    assert sorted(fact["recording"] for fact in facts) == sorted(recordings)
