"""Joining: files of disjoint epochs are one, in any order, and overlap is refused."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.evaluation import evaluate as evaluation
from psgimg.finetune.evaluation.evaluate_config import EvaluateConfig
from psgimg.finetune.terminal import evaluate_command

NIGHTS = (("hmc", "1", "1-a"), ("hmc", "1", "1-b"), ("hmc", "2", "2"), ("isruc", "1", "1-a"))


@pytest.fixture(scope="module")
def frame():
    """Three people, two of the same name and one with two nights; a second scorer in one corpus."""
    random, frames = np.random.default_rng(0), []
    for corpus, subject, recording in NIGHTS:
        label, second = (np.array(STAGE_NAMES)[random.integers(0, 5, 60)] for _ in range(2))
        columns = {
            "corpus": corpus,
            "subject": subject,
            "recording": recording,
            "epoch": np.arange(40, 100),
            "label": label,
            "prediction": np.where(random.random(60) < 0.6, label, "N2"),
            "label_2": second if corpus == "isruc" else None,
            "epoch_s": 30.0 if corpus == "isruc" else 20.0,
            "unseen_lanes": "chin" if recording == NIGHTS[0][2] else None,
        }
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def written(folder, frames, folds=(), **source):
    """Files of predictions, with what `predict` writes beside them if folds are given."""
    paths = []
    for i, frame in enumerate(frames):
        path = folder / f"p{i}.parquet"
        frame.to_parquet(path)
        paths.append(path)
        if i < len(folds):
            settings = {"fold": {"number": folds[i], "of": 3}, "mode": "score", "weights": f"w{i}"}
            values = {"settings": settings, "policy": "open", **source}
            path.with_name(f"{path.name}.json").write_text(json.dumps(values))
    return tuple(paths)


def parts(frame):
    return [rows for _, rows in frame.groupby(["corpus", "subject"])]


def joined(paths):
    return evaluation.evaluate(EvaluateConfig(paths, join=True)).values


def figures(values):
    keys = ("counts", "pooled", "by_corpus", "subjects", "recordings", "scorers", "nights")
    return {key: values[key] for key in keys}


def test_files_of_people_joined_are_the_file_of_all(frame, tmp_path):
    (whole,) = written(tmp_path, [frame])
    expected = figures(evaluation.evaluate(EvaluateConfig((whole,))).values)
    paths = written(tmp_path, parts(frame))
    assert figures(joined(paths)) == figures(joined(paths[::-1])) == expected


def test_a_night_may_be_in_several_files_if_its_epochs_are_not(frame, tmp_path):
    (whole,) = written(tmp_path, [frame])
    expected = figures(evaluation.evaluate(EvaluateConfig((whole,))).values)
    odd = frame["epoch"] % 2 == 1
    assert figures(joined(written(tmp_path, [frame[odd], frame[~odd]]))) == expected


def test_lanes_that_a_model_had_never_seen_are_still_noted(frame, tmp_path):
    (whole,) = written(tmp_path, [frame])
    (note,) = [n for n in evaluation.evaluate(EvaluateConfig((whole,))).notes if "chin" in n]
    assert note in joined(written(tmp_path, parts(frame)))["notes"]


def test_whom_a_method_has_seen_elsewhere_is_told_of_all_files(frame, tmp_path):
    elsewhere = {"who": "the classifier", "corpora": ["mesa"], "source": "its paper"}
    paths = written(tmp_path, parts(frame), (0, 1, 2), learned_elsewhere=elsewhere)
    for path, told in zip(
        paths, ({}, {"a": "unknown"}, {"a": "seen", "b": "unknown"}), strict=True
    ):
        beside = path.with_name(f"{path.name}.json")
        beside.write_text(json.dumps(json.loads(beside.read_text()) | {"people_of": told}))
    source = joined(paths)["source"]
    assert source["people_of"] == {"a": "seen", "b": "unknown"}
    assert joined(paths[::-1])["source"] == source


def test_epochs_of_two_lengths_in_one_night_are_refused(frame, tmp_path):
    odd = frame["epoch"] % 2 == 1
    with pytest.raises(BuildError, match=r"last 30 s in .*, and 25 s in another file"):
        joined(
            written(tmp_path, [frame[odd].assign(epoch_s=25.0), frame[~odd].assign(epoch_s=30.0)])
        )


def test_an_epoch_in_two_files_is_refused_with_its_name_and_both_files(frame, tmp_path):
    first, second, *_ = parts(frame)
    paths = written(tmp_path, [first, second, first.tail(2)])
    with pytest.raises(
        BuildError, match=r"hmc 1-b epoch 98 is in \S*p0.parquet and in \S*p2.parquet \(2 "
    ):
        joined(paths)


@pytest.mark.parametrize("column", ["corpus", "subject"])
def test_files_that_name_people_differently_are_refused(frame, tmp_path, column):
    first, second, *_ = parts(frame)
    with pytest.raises(BuildError, match=f"p1.parquet has no column '{column}', which others have"):
        joined(written(tmp_path, [first, second.drop(columns=column)]))


def test_clean_and_corrupted_signals_do_not_mix(frame, tmp_path):
    paths = written(tmp_path, parts(frame)[:2], (0, 1))
    beside = tmp_path / "p1.parquet.json"
    beside.write_text(json.dumps({**json.loads(beside.read_text()), "corruption": {"spec": "x"}}))
    with pytest.raises(BuildError, match="corrupted in different ways"):
        joined(paths)


def test_the_report_says_what_was_joined_and_which_fold_is_missing(frame, tmp_path):
    paths = written(tmp_path, parts(frame)[:2], (0, 2))
    result = CliRunner().invoke(evaluate_command.evaluate, ["--join", *map(str, paths)])
    assert result.exit_code == 0, result.output
    out = tmp_path / "p0-joined-evaluation"
    values = json.loads((out / "metrics.json").read_text())
    assert values["joined"] == {
        "files": ["p0.parquet", "p1.parquet"],
        "folds": [0, 2],
        "of": 3,
        "differing": [],
    }
    report = (out / "report.md").read_text()
    assert report.startswith("# Evaluation of `p0.parquet` and 1 file joined to it\n\nPredicted")
    assert "Joined from 2 files of disjoint epochs, of the folds 0, 2." in report
    assert "The folds 1 of 3 are missing" in report
    assert values["counts"]["subjects"] == 2


def test_one_restricted_file_restricts_the_whole_and_other_settings_are_said(frame, tmp_path):
    paths = written(tmp_path, parts(frame)[:2], (0, 1))
    beside = tmp_path / "p1.parquet.json"
    values = json.loads(beside.read_text())
    values["settings"]["mode"] = "generate"
    beside.write_text(json.dumps({**values, "policy": "restricted"}))
    found = joined(paths)
    assert found["source"]["policy"] == "restricted"
    assert found["joined"]["differing"] == ["mode"]
    assert "The joined files differ in mode." in found["notes"]
