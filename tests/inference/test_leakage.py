"""Leakage: who was learned from is recorded, and a warning counts them in the split that is staged."""

import dataclasses
import json
from types import SimpleNamespace

import builds
import pytest
import tiny
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.dataset import prompts
from psgimg.builder.dataset.config import BuildConfig
from psgimg.finetune.data import page_set
from psgimg.finetune.inference.predict_config import PredictConfig, question
from psgimg.finetune.lanes.seen import LanesSeen
from psgimg.finetune.models import provenance
from tiny_manifest import manifest

CORPUS = "shhs"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Four subjects: one to learn from, one for validation, two to test on."""
    place = tmp_path_factory.mktemp("question")
    tiny.write_shhs(place / "shhs", n_subjects=4, visits=(1,), minutes=6)
    root = (str(place / "shhs"),)
    config = BuildConfig(
        (CORPUS,), root, place / "out", style="paper", splits="1/1/2", seed=3, trim_min=None
    )
    build(config, Remembered())
    return config.out


def people(dataset, split):
    """Names of the subjects of a split, as ``build.json`` lists them."""
    build = json.loads((dataset / "build.json").read_text())
    return sorted({fact["subject"] for fact in build["recordings"] if fact["split"] == split})


def notes(dataset, folder, learned):
    """What is said of a model that learned from subjects of these hashes."""
    pages = page_set.load(str(dataset), None, "test")
    folder.mkdir(exist_ok=True)
    manifest(pages.build, subjects=tuple(learned), versions={}).save(folder)
    return question(PredictConfig(str(folder), str(dataset), folder / "p.csv"), pages).notes


def test_subjects_of_the_split_that_were_learned_from_are_counted_in_a_warning(dataset, tmp_path):
    first, second = (provenance.subject(CORPUS, name) for name in people(dataset, "test"))
    for learned, n in (([first], 1), ([first, second], 2), (["f" * 16, second], 1)):
        assert notes(dataset, tmp_path / "model", learned) == (
            f"{n} of 2 subjects of this split were used for training: metrics on them say nothing about "
            "others",
        )


def test_a_model_that_learned_from_others_is_asked_without_a_warning(dataset, tmp_path):
    learned = [provenance.subject(CORPUS, name) for name in people(dataset, "train")]
    assert learned
    assert notes(dataset, tmp_path / "model", learned) == ()


def test_a_subject_of_the_same_name_in_another_corpus_is_somebody_else(dataset, tmp_path):
    learned = [provenance.subject("mesa", name) for name in people(dataset, "test")]
    assert notes(dataset, tmp_path / "model", learned) == ()


def test_what_a_training_records_is_what_the_warning_looks_for(dataset, tmp_path):
    """Learning from the test split itself: the hashes that are written are those compared."""
    leaked = provenance.of("tiny", page_set.load(str(dataset), None, "test"))
    [note] = notes(dataset, tmp_path / "model", leaked.subjects)
    assert note.startswith("2 of 2 subjects of this split were used for training")
    text = (tmp_path / "model" / "psgimg.json").read_text()
    assert not [name for name in people(dataset, "test") if name in text]


def test_a_model_that_goes_on_from_another_has_learned_from_both(dataset, tmp_path):
    """Fine-tuned on clean subjects, a base that saw the test subjects is still warned of."""
    notes(dataset, tmp_path / "base", [provenance.subject(CORPUS, people(dataset, "test")[0])])
    lineage = provenance.of(str(tmp_path / "base"), page_set.load(str(dataset), None, "train"))
    own = {provenance.subject(CORPUS, name) for name in people(dataset, "train")}
    assert own < set(lineage.subjects)
    [note] = notes(dataset, tmp_path / "model", lineage.subjects)
    assert note.startswith("1 of 2 subjects of this split were used for training")


def test_subjects_that_were_left_out_of_a_training_were_not_learned_from(dataset):
    whole = page_set.load(str(dataset), None, "test")
    some = page_set.load(str(dataset), None, "test", n_subjects=1)
    assert len(provenance.of("tiny", some).subjects) == 1
    assert len(provenance.of("tiny", whole).subjects) == 2


def test_the_strictest_terms_of_all_that_was_learned_from_hold(dataset, demo_corpus, tmp_path):
    builds.run(tmp_path / "open", demo_corpus, "demo", limit=2, splits="100/0/0")
    opened = page_set.load(str(tmp_path / "open"), None, "train")
    assert provenance.of("tiny", opened).policy == "open"
    train = page_set.load(str(dataset), None, "train")
    assert provenance.of("tiny", train).policy == "restricted"
    notes(dataset, tmp_path / "base", [])
    assert provenance.of(str(tmp_path / "base"), opened).policy == "restricted"


def test_what_a_dataset_says_of_its_terms_opens_nothing(dataset):
    train = page_set.load(str(dataset), None, "train")
    source = dataclasses.replace(train.source, build={**train.build, "policy": "open"})
    relabelled = dataclasses.replace(train, source=source)
    assert provenance.of("tiny", relabelled).policy == "restricted"


def test_a_model_carries_the_subjects_it_learned_from(dataset):
    pytest.importorskip("trl")
    from psgimg.finetune.training import run_record
    from psgimg.finetune.training.psg_arguments import PsgArguments

    train = page_set.load(str(dataset), None, "train")
    lineage = provenance.of("tiny", train)
    psg = PsgArguments(dataset=str(dataset), model="tiny")
    folder = run_record.folder(psg, train, prompts.load("closed"), lineage, LanesSeen(), ())
    assert (
        folder.subjects
        == lineage.subjects
        == (provenance.subject(CORPUS, people(dataset, "train")[0]),)
    )


def test_a_training_learns_from_the_train_split_and_is_scored_on_the_validation_split(dataset):
    pytest.importorskip("trl")
    from psgimg.finetune import sft
    from psgimg.finetune.training.psg_arguments import PsgArguments

    asked = SimpleNamespace(seed=0, eval_strategy=SimpleNamespace(value="steps"))
    train, validation = sft._pages(PsgArguments(dataset=str(dataset), model="tiny"), asked)
    for pages, split in ((train, "train"), (validation, "validation")):
        assert provenance.subjects(pages) == {(CORPUS, name) for name in people(dataset, split)}


def test_a_baseline_learns_from_the_train_split_and_is_scored_on_the_validation_split(dataset):
    from psgimg.finetune.baselines import nights

    found = nights.training_sources(str(dataset), None)
    assert [source.split for source in found] == ["train", "validation"]
    assert all(f"/{source.split}-" in str(path) for source in found for path, _ in source.shards)
