"""Explain: the lane and the seconds that decide by construction must win, and the check must say so."""

import dataclasses
import errno
import itertools
import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import edfio
import numpy as np
import pyarrow.parquet as pq
import pytest
import tiny
from click.testing import CliRunner
from PIL import Image
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.dataset import prompts
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.builder.processes import lock
from psgimg.builder.recordings.montage import MONTAGES
from psgimg.builder.render.recipe import Recipe, digest
from psgimg.builder.render.style import PRESETS
from psgimg.builder.stages import STAGE_NAMES, Stage

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

import tiny_models  # noqa: E402
from psgimg.finetune import sft  # noqa: E402
from psgimg.finetune.data import page_set  # noqa: E402
from psgimg.finetune.data.context import ALONE, Context  # noqa: E402
from psgimg.finetune.explaining import (  # noqa: E402
    cells,
    explain,
    explanation_report,
    faithfulness,
    margins,
    occlusion,
    page_selection,
    replacement,
)
from psgimg.finetune.explaining.cells import Grid  # noqa: E402
from psgimg.finetune.explaining.config import ExplainConfig  # noqa: E402
from psgimg.finetune.inference.likelihood import Scorer  # noqa: E402
from psgimg.finetune.models.loading import load_for_inference  # noqa: E402
from psgimg.finetune.study.step import FINISHED  # noqa: E402
from psgimg.finetune.terminal import explain_command  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning"),
]

BURST_S = 6
CAUSE, LANE = "EEG", "C4"
"""The channel, and its lane, whose burst tells the stage by its place: W in the first 6 s, REM in
the last."""
PROMPT = prompts.load("closed")


