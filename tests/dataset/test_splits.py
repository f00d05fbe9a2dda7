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


def test_folds_are_balanced_and_independent_of_the_split():
    folds = [fold("shhs", str(i), 5, 0) for i in range(10_000)]
    assert all(abs(folds.count(k) - 2000) < 200 for k in range(5))


@pytest.mark.parametrize("text", ["80/20", "a/b/c", "80/-10/30", "0/0/0", ""])
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
