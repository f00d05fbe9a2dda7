"""Baselines: methods without pictures, on the same epochs as the pages and in the same form."""

import json
import shutil
import sys

import numpy as np
import pytest
import two_scorers_pages
from builds import rows, run
from click.testing import CliRunner
from needed import need
from progress import Remembered
from psgimg.builder.errors import BuildError
from psgimg.builder.lane_signals import Lanes
from psgimg.builder.signals.epoching import Epoch
from psgimg.builder.signals.filtering import Signals, Stretch
from psgimg.builder.stages import Stage
from psgimg.finetune.baselines import baseline, boosting, methods, nights, store, windows
from psgimg.finetune.baselines.baseline import BaselineConfig
from psgimg.finetune.baselines.nights import Nights, Task
from psgimg.finetune.baselines.store import Scale, Store
from psgimg.finetune.metrics import predictions
from psgimg.finetune.terminal.baseline_command import baseline as command

SPLIT = {"train": ["I-001", "II-001"], "validation": ["I-002"], "test": ["III-001", "III-002"]}


@pytest.fixture(scope="module")
def isruc(tmp_path_factory):
    """A dataset of a tiny corpus with two scorers, and the corpus."""
    place = tmp_path_factory.mktemp("isruc")
    two_scorers_pages.write(place, SPLIT)
    return place


@pytest.fixture(scope="module")
def trees(isruc):
    """What boosting and YASA's stager said of it, once for all."""
    need("boosting")
    told = Remembered()
    config = BaselineConfig(
        str(isruc / "pages"),
        (str(isruc / "root"),),
        ("boosting", "yasa"),
        out=isruc / "baselines",
    )
    return config, baseline.baseline(config, told), told


def lane_set(starts_s, lengths_s, pages_s, n_lanes=1):
    """Lanes of chance, of some gapless stretches, with pages at some times."""
    chance = np.random.default_rng(0)
    stretches = tuple(
        Stretch.of(chance.normal(size=(n_lanes, round(100 * n))).astype(np.float32), start)
        for start, n in zip(starts_s, lengths_s, strict=True)
    )
    signals = Signals(
        100.0, ("C4-M1",) * n_lanes, (False,) * n_lanes, (False,) * n_lanes, stretches
    )
    epochs = tuple(Epoch(i, start, Stage.W, start) for i, start in enumerate(pages_s))
    return Lanes(("eeg",) * n_lanes, signals, epochs)


@pytest.mark.parametrize(
    ("starts_s", "lengths_s", "pages_s", "n_grids"),
    [
        ([0], [150], [0, 30, 60, 90, 120], 1),
        ([0], [150], [0, 30, 90], 1),  # an unscored epoch between them
        ([5], [130], [5, 25, 45, 65, 85, 105], 3),  # epochs of 20 s
        ([0, 200], [90, 90], [0, 30, 60, 200, 230, 260], 2),  # a gap
        ([0], [149.99], [0, 30, 60, 90, 120], 1),  # rounding took the last sample
    ],
)
def test_every_page_is_exactly_a_window_of_one_grid(starts_s, lengths_s, pages_s, n_grids):
    read = lane_set(starts_s, lengths_s, pages_s)
    pages_uv, seen = read.pages_uv(), []
    grids = list(windows.grids(read))
    for grid in grids:
        assert grid.data_uv.shape[1] % 3000 == 0
        for page, window in zip(grid.pages, grid.windows, strict=True):
            cut = grid.data_uv[:, window * 3000 : (window + 1) * 3000]
            np.testing.assert_array_equal(cut, pages_uv[page])
            seen.append(page)
    assert sorted(seen) == list(range(len(pages_s)))
    assert len(grids) == n_grids


def test_predictions_are_of_the_epochs_of_the_split_in_the_order_of_predict(isruc, trees):
    _, found, _ = trees
    test = [row for row in rows(isruc / "pages") if row["subject"] in SPLIT["test"]]
    assert any(row["label_2"] != row["label"] for row in test)
    for name in ("boosting", "yasa"):
        read = predictions.read(isruc / "baselines" / f"{name}.parquet")
        assert read.table.equals(found[name].table)
        assert set(read.table["epoch_s"].to_pylist()) == {30.0}
        for key in ("corpus", "subject", "recording", "epoch"):
            assert read.table[key].to_pylist() == [row[key] for row in test]
        assert read.labels.tolist() == [row["label"] for row in test]
        assert read.labels_2.tolist() == [row["label_2"] for row in test]
        assert read.predictions.tolist() == read.probabilities.argmax(1).tolist()


