"""Fine-tuning: the whole way with TRL's own trainer, on a dataset that the builder made."""

import dataclasses
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import tiny as tiny_corpus
from PIL import Image
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.dataset import prompts
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.builder.processes.termination import Terminated

torch = pytest.importorskip("torch")

import tiny_models  # noqa: E402
import transformers  # noqa: E402
from psgimg.finetune import merge, predict, sft  # noqa: E402
from psgimg.finetune.data import page_set  # noqa: E402
from psgimg.finetune.data.augment import Augmented  # noqa: E402
from psgimg.finetune.data.chat import messages  # noqa: E402
from psgimg.finetune.data.context import ALONE, Context  # noqa: E402
from psgimg.finetune.data.variants import Looks  # noqa: E402
from psgimg.finetune.decoding import transitions  # noqa: E402
from psgimg.finetune.inference.likelihood import Scorer  # noqa: E402
from psgimg.finetune.models import provenance  # noqa: E402
from psgimg.finetune.models.loading import load_for_inference  # noqa: E402
from psgimg.finetune.models.manifest import ModelFolder  # noqa: E402
from psgimg.finetune.predict import PredictConfig  # noqa: E402
from psgimg.finetune.training import checkpoints, run_record, training_report  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("error:.*gradient_checkpointing"),  # it would reach the user
    pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning"),
]

FAST = {"per_device_train_batch_size": 4, "max_epochs_per_recording": 12, "validation_pages": 6}
STEPS = {"max_steps": 6, "logging_steps": 1, "save_steps": 2, "eval_steps": 3}
PROMPT = prompts.load("closed")


@pytest.fixture(scope="module", autouse=True)
def apart():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
        patch.setenv("CI", "1")  # TRL sends no telemetry from one
        patch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY", True)
        yield


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    place = tmp_path_factory.mktemp("pages")
    tiny_corpus.write_shhs(place / "shhs", n_subjects=6, visits=(1,))
    root, out = (str(place / "shhs"),), place / "out"
    options = {"style": "sleepvlm", "splits": "1/1/1", "seed": 3, "trim_min": None}
    build(BuildConfig(("shhs",), root, out, **options), Remembered())
    return out


def argv(dataset, out, model="tiny", /, **options):
    told = {"dataset": dataset, "model": model, "output_dir": out, "disable_tqdm": "true"}
    return [
        part
        for key, value in (told | FAST | STEPS | options).items()
        for part in (f"--{key}", str(value))
    ]


@pytest.fixture(scope="module")
def taught(dataset, tmp_path_factory):
    """A tiny model after a few steps."""
    out = tmp_path_factory.mktemp("taught") / "model"
    best = {"load_best_model_at_end": "true", "metric_for_best_model": "eval_macro_f1"}
    sft.main(argv(dataset, out, save_steps=3, **best))
    return out


@pytest.fixture(scope="module")
def adapter(dataset, tmp_path_factory):
    """An adapter of a small Idefics3 after a few steps, which learned fast enough to matter."""
    place = tmp_path_factory.mktemp("adapter")
    tiny_models.build("idefics3", place / "base")
    more = {"max_steps": 2, "save_steps": 2, "eval_strategy": "no", "learning_rate": 0.01}
    sft.main(argv(dataset, place / "out", place / "base", sampling="balanced", **more))
    return place / "out"


def losses(out):
    log = json.loads((out / "training.json").read_text())["log"]
    return dict(zip(*training_report.curve(log, "loss"), strict=True))


def log_probs(source, dataset):
    loaded = load_for_inference(str(source))
    validation = page_set.load(str(dataset), None, "validation")
    rows = validation.chat_rows(validation.rows[:6].tolist(), PROMPT, ALONE)
    return Scorer(loaded.model, loaded.processor, PROMPT.answers)(rows).log_probs


