"""What probabilities are worth: errors found in review, ensembles, doubt where scorers differ, people."""

import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.evaluation.evaluate import evaluate
from psgimg.finetune.evaluation.evaluate_config import EvaluateConfig
from psgimg.finetune.evaluation.uncertainty import disagreement
from psgimg.finetune.metrics.predictions import PROBABILITIES
from psgimg.finetune.terminal import evaluate_command
from sklearn.metrics import cohen_kappa_score, roc_auc_score

NAMES = np.array(STAGE_NAMES)


def frame(n_subjects=4, n_epochs=80, seed=0, sharp=2.0):
    """Predictions that are more often right where they are surer, and a second scorer who differs there."""
    random = np.random.default_rng(0)  # the same nights for every seed
    label = random.integers(0, 5, n_subjects * n_epochs)
    hard = random.random(len(label)) < 0.3
    second = np.where(hard & (random.random(len(label)) < 0.6), (label + 1) % 5, label)
    random = np.random.default_rng(seed)
    scores = (
        random.normal(size=(len(label), 5))
        + sharp * np.where(hard, 0.5, 2)[:, None] * np.eye(5)[label]
    )
    odds = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return pd.DataFrame(
        {
            "corpus": "lab",
            "subject": np.repeat([f"s{i}" for i in range(n_subjects)], n_epochs),
            "recording": np.repeat([f"n{i}" for i in range(n_subjects)], n_epochs),
            "epoch": np.tile(np.arange(n_epochs), n_subjects),
            "label": NAMES[label],
            "label_2": NAMES[second],
            "prediction": NAMES[odds.argmax(axis=1)],
            **dict(zip(PROBABILITIES, odds.T, strict=True)),
        }
    )


def found(folder, *frames, **options):
    paths = []
    for i, one in enumerate(frames):
        paths.append(folder / f"p{i}.parquet")
        one.to_parquet(paths[-1])
    return evaluate(EvaluateConfig(tuple(paths), **options))


# Review


def test_errors_found_are_those_of_the_least_certain_epochs_of_each_night(tmp_path):
    data = frame()
    review = found(tmp_path, data).values["review"]
    wrong = data["prediction"] != data["label"]
    certainty = data[list(PROBABILITIES)].max(axis=1)
    rank = certainty.groupby(data["recording"]).rank()
    for row in review["shares"]:
        expected = wrong[rank <= round(row["reviewed"] * 80)].sum()
        assert row["found"]["value"] == pytest.approx(expected / wrong.sum())
        assert row["accuracy"] == pytest.approx(1 - (wrong.sum() - expected) / len(data))
        assert row["found"]["low"] < row["found"]["value"] < row["found"]["high"]
        assert row["found"]["value"] > row["reviewed"], "better than at random"
    assert (review["epochs"], review["errors"]) == (len(data), wrong.sum())


def test_of_equally_certain_epochs_a_review_finds_what_one_at_random_does(tmp_path):
    data = frame()
    flat = 0.5 * (data["prediction"].to_numpy()[:, None] == NAMES) + 0.1
    data[list(PROBABILITIES)] = flat
    shares = found(tmp_path, data).values["review"]["shares"]
    assert [row["found"]["value"] for row in shares] == pytest.approx([0.05, 0.1, 0.2])


def test_without_probabilities_or_errors_there_is_no_review(tmp_path):
    data = frame()
    assert found(tmp_path, data.drop(columns=list(PROBABILITIES))).values["review"] is None
    right = frame()
    right["label"] = right["prediction"]
    assert found(tmp_path, right).values["review"] is None


# Ensembles


def test_an_ensemble_is_the_mean_of_the_probabilities_on_the_same_epochs(tmp_path):
    members = [frame(seed=seed) for seed in range(3)]
    shuffled = [members[0], members[1].sample(frac=1, random_state=1), members[2]]
    evaluated = found(tmp_path, *shuffled, combine=True)
    mean = np.mean([one[list(PROBABILITIES)] for one in members], axis=0)
    np.testing.assert_allclose(evaluated.first.probabilities, mean)
    assert (NAMES[evaluated.first.prediction] == NAMES[mean.argmax(axis=1)]).all()
    assert evaluated.values["file"] == "combined.parquet"
    assert [one["file"] for one in evaluated.values["comparisons"]] == [
        "p0.parquet",
        "p1.parquet",
        "p2.parquet",
    ]
    differences = [
        one["figures"]["accuracy"]["difference"] for one in evaluated.values["comparisons"]
    ]
    assert max(differences) < 0, "an ensemble of such members is better than each"
    said = np.array([one["prediction"] for one in members])
    agree = (said == said[0]).all(axis=0)
    right = NAMES[mean.argmax(axis=1)] == members[0]["label"]
    combined = evaluated.values["combined"]
    assert combined["agree"]["value"] == pytest.approx(agree.mean())
    assert combined["accuracy_agreed"]["value"] == pytest.approx(right[agree].mean())
    assert combined["accuracy_disputed"]["value"] == pytest.approx(right[~agree].mean())


