"""What would flatter a model: errors left out, nights of a person counted apart, a narrower interval."""

import csv

import numpy as np
import pytest
from psgimg.finetune.evaluation import evaluate
from psgimg.finetune.evaluation.evaluate_config import EvaluateConfig


def written(path, nights):
    """Predictions of nights (subject, recording, predicted stages), all of them scored N2."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("corpus", "subject", "recording", "epoch", "label", "prediction"))
        for subject, recording, said in nights:
            writer.writerows(
                ("c", subject, recording, i, "N2", stage) for i, stage in enumerate(said)
            )
    return path


def figures(path):
    return evaluate.evaluate(EvaluateConfig((path,))).values


def test_an_epoch_without_an_answer_counts_in_the_denominator(tmp_path):
    nights = [(f"s{i}", f"r{i}", ["N2", "", "", "W"]) for i in range(2)]
    values = figures(written(tmp_path / "p.csv", nights))
    assert values["pooled"]["figures"]["accuracy"]["value"] == 0.25
    assert (values["counts"]["epochs"], values["counts"]["no_answer"]) == (8, 4)


def test_many_nights_of_a_person_count_as_one(tmp_path):
    """Three people in nine nights have the interval of three nights, not of nine."""
    said = (["N2"] * 45 + ["W"] * 5, ["N2"] * 30 + ["W"] * 20, ["N2"] * 40 + ["W"] * 10)
    found = [
        figures(
            written(
                tmp_path / f"{n}.csv",
                [(s, f"{s}-{i}", said[k]) for k, s in enumerate("abc") for i in range(n)],
            )
        )["pooled"]["figures"]["accuracy"]
        for n in (1, 3)
    ]
    assert found[0] == found[1]
    assert found[0]["high"] - found[0]["low"] > 0.4


def test_one_person_has_no_interval_whatever_the_nights(tmp_path):
    nights = [("a", f"a-{n}", ["N2", "W"] * 50) for n in range(4)]
    figure = figures(written(tmp_path / "p.csv", nights))["pooled"]["figures"]["accuracy"]
    assert (figure["value"], figure["low"], figure["high"]) == (0.5, None, None)


def test_the_interval_is_said_to_be_of_95_percent_and_is(tmp_path):
    """Eighteen of twenty subjects right: Student's t of 19 degrees on the logit of 0.9."""
    nights = [(f"s{i}", f"r{i}", ["N2" if i < 18 else "W"] * 10) for i in range(20)]
    values = figures(written(tmp_path / "p.csv", nights))
    figure = values["pooled"]["figures"]["accuracy"]
    told = {"over": "subjects", "method": "jackknife-t", "level": 0.95, "fewest": 3}
    assert values["interval"] == told
    reach = 2.093 * np.sqrt(0.9 * 0.1 / 19) / (0.9 * 0.1)
    ends = 1 / (1 + np.exp(-(np.log(9) + np.array([-reach, reach]))))
    assert (figure["low"], figure["high"]) == pytest.approx(tuple(ends), abs=1e-4)
