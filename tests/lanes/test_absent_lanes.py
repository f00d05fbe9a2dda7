"""Absent lanes from training to staging: recorded, covered, refused or marked, and reported."""

import csv
import json
from collections import Counter

import edfio
import numpy as np
import pytest
import tiny
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.dataset import build_report, prompts
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.builder.render.recipe import Recipe
from tiny_edf import Channel, write_psg

pytest.importorskip("torch")
pytest.importorskip("trl")

import tiny_models
from click.testing import CliRunner
from psgimg.finetune import predict, sft
from psgimg.finetune.data import page_set
from psgimg.finetune.data.augment import Augmented
from psgimg.finetune.data.context import Context
from psgimg.finetune.data.variants import Looks
from psgimg.finetune.evaluation import evaluation_report
from psgimg.finetune.evaluation.evaluate import EvaluateConfig, evaluate
from psgimg.finetune.lanes import pattern
from psgimg.finetune.lanes.cover import Cover
from psgimg.finetune.lanes.seen import LanesSeen
from psgimg.finetune.models.manifest import ModelFolder
from psgimg.finetune.predict import PredictConfig
from psgimg.finetune.staging import statistics_table
from psgimg.finetune.staging.stage import stage
from psgimg.finetune.staging.stage_config import StageConfig
from psgimg.finetune.terminal import model_commands, stage_command
from tiny_manifest import manifest

PROMPT = prompts.load("closed")
LANES = ("F4", "C4", "O2", "E1", "E2", "chin")
DERIVATIONS = ("F4-M1", "C4-M1", "O2-M1", "E1-M2", "E2-M2", "Chin")
LABELS = ("EEG F4-M1", "EEG C4-M1", "EEG O2-M1", "EOG E1-M2", "EOG E2-M2", "EMG chin")

pytestmark = pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning")


@pytest.fixture(scope="module", autouse=True)
def surroundings():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        yield


def built(folder, *, gone=()):
    """A dataset of three short nights of HMC, with small pages; some channels are taken out."""
    root = folder / "corpus"
    tiny.write_hmc(root, n_subjects=3, minutes=4)
    for path in sorted((root / "recordings").glob("SN00?.edf")) if gone else ():
        night = edfio.read_edf(path)
        night.drop_signals(gone)
        night.write(path)
    (folder / "small.yaml").write_text("{base: clinical, width_px: 128, height_px: 96}")
    (folder / "split.csv").write_text("subject,split\nSN001,train\nSN002,validation\nSN003,test\n")
    options = {"style": str(folder / "small.yaml"), "split_file": folder / "split.csv"}
    build(
        BuildConfig(("hmc",), (str(root),), folder / "out", trim_min=None, **options), Remembered()
    )
    return folder / "out"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return built(tmp_path_factory.mktemp("whole"))


def model_of(dataset, folder, shown):
    """A model folder as `psgimg sft` writes it after pages with some patterns of absent lanes."""
    tiny_models.build("idefics3", folder, texts=[PROMPT.question])
    manifest(build_report.read(dataset), lanes=LanesSeen(shown, {"F4": {"F4-M1": 9}})).save(folder)
    return folder


@pytest.fixture(scope="module")
def plain(dataset, tmp_path_factory):
    """A model that saw complete pages only."""
    return model_of(dataset, tmp_path_factory.mktemp("plain") / "model", {(): 32})


@pytest.fixture(scope="module")
def coping(dataset, tmp_path_factory):
    """A model that saw some pages without the chin as well."""
    return model_of(dataset, tmp_path_factory.mktemp("coping") / "model", {(): 32, ("chin",): 4})


@pytest.fixture(scope="module")
def taught(dataset, tmp_path_factory):
    """A model folder that `psgimg sft` wrote, after three passes over the pages."""
    out = tmp_path_factory.mktemp("taught") / "model"
    sft.main(words_of(dataset, "tiny", out, "--max-steps", "3", "--augment", "flip,shift,lanes"))
    return out


def words_of(dataset, model, out, *more):
    words = ["--dataset", dataset, "--model", model, "--output-dir", out, *more]
    words += ["--per-device-train-batch-size", "8", "--disable-tqdm", "true"]
    words += ["--eval-strategy", "no", "--save-strategy", "no", "--use-peft", "false"]
    return list(map(str, words))


def augmented(pages, how, seed=0, context=0, scale=1.0):
    looks, shown = Looks.of(pages, varied=True), Context(context, scale)
    return Augmented(looks, lambda _: pages.rows, PROMPT, shown, how, seed)


