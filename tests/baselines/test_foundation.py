"""Foundation: a linear probe of LaBraM, on weights that are given; here random ones in its format."""

import json
import shutil

import numpy as np
import pytest
import two_scorers_pages
from huggingface_hub import constants
from needed import need
from progress import Remembered
from psgimg.builder.errors import BuildError
from psgimg.builder.placing.parts import Part
from psgimg.finetune import hub
from psgimg.finetune.baselines import baseline, braindecode_models, foundation, methods
from psgimg.finetune.baselines.baseline import BaselineConfig
from psgimg.finetune.evaluation import predictions_file
from psgimg.finetune.metrics import disclosure

SPLIT = {"train": ["I-001", "II-001"], "validation": ["I-002"], "test": ["III-001", "III-002"]}
N_TIMES = 1600


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A folder as braindecode writes it, of a LaBraM of one layer that learned nothing."""
    need("labram")
    import torch

    folder = tmp_path_factory.mktemp("labram") / "weights"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        labram = braindecode_models.models().Labram
        labram(n_chans=3, n_outputs=4, n_times=N_TIMES, sfreq=200, num_layers=1).save_pretrained(
            folder
        )
    return folder


def test_lanes_are_told_by_the_names_of_their_electrodes_and_not_by_their_order(weights):
    model = foundation.network(weights)
    pages_uv = np.random.default_rng(0).normal(0, 30, (3, 2, 6000)).astype(np.float32)
    found = foundation.features(model, pages_uv, ["F4", "C4"])
    assert found.shape == (3, 200)
    swapped = foundation.features(model, pages_uv[:, ::-1], ["C4", "F4"])
    np.testing.assert_allclose(swapped, found, atol=1e-5)
    assert not np.allclose(foundation.features(model, pages_uv, ["O1", "O2"]), found, atol=1e-3)
    # Three windows of 8 s, in the middle of the page
    edges = pages_uv.copy()
    edges[..., :600], edges[..., -600:] = 0, 0
    np.testing.assert_array_equal(foundation.features(model, edges, ["F4", "C4"]), found)


def test_without_weights_it_is_refused_and_otherwise_left_out(weights):
    with pytest.raises(BuildError, match="labram needs pretrained weights, without which its"):
        methods.available(("labram",))
    assert "labram" not in methods.available(())[0]
    with pytest.raises(BuildError, match="--weights w: no method asked for takes weights; add"):
        methods.available(("cnn",), "w")


def test_weights_that_lack_a_layer_are_refused_and_never_random(weights, tmp_path):
    from safetensors.torch import load_file, save_file

    values = load_file(weights / "model.safetensors")
    values.pop("blocks.0.mlp.0.weight")
    save_file(values, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_bytes((weights / "config.json").read_bytes())
    with pytest.raises(BuildError, match=r"not a Labram as braindecode saves it .*blocks\.0\.mlp"):
        foundation.located(str(tmp_path))
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(
        BuildError, match=r"give the folder with config.json and model\.safetensors"
    ):
        foundation.located(str(tmp_path))


def test_weights_on_the_hub_are_told_by_their_commit(weights, tmp_path, monkeypatch):
    repo = tmp_path / "models--org--labram"
    shutil.copytree(weights, repo / "snapshots" / ("a" * 40))
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("a" * 40)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "_present", set())
    assert foundation.located("org/labram").facts() == {"name": "org/labram", "hash": "a" * 40}
    with pytest.raises(BuildError, match="no/such is not a folder, and can't be downloaded"):
        foundation.located("no/such")


def test_it_stages_the_epochs_of_the_others_in_parts_and_says_what_it_learned_from(
    weights, tmp_path
):
    two_scorers_pages.write(tmp_path, SPLIT)

    def staged(out, **options):
        told = str(tmp_path / "pages"), (str(tmp_path / "root"),), ("labram",)
        config = BaselineConfig(*told, out=tmp_path / out, weights=str(weights), **options)
        return baseline.baseline(config, Remembered())

    staged("one")
    staged("shared", train=True)
    for number in (1, 2):
        staged("shared", part=Part(number, 2))
    staged("shared", join=True)
    for name in ("labram.parquet", "labram.parquet.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "shared" / name).read_bytes()
    read = predictions_file.read(tmp_path / "one" / "labram.parquet")
    assert {key.subject for key in read.recordings} == set(SPLIT["test"])
    np.testing.assert_allclose(read.probabilities.sum(1), 1)
    told = json.loads((tmp_path / "one" / "labram.parquet.json").read_text())
    assert told["settings"]["weights"] == foundation.located(str(weights)).facts()
    (line,) = disclosure.people("labram.parquet", told)
    assert line.startswith(
        "Whether labram.parquet has seen people of isruc is not known: LaBraM, by"
    )


@pytest.mark.parametrize("n_stages", [2, 5])
def test_a_probe_learns_the_shares_of_the_scorers_and_gives_no_chance_to_unseen_stages(
    n_stages, tmp_path
):
    pytest.importorskip("sklearn")
    chance = np.random.default_rng(0)
    stages = np.arange(400) % n_stages
    table = (chance.normal(size=(400, 6)) + 3 * np.eye(6)[stages]).astype(np.float32)
    hard = np.eye(5, dtype=np.float32)[stages]
    foundation.fit(table, hard, {"method": {}}).save(tmp_path / "probe")
    found = foundation.load(tmp_path / "probe").probabilities(table)
    assert (found.argmax(1) == stages).mean() > 0.9
    assert not found[:, n_stages:].any()
    np.testing.assert_allclose(found.sum(1), 1)
    soft = 0.6 * hard + 0.4 * np.roll(hard[:, :n_stages], 1, axis=1) @ np.eye(5)[:n_stages]
    doubtful = foundation.fit(table, soft.astype(np.float32), {}).probabilities(table)
    assert doubtful.max(1).mean() < found.max(1).mean() - 0.2
    with pytest.raises(BuildError, match="every training page is W; give a dataset with more"):
        foundation.fit(table[stages == 0], hard[stages == 0], {})