def test_the_json_beside_the_predictions_records_how_they_were_made(isruc, trees):
    beside = json.loads((isruc / "baselines" / "boosting.parquet.json").read_text())
    assert beside["settings"]["model"] == "boosting"
    assert beside["settings"]["split"] == "test"
    assert beside["settings"]["seed"] == 0
    assert [one["split"] for one in beside["settings"]["learns_from"]] == ["train", "validation"]
    train = [row for row in rows(isruc / "pages") if row["subject"] in SPLIT["train"]]
    assert beside["learned_from"] == {"pages": len(train), "recordings": 3, "subjects": 2}
    assert beside["corruption"] is None
    assert {"yasa", "lightgbm", "python"} <= set(beside["versions"])
    yasa = json.loads((isruc / "baselines" / "yasa.parquet.json").read_text())
    assert yasa["learned_from"] is None
    assert yasa["left_out"] == {"recordings": 0, "pages": 0}


def test_a_finished_method_is_not_recomputed(isruc, trees):
    config, found, _ = trees
    told = Remembered()
    assert baseline.baseline(config, told)["yasa"].table.equals(found["yasa"].table)
    assert told.n_done == 0
    assert [note.rpartition("; ")[2] for note in told.notes] == ["nothing is recomputed"] * 2


def test_another_seed_does_not_mix_with_existing_predictions(trees):
    config, _, _ = trees
    other = BaselineConfig(config.dataset, config.root, ("boosting",), out=config.out, seed=1)
    with pytest.raises(
        BuildError,
        match=r"boosting.parquet was written or begun with other settings \(seed\); use the same",
    ):
        baseline.baseline(other, Remembered())


def test_threads_and_processes_do_not_change_a_tree():
    need("boosting")
    import pandas as pd

    chance = np.random.default_rng(0)
    labels = np.repeat(np.arange(5), 60).astype(np.int8)
    values = chance.normal(size=(300, 12)) + labels[:, None] / 2
    table = pd.DataFrame(values, columns=[f"f{i}" for i in range(12)])
    made = [boosting.fit(table, labels, 0, threads).probabilities(table) for threads in (1, 2)]
    np.testing.assert_array_equal(*made)
    assert (made[0].argmax(1) == labels).mean() > 0.9


def test_a_stage_that_was_never_seen_has_probability_0():
    need("boosting")
    import pandas as pd

    labels = np.repeat([0, 2], 50).astype(np.int8)
    table = pd.DataFrame({"a": labels + np.random.default_rng(0).normal(size=100)})
    found = boosting.fit(table, labels, 0, 1).probabilities(table)
    assert not found[:, [1, 3, 4]].any()
    np.testing.assert_allclose(found.sum(1), 1)
    with pytest.raises(BuildError, match="every training page is N2"):
        boosting.fit(table[50:], labels[50:], 0, 1)


def test_a_missing_extra_is_one_line_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "yasa", None)
    monkeypatch.setitem(sys.modules, "braindecode", None)
    monkeypatch.setitem(sys.modules, "braindecode.models", None)
    with pytest.raises(BuildError, match=r"pip install 'psgimg\[baselines\]'$"):
        methods.available(())
    with pytest.raises(BuildError, match=r"^boosting: yasa is missing; .*\[baselines\]'$"):
        methods.available(("boosting",))


def test_an_unknown_method_is_refused_with_the_known_ones():
    with pytest.raises(
        BuildError, match="--method 'svm' is unknown; use boosting, cnn, usleep, yasa, labram"
    ):
        methods.available(("svm",))


@pytest.mark.parametrize("seed", [-1, 2**32, 10**20])
def test_a_seed_that_a_library_does_not_take_is_refused_before_anything_is_read(seed):
    with pytest.raises(BuildError, match=f"--seed {seed}: give 0 to 4294967295"):
        BaselineConfig("nowhere", seed=seed)


def test_yasa_is_left_out_with_a_note_without_central_eeg():
    read = {name: methods.METHODS[name] for name in ("boosting", "yasa")}
    night = nights.Night(
        None, None, None, None, None, ("Fpz-Cz", "Pz-Oz", "EOGh", "Chin"), epoch_s=30.0
    )
    left, (note,) = methods.applicable(read, [night], ())
    assert list(left) == ["boosting"]
    assert "none of 1 recordings" in note
    with pytest.raises(BuildError, match="leave it out"):
        methods.applicable(read, [night], ("yasa",))


def test_training_subjects_are_not_staged_in_another_dataset(isruc, tmp_path):
    swapped = {"train": SPLIT["test"], "validation": [], "test": SPLIT["train"]}
    (tmp_path / "split.json").write_text(json.dumps(swapped))
    told = {
        "style": "paper",
        "split_file": tmp_path / "split.json",
        "subjects": ("I-001", "II-001"),
    }
    run(tmp_path / "other", isruc / "root", "isruc", **told)
    need("boosting")
    config = BaselineConfig(
        str(isruc / "pages"),
        (str(isruc / "root"),),
        ("boosting",),
        on=str(tmp_path / "other"),
        out=tmp_path / "out",
    )
    with pytest.raises(
        BuildError, match=r"2 subjects of .*other, split test, are in the training data"
    ):
        baseline.baseline(config, Remembered())


