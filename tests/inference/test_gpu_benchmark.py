"""GPU benchmark: it measures psgimg itself, needs no download, and says what it could not measure."""

import json
import os
import subprocess
import sys
from pathlib import Path

import builds
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from PIL import Image  # noqa: E402
from psgimg.builder.dataset import prompts  # noqa: E402
from psgimg.finetune.data.chat import chat_row  # noqa: E402
from psgimg.finetune.inference import encoding  # noqa: E402

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu.py"
PROMPT = prompts.load("closed")

PARAMETERS = {
    "qwen3-vl-2b": 2.1e9,
    "qwen3-vl-4b": 4.4e9,
    "qwen3-vl-8b": 8.8e9,
    "smolvlm2-2b": 2.2e9,
    "llava-next-7b": 7.6e9,
}
"""Shape → parameters of the published model."""


def printed(place, *words):
    done = subprocess.run(
        [sys.executable, str(BENCHMARK), *words],
        cwd=place,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CI": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(place, *words):
    shown = printed(place, "--tiny", "--device", "cpu", "--out", "gpu.json", *words)
    return json.loads((place / "gpu.json").read_text())["results"], shown


def test_it_measures_training_and_scoring_and_reports_what_fails(demo_corpus, tmp_path):
    pages = tmp_path / "pages"
    builds.run(pages, demo_corpus, "demo", limit=3)
    only = ["sft, defaults", "bare TRL", "predict, defaults", "a night", "sft, 4 bit"]
    asked = [word for words in only for word in ("--only", words)]
    results, shown = run(
        tmp_path, "--dataset", str(pages), "--shape", "qwen3-vl-2b", "--budget", "600", *asked
    )
    names = [result["name"] for result in results]
    assert names[:3] == ["sft, defaults", "bare TRL", "predict, defaults"]
    assert names[3].startswith("stage, a night")
    assert results[2]["way"] == results[3]["way"] == "tree"
    assert results[3]["night_s"] > 0
    for result in results[:4]:
        assert result["pages_per_s"] > 0
        assert f"| {result['name']} | {result['pages_per_s']} |" in shown
    assert results[0]["waiting"] < 1
    assert "bitsandbytes" in results[-1].get("error", "bitsandbytes")


def test_without_time_it_says_what_was_not_run(tmp_path):
    results, shown = run(tmp_path, "--budget", "0", "--dataset", str(tmp_path))
    assert {result["not_run"] for result in results} == {"the budget was spent"}
    assert shown.count("| the budget was spent |") == 2 * len(results)


def table_of(place, *words):
    rows = [line.strip("| ").split(" | ") for line in printed(place, *words).splitlines()[2:]]
    return {row[0]: row[1:] for row in rows}


def test_levers_take_fewer_kernels_and_less_memory_traffic_than_transformers():
    from on_gpu import traffic

    plain = traffic.count("qwen3-vl-2b", traffic.as_in_transformers)
    own = traffic.count("qwen3-vl-2b", traffic.fewer_passes)
    layers = 24 + 28
    assert plain.kernels["attention"] == own.kernels["attention"] == layers
    assert own.kernels["rms_norm"] == 28 * 4 + 1
    assert own.kernels["_addmm_activation"] == 24
    assert own.kernels.total() < 0.6 * plain.kernels.total()
    assert sum(own.n_bytes.values()) < 0.6 * sum(plain.n_bytes.values())
    assert own.asked == plain.asked


def test_what_a_night_takes_beside_the_card_is_measured_without_one(tmp_path):
    found = table_of(tmp_path, "--parts", "--tiny")
    assert len(found) == 5
    assert all(float(seconds) > 0 for (seconds,) in found.values())


@pytest.mark.parametrize("name", PARAMETERS)
def test_shapes_are_those_of_the_published_models(name):
    from on_gpu import models

    shape = models.SHAPES[name]
    _, config, _ = models.FAMILIES[shape.family](shape, [PROMPT.question])
    with torch.device("meta"):
        model = models.transformers.AutoModelForImageTextToText.from_config(config)
    n = sum(parameter.numel() for parameter in model.parameters())
    assert n == pytest.approx(PARAMETERS[name], rel=0.03)


@pytest.mark.parametrize("name", ["qwen3-vl-2b", "smolvlm2-2b", "llava-next-7b"])
def test_a_model_of_each_family_answers_on_a_page(name):
    from on_gpu import models

    texts = [PROMPT.question, PROMPT.system, *PROMPT.answers.values()]
    model, processor = models.make(name, texts, "cpu", torch.float32, tiny=True)
    page = Image.fromarray(np.zeros((448, 896, 3), np.uint8))
    encoded = encoding.encode(model, processor, [chat_row([page], "W", PROMPT)])
    with torch.no_grad():
        assert model.eval()(**encoded).logits.isfinite().all()
