"""Model card: it says what the training really did, however it ended."""

import json

import extra_metric
import pytest
from huggingface_hub import ModelCard
from psgimg.builder.render.recipe import digest
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.models.manifest import ModelFolder
from psgimg.finetune.training import model_card

RECIPE = {"style": {"name": "clinical"}, "montage": {"name": "aasm"}, "version": 1}
PLANNED = {"max_steps": -1, "num_train_epochs": 2, "per_device_train_batch_size": 16}


@pytest.fixture
def folder(tmp_path):
    manifest = {
        "psgimg": "0.1.0",
        "versions": {},
        "prompt": {
            "name": "closed",
            "system": "",
            "question": "Which stage?",
            "answers": {stage: stage for stage in STAGE_NAMES},
        },
        "context": 0,
        "recipe": RECIPE,
        "recipe_hash": digest(RECIPE),
        "policy": "open",
        "corpora": ["demo"],
        "subjects": [],
        "dataset": {"id": "lab/psg-images", "config": "all", "revision": None},
        "base_model": "tiny",
        "max_pixels": None,
    }
    (tmp_path / "psgimg.json").write_text(json.dumps(manifest))
    return tmp_path


def card(folder, *, training=None, psgimg=None, **record):
    told = {
        "steps": 150,
        "batch": 16,
        "pages_shown": 2384,
        "passes": 2.0,
        "subjects": 4,
        "counts": {"W": 300, "N1": 92, "N2": 500, "N3": 200, "REM": 100},
        "validation": {},
        "best_step": None,
        "began_from": None,
        "processes": 1,
        "device": "cpu",
        "model": {"use_peft": False},
        "log": [],
        **record,
        "training": PLANNED | (training or {}),
        "psgimg": {"sampling": "natural", "train_subjects": None} | (psgimg or {}),
    }
    return model_card.text(ModelFolder.load(folder), told, False, "lab/stager")


def test_a_training_ended_by_max_steps_claims_no_planned_passes(folder):
    text = card(folder, steps=4, pages_shown=64, passes=64 / 1192, training={"max_steps": 4})
    assert "for 4 optimisation steps, where `--max-steps` ended training." in text
    assert (
        "It was shown 64 pages in 0.0537 training passes, drawn from 1,192 pages of 4 subjects of "
        "lab/psg-images" in text
    )
    assert "- optimisation steps: 4\n" in text
    assert "- training passes: 0.0537\n" in text
    assert "planned" not in text


def test_a_whole_training_has_its_whole_passes(folder):
    text = card(folder)
    assert "for 150 optimisation steps. It was shown 2,384 pages in 2 training passes" in text
    assert "- training passes: 2\n" in text
    assert "in 1 training pass, drawn" in card(folder, passes=1.0, training={"num_train_epochs": 1})


@pytest.mark.parametrize(
    ("training", "lines"),
    [
        ({}, ("optimisation steps: 90", "training passes: 1.2 of 2 planned")),
        ({"max_steps": 200}, ("optimisation steps: 90 of 200 planned", "training passes: 1.2")),
    ],
    ids=["passes", "steps"],
)
def test_a_training_that_ended_early_says_of_how_much(folder, training, lines):
    text = card(folder, steps=90, passes=1.2, training=training)
    assert "ended training" not in text
    for line in lines:
        assert f"- {line}\n" in text


def test_weights_of_an_earlier_step_are_named(folder):
    assert "- weights kept: those of step 60\n" in card(folder, best_step=60)
    assert "weights kept" not in card(folder, best_step=150)
    assert "weights kept" not in card(folder)


def test_pages_of_a_step_are_those_of_all_processes(folder):
    text = card(folder, batch=64, processes=2, training={"gradient_accumulation_steps": 2})
    for line in ("pages per step: 64", "pages per step and device: 16", "processes: 2"):
        assert f"- {line}\n" in text


def test_sampling_and_a_smaller_number_of_subjects_are_named(folder):
    text = card(folder, subjects=3, psgimg={"sampling": "balanced", "train_subjects": 3})
    assert "of 3 subjects of lab/psg-images" in text
    assert "- training subjects: 3\n" in text
    assert "- sampling: balanced\n" in text
    assert "training subjects" not in card(folder)


def test_a_metric_that_is_added_to_the_table_is_on_the_card(folder, monkeypatch):
    extra = extra_metric.add(monkeypatch)
    kept = {"eval_accuracy": 0.8, "eval_macro_f1": 0.7, "eval_kappa": 0.6}
    log = [{"step": 75, "eval_loss": 1.0, **kept}, {"step": 150, "loss": 0.5}]
    before = card(folder, log=log)  # of a training that did not know it
    assert "| accuracy | macro-F1 | kappa |" in before
    assert "| 75 | – | 1.000 | 0.800 | – | 0.700 | 0.600 |" in before
    log += [{"step": 150, "eval_loss": 0.9, "eval_n3_found": 0.25, **kept}]
    text = card(folder, log=log)
    assert (
        "| accuracy | N3 found | macro-F1 | kappa |\n|--:|--:|--:|--:|\n| 0.800 | 0.250 |" in text
    )
    assert "| validation loss | accuracy | N3 found | macro-F1 | kappa |" in text
    assert "| 150 | 0.500 | 0.900 | 0.800 | 0.250 | 0.700 | 0.600 |" in text
    (result,) = [r for r in ModelCard(text).data.eval_results if r.metric_type == extra.key]
    assert (result.metric_name, result.metric_value) == (extra.title, 0.25)


@pytest.mark.parametrize(
    ("base", "corpora", "licence"),
    [
        ("tiny", ["demo"], "apache-2.0"),
        ("tiny", ["demo", "shhs"], "other"),
        ("Qwen/Qwen3-VL-2B-Instruct", ["demo"], None),
    ],
)
def test_weights_made_by_psgimg_alone_have_a_licence_on_the_card(folder, base, corpora, licence):
    values = json.loads((folder / "psgimg.json").read_text())
    values |= {"base_model": base, "corpora": corpora, "subjects": ["demo-01"]}
    (folder / "psgimg.json").write_text(json.dumps(values))
    assert ModelCard(card(folder)).data.license == licence


def test_a_calibration_is_told_with_its_figures_before_and_after(folder):
    path = folder / "psgimg.json"
    assert "## Calibration" not in card(folder)
    figures = {"accuracy": 0.8, "macro_f1": 0.75, "kappa": 0.7, "nll": 0.9, "ece": 0.1234}
    fit = {
        "temperature": 1.75,
        "weight": 0.8,
        "night_temperature": 1.5,
        "pages": 1234,
        "recordings": 5,
        "subjects": 4,
        "figures": {
            "predicted": figures,
            "temperature": {**figures, "ece": 0.02},
            "night": {**figures, "accuracy": 0.85, "macro_f1": None},
        },
    }
    path.write_text(json.dumps({**json.loads(path.read_text()), "calibration": fit}))
    text = card(folder)
    assert "1,234 pages of 4 subjects not used for training" in text
    assert "temperature 1.75, weight 0.8 of the transitions" in text
    assert "| as predicted | 0.800 | 0.750 | 0.700 | 0.900 | 0.123 |" in text
    assert "| night decoded | 0.850 | – | 0.700 | 0.900 | 0.123 |" in text