def test_the_combined_file_is_a_predictions_file_with_the_same_figures(tmp_path):
    for seed in range(2):
        path = tmp_path / f"seed-{seed}.parquet"
        votes = np.where(np.arange(320) % 3, "0 0 3 0 0", "0 1 2 0 0")
        frame(seed=seed).assign(votes=votes).to_parquet(path)
        beside = {"psgimg": "0", "policy": ["open", "restricted"][seed]}
        path.with_name(f"{path.name}.json").write_text(json.dumps(beside))
    arguments = [str(tmp_path / f"seed-{seed}.parquet") for seed in range(2)] + ["--combine"]
    done = CliRunner().invoke(evaluate_command.evaluate, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    out = tmp_path / "seed-0-combined-evaluation"
    first = json.loads((out / "metrics.json").read_text())
    again = evaluate(EvaluateConfig((out / "combined.parquet",))).values
    for name in ("pooled", "calibration", "review", "scorers", "people"):
        assert again[name] == first[name], name
    assert again["source"]["combined"] == ["seed-0.parquet", "seed-1.parquet"]
    assert again["source"]["policy"] == "restricted"
    report = (out / "report.md").read_text()
    assert "## Ensemble" in report
    assert "## Review" in report
    assert "Jensen–Shannon" in report


def test_members_of_other_epochs_labels_or_signals_or_without_probabilities_are_refused(tmp_path):
    def refused(other, said, told=None):
        if told is not None:
            (tmp_path / "p1.parquet.json").write_text(json.dumps(told))
        with pytest.raises(BuildError, match=said):
            found(tmp_path, frame(), other, combine=True)

    refused(frame().iloc[1:], r"lacks 1 of the 320 epochs .*n0 epoch 0")
    refused(frame().assign(label="W"), "disagree on the label")
    silent = frame()
    silent.loc[3:5, list(PROBABILITIES)] = None
    refused(silent, r"p1\.parquet has no probabilities of 3 epochs; predict with --mode score")
    refused(frame(seed=1), "corrupted in different ways", {"corruption": {"spec": "noise"}})
    with pytest.raises(BuildError, match="is one file; give at least two"):
        found(tmp_path, frame(), combine=True)
    own = (tmp_path / "combined.parquet", tmp_path / "p0.parquet")
    with pytest.raises(BuildError, match="is read and would be replaced; choose another --out"):
        EvaluateConfig(own, combine=True, out=tmp_path)


# Doubt and dispute


def test_doubt_is_measured_by_the_area_under_the_curve_of_the_scorers_disputes(tmp_path):
    members = [frame(seed=seed) for seed in range(3)]
    members[0].loc[:9, "label_2"] = None
    evaluated = found(tmp_path, *members, combine=True)
    doubt, twice = evaluated.values["doubt"], members[0]["label_2"].notna()
    disputed = (members[0]["label"] != members[0]["label_2"])[twice]
    odds = np.stack([one[list(PROBABILITIES)] for one in members])
    entropy = -(odds.mean(axis=0) * np.log(odds.mean(axis=0))).sum(axis=1)
    spread = entropy + (odds * np.log(odds)).sum(axis=2).mean(axis=0)
    assert (doubt["epochs"], doubt["disputed"]) == (310, disputed.sum())
    assert doubt["entropy"]["value"] == pytest.approx(roc_auc_score(disputed, entropy[twice]))
    assert doubt["members"]["value"] == pytest.approx(roc_auc_score(disputed, spread[twice]))
    assert doubt["entropy"]["low"] < doubt["entropy"]["value"] < doubt["entropy"]["high"]
    single = found(tmp_path, members[0]).values["doubt"]
    assert single["members"] is None


def test_the_interval_of_an_area_is_that_of_areas_without_each_subject():
    random = np.random.default_rng(1)
    values = [np.round(random.random(n), 1) for n in (30, 50, 40, 20)]  # with draws
    positive = [random.random(len(one)) < 0.2 + 0.5 * one for one in values]
    found = disagreement.area(values, positive)
    assert found.value == pytest.approx(roc_auc_score(np.hstack(positive), np.hstack(values)))
    without = [
        roc_auc_score(
            np.hstack([p for j, p in enumerate(positive) if j != i]),
            np.hstack([v for j, v in enumerate(values) if j != i]),
        )
        for i in range(4)
    ]
    ends = disagreement.jackknife.ends(found.value, without, (30, 50, 40, 20), within=(0, 1))
    assert found[1:] == pytest.approx(ends)


def test_scorers_who_never_or_always_differ_have_no_curve(tmp_path):
    same = frame()
    same["label_2"] = same["label"]
    assert found(tmp_path, same).values["doubt"] is None


# People


def test_each_scorer_is_compared_with_the_others_as_if_their_names_were_known(tmp_path):
    random = np.random.default_rng(2)
    data = frame()
    codes = np.array([STAGE_NAMES.index(stage) for stage in data["label"]])
    scorers = np.where(
        random.random((5, len(data))) < 0.7, codes, random.integers(0, 5, (5, len(data)))
    )
    votes = np.array([np.bincount(column, minlength=5) for column in scorers.T])
    data["votes"] = [" ".join(map(str, row)) for row in votes]
    data.loc[:7, "votes"] = None
    people = found(tmp_path, data).values["people"]
    pairs, model, tied = [], [], 0
    for row in range(8, len(data)):
        for i in range(5):
            ranked = Counter(np.delete(scorers[:, row], i).tolist()).most_common(2)
            if len(ranked) > 1 and ranked[0][1] == ranked[1][1]:
                tied += 1
                continue
            pairs.append((ranked[0][0], scorers[i, row]))
            model.append((ranked[0][0], STAGE_NAMES.index(data["prediction"][row])))
    assert (people["comparisons"], people["tied"]) == (len(pairs), tied)
    assert (people["scorers"], people["subjects"]) == (5, 4)
    for figures, expected in ((people["figures"], pairs), (people["model_on_same"], model)):
        assert figures["kappa"]["value"] == pytest.approx(
            cohen_kappa_score(*zip(*expected, strict=True))
        )
        assert figures["kappa"]["low"] is not None


def test_votes_say_where_scorers_differ_and_where_there_are_none_the_second_scorer_does(tmp_path):
    data = frame()
    split = np.random.default_rng(3).random(len(data)) < 0.2
    data["votes"] = np.where(split, "0 1 2 0 0", "0 0 3 0 0")
    data.loc[:99, "votes"] = None
    differ = np.where(np.arange(len(data)) < 100, data["label"] != data["label_2"], split)
    doubt = found(tmp_path, data).values["doubt"]
    assert (doubt["epochs"], doubt["disputed"]) == (len(data), differ.sum())
    odds = data[list(PROBABILITIES)].to_numpy()
    entropy = -(odds * np.log(odds)).sum(axis=1)
    assert doubt["entropy"]["value"] == pytest.approx(roc_auc_score(differ, entropy))


def test_every_report_has_the_line_of_the_scorers_and_where_doubt_finds_their_disputes(tmp_path):
    data = frame()
    data["votes"] = np.where(data["label"] == data["label_2"], "0 0 3 0 0", "0 1 2 0 0")
    data.to_parquet(tmp_path / "p.parquet")
    words = [str(tmp_path / "p.parquet"), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(evaluate_command.evaluate, words, catch_exceptions=False)
    told = [
        (tmp_path / "out" / name).read_text() for name in ("report.md", "report.html", "table.tex")
    ]
    for text in (result.output, *told):
        assert "each scorer" in text
        assert "second scorer" in text
    differ = int((data["label"] != data["label_2"]).sum())
    assert f"Scorers differ on {differ} of 320 epochs; AUC 0." in " ".join(result.output.split())
    assert "## Doubt and dispute" in told[0]


def test_two_scorers_are_no_vote(tmp_path):
    assert found(tmp_path, frame().assign(votes="0 1 1 0 0")).values["people"] is None


@pytest.mark.parametrize("votes", ["1 2 3", "0 0 0 0 0", "a b c d e", "1,2,0,0,0", "-1 2 0 0 0"])
def test_votes_that_count_nobody_are_refused(tmp_path, votes):
    with pytest.raises(BuildError, match=rf"has the votes '{votes}'; give the number of scorers"):
        found(tmp_path, frame().assign(votes=votes))