def test_the_folder_records_each_pattern_as_often_as_it_was_shown(taught, dataset):
    pages = page_set.load(str(dataset), None, "train")
    assert len(pages) == 8
    record = ModelFolder.load(taught)
    again = augmented(pages, "flip,shift,lanes", seed=42)
    assert record.lanes == again.lanes_shown(3.0)
    assert sum(record.lanes.shown.values()) == 3 * len(pages)
    assert len(record.lanes.shown) > 3
    assert record.epochs_s == (30.0,)
    card = (taught / "README.md").read_text()
    assert f"| none | {record.lanes.shown[()]} |\n" in card


def test_a_further_training_keeps_the_patterns_of_its_base(taught, dataset, tmp_path):
    before = ModelFolder.load(taught).lanes
    sft.main(
        words_of(dataset, taught, tmp_path / "m", "--max-steps", "1", "--learning-rate", "1e-3")
    )
    after = ModelFolder.load(tmp_path / "m").lanes
    assert after == before + LanesSeen(
        {(): 8}, {lane: {name: 8} for lane, name in zip(LANES, DERIVATIONS, strict=True)}
    )


def test_what_is_shown_in_training_is_what_is_recorded_and_drawn_by_the_renderer(dataset):
    pages = page_set.load(str(dataset), None, "train")
    cover = Cover(Recipe.from_dict(pages.build["recipe"]))
    rows = augmented(pages, "lanes", context=1)
    found = rows.chat({"images": list(range(len(pages)))})["images"]
    plainly = pages.chat_rows(pages.rows.tolist(), PROMPT, Context(1))
    patterns = [tuple(map(bool, mask)) for mask in np.ndindex(*[2] * len(LANES))]
    counts = Counter()
    for images, before in zip(found, plainly, strict=True):
        [absent] = [
            mask
            for mask in patterns
            if all(
                image.tobytes() == cover.over(page, mask).tobytes()
                for image, page in zip(images, before["images"], strict=True)
            )
        ]
        counts[pattern.names(LANES, absent)] += 1
    assert rows.lanes_shown(1.0).shown == counts
    assert len(counts) > 2


def test_lanes_are_left_out_before_neighbours_are_narrowed(dataset):
    pages = page_set.load(str(dataset), None, "train")
    whole, narrow = (augmented(pages, "lanes", context=1, scale=scale) for scale in (1.0, 0.25))
    positions = list(range(len(pages)))
    for i, images in enumerate(whole.chat({"images": positions})["images"]):
        before, _ = pages.neighbours(int(pages.rows[i]), 1)
        n_before = sum(row is not None for row in before)
        [expected] = Context(1, 0.25).pictures(images, n_before)
        [found] = narrow.chat({"images": [i]})["images"][0]
        assert found.tobytes() == expected.tobytes()


def test_pages_depend_on_seed_pass_and_position_only(dataset):
    pages = page_set.load(str(dataset), None, "train")

    def shown(seed, positions):
        rows = augmented(pages, "flip,shift,lanes", seed)
        return [images[0].tobytes() for images in rows.chat({"images": positions})["images"]]

    assert shown(1, [3, 4, 5]) == [shown(1, [i])[0] for i in (3, 4, 5)]
    assert shown(1, [3, 4, 5]) != shown(2, [3, 4, 5])


