"""A model's folder on the Hub: its card, what is sent of it, and who may see it."""

import json
import os

import pytest
import yaml
from hub_client import signed_in
from huggingface_hub import HfApi, ModelCard
from progress import Remembered
from psgimg.builder.errors import BuildError
from psgimg.builder.release import models
from psgimg.builder.release.visibility import Wish
from psgimg.builder.render.recipe import digest
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.training import model_card

RECIPE = {"style": {"name": "clinical"}, "montage": {"name": "aasm"}, "version": 1}
FIGURES = {"accuracy": 0.81, "balanced_accuracy": 0.74, "macro_f1": 0.7512345, "kappa": 0.72}


@pytest.fixture
def hub(tmp_path):
    with signed_in(tmp_path / "home") as server:
        yield server


def log():
    evaluations = [
        {
            "step": step,
            "eval_loss": 1 / step,
            **{f"eval_{k}": v * step / 90 for k, v in FIGURES.items()},
        }
        for step in (30, 60, 90)
    ]
    losses = [{"step": step, "loss": 2 / step} for step in (30, 60, 90)]
    return [entry for pair in zip(losses, evaluations, strict=True) for entry in pair]


def model(folder, corpora=("demo",), policy="open", base="tiny", **training):
    """A folder as `psgimg sft` leaves it, with weights of a few bytes."""
    folder.mkdir(parents=True)
    answers = {stage: stage for stage in STAGE_NAMES}
    taught = {
        "psgimg": "0.1.0",
        "versions": {},
        "prompt": {"name": "closed", "system": "", "question": "Which stage?", "answers": answers},
        "context": 0,
        "recipe": RECIPE,
        "recipe_hash": digest(RECIPE),
        "policy": policy,
        "corpora": list(corpora),
        "subjects": ["0" * 16],
        "dataset": {"id": "lab/psg-images", "config": "all", "revision": "abc"},
        "base_model": base,
        "max_pixels": None,
    }
    told = {
        "counts": dict.fromkeys(STAGE_NAMES, 10),
        "validation": {"pages": 200, "subjects": 3},
        "best_step": None,
        "began_from": None,
        "steps": 90,
        "batch": 1,
        "pages_shown": 90,
        "passes": 1.8,
        "subjects": 5,
        "processes": 1,
        "device": "cpu",
        "model": {"use_peft": base != "tiny", "lora_r": 16},
        "psgimg": {"sampling": "natural", "train_subjects": None},
        "training": {"learning_rate": 1e-4, "seed": 42, "max_steps": -1, "num_train_epochs": 1.8}
        | training,
        "log": log(),
    }
    (folder / "psgimg.json").write_text(json.dumps(taught))
    (folder / "training.json").write_text(json.dumps(told))
    (folder / "model.safetensors").write_bytes(os.urandom(2000))
    (folder / "training_args.bin").write_bytes(b"a pickle with this machine's folders")
    (folder / "checkpoint-3").mkdir()
    model_card.write(folder)
    return folder


def pushed(folder, name="stager", show=lambda *_: None, dry_run=False, **wish):
    return models.push(folder, name, Wish(**wish), dry_run, Remembered(), show)


def test_the_card_has_the_figures_that_were_logged_last_as_its_model_index(tmp_path):
    text = (model(tmp_path / "stager") / "README.md").read_text()
    data = ModelCard(text).data
    assert {r.metric_type: r.metric_value for r in data.eval_results} == {
        name: round(value, 4) for name, value in FIGURES.items()
    }
    assert {r.dataset_split for r in data.eval_results} == {"validation"}
    assert data.datasets == ["lab/psg-images"]
    assert "200 pages of the validation split, of 3 subjects" in text
    assert "| 90 | 0.022 | 0.011 | 0.810 | 0.751 | 0.720 |" in text
    assert "not for diagnosis" in text


def test_where_the_best_weights_were_kept_the_figures_are_theirs(tmp_path):
    folder = model(tmp_path / "stager")
    told = json.loads((folder / "training.json").read_text())
    (folder / "training.json").write_text(json.dumps({**told, "best_step": 60}))
    model_card.write(folder)
    data = ModelCard((folder / "README.md").read_text()).data
    assert data.eval_results[0].metric_value == round(FIGURES["accuracy"] * 60 / 90, 4)


def test_the_card_of_an_adapter_names_its_base(tmp_path):
    folder = model(tmp_path / "stager", base="Qwen/Qwen3-VL-2B-Instruct")
    (folder / "adapter_config.json").write_text("{}")
    model_card.write(folder, "lab/stager")
    text = (folder / "README.md").read_text()
    head = yaml.safe_load(text.split("---\n")[1])
    assert (head["base_model"], head["library_name"]) == ("Qwen/Qwen3-VL-2B-Instruct", "peft")
    assert "psgimg predict --model lab/stager" in text
    assert "LoRA rank: 16" in text


