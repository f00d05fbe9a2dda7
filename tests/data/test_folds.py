"""Folds: in each, nobody is tested whom the model has learned from, on disk and on the Hub."""

import csv
import dataclasses
import json
import shutil
from types import SimpleNamespace

import pytest
import tiny_families
from hub_client import pushed, signed_in
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.dataset import prompts
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.finetune.baselines import nights
from psgimg.finetune.data import page_index, page_set, source
from psgimg.finetune.inference.predict_config import PredictConfig, question
from psgimg.finetune.lanes.seen import LanesSeen
from psgimg.finetune.models import provenance
from tiny_manifest import manifest

N_FOLDS = 3
PARTS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Seven people, of whom two are relatives, in two splits and in three folds."""
    place = tmp_path_factory.mktemp("folds")
    families = {"800002": 715, "800003": 715, **{f"80000{i}": 720 + i for i in range(4, 9)}}
    tiny_families.write(place / "cfs", families)
    options = {"style": "paper", "splits": "1/0/1", "folds": N_FOLDS, "trim_min": None}
    build(BuildConfig(("cfs",), (str(place / "cfs"),), place / "out", **options), Remembered())
    return place / "out"


def table(dataset):
    with (dataset / "folds.csv").open() as file:
        return {row["subject"]: int(row["fold"]) for row in csv.DictReader(file)}


def people(dataset, fold, split):
    pages = page_set.load(str(dataset), None, split, fold=fold)
    assert len(pages.labels) == len(pages) > 0
    return {subject for _, subject in provenance.subjects(pages)}


def copied(dataset, where, rows=None):
    """A copy of a dataset, with another table of folds if given."""
    shutil.copytree(dataset, where)
    if rows is not None:
        lines = ["corpus,subject,fold", *(f"cfs,{who},{fold}" for who, fold in rows.items())]
        (where / "folds.csv").write_text("\n".join(lines) + "\n")
    return where


@pytest.mark.parametrize("fold", range(N_FOLDS))
def test_test_is_the_fold_validation_the_next_and_train_the_rest(dataset, fold):
    placed = table(dataset)
    found = {split: people(dataset, fold, split) for split in PARTS}
    assert found["test"] == {who for who, k in placed.items() if k == fold}
    assert found["validation"] == {who for who, k in placed.items() if k == (fold + 1) % N_FOLDS}
    assert found["train"] == set(placed) - found["test"] - found["validation"]
    assert not {"800002", "800003"} - next(p for p in found.values() if "800002" in p)


def test_the_table_decides_as_it_stands(dataset, tmp_path):
    """Whoever numbers the folds by hand, as in a published cross-validation, gets those folds."""
    rows = dict(zip(sorted(table(dataset)), (0, 0, 1, 2, 3, 3, 3), strict=True))
    own = copied(dataset, tmp_path / "own", rows)
    assert people(own, 3, "test") == {who for who, k in rows.items() if k == 3}
    assert people(own, 3, "validation") == {"800002", "800003"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"800003": 1, "800002": 0},
            "folds.csv of .* parts family-715 of cfs: 800002 is in fold 0",
        ),
        ({"800005": -1}, "a subject twice or a negative fold"),
        ({"800005": "x"}, "folds.csv of .* is damaged"),
        (dict.fromkeys(("800004", "800005", "800006", "800007", "800008"), 1), "with the 2 folds"),
    ],
)
def test_a_table_that_would_mislead_is_refused(dataset, tmp_path, change, said):
    rows = table(dataset)
    if len(change) > 2:
        rows = dict.fromkeys(rows, 0)
    own = copied(dataset, tmp_path / "own", {**rows, **change})
    with pytest.raises(BuildError, match=said):
        source.find(str(own), None, "test", fold=0)


def test_a_missing_fold_or_table_is_named_with_what_to_do(dataset, tmp_path):
    with pytest.raises(BuildError, match=r"--fold 3: .* has the folds 0 to 2; choose one of them"):
        source.find(str(dataset), None, "test", fold=3)
    own = copied(dataset, tmp_path / "own")
    (own / "folds.csv").unlink()
    with pytest.raises(BuildError, match=r"has no folds.csv; build it with --folds K"):
        source.find(str(own), None, "test", fold=0)
    lacking = copied(dataset, tmp_path / "lacking", {"800002": 0, "800003": 1, "800004": 2})
    with pytest.raises(BuildError, match=r"lacks subject 800005 of cfs|parts family-715"):
        source.find(str(lacking), None, "test", fold=0)


def test_the_parts_of_a_fold_have_one_index(dataset, monkeypatch):
    opened = []
    read = page_index.read
    monkeypatch.setattr(page_index, "read", lambda one: opened.append(one) or read(one))
    train = page_set.load(str(dataset), None, "train", fold=1)
    validation = page_set.load(str(dataset), None, "validation", fold=1, beside=train)
    assert len(opened) == 1
    alone = page_set.load(str(dataset), None, "validation", fold=1)
    assert [validation.page(row) for row in validation.rows] == [
        alone.page(row) for row in alone.rows
    ]
    assert validation.index is train.index
    other = page_set.load(str(dataset), None, "train", beside=train)
    assert len(other.index) < len(train.index), "the splits have fewer pages than all folds"


def test_folds_of_a_dataset_on_the_hub_are_those_of_the_folder(dataset, fresh_hub, tmp_path):
    pushed(dataset, "alice/pages")
    for split in PARTS:
        pages = page_set.load("alice/pages", None, split, fold=1)
        assert {subject for _, subject in provenance.subjects(pages)} == people(dataset, 1, split)
    with pytest.raises(BuildError, match="alice/pages has the folds 0 to 2"):
        source.find("alice/pages", None, "test", fold=5)


@pytest.fixture
def fresh_hub(tmp_path):
    with signed_in(tmp_path) as hub:
        yield hub


def test_a_baseline_learns_from_the_folds_parts(dataset, tmp_path):
    found = nights.training_sources(str(dataset), None, 2)
    target = source.find(str(dataset), None, "test", fold=2)
    assert [one.split for one in (*found, target)] == list(PARTS)
    root = str(dataset.parent / "cfs")
    with nights.found(found, target, (root,), (), None, Remembered()) as (own, _):
        pass
    for part, split in zip((own.train, own.validation, own.target), PARTS, strict=True):
        assert {night.key.subject for night in part} == people(dataset, 2, split)
        assert all(len(night.epochs) == len(night.labels) > 0 for night in part)


def test_a_training_takes_its_pages_from_the_fold(dataset):
    pytest.importorskip("trl")
    from psgimg.finetune import sft
    from psgimg.finetune.training import page_checks, run_record
    from psgimg.finetune.training.psg_arguments import PsgArguments

    psg = PsgArguments(dataset=str(dataset), model="tiny", fold=1)
    asked = SimpleNamespace(seed=0, eval_strategy=SimpleNamespace(value="steps"))
    train, validation = sft._pages(psg, asked)
    for pages, split in ((train, "train"), (validation, "validation")):
        found = {subject for _, subject in provenance.subjects(pages)}
        assert found == people(dataset, 1, split)
    lineage = provenance.of("tiny", train)
    folder = run_record.folder(psg, train, prompts.load("closed"), lineage, LanesSeen(), ())
    assert folder.fold == {"number": 1, "of": 3}
    tested = {provenance.subject("cfs", who) for who in people(dataset, 1, "test")}
    assert not tested & set(folder.subjects)
    page_checks.check_fold(train, "base", lineage)
    seen = dataclasses.replace(lineage, subjects=(*lineage.subjects, min(tested)))
    with pytest.raises(
        BuildError, match=r"--fold 1: base has already learned from 1 of the \d people"
    ):
        page_checks.check_fold(train, "base", seen)


def asked(dataset, folder, fold, trained, learned, **options):
    """Ask a model, trained for a fold on some people, about pages; return what it is told."""
    pages = page_set.load(str(dataset), None, options.get("split", "test"), fold=fold)
    manifest(
        pages.build,
        subjects=tuple(provenance.subject("cfs", who) for who in learned),
        fold=trained,
        versions={},
    ).save(folder)
    config = PredictConfig(str(folder), str(dataset), folder / "p.csv", fold=fold, **options)
    return question(config, pages), config, pages


def test_a_model_is_shown_the_fold_that_it_was_trained_for_and_no_other(dataset, tmp_path):
    learned, first = people(dataset, 0, "train"), {"number": 0, "of": 3}
    query, config, pages = asked(dataset, tmp_path, 0, first, learned)
    assert query.notes == ()
    assert query.settings(config, pages, 1)["fold"] == first
    assert json.loads((tmp_path / "psgimg.json").read_text())["fold"] == first
    asked(dataset, tmp_path, 0, first, learned, split="validation")
    query, *_ = asked(dataset, tmp_path, 0, first, learned, split="train")
    assert "were used for training" in query.notes[0]  # whoever asks for them knows
    with pytest.raises(BuildError, match=r"trained for fold 0 of 3, .* fold 1 of 3; use --fold 0"):
        asked(dataset, tmp_path, 1, first, learned)
    with pytest.raises(
        BuildError, match="the folds are others than those that it was trained with"
    ):
        asked(dataset, tmp_path, 0, first, people(dataset, 0, "test"))
    with pytest.raises(BuildError, match="train a model for this fold, `psgimg sft --fold 2`"):
        asked(dataset, tmp_path, 2, None, people(dataset, 2, "test"))


def test_a_model_of_a_fold_is_not_tested_on_a_split_whose_people_it_has_seen(dataset, tmp_path):
    first = {"number": 0, "of": 3}
    tested, trained = people(dataset, None, "test"), people(dataset, None, "train")
    with pytest.raises(BuildError, match="trained for a fold, so pass --fold 0"):
        asked(dataset, tmp_path, None, first, tested)
    query, *_ = asked(dataset, tmp_path, None, first, trained)
    assert query.notes == ()
