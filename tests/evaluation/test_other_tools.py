"""Other tools: U-Sleep, YASA, POPS and SleepVLM are read as they write, and joined with the right epochs."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.evaluation.evaluate import evaluate
from psgimg.finetune.evaluation.evaluate_config import EvaluateConfig
from psgimg.finetune.evaluation.other_tools import (
    pops_files,
    sleepvlm_files,
    tools,
    usleep_files,
    yasa_files,
)
from psgimg.finetune.terminal import evaluate_command

NIGHT = [0, 0, 1, 2, 2, 3, 4, 0]
WORDS = [STAGE_NAMES[stage] for stage in NIGHT]
ODDS = np.full((8, 5), 0.1) + 0.5 * np.eye(5)[NIGHT]


def labels(folder, recordings=("n1",), stages=WORDS, start=0, **columns):
    frame = pd.DataFrame(
        [
            {"corpus": "lab", "subject": f"s-{name}", "recording": name, "epoch": start + i}
            | {"label": stage, **columns}
            for name in recordings
            for i, stage in enumerate(stages)
            if stage
        ]
    )
    path = folder / "labels.csv"
    frame.to_csv(path, index=False)
    return path


def found(tool, paths, labels, **options):
    paths = paths if isinstance(paths, tuple) else (paths,)
    return evaluate(EvaluateConfig(paths, tool=tool, labels=str(labels), **options))


def text(path, content):
    path.write_text(content)
    return path


# What each tool writes


@pytest.fixture(scope="module")
def yasa(tmp_path_factory):
    """Files that YASA itself wrote of one night."""
    folder = tmp_path_factory.mktemp("yasa")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from yasa import Hypnogram

        words = ["W", "R", "N1", "N2", "N2", "N3", "R", "W"]
        proba = pd.DataFrame(ODDS[:, [1, 2, 3, 4, 0]], columns=["N1", "N2", "N3", "R", "W"])
        night = Hypnogram(words, freq="30s", n_stages=5, scorer="YASA", proba=proba)
        night.to_json(folder / "whole.json")
        night.hypno.to_csv(folder / "hypno.csv")
        night.as_events().to_csv(folder / "events.csv")
        night.as_int().to_csv(folder / "numbers.csv")
        night.proba.to_csv(folder / "proba.csv")
        proba.to_csv(folder / "before-0.7.csv")
        Hypnogram(words, freq="30s", start="2022-12-15 22:30:00").hypno.to_csv(folder / "times.csv")
        short = Hypnogram(words, freq="15s")
        short.to_json(folder / "short.json")
        short.as_events().to_csv(folder / "short.csv")
        Hypnogram(["WAKE", "SLEEP"], n_stages=2).to_json(folder / "two.json")
        Hypnogram(["ART", "N2", "UNS"]).hypno.to_csv(folder / "none.csv")
    return folder


YASA_NIGHT = [0, 4, *NIGHT[2:]]


@pytest.mark.parametrize(
    "name", ["whole.json", "hypno.csv", "events.csv", "numbers.csv", "times.csv"]
)
def test_hypnograms_that_yasa_wrote_are_read(yasa, name):
    [night] = yasa_files.read(yasa / name)
    assert night.stages.tolist() == YASA_NIGHT
    assert (night.probabilities is None) == (name != "whole.json")


@pytest.mark.parametrize("name", ["whole.json", "proba.csv", "before-0.7.csv"])
def test_probabilities_that_yasa_wrote_are_those_of_the_stages(yasa, name):
    [night] = yasa_files.read(yasa / name)
    np.testing.assert_allclose(night.probabilities, ODDS, atol=1e-6)
    if name != "whole.json":
        assert night.stages.tolist() == NIGHT, "the most probable stages"


def test_what_yasa_calls_an_artefact_or_unscored_has_no_stage(yasa):
    assert yasa_files.read(yasa / "none.csv")[0].stages.tolist() == [-1, 2, -1]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("short.json", "epochs of 15 s; save the hypnogram before it is resampled"),
        ("short.csv", "epochs of 15 s"),
        ("two.json", "2 stages; stage into five"),
    ],
)
def test_a_hypnogram_of_other_epochs_or_stages_is_refused(yasa, name, said):
    with pytest.raises(BuildError, match=said):
        yasa_files.read(yasa / name)


RUNS = "init_sec\tduration_sec\tstage\n0\t60\tW\n60\t30\tN1\n90\t60\tN2\n150\t30\tN3\n180\t30\tREM\n210\t30\tW\n"


def test_every_form_of_usleep_is_the_same_night(tmp_path):
    arrays = {"flat": NIGHT, "column": [[s] for s in NIGHT], "softmax": ODDS * 3}
    for name, values in arrays.items():
        np.save(tmp_path / f"{name}_PRED.npy", np.array(values))
    runs = RUNS.split("\n", 1)[1]
    nights = [
        *(usleep_files.read(tmp_path / f"{name}_PRED.npy")[0] for name in arrays),
        usleep_files.read(text(tmp_path / "a.tsv", RUNS))[0],
        usleep_files.read(text(tmp_path / "a.ids", runs.replace("\t", ",")))[0],
        usleep_files.read(text(tmp_path / "a.hyp", "\n".join(WORDS)))[0],
    ]
    assert [night.stages.tolist() for night in nights] == [NIGHT] * 6
    assert nights[0].name == "flat_PRED"
    np.testing.assert_allclose(nights[2].probabilities, ODDS, err_msg="sums over channel groups")


def test_an_epoch_of_finer_runs_has_the_stage_of_most_of_its_seconds(tmp_path):
    runs = "0,14,W\n14,16,N1\n30,15,N2\n45,15,W\n60,31,REM\n91,13,N3\n"
    [night] = usleep_files.read(text(tmp_path / "a.ids", runs))
    assert night.stages.tolist() == [1, 0, 4], "of 15 s each the first stage; 13 s are no epoch"
    gap = "0,30,W\n30,10,N1\n60,30,N2\n"
    assert usleep_files.read(text(tmp_path / "b.ids", gap))[0].stages.tolist() == [0, -1, 2]


def test_what_usleep_does_not_know_has_no_stage(tmp_path):
    np.save(tmp_path / "a.npy", np.array([0, 5, 2]))
    assert usleep_files.read(tmp_path / "a.npy")[0].stages.tolist() == [0, -1, 2]


def test_more_stages_than_epochs_in_a_week_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((28_800, 1), np.int64))
    with pytest.raises(BuildError, match=r"28,800 stages .*; write one stage for every 30 s"):
        usleep_files.read(tmp_path / "a.npy")


POPS = (
    "ID\tE\tCONF\tFLAG\tPP_N1\tPP_N2\tPP_N3\tPP_R\tPP_W\tPRED\tPRIOR\tSTART\tSTOP\n"
    "n1\t1\t0.6\t0\t0.1\t0.1\t0.1\t0.1\t0.6\tW\tW\t22:00:00.000\t22:00:30.000\n"
    "n1\t2\tNA\t-1\tNA\tNA\tNA\tNA\tNA\tNA\tNA\t22:00:30.000\t22:01:00.000\n"
    "n1\t3\t0.6\t1\t0.1\t0.1\t0.1\t0.6\t0.1\tR\tN2\t22:01:00.000\t22:01:30.000\n"
    "n2\t2\t0.6\t0\t0.1\t0.1\t0.6\t0.1\t0.1\tN3\tN3\t22:00:30.000\t22:01:00.000\n"
)
LUNA = "ID\tE\tFLAG\tPRED\tPRIOR\nn1\t1\t0\tN1\tN1\nn1\t2\t1\tR\t?\nn1\t3\t0\tW\tW\n"
"""Written by lunapi 1.7.0, but for the numbers of the epochs."""


def test_the_table_of_pops_counts_from_one_and_has_many_recordings(tmp_path):
    one, other = pops_files.read(text(tmp_path / "pops.txt", POPS))
    assert (one.name, one.stages.tolist()) == ("n1", [0, -1, 4])
    assert (other.name, other.stages.tolist()) == ("n2", [-1, 3])
    np.testing.assert_allclose(one.probabilities[[0, 2]], 0.1 + 0.5 * np.eye(5)[[0, 4]])
    assert np.isnan(one.probabilities[1]).all()
    [luna] = pops_files.read(text(tmp_path / "luna.txt", LUNA))
    assert (luna.stages.tolist(), luna.probabilities) == ([1, 4, 0], None)


def test_an_epoch_twice_in_the_table_of_pops_is_refused(tmp_path):
    with pytest.raises(BuildError, match="an epoch twice; write the table of one model"):
        pops_files.read(text(tmp_path / "pops.txt", POPS + POPS.split("\n")[1] + "\n"))


def sleepvlm(epochs, subject="n1", **changed):
    """Lines as SleepVLM writes them: all epochs but the first and the last."""
    return "".join(
        json.dumps(
            {
                "custom_id": f"{subject}#{i}_{'R' if WORDS[at] == 'REM' else WORDS[at]}",
                "sub_id": subject,
                "stage": WORDS[at],
                "label": NIGHT[at],
                "output": '{"sleep_stage": "N2"}',
                "pred": NIGHT[at],
                "pred_stage": WORDS[at],
                "rules_iou": float("nan"),
                "parse_error": None,
                **changed,
            }
        )
        + "\n"
        for i, at in list(enumerate(epochs))[1:-1]
    )


def test_results_of_sleepvlm_are_read_and_an_answer_it_did_not_understand_is_none(tmp_path):
    path = text(tmp_path / "results.jsonl", sleepvlm(range(8)) + sleepvlm(range(8), "n2", pred=-1))
    one, other = sleepvlm_files.read(path)
    assert (one.name, one.stages.tolist()) == ("n1", [-1, *NIGHT[1:-1]])
    assert one.scored.tolist() == [-1, *NIGHT[1:-1]]
    assert other.stages.tolist() == [-1] * 7


@pytest.mark.parametrize(
    ("tool", "name", "content"),
    [
        ("usleep", "a.hyp", "W\nX\n"),
        ("usleep", "a.tsv", "init_sec\tduration_sec\tstage\n30\t30\tW\n0\t30\tW\n"),
        ("usleep", "a.ids", "0,30\n"),
        ("usleep", "a.npy", "no array"),
        ("yasa", "a.json", "[1]"),
        ("yasa", "a.csv", "Epoch,YASA\n0,5\n"),
        ("yasa", "a.csv", "Epoch,YASA\n0\n"),
        ("yasa", "a.csv", ""),
        ("pops", "a.txt", "ID\tE\nn1\t1\n"),
        ("pops", "a.txt", "ID\tE\tPRED\nn1\t0\tW\n"),
        ("pops", "a.txt", "ID\tE\tPRED\nn1\t1\tX\n"),
        ("sleepvlm", "a.jsonl", "{}\n"),
        ("sleepvlm", "a.jsonl", '{"custom_id": "n1#0_W", "pred": 5}\n'),
        ("sleepvlm", "a.jsonl", "{" * 3000),
    ],
)
def test_a_file_that_is_none_of_the_tool_is_refused_in_one_line(tmp_path, tool, name, content):
    path = text(tmp_path / name, content)
    with pytest.raises(BuildError, match=r"a file as (it|the tool) writes") as caught:
        tools.TOOLS[tool].read(path)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


# Joined with scored epochs


def test_epochs_are_joined_by_number_and_what_was_not_staged_is_wrong(tmp_path, yasa):
    night = tmp_path / "n1.json"
    night.write_bytes((yasa / "whole.json").read_bytes())
    evaluated = found("yasa", night, labels(tmp_path, stages=[*WORDS[4:], "W", "W"], start=4))
    assert evaluated.first.prediction.tolist() == [*NIGHT[4:], -1, -1]
    assert evaluated.values["pooled"]["figures"]["accuracy"]["value"] == 4 / 6
    assert "YASA states no stage of 2 epochs that the scorer staged." in evaluated.notes
    assert evaluated.values["calibration"]["epochs"] == 4


def test_a_folder_has_a_file_for_each_recording_and_the_rest_is_counted(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    for name in ("n1_PRED", "n1_TRUE", "n2-psg", "n10", "log"):
        np.save(folder / f"{name}.npy", np.array(NIGHT))
    evaluated = found("usleep", folder, labels(tmp_path, ("n1", "n2", "n3")))
    assert [key.recording for key in evaluated.first.recordings] == ["n1", "n2"]
    assert evaluated.values["pooled"]["figures"]["accuracy"]["value"] == 1
    assert "1 recording without a file of U-Sleep left out." in evaluated.notes
    assert "2 names of no scored recording: log.npy, n10.npy." in evaluated.notes


def test_letters_behind_the_number_of_a_recording_are_noted_and_digits_are_another_one(tmp_path):
    for name in ("SC4001E0-PSG", "SC40012"):
        np.save(tmp_path / f"{name}.npy", np.array(NIGHT))
    paths = tuple(tmp_path / f"{name}.npy" for name in ("SC4001E0-PSG", "SC40012"))
    evaluated = found("usleep", paths, labels(tmp_path, ("SC4001", "SC4002")))
    assert [key.recording for key in evaluated.first.recordings] == ["SC4001"]
    said = "Files matched by the beginning of their names: SC4001E0-PSG as SC4001."
    assert said in evaluated.notes
    assert "1 name of no scored recording: SC40012.npy." in evaluated.notes


def test_two_files_of_a_recording_or_none_are_refused(tmp_path):
    for name in ("n1_a", "n1_b", "other"):
        np.save(tmp_path / f"{name}.npy", np.array(NIGHT))
    scored = labels(tmp_path)
    with pytest.raises(BuildError, match=r"n1_a\.npy and .*n1_b\.npy are both of n1"):
        found("usleep", (tmp_path / "n1_a.npy", tmp_path / "n1_b.npy"), scored)
    with pytest.raises(BuildError, match=r"\(found: other\.npy\); name it after one, such as n1"):
        found("usleep", tmp_path / "other.npy", scored)


def test_sleepvlm_counts_scored_epochs_alone_and_its_scoring_is_compared(tmp_path):
    kept = [0, 1, 3, 4, 5, 6, 7]
    scored = labels(tmp_path, stages=[word if i in kept else None for i, word in enumerate(WORDS)])
    evaluated = found("sleepvlm", text(tmp_path / "r.jsonl", sleepvlm(kept)), scored)
    assert evaluated.first.epoch.tolist() == kept
    assert evaluated.first.prediction.tolist() == [-1, *(NIGHT[i] for i in kept[1:-1]), -1]
    with pytest.raises(BuildError, match="other scored stages than --labels in 3 epochs"):
        found("sleepvlm", text(tmp_path / "r.jsonl", sleepvlm(range(7))), scored)


def test_epochs_of_another_length_are_refused(tmp_path):
    np.save(tmp_path / "n1.npy", np.array(NIGHT))
    with pytest.raises(BuildError, match="n1 has epochs of 20 s, and the tool has 30 s"):
        found("usleep", tmp_path / "n1.npy", labels(tmp_path, epoch_s=20))


def test_labels_may_be_numbers_by_their_codes(tmp_path):
    np.save(tmp_path / "n1.npy", np.array(NIGHT))
    scored = labels(tmp_path, stages=[str(stage) for stage in NIGHT])
    evaluated = found("usleep", tmp_path / "n1.npy", scored, codes="0=W,1=N1,2=N2,3=N3,4=REM")
    assert evaluated.values["pooled"]["figures"]["kappa"]["value"] == 1


def test_the_command_writes_predictions_that_others_are_compared_with(tmp_path):
    np.save(tmp_path / "n1.npy", ODDS)
    scored = labels(tmp_path)
    arguments = [str(tmp_path / "n1.npy"), "--from", "usleep", "--labels", str(scored)]
    for _ in range(2):  # an earlier report is replaced
        done = CliRunner().invoke(evaluate_command.evaluate, arguments, catch_exceptions=False)
        assert done.exit_code == 0, done.output
    made = tmp_path / "n1-evaluation" / "usleep.parquet"
    own = tmp_path / "own.csv"
    pd.read_csv(scored).assign(prediction="W").to_csv(own, index=False)
    compared = evaluate(EvaluateConfig((own, made)))
    [other] = compared.values["comparisons"]
    assert other["figures"]["accuracy"]["second"] == 1
    assert other["source"]["settings"]["model"] == "U-Sleep"
    assert any("U-Sleep learned from" in note for note in compared.notes)


def test_the_names_of_the_tools_in_the_help_are_those_that_are_read():
    assert tuple(tools.TOOLS) == evaluate_command.TOOLS


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tool": "yasa"}, r"--from needs --labels FILE\|DATASET"),
        ({"labels": "x"}, r"--labels needs --from usleep\|yasa\|pops\|sleepvlm"),
        ({"tool": "x", "labels": "x"}, "--from x: unknown tool"),
        ({"combine": True, "join": True}, "--join and --combine can't be used together"),
        ({"codes": "x"}, "--codes x: 'x' is no code"),
    ],
)
def test_options_that_do_not_go_together_are_refused(tmp_path, options, said):
    with pytest.raises(BuildError, match=said):
        EvaluateConfig((tmp_path / "a.csv",), **options)
