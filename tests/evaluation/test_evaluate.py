"""Evaluate: any tool's predictions, no epoch left out, and the figures of scikit-learn."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.evaluation import evaluate as evaluation
from psgimg.finetune.evaluation.evaluate_config import EvaluateConfig
from psgimg.finetune.metrics.predictions import PROBABILITIES
from psgimg.finetune.terminal import evaluate_command
from sklearn_figures import reference

NIGHTS = (
    ("hmc", "1", "1-a", 0),
    ("hmc", "1", "1-b", 40),
    ("hmc", "2", "2", 3),
    ("isruc", "1", "1-a", 0),
    ("isruc", "2", "2", 7),
)
"""Names that mean something in their corpus only, two nights of a subject, late starts."""


def frame_of(nights=NIGHTS, seed=0, n_epochs=60):
    """Predictions that are right more often than not, and sometimes none at all."""
    random = np.random.default_rng(seed)
    found = []
    for corpus, subject, recording, start in nights:
        label = random.integers(0, 5, n_epochs)
        other = random.integers(-1, 5, n_epochs)
        guess = np.where(random.random(n_epochs) < 0.6, label, other)
        second = np.where(random.random(n_epochs) < 0.8, label, random.integers(0, 5, n_epochs))
        found.append(
            pd.DataFrame(
                {
                    "corpus": corpus,
                    "subject": subject,
                    "recording": recording,
                    "epoch": start + np.arange(n_epochs),
                    "label": np.array(STAGE_NAMES)[label],
                    "prediction": np.array([*STAGE_NAMES, None], object)[guess],
                    "label_2": np.array([*STAGE_NAMES, None], object)[
                        second if corpus == "isruc" else np.full(n_epochs, -1)
                    ],
                }
            )
        )
    return pd.concat(found, ignore_index=True)


def evaluated(*frames, folder, suffix=".parquet", **options):
    paths = []
    for i, frame in enumerate(frames):
        path = folder / f"p{i}{suffix}"
        if suffix == ".parquet":
            frame.to_parquet(path)
        else:
            frame.to_csv(path, index=False)
        paths.append(path)
    return evaluation.evaluate(EvaluateConfig(tuple(paths), **options))


def numbers(column):
    return [STAGE_NAMES.index(stage) if stage in STAGE_NAMES else -1 for stage in column]


def same_as_scikit_learn(figures, frame, other="prediction"):
    for name, value in reference(numbers(frame["label"]), numbers(frame[other])).items():
        assert figures[name] == pytest.approx(value, abs=1e-12), name


def value_of(figures):
    return {name: figure["value"] for name, figure in figures.items()}


@pytest.fixture
def frame():
    return frame_of()


@pytest.fixture
def values(frame, tmp_path):
    return evaluated(frame, folder=tmp_path).values


def test_every_figure_is_that_of_scikit_learn(frame, values):
    same_as_scikit_learn(value_of(values["pooled"]["figures"]), frame)
    for corpus, found in values["by_corpus"].items():
        same_as_scikit_learn(value_of(found["figures"]), frame[frame["corpus"] == corpus])
    for row in values["recordings"]:
        mine = (frame["corpus"] == row["corpus"]) & (frame["recording"] == row["recording"])
        same_as_scikit_learn(row, frame[mine])
    for row in values["subjects"]:
        mine = frame[(frame["corpus"] == row["corpus"]) & (frame["subject"] == row["subject"])]
        expected = reference(numbers(mine["label"]), numbers(mine["prediction"]))
        for name in ("accuracy", "macro_f1", "kappa"):
            assert row[name] == pytest.approx(expected[name], abs=1e-12)


def test_every_denominator_is_reported(frame, values):
    no_answer = int(frame["prediction"].isna().sum())
    assert no_answer > 10
    counts = {"epochs": 300, "recordings": 5, "subjects": 4, "no_answer": no_answer}
    assert values["counts"] == counts
    parts = [found["counts"] for found in values["by_corpus"].values()]
    assert {name: sum(part[name] for part in parts) for name in counts} == counts
    assert [part["recordings"] for part in parts] == [3, 2]
    assert [row["epochs"] for row in values["subjects"]] == [120, 60, 60, 60]
    assert np.sum(values["pooled"]["confusion"]) == 300
    assert np.sum(values["pooled"]["confusion"], axis=0)[5] == no_answer


def test_an_epoch_without_an_answer_is_wrong_and_noted(frame, tmp_path):
    frame["prediction"] = frame["label"]
    frame.loc[:29, "prediction"] = None
    found = evaluated(frame, folder=tmp_path)
    assert found.values["pooled"]["figures"]["accuracy"]["value"] == 0.9
    assert found.notes[0] == "No valid answer to 30 of 300 epochs (10.0 %); these count as wrong."


def test_where_two_scored_their_agreement_is_the_ceiling_on_the_same_epochs(frame, values):
    scorers, both = values["scorers"], frame[frame["label_2"].notna()]
    assert (scorers["epochs"], scorers["recordings"], scorers["subjects"]) == (120, 2, 2)
    same_as_scikit_learn(value_of(scorers["figures"]), both, "label_2")
    same_as_scikit_learn(value_of(scorers["model_on_same"]), both)
    isruc = values["by_corpus"]["isruc"]["figures"]
    assert scorers["model_on_same"] == isruc, "the same epochs and subjects"


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_the_order_of_the_rows_moves_nothing_and_the_bytes_are_the_same(frame, tmp_path, suffix):
    written = []
    for i, rows in enumerate((frame, frame.sample(frac=1, random_state=1))):
        folder = tmp_path / str(i)
        folder.mkdir()
        path = evaluation.write(folder, evaluated(rows, folder=folder, suffix=suffix))
        written.append(path.read_bytes())
    assert written[0] == written[1]
    assert b"NaN" not in written[0]
    assert json.loads(written[0])["counts"]["epochs"] == len(frame)


def test_a_plain_table_of_four_columns_is_enough(frame, values, tmp_path):
    one = frame[frame["corpus"] == "hmc"]
    plain = one[["recording", "epoch", "label", "prediction"]]
    found = evaluated(plain, folder=tmp_path, suffix=".csv").values
    assert found["pooled"]["confusion"] == values["by_corpus"]["hmc"]["confusion"]
    assert found["counts"]["subjects"] == found["counts"]["recordings"] == 3
    assert found["notes"][0] == "There is no column subject: each recording counts as a subject."
    assert found["source"] is None
    assert found["by_corpus"] == {}


def test_epochs_as_whole_floats_and_a_byte_order_mark_are_read(frame, tmp_path):
    frame["epoch"] = frame["epoch"].astype(float)
    frame.to_csv(tmp_path / "p.csv", index=False, encoding="utf-8-sig")
    found = evaluation.evaluate(EvaluateConfig((tmp_path / "p.csv",)))
    assert found.values["counts"]["epochs"] == len(frame)


def test_missing_epochs_are_counted_and_noted(frame, tmp_path):
    found = evaluated(frame.drop(index=[3, 4, 5, 70, 0]), folder=tmp_path)
    assert [row["missing"] for row in found.values["recordings"]] == [3, 1, 0, 0, 0]
    assert found.notes[1].startswith("4 epochs missing between the first and the last")


def test_nights_come_as_arrays_in_order_of_time(frame, tmp_path):
    found = evaluated(frame.sample(frac=1, random_state=2), folder=tmp_path)
    assert len(found.nights) == len(found.values["recordings"])
    for (corpus, _, recording, start), night in zip(NIGHTS, found.nights, strict=True):
        mine = frame[(frame["corpus"] == corpus) & (frame["recording"] == recording)]
        assert list(night.epochs) == list(range(start, start + 60))
        assert list(night.labels) == numbers(mine["label"])
        assert list(night.predictions) == numbers(mine["prediction"])
        assert night.probabilities is None


def test_what_lies_beside_the_file_is_its_source(frame, tmp_path):
    beside = {"settings": {"model": "m"}, "corruption": {"spec": "noise:snr_db=0"}}
    (tmp_path / "p0.parquet.json").write_text(json.dumps(beside))
    assert evaluated(frame, folder=tmp_path).values["source"] == beside
    (tmp_path / "p0.parquet.json").write_text("{")
    with pytest.raises(BuildError, match=r"p0.parquet.json is damaged .*; fix or remove it"):
        evaluated(frame, folder=tmp_path)


def test_calibration_is_computed_and_predictions_that_are_not_the_likeliest_are_noted(
    frame, tmp_path
):
    odds = np.full((len(frame), 5), 0.1)
    odds[range(len(frame)), [max(i, 0) for i in numbers(frame["prediction"])]] = 0.6
    frame[list(PROBABILITIES)] = odds
    found = evaluated(frame, folder=tmp_path)
    assert found.values["calibration"]["epochs"] == len(frame)
    assert found.nights[1].probabilities.shape == (60, 5)
    no_answer = int(frame["prediction"].isna().sum())
    assert found.notes[-1].startswith(f"In {no_answer} epochs the prediction is not the most")
    frame.loc[5:, list(PROBABILITIES)] = np.nan
    found = evaluated(frame, folder=tmp_path)
    assert found.values["calibration"]["epochs"] == 5
    assert "5 of 300 epochs have probabilities." in found.notes


def test_one_subject_has_figures_and_no_interval(frame, tmp_path):
    found = evaluated(frame[:120], folder=tmp_path)
    accuracy = found.values["pooled"]["figures"]["accuracy"]
    assert accuracy["value"] > 0.5
    assert accuracy["low"] is accuracy["high"] is None
    assert "No intervals: 1 subject; at least 3 are needed." in found.notes


def test_two_subjects_have_figures_and_no_interval_and_three_have(frame, tmp_path):
    for n_epochs, people, has in ((180, 2, False), (240, 3, True)):
        found = evaluated(frame[:n_epochs], frame[:n_epochs], folder=tmp_path)
        assert found.values["counts"]["subjects"] == people
        low = found.values["pooled"]["figures"]["accuracy"]["low"]
        assert (low is not None) is has
        said = f"No intervals: {people} subjects; at least 3 are needed." in found.notes
        assert said is not has


def test_each_metric_without_an_interval_is_noted_with_its_reason(frame, tmp_path):
    """N3 is found in two of four people only, and W is right throughout in all of them."""
    rare = (frame["label"] == "N3") & (frame["subject"] == "1")
    frame.loc[rare, "label"] = "N2"
    frame.loc[frame["label"] == "W", "prediction"] = "W"
    frame.loc[(frame["label"] != "W") & (frame["prediction"] == "W"), "prediction"] = None
    found = evaluated(frame, folder=tmp_path)
    figures = found.values["pooled"]["figures"]
    assert figures["f1_N3"]["value"] is not None
    assert figures["f1_N3"]["low"] is figures["f1_W"]["low"] is None
    assert figures["f1_N2"]["low"] is not None
    few = "N3 was scored in 2 subjects; at least 3 are needed"
    assert figures["f1_N3"]["reason"] == few
    assert f"No interval of F1 N3: {few}." in found.notes
    assert "No interval of F1 W: the same in every subject." in found.notes
    assert "No intervals in hmc: 2 subjects; at least 3 are needed." in found.notes
    assert figures["macro_f1"]["reason"] is None


# Comparisons


def test_a_file_compared_with_itself_differs_by_nothing_and_has_no_interval(frame, tmp_path):
    shuffled = frame.sample(frac=1, random_state=3)
    evaluation = evaluated(frame, shuffled, folder=tmp_path)
    (found,) = evaluation.values["comparisons"]
    assert found["epochs"] == 300
    for figure in found["figures"].values():
        assert figure["difference"] == 0
        assert figure["low"] is figure["high"] is None
    same = "difference of p1.parquet: the same in every subject."
    assert any(note.startswith("No intervals") and note.endswith(same) for note in evaluation.notes)


def test_a_difference_is_second_minus_first_on_the_same_epochs(frame, tmp_path):
    other = frame_of()
    other["prediction"] = frame_of(seed=9)["prediction"]
    plain = other[other["corpus"] == "hmc"][["recording", "epoch", "label", "prediction"]]
    first = frame[frame["corpus"] == "hmc"].assign(subject=plain["recording"])  # three of them
    found = evaluated(first, plain.iloc[::-1], folder=tmp_path).values
    figures = found["comparisons"][0]["figures"]
    alone = evaluated(plain, folder=tmp_path).values["pooled"]["figures"]
    for name, figure in figures.items():
        assert figure["first"] == found["pooled"]["figures"][name]["value"]
        assert figure["second"] == pytest.approx(alone[name]["value"], abs=1e-15)
        assert figure["difference"] == figure["second"] - figure["first"]
    assert figures["accuracy"]["high"] < 0


def test_files_of_one_name_are_distinguished_by_their_folders(frame, tmp_path):
    paths = [tmp_path / name / "p.csv" for name in ("clean", "noisy")]
    for path in paths:
        path.parent.mkdir()
        frame.to_csv(path, index=False)
    found = evaluation.evaluate(EvaluateConfig(tuple(paths))).values
    assert (found["file"], found["comparisons"][0]["file"]) == ("clean/p.csv", "noisy/p.csv")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.drop(index=[7, 9]), r"p1.parquet lacks 2 of the 300 epochs of .*p0.parquet "),
        (lambda f: f.drop(index=[7, 9]), r"\(the first is 1-a epoch 7\); compare predictions of"),
        (lambda f: f.assign(corpus=f["corpus"] + "2"), "p1.parquet lacks 300 of the 300 epochs"),
        (lambda f: f.drop(columns="corpus")[:180], "p0.parquet: several corpora have a recording"),
        (
            lambda f: f.assign(label=[("W", "N1")[x == "W"] for x in f["label"]]),
            r"disagree on the label of .* epochs \(.*\); use labels of the same scorer",
        ),
    ],
)
def test_predictions_of_other_epochs_are_not_compared(frame, tmp_path, change, said):
    with pytest.raises(BuildError, match=said) as caught:
        evaluated(frame, change(frame), folder=tmp_path)
    assert "\n" not in str(caught.value)


def test_a_second_file_with_more_epochs_is_not_compared_either(frame, tmp_path):
    with pytest.raises(BuildError, match=r"p0.parquet lacks 1 of the 300 epochs of .*p1.parquet"):
        evaluated(frame[1:], frame, folder=tmp_path)


# The command


def test_the_command_writes_the_report_and_prints_metrics_differences_and_notes(frame, tmp_path):
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for path in paths:
        frame.to_csv(path, index=False)
    done = CliRunner().invoke(evaluate_command.evaluate, [*map(str, paths)], catch_exceptions=False)
    assert done.exit_code == 0
    written = {path.name for path in (tmp_path / "a-evaluation").iterdir()}
    assert {"metrics.json", "report.md", "report.html"} <= written
    said = " ".join(done.output.split())
    assert "300 epochs, 5 recordings, 4 subjects; 95 % intervals over subjects in brackets" in said
    assert "120 epochs were scored twice: predictions second scorer" in said
    assert "+0.000 [" not in said
    assert "No intervals, difference of b.csv: the same in every subject." in said
    assert "No valid answer to" in said
    accuracy = json.loads((tmp_path / "a-evaluation" / "metrics.json").read_text())["pooled"]
    accuracy = accuracy["figures"]["accuracy"]
    assert "accuracy {value:.3f} [{low:.3f}, {high:.3f}]".format(**accuracy) in said


def test_help_of_the_command_imports_no_heavy_library():
    heavy = "{'numpy', 'pyarrow', 'matplotlib', 'torch', 'rich'}"
    code = f"import sys, psgimg.finetune.terminal.evaluate_command; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-P", "-c", code], check=True)


# Bad input


def plain(rows="", head="recording,epoch,label,prediction"):
    return f"{head}\n{rows}"


BAD = [
    (
        plain("a,0,N2,N2\na,0,N2,W"),
        "p.csv: a epoch 0 occurs 2 times; keep one prediction per epoch",
    ),
    (plain("a,0,Q,W\nb,0,Q,W"), r"2 epochs have the label 'Q' \(first row 1\); stages are W, N1,"),
    (
        plain("a,0,MT,W"),
        "the label 'MT' .*; stages are W, N1, N2, N3, REM; leave out unscored epochs",
    ),
    (
        plain("a,0,2,W"),
        "the label '2' .*; give the stages of numbers, such as --codes 0=W,1=N1,2=N2,3=N3,4=REM",
    ),
    (plain("a,0,N2,I think N2"), "leave the field empty if there is no valid answer"),
    (plain("a,0,,W"), "has no label; leave out unscored epochs"),
    (plain("a,0.5,W,W"), "column 'epoch': .*0.5.*; fix the values"),
    (plain("a,-1,W,W"), r"row 1 \(a\) has the epoch -1; number epochs from the start"),
    (plain("a,1700000000,W,W"), "has the epoch 1700000000; number epochs"),
    (plain(",0,W,W"), r"row 1 \(epoch 0\) has no recording; fill it in"),
    (plain("a,0,W,\na,1,W,"), "has no prediction for any of its 2 epochs"),
    (plain(), "has no rows"),
    ("", "Empty CSV file"),
    (
        plain("a;0;W;W", "recording;epoch;label;prediction"),
        r"no column 'recording' \(found: recording;epoch;label;prediction\); separate the columns by commas, not by ';'",
    ),
    (
        plain("a,0,W,W,N1", "recording,epoch,label,prediction,label"),
        "several columns are named 'label'; keep one",
    ),
    (
        plain("x,a,0,W,W\ny,a,1,W,W", "subject,recording,epoch,label,prediction"),
        "recording a has two subjects, x and y; give each recording a unique name",
    ),
]


@pytest.mark.parametrize(("text", "said"), BAD)
def test_a_file_without_valid_predictions_is_refused_in_one_line(tmp_path, text, said):
    path = tmp_path / "p.csv"
    path.write_text(text)
    with pytest.raises(BuildError, match=said) as caught:
        evaluation.evaluate(EvaluateConfig((path,)))
    assert "\n" not in str(caught.value)
    assert "p.csv" in str(caught.value)


def test_answers_that_are_all_invalid_have_metrics_and_are_no_error(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("recording,epoch,label,prediction,raw\na,0,W,,hm\na,1,N2,,hm\n")
    found = evaluation.evaluate(EvaluateConfig((path,))).values
    assert found["pooled"]["figures"]["accuracy"]["value"] == 0
    assert found["counts"]["no_answer"] == 2
