"""Decoded nights in an evaluation: a file is its own before and after; irregular transitions."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.decoding.calibration_fit import Calibration
from psgimg.finetune.decoding.decoded import Decoding
from psgimg.finetune.decoding.transitions import Transitions
from psgimg.finetune.evaluation.evaluate import evaluate
from psgimg.finetune.evaluation.evaluate_config import EvaluateConfig
from psgimg.finetune.metrics import predictions
from psgimg.finetune.metrics.predictions import PROBABILITIES, Predictions
from psgimg.finetune.terminal import evaluate_command

COUNTS = (
    (90, 9, 2, 0, 2),
    (8, 30, 25, 0, 6),
    (6, 9, 200, 20, 8),
    (2, 1, 120, 90, 0),
    (5, 4, 3, 0, 80),
)
KNOWN = Transitions({30.0: COUNTS})
DECODING = Decoding("night", Calibration(1.3, 0.9, 1.2, 10, 1, 1, {}), KNOWN)


def pagewise(n_nights=5, n_epochs=120, first=0):
    random = np.random.default_rng(first)
    rows = []
    for night in range(first, first + n_nights):
        labels = np.repeat(random.integers(0, 5, n_epochs // 6), 6)
        for epoch, label in enumerate(labels.tolist()):
            odds = random.dirichlet(np.ones(5) + 2.0 * np.eye(5)[label])
            rows.append(
                {
                    "corpus": "lab",
                    "subject": f"s{night}",
                    "recording": f"n{night}",
                    "epoch": epoch + 5 * (epoch > 60),  # a gap
                    "label": STAGE_NAMES[label],
                    "prediction": STAGE_NAMES[odds.argmax()],
                    "epoch_s": 30.0,
                    **dict(zip(PROBABILITIES, odds.tolist(), strict=True)),
                }
            )
    return Predictions.from_rows(rows)


def write(path, found, decoding):
    predictions.write(path, decoding.apply(found))
    beside = {
        "psgimg": "0",
        "settings": {"context": 0, **decoding.settings()},
        "transitions": KNOWN.to_json(),
    }
    path.with_name(f"{path.name}.json").write_text(json.dumps(beside))
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    place = tmp_path_factory.mktemp("decoded")
    page = Decoding("page", DECODING.calibration, KNOWN)
    return write(place / "page.parquet", pagewise(), page), write(
        place / "night.parquet", pagewise(), DECODING
    )


@pytest.fixture(scope="module")
def values(files):
    return evaluate(EvaluateConfig((files[1],))).values


def test_one_decoded_file_is_its_own_before_and_after(files, values):
    apart = evaluate(EvaluateConfig(files)).values
    [comparison] = apart["comparisons"]
    decoded = values["decoded"]
    assert decoded["figures"] == comparison["figures"]
    assert decoded["figures"]["accuracy"]["low"] is not None
    assert decoded["figures"]["accuracy"]["difference"] > 0
    assert decoded["page"]["nll"] == apart["calibration"]["nll"]
    assert decoded["night"]["ece"] == values["calibration"]["ece"]
    assert apart["decoded"] is None
    sequences = predictions.read(files[1])
    right = (sequences.sequences == sequences.labels).mean()
    assert decoded["sequence"]["accuracy"]["value"] == pytest.approx(right)


def test_irregular_transitions_are_those_that_training_hardly_shows_or_never(files, values):
    found = predictions.read(files[1])
    table = found.table.to_pydict()
    stages = {
        "scored": found.labels,
        "predicted": found.predictions,
        "page": found.page_predictions,
        "sequence": found.sequences,
    }
    near = [
        i
        for i in range(1, len(found))
        if table["recording"][i] == table["recording"][i - 1]
        and table["epoch"][i] == table["epoch"][i - 1] + 1
    ]
    hours = len(near) * 30 / 3600
    irregular = values["transitions"]["irregular"]
    assert irregular["hours"] == pytest.approx(hours)
    for who, codes in stages.items():
        changes = [(codes[i - 1], codes[i]) for i in near if codes[i - 1] != codes[i]]
        others = {s: sum(COUNTS[s]) - COUNTS[s][s] for s in range(5)}
        expected = {
            "changes": len(changes),
            "never": sum(COUNTS[a][b] == 0 for a, b in changes),
            "rare": sum(0 < COUNTS[a][b] < 0.02 * others[a] for a, b in changes),
        }
        for name, n in expected.items():
            assert irregular["rates"][who][name]["value"] == pytest.approx(n / hours), (who, name)
        assert expected["changes"] == sum(
            c
            for a, row in enumerate(values["transitions"].get(who, []))
            for b, c in enumerate(row)
            if a != b
        ) or who in ("page", "sequence")
    rates = irregular["rates"]
    assert rates["page"]["never"]["value"] > rates["predicted"]["never"]["value"]
    assert rates["page"]["rare"]["value"] > 0


def test_a_file_that_states_no_transitions_has_no_irregular_ones(tmp_path):
    predictions.write(tmp_path / "p.parquet", pagewise())
    found = evaluate(EvaluateConfig((tmp_path / "p.parquet",))).values
    assert found["transitions"]["irregular"] is None
    for wrong in ({"epoch_s": 30}, [{"epoch_s": 30}], [{"epoch_s": "x", "counts": 1}], [3]):
        (tmp_path / "p.parquet.json").write_text(json.dumps({"transitions": wrong}))
        found = evaluate(EvaluateConfig((tmp_path / "p.parquet",))).values
        assert found["transitions"]["irregular"] is None


def test_decoded_members_of_an_ensemble_are_refused(files):
    with pytest.raises(BuildError, match=r"night\.parquet are decoded; combine .* --decode night"):
        evaluate(EvaluateConfig(files, combine=True))


def test_decoded_folds_are_joined_and_not_mixed_with_others(files, tmp_path):
    later = write(tmp_path / "b.parquet", pagewise(first=5), DECODING)
    joined = evaluate(EvaluateConfig((files[1], later), join=True)).values
    halves = [predictions.read(path) for path in (files[1], later)]
    right = np.concatenate([one.page_predictions == one.labels for one in halves]).mean()
    assert joined["decoded"]["figures"]["accuracy"]["first"] == pytest.approx(right)
    with pytest.raises(
        BuildError, match=r"decoded in one file, and in .*page\.parquet they are not"
    ):
        evaluate(EvaluateConfig((files[0], later), join=True))


def test_the_report_shows_both_and_says_that_the_whole_night_was_seen(files, tmp_path):
    out = tmp_path / "out"
    words = [*map(str, files[::-1]), "--out", str(out)]
    done = CliRunner().invoke(evaluate_command.evaluate, words, catch_exceptions=False)
    assert "Not like for like" in done.output
    assert "Nights decoded, compared with each page by itself:" in done.output
    text = (out / "report.md").read_text()
    assert "night.parquet saw one page, and the probabilities of all pages of its night" in text
    assert "| | page by page | night decoded | difference | likeliest sequence |" in text
    for row in ("scorer", "nights decoded", "page by page", "likeliest sequence"):
        assert f"\n| {row} |" in text
