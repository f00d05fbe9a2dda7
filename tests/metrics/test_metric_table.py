"""Metric table: what is added to it appears wherever figures are shown, in its place."""

import re

import extra_metric
import numpy as np
import pytest
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.evaluation import evaluation_report
from psgimg.finetune.evaluation.evaluate import EvaluateConfig, evaluate
from psgimg.finetune.metrics import metric_table, metrics, predictions
from psgimg.finetune.metrics.predictions import Predictions
from psgimg.finetune.terminal import show_baselines, show_evaluation, show_predictions
from psgimg.finetune.training import training_report
from rich.console import Console


@pytest.fixture
def extra(monkeypatch):
    return extra_metric.add(monkeypatch)


@pytest.fixture
def night():
    """Two recordings, scored twice, with an error in every seventh epoch."""
    rows = [
        {
            "corpus": corpus,
            "subject": "s",
            "recording": f"{corpus} 1",
            "epoch": epoch,
            "label": STAGE_NAMES[epoch % 5],
            "label_2": STAGE_NAMES[epoch % 5 if epoch % 6 else 2],
            "prediction": STAGE_NAMES[(epoch + (epoch % 7 == 0)) % 5],
            "raw": None,
        }
        for corpus in ("shhs", "isruc")
        for epoch in range(50)
    ]
    return Predictions.from_rows(rows)


def printed(show, *args):
    console = Console(width=200)
    with console.capture() as captured:
        show(console, *args)
    return captured.get()


def test_keys_and_names_are_each_metrics_own():
    for name in ("key", "title", "short"):
        names = [getattr(metric, name) for metric in metric_table.METRICS]
        assert len(set(names)) == len(names)
    assert metric_table.overall() + metric_table.per_stage() == metric_table.METRICS


def test_short_names_are_listed_as_in_a_sentence():
    first, second, third = metric_table.headline()
    assert metric_table.listed((first,)) == "accuracy"
    assert metric_table.listed((first, second, third)) == "accuracy, macro-F1 and kappa"


def test_an_added_metric_is_in_the_summary_in_its_place(extra):
    table = metrics.confusion([3, 3, 3, 0], [3, 3, 1, 0])
    assert metric_table.summary(table)["n3_found"] == pytest.approx(2 / 3)
    assert list(metric_table.summary(table))[:3] == ["accuracy", "n3_found", "balanced_accuracy"]


def test_an_added_metric_is_in_the_whole_evaluation(extra, night, tmp_path):
    for name in ("first.parquet", "second.parquet"):
        predictions.write(tmp_path / name, night)
    files = (tmp_path / "first.parquet", tmp_path / "second.parquet")
    found = evaluate(EvaluateConfig(files))
    evaluation_report.write(tmp_path, found)
    value = f"{found.values['pooled']['figures']['n3_found']['value']:.3f}"

    text = (tmp_path / "report.md").read_text()
    assert f"| accuracy | 0.840 | none |\n| share of N3 found | {value} |" in text
    assert f"- **Share of N3 found** {extra.meaning}.\n" in text
    heads = re.findall(r"accuracy \| (?:N3 found|macro-F1)", text)
    assert len(heads) == 4  # by corpus, compared, differences, recordings
    assert set(heads) == {"accuracy | N3 found"}
    assert "![Accuracy, N3 found, macro-F1 and kappa of each subject" in text
    assert extra.title in (tmp_path / "report.html").read_text()

    tex = (tmp_path / "table.tex").read_text()
    assert rf"Epochs & Accuracy & {extra.latex} & Macro-F1 & $\kappa$ & W &" in tex
    assert rf"Predictions & Accuracy & {extra.latex} & Macro-F1 & $\kappa$ \\" in tex
    assert r"\multicolumn{5}{c}{F1}" in tex
    assert r"\cmidrule(lr){7-11}" in tex

    lines = map(str.strip, printed(show_evaluation.show, found, tmp_path).splitlines())
    titled = [line.split()[0] for line in lines if line.startswith(("accuracy", "share of N3"))]
    assert titled == ["accuracy", "share"] * 3  # all epochs, scored twice, compared


def test_an_added_metric_is_shown_of_predictions_and_baselines(extra, night, tmp_path):
    value = f"{extra.of(metrics.confusion(night.labels, night.predictions)):.3f}"
    said = printed(show_predictions.show_predictions, night, tmp_path)
    assert f"accuracy 0.840, N3 found {value}, macro-F1" in said
    said = printed(show_baselines.show, {"yasa": night}, tmp_path)
    assert re.search(r"accuracy +N3 found +macro-F1", said)
    assert re.search(rf"0\.840 +{value}", said)


def test_an_added_metric_has_a_curve_of_its_own(extra, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(training_report, "png", lambda figure: drawn.append(figure) or b"")
    log = [{"step": 1, "eval_loss": 1.0, "eval_accuracy": 0.5, "eval_n3_found": 0.25}]
    training_report.write(tmp_path, {}, log)
    lines = {line.get_label(): line for line in drawn[0].axes[1].lines}
    assert list(lines) == ["accuracy", "N3 found", "macro-F1", "kappa"]
    np.testing.assert_array_equal(lines["N3 found"].get_ydata(), [0.25])
    assert len({line.get_color() for line in lines.values()}) == 4


def test_every_value_is_whole_inside_the_picture_of_the_training(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(training_report, "png", lambda figure: drawn.append(figure) or b"")
    log = [{"step": 1, "eval_kappa": -0.2}, {"step": 2, "eval_kappa": 1.0}]
    training_report.write(tmp_path, {}, log)
    low, high = drawn[0].axes[1].get_ylim()
    assert low < -0.2
    assert high > 1  # a line on the edge would be cut in half
