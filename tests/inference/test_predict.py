"""Predict: from a real dataset and a real tiny model to a file, with a killed and resumed run."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny
from endpoint_server import Server, threading
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.dataset import build_report, prompts
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from shard_damage import spoil

pytest.importorskip("torch")
pytest.importorskip("trl")

import tiny_models
from psgimg.finetune import predict
from psgimg.finetune.data import page_set
from psgimg.finetune.data.context import Context
from psgimg.finetune.inference import earlier_settings, fleet, pieces, predict_config
from psgimg.finetune.inference.likelihood import Scorer
from psgimg.finetune.lanes.cover import Cover
from psgimg.finetune.metrics import predictions
from psgimg.finetune.predict import PredictConfig
from tiny_manifest import manifest

PER_PART = 8


@pytest.fixture(scope="module", autouse=True)
def surroundings():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predict, "PER_PART", PER_PART)
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("OMP_NUM_THREADS", "1")  # of the commands that are killed
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        yield


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    place = tmp_path_factory.mktemp("predict")
    tiny.write_shhs(place / "shhs", n_subjects=4, visits=(1,), minutes=6)
    out = place / "out"
    config = BuildConfig(
        ("shhs",), (str(place / "shhs"),), out, style="paper", splits="1/1/2", seed=3, trim_min=None
    )
    build(config, Remembered())
    for shard in (out / "data").rglob("test-*.parquet"):
        spoil(shard, "label_2", 0, 2)  # a second scorer saw one page
    return out


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A model without fine-tuning."""
    folder = tmp_path_factory.mktemp("models") / "base"
    tiny_models.build("idefics3", folder, texts=[prompts.load("closed").question])
    return folder


@pytest.fixture(scope="module")
def model(base, dataset):
    """A model folder as `psgimg sft` writes it."""
    folder = shutil.copytree(base, base.parent / "model")
    manifest(build_report.read(dataset), context=1).save(folder)
    return folder


def run(model, dataset, out, **options):
    told = Remembered()
    config = PredictConfig(str(model), str(dataset), out, **{"batch_size": 4, **options})
    return predict.predict(config, told), told


@pytest.fixture(scope="module")
def whole(model, dataset, tmp_path_factory):
    """The file of an uninterrupted command."""
    out = tmp_path_factory.mktemp("whole") / "p.parquet"
    return out, *run(model, dataset, out)


def test_every_page_of_the_split_has_one_row_in_order(whole, dataset):
    out, found, told = whole
    test = page_set.load(str(dataset), None, "test")
    expected = sorted(test.page(int(row)) for row in test.rows)
    columns = ("corpus", "subject", "recording", "epoch", "label", "label_2")
    assert list(zip(*(found.table[name].to_pylist() for name in columns), strict=True)) == expected
    assert found.table["label_2"].to_pylist().count("N2") == 1
    assert predictions.read(out).table.equals(found.table)
    assert (told.total, told.n_kept, told.n_done) == (len(expected), 0, len(expected))
    assert len(expected) > 2 * PER_PART


def test_the_length_of_epochs_is_written_as_the_corpus_has_it(whole, model, tmp_path):
    assert set(whole[1].table["epoch_s"].to_pylist()) == {30.0}
    tiny.write_mass(tmp_path / "mass", (2,), minutes=3)  # epochs of 20 s
    config = BuildConfig(
        ("mass",), (str(tmp_path / "mass"),), tmp_path / "out", style="paper", splits="0/0/1"
    )
    build(config, Remembered())
    found, _ = run(model, tmp_path / "out", tmp_path / "p.parquet", any_recipe=True)
    assert set(found.table["epoch_s"].to_pylist()) == {20.0}


def test_scores_give_probabilities_and_the_likeliest_stage(whole):
    _, found, _ = whole
    assert (found.probabilities.argmax(axis=1) == found.predictions).all()
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-9)
    assert (found.table["log_mass"].to_numpy() < 0).all()
    assert found.table["raw"].null_count == len(found)