def test_the_hatching_of_a_lane_that_was_not_recorded_is_neither_mirrored_nor_shifted(tmp_path):
    pages = page_set.load(str(built(tmp_path, gone=["EMG chin", "EOG E1-M2"])), None, "train")
    cover = Cover(Recipe.from_dict(pages.build["recipe"]))
    absent = pattern.absent(pages.lanes(0))
    assert pattern.names(cover.lanes, absent) == ("E1", "chin")
    rows = augmented(pages, "flip,shift")
    for (image,) in rows.chat({"images": list(range(len(pages)))})["images"]:
        assert image.tobytes() == cover.over(image, absent).tobytes()
    assert rows.lanes_shown(0.5).shown == {("E1", "chin"): len(pages) // 2}


# --- predict -----------------------------------------------------------------------------------


def run(model, dataset, out, **options):
    told = Remembered()
    return predict.predict(PredictConfig(str(model), str(dataset), out, **options), told), told


def test_pages_without_lanes_that_were_never_absent_are_refused_before_the_model_is_loaded(
    plain, dataset, tmp_path, monkeypatch
):
    monkeypatch.setattr(predict, "_crew", lambda *_: pytest.fail("the model was loaded"))
    with pytest.raises(BuildError) as refused:
        run(plain, dataset, tmp_path / "p.csv", without=("chin", "E1"))
    said = str(refused.value)
    assert "of 1 recording without E1, chin" in said
    assert "complete on 32 pages" in said
    assert "psgimg sft --augment lanes" in said
    assert "--any-lanes" in said
    assert "\n" not in said
    assert not list(tmp_path.iterdir())


def test_any_lanes_marks_every_such_prediction_and_the_report_says_so(plain, dataset, tmp_path):
    out = tmp_path / "p.parquet"
    found, told = run(plain, dataset, out, without=("chin",), any_lanes=True)
    assert set(found.table["unseen_lanes"].to_pylist()) == {"chin"}
    assert any("never shown such pages" in note for note in told.notes)
    beside = json.loads(out.with_name("p.parquet.json").read_text())
    assert beside["settings"]["without"] == ["chin"]
    assert beside["unseen_lanes"] == len(found)
    notes = evaluate(EvaluateConfig((out,))).notes
    assert any(f"without chin {len(found)}" in note for note in notes)
    whole, _ = run(plain, dataset, tmp_path / "whole.csv")
    assert whole.table["unseen_lanes"].null_count == len(whole)
    assert not np.allclose(whole.probabilities, found.probabilities), "the lane was still shown"


def test_a_dataset_without_a_lane_is_as_good_as_one_whose_lane_is_left_out(
    plain, dataset, tmp_path
):
    other = built(tmp_path, gone=["EMG chin"])
    with pytest.raises(BuildError, match="of 1 recording without chin"):
        run(plain, other, tmp_path / "a.csv")
    truly, _ = run(plain, other, tmp_path / "a.csv", any_lanes=True)
    covered, _ = run(plain, dataset, tmp_path / "b.csv", any_lanes=True, without=("chin",))
    np.testing.assert_array_equal(truly.probabilities, covered.probabilities)


def test_each_lane_out_gives_a_file_and_a_line_of_the_report_for_each(coping, dataset, tmp_path):
    out = tmp_path / "p.parquet"
    words = [
        "--model",
        coping,
        "--dataset",
        dataset,
        "--out",
        out,
        "--each-lane-out",
        "--any-lanes",
    ]
    result = CliRunner().invoke(model_commands.predict, list(map(str, words)))
    assert result.exception is None, result.output
    files = [out, *(tmp_path / f"p-without-{lane}.parquet" for lane in LANES)]
    assert all(path.exists() for path in files)
    assert "psgimg evaluate" in result.output
    for lane in LANES:
        assert lane in result.output
    evaluation = evaluate(EvaluateConfig(tuple(files)))
    evaluation_report.write(tmp_path / "report", evaluation)
    text = (tmp_path / "report" / "report.md").read_text()
    section = text[text.index("### Lanes left out") :]
    table = section[section.index("| left out |") :].split("\n\n")[0].splitlines()
    assert [row.split("|")[1].strip() for row in table[2:]] == ["–", *LANES]
    assert [row.split("|")[-2].strip() for row in table[2:-1]] == [
        "0",
        *[str(len(evaluation.first))] * 5,
    ]
    assert table[-1].split("|")[-2].strip() == "0", "pages without the chin were shown"


@pytest.mark.parametrize(
    ("without", "words"),
    [
        (("Chin",), "--without Chin: no such lane; use F4, C4, O2, E1, E2, chin"),
        (("F4", "C4", "O2"), "would leave .* without any EEG lane"),
    ],
)
def test_lanes_that_can_not_be_left_out_are_refused(without, words, plain, dataset, tmp_path):
    with pytest.raises(BuildError, match=words):
        run(plain, dataset, tmp_path / "p.csv", without=without, any_lanes=True)


# --- stage -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def poor(tmp_path_factory):
    """A night of no corpus with one EEG lane and the eyes."""
    path = tmp_path_factory.mktemp("night") / "poor.edf"
    kinds = [("EEG C4-M1", "eeg"), ("EOG E1-M2", "eog"), ("EOG E2-M2", "eog")]
    write_psg(path, [Channel(label, 128, kind) for label, kind in kinds], ["W", "2", "3", "R"] * 2)
    return path


def test_a_night_without_lanes_that_were_never_absent_is_refused_with_what_to_do(
    plain, poor, tmp_path
):
    with pytest.raises(BuildError) as refused:
        stage(StageConfig(poor, str(plain), tmp_path / "out"), Remembered())
    said = str(refused.value)
    for words in ("poor.edf", "F4, O2, chin", "--channel", "sft --augment lanes", "--any-lanes"):
        assert words in said
    assert "\n" not in said
    assert not (tmp_path / "out").exists()


def test_any_lanes_stages_the_night_with_every_epoch_marked(plain, poor, tmp_path):
    out = tmp_path / "out"
    words = [poor, "--model", plain, "--out", out, "--any-lanes", "--review", "0"]
    result = CliRunner().invoke(stage_command.stage, list(map(str, words)))
    assert result.exception is None, result.output
    assert "8 of 8 epochs (100.0 %) are marked for review" in result.output
    rows = list(csv.DictReader((out / "hypnogram.csv").read_text().splitlines()))
    assert {row["review"] for row in rows} == {"yes"}
    marks = [one.text for one in edfio.read_edf(out / "hypnogram.edf").annotations]
    assert marks.count("Review stage") == 8
    facts = json.loads((out / "statistics.json").read_text())
    assert facts["lanes_seen_in_training"] is False
    assert any("F4, O2, chin" in note for note in facts["notes"])


def test_any_lanes_marks_a_complete_night_for_a_model_never_shown_one(dataset, tmp_path):
    model = model_of(dataset, tmp_path / "model", {("chin",): 4})
    path, out = tmp_path / "whole.edf", tmp_path / "out"
    write_psg(path, [Channel(label, 128) for label in LABELS], ["W"] * 3)
    told = Remembered()
    staged = stage(StageConfig(path, str(model), out, any_lanes=True, review=0.0), told)
    rows = list(csv.DictReader((out / "hypnogram.csv").read_text().splitlines()))
    assert {row["review"] for row in rows} == {"yes"}
    assert json.loads((out / "statistics.json").read_text())["lanes_seen_in_training"] is False
    assert any("whole.edf is complete" in note for note in told.notes)
    assert "never shown complete pages" in statistics_table.review(staged)


def test_another_derivation_than_in_training_is_told_and_not_refused(plain, tmp_path):
    path = tmp_path / "left.edf"
    labels = ["EEG F3-M2", *LABELS[1:]]
    write_psg(path, [Channel(label, 128) for label in labels], ["W"] * 3)
    told = Remembered()
    stage(StageConfig(path, str(plain), tmp_path / "out"), told)
    assert any("no training page did: F3-M2 in lane F4" in note for note in told.notes)


def test_the_grid_is_that_of_the_scoring_gaps_included(plain, tmp_path):
    path, scoring = tmp_path / "night.edf", tmp_path / "scoring.csv"
    write_psg(path, [Channel(label, 128) for label in LABELS], ["W", "2", "3", "R"] * 2)
    scoring.write_text("onset,duration,stage\n12.5,60,W\n100,30,N2\n130,30,N2\n220,30,?\n")
    out = tmp_path / "out"
    config = StageConfig(path, str(plain), out, scoring=scoring)
    found = stage(config, Remembered())
    assert found.onsets_s.tolist() == [12.5, 42.5, 100, 130]
    rows = list(csv.DictReader((out / "hypnogram.csv").read_text().splitlines()))
    assert [(row["epoch"], row["onset_s"]) for row in rows] == [
        ("0", "12.5"),
        ("1", "42.5"),
        ("3", "100"),
        ("4", "130"),
    ]
    assert all(found.names)
    assert found.statistics.unscored_min == 0.5, "the gap of 27.5 s is about an epoch"
    facts = json.loads((out / "statistics.json").read_text())
    assert facts["grid"] == {"of": "scoring.csv", "epoch_s": 30.0, "first_s": 12.5}
    assert "epochs of the scoring outside the recording, left out: 1" in facts["notes"]
    onsets = {a.onset for a in edfio.read_edf(out / "hypnogram.edf").annotations if a.duration}
    assert {12.5, 42.5, 100.0, 130.0} <= onsets


def test_the_epochs_of_a_scoring_are_staged_as_predict_stages_the_pages_built_of_them(
    plain, dataset, tmp_path
):
    predicted, _ = run(plain, dataset, tmp_path / "p.csv")
    name = predicted.table["recording"][0].as_py()
    folder = dataset.parent / "corpus" / "recordings"
    scoring = folder / f"{name}_sleepscoring.edf"
    config = StageConfig(folder / f"{name}.edf", str(plain), tmp_path / "out", scoring=scoring)
    found = stage(config, Remembered())
    assert list(found.epochs) == predicted.table["epoch"].to_pylist()
    np.testing.assert_allclose(found.probabilities, predicted.probabilities, atol=1e-5)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("onset,duration,stage\n0,20,W\n20,20,W\n", "last 20 s, those that .* learned 30 s"),
        ("onset,duration,stage\n500,30,W\n530,30,W\n", "2 of 2 epochs lie outside the recording"),
    ],
)
def test_a_scoring_that_does_not_fit_is_refused(text, words, plain, tmp_path):
    path, scoring = tmp_path / "night.edf", tmp_path / "scoring.csv"
    write_psg(path, [Channel(label, 128) for label in LABELS], ["W"] * 4)
    scoring.write_text(text)
    config = StageConfig(path, str(plain), tmp_path / "out", scoring=scoring)
    with pytest.raises(BuildError if "20 s" in words else Exception, match=words):
        stage(config, Remembered())
    assert not (tmp_path / "out").exists()