def bursts(places, sfreq_hz, uv, hz):
    """A night of quiet with one burst an epoch, at the place given for each."""
    n = round(30 * sfreq_hz)
    t = np.arange(n) / sfreq_hz
    rng = np.random.default_rng(0)
    wave = uv * np.sin(2 * np.pi * hz * t)
    epochs = [np.where(t // BURST_S == place, wave, rng.normal(0, 2, n)) for place in places]
    return np.concatenate(epochs)


def write_caused(root, n_subjects, minutes):
    """SHHS nights in which one channel says everything and the others always look the same."""
    truth = tiny.write_shhs(root, n_subjects, visits=(1,), minutes=minutes)
    shapes = {"EEG": (90, 8), "EOG": (90, 6), "EMG": (30, 30)}
    for recording, scores in truth.items():
        path = root / "polysomnography" / "edfs" / "shhs1" / f"{recording}.edf"
        edf = edfio.read_edf(path)
        for signal in edf.signals:
            if signal.label[:3] not in shapes:
                continue
            places = [int(score) if isinstance(score, Stage) else -1 for score in scores]
            if signal.label != CAUSE:
                places = [2] * len(scores)
            night = bursts(places, signal.sampling_frequency, *shapes[signal.label[:3]])
            signal.update_data(night[: len(signal.data)])
        edf.write(path)


@pytest.fixture(scope="module", autouse=True)
def apart():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CI", "1")  # TRL sends no telemetry from one
        patch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY", True)
        yield


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    place = tmp_path_factory.mktemp("caused")
    write_caused(place / "shhs", n_subjects=9, minutes=30)
    parts = ("train", "validation", "test", "train", *["test"] * 5)
    rows = [f"shhs,{200001 + i},{part}\n" for i, part in enumerate(parts)]
    (place / "split.csv").write_text("corpus,subject,split\n" + "".join(rows))
    (place / "small.yaml").write_text("base: clinical\nwidth_px: 224\nheight_px: 112\n")
    options = {"style": str(place / "small.yaml"), "split_file": place / "split.csv"}
    roots, out = (str(place / "shhs"),), place / "out"
    build(BuildConfig(("shhs",), roots, out, trim_min=None, **options), Remembered())
    return place / "out"


@pytest.fixture(scope="module")
def pageset(dataset):
    return page_set.load(str(dataset), None, "train")


@pytest.fixture(scope="module")
def grid(pageset):
    return Grid.of(Recipe.from_dict(pageset.build["recipe"]), 6.0)


def a_case(pageset, grid, row, context=ALONE):
    [case] = margins.cases(pageset, [row], SimpleNamespace(prompt=PROMPT, context=context), grid)
    return case


@pytest.fixture(scope="module")
def case(pageset, grid):
    """A page of N1, filled with one page of each other stage."""
    row = int(pageset.rows[pageset.labels == Stage.N1][0])
    found = a_case(pageset, grid, row)
    return dataclasses.replace(found, fills=replacement.Pages(pageset, 0)(found, row, Stage.N1))


class Linear:
    """A model that can be seen through: for N1 speaks the ink of each cell, times its weight."""

    batch_size = 7

    def __init__(self, grid, weights):
        self.grid, self.weights = grid, weights

    def margin(self, case, pixels):
        return (self.grid.total(cells.ink(pixels, case.ground)) * self.weights).sum() / 100

    def __call__(self, case, pictures):
        scores = [[-9, self.margin(case, pixels), 0, -9, -9] for pixels in pictures]
        return np.array(scores).reshape(-1, 5)


@pytest.fixture(scope="module")
def linear(grid):
    return Linear(grid, np.random.default_rng(5).normal(size=grid.shape))


@pytest.mark.parametrize("window_s", [1.0, 3.0, 7.5, 30.0])
@pytest.mark.parametrize("style", PRESETS)
def test_cells_cover_the_page_and_no_pixel_twice(style, window_s):
    grid = Grid.of(Recipe(MONTAGES["aasm"], PRESETS[style]), window_s)
    n_lanes, n_windows = grid.shape
    assert (n_lanes, n_windows) == (6, round(30 / window_s))
    areas = grid.total(np.ones(grid.page))
    assert areas.min() > 0
    assert areas.sum() == grid.page[0] * grid.page[1]
    for number in (0, grid.shape[1], n_lanes * n_windows - 1):
        assert grid.total(grid.units == number).ravel().nonzero()[0].tolist() == [number]
    assert (
        sum(grid.lane(i).astype(int) for i in range(n_lanes)).tolist()
        == np.ones(grid.page).tolist()
    )
    density = np.random.default_rng(0).normal(size=grid.page)
    assert cells.by_second(density).sum() == pytest.approx(density.sum())
    patches = cells.patches(*grid.page)
    assert np.bincount(patches.ravel()).max() == cells.PATCH_PX**2


@pytest.mark.parametrize("window_s", [0.0, -3.0, 7.0, 0.5, 60.0])
def test_a_window_that_does_not_fill_a_page_is_refused(window_s):
    with pytest.raises(BuildError, match=r"--window .*use 1, 1.5, 2"):
        ExplainConfig("model", "dataset", window=window_s)


def test_the_ground_of_a_page_is_all_but_its_traces(tmp_path):
    """What differs from it is dark ink; hatching and grid are the ground's own."""
    tiny.write_shhs(tmp_path / "shhs", 1, visits=(1,), minutes=5)
    source = (("shhs",), (str(tmp_path / "shhs"),), tmp_path / "out")
    build(BuildConfig(*source, montage="aasm", splits="1/0/0", trim_min=None), Remembered())
    pageset = page_set.load(str(tmp_path / "out"), None, "train")
    grid = Grid.of(Recipe.from_dict(pageset.build["recipe"]), 6.0)
    case = a_case(pageset, grid, 0)
    differs = case.ink
    assert case.pixels[differs].mean() < 0.5 * case.ground[differs].mean()
    assert (case.pixels[~differs] == case.ground[~differs]).all()
    absent = [name is None for name in case.lanes]
    assert any(absent)
    inked = grid.total(differs).sum(axis=1)
    assert [ink == 0 for ink in inked] == absent


def test_pages_are_spread_over_stages_and_any_first_part_of_them_too(pageset):
    rows = page_selection.chosen(pageset, 25, seed=1)
    assert len(set(rows.tolist())) == 25
    assert np.bincount(pageset.index.label[rows]).tolist() == [5] * 5
    assert np.bincount(pageset.index.label[rows[:10]]).tolist() == [2] * 5
    ten = rows[:10]
    of_stage = [set(pageset.index.recording[ten[pageset.index.label[ten] == s]]) for s in range(5)]
    assert of_stage == [{0, 1}] * 5
    assert page_selection.chosen(pageset, 25, seed=1).tolist() == rows.tolist()
    assert page_selection.chosen(pageset, 25, seed=2).tolist() != rows.tolist()
    assert sorted(page_selection.chosen(pageset, 10**6, seed=1).tolist()) == pageset.rows.tolist()


def test_a_page_is_filled_with_pages_of_the_other_stages_of_its_own_night(pageset, case):
    recording = pageset.index.recording[pageset.rows[pageset.labels == Stage.N1][0]]
    rows = np.flatnonzero(pageset.index.recording == recording)
    night = {
        image.tobytes(): row for row, image in zip(rows, pageset.images(rows.tolist()), strict=True)
    }
    found = [night[fill.tobytes()] for fill in case.fills]
    assert [pageset.index.label[row] for row in found] == [0, 2, 3, 4]


def truth(case, grid, linear):
    """What a cell is worth to a model that adds up: its own ink less that of the fills."""
    inks = [grid.total(cells.ink(pixels, case.ground)) for pixels in (case.pixels, *case.fills)]
    return (inks[0] - np.mean(inks[1:], axis=0)) * linear.weights / 100


def test_occlusion_gives_each_cell_what_it_is_worth(case, grid, linear):
    whole = linear.margin(case, case.pixels)
    found = occlusion.density(case, Stage.N1, whole, linear, grid)
    np.testing.assert_allclose(grid.total(found), truth(case, grid, linear), atol=1e-9)


def test_patches_add_up_to_what_the_page_is_worth(case, grid, linear):
    pytest.importorskip("captum")
    from psgimg.finetune.explaining import ablation

    one = dataclasses.replace(case, fills=case.fills[:1])
    found = ablation.density(one, Stage.N1, linear)
    units = cells.patches(*grid.page)
    weights = grid.spread(linear.weights) / 100
    inks = [cells.ink(pixels, case.ground) * weights for pixels in (one.pixels, one.fills[0])]
    worth = np.bincount(units.ravel(), (inks[0] - inks[1]).ravel())
    np.testing.assert_allclose(np.bincount(units.ravel(), found.ravel()), worth, atol=1e-4)
    assert found.sum() == pytest.approx(truth(one, grid, linear).sum(), abs=1e-3)


def test_a_correct_explanation_beats_the_controls_and_a_reversed_one_does_not(
    pageset, grid, linear
):
    filled = replacement.Pages(pageset, 0)
    right, wrong = [], []
    for row in page_selection.chosen(pageset, 8, 0).tolist():
        found = a_case(pageset, grid, row)
        found = dataclasses.replace(found, fills=filled(found, row, Stage.N1)[:1])
        worth = truth(found, grid, linear)
        for importance, kept in ((worth, right), (-worth, wrong)):
            kept.append(
                faithfulness.curves(
                    found, Stage.N1, found.fills[0], importance, linear, grid, (row,)
                )
            )
    assert right[0].deletion["ink"][[0, -1]].tolist() == right[0].insertion["ink"][[-1, 0]].tolist()
    people = [0, 0, 1, 1, 2, 2, 3, 3]
    assert faithfulness.verdict(right, people).believable
    refused = faithfulness.verdict(wrong, people)
    assert not refused.believable
    assert "not faithful: no better than a control in deletion against random" in refused.words
    alone = faithfulness.verdict(right, [0, 0, 0, 0, 1, 1, 1, 1])  # eight pages of two people
    assert not alone.believable
    assert alone.words == "Faithfulness can't be assessed: 2 subjects; at least 3 are needed."
    assert not faithfulness.verdict([], []).believable


def test_the_page_that_tests_an_explanation_is_none_of_those_that_made_it(pageset):
    filled, index = replacement.Pages(pageset, 0), pageset.index
    people = [key.subject for key in index.recordings]
    stages = set()
    for row in pageset.rows.tolist()[::3]:
        used, tester = filled.donors(row, Stage.N1), filled.test_donor(row, Stage.N1)
        assert tester not in {*used, row, None}
        assert index.label[tester] != Stage.N1
        assert people[index.recording[tester]] != people[index.recording[row]]
        stages.add(int(index.label[tester]))
    assert stages == {Stage.W, Stage.N2, Stage.N3, Stage.REM}, "they take turns"


def test_in_a_split_of_one_night_the_page_that_tests_is_another_page_of_it(pageset):
    first = pageset.rows[pageset.index.recording[pageset.rows] == 0]
    few = [first[pageset.index.label[first] == stage][:2] for stage in (Stage.W, Stage.N1)]
    night = dataclasses.replace(pageset, rows=np.sort(np.concatenate(few)))
    filled, row = replacement.Pages(night, 0), int(few[1][0])
    assert {*filled.donors(row, Stage.N1), filled.test_donor(row, Stage.N1)} == set(few[0].tolist())
    single = dataclasses.replace(night, rows=np.sort(np.concatenate([few[0][:1], few[1]])))
    assert replacement.Pages(single, 0).donors(row, Stage.N1) == few[0][:1].tolist()
    assert replacement.Pages(single, 0).tester(row, Stage.N1) is None, "W has no second page"


def test_neighbours_stay_as_they_are(pageset, grid):
    row = int(pageset.rows[3])
    case = a_case(pageset, grid, row, Context(1))
    assert len(case.chat["images"]) == 3
    assert case.place == 1
    shown = case.chat_with(case.ground)["images"]
    assert np.array_equal(shown[1], case.ground)
    assert [shown[i] is case.chat["images"][i] for i in (0, 2)] == [True, True]
    first = a_case(pageset, grid, int(pageset.rows[0]), Context(1))
    assert (len(first.chat["images"]), first.place) == (2, 0)


def test_neighbours_in_the_same_picture_stay_as_they_are(pageset, grid):
    case = a_case(pageset, grid, int(pageset.rows[3]), Context(1, 0.25))
    [before], [after] = case.chat["images"], case.chat_with(case.ground)["images"]
    own = slice(case.left_px, case.left_px + grid.page[1])
    changed = np.array(before)
    assert np.array_equal(changed[:, own], case.pixels)
    changed[:, own] = case.ground
    assert np.array_equal(np.asarray(after), changed)
    assert np.array_equal(np.asarray(before), np.asarray(case.chat_with(case.pixels)["images"][0]))


def test_gradients_add_up_to_the_margin_and_are_refused_where_the_picture_is_in_pieces(
    case, grid, tmp_path
):
    pytest.importorskip("captum")
    from psgimg.finetune.explaining.gradients import Gradients

    tiny_models.build("llava", tmp_path / "llava", texts=[PROMPT.question])
    loaded = load_for_inference(str(tmp_path / "llava"))
    ask = margins.PageScorer(Scorer(loaded.model, loaded.processor, PROMPT.answers), 4)
    one = dataclasses.replace(case, fills=case.fills[:1])
    told = ask(one, [one.pixels, one.fills[0]])
    gaps = told[:, 1] - told[:, 4]
    gradients = Gradients(loaded.model, loaded.processor, PROMPT.answers, 4)
    found = gradients.density(one, Stage.N1, Stage.REM)
    assert found.shape == grid.page
    assert found.sum() == pytest.approx(gaps[0] - gaps[1], abs=0.1 * abs(np.diff(gaps)[0]))
    tiny_models.build("idefics3", tmp_path / "idefics3", texts=[PROMPT.question])
    loaded = load_for_inference(str(tmp_path / "idefics3"))
    pieces = Gradients(loaded.model, loaded.processor, PROMPT.answers, 4)
    with pytest.raises(
        BuildError, match=r"--method gradients: not for Idefics3.*use --method occlusion"
    ):
        pieces.density(one, Stage.N1, Stage.REM)


@pytest.fixture(scope="module")
def model(dataset, tmp_path_factory):
    """A small Idefics3 that has learned where the burst is."""
    place = tmp_path_factory.mktemp("model")
    tiny_models.build("idefics3", place / "base", texts=[PROMPT.question])
    told = {
        "dataset": dataset,
        "model": place / "base",
        "output_dir": place / "out",
        "disable_tqdm": "true",
        "max_steps": 260,
        "learning_rate": 2e-3,
        "lr_scheduler_type": "constant_with_warmup",
        "warmup_steps": 10,
        "adam_beta2": 0.99,
        "per_device_train_batch_size": 8,
        "sampling": "balanced",
        "use_peft": "false",
        "freeze_vision": "false",
        "gradient_checkpointing": "false",
        "bf16": "false",
        "eval_strategy": "no",
        "save_strategy": "no",
    }
    sft.main([part for key, value in told.items() for part in (f"--{key}", str(value))])
    return place / "out"


@pytest.fixture(scope="module")
def explained(model, dataset, tmp_path_factory):
    out, told = tmp_path_factory.mktemp("explained") / "out", Remembered()
    config = ExplainConfig(str(model), str(dataset), out, pages=20, window=6.0)
    return out, told, explain.explain(config, told)


@pytest.mark.parametrize("fill", ["pages", "blank"])
def test_no_page_that_made_an_explanation_tests_it(model, dataset, tmp_path, monkeypatch, fill):
    made, tested = [], []
    occluded, curves = occlusion.density, faithfulness.curves

    def density(case, *others):
        made.append({pixels.tobytes() for pixels in (case.pixels, *case.fills)})
        return occluded(case, *others)

    def spied(case, stage, pixels, *others):
        tested.append(pixels.tobytes())
        return curves(case, stage, pixels, *others)

    monkeypatch.setattr(occlusion, "density", density)
    monkeypatch.setattr(faithfulness, "curves", spied)
    config = ExplainConfig(str(model), str(dataset), tmp_path, pages=5, window=15.0, fill=fill)
    found = explain.explain(config, Remembered())
    assert len(made) == len(tested) == found.n_tested == 5
    assert [len(pages) for pages in made] == [5 if fill == "pages" else 2] * 5
    assert not any(page in pages for page, pages in zip(tested, made, strict=True))


def test_several_devices_give_the_same_report(model, dataset, tmp_path):
    written = {}
    for device in ("cpu", "cpu,cpu"):
        out = tmp_path / device
        config = ExplainConfig(
            str(model), str(dataset), out, pages=5, window=15.0, batch_size=8, device=device
        )
        explain.explain(config, Remembered())
        files = [path for path in sorted(out.rglob("*")) if path.is_file()]
        written[device] = {str(path.relative_to(out)): path.read_bytes() for path in files}
    one, several = written.values()
    assert len(one) > 3
    assert several == one


def test_the_lane_and_the_seconds_that_decide_by_construction_win(explained):
    """The burst of C4 alone tells the stage: W in the first 6 s, N1 in the next …"""
    _, told, found = explained
    assert (told.total, told.n_done) == (20, 20)
    assert all(page.right for page in found.pages)
    cause = found.lanes.index(LANE)
    for number, name in enumerate(STAGE_NAMES):
        stage = found.stages[name]
        assert stage.most == cause, name
        assert stage.shares[cause].value > 0.9, name
        assert stage.turns[cause].value == 1, name
        if name == "N2":  # its burst is where every lane has one: it may be told by what is missing
            continue
        worth = sum(page.cells for page in found.pages if page.stage == number)
        assert np.unravel_index(worth.argmax(), worth.shape) == (cause, number)
        assert stage.seconds.argmax() // BURST_S == number
    assert found.verdict.believable
    assert "The explanation is faithful" in found.verdict.words


def test_the_folder_has_the_whole_explanation(explained):
    out, _, found = explained
    values = json.loads((out / "explanation.json").read_text())
    assert values["faithfulness"]["believable"] is True
    assert {stage["most"] for stage in values["stages"].values()} == {LANE}
    rows = pq.read_table(out / "cells.parquet").to_pylist()
    assert len(rows) == 20 * 5 * 5, "pages, lanes, windows"
    for page in values["pages"]:
        same = {"lane": LANE, **{key: page[key] for key in ("recording", "epoch")}}
        own = [row for row in rows if same.items() <= row.items()]
        assert sum(row["attribution"] for row in own) == pytest.approx(
            page["lanes"][LANE], abs=1e-3
        )
    text = (out / "report.md").read_text()
    assert "The explanation is faithful" in text
    assert "**Restricted.**" in text
    for name in (
        "lanes.png",
        "faithfulness.png",
        *(f"pages/{s}-{i}.png" for s in STAGE_NAMES for i in (1, 2)),
    ):
        assert f"({name})" in text
        with Image.open(out / name) as picture:
            picture.verify()
    assert found.n_subjects == 6
    assert values["counts"]["tested"] == 20
    assert "with 95 % intervals over the subjects with this answer" in text
    lines = text.splitlines()
    before_tables = [a for a, b in itertools.pairwise(lines) if a[:1] != "|" == b[:1]]
    assert before_tables, "there are tables"
    assert set(before_tables) == {""}, "Markdown has a table begin after a blank line"


def test_without_its_report_an_explanation_is_not_finished(
    explained, model, dataset, tmp_path, monkeypatch
):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    out = tmp_path / "out"
    shutil.copytree(explained[0], out)
    assert (out / FINISHED["explain"]).is_file()
    monkeypatch.setattr(explanation_report, "_write_cells", full)
    config = ExplainConfig(str(model), str(dataset), out, pages=1, window=30.0)
    with pytest.raises(OSError, match="No space left"):
        explain.explain(config, Remembered())
    assert not (out / FINISHED["explain"]).exists()
    explanation_report.check(out)  # the same command may be run again


def test_the_same_command_gives_the_same_bytes_and_prints_the_result(model, dataset, tmp_path):
    outs = [tmp_path / "one", tmp_path / "other"]
    told = {"model": model, "dataset": dataset, "split": "validation", "pages": 2, "window": 15}
    for out in outs:
        words = [str(word) for key, value in told.items() for word in (f"--{key}", value)]
        done = CliRunner().invoke(explain_command.explain, [*words, "--out", str(out)])
        assert done.exit_code == 0, done.output
        one = "Faithfulness can't be assessed: 1 subject; at least 3 are needed."
        assert one in done.output
        assert "no intervals: 1 subject; at least 3 are needed" in (out / "report.md").read_text()
        assert "deletion, better than ink by" in done.output
    names = sorted(path.relative_to(outs[0]) for path in outs[0].rglob("*") if path.is_file())
    assert len(names) == 5 + 2
    for name in names:
        assert (outs[0] / name).read_bytes() == (outs[1] / name).read_bytes(), name


def test_where_nothing_can_be_written_no_page_is_explained(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BuildError, match=r"^can't write .*/file/\.x\.lock: "):
        explain.explain(ExplainConfig("no", "no", tmp_path / "file" / "x"), Remembered())
    with (
        lock.held(lock.beside(tmp_path / "out"), ""),
        pytest.raises(BuildError, match=r"^another psgimg explain is writing"),
    ):
        explain.explain(ExplainConfig("no", "no", tmp_path / "out"), Remembered())


def test_what_cannot_be_explained_is_refused_in_one_line(model, dataset, tmp_path):
    def refused(match, **options):
        told = {"model": str(model), "dataset": str(dataset), "out": tmp_path / "new", **options}
        with pytest.raises(BuildError, match=match) as caught:
            explain.explain(ExplainConfig(**told), Remembered())
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "new").exists()

    refused("--method 'rollout': use occlusion, patches, gradients", method="rollout")
    refused("--fill 'noise': use pages, blank", fill="noise")
    refused("--pages 0: must be at least 1", pages=0)
    refused("--seed -1: give 0 or more", seed=-1)
    refused("has no split 'dev'; it has train", split="dev")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    refused("holds other files; choose another --out", out=tmp_path / "mine")
    for name in ("lanes.png", ".cells.parquet.123.tmp", "report.md"):  # as a killed command leaves
        (tmp_path / "killed").mkdir(exist_ok=True)
        (tmp_path / "killed" / name).touch()
        explanation_report.check(tmp_path / "killed")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "report.md").touch()
    refused("holds other files; choose another --out", out=tmp_path / "other")
    folder = shutil.copytree(model, tmp_path / "model")
    values = json.loads((folder / "psgimg.json").read_text())
    (folder / "psgimg.json").write_text(json.dumps({**values, "recipe": {}}))
    refused("the recipe does not match its hash", model=str(folder))
    del values["recipe"]
    (folder / "psgimg.json").write_text(json.dumps(values))
    refused("no recipe; restore the file as written by `psgimg sft`", model=str(folder))
    values["recipe"] = {"drawn": "otherwise"}
    values["recipe_hash"] = digest(values["recipe"])
    (folder / "psgimg.json").write_text(json.dumps(values))
    refused("build the dataset with the model's recipe", model=str(folder))


def test_help_is_light():
    program = (
        "import sys\nfrom click.testing import CliRunner\n"
        "from psgimg.finetune.terminal.explain_command import explain\n"
        "print(CliRunner().invoke(explain, ['--help']).output)\n"
        "print({'torch', 'captum', 'matplotlib', 'numpy', 'pyarrow', 'datasets'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert "Show which lane" in done.stdout
    assert done.stdout.rstrip().endswith("set()")
