"""Leakage: nights of a person, and relatives, stay in one split and fold, and nobody ever moves."""

import csv
import json
import shutil
from pathlib import Path

import pytest
import tiny
import tiny_families
from builds import run
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.check import check
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.builder.exports import labels_only
from psgimg.builder.placing import named, people
from psgimg.builder.rebuild import RebuildConfig, rebuild

OPTIONS = {"style": "paper", "trim_min": None}
FAMILIES = {"800002": 715, "800003": 715, **{f"80000{i}": 720 + i for i in range(4, 9)}}
PARTED = ("800002", "800024")
"""In U-Sleep's split the first of them is for training, the second for testing."""


def facts(out):
    return json.loads((out / "build.json").read_text())


def splits(out):
    return {fact["subject"]: fact["split"] for fact in facts(out)["recordings"]}


def folds(out):
    with (out / "folds.csv").open() as file:
        return {row["subject"]: int(row["fold"]) for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def cfs(tmp_path_factory):
    """Seven people, of whom the first two are relatives."""
    root = tmp_path_factory.mktemp("cfs")
    tiny_families.write(root, FAMILIES)
    return root


def without(root, where, *subjects):
    """A copy of a corpus without some subjects."""
    gone = [f"*{subject}*" for subject in subjects]
    return shutil.copytree(root, where, ignore=shutil.ignore_patterns(*gone))


def test_relatives_stay_together_and_a_twin_and_a_check_place_everyone_alike(cfs, tmp_path):
    for seed in range(3):
        given = {"splits": "1/1/1", "seed": seed}
        plans, _ = check(BuildConfig(("cfs",), (str(cfs),), **given, **OPTIONS), Remembered())
        planned = {plan["subject"]: plan["split"] for plan in plans}
        assert planned["800002"] == planned["800003"]
        assert set(planned.values()) == {"train", "validation", "test"}
    run(tmp_path / "clean", cfs, "cfs", folds=3, **given, **OPTIONS)
    assert splits(tmp_path / "clean") == planned
    placed = folds(tmp_path / "clean")
    assert placed["800002"] == placed["800003"]
    assert sorted(list(placed.values()).count(k) for k in range(3)) == [2, 2, 3]
    run(tmp_path / "twin", cfs, "cfs", corrupt=("noise:snr_db=0",), **given, **OPTIONS)
    tested = {who for who, split in planned.items() if split == "test"}
    assert set(splits(tmp_path / "twin")) == tested


def test_nobody_moves_when_people_are_added_and_a_rebuild_places_them_alike(cfs, tmp_path):
    out = tmp_path / "out"
    run(out, without(cfs, tmp_path / "few", "800004", "800006"), "cfs", folds=3, **OPTIONS)
    before = splits(out), folds(out)
    run(out, cfs, "cfs", **OPTIONS)
    after = splits(out), folds(out)
    for earlier, later in zip(before, after, strict=True):
        assert len(later) == len(earlier) + 2
        assert earlier.items() <= later.items()
    recorded = facts(out)["placements"]
    assert set(recorded["splits"]["cfs"]) == set(recorded["folds"]["cfs"])
    assert len(recorded["folds"]["cfs"]) == 6  # two of the seven are one family
    labels_only.write(out, tmp_path / "labels")
    rebuilt = rebuild(
        RebuildConfig(tmp_path / "labels", (str(cfs),), tmp_path / "again"), Remembered()
    )
    assert not rebuilt.fault
    assert (splits(tmp_path / "again"), folds(tmp_path / "again")) == after


def test_another_number_of_folds_gives_everyone_a_fold_anew_and_says_so(cfs, tmp_path):
    run(tmp_path / "out", cfs, "cfs", folds=3, **OPTIONS)
    _, progress = run(tmp_path / "out", cfs, "cfs", folds=6, **OPTIONS)
    assert any("had 3 folds and gets 6" in note for note in progress.notes)
    assert set(folds(tmp_path / "out").values()) == set(range(6))
    with pytest.raises(BuildError, match="--folds 7: there are 6 people, relatives counted as one"):
        run(tmp_path / "out", cfs, "cfs", folds=7, **OPTIONS)


def test_relatives_who_were_placed_apart_before_are_refused_in_one_line(cfs, tmp_path):
    """The family of a person is in the file's name, and may be learned later."""
    out, root = tmp_path / "out", shutil.copytree(cfs, tmp_path / "cfs")
    run(out, root, "cfs", splits="1/0/1", **OPTIONS)
    placed = splits(out)
    first, second = (
        next(who for who, split in placed.items() if split == wanted and who > "800003")
        for wanted in ("train", "test")
    )
    for path in root.rglob(f"*{second}*"):
        own, other = (f"famID{FAMILIES[who]}" for who in (second, first))
        path.rename(path.with_name(path.name.replace(own, other)))
    with pytest.raises(
        BuildError, match="before they were known to be relatives; build into a new"
    ):
        run(out, root, "cfs", splits="1/0/1", **OPTIONS)
    assert splits(out) == placed


def test_a_published_split_may_part_relatives_and_everything_counts_them(tmp_path):
    root, out = tmp_path / "cfs", tmp_path / "out"
    tiny_families.write(root, dict.fromkeys(PARTED, 715))
    report, _ = run(out, root, "cfs", split_file=Path("usleep"), **OPTIONS)
    assert splits(out) == dict(zip(PARTED, ("train", "test"), strict=True))
    assert report.values["parted"] == {"cfs": {"families": 1, "subjects": 2}}
    assert facts(out)["fixed"]["named_split"]["name"] == "usleep"
    card = (out / "README.md").read_text()
    assert "parts relatives**: in `cfs`, 2 members of 1 family" in card
    assert "github.com/dslaborg/AnySleep), licence MIT" in card
    labels_only.write(out, tmp_path / "labels")
    config = RebuildConfig(tmp_path / "labels", (str(root),), tmp_path / "again")
    assert not rebuild(config, Remembered()).fault

    own = tmp_path / "own.csv"
    own.write_text("subject,split\n" + "".join(f"{p},{s}\n" for p, s in splits(out).items()))
    with pytest.raises(
        BuildError, match="family-715 of cfs, 800002 is in train and 800024 in test"
    ):
        build(BuildConfig(("cfs",), (str(root),), tmp_path / "no", split_file=own), Remembered())
    assert not (tmp_path / "no").exists() or not any((tmp_path / "no").iterdir())


def test_a_split_of_one_visit_sets_the_other_visit_aside(tmp_path):
    tiny.write_shhs(tmp_path / "shhs", n_subjects=2, minutes=5)
    report, _ = run(tmp_path / "out", tmp_path / "shhs", split_file=Path("phan-shhs1"), **OPTIONS)
    built = {fact["recording"] for fact in report.values["recordings"]}
    assert built == {"shhs1-200001", "shhs1-200002"}
    assert [e["recording"] for e in report.values["set_aside"]] == ["shhs2-200001", "shhs2-200002"]


def test_the_split_of_a_dataset_is_that_of_another(cfs, tmp_path):
    """A folder that has grown places people as no new build would, and a twin must follow it."""
    out = tmp_path / "out"
    run(out, without(cfs, tmp_path / "few", "800004", "800005"), "cfs", **OPTIONS)
    run(out, cfs, "cfs", **OPTIONS)
    run(tmp_path / "other", cfs, "cfs", split_file=out, seed=9, **OPTIONS)
    assert splits(tmp_path / "other") == splits(out)


def test_families_and_their_members_are_listed_in_order_of_names():
    everyone = [
        people.Person("b", "2", "f"),
        people.Person("b", "1", "f"),
        people.Person("a", "1", "1"),
    ]
    assert list(people.families(everyone).items()) == [
        ("a", {"1": ["1"]}),
        ("b", {"f": ["1", "2"]}),
    ]
    assert named.stated({"name": "usleep", "sha256": "0"}) is None