def test_only_the_file_and_its_settings_are_left(whole, model):
    out, found, _ = whole
    assert sorted(path.name for path in out.parent.iterdir()) == ["p.parquet", "p.parquet.json"]
    beside = json.loads((out.parent / "p.parquet.json").read_text())
    assert beside["settings"]["prompt"]["question"] == prompts.load("closed").question
    assert beside["settings"]["context"] == 1
    assert beside["counts"] == {
        "pages": len(found),
        "no_valid_answer": 0,
        "with_probabilities": len(found),
    }


@pytest.mark.parametrize("after", [1, 13, 1000])
def test_a_killed_command_resumes_and_ends_with_the_same_bytes(
    whole, model, dataset, tmp_path, after, monkeypatch
):
    reference, found, _ = whole
    out = tmp_path / "p.parquet"
    script = Path(__file__).parents[1] / "support" / "predict_work.py"
    n_pages = min(after, len(found))
    arguments = [str(x) for x in (model, dataset, out, n_pages, PER_PART)]
    done = subprocess.run(
        [sys.executable, "-P", str(script), *arguments], capture_output=True, check=False
    )
    assert done.returncode == -9, done.stderr.decode()
    assert not out.exists()
    _, told = run(model, dataset, out)
    pages = page_set.load(str(dataset), None, "test")
    rows = predict.chosen(pages, None)
    recording = pages.index.recording[rows]
    ends = np.cumsum([len(piece.rows) for piece in pieces.cut(rows, recording, PER_PART)])
    assert told.n_kept == max((end for end in ends if end < n_pages), default=0)
    assert told.n_kept + told.n_done == len(found)
    assert out.read_bytes() == reference.read_bytes()
    beside = out.with_name("p.parquet.json").read_bytes()
    assert beside == reference.with_name("p.parquet.json").read_bytes()


@pytest.mark.parametrize("options", [{"device": "cpu,cpu"}, {"device": "cpu", "loaders": 2}])
def test_several_devices_and_processes_give_the_same_file(whole, model, dataset, tmp_path, options):
    reference, _, _ = whole
    out = tmp_path / "p.parquet"
    run(model, dataset, out, **options)
    assert out.read_bytes() == reference.read_bytes()
    beside = out.with_name("p.parquet.json").read_bytes()
    assert beside == reference.with_name("p.parquet.json").read_bytes()


def test_what_was_predicted_before_the_process_of_a_device_died_is_kept(
    whole, model, dataset, tmp_path, monkeypatch
):
    reference, found, _ = whole
    out, batches, result = tmp_path / "p.parquet", [], fleet._Member.result

    def dies(member, tell):
        if len(batches) == 3:
            member.process.kill()
            while True:
                result(member, tell)  # what had come before is lost too
        batches.append(result(member, tell))
        return batches[-1]

    with monkeypatch.context() as patch:
        patch.setattr(fleet._Member, "result", dies)
        with pytest.raises(BuildError, match=r"the process of cpu was killed by SIGKILL.* again"):
            run(model, dataset, out, device="cpu,cpu")
    assert not out.exists()
    _, told = run(model, dataset, out)
    assert told.n_kept >= PER_PART
    assert told.n_kept + told.n_done == len(found)
    assert out.read_bytes() == reference.read_bytes()


def test_a_finished_file_is_not_computed_again(whole, model, dataset):
    out, found, _ = whole
    before = out.stat().st_mtime_ns
    again, told = run(model, dataset, out)
    assert (told.total, told.n_done, out.stat().st_mtime_ns) == (0, 0, before)
    assert again.table.equals(found.table)
    assert "is finished" in told.notes[0]
    assert not out.with_name("p.parquet.parts").exists()


@pytest.mark.parametrize(
    ("options", "name"),
    [({"mode": "generate"}, "mode"), ({"context": 0}, "context"), ({"limit": 3}, "limit, pages")],
)
def test_other_settings_are_refused_and_leave_everything_as_it_was(
    whole, model, dataset, options, name
):
    out, *_ = whole
    before = {path.name: path.read_bytes() for path in out.parent.iterdir()}
    with pytest.raises(BuildError, match=rf"was written or begun with other settings \({name}\)"):
        run(model, dataset, out, **options)
    assert {path.name: path.read_bytes() for path in out.parent.iterdir()} == before


