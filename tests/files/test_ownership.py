"""Ownership: no command replaces or deletes a file that psgimg did not write."""

import json
from pathlib import Path

import pytest
from psgimg.builder.errors import BuildError
from psgimg.builder.files import ownership
from psgimg.builder.preview import PreviewConfig, preview
from psgimg.finetune.evaluation import evaluation_report
from psgimg.finetune.explaining import explanation_report, plot_explanation
from psgimg.finetune.inference import partial_file
from psgimg.finetune.models import manifest
from psgimg.finetune.staging import stage
from psgimg.finetune.study import plan, runs, study_report
from psgimg.finetune.training import checkpoints


def put(path, data=b"mine"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def evaluate(room):
    evaluation_report.check(room)


def study(room):
    study_report.check(room)


def explain(room):
    explanation_report.check(room)


def sft(room):
    checkpoints.to_resume(room, None)


def predict(room):
    with partial_file.hold(room / "p.parquet", {"model": "m"}):
        pass


def stages(room):
    stage._refuse_to_replace(room, room / "night.edf")


def previewed(room):
    preview(PreviewConfig(room / "missing.edf", out=room / "page.png"))


REFUSED = [
    (evaluate, "metrics.json"),
    (evaluate, "report.md"),
    (evaluate, "confusion.png"),
    (evaluate, "hypnogram-only.png"),
    (study, "study.json"),
    (study, "report.md"),
    (study, "settings.png"),
    (explain, "explanation.json"),
    (explain, "pages/W-1.png"),
    (sft, "README.md"),
    (sft, "config.json"),
    (sft, "model.safetensors"),
    (sft, "tokenizer.json"),
    (predict, "p.parquet"),
    (predict, "p.parquet.json"),
    (predict, "p.parquet.parts/notes.txt"),
    (predict, "p.parquet.parts/table.parquet"),
    (stages, "hypnogram.csv"),
    (stages, "statistics.json"),
    (previewed, "page.png"),
]


@pytest.mark.parametrize(("command", "name"), REFUSED)
def test_a_file_of_the_user_is_refused_before_anything_is_written(command, name, tmp_path):
    put(tmp_path / name)
    put(tmp_path / "other.txt")
    before = content(tmp_path)
    with pytest.raises(BuildError, match=r"choose another --o") as refused:
        command(tmp_path)
    assert "\n" not in str(refused.value)
    assert str(tmp_path) in str(refused.value)
    assert content(tmp_path) == before


@pytest.mark.parametrize("command", [evaluate, study, sft, predict, stages])
def test_notes_of_the_user_are_no_obstacle_and_stay(command, tmp_path):
    put(tmp_path / "notes.md")
    put(tmp_path / ".draft.123.tmp")
    put(tmp_path / "slurm-42.log")
    before = content(tmp_path)
    command(tmp_path)
    assert content(tmp_path) == before


@pytest.mark.parametrize(
    ("command", "mark"),
    [(evaluate, "metrics.json"), (study, "study.json"), (explain, "explanation.json")],
)
def test_what_psgimg_wrote_is_replaced(command, mark, tmp_path):
    put(tmp_path / mark, json.dumps({"psgimg": "0.1"}).encode())
    put(tmp_path / "report.md")
    command(tmp_path)


def test_a_training_that_was_begun_may_be_begun_again(tmp_path):
    put(tmp_path / manifest.SETTINGS_FILE, b"{}")
    put(tmp_path / "config.json")
    assert checkpoints.to_resume(tmp_path, None) is None


def test_a_training_resumed_from_another_folder_replaces_no_model_of_the_user(tmp_path):
    put(tmp_path / "run/checkpoint-5/trainer_state.json", b'{"global_step": 5}')
    put(tmp_path / "mine/model.safetensors")
    with pytest.raises(BuildError, match=r"model\.safetensors was not written by psgimg"):
        checkpoints.to_resume(tmp_path / "mine", str(tmp_path / "run/checkpoint-5"))


def test_only_pages_of_an_explanation_are_removed(tmp_path):
    kept = [tmp_path / "pages" / name for name in ("mine.png", "W.png", "N2-a.png", "W-1.jpg")]
    removed = [tmp_path / "pages" / name for name in ("W-1.png", "REM-12.png")]
    for path in (*kept, *removed):
        put(path)
    plot_explanation.remove_pages(tmp_path)
    assert [path.exists() for path in (*kept, *removed)] == [True] * 4 + [False] * 2


def test_a_study_deletes_no_model_folder_that_it_did_not_begin(tmp_path):
    step = plan.Step("sft", ("sft",), "model-a", "models/a", ())
    put(tmp_path / "models/a/weights.bin")
    assert runs._resume_words(tmp_path, step) == []
    assert (tmp_path / "models/a/weights.bin").exists()
    put(tmp_path / runs.STEPS / f"{step.id}.log")
    assert runs._resume_words(tmp_path, step) == []
    assert not (tmp_path / "models/a").exists()


@pytest.mark.parametrize("target", ["nowhere", "elsewhere.md"])
def test_a_link_of_the_user_is_a_file_of_the_user(tmp_path, target):
    put(tmp_path / "elsewhere.md")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/README.md").symlink_to(tmp_path / target)
    with pytest.raises(BuildError, match=r"README\.md was not written by psgimg"):
        ownership.refuse_foreign(tmp_path / "out", ["README.md"], (), "--out")


@pytest.mark.parametrize("text", ["", "[]", "3", '{"a": 1}', "[" * 99_999, "\udcff"])
def test_json_of_others_is_no_mark(tmp_path, text):
    path = Path(tmp_path / "metrics.json")
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert ownership.read_mark(path) == {}
