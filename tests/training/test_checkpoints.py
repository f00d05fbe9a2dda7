"""Checkpoints: a training resumes with its own settings, and its errors are one line."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from psgimg.builder.errors import BuildError

torch = pytest.importorskip("torch")

from psgimg.finetune.training import checkpoints  # noqa: E402

TRAINING = SimpleNamespace(per_device_train_batch_size=8, device="cpu")
SETTINGS = {"context": 0, "model": "tiny", "learning_rate": 1e-3, "stages": ["W", "N1"]}


def test_the_settings_of_a_training_are_written_sorted_and_complete(tmp_path):
    out = tmp_path / "new" / "folder"
    checkpoints.begin(out, SETTINGS, None, {})
    text = (out / "asked.json").read_text()
    assert json.loads(text) == SETTINGS
    checkpoints.begin(out, dict(reversed(SETTINGS.items())), None, {})
    assert (out / "asked.json").read_text() == text
    assert [path.name for path in out.iterdir()] == ["asked.json"]


def test_a_training_goes_on_with_the_same_settings(tmp_path):
    checkpoints.begin(tmp_path, {**SETTINGS, "stages": ("W", "N1")}, None, {})
    before = (tmp_path / "asked.json").read_bytes()
    checkpoints.begin(tmp_path, SETTINGS, str(tmp_path / "checkpoint-90"), {})
    assert (tmp_path / "asked.json").read_bytes() == before


def test_a_training_does_not_go_on_with_other_settings(tmp_path):
    checkpoints.begin(tmp_path, {**SETTINGS, "prompt": "a\n" * 100}, None, {})
    before = (tmp_path / "asked.json").read_bytes()
    now = {**SETTINGS, "context": 1, "model": "", "seed": None}
    with pytest.raises(BuildError) as caught:
        checkpoints.begin(tmp_path, now, f"{tmp_path}/checkpoint-90/", {})
    said = str(caught.value)
    assert said.startswith(
        'checkpoint-90 was saved with other settings (context 0, now 1; model tiny, now ""; prompt a a'
    )
    assert said.endswith(
        "a…, now not set; seed not set, now null); use the same ones, or another "
        "--output-dir to start from the beginning"
    )
    assert "\n" not in said
    assert len(said) < 300
    assert (tmp_path / "asked.json").read_bytes() == before


@pytest.mark.parametrize("text", [None, "", "{", "[]"])
def test_a_checkpoint_with_unknown_settings_is_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "asked.json").write_text(text)
    with pytest.raises(BuildError, match=r"checkpoint-9 can't be resumed: .*asked\.json does"):
        checkpoints.begin(tmp_path, SETTINGS, str(tmp_path / "checkpoint-9"), {})


def test_a_checkpoint_from_elsewhere_brings_its_settings_along(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    checkpoints.begin(old, SETTINGS, None, {})
    checkpoints.begin(new, SETTINGS, str(old / "checkpoint-9"), {})
    checkpoints.begin(new, SETTINGS, str(new / "checkpoint-12"), {})
    with pytest.raises(BuildError, match="context 0, now 2"):
        checkpoints.begin(new, {**SETTINGS, "context": 2}, str(new / "checkpoint-12"), {})


def test_a_setting_that_an_older_version_did_not_have_was_its_default(tmp_path):
    older = {key: value for key, value in SETTINGS.items() if key != "context"}
    checkpoints.begin(tmp_path, older, None, {})
    resume, defaults = str(tmp_path / "checkpoint-9"), {"context": 0}
    with pytest.raises(BuildError, match="context 0, now 2"):
        checkpoints.begin(tmp_path, {**SETTINGS, "context": 2}, resume, defaults)
    with pytest.raises(BuildError, match="context not set, now 0"):
        checkpoints.begin(tmp_path, SETTINGS, resume, {})
    checkpoints.begin(tmp_path, SETTINGS, resume, defaults)
    assert json.loads((tmp_path / "asked.json").read_text()) == SETTINGS


def _no_such_layer():
    from peft import LoraConfig, get_peft_model

    model = torch.nn.Sequential(torch.nn.Linear(2, 2))
    get_peft_model(model, LoraConfig(target_modules=["nonsense"]))


def _no_such_reporter():
    from transformers.integrations import get_reporting_integration_callbacks

    get_reporting_integration_callbacks(["nonsense"])


def _no_such_package():
    import no_such_package_of_anybody  # noqa: F401


def _no_such_file():
    open("/nope.jinja").close()  # noqa: PTH123


def _no_such_key():
    {}["eval_f1_N1"]


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        (_no_such_layer, r"\w+Error: Target modules {.nonsense.} not found"),
        (_no_such_reporter, "ValueError: nonsense is not supported"),
        (_no_such_package, "ModuleNotFoundError: No module named"),
        (_no_such_file, "FileNotFoundError: .*No such file or directory: '/nope.jinja'"),
        (_no_such_key, "KeyError: 'eval_f1_N1'"),
        (lambda: torch.ones(2) @ torch.ones(3), "RuntimeError: .*size"),
        (lambda: len(3), "TypeError: object of type 'int' has no len"),
    ],
)
def test_an_error_of_a_library_is_one_line(tmp_path, monkeypatch, fails, said):
    monkeypatch.delenv("PSGIMG_DEBUG", raising=False)
    with (
        pytest.raises(
            BuildError, match=f"^training failed, {said}.*; set PSGIMG_DEBUG=1"
        ) as caught,
        checkpoints.one_line_errors(tmp_path, TRAINING),
    ):
        fails()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    monkeypatch.setenv("PSGIMG_DEBUG", "1")
    kind = type(caught.value.__cause__)
    with pytest.raises(kind), checkpoints.one_line_errors(tmp_path, TRAINING):
        fails()


def _raised(out, error):
    with pytest.raises(BuildError) as caught, checkpoints.one_line_errors(out, TRAINING):
        raise error
    return caught.value


def test_an_error_of_psgimg_is_left_unchanged(tmp_path):
    own = BuildError("no pages; build some")
    assert _raised(tmp_path, own) is own


def test_too_little_memory_has_its_own_remedy(tmp_path):
    said = str(_raised(tmp_path, torch.OutOfMemoryError("CUDA out of memory")))
    assert said.startswith("out of memory on cpu; halve --per-device-train-batch-size (now 8)")


def test_errors_of_a_gpu_keep_their_text(tmp_path):
    text = "CUDA error: device-side assert triggered\n" + "CUDA kernel errors are told late\n" * 20
    said = str(_raised(tmp_path, RuntimeError(text)))
    assert " ".join(text.split()) in said
    assert "\n" not in said
    short = str(_raised(tmp_path, RuntimeError("missing key\n" * 200)))
    assert len(short) < 500


def _no_space_for_an_optimizer():
    torch.save({"step": torch.zeros(500_000)}, "/dev/full")


def _no_space_for_the_end_of_an_optimizer():
    torch.save({}, "/dev/full")


def _no_space_for_a_tokenizer():
    from tokenizers import Tokenizer, models

    Tokenizer(models.BPE()).save("/dev/full")


def _no_space_for_text():
    with open("/dev/full", "w") as file:  # noqa: PTH123
        file.write("{}")


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no device that is always full")
@pytest.mark.parametrize(
    "fails",
    [
        _no_space_for_an_optimizer,
        _no_space_for_the_end_of_an_optimizer,
        _no_space_for_a_tokenizer,
        _no_space_for_text,
    ],
)
def test_a_full_disk_is_told_with_the_way_to_go_on_whichever_library_meets_it(tmp_path, fails):
    for last, remedy in (
        (None, "no checkpoint was saved yet, so start again; --save-steps saves more often"),
        (
            "checkpoint-4",
            "resume from checkpoint-4 with the same command and --resume-from-checkpoint",
        ),
    ):
        if last:
            (tmp_path / last).mkdir()
            (tmp_path / last / "trainer_state.json").write_text("{}")
        said = f"^the disk is full at {tmp_path}; free some space there; {remedy}"
        with (
            pytest.raises(BuildError, match=said),
            checkpoints.one_line_errors(tmp_path, TRAINING),
        ):
            fails()
