"""Stage: a night of no corpus, from its file to a folder, with a real tiny model."""

import csv
import json
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import datetime
from io import BytesIO

import edfio
import mne
import numpy as np
import pytest
import tiny
from patience import PATIENCE_S
from PIL import Image
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.dataset import build_report, prompts
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError, PsgimgError
from psgimg.builder.render.recipe import digest
from psgimg.builder.unscored_night import UnscoredPage
from psgimg.finetune.data.context import Context
from psgimg.finetune.inference.preparing import ahead
from psgimg.finetune.staging import lights
from tiny_edf import Channel, discontinuous, write_annotations, write_psg

pytest.importorskip("torch")
pytest.importorskip("trl")

import tiny_models
from click.testing import CliRunner
from psgimg.finetune import predict
from psgimg.finetune.decoding import night_decoding, temperature
from psgimg.finetune.decoding.calibration_fit import Calibration
from psgimg.finetune.decoding.transitions import Transitions
from psgimg.finetune.metrics import plotting
from psgimg.finetune.metrics.sleep_statistics import UNSCORED
from psgimg.finetune.models.manifest import ModelFolder
from psgimg.finetune.predict import PredictConfig
from psgimg.finetune.staging import inference
from psgimg.finetune.staging.stage import OUTPUT, stage
from psgimg.finetune.staging.stage_config import StageConfig
from psgimg.finetune.terminal import stage_command
from tiny_manifest import manifest

NAME = "SN002"
N_EPOCHS = 12
N_BEFORE = 2
"""The scoring of the tiny nights starts a minute after the signal."""
CONTEXT = 1


