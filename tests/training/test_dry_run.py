"""Dry run: estimates near what was measured, before weights or pictures are read."""

import json
import re
from pathlib import Path

import pytest
import tiny as tiny_corpus
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError

torch = pytest.importorskip("torch")

import tiny_models  # noqa: E402
from psgimg.finetune import sft  # noqa: E402
from psgimg.finetune.data import page_set  # noqa: E402
from psgimg.finetune.models import families, loading  # noqa: E402
from psgimg.finetune.training import arguments, cost, devices, dry_run  # noqa: E402

MEASURED = Path(__file__).resolve().parents[2] / "docs" / "gpu.json"

pytestmark = pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    place = tmp_path_factory.mktemp("pages")
    tiny_corpus.write_shhs(place / "shhs", n_subjects=3, visits=(1,))
    root, out = (str(place / "shhs"),), place / "out"
    options = {"style": "sleepvlm", "splits": "1/1/1", "seed": 3, "trim_min": None}
    build(BuildConfig(("shhs",), root, out, **options), Remembered())
    return out


def published(name="qwen3-vl-2b"):
    """Cost of a published shape on a page of ``clinical``."""
    from on_gpu import estimates

    return estimates.cost(name)


def test_the_documented_table_of_memory_is_the_estimate():
    from on_gpu import estimates

    text = (MEASURED.parent / "speed.md").read_text(encoding="utf-8")
    written = text.partition("<!-- memory -->\n")[2].partition("<!-- end of memory -->")[0]
    assert written == estimates.table()


def test_estimates_of_memory_are_near_the_peaks_measured_on_a_card():
    found = published()
    measured = [
        result
        for result in json.loads(MEASURED.read_text())["prototypes"]["results"]
        if result["job"] in ("sft", "bare") and "plain" not in result["levers"]
    ]
    assert len(measured) > 8
    for result in measured:
        estimate = found.gb(
            result["batch"],
            checkpointing=result["checkpointing"],
            compiled="compile" in result["levers"],
        )
        assert estimate == pytest.approx(result["peak_gb"], rel=cost.MEASURED_WITHIN), result[
            "name"
        ]


def test_estimates_are_near_the_peaks_of_another_card():
    measured = [r for r in json.loads(MEASURED.read_text())["results"] if "estimated_gb" in r]
    assert len(measured) == 8
    for result in measured:
        within = pytest.approx(result["peak_gb"], rel=cost.MEASURED_WITHIN)
        assert result["estimated_gb"] == within, result["name"]


def test_rates_of_a_card_are_those_that_were_measured_on_it():
    results = json.loads(MEASURED.read_text())["results"]
    for name, rate in zip(
        ("sft, not compiled", "sft, defaults"), dry_run.TFLOP_PER_S["H200"], strict=True
    ):
        newest = max((r for r in results if r["name"] == name), key=lambda r: r["run"])
        assert newest["tflop_per_s"] == pytest.approx(rate, rel=0.02)


def test_operations_are_those_behind_the_measured_rates():
    found = published()
    results = json.loads(MEASURED.read_text())["prototypes"]["results"]
    plain, compiled = dry_run.TFLOP_PER_S["H100"]
    for words, rate in (("+ batch 32", plain), ("+ compiled layers", compiled)):
        same = [r for r in results if r["job"] == "sft" and r["name"].endswith(words)]
        rates = [r["pages_per_s"] * found.flops(checkpointing=False) / 1e12 for r in same]
        assert min(rates) * 0.98 <= rate <= max(rates) * 1.02


def test_a_larger_model_whole_weights_and_more_tokens_cost_more():
    small, large = published(), published("qwen3-vl-8b")
    assert small.gb(1, checkpointing=True) < large.gb(1, checkpointing=True)
    assert large.gb(1, checkpointing=True, four_bit=True) < large.gb(1, checkpointing=True)
    assert small.gb(8, checkpointing=True) < small.gb(8, checkpointing=False)


def words_of(dataset, model, out, *more):
    return ["--dataset", str(dataset), "--model", str(model), "--output-dir", str(out), *more]


