"""Splits: by person, by a hash that never changes its mind."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psgimg.builder.dataset.schema import SPLITS
from psgimg.builder.dataset.splits import SplitPolicy, fold, parse_shares, read_published
from psgimg.builder.errors import BuildError

names = st.text("abcdefghij0123456789-", min_size=1, max_size=12)


@given(names, names, st.integers(0, 10**6))
def test_a_subject_has_one_split_whatever_the_night(corpus, subject, seed):
    policy = SplitPolicy(seed=seed)
    assert policy.split(corpus, subject, subject) == policy.split(corpus, subject, subject)
    assert policy.split(corpus, subject, subject) in SPLITS


@given(names, names, names)
def test_relatives_share_a_split_and_a_fold(corpus, one, other):
    policy = SplitPolicy()
    assert policy.split(corpus, one, "family-7") == policy.split(corpus, other, "family-7")
    assert fold(corpus, "family-7", 5, 0) == fold(corpus, "family-7", 5, 0)


def test_shares_hold_over_many_subjects():
    policy = SplitPolicy((70.0, 20.0, 10.0))
    found = [policy.split("shhs", str(i), str(i)) for i in range(20_000)]
    assert [found.count(name) / len(found) for name in SPLITS] == pytest.approx(
        [0.7, 0.2, 0.1], abs=0.015
    )


def test_published_assignments_never_move():
    """These are literal: a release's test subjects must stay test subjects for ever."""
    policy = SplitPolicy()
    found = [policy.split("shhs", str(i), str(i)) for i in range(200001, 200021)]
    assert "".join(name[1] for name in found) == "rrerrrrrrrrrrrrerrrr"


def test_another_seed_is_another_split_and_another_fold():
    subjects = [str(i) for i in range(200001, 200021)]
    found = [SplitPolicy(seed=1).split("shhs", who, who) for who in subjects]
    assert "".join(name[1] for name in found) == "rrrraararrrerearrrrr"
    folds = {seed: [fold("shhs", who, 5, seed) for who in subjects] for seed in (0, 1)}
    assert folds[0] != folds[1]


def test_the_family_decides_and_the_subject_does_not():
    """Each of forty relatives alone would be spread over all three splits and all folds."""
    relatives = [f"relative-{i}" for i in range(40)]
    policy = SplitPolicy((1.0, 1.0, 1.0))
    assert len({policy.split("cfs", who, who) for who in relatives}) == 3
    assert len({policy.split("cfs", who, "family-7") for who in relatives}) == 1
    families = [f"family-{i}" for i in range(40)]
    assert len({policy.split("cfs", "relative-1", family) for family in families}) == 3


def test_folds_are_balanced_and_independent_of_the_split():
    subjects = [str(i) for i in range(10_000)]
    folds = [fold("shhs", who, 5, 0) for who in subjects]
    assert all(abs(folds.count(k) - 2000) < 200 for k in range(5))
    tested = [who for who in subjects if SplitPolicy().split("shhs", who, who) == "test"]
    folds = [fold("shhs", who, 5, 0) for who in tested]
    assert all(abs(folds.count(k) - len(tested) / 5) < 60 for k in range(5))


@pytest.mark.parametrize(
    "text",
    [
        "80/20",
        "a/b/c",
        "80/-10/30",
        "0/0/0",
        "",
        "nan/1/1",
        "80/nan/10",
        "inf/1/1",
        "1e308/1e308/1",
    ],
)
def test_unusable_shares_are_refused_with_an_example(text):
    with pytest.raises(BuildError, match="80/10/10"):
        parse_shares(text)


def test_a_published_split_is_taken_from_csv_or_json(tmp_path):
    table = tmp_path / "split.csv"
    table.write_text("corpus,subject,split\nshhs,200001,train\nshhs,200002,val\nmass,200001,test\n")
    policy = SplitPolicy(published=read_published(table))
    assert policy.split("shhs", "200001", "200001") == "train"
    assert policy.split("shhs", "200002", "200002") == "validation"
    assert policy.split("mass", "200001", "200001") == "test"
    assert policy.split("shhs", "200003", "200003") is None
    lists = tmp_path / "split.json"
    lists.write_text(json.dumps({"train": ["a"], "test": ["b"]}))
    assert SplitPolicy(published=read_published(lists)).split("any", "b", "b") == "test"


@pytest.mark.parametrize(
    ("named", "split"),
    [
        *(("train", "train"), (" Train ", "train"), ("test", "test"), ("TEST", "test")),
        *((name, "validation") for name in ("validation", "val", "valid", "dev", "Dev", " VAL ")),
    ],
)
def test_a_published_file_may_name_the_validation_split_as_is_usual(tmp_path, named, split):
    """Development subjects that were taken for test subjects would make every figure too good."""
    table, lists = tmp_path / "split.csv", tmp_path / "split.json"
    table.write_text(f"subject,split\na,{named}\n")
    lists.write_text(json.dumps({named: ["a"]}))
    for path in (table, lists):
        assert SplitPolicy(published=read_published(path)).split("shhs", "a", "a") == split


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("subject,split\na,train\na,test\n", "a is in train and in test"),
        ("subject,split\na,holdout\n", "'holdout'"),
        ("name,set\na,train\n", "expected a CSV"),
        ("", "names no subject"),
    ],
)
def test_an_unusable_published_split_is_refused(tmp_path, text, message):
    path = tmp_path / "split.csv"
    path.write_text(text)
    with pytest.raises(BuildError, match=message):
        read_published(path)
