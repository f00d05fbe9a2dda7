"""Parts of a prediction: run apart and joined, they give the bytes of one command, or say what is missing."""

import dataclasses
import json
import re

import numpy as np
import pytest
import tiny
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.dataset import build_report, prompts
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.builder.placing.parts import Part
from psgimg.finetune.inference import partial_file, pieces

PER_PIECE = 8


@given(st.lists(st.integers(1, 30), min_size=1, max_size=20), st.integers(1, 12), st.integers(1, 9))
def test_parts_have_whole_recordings_and_the_pieces_of_one_command(lengths, most, n_parts):
    recording = np.repeat(np.arange(len(lengths)), lengths)
    rows = np.random.default_rng(0).permutation(len(recording)) + 5
    cut = pieces.cut(rows, recording, most)
    assert np.array_equal(np.concatenate([piece.rows for piece in cut]), rows)
    assert all(1 <= len(piece.rows) <= most for piece in cut)
    stretch_of = np.repeat([piece.stretch for piece in cut], [len(piece.rows) for piece in cut])
    for number in range(len(lengths)):
        assert len(set(stretch_of[recording == number])) == 1, "whole recordings"
    per_stretch = np.bincount(stretch_of)
    assert (per_stretch[:-1] >= most).all(), "few pieces are short"
    own = [pieces.of_part(cut, Part(number + 1, n_parts)) for number in range(n_parts)]
    assert sorted(i for part in own for i in part) == pieces.of_part(cut, None)
    n_stretches = [len({cut[i].stretch for i in part}) for part in own]
    assert max(n_stretches) - min(n_stretches) <= 1


def test_pages_spread_over_many_recordings_are_cut_into_full_pieces():
    cut = pieces.cut(np.arange(100), np.repeat(np.arange(50), 2), 16)
    assert [len(piece.rows) for piece in cut] == [16] * 6 + [4]


def test_no_pages_have_no_pieces():
    assert pieces.cut(np.arange(0), np.arange(0), 8) == []
    assert pieces.of_part([], Part(1, 2)) == []


def test_shares_hold_a_file_at_once_and_nobody_else_meanwhile(tmp_path):
    out, settings = tmp_path / "p.parquet", {"model": "m"}
    with (
        partial_file.hold(out, settings, shared=True) as first,
        partial_file.hold(out, settings, shared=True) as second,
    ):
        first.share(Part(1, 2))
        assert second.n_shares == 2
        with (
            pytest.raises(BuildError, match="another command is writing"),
            partial_file.hold(out, settings),
        ):
            pass
        with (
            pytest.raises(BuildError, match=r"begun with other settings \(model\)"),
            partial_file.hold(out, {"model": "other"}, shared=True),
        ):
            pass
    assert (tmp_path / "p.parquet.parts" / "settings.json").exists(), "a share leaves it to others"
    with partial_file.hold(out, {"model": "other"}):  # nothing was done with the former ones
        pass


# With a model


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    place = tmp_path_factory.mktemp("predict-parts")
    tiny.write_shhs(place / "shhs", n_subjects=5, visits=(1,), minutes=6)
    options = {"style": "paper", "splits": "0/0/1", "seed": 3, "trim_min": None}
    config = BuildConfig(("shhs",), (str(place / "shhs"),), place / "out", **options)
    build(config, Remembered())
    return config.out


@pytest.fixture(scope="module")
def predict(tmp_path_factory):
    pytest.importorskip("torch")
    pytest.importorskip("trl")
    from psgimg.finetune import predict

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predict, "PER_PART", PER_PIECE)
        yield predict


@pytest.fixture(scope="module")
def config(predict, dataset, tmp_path_factory):
    import tiny_models
    from tiny_manifest import manifest

    folder = tmp_path_factory.mktemp("models") / "model"
    tiny_models.build("idefics3", folder, texts=[prompts.load("closed").question])
    manifest(build_report.read(dataset), context=1).save(folder)
    out = tmp_path_factory.mktemp("one") / "one.parquet"
    return predict.PredictConfig(str(folder), str(dataset), out, batch_size=3)


@pytest.fixture(scope="module")
def one(predict, config):
    predict.predict(config, Remembered())
    return config.out.read_bytes(), config.out.with_name("one.parquet.json").read_text()