def test_predictions_of_a_version_without_an_option_are_those_of_its_default(
    whole, model, dataset, tmp_path
):
    out, *_ = whole
    for path in out.parent.iterdir():
        shutil.copy(path, tmp_path)
    beside = tmp_path / f"{out.name}.json"
    values = json.loads(beside.read_text())
    for option in ("decode", "calibration", "without", "fold", "context_scale"):
        del values["settings"][option]
    beside.write_text(json.dumps(values))
    with pytest.raises(BuildError, match=r"other settings \(without\)"):
        run(model, dataset, tmp_path / out.name, without=("C4",), any_lanes=True)
    run(model, dataset, tmp_path / out.name)


def test_what_an_absent_setting_was_is_the_default_of_its_option():
    defaults = {field.name: field.default for field in dataclasses.fields(PredictConfig)}
    same = set(earlier_settings.OF_PREDICTIONS) & set(defaults) - {"context", "context_scale"}
    assert len(same) >= 7
    for key in same:
        stated, default = earlier_settings.OF_PREDICTIONS[key], defaults[key]
        assert stated == (list(default) if isinstance(default, tuple) else default), key


def test_other_weights_are_other_settings(model, tmp_path):
    copy = shutil.copytree(model, tmp_path / "copy")
    (copy / "training.json").write_text('{"seconds": 1}')
    assert predict_config.identity.identify(str(copy)) == predict_config.identity.identify(
        str(model)
    )
    tiny_models.build("idefics3", tmp_path / "other", seed=5)
    shutil.copy(tmp_path / "other" / "model.safetensors", copy)
    assert predict_config.identity.identify(str(copy)) != predict_config.identity.identify(
        str(model)
    )


def test_the_batch_size_may_change(whole, model, dataset, tmp_path):
    _, found, _ = whole
    again, _ = run(model, dataset, tmp_path / "p.parquet", batch_size=7)
    np.testing.assert_allclose(again.probabilities, found.probabilities, atol=1e-5)


def test_a_file_of_somebody_else_is_not_overwritten(model, dataset, tmp_path):
    out = tmp_path / "p.csv"
    out.write_text("mine")
    with pytest.raises(BuildError, match="exists already; choose another --out"):
        run(model, dataset, out)
    assert [path.name for path in tmp_path.iterdir()] == ["p.csv"]
    with pytest.raises(BuildError, match=r"end its name in \.parquet, \.csv, \.jsonl"):
        run(model, dataset, tmp_path / "p.xlsx")


def test_two_commands_do_not_share_a_file(model, dataset, tmp_path):
    from filelock import FileLock

    out = tmp_path / "p.csv"
    (tmp_path / "p.csv.parts").mkdir()
    with (
        FileLock(tmp_path / "p.csv.parts" / "lock"),
        pytest.raises(BuildError, match="another command is writing"),
    ):
        run(model, dataset, out)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_limit_takes_pages_from_the_whole_split(whole, model, dataset, tmp_path, suffix):
    _, found, _ = whole
    some, _ = run(model, dataset, tmp_path / f"p{suffix}", limit=5)
    keys = list(zip(*(found.table[n].to_pylist() for n in predictions.KEYS), strict=True))
    places = [
        keys.index(key)
        for key in zip(*(some.table[n].to_pylist() for n in predictions.KEYS), strict=True)
    ]
    assert len(places) == 5
    assert (places[0], places[-1]) == (0, len(keys) - 1)
    assert places == sorted(places)


def test_generated_answers_are_kept_unchanged(model, dataset, tmp_path):
    found, _ = run(model, dataset, tmp_path / "p.jsonl", mode="generate", limit=4, max_new_tokens=3)
    assert found.table["raw"].null_count == 0
    assert (
        found.predictions.tolist() == [-1] * 4
    )  # without training there is no valid answer, and none is guessed
    assert found.probabilities is None


def test_a_model_without_fine_tuning_is_prompted_zero_shot_with_a_notice(base, dataset, tmp_path):
    found, told = run(base, dataset, tmp_path / "p.parquet", limit=3)
    assert len(found) == 3
    assert "was not fine-tuned with psgimg: it is given prompt closed" in told.notes[0]
    settings = json.loads((tmp_path / "p.parquet.json").read_text())["settings"]
    assert settings["context"] == 0