def test_the_folder_holds_all_that_is_needed_to_ask_the_model_again(taught, dataset):
    told = ModelFolder.load(taught)
    values = json.loads((dataset / "build.json").read_text())
    assert (told.recipe, told.recipe_hash) == (values["recipe"], values["recipe_hash"])
    assert (told.policy, told.corpora) == ("restricted", ("shhs",))
    assert (told.prompt, told.prompt_name, told.context) == (PROMPT, "closed", 0)
    assert told.dataset == {"id": "out", "config": "all", "revision": None}
    assert told.base_model == "tiny"
    assert told.transitions == transitions.of(page_set.load(str(dataset), None, "train"))
    assert told.calibration is None
    loaded = load_for_inference(str(taught))
    assert loaded.folder == told
    assert str(taught.parent) not in (taught / "config.json").read_text()


def test_what_a_base_was_taught_counts_too(taught, dataset, tmp_path):
    """A model that goes on with open pages is as secret as it was."""
    folder = tmp_path / "base"
    shutil.copytree(taught, folder, ignore=shutil.ignore_patterns("checkpoint-*"))
    told = json.loads((folder / "psgimg.json").read_text())
    told |= {"corpora": ["mass"], "subjects": ["f" * 16]}
    (folder / "psgimg.json").write_text(json.dumps(told))
    train = page_set.load(str(dataset), None, "train")
    opened = dict(train.build, policy="open")
    found = provenance.of(
        str(folder),
        dataclasses.replace(train, source=dataclasses.replace(train.source, build=opened)),
    )
    assert (found.policy, found.corpora) == ("restricted", ("mass", "shhs"))
    people = {provenance.subject(*who) for who in provenance.subjects(train)}
    assert set(found.subjects) == people | {"f" * 16}
    assert found.began_from == "base"
    assert provenance.of("tiny", train).subjects == tuple(sorted(people))


def test_pages_are_counted_as_they_were_shown(adapter, taught):
    for folder, steps, passes in (
        (taught, 6, "1 training pass"),
        (adapter, 2, "0.333 training passes"),
    ):
        values = json.loads((folder / "training.json").read_text())
        n_drawn = sum(values["counts"].values())
        assert values["preflight"]["rows"] == 24
        assert (values["steps"], values["pages_shown"]) == (steps, steps * 4)
        assert values["passes"] == steps * 4 / 24
        card = (folder / "README.md").read_text()
        assert f"for {steps} optimisation steps, where `--max-steps` ended training" in card
        assert f"{steps * 4} pages in {passes}, drawn from {n_drawn} pages of 2 subjects" in card


