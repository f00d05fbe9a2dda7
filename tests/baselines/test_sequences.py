"""Sequences: U-Sleep sees pages that follow one another, of one run, and stages each of them once."""

import dataclasses
import json
import sys

import numpy as np
import pytest
import tiny
import two_scorers_pages
from builds import run
from needed import need
from progress import Remembered
from psgimg.builder.errors import BuildError
from psgimg.builder.placing.parts import Part
from psgimg.finetune.baselines import baseline, braindecode_models, sequences
from psgimg.finetune.baselines.baseline import BaselineConfig
from psgimg.finetune.baselines.nights import Night, Nights, Task
from psgimg.finetune.baselines.sequences import LENGTH, Sequences
from psgimg.finetune.evaluation import predictions_file
from psgimg.finetune.metrics import disclosure

SPLIT = {"train": ["I-001", "II-001"], "validation": ["I-002"], "test": ["III-001", "III-002"]}


def night(*epochs):
    return Night(None, None, np.array(epochs, np.int32), None, None, (), 30.0)


def test_a_run_ends_where_an_epoch_is_missing_and_where_a_night_ends():
    assert sequences.runs([night(3, 4, 5, 7, 8), night(9), night(10, 11)]) == (3, 2, 1, 2)


def ends(lengths):
    return np.cumsum([0, *lengths])


@pytest.mark.parametrize("cut", ["random_windows", "overlapping_windows"])
@pytest.mark.parametrize("lengths", [(1,), (LENGTH,), (3, 200, 34, 36)])
def test_windows_have_every_page_cross_no_gap_and_are_as_long_as_their_run_allows(cut, lengths):
    rng = np.random.default_rng(0)
    many = [sequences.random_windows(lengths, rng) for _ in range(30)]
    if cut == "overlapping_windows":
        many = [sequences.overlapping_windows(lengths)]
    for windows in many:
        assert len(set(windows)) == len(windows)
        assert {page for one in windows for page in range(*one)} == set(range(sum(lengths)))
        for start, stop in windows:
            bounds = ends(lengths)
            run = np.searchsorted(bounds, start, "right") - 1
            assert stop <= bounds[run + 1]
            assert stop - start == min(LENGTH, lengths[run])


def test_every_pass_cuts_the_runs_at_other_places():
    rng = np.random.default_rng(0)
    passes = [sequences.random_windows((200, 36), rng) for _ in range(3)]
    assert len({tuple(sorted(windows)) for windows in passes}) == 3


def test_the_running_mean_forgets_where_training_began_and_then_smooths_the_steps():
    torch = pytest.importorskip("torch")
    from psgimg.finetune.baselines import sequence_network

    mean, chance = torch.zeros(1), torch.Generator().manual_seed(0)
    steps = 5 + torch.randn(600, generator=chance)
    for n, new in enumerate(steps, 1):
        mean = sequence_network._running_mean(mean, new, n)
        if n == 20:
            assert abs(mean - 5) < 1
    assert abs(mean - steps[-200:].mean()) < 0.2
    assert abs(mean - 5) < 0.3


@pytest.fixture
def small(monkeypatch):
    """Windows of seven short pages, so that the network is trained within seconds."""
    need("usleep")
    from psgimg.finetune.baselines import sequence_network

    for module in (sequences, sequence_network):
        monkeypatch.setattr(module, "LENGTH", 7)
    monkeypatch.setattr(sequences, "HOP", 3)
    monkeypatch.setattr(sequence_network, "PAGE_SAMPLES", 600)
    monkeypatch.setattr(sequence_network, "PASSES", 6)
    return sequence_network


def test_a_network_trains_reproducibly_and_is_the_same_after_saving(small, tmp_path):
    import torch

    chance = np.random.default_rng(0)
    labels = np.arange(35) % 2 * 3
    pages = chance.normal(size=(35, 2, 600)) * (1 + 4 * (labels == 3))[:, None, None]
    held = Sequences(pages.astype(np.float16), (20, 15))
    targets = np.eye(5, dtype=np.float32)[labels]
    said = []
    for _ in range(2):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = small.untrained(2)
            task = Task(Nights((), (), ()), 0, 1, Remembered())
            facts = small.fit(model, held, targets, (held, targets), task)
        said.append(small.probabilities(model, held))
    np.testing.assert_array_equal(*said)
    np.testing.assert_allclose(said[0].sum(1), 1)
    best = facts["validation_loss"][facts["best_pass"] - 1]
    assert best == min(facts["validation_loss"])
    assert best == round(float(-np.log((said[0] * targets).sum(1)).mean()), 4)
    small.SequenceNetwork(model, 2, facts).save(tmp_path / "learned")
    again = small.load(tmp_path / "learned")
    np.testing.assert_array_equal(again.probabilities(held), said[0])