@pytest.mark.parametrize("family", ["llava", "idefics3"])
def test_a_dry_run_reads_neither_weights_nor_pictures(
    family, dataset, tmp_path, monkeypatch, capsys
):
    tiny_models.build(family, tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").unlink()
    monkeypatch.setattr(page_set.PageSet, "images", None)
    words = words_of(dataset, tmp_path / "model", tmp_path / "out", "--max-steps", "3")
    assert sft.main([*words, "--dry-run"]) is None
    said = capsys.readouterr().out
    rows = page_set.load(str(dataset), None, "train")
    assert f"{len(rows):,} training pages" in said
    assert "24 pages, 8 a step: 3 steps" in said
    assert "4 bit, with checkpointing" in said
    assert "none here" in said
    assert not (tmp_path / "out").exists()


def test_a_dry_run_counts_the_tokens_of_neighbours_as_they_are_shown(dataset, tmp_path, capsys):
    tiny_models.build("llava", tmp_path / "model")
    said = []
    for more in ([], ["--context-scale", "0.25"]):
        words = words_of(dataset, tmp_path / "model", tmp_path / "out", "--context", "1", *more)
        assert sft.main([*words, "--dry-run"]) is None
        said.append(int(re.search(r"a row has (\d+) tokens", capsys.readouterr().out)[1]))
    assert 450 < said[0] - said[1] < 2 * 257, "two pictures fewer, and some more words"


def test_a_dry_run_counts_the_weights_that_learn(dataset, tmp_path, capsys):
    tiny_models.build("idefics3", tmp_path / "model")
    model = loading.load_base(str(tmp_path / "model"))
    n = sum(p.numel() for p in model.parameters())
    frozen = sum(p.numel() for p in families.vision_tower(model).parameters())
    options = arguments.parse(
        words_of(dataset, tmp_path / "model", tmp_path / "out", "--use-peft", "false")
    )
    dry_run.lines(options)
    found = dry_run._cost(options, page_set.load(str(dataset), None, "train").build["recipe"])
    assert (found.n_parameters, found.n_learned) == (n, n - frozen)
    adapted = arguments.parse(
        words_of(dataset, tmp_path / "model", tmp_path / "out", "--lora-target-modules", "q_proj")
    )
    text = model.config.text_config
    assert dry_run._cost(
        adapted, page_set.load(str(dataset), None, "train").build["recipe"]
    ).n_learned == 16 * 2 * text.hidden_size * (text.num_hidden_layers + 2)


def test_a_dry_run_of_the_tiny_model_is_refused(dataset, tmp_path):
    with pytest.raises(BuildError, match="--dry-run: the tiny model needs no card"):
        sft.main(words_of(dataset, "tiny", tmp_path / "out", "--dry-run"))


@pytest.mark.parametrize(
    ("name", "total_gb", "said"),
    [
        ("NVIDIA H100 80GB HBM3", 85, r"32 pages at once without checkpointing, 32 with"),
        ("NVIDIA RTX 4090", 25, r"8 pages at once without checkpointing, 32 with"),
        ("Small", 4, r"Small, 4 GB to use: too small for one page; use --load-in-4bit true"),
    ],
)
def test_a_card_is_told_what_it_holds_and_how_long_it_takes(
    name, total_gb, said, monkeypatch, tmp_path
):
    options = arguments.parse(words_of("pages", "some/model", tmp_path / "out"))
    options[1].per_device_train_batch_size = 32
    monkeypatch.setattr(type(options[1]), "device", torch.device("cuda", 0))
    monkeypatch.setattr("torch.cuda.get_device_name", lambda device: name)
    properties = type("Properties", (), {"total_memory": total_gb * 1e9})
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda device: properties)
    lines = dry_run._card(published(), options, 100_000)
    assert said in lines[0]
    if "H100" in name:
        assert lines[1].startswith("time         about 0.4 h")
    elif len(lines) > 1:
        assert "unknown on this card; --max-steps 30" in lines[1]


def test_long_runs_on_a_card_take_larger_steps_where_the_user_left_them_open(tmp_path):
    def fitted(n_rows, left_open, *more):
        options = arguments.parse(words_of("pages", "some/model", tmp_path / "out", *more))
        options[0].left_open = left_open
        arguments.fit_to_run(options, n_rows)
        return options[1].per_device_train_batch_size, options[1].learning_rate

    both = ("batch", "learning_rate")
    assert fitted(arguments.LONG_RUN, both) == (32, 2e-4)
    assert fitted(arguments.LONG_RUN, both, "--use-peft", "false") == (32, 2e-5)
    assert fitted(arguments.LONG_RUN - 1, both) == (8, 1e-4)
    assert fitted(arguments.LONG_RUN, ("batch",), "--learning-rate", "3e-4") == (32, 3e-4)
    assert fitted(arguments.LONG_RUN, ("learning_rate",)) == (8, 1e-4)
    assert fitted(10**6, both, "--max-steps", "30") == (8, 1e-4)


def test_what_the_user_gives_is_not_left_open(monkeypatch, tmp_path):
    monkeypatch.setattr(devices, "has_card", lambda asked: not asked.use_cpu)

    def left_open(*more):
        words = words_of("pages", "some/model", tmp_path / "out", *more)
        return set(arguments.parse(words)[0].left_open)

    assert left_open() == {"checkpointing", "batch", "learning_rate"}
    assert left_open("--gradient-checkpointing", "false") == {"batch", "learning_rate"}
    assert left_open("--activation-checkpointing", "true") == {"batch", "learning_rate"}
    assert left_open("--gradient-accumulation-steps", "2") == {"checkpointing", "learning_rate"}
    assert left_open("--learning-rate", "1e-3") == {"checkpointing", "batch"}
    assert left_open("--use-cpu", "true") == set()
