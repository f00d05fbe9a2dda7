"""What would flatter a model: errors left out, nights of a person drawn apart, a narrower interval."""

import csv

import pytest
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.evaluation import evaluate
from psgimg.finetune.evaluation.evaluate import EvaluateConfig


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
    return evaluate.evaluate(EvaluateConfig((path,), rounds=1000)).values


def test_an_epoch_without_an_answer_counts_in_the_denominator(tmp_path):
    nights = [(f"s{i}", f"r{i}", ["N2", "", "", "W"]) for i in range(2)]
    values = figures(written(tmp_path / "p.csv", nights))
    assert values["pooled"]["figures"]["accuracy"]["value"] == 0.25
    assert (values["counts"]["epochs"], values["counts"]["no_answer"]) == (8, 4)


def test_two_nights_of_a_person_are_drawn_as_one(tmp_path):
    """One subject right in both nights and one wrong: all draws are right, half or wrong."""
    nights = [(s, f"{s}-{n}", [STAGE_NAMES[2 + i]] * 50) for i, s in enumerate("ab") for n in "12"]
    figure = figures(written(tmp_path / "p.csv", nights))["pooled"]["figures"]["accuracy"]
    assert (figure["value"], figure["low"], figure["high"]) == (0.5, 0.0, 1.0)


def test_one_person_has_no_interval_whatever_the_nights(tmp_path):
    nights = [("a", f"a-{n}", ["N2", "W"] * 50) for n in range(4)]
    figure = figures(written(tmp_path / "p.csv", nights))["pooled"]["figures"]["accuracy"]
    assert (figure["value"], figure["low"], figure["high"]) == (0.5, None, None)


def test_the_interval_covers_95_percent_of_the_draws(tmp_path):
    """Eighteen of twenty subjects right: the binomial's 2.5 % and 97.5 % points, not its 5 % and 95 %."""
    nights = [(f"s{i}", f"r{i}", ["N2" if i < 18 else "W"] * 10) for i in range(20)]
    values = figures(written(tmp_path / "p.csv", nights))
    figure = values["pooled"]["figures"]["accuracy"]
    assert values["interval"] == {"over": "subjects", "rounds": 1000, "seed": 0, "level": 0.95}
    assert (figure["low"], figure["high"]) == pytest.approx((0.75, 1.0))