@pytest.fixture(scope="module")
def isruc(tmp_path_factory):
    """A dataset of a tiny corpus with two scorers, and the corpus."""
    place = tmp_path_factory.mktemp("isruc")
    two_scorers_pages.write(place, SPLIT)
    return place


def config(place, out, *method, **options):
    return BaselineConfig(str(place / "pages"), (str(place / "root"),), method, out=out, **options)


def test_parts_joined_are_the_file_of_one_command_on_the_epochs_of_the_others(
    isruc, tmp_path, monkeypatch
):
    need("usleep")
    from psgimg.finetune.baselines import sequence_network

    monkeypatch.setattr(sequence_network, "PASSES", 1)
    one = config(isruc, tmp_path / "one", "usleep")
    baseline.baseline(one, Remembered())
    shared = dataclasses.replace(one, out=tmp_path / "shared")
    baseline.baseline(dataclasses.replace(shared, train=True), Remembered())
    for number in (1, 2):
        part = dataclasses.replace(shared, part=Part(number, 2))
        assert baseline.baseline(part, Remembered()) == {"usleep": None}
    baseline.baseline(dataclasses.replace(shared, join=True), Remembered())
    for name in ("usleep.parquet", "usleep.parquet.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "shared" / name).read_bytes()
    told = json.loads((tmp_path / "one" / "usleep.parquet.json").read_text())
    assert disclosure.view(told) == sequences.VIEW
    read = predictions_file.read(tmp_path / "one" / "usleep.parquet")
    assert {key.subject for key in read.recordings} == set(SPLIT["test"])


def test_soft_labels_teach_every_scorer_and_are_refused_where_there_is_one(isruc, tmp_path):
    need("boosting")
    soft = config(isruc, tmp_path / "soft", "boosting-page", soft_labels=True)
    hard = dataclasses.replace(soft, out=tmp_path / "hard", soft_labels=False)
    made = [baseline.baseline(one, Remembered())["boosting-page"] for one in (soft, hard)]
    assert made[0].labels.tolist() == made[1].labels.tolist()
    assert not np.allclose(made[0].probabilities, made[1].probabilities, atol=0.01)
    settings = json.loads((soft.out / "boosting-page.parquet.json").read_text())["settings"]
    assert settings["soft_labels"] is True
    with pytest.raises(BuildError, match=r"begun with other settings \(soft_labels\)"):
        baseline.baseline(dataclasses.replace(hard, out=soft.out), Remembered())
    tiny.write_shhs(tmp_path / "shhs", n_subjects=3, visits=(1,))
    run(tmp_path / "pages", tmp_path / "shhs", splits="1/1/1", seed=3, trim_min=None)
    alone = BaselineConfig(
        str(tmp_path / "pages"), (str(tmp_path / "shhs"),), ("boosting-page",), soft_labels=True
    )
    with pytest.raises(
        BuildError, match=r"--soft-labels: no training page of .* has more than one"
    ):
        baseline.baseline(alone, Remembered())


def test_braindecode_is_imported_beside_a_torchaudio_of_another_torch(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    (tmp_path / "torchaudio").mkdir()
    broken = 'raise OSError("libcudart.so.13: cannot open shared object file")\n'
    (tmp_path / "torchaudio" / "__init__.py").write_text(broken)
    (tmp_path / "needs_torchaudio.py").write_text(
        "import torchaudio as ta\nimport torchaudio.transforms as transforms\n"
        "from torchaudio.functional import lfilter\n"
        "class Spectrum(transforms.Spectrogram): pass\n"
        "def made(): return ta.transforms.Resample(8, 4)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(braindecode_models, "NAME", "needs_torchaudio")
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
        monkeypatch.delitem(sys.modules, name)
    found = braindecode_models.models()
    assert "torchaudio" not in sys.modules, "transformers would take it for the library"
    for make in (found.made, found.Spectrum):
        with pytest.raises(ImportError, match="needs a torchaudio that matches your torch"):
            make()
    monkeypatch.delitem(sys.modules, "needs_torchaudio")
