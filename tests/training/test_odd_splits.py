"""Odd splits: a dataset with few pages, stages or splits trains as asked, or is refused at once."""

import json

import pytest
import tiny as tiny_corpus
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from tiny_edf import write_psg
from tiny_lab import INPUTS, describe

torch = pytest.importorskip("torch")

from psgimg.finetune import sft  # noqa: E402
from psgimg.finetune.data import page_index, page_set  # noqa: E402
from psgimg.finetune.training import arguments, page_checks  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning")

STAGES = {"W": "W", "2": "N2"}


@pytest.fixture(scope="module", autouse=True)
def apart():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CI", "1")  # TRL sends no telemetry from one
        yield


@pytest.fixture
def nothing_loaded(monkeypatch):
    monkeypatch.setattr(page_index, "read", lambda source: pytest.fail(f"{source} was loaded"))


def lab(place, words):
    """Build a dataset of one night with these stages; its only subject is in the train split."""
    signal = place / "recordings" / "P001" / "night1.edf"
    write_psg(signal, INPUTS, words)
    lines = [f"{30 * i},30,{STAGES[word]}" for i, word in enumerate(words)]
    signal.with_suffix(".csv").write_text("\n".join(["onset,duration,stage", *lines]) + "\n")
    described = describe(place / "my-lab.yaml", stages={word: word for word in STAGES.values()})
    config = BuildConfig((str(described),), (), place / "out", style="sleepvlm", trim_min=None)
    build(config, Remembered())
    return place / "out"


@pytest.fixture(scope="module")
def one_page(tmp_path_factory):
    return lab(tmp_path_factory.mktemp("one"), ["2"])


@pytest.fixture(scope="module")
def two_stages(tmp_path_factory):
    return lab(tmp_path_factory.mktemp("two"), ["W"] * 3 + ["2"] * 4)


@pytest.fixture(scope="module")
def two_corpora(tmp_path_factory):
    """SHHS in all three splits, and a single subject of HMC in the train split."""
    place = tmp_path_factory.mktemp("corpora")
    tiny_corpus.write_shhs(place / "shhs", n_subjects=6, visits=(1,), minutes=3)
    tiny_corpus.write_hmc(place / "hmc", n_subjects=1, minutes=3)
    root = tuple(f"{name}={place / name}" for name in ("shhs", "hmc"))
    options = {"style": "sleepvlm", "splits": "1/1/1", "seed": 3, "trim_min": None}
    build(BuildConfig(("shhs", "hmc"), root, place / "out", **options), Remembered())
    return place / "out"


def argv(dataset, out, **options):
    values = {
        "dataset": dataset,
        "model": "tiny",
        "output_dir": out,
        "disable_tqdm": "true",
        "report_to": "none",
        **options,
    }
    return [part for key, value in values.items() for part in (f"--{key}", str(value))]


def splits_of(dataset, corpus):
    shards = json.loads((dataset / "build.json").read_text())["shards"]
    return {shard["split"] for shard in shards if shard["corpus"] == corpus}


def test_without_validation_pages_nothing_is_loaded_and_the_way_out_is_named(
    one_page, tmp_path, nothing_loaded
):
    with pytest.raises(
        BuildError,
        match=r"has no validation pages; use --eval-strategy no \(TRL's eval_strategy no",
    ):
        sft.main(argv(one_page, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_the_splits_that_count_are_those_of_the_corpus(two_corpora, tmp_path, nothing_loaded):
    assert splits_of(two_corpora, "shhs") == {"train", "validation", "test"}
    (only,) = splits_of(two_corpora, "hmc")
    lacks = "no validation pages" if only == "train" else "no training pages"
    with pytest.raises(BuildError, match=f"corpus hmc, has {lacks}"):
        sft.main(argv(two_corpora, tmp_path / "out", corpus="hmc"))
    with pytest.raises(BuildError, match="has no corpus 'mesa'; it has all, hmc, shhs"):
        sft.main(argv(two_corpora, tmp_path / "out", corpus="mesa"))


@pytest.mark.parametrize("how", ["natural", "balanced", "sqrt"])
def test_one_page_is_enough_to_train_without_validation(one_page, tmp_path, how):
    options = {"max_steps": 1, "eval_strategy": "no", "sampling": how}
    out = sft.main(argv(one_page, tmp_path / "out", **options))
    values = json.loads((out / "training.json").read_text())
    assert values["counts"] == {"W": 0, "N1": 0, "N2": 1, "N3": 0, "REM": 0}
    assert values["steps"] == 1


def checked(dataset, out, **options):
    """Check the pages of the train split as if they were for training and for validation."""
    psg, training, _ = arguments.parse(argv(dataset, out, **options))
    pages = page_set.load(str(dataset), None, "train")
    page_checks.check_pages(pages, pages, psg, training)


BEST = {"load_best_model_at_end": "true"}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"dataloader_drop_last": "true", "per_device_train_batch_size": 8},
            r"--dataloader-drop-last drops all 7 training pages, fewer than a batch of 8; leave it",
        ),
        (
            {**BEST, "max_steps": 5, "eval_steps": 6, "save_steps": 6},
            r"--eval-steps 6: training has 5 steps and would never evaluate",
        ),
        (
            {
                **BEST,
                "eval_steps": 9,
                "save_steps": 9,
                "per_device_train_batch_size": 4,
                "num_train_epochs": 4,
            },
            r"--eval-steps 9: training has 8 steps",
        ),
        (
            {"metric_for_best_model": "f1_REM"},
            r"--metric-for-best-model f1_REM is undefined on the 7 validation pages, all W or N2",
        ),
        (
            {"metric_for_best_model": "eval_kappa", "validation_pages": 1},
            r"--metric-for-best-model kappa is undefined on the 1 validation pages, all (W|N2); use",
        ),
    ],
)
def test_a_training_that_would_end_without_its_result_is_refused(
    two_stages, tmp_path, options, says
):
    with pytest.raises(BuildError, match=says) as refused:
        checked(two_stages, tmp_path / "out", **options)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"dataloader_drop_last": "true", "per_device_train_batch_size": 7},
        {**BEST, "max_steps": 6, "eval_steps": 6, "save_steps": 6},
        {**BEST, "eval_strategy": "epoch", "save_strategy": "epoch"},
        {"metric_for_best_model": "f1_N2"},
        {"metric_for_best_model": "kappa"},
        {"metric_for_best_model": "accuracy", "validation_pages": 1},
    ],
)
def test_a_training_on_few_pages_that_can_end_well_is_not_refused(two_stages, tmp_path, options):
    checked(two_stages, tmp_path / "out", **options)