@pytest.mark.parametrize("text", ["{}", "[]", "{", "[" * 5000, '{"log": 7}', '{"log": [7]}'])
def test_a_damaged_record_of_a_training_is_refused_in_one_line(text, tmp_path):
    folder = model(tmp_path / "stager")
    before = (folder / "README.md").read_bytes()
    (folder / "training.json").write_text(text)
    with pytest.raises(BuildError, match=r"training\.json is damaged"):
        model_card.write(folder)
    assert (folder / "README.md").read_bytes() == before


def test_a_training_that_was_not_watched_claims_nothing(tmp_path):
    folder = model(tmp_path / "stager")
    told = json.loads((folder / "training.json").read_text())
    unwatched = [entry for entry in told["log"] if "loss" in entry]
    (folder / "training.json").write_text(json.dumps({**told, "log": unwatched, "validation": {}}))
    model_card.write(folder)
    text = (folder / "README.md").read_text()
    assert "model-index" not in text
    assert "no validation metrics" in text


def test_weights_and_what_belongs_to_them_are_sent_and_nothing_else(hub, tmp_path):
    shown = []
    pushed(model(tmp_path / "stager"), show=lambda *what: shown.append(what))
    sent = set(hub.repo("alice/stager", "model").head.files) - {".gitattributes"}
    assert sent == {"README.md", "psgimg.json", "training.json", "model.safetensors"}
    assert shown[0][1] == ("checkpoint-3", "training_args.bin")
    assert hub.repo("alice/stager", "model").private


def test_what_a_user_keeps_beside_a_model_stays_local(hub, tmp_path):
    folder = model(tmp_path / "stager")
    (folder / "tokenizer_config.json").write_text("{}")
    own = ["asked.json", "night.png", "notes.txt", "patients.json", "predictions.parquet.json"]
    for name in [*own, "notes.md", "study.yaml"]:
        (folder / name).write_text("{}")
    pushed(folder)
    sent = set(hub.repo("alice/stager", "model").head.files) - {".gitattributes"}
    assert sent == {
        *("README.md", "psgimg.json", "training.json", "model.safetensors"),
        "tokenizer_config.json",
    }


def test_a_model_is_as_secret_as_what_it_learned_from(hub, tmp_path):
    secret = model(tmp_path / "stager", corpora=("demo", "shhs"), policy="restricted")
    with pytest.raises(BuildError, match="terms of shhs"):
        pushed(secret, public=True)
    pushed(secret)
    repo = hub.repo("alice/stager", "model")
    assert (repo.private, repo.gated) == (True, "manual")
    with pytest.raises(BuildError, match="terms of shhs"):
        pushed(model(tmp_path / "open" / "stager"), public=True)


def test_what_was_written_down_as_open_is_as_secret_as_it_is_known_to_be(hub, tmp_path):
    edited = model(tmp_path / "stager", corpora=("demo", "shhs"), policy="open")
    with pytest.raises(BuildError, match="terms of shhs"):
        pushed(edited, public=True)


def test_an_open_model_becomes_public_if_requested(hub, tmp_path):
    pushed(model(tmp_path / "stager"), public=True)
    assert hub.repo("alice/stager", "model").private is False


def test_pushed_again_only_what_changed_is_sent(hub, tmp_path):
    folder = model(tmp_path / "stager")
    pushed(folder)
    assert pushed(folder).transfer.send == ()
    (folder / "model.safetensors").write_bytes(b"better")
    assert [a.path for a in pushed(folder).transfer.send] == ["model.safetensors"]


def test_a_dry_run_writes_nothing(hub, tmp_path):
    assert pushed(model(tmp_path / "stager"), dry_run=True) is None
    assert {r.method for r in hub.requests} <= {"GET", "HEAD"}


def linked(folder):
    (folder.parent / "secret").write_text("secret")
    (folder / "README.md").unlink()
    (folder / "README.md").symlink_to("../secret")


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (lambda f: (f / "model.safetensors").unlink(), "has no weights"),
        (lambda f: (f / "README.md").unlink(), "has no README.md"),
        (lambda f: (f / "psgimg.json").write_text("{}"), "psgimg.json is damaged"),
        (
            lambda f: (f / "adapter_config.json").write_text(
                '{"base_model_name_or_path": "/home/me/base"}'
            ),
            "is a folder of this machine, which nobody",
        ),
        (
            lambda f: (f / "tokenizer_config.json").write_text('{"x": "/home/silva/base/x"}'),
            "contains a path of this machine",
        ),
        (linked, "is a link to .*remove the link"),
    ],
    ids=["weights", "card", "psgimg", "base", "path", "link"],
)
def test_a_folder_that_is_not_whole_is_refused(hub, tmp_path, spoil, match):
    folder = model(tmp_path / "stager")
    spoil(folder)
    with pytest.raises(BuildError, match=match):
        pushed(folder)
    assert not [r for r in hub.requests if r.method == "POST"]


def test_a_repository_of_somebody_elses_model_is_not_overwritten(hub, tmp_path):
    HfApi().create_repo("alice/stager", private=True)
    HfApi().upload_file(path_or_fileobj=b"x", path_in_repo="model.bin", repo_id="alice/stager")
    with pytest.raises(BuildError, match="contains files not written by psgimg"):
        pushed(model(tmp_path / "stager"))