@pytest.fixture(scope="module", autouse=True)
def surroundings():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        yield


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Short nights; that they are of a corpus is nothing that staging knows."""
    root = tmp_path_factory.mktemp("corpus")
    tiny.write_hmc(root, n_subjects=3, minutes=5)
    return root


@pytest.fixture(scope="module")
def dataset(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("dataset") / "out"
    config = BuildConfig(
        ("hmc",), (str(corpus),), out, style="paper", splits="1/1/1", trim_min=None
    )
    build(config, Remembered())
    return out


@pytest.fixture(scope="module")
def model(dataset, tmp_path_factory):
    """A model folder as `psgimg sft` writes it."""
    folder = tmp_path_factory.mktemp("models") / "model"
    tiny_models.build("idefics3", folder, texts=[prompts.load("closed").question])
    manifest(build_report.read(dataset), context=CONTEXT).save(folder)
    return folder


@pytest.fixture(scope="module")
def staged(corpus, model, tmp_path_factory):
    """A night, its folder, what was found and what was told."""
    out = tmp_path_factory.mktemp("staged") / "stages"
    told, night = Remembered(), corpus / "recordings" / f"{NAME}.edf"
    return night, out, stage(StageConfig(night, str(model), out, batch_size=5), told), told


def test_a_night_is_staged_as_predict_stages_the_pages_built_of_it(
    staged, dataset, model, tmp_path
):
    split = next(
        r["split"] for r in build_report.read(dataset)["recordings"] if r["recording"] == NAME
    )
    config = PredictConfig(str(model), str(dataset), tmp_path / "p.parquet", split=split)
    predicted = predict.predict(config, Remembered())
    rows = [i for i, name in enumerate(predicted.table["recording"].to_pylist()) if name == NAME]
    _, _, found, _ = staged
    assert predicted.table["epoch"].take(rows).to_pylist() == list(range(N_BEFORE, N_EPOCHS))
    # The first scored epoch has no page before it in the dataset, but has one in the recording.
    np.testing.assert_allclose(
        found.probabilities[N_BEFORE + 1 :], predicted.probabilities[rows][1:], atol=1e-5
    )
    assert np.ptp(found.probabilities, axis=0).max() > 1e-3, "pages do not matter: nothing tested"


def test_a_decoded_night_has_its_pages_beside_it_and_is_what_their_probabilities_give(
    staged, model, tmp_path
):
    night, _, plain, _ = staged
    folder = shutil.copytree(model, tmp_path / "model")
    config = StageConfig(night, str(folder), tmp_path / "stages", batch_size=5, decode="night")
    with pytest.raises(BuildError, match=r"no weight .*psgimg calibrate --model"):
        stage(config, Remembered())
    counts = tuple(tuple(40 if i == j else 1 + i for j in range(5)) for i in range(5))
    known = Transitions({30.0: counts})
    fit = Calibration(0.5, 1.0, 1.5, 10, 1, 1, {})
    replace(ModelFolder.load(folder), transitions=known, calibration=fit).save(folder)
    found = stage(config, Remembered())
    pages = temperature.scaled(plain.probabilities, 0.5)
    np.testing.assert_allclose(found.page_probabilities, pages, atol=1e-6)
    [decoded] = night_decoding.smoothed(pages, np.arange(N_EPOCHS), known.chain(30.0), [1.0])
    np.testing.assert_allclose(found.probabilities, temperature.scaled(decoded, 1.5), atol=1e-6)
    rows = list(csv.DictReader((config.folder / "hypnogram.csv").read_text().splitlines()))
    assert [row["page_stage"] for row in rows] == plain.names
    assert [row["stage"] for row in rows] == found.names
    written = [float(row["page_p_W"]) for row in rows]
    assert written == pytest.approx(pages[:, 0].tolist(), abs=1e-6)
    facts = json.loads((config.folder / "statistics.json").read_text())
    assert facts["calibration"] == {"temperature": 0.5, "weight": 1.0, "night_temperature": 1.5}
    assert facts["decode"] == "night"


def test_the_folder_holds_what_was_found(staged):
    night, out, found, told = staged
    assert sorted(path.name for path in out.iterdir()) == sorted(OUTPUT)
    assert (told.total, told.n_done) == (N_EPOCHS, N_EPOCHS)
    rows = list(csv.DictReader((out / "hypnogram.csv").read_text().splitlines()))
    assert [row["stage"] for row in rows] == found.names
    assert rows[3]["time"] == "22:01:30"
    facts = json.loads((out / "statistics.json").read_text())
    assert facts["night"] == night.name
    assert facts["model"] == "model", "no folder of this machine"
    assert facts["lanes"]["C4"] == "C4-M1"
    assert facts["context"] == CONTEXT
    assert facts["statistics"] == found.statistics.to_dict()


def test_the_same_night_gives_the_same_bytes_and_replaces_the_former_folder(
    staged, model, tmp_path
):
    night, before, _, _ = staged
    again = shutil.copytree(before, tmp_path / "stages")
    (again / "hypnogram.png").unlink()
    stage(StageConfig(night, str(model), again, batch_size=5), Remembered())
    for name in OUTPUT:
        assert (again / name).read_bytes() == (before / name).read_bytes(), name
    assert [path.name for path in tmp_path.iterdir()] == ["stages"]


def test_what_draws_the_picture_is_loaded_beside_the_model_s_work_after_its_first_batch(
    staged, model, tmp_path, monkeypatch
):
    night, _, _, _ = staged
    events, usual = [], inference.answers

    def answers(*words):
        for batch in usual(*words):
            events.append("batch")
            yield batch
        events.append("end")

    monkeypatch.setattr(inference, "answers", answers)
    monkeypatch.setattr(plotting, "load", lambda: events.append(threading.current_thread()))
    stage(StageConfig(night, str(model), tmp_path / "stages", batch_size=5), Remembered())
    loaded = [event for event in events if not isinstance(event, str)]
    assert len(loaded) == 1
    assert loaded[0] is not threading.main_thread()
    assert events[0] == "batch"


def test_several_devices_give_the_same_folder(staged, model, tmp_path):
    night, before, _, _ = staged
    config = StageConfig(night, str(model), tmp_path / "stages", batch_size=5, device="cpu,cpu")
    stage(config, Remembered())
    for name in OUTPUT:
        assert (config.folder / name).read_bytes() == (before / name).read_bytes(), name


def test_a_folder_with_anything_else_in_it_is_refused(staged, model, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(BuildError, match=r"thesis\.tex"):
        stage(StageConfig(staged[0], str(model), tmp_path), Remembered())
    assert (tmp_path / "thesis.tex").read_text() == "mine"


@pytest.mark.parametrize("name", ["hypnogram.csv", "hypnogram.edf"])
def test_stages_that_a_scorer_edited_are_not_replaced(name, staged, model, tmp_path):
    edited = shutil.copytree(staged[1], tmp_path / "stages")
    with (edited / name).open("ab") as file:
        file.write(b"N2 after all")
    kept = (edited / name).read_bytes()
    with pytest.raises(BuildError, match=f"{name} was changed since `psgimg stage` wrote it"):
        stage(StageConfig(staged[0], str(model), edited), Remembered())
    assert (edited / name).read_bytes() == kept


def test_the_stages_of_another_night_of_the_same_name_are_not_replaced(
    corpus, staged, model, tmp_path
):
    elsewhere = tmp_path / staged[0].name
    shutil.copy(corpus / "recordings" / "SN001.edf", elsewhere)
    kept = (staged[1] / "statistics.json").read_bytes()
    with pytest.raises(BuildError, match=f"the stages of another recording named {NAME}.edf"):
        stage(StageConfig(elsewhere, str(model), staged[1]), Remembered())
    assert (staged[1] / "statistics.json").read_bytes() == kept


def test_a_last_page_that_ends_within_the_tolerance_is_staged_too(model, tmp_path):
    info = mne.create_info(["C4-M1", "O2-M1", "F4-M1", "E1-M2", "E2-M2", "Chin1-Chin2"], 128, "eeg")
    noise_v = 2e-5 * np.random.default_rng(0).standard_normal((6, 3 * 30 * 128 - 1))
    night = tmp_path / "night_raw.fif"
    mne.io.RawArray(noise_v, info, verbose="error").save(night, verbose="error")
    found = stage(StageConfig(night, str(model), tmp_path / "out"), Remembered())
    assert len(found) == 3
    assert "" not in found.names


def test_epochs_in_a_gap_have_no_stage_and_the_numbers_go_on(model, tmp_path):
    night = tmp_path / "gap.edf"
    rng = np.random.default_rng(0)
    edfio.Edf(
        [edfio.EdfSignal(rng.normal(0, 20, 250 * 128), 128, label="C4-M1")],
        annotations=[edfio.EdfAnnotation(0, None, "x")],
    ).write(night)
    discontinuous(night, {100: 160.0})
    found = stage(StageConfig(night, str(model), tmp_path / "out", any_lanes=True), Remembered())
    assert len(found) == 10
    assert np.flatnonzero(found.stages == UNSCORED).tolist() == [3, 4, 5]
    assert sum(found.unscored.values()) >= 3
    assert found.statistics.unscored_min == 1.5


# --- asking ------------------------------------------------------------------------------------


def page(epoch):
    """A page whose one colour tells its number."""
    png = BytesIO()
    Image.new("RGB", (8, 8), (epoch, 0, 0)).save(png, "PNG")
    return UnscoredPage(epoch), png.getvalue()


def shown(epochs, context, scale=1.0):
    """The numbers of the pages that each question shows, and what it says."""
    some = list(inference.asked(map(page, epochs), context))
    rows = inference.Questions(prompts.load("closed"), Context(context, scale))(some)
    return {
        asked.page.epoch: (
            [image.getpixel((0, 0))[0] for image in row["images"]],
            row["prompt"][-1]["content"],
        )
        for asked, row in zip(some, rows, strict=True)
    }


def test_neighbours_are_shown_only_where_they_follow_without_a_gap():
    found = shown([0, 1, 2, 3, 7, 8, 10], context=2)
    assert {epoch: pages for epoch, (pages, _) in found.items()} == {
        0: [0, 1, 2],
        1: [0, 1, 2, 3],
        2: [0, 1, 2, 3],
        3: [1, 2, 3],
        7: [7, 8],
        8: [7, 8],
        10: [10],
    }
    assert "The second of two pages is the one to stage" in found[8][1]
    assert "There is one page" in found[10][1]


def test_neighbours_narrowed_beside_a_page_are_those_that_follow_without_a_gap():
    """Pages of 8 px have places of 9 px, of which the bar takes 8."""
    found = shown([0, 1, 2, 40], context=1, scale=0.25)
    assert {len(pages) for pages, _ in found.values()} == {1}
    assert [pages for pages, _ in found.values()] == [[128], [0], [1], [128]]
    assert "shows three pages" in found[1][1]
    assert "The page between the two blue bars is the one to stage." in found[40][1]


@pytest.mark.parametrize(("n", "size", "first", "last"), [(1000, 64, 16, 40), (40, 16, 16, 8)])
def test_the_first_batches_for_a_card_are_small_and_no_page_is_left_out(n, size, first, last):
    tasks = inference._tasks(list(range(n)), size)
    assert [page for task in tasks for page in task] == list(range(n))
    assert len(tasks[0]) == first
    assert len(tasks[-1]) == last
    assert max(map(len, tasks)) <= size


def test_without_context_every_page_is_shown_alone():
    assert [pages for pages, _ in shown(range(4), 0).values()] == [[0], [1], [2], [3]]


def test_the_next_item_is_made_while_the_caller_is_busy():
    second = threading.Event()

    def items():
        yield 1
        second.set()
        yield 2

    made = ahead(items())
    assert next(made) == 1
    assert second.wait(PATIENCE_S), "the second is only made once it is asked for"
    assert list(made) == [2]


def test_an_error_in_the_thread_reaches_the_caller_in_its_place():
    def items():
        yield 1
        raise BuildError("page 2 can't be drawn")

    made = ahead(items())
    assert next(made) == 1
    with pytest.raises(BuildError, match="page 2"):
        next(made)
    assert list(ahead(iter(()))) == []


# --- lights ------------------------------------------------------------------------------------

ELEVEN = datetime(2021, 3, 27, 23, 0, 30)
HOURS_8 = 8 * 3600.0


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("23:10", 570),
        ("23:10:30", 600),
        ("0:00", 3570),
        ("06:59", 7 * 3600 + 3510),
        ("90", 90),
        ("23:00", 0),
        (None, None),
    ],
)
def test_a_time_is_clock_time_or_seconds_from_the_start(said, seconds):
    assert lights.span(said, None, ELEVEN, HOURS_8, 30)[0] == seconds
    if seconds != 0:
        assert lights.span(None, said, ELEVEN, HOURS_8, 30)[1] == seconds


@pytest.mark.parametrize(
    ("off", "on", "hours", "span"),
    [
        ("23:00", "07:00", 26, (17.0, 25.0)),  # from 6:00 on, the first 7:00 is before the night
        ("23:00", "08:00", 26, (17.0, 26.0)),  # just after the end is the end
        ("23:00", None, 17.5, (17.0, None)),
        (None, "08:00", 26, (None, 2.0)),
    ],
)
def test_lights_on_is_the_first_such_time_after_lights_off(off, on, hours, span):
    six = datetime(2021, 3, 27, 6, 0)
    found = lights.span(off, on, six, hours * 3600 - 20, 30)
    for seconds, expected in zip(found, span, strict=True):
        if expected is None:
            assert seconds is None
        else:
            assert seconds == min(expected * 3600, hours * 3600 - 20)


@pytest.mark.parametrize(
    ("off", "on", "start", "words"),
    [
        ("22:30", None, ELEVEN, "from 23:00:30 to 07:00:30"),
        ("9 pm", None, ELEVEN, "clock time such as 23:10"),
        ("25:00", None, ELEVEN, "clock time such as 23:10"),
        ("nan", None, ELEVEN, "within it"),
        ("-5", None, ELEVEN, "within it"),
        (None, "40000", None, "lasts 28800 s"),
        ("23:10", None, None, "does not state when the recording started"),
        ("06:00", "01:00", ELEVEN, "give a lights-off time before the lights-on time"),
        ("01:00", "01:00:20", ELEVEN, "less than an epoch"),
        (None, "23:00", ELEVEN, "less than an epoch"),
    ],
)
def test_an_invalid_time_is_refused_in_one_line(off, on, start, words):
    with pytest.raises(BuildError) as refused:
        lights.span(off, on, start, HOURS_8, 30)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_lights_are_off_for_an_epoch_of_the_night_whatever_its_length():
    assert lights.span("60", "80", None, HOURS_8, 20) == (60, 80)
    with pytest.raises(BuildError, match="less than an epoch"):
        lights.span("60", "79", None, HOURS_8, 20)


# --- what can't be staged ----------------------------------------------------------------------


def odd_nights(folder):
    write_psg(folder / "legs.edf", [Channel("EMG Tib L", 100, "emg")], ["W"] * 4)
    write_annotations(folder / "scoring.edf", [(0, 30, "Sleep stage W")])
    (folder / "empty.edf").touch()
    (folder / "words.edf").write_text("these are words, no signals\n" * 100)
    (folder / "words.fif").write_text("these are words, no signals\n")
    write_psg(folder / "short.edf", [Channel("EEG C4-M1", 100)], ["W"], record_s=1.0, epoch_s=20)


@pytest.mark.parametrize(
    "name",
    ["absent.edf", "empty.edf", "words.edf", "words.fif", "scoring.edf", "legs.edf", "short.edf"],
)
def test_a_night_that_cannot_be_staged_is_one_line_and_leaves_nothing(name, model, tmp_path):
    odd_nights(tmp_path)
    out = tmp_path / "out"
    with pytest.raises(PsgimgError) as refused:
        stage(StageConfig(tmp_path / name, str(model), out), Remembered())
    assert name in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not out.exists()
    assert not list(tmp_path.glob(".*")), "something is left over"


def test_a_model_without_a_recipe_or_with_one_of_another_version_is_refused(
    staged, model, tmp_path
):
    bare = shutil.copytree(model, tmp_path / "bare")
    (bare / "psgimg.json").unlink()
    with pytest.raises(BuildError, match="has no recipe for its pages"):
        stage(StageConfig(staged[0], str(bare), tmp_path / "out"), Remembered())
    taught = ModelFolder.load(model)
    old = shutil.copytree(model, tmp_path / "old")
    values = json.loads((old / "psgimg.json").read_text())
    values["recipe"] = {**taught.recipe, "version": 0}
    values["recipe_hash"] = digest(values["recipe"])
    (old / "psgimg.json").write_text(json.dumps(values))
    with pytest.raises(BuildError, match="version is 0"):
        stage(StageConfig(staged[0], str(old), tmp_path / "out"), Remembered())
    assert not (tmp_path / "out").exists()


def test_weights_that_were_copied_in_part_are_one_line(staged, model, tmp_path):
    broken = shutil.copytree(model, tmp_path / "broken")
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(BuildError, match=r"model.safetensors is damaged \(1,000 bytes") as refused:
        stage(StageConfig(staged[0], str(broken), tmp_path / "out"), Remembered())
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--channel", "C4-M1"], 'write it as --channel LANE="LABEL"'),
        (["--channel", "C4-M1=a", "--channel", "C4-M1=b"], "given twice"),
        (["--mains", "16.7"], "give 50 or 60"),
        (["--review", "70"], "0 to 1"),
        (["--batch-size", "0"], "at least 1"),
    ],
)
def test_an_invalid_option_is_refused(options, words, tmp_path):
    result = CliRunner().invoke(
        stage_command.stage, [str(tmp_path / "n.edf"), "--model", str(tmp_path), *options]
    )
    assert isinstance(result.exception, BuildError)
    assert words in str(result.exception)


def test_the_command_writes_to_the_working_directory_and_prints_statistics(
    staged, model, tmp_path, monkeypatch
):
    night, before, found, _ = staged
    monkeypatch.chdir(tmp_path)
    options = [
        "--polarity",
        "recorded",
        "--channel",
        "C4=EEG C4-M1",
        "--lights-off",
        "22:00:30",
        "--lights-on",
        "330",
    ]
    result = CliRunner().invoke(stage_command.stage, [str(night), "--model", str(model), *options])
    assert result.exception is None, result.output
    out = tmp_path / f"{night.stem}-stages"
    assert sorted(path.name for path in out.iterdir()) == sorted(OUTPUT)
    assert "lights off" in result.output
    assert "total sleep time" in result.output
    assert "marked for review" in result.output
    facts = json.loads((out / "statistics.json").read_text())
    assert (facts["lights_off_s"], facts["lights_on_s"]) == (30, 330)
    assert (facts["polarity"]["rule"], facts["polarity"]["turned"]) == ("recorded", False)
    assert facts["statistics"]["trt_min"] == 5
    assert (out / "hypnogram.csv").read_bytes() == (before / "hypnogram.csv").read_bytes()
    assert len(found) == N_EPOCHS


def test_the_help_loads_nothing_heavy():
    code = (
        "import sys; from psgimg.finetune.terminal.stage_command import stage; "
        "stage(['--help'], standalone_mode=False); "
        "print([m for m in ('torch', 'mne', 'numpy', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_night_whose_header_gives_the_wrong_unit_is_staged_with_a_note_and_its_quality(
    corpus, model, tmp_path
):
    edf = edfio.read_edf(corpus / "recordings" / f"{NAME}.edf")
    signals = [
        edfio.EdfSignal(
            signal.data,
            signal.sampling_frequency,
            label=signal.label,
            physical_dimension="V" if "EEG" in signal.label else signal.physical_dimension,
            physical_range=(signal.physical_min, signal.physical_max),
        )
        for signal in edf.signals
    ]
    edfio.Edf(signals, data_record_duration=edf.data_record_duration).write(tmp_path / "night.edf")
    words = [str(tmp_path / "night.edf"), "--model", str(model), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(stage_command.stage, words, env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    values = json.loads((tmp_path / "out" / "statistics.json").read_text())
    assert any("EEG amplitude implausible" in note for note in values["notes"])
    eeg = [lane for lane in values["quality"].values() if lane["implausible"] == 1]
    assert eeg
    assert all(lane["usable"] == 0 for lane in eeg)
    assert "is the unit in the header right?" in done.output
    assert f"Signal quality, of {N_EPOCHS} epochs:" in done.output


def test_a_good_night_is_staged_without_a_word_on_its_quality(staged):
    _, out, found, told = staged
    assert all(lane["usable"] == 1 for lane in found.quality.values())
    assert json.loads((out / "statistics.json").read_text())["quality"] == found.quality
    assert not any("epochs of" in note for note in told.notes)
