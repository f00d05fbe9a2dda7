"""Baselines in parts: trained once, staged apart, joined to the bytes of one command."""

import dataclasses

import numpy as np
import pytest
import two_scorers_pages
from click.testing import CliRunner
from needed import need
from progress import Remembered
from psgimg.builder.errors import BuildError
from psgimg.builder.placing.parts import Part
from psgimg.finetune.baselines import baseline, boosting, network
from psgimg.finetune.baselines.baseline import BaselineConfig
from psgimg.finetune.baselines.store import Scale
from psgimg.finetune.data import page_index, source
from psgimg.finetune.terminal.baseline_command import baseline as command

SPLIT = {"train": ["I-001"], "validation": ["I-002"], "test": ["II-001", "III-001", "III-002"]}
METHODS = ("boosting", "yasa")


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """The files of one command, and how it was called."""
    need("boosting")
    place = tmp_path_factory.mktemp("parts")
    two_scorers_pages.write(place, SPLIT)
    config = BaselineConfig(
        str(place / "pages"), (str(place / "root"),), METHODS, out=place / "one"
    )
    assert set(baseline.baseline(config, Remembered())) == set(METHODS)
    return config


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_parts_joined_are_the_bytes_of_one_command_and_train_once(one, tmp_path, monkeypatch):
    own = dataclasses.replace(one, out=tmp_path / "out")
    parts = [dataclasses.replace(own, part=Part(number, 2)) for number in (2, 1)]
    joining = dataclasses.replace(own, join=True)
    with pytest.raises(BuildError, match=r"boosting.parquet: the method is not trained yet; run"):
        baseline.baseline(parts[0], Remembered())
    told = Remembered()
    trained = baseline.baseline(dataclasses.replace(own, train=True), told)
    assert trained == dict.fromkeys(METHODS)
    monkeypatch.setattr(boosting, "fit", lambda *_: pytest.fail("trained again"))
    assert baseline.baseline(parts[0], Remembered()) == dict.fromkeys(METHODS)
    with pytest.raises(
        BuildError, match=r"--join: \d+ pages of \d+ not predicted yet, of part 1/2"
    ):
        baseline.baseline(joining, Remembered())
    with pytest.raises(BuildError, match=r"begun with other settings \(seed\)"):
        baseline.baseline(dataclasses.replace(parts[1], seed=1), Remembered())
    baseline.baseline(parts[1], Remembered())
    (tmp_path / "out" / "boosting.parquet.parts" / "000000.parquet").unlink()
    told = Remembered()
    baseline.baseline(parts[1], told)
    assert told.n_done == 1, "the night whose file is gone"
    found = baseline.baseline(joining, Remembered())
    assert [len(found[name]) > 0 for name in METHODS] == [True, True]
    assert files(tmp_path / "out") == files(one.out)


def test_a_command_that_was_killed_keeps_what_it_learned_and_staged(one, tmp_path, monkeypatch):
    own = dataclasses.replace(one, out=tmp_path / "out", method=("boosting",))

    class KilledError(Exception):
        pass

    class Killed(Remembered):
        def advance(self, n=1, pages=0):
            super().advance(n)
            if self.n_done == len(SPLIT["train"]) + 1:  # and one night that is staged
                raise KilledError

    with pytest.raises(KilledError):
        baseline.baseline(own, Killed())
    monkeypatch.setattr(boosting, "fit", lambda *_: pytest.fail("trained again"))
    told = Remembered()
    baseline.baseline(own, told)
    assert "1 recording kept from an earlier run" in " ".join(told.notes)
    assert files(own.out)["boosting.parquet"] == files(one.out)["boosting.parquet"]


def test_a_network_that_was_saved_gives_the_same_probabilities(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")

    def model(n_lanes):
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(n_lanes * 30, 5))

    monkeypatch.setattr(network, "_model", model)
    scale = Scale(np.ones((2, 1), np.float32), np.full((2, 1), 3, np.float32))
    first = network.Network(model(2), scale, {"passes": 3})
    first.save(tmp_path / "learned")
    second = network.load(tmp_path / "learned")
    pages_uv = np.random.default_rng(0).normal(size=(40, 2, 30)).astype(np.float16)
    np.testing.assert_array_equal(*(one.probabilities(pages_uv) for one in (first, second)))
    assert second.facts == {"passes": 3}


@pytest.mark.parametrize(
    "words", [("--part", "1/2", "--join"), ("--train", "--part", "1/2"), ("--train", "--join")]
)
def test_one_step_is_asked_for_at_a_time(one, words):
    result = CliRunner().invoke(command, ["--dataset", one.dataset, *words])
    assert "--train, --part and --join: use one at a time" in str(result.exception)


def test_the_command_says_what_comes_next(one, tmp_path):
    words = ["--dataset", one.dataset, "--root", one.root[0], "--method", "yasa"]
    words += ["--out", str(tmp_path / "out")]
    for options, following in (
        (["--train"], "now run the command with --part instead of --train"),
        (["--part", "1/1"], "when all are, run the command with --join instead of --part"),
        (["--join"], "is ready. Next: psgimg evaluate"),
    ):
        result = CliRunner().invoke(command, [*words, *options])
        assert not result.exit_code, result.output
        assert following in " ".join(result.output.split())


def test_splits_of_the_same_shards_share_an_index(one, monkeypatch):
    sources = [source.find(one.dataset, None, split) for split in ("train", "test", "train")]
    n_read = []
    read = page_index.read
    monkeypatch.setattr(page_index, "read", lambda one: n_read.append(one) or read(one))
    first, _, third = page_index.read_each(sources)
    assert first is third
    assert len(n_read) == 2