def test_a_pass_whose_last_step_is_short_counts_its_pages_once(dataset):
    train = page_set.load(str(dataset), None, "train", max_per_recording=7)
    n, batch = len(train), 4
    assert n % batch
    a_pass = -(-n // batch)
    for steps, told in ((1, 4), (a_pass, n), (a_pass + 1, n + 4), (2 * a_pass, 2 * n)):
        found = progress(train, steps, batch=batch)
        assert (found["steps"], found["pages_shown"]) == (steps, told)
        assert found["passes"] == told / n


def test_lanes_are_counted_on_as_many_pages_as_the_card_says_were_shown(dataset):
    train = page_set.load(str(dataset), None, "train", max_per_recording=7)
    n, batch = len(train), 4
    for steps, drop_last in ((1, False), (n // batch + 2, False), (n // batch, True)):
        found = progress(train, steps, batch=batch, drop_last=drop_last)
        run = run_of(steps, batch=batch, drop_last=drop_last)
        assert run_record.learned(*run, train) * n == pytest.approx(found["pages_shown"])


def run_of(steps, *, batch, accumulated=1, processes=1, drop_last=False):
    training = SimpleNamespace(
        gradient_accumulation_steps=accumulated,
        world_size=processes,
        dataloader_drop_last=drop_last,
        load_best_model_at_end=False,
    )
    return training, SimpleNamespace(global_step=steps, train_batch_size=batch)


def progress(train, steps, **how):
    return run_record.progress(*run_of(steps, **how), train, train.rows)


def test_pages_are_those_of_all_processes_and_of_whole_batches_where_others_are_dropped(dataset):
    train = page_set.load(str(dataset), None, "train", max_per_recording=7)
    n = len(train)
    found = progress(train, 1, batch=2, accumulated=2, processes=2)
    assert (found["batch"], found["pages_shown"]) == (8, 8)
    assert n % 4
    dropped = progress(train, n // 4, batch=4, drop_last=True)
    assert (dropped["pages_shown"], dropped["passes"]) == (n - n % 4, 1)


def test_subjects_of_the_record_are_those_trained_on(dataset):
    train = page_set.load(str(dataset), None, "train", n_subjects=1)
    assert progress(train, 1, batch=4)["subjects"] == 1
    whole = page_set.load(str(dataset), None, "train")
    assert progress(whole, 1, batch=4)["subjects"] == len(provenance.subjects(whole)) > 1


def test_sampled_passes_are_drawn_anew_and_natural_ones_hold_the_same(dataset):
    train = page_set.load(str(dataset), None, "train")
    natural = [sft._rows_of_pass(train, "natural", 7, i) for i in range(2)]
    assert natural[0].tolist() == natural[1].tolist()
    balanced = [sft._rows_of_pass(train, "balanced", 7, i) for i in range(2)]
    assert balanced[0].tolist() != balanced[1].tolist()
    assert balanced[0].tolist() == sft._rows_of_pass(train, "balanced", 7, 0).tolist()


def test_the_report_has_settings_counts_and_curves(taught, dataset):
    values = json.loads((taught / "training.json").read_text())
    assert values["training"]["max_steps"] == 6
    assert values["psgimg"]["sampling"] == "natural"
    assert set(values["versions"]) >= {"torch", "transformers", "trl", "peft"}
    train = page_set.load(str(dataset), None, "train", max_per_recording=12, seed=42)
    assert sum(values["counts"].values()) == len(train) == values["preflight"]["rows"]
    assert sorted(losses(taught)) == [1, 2, 3, 4, 5, 6]
    with Image.open(taught / "training.png") as image:
        assert min(image.size) > 400


def test_validation_stands_in_the_log_and_chooses_the_best(taught):
    log = json.loads((taught / "training.json").read_text())["log"]
    found = [entry for entry in log if "eval_macro_f1" in entry]
    assert [entry["step"] for entry in found] == [3, 6]
    for entry in found:
        assert {"eval_loss", "eval_accuracy", "eval_f1_W"} <= set(entry)
        assert 0 <= entry["eval_accuracy"] <= 1
    best = max(found, key=lambda entry: entry["eval_macro_f1"])
    state = json.loads((taught / "checkpoint-6" / "trainer_state.json").read_text())
    assert state["best_metric"] == best["eval_macro_f1"]


def test_the_best_model_is_the_one_that_is_saved(taught):
    state = json.loads((taught / "checkpoint-6" / "trainer_state.json").read_text())
    best = taught / f"checkpoint-{state['best_global_step']}"
    load = transformers.AutoModelForImageTextToText.from_pretrained
    saved, chosen = (load(folder).state_dict() for folder in (taught, best))
    assert all(torch.equal(saved[name], chosen[name]) for name in saved)


def test_validation_names_stages_as_prediction_does(taught, dataset):
    """The figures of the log are those of the saved model on the same pages."""
    from psgimg.finetune.data.sampling import subsample
    from psgimg.finetune.metrics import metrics

    log = json.loads((taught / "training.json").read_text())["log"]
    held_out = page_set.load(str(dataset), None, "validation", seed=42)
    rows = subsample(held_out.rows, 6, 42)
    loaded = load_for_inference(str(taught))
    chat = held_out.chat_rows(rows.tolist(), PROMPT, ALONE)
    scores = Scorer(loaded.model, loaded.processor, PROMPT.answers)(chat)
    found = scores.log_probs.argmax(1)
    table = metrics.confusion(held_out.index.label[rows], found)
    best = max(entry["eval_macro_f1"] for entry in log if "eval_macro_f1" in entry)
    assert metrics.macro_f1(table) == pytest.approx(best)


def test_that_validation_takes_whole_forwards_is_noted_once(dataset, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Scorer, "_choose", lambda *_: "forwards")
    sft.main(argv(dataset, tmp_path / "out", max_steps=2, eval_steps=1, validation_pages=2))
    assert capsys.readouterr().out.count("each page takes five full forward passes") == 1


def test_what_the_loss_covers_is_printed_before_the_first_step(dataset, tmp_path, capsys):
    sft.main(argv(dataset, tmp_path / "out", max_steps=1, eval_strategy="no"))
    said = capsys.readouterr().out
    assert "<|im_end|>' (first row)" in said
    assert "1 picture(s), 257 image tokens of" in said
    assert "(100.0 %)" in said


def as_of_an_older_version(path, *options):
    """Remove the settings that a version without these options did not save."""
    settings = json.loads(path.read_text())
    for option in options:
        del settings[option]
    path.write_text(json.dumps(settings))


DIES = """
import os, signal, sys
from psgimg.finetune import sft

def dies(event, arguments):
    if event == "os.mkdir" and str(arguments[0]).endswith("checkpoint-4"):
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(dies)
sft.main(sys.argv[1:])
"""
"""A training that is killed as it begins its second checkpoint."""


def test_a_killed_run_resumes_with_the_same_losses(dataset, taught, tmp_path):
    out = tmp_path / "model"
    asked = argv(dataset, out, max_steps=6, save_steps=2)
    done = subprocess.run(
        [sys.executable, "-P", "-c", DIES, *asked, "--save-total-limit", "9"],
        capture_output=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert (out / "checkpoint-2" / "trainer_state.json").exists()
    assert not (out / "psgimg.json").exists()

    with pytest.raises(BuildError, match="holds a training already; resume it with --resume"):
        sft.main(asked)
    # a checkpoint that was being written when the process died does not count
    (out / "checkpoint-5").mkdir()
    as_of_an_older_version(out / "asked.json", "context", "variants", "soft_labels", "max_pixels")
    sft.main([*asked, "--resume-from-checkpoint", "true"])
    assert losses(out) == pytest.approx(losses(taught), abs=1e-5)


def test_a_run_killed_while_it_saved_its_model_resumes_without_a_further_step(dataset, tmp_path):
    out = tmp_path / "model"
    asked = argv(dataset, out, max_steps=2, save_steps=1, eval_strategy="no")
    sft.main(asked)
    weights, first = (out / "model.safetensors").read_bytes(), losses(out)
    (out / "psgimg.json").unlink()
    (out / "model.safetensors").write_bytes(weights[:1000])
    sft.main([*asked, "--resume-from-checkpoint", "true"])
    assert (out / "model.safetensors").read_bytes() == weights
    assert losses(out) == first
    assert not (out / "checkpoint-3").exists()


def test_lora_learns_in_the_language_model_alone_and_each_stage_as_often(adapter):
    config = json.loads((adapter / "adapter_config.json").read_text())
    assert (config["r"], config["target_modules"].count("text_model")) == (16, 1)
    values = json.loads((adapter / "training.json").read_text())
    facts = values["preflight"]
    assert 0 < facts["trainable"] < facts["parameters"]
    assert facts["supervised"] in {f" {stage}<end_of_utterance>" for stage in PROMPT.answers}


def assert_open(folder):
    weights = list(folder.rglob("*.safetensors"))
    assert weights
    assert {path.stat().st_mode & 0o777 for path in weights} == {folder.stat().st_mode & 0o666}


def test_a_merged_adapter_answers_as_it_did_with_its_base(adapter, dataset, tmp_path):
    merge.merge(adapter, tmp_path / "merged")
    together, merged = log_probs(adapter, dataset), log_probs(tmp_path / "merged", dataset)
    base = log_probs(adapter.parent / "base", dataset)
    np.testing.assert_allclose(merged, together, atol=1e-4)
    assert np.abs(together - base).max() > 1e-2  # it did learn something
    assert ModelFolder.load(tmp_path / "merged") == ModelFolder.load(adapter)
    assert not (tmp_path / "merged" / "adapter_config.json").exists()
    assert_open(tmp_path / "merged")


def test_weights_are_as_open_as_their_folder(adapter, taught):
    for folder in (adapter, taught):
        assert_open(folder)


def test_nothing_but_progress_stands_in_the_errors_of_a_normal_run(dataset, adapter, tmp_path):
    """What libraries warn of is for their developers."""
    code = "from psgimg.builder.cli import main; main()"
    words = argv(dataset, tmp_path / "out", adapter.parent / "base", max_steps=2, eval_steps=1)
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, "sft", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    progress_bar = re.compile(r"(?:\s*[\w ]+: +\d+%\||.*\d+%\||Generating \w+ split).*")
    rest = [
        line for line in re.split("[\r\n]", done.stderr) if line and not progress_bar.match(line)
    ]
    assert rest == []
    assert "warn" not in done.stdout.lower()


def test_a_projector_learns_whole_beside_the_adapter(adapter, dataset, tmp_path):
    base, out = adapter.parent / "base", tmp_path / "out"
    more = {"max_steps": 2, "eval_strategy": "no", "learning_rate": 0.01}
    sft.main(argv(dataset, out, base, lora_modules_to_save="projector", **more))
    config = json.loads((out / "adapter_config.json").read_text())
    assert config["modules_to_save"] == ["model.connector"]
    before, after = (load_for_inference(str(source)).model for source in (base, out))
    learned = {
        name.partition("modules_to_save.default.")[2]: value
        for name, value in after.named_parameters()
        if "modules_to_save" in name
    }
    connector = dict(before.model.connector.named_parameters())
    assert learned.keys() == connector.keys()
    assert not any(torch.equal(learned[name], value) for name, value in connector.items())
    merge.merge(out, tmp_path / "merged")
    np.testing.assert_allclose(
        log_probs(tmp_path / "merged", dataset), log_probs(out, dataset), atol=1e-4
    )


def test_what_can_not_be_merged_is_refused(adapter, taught, tmp_path):
    with pytest.raises(BuildError, match="holds full weights, not an adapter"):
        merge.merge(taught, tmp_path / "out")
    with pytest.raises(BuildError, match="exists already"):
        merge.merge(adapter, taught)
    with pytest.raises(BuildError, match="is not a folder"):
        merge.merge(tmp_path / "nothing", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dataset": "nowhere/at-all-"}, "nowhere/at-all-"),
        (
            {"push_to_hub": "true", "hub_private_repo": "false"},
            "--public is refused: the terms of shhs",
        ),
        ({"resume_from_checkpoint": "true"}, "no checkpoint in .*; leave out --resume"),
        ({"resume_from_checkpoint": "elsewhere"}, "no checkpoint in elsewhere"),
        ({"prompt": "poem"}, "unknown prompt 'poem'"),
        ({"train_subjects": 99}, "--train-subjects 99: there are"),
    ],
)
def test_what_can_not_be_learned_from_is_refused_in_one_line(dataset, tmp_path, options, said):
    with pytest.raises(BuildError, match=said) as caught:
        sft.main(argv(dataset, tmp_path / "out", **options))
    assert "\n" not in str(caught.value)


def test_an_interrupted_run_says_how_to_resume(tmp_path):
    class Training:
        per_device_train_batch_size, device = 8, "cuda:0"

    with (
        pytest.raises(BuildError, match="interrupted; no checkpoint was saved yet"),
        checkpoints.one_line_errors(tmp_path, Training),
    ):
        raise KeyboardInterrupt
    (tmp_path / "checkpoint-10").mkdir()
    (tmp_path / "checkpoint-10" / "trainer_state.json").write_text("{}")
    with (
        pytest.raises(BuildError, match="resume from checkpoint-10 with the same command"),
        checkpoints.one_line_errors(tmp_path, Training),
    ):
        raise KeyboardInterrupt
    with (
        pytest.raises(BuildError, match="terminated; resume from checkpoint-10") as ended,
        checkpoints.one_line_errors(tmp_path, Training),
    ):
        raise Terminated(signal.SIGTERM)
    assert ended.value.status == 143
    with (
        pytest.raises(BuildError, match=r"out of memory on cuda:0; halve .* \(now 8\)"),
        checkpoints.one_line_errors(tmp_path, Training),
    ):
        raise torch.OutOfMemoryError


def test_half_of_the_rows_of_a_mixed_training_have_any_number_of_neighbours(dataset):
    train = page_set.load(str(dataset), None, "train")
    inner = [
        row for row in train.rows if None not in itertools.chain(*train.neighbours(int(row), 2))
    ]
    rows = np.resize(inner, 8)

    def n_shown(mixed, n_pass=0, places=range(4000)):
        """How many pages are shown before and after each, by the words of the question."""
        looks = Looks.of(train, varied=True)
        made = Augmented(looks, lambda _: rows, PROMPT, Context(2), "none", 0, mixed=mixed)
        made.on_epoch_begin(None, SimpleNamespace(epoch=n_pass), None)
        return [made._at_most(place) for place in places]

    assert set(n_shown(mixed=False)) == {(2, 2)}
    found = n_shown(mixed=True)
    assert found == n_shown(mixed=True)
    assert found[7:9] == n_shown(mixed=True, places=[7, 8])
    assert found != n_shown(mixed=True, n_pass=1)
    assert set(found) == set(itertools.product(range(3), repeat=2))
    assert 0.53 < np.mean([one == (2, 2) for one in found]) < 0.58, (
        "a half, and a ninth of the rest"
    )

    looks = Looks.of(train, varied=True)
    made = Augmented(looks, lambda _: rows, PROMPT, Context(2), "none", 0, mixed=True)
    chat = made.chat({"images": list(range(8))})
    for i, (images, prompt) in enumerate(zip(chat["images"], chat["prompt"], strict=True)):
        before, after = found[i]
        assert prompt == messages(PROMPT, before, after, Context(2))
        pages = train.images(range(rows[i] - before, rows[i] + after + 1))
        assert [image.tobytes() for image in images] == [page.tobytes() for page in pages]


def test_a_model_learns_neighbours_in_one_picture_and_is_asked_with_them(dataset, tmp_path, capsys):
    out = tmp_path / "out"
    how = {"context": 1, "context_scale": 0.25, "context_mixed": "true"}
    sft.main(argv(dataset, out, max_steps=2, eval_steps=2, **how))
    told = ModelFolder.load(out)
    assert (told.shown, told.context_mixed) == (Context(1, 0.25), True)
    assert "1 picture(s), 385 image tokens of" in capsys.readouterr().out
    validation = page_set.load(str(dataset), None, "validation")
    predicted = predict.predict(
        PredictConfig(str(out), str(dataset), tmp_path / "p.parquet", split="validation", limit=8),
        Remembered(),
    )
    loaded = load_for_inference(str(out))
    rows = predict.chosen(validation, 8).tolist()
    asked = validation.chat_rows(rows, PROMPT, Context(1, 0.25))
    expected = Scorer(loaded.model, loaded.processor, PROMPT.answers)(asked).log_probs
    np.testing.assert_allclose(np.log(predicted.probabilities), expected, atol=1e-4)


def test_what_chance_makes_of_a_page_hangs_on_seed_pass_and_place_alone(dataset):
    train = page_set.load(str(dataset), None, "train")

    def shown(how, seed, n_pass, places):
        rows = Augmented(
            Looks.of(train, varied=True), lambda number: train.rows[:8], PROMPT, ALONE, how, seed
        )
        rows.on_epoch_begin(None, type("State", (), {"epoch": n_pass}), None)
        found = rows.dataset()[places]["images"]
        return [np.asarray(image) for images in found for image in images]

    first = shown("flip,shift", 0, 0, [0, 1, 2, 3])
    again = shown("flip,shift", 0, 0, [2, 3])
    assert all(map(np.array_equal, first[2:], again))
    plain = shown("none", 0, 0, [0, 1, 2, 3])
    for other in (shown("flip,shift", 0, 1.0, [0, 1, 2, 3]), plain):
        assert not all(map(np.array_equal, first, other))
    for image, original in zip(first, plain, strict=True):
        assert np.array_equal(np.sort(image, axis=1), np.sort(original, axis=1))