def test_a_corrupted_twin_is_staged_by_a_model_of_uncorrupted_signals(isruc, trees, tmp_path):
    told = {"style": "paper", "split_file": isruc / "split.json", "corrupt": ("noise:snr_db=-20",)}
    run(tmp_path / "twin", isruc / "root", "isruc", **told)
    config = BaselineConfig(
        str(isruc / "pages"),
        (str(isruc / "root"),),
        ("yasa",),
        on=str(tmp_path / "twin"),
        out=tmp_path / "out",
    )
    clean, noisy = trees[1]["yasa"], baseline.baseline(config, Remembered())["yasa"]
    assert noisy.table["epoch"].equals(clean.table["epoch"])
    assert not np.allclose(noisy.probabilities, clean.probabilities, atol=0.05)
    beside = json.loads((tmp_path / "out" / "yasa.parquet.json").read_text())
    assert beside["corruption"]["kind"] == "noise"


def found(pages, root):
    training = nights.training_sources(str(pages), None)
    target = nights.source.find(str(pages), None, "test")
    with nights.found(training, target, [str(root)], (), None, Remembered()) as (here, _):
        return here


def test_a_scoring_of_another_release_is_refused(isruc, tmp_path):
    shutil.copytree(isruc / "root", tmp_path / "root")
    scoring = tmp_path / "root" / "subgroupIII" / "1" / "1_1.txt"
    scoring.write_text(scoring.read_text().replace("2", "3"))
    nights_of = found(isruc / "pages", tmp_path / "root")
    with pytest.raises(
        BuildError,
        match=r"^III-001: the .* epochs of its scoring differ from .*; use the release of isruc",
    ):
        nights_of.target[0].read(filtered=True)


def test_the_command_says_in_one_line_where_recordings_are_missing(isruc, tmp_path):
    need("boosting")
    (tmp_path / "root" / "subgroupI").mkdir(parents=True)
    shutil.copytree(
        isruc / "root" / "subgroupI", tmp_path / "root" / "subgroupI", dirs_exist_ok=True
    )
    words = ["--dataset", isruc / "pages", "--root", tmp_path / "root", "--method", "boosting"]
    result = CliRunner().invoke(command, [str(word) for word in [*words, "--out", tmp_path / "o"]])
    assert isinstance(result.exception, BuildError)
    assert "recordings of the dataset are not in the folder of their corpus" in str(
        result.exception
    )
    assert not (tmp_path / "o").exists()


def test_several_workers_read_the_same_pages(isruc, tmp_path):
    here = found(isruc / "pages", isruc / "root")
    held = [
        store.fill(tmp_path / str(n), here.target, "", Task(here, 0, n, Remembered()))
        for n in (1, 2)
    ]
    np.testing.assert_array_equal(held[0].pages_uv, held[1].pages_uv)
    np.testing.assert_array_equal(held[0].scale.width_uv, held[1].scale.width_uv)
    labels = np.concatenate([n.labels for n in here.target])
    np.testing.assert_array_equal(held[0].targets, np.eye(5)[labels])


def test_scale_is_of_the_nights_and_an_absent_lane_is_0():
    quartiles = np.array([[[-10, 0, 10], [np.nan] * 3], [[-20, 2, 20], [np.nan] * 3]])
    scale = store._scale(quartiles)
    np.testing.assert_allclose(scale.centre_uv[:, 0], [1, 0])
    np.testing.assert_allclose(scale.width_uv[:, 0], [30, 1])
    page_uv = np.full((1, 2, 3), np.nan, np.float16)
    page_uv[0, 0] = [1, 31, 10_000]
    np.testing.assert_allclose(scale.apply(page_uv)[0], [[0, 1, store.LARGEST], [0, 0, 0]])


def test_a_network_trains_reproducibly_and_keeps_its_best_pass(monkeypatch):
    need("cnn")
    import torch
    from psgimg.finetune.baselines import network

    monkeypatch.setattr(network, "PASSES", 6)
    monkeypatch.setattr(network, "BATCH", 8)
    chance = np.random.default_rng(0)
    labels = np.arange(32) % 2 * 3
    pages_uv = chance.normal(size=(32, 2, 3000)) * (1 + 4 * (labels == 3))[:, None, None]
    one = Scale(np.zeros((2, 1), np.float32), np.ones((2, 1), np.float32))
    held = Store(pages_uv.astype(np.float16), np.eye(5, dtype=np.float32)[labels], one)
    said = []
    for _ in range(2):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = network._model(2)
            task = Task(Nights((), (), ()), 0, 1, Remembered())
            facts = network.fit(model, held, held, task)
        found = network.probabilities(model, held.pages_uv, one)
        assert facts["validation_loss"][facts["best_pass"] - 1] == min(facts["validation_loss"])
        told = found[np.arange(32), labels]
        assert round(float(-np.log(told).mean()), 4) == min(facts["validation_loss"])
        assert (found.argmax(1) == labels).mean() > 0.9
        said.append(found)
    np.testing.assert_array_equal(*said)