def shared(config, tmp_path, **options):
    return dataclasses.replace(config, out=tmp_path / "p.parquet", **options)


def test_parts_joined_are_the_bytes_of_one_command(predict, config, one, tmp_path):
    for number in (3, 1, 2):
        told = Remembered()
        assert predict.predict(shared(config, tmp_path, part=Part(number, 3)), told) is None
        assert 0 < told.n_done < 50
    joining = shared(config, tmp_path, join=True)
    told = Remembered()
    assert len(predict.predict(joining, told)) > 3 * PER_PIECE
    assert told.n_done == 0
    assert joining.out.read_bytes() == one[0]
    assert (tmp_path / "p.parquet.json").read_text() == one[1]
    assert {path.name for path in tmp_path.iterdir()} == {"p.parquet", "p.parquet.json"}
    late = Remembered()
    predict.predict(shared(config, tmp_path, part=Part(2, 3)), late)
    assert "finished already" in late.notes[-1]
    assert {path.name for path in tmp_path.iterdir()} == {"p.parquet", "p.parquet.json"}


def test_a_part_that_was_killed_goes_on_and_a_missing_one_is_named(predict, config, one, tmp_path):
    first, second = (shared(config, tmp_path, part=Part(number, 2)) for number in (1, 2))
    joining = shared(config, tmp_path, join=True)
    with pytest.raises(BuildError, match=r"--join: \d+ pages of \d+ not predicted yet; run what"):
        predict.predict(joining, Remembered())
    predict.predict(first, Remembered())
    folder = tmp_path / "p.parquet.parts"
    done = sorted(folder.glob("*.parquet"))
    done[0].unlink()
    with pytest.raises(BuildError, match=r"not predicted yet, of part 1/2 and 2/2; run"):
        predict.predict(joining, Remembered())
    told = Remembered()
    predict.predict(first, told)
    assert told.n_done == PER_PIECE
    with pytest.raises(BuildError, match=r"not predicted yet, of part 2/2; run"):
        predict.predict(joining, Remembered())
    with pytest.raises(BuildError, match=r"other settings \(mode\)"):
        predict.predict(dataclasses.replace(second, mode="generate"), Remembered())
    predict.predict(shared(config, tmp_path), Remembered())  # whoever does not wait
    assert (tmp_path / "p.parquet").read_bytes() == one[0]


def test_many_missing_parts_are_one_line():
    cut = pieces.cut(np.arange(160), np.repeat(np.arange(20), 8), 8)
    with pytest.raises(BuildError, match=r"of part 1/20, 2/20, 3/20, 4/20, 5/20 and 15 more; run"):
        pieces.refuse_missing(cut, lambda i: False, 20)


def test_parts_without_each_lane_are_joined_file_by_file(predict, config, tmp_path):
    parts = [
        shared(config, tmp_path, each_lane_out=True, any_lanes=True, limit=12, part=Part(i, 2))
        for i in (1, 2)
    ]
    for part in parts:
        files = predict.without_each_lane(part, Remembered())
        assert {predictions for _, predictions in files} == {None}
    joining = dataclasses.replace(parts[0], part=None, join=True)
    files = predict.without_each_lane(joining, Remembered())
    assert len(files) > 2
    assert {len(predictions) for _, predictions in files} == {12}


def test_the_command_says_what_comes_next(config, tmp_path, one):
    from psgimg.finetune.terminal.model_commands import predict

    words = ["--model", config.model, "--dataset", config.dataset, "--out", str(tmp_path / "p.csv")]
    runner = CliRunner()
    for part in ("1/2", "2/2"):
        result = runner.invoke(predict, [*words, "--limit", "20", "--part", part])
        assert result.exit_code == 0, result.output
        assert f"part {part} of" in result.output
        assert re.search(r"run the command with\s+--join\s+instead of\s+--part", result.output)
    result = runner.invoke(predict, [*words, "--limit", "20", "--join"])
    assert "20 pages" in result.output
    assert json.loads((tmp_path / "p.csv.json").read_text())["counts"]["pages"] == 20
    for refused in (["--part", "3/2"], ["--part", "2"], ["--part", "1/2", "--join"]):
        assert runner.invoke(predict, [*words, *refused]).exit_code
