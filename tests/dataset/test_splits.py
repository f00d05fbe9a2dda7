"""Splits: by person and family, by shares or as a file says; nobody moves."""

import json

import pytest
from psgimg.builder.dataset.splits import SplitPolicy, parse_shares, read_published
from psgimg.builder.errors import BuildError
from psgimg.builder.placing.people import Person


def alone(corpus, *names):
    return [Person(corpus, name, name) for name in names]


def split_of(policy, corpus, name):
    return policy.place(alone(corpus, name)).get((corpus, name))


def test_relatives_share_a_split_and_a_corpus_does_not_depend_on_another():
    family = [Person("cfs", f"80000{i}", "family-7") for i in range(4)]
    others = [*alone("cfs", *"abcdefgh"), *alone("mesa", *"abcdefgh")]
    placed = SplitPolicy().place([*family, *others])
    assert len({placed["cfs", one.subject] for one in family}) == 1
    assert placed == SplitPolicy().place([*family, *others[:8]]) | SplitPolicy().place(others[8:])


def test_those_placed_before_stay_by_their_own_name_or_by_that_of_their_family():
    subjects = alone("cfs", *"abcdefghij")
    first = SplitPolicy(seed=1).place(subjects)
    (tested,) = [name for (_, name), split in first.items() if split == "test"]
    before = {(corpus, name): split for (corpus, name), split in first.items()}
    later = [*subjects, Person("cfs", "sister", "family-1"), Person("cfs", "brother", "family-1")]
    policy = SplitPolicy(seed=1).keeping(before)
    grown = policy.place(
        [one._replace(kin="family-1") if one.subject == tested else one for one in later]
    )
    assert first.items() <= grown.items()
    assert grown["cfs", "sister"] == grown["cfs", "brother"] == "test"


def test_people_placed_apart_who_turn_out_to_be_relatives_are_refused_by_name():
    policy = SplitPolicy().keeping({("cfs", "a"): "train", ("cfs", "b"): "test"})
    with pytest.raises(
        BuildError, match=r"family-1 of cfs .* train, and its member b in split test"
    ):
        policy.place([Person("cfs", "a", "family-1"), Person("cfs", "b", "family-1")])


def test_a_file_that_parts_relatives_is_refused_with_the_family_and_two_members(tmp_path):
    table = tmp_path / "split.csv"
    table.write_text("subject,split\n800002,train\n800003,test\n")
    policy = SplitPolicy(published=read_published(table))
    relatives = [Person("cfs", name, "family-715") for name in ("800002", "800003", "800004")]
    with pytest.raises(
        BuildError, match="family-715 of cfs, 800002 is in train and 800003 in test"
    ):
        policy.place(relatives)
    assert set(policy.place(relatives[1:])) == {("cfs", "800003")}


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
    assert split_of(policy, "shhs", "200001") == "train"
    assert split_of(policy, "shhs", "200002") == "validation"
    assert split_of(policy, "mass", "200001") == "test"
    assert split_of(policy, "shhs", "200003") is None
    lists = tmp_path / "split.json"
    lists.write_text(json.dumps({"train": ["a"], "test": ["b"]}))
    assert split_of(SplitPolicy(published=read_published(lists)), "any", "b") == "test"


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
        assert split_of(SplitPolicy(published=read_published(path)), "shhs", "a") == split


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


def test_a_split_file_that_can_not_be_opened_is_told_with_what_is_taken_instead(tmp_path):
    for path in (tmp_path / "gone.csv", tmp_path):  # a folder that is no dataset
        with pytest.raises(BuildError, match=r"--split-file .*: No such file.*, or one of usleep"):
            read_published(path)