def test_that_scoring_takes_whole_forwards_is_noted_once(model, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(Scorer, "_choose", lambda *_: "forwards")
    _, told = run(model, dataset, tmp_path / "p.csv", limit=PER_PART + 1)
    (note,) = told.notes
    assert "each page takes five full forward passes, four to five times as long" in note


def test_another_prompt_or_context_than_in_training_is_reported(model, dataset, tmp_path):
    _, told = run(model, dataset, tmp_path / "p.csv", limit=2, prompt="aasm", context=0)
    assert told.notes == [
        "prompt aasm; the model was trained with closed",
        "0 pages on either side; the model was trained with 1 page on either side",
    ]


@pytest.fixture(scope="module")
def narrow(base, dataset):
    """A model that learned from neighbours narrowed beside the page, and from fewer of them."""
    folder = shutil.copytree(base, base.parent / "narrow")
    shown = {"context": 2, "context_scale": 0.25, "context_mixed": True}
    manifest(build_report.read(dataset), **shown).save(folder)
    return folder


def rows_of(model, dataset, **options):
    """What `psgimg predict` shows a model of each page, and the notes on it."""
    test = page_set.load(str(dataset), None, "test")
    config = PredictConfig(str(model), str(dataset), Path("unused"), **options)
    asked = predict_config.question(config, test)
    return predict._Pages(test, asked)(test.rows.tolist()), asked.notes


def test_pages_are_shown_as_in_training_with_neighbours_in_the_same_picture(narrow, dataset):
    rows, notes = rows_of(narrow, dataset)
    assert notes == ()
    assert {(len(row["images"]), row["images"][0].size) for row in rows} == {(1, (672, 336))}
    assert "shows five pages" in rows[2]["prompt"][-1]["content"]
    assert "There is no page before it." in rows[0]["prompt"][-1]["content"]
    test = page_set.load(str(dataset), None, "test")
    context = Context(2, 0.25)
    assert rows == test.chat_rows(test.rows.tolist(), prompts.load("closed"), context)


def test_fewer_neighbours_than_in_training_are_shown_as_at_the_edges_of_a_night(narrow, dataset):
    rows, notes = rows_of(narrow, dataset, context=0)
    said = "0 pages on either side; the model was trained with 2 pages on either side, narrowed to"
    assert notes == (f"{said} 0.25, and fewer on some pages",)
    for row in rows:
        pixels = np.asarray(row["images"][0])
        assert pixels.shape[1] == 672
        assert (pixels[:, : 2 * 84 - 8] == 128).all()
        assert (pixels[:, 2 * 84 + 336 + 8 :] == 128).all()
        assert "There is no page before it. There is no" in row["prompt"][-1]["content"]


def test_lanes_are_left_out_of_neighbours_before_they_are_narrowed(narrow, dataset):
    rows, _ = rows_of(narrow, dataset, without=("chin",), any_lanes=True)
    test = page_set.load(str(dataset), None, "test")
    pages = [test.rows[i] for i in (2, 3, 4, 5, 6)]
    cover = Cover.of(test.build["recipe"], "")
    covered = cover.all_over(test.images(pages), [name == "chin" for name in cover.lanes])
    [expected] = Context(2, 0.25).pictures(covered, 2)
    assert rows[4]["images"][0].tobytes() == expected.tobytes()


def test_neighbours_shown_otherwise_than_in_training_are_reported(model, base, dataset):
    _, notes = rows_of(model, dataset, context_scale=0.5)
    said = (
        "1 page on either side, narrowed to 0.5; the model was trained with 1 page on either side"
    )
    assert notes == (said,)
    rows, _ = rows_of(base, dataset, context=1, context_scale=0.5)
    assert {row["images"][0].size for row in rows} == {(672, 336)}
    with pytest.raises(BuildError, match=r"--context-scale 0\.5: no neighbours are shown; add"):
        rows_of(base, dataset, context_scale=0.5)


def test_pages_of_another_recipe_are_refused_with_both_hashes(model, dataset, tmp_path):
    place = tmp_path / "other"
    root = dataset.parent / "shhs"
    config = BuildConfig(
        ("shhs",), (str(root),), place, style="sleepvlm", splits="1/1/2", seed=3, trim_min=None
    )
    build(config, Remembered())
    hashes = [build_report.read(folder)["recipe_hash"] for folder in (dataset, place)]
    with pytest.raises(BuildError, match=f"{hashes[0]}.*{hashes[1]}.*--any-recipe"):
        run(model, place, tmp_path / "p.csv")
    found, told = run(model, place, tmp_path / "p.csv", any_recipe=True, limit=2)
    assert len(found) == 2
    assert hashes[1] in told.notes[0]


def test_a_command_that_could_not_begin_leaves_nothing(base, dataset, tmp_path):
    broken = shutil.copytree(base, tmp_path / "broken")
    (broken / "chat_template.jinja").unlink()
    with pytest.raises(BuildError, match="no chat template"):
        run(broken, dataset, tmp_path / "p.csv")
    with pytest.raises(
        BuildError,
        match=r"nobody/nothing .*a model is a folder, such as `psgimg sft` writes, or a Hub id",
    ):
        run("nobody/nothing", dataset, tmp_path / "p.csv")
    text = tmp_path / "text"
    text.mkdir()
    (text / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(BuildError):
        run(text, dataset, tmp_path / "p.csv")
    assert not list(tmp_path.glob("p.csv*"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mode": "guess"}, "--mode 'guess': use score or generate"),
        ({"batch_size": 0}, "--batch-size 0: must be at least 1"),
        ({"limit": 0}, "--limit 0"),
        ({"loaders": -1}, "--loaders -1: must be at least 0"),
        ({"device": "cuda:1"}, "--device cuda:1: "),
        ({"split": "tests"}, "no split 'tests'"),
        ({"prompt": "none"}, "unknown prompt 'none'"),
        ({"context": 9}, "context 9"),
    ],
)
def test_wishes_that_can_not_be_met_are_refused_in_one_line(
    model, dataset, tmp_path, options, said
):
    with pytest.raises(BuildError, match=said) as caught:
        run(model, dataset, tmp_path / "p.csv", **options)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def server(monkeypatch):
    server = Server()
    server.said, server.told = "N2.", False
    monkeypatch.setattr("endpoint_server.SHADES", dict.fromkeys(range(256), "N2"))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_server_is_asked_and_gone_on_with_after_it_failed(server, dataset, tmp_path, monkeypatch):
    n_pages = len(page_set.load(str(dataset), None, "test"))
    out = tmp_path / "p.csv"
    answer = server.RequestHandlerClass.answer

    def fails_late(handler, body, fault):
        answer(handler, body, 401 if len(server.seen) > PER_PART + 1 and not mended else fault)

    mended = []
    monkeypatch.setattr(server.RequestHandlerClass, "answer", fails_late)
    with pytest.raises(BuildError, match="401"):  # one at a time: of several, any may come late
        run("a-model", dataset, out, endpoint=server.url, batch_size=1)
    assert not out.exists()
    mended.append(True)
    found, told = run("a-model", dataset, out, endpoint=server.url)
    assert told.n_kept == PER_PART
    assert len(found) == n_pages
    assert set(found.table["raw"].to_pylist()) == {"N2."}
    assert set(found.predictions.tolist()) == {2}
    assert "endpoint" in out.with_name("p.csv.json").read_text()


def test_a_server_is_asked_as_the_model_folder_of_its_name_was_taught(
    server, model, dataset, tmp_path
):
    run(model, dataset, tmp_path / "p.csv", endpoint=server.url)
    bodies = [body for *_, body in server.seen]
    assert {body["model"] for body in bodies} == {str(model)}
    shown = [[part["type"] for part in body["messages"][-1]["content"]] for body in bodies]
    assert max(types.count("image_url") for types in shown) == 3


def test_restricted_pictures_leave_the_network_only_if_the_user_says_so(model, dataset, tmp_path):
    away = "http://8.8.8.8:1/v1"  # nothing is sent here: only the question is made
    config = {"model": str(model), "dataset": str(dataset), "out": tmp_path / "p.csv"}
    pageset = page_set.load(str(dataset), None, "test")
    with pytest.raises(BuildError, match="pictures of shhs may not be passed on"):
        predict_config.question(PredictConfig(**config, endpoint=away), pageset)
    for endpoint, sent in (("http://127.0.0.1:1/v1", False), (away, True)):
        asked = PredictConfig(**config, endpoint=endpoint, send_restricted=sent)
        assert predict_config.question(asked, pageset).name == "closed"
