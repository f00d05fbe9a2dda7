"""Sleep statistics of predictions against the scorer's: by hand, by YASA on real scorings, by simulation."""

import csv
import json
import math

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.evaluation import evaluate as main_path
from psgimg.finetune.evaluation import evaluation_report
from psgimg.finetune.evaluation.clinical.agreement import agreement
from psgimg.finetune.evaluation.clinical.measures import MEASURES
from psgimg.finetune.evaluation.evaluate_config import EvaluateConfig
from psgimg.finetune.terminal import evaluate_command

CODES = {"W": "W", "1": "N1", "2": "N2", "3": "N3", "R": "REM", "?": None}
SCORED = "WWWW122233332W22RRRRWW2W"
PREDICTED = "WW111222233322222RRRWWWW"
ERRORS = {
    "tst_min": 1,
    "sleep_efficiency_pct": 100 * 2 / 24,
    "sol_min": -1,
    "rem_latency_min": 1.5,
    "waso_min": 0,
    "minutes_W": -1,
    "minutes_N1": 1,
    "minutes_N2": 1,
    "minutes_N3": -0.5,
    "minutes_REM": -0.5,
}
"""Predicted − scored, counted by hand. Scored: TST 16 epochs, SOL 4, first REM 12 after the onset, wake
after the onset 4 (1 inside, 3 about the end). Predicted: TST 18, SOL 2, first REM 15 after it, wake 4."""


def night(scored, predicted, subject="a", recording=None, start=0):
    pairs = enumerate(zip(scored, predicted, strict=True), start)
    return pd.DataFrame(
        [(subject, recording or subject, i, CODES[s], CODES[p]) for i, (s, p) in pairs],
        columns=["subject", "recording", "epoch", "label", "prediction"],
    )


def evaluated(folder, *frames, **columns):
    path = folder / "p.parquet"
    pd.concat(frames, ignore_index=True).assign(corpus="c", **columns).to_parquet(path)
    return main_path.evaluate(EvaluateConfig((path,)))


def errors(values, place=0):
    sleep = values["recordings"][place]["sleep"]
    return {name: figure["error"] for name, figure in sleep.items()}


def test_a_night_counted_by_hand(tmp_path):
    found = evaluated(tmp_path, night(SCORED, PREDICTED)).values
    assert errors(found) == pytest.approx(ERRORS)
    for name, figure in found["recordings"][0]["sleep"].items():
        assert figure["error"] == pytest.approx(figure["predicted"] - figure["scored"]), name
        assert found["nights"]["measures"][name]["bias"]["value"] == pytest.approx(ERRORS[name])
        assert found["nights"]["measures"][name]["mae"] == pytest.approx(abs(ERRORS[name]))
    assert found["nights"]["measures"]["tst_min"]["mean_scored"] == 8


def test_minutes_go_by_the_length_of_the_epochs_that_the_file_states(tmp_path):
    short = evaluated(tmp_path, night(SCORED, PREDICTED), epoch_s=20.0).values
    by_hand = {
        name: error * (1 if name.endswith("pct") else 2 / 3) for name, error in ERRORS.items()
    }
    assert errors(short) == pytest.approx(by_hand)
    assert short["transitions"]["hours"] == pytest.approx(23 * 20 / 3600)
    assert not any("epoch_s" in note for note in short["notes"])
    assumed = evaluated(tmp_path, night(SCORED, PREDICTED)).values
    assert any("not stated for 1 of 1 recordings" in note for note in assumed["notes"])


@pytest.mark.parametrize(
    ("lengths", "said"),
    [
        ([30.0] * 23 + [20.0], "a has the epoch_s 30 and 20; give a recording one length"),
        ([0.0] * 24, "a has the epoch_s 0; give the length of an epoch in seconds"),
        ([1800.0] * 24, "a has the epoch_s 1800; give"),
        ([30.0] * 23 + [math.nan], "a has the epoch_s 30 and nan; give"),
    ],
)
def test_an_impossible_length_of_epochs_is_refused(tmp_path, lengths, said):
    with pytest.raises(BuildError, match=said):
        evaluated(tmp_path, night(SCORED, PREDICTED), epoch_s=lengths)


def test_an_epoch_without_an_answer_lacks_in_the_predicted_minutes_and_no_night_is_dropped(
    tmp_path,
):
    silent = PREDICTED[:8] + "????" + PREDICTED[12:]
    found = evaluated(tmp_path, night(SCORED, silent)).values
    assert errors(found)["tst_min"] == ERRORS["tst_min"] - 2, (
        "four epochs are neither sleep nor wake"
    )
    assert errors(found)["minutes_N3"] == -2
    assert errors(found)["waso_min"] == ERRORS["waso_min"]
    nothing = evaluated(tmp_path, night(SCORED, PREDICTED), night(SCORED, "?" * 24, "b")).values
    assert nothing["nights"]["compared"] == 2
    assert errors(nothing, 1)["tst_min"] == -8
    undefined = nothing["nights"]["measures"]["sol_min"]["undefined"]
    assert undefined == {"in_scored": 0, "in_predicted": 1, "in_both": 0}


def test_a_latency_that_one_side_lacks_is_counted_by_who_lacks_it(tmp_path):
    without = SCORED.replace("R", "2")
    nights = [(SCORED, SCORED), (SCORED, without), (without, SCORED), (without, without)]
    frames = [night(*pair, f"s{i}") for i, pair in enumerate(nights)]
    found = evaluated(tmp_path, *frames)
    entry = found.values["nights"]["measures"]["rem_latency_min"]
    assert entry["undefined"] == {"in_scored": 1, "in_predicted": 1, "in_both": 1}
    assert (entry["nights"], entry["bias"]["value"]) == (1, 0)
    assert found.values["nights"]["measures"]["tst_min"]["nights"] == 4


def test_a_hole_is_the_same_in_both_and_neither_sleep_nor_wake(tmp_path):
    frame = night(SCORED * 2, PREDICTED * 2)
    found = evaluated(tmp_path, frame.drop(index=[9, 10])).values
    assert found["recordings"][0]["left_out"] is None
    assert errors(found)["minutes_N3"] == pytest.approx(2 * ERRORS["minutes_N3"])
    scored = found["recordings"][0]["sleep"]["minutes_N3"]["scored"]
    assert scored == 3, "two of eight epochs of N3 are missing"


@pytest.mark.parametrize("step", [2, 3, 30])
def test_a_sample_of_pages_has_no_night(tmp_path, step):
    """As `predict --limit` draws it: evenly over a split, down to an epoch a recording."""
    frames = [night(SCORED * 8, PREDICTED * 8, f"s{i}")[::step] for i in range(4)]
    found = evaluated(tmp_path, *frames)
    nights = found.values["nights"]
    assert (nights["compared"], sum(nights["left_out"].values())) == (0, 4)
    assert any("4 of 4 recordings not in the sleep statistics" in note for note in found.notes)
    if step > 2:
        return
    evaluation_report.write(tmp_path, found)
    text = (tmp_path / "report.md").read_text()
    assert "No recording is whole enough for sleep statistics." in text
    assert not (tmp_path / "bland-altman.png").exists()


# Bias and limits of agreement


def test_with_a_night_each_the_limits_are_those_of_bland_and_altman():
    drawn = np.random.default_rng(0).normal(3, 20, 30)
    found = agreement(drawn, np.arange(30))
    assert found.bias.value == pytest.approx(drawn.mean())
    assert found.sd == pytest.approx(drawn.std(ddof=1))
    reach = 1.959964 * drawn.std(ddof=1)
    assert found.lower.value == pytest.approx(drawn.mean() - reach)
    assert found.upper.value == pytest.approx(drawn.mean() + reach)
    half = 2.04523 * drawn.std(ddof=1) / math.sqrt(30)  # t of 29 degrees of freedom
    assert (found.bias.low, found.bias.high) == pytest.approx(
        (drawn.mean() - half, drawn.mean() + half), rel=1e-4
    )
    assert found.lower.low < found.lower.value < found.lower.high < found.upper.low


def test_nights_of_a_person_are_repeated_measures():
    """Two nights each: the mean square within, and the variance between, by analysis of variance."""
    random = np.random.default_rng(1)
    person = np.repeat(np.arange(40), 2)
    values = random.normal(0, 10, 40)[person] + random.normal(0, 4, 80)
    means = values.reshape(40, 2).mean(1)
    within = ((values - means[person]) ** 2).sum() / 40
    between = means.var(ddof=1) - within / 2
    assert agreement(values, person).sd == pytest.approx(math.sqrt(between + within))


def test_a_person_with_many_nights_counts_once_and_narrows_nothing():
    few = np.array([1.0, 5.0, -4.0, 8.0])
    once = agreement(few, np.arange(4))
    often = agreement(np.append(few, [8.0] * 20), np.append(np.arange(4), [3] * 20))
    assert often.bias == once.bias
    assert often.sd == pytest.approx(once.sd)


@pytest.mark.parametrize("n", [1, 2])
def test_with_fewer_than_three_people_there_are_no_limits_whatever_the_nights(n):
    values = np.random.default_rng(2).normal(size=12)
    found = agreement(values, np.arange(12) % n)
    assert math.isfinite(found.bias.value)
    for entry in (found.bias, found.lower, found.upper):
        assert math.isnan(entry.low)
        assert entry.reason is not None
        assert f"{n} subject" in entry.reason


def test_equal_errors_have_limits_without_intervals():
    same = agreement(np.full(5, 2.0), np.arange(5))
    assert (same.lower.value, same.upper.value) == (2, 2)
    assert same.lower.reason == same.upper.reason == "the same in every subject"


def test_one_outlier_widens_the_intervals_within_reason():
    """An SD that rests on one of 25 people is known to a factor of three, not of thirty."""
    errors = np.append(np.tile([-1.0, 1.0], 12), 240)
    found = agreement(errors, np.arange(25))
    assert found.sd > 40
    assert found.upper.high < found.bias.value + 4 * 1.96 * found.sd


@pytest.mark.parametrize("n_nights", [1, 3])
def test_intervals_of_bias_and_limits_cover(n_nights):
    random, n, rounds = np.random.default_rng(3), 8, 300
    person = np.repeat(np.arange(n), n_nights)
    true = 1.959964 * math.sqrt(2)
    hits = np.zeros(2)
    for _ in range(rounds):
        found = agreement(random.normal(size=n)[person] + random.normal(size=len(person)), person)
        hits += [found.bias.low < 0 < found.bias.high, found.upper.low < true < found.upper.high]
    assert (hits / rounds > 0.91).all()


# Real scorings


def of_yasa(names):
    """YASA's figures of stages, and the minutes of wake from the first epoch of sleep on."""
    yasa = pytest.importorskip("yasa", reason="YASA is not installed")
    found = yasa.Hypnogram(names, freq="30s").sleep_statistics()
    onset = next(i for i, name in enumerate(names) if name not in ("W", "UNS"))
    return found | {
        "WASO": names[onset:].count("W") / 2,
        "Lat_REM": found["Lat_REM"] - found["SOL"],
    }


def test_two_scorers_of_25_real_nights_differ_as_yasa_says(real_recordings, tmp_path):
    frames, expected = [], []
    first, second = (real_recordings / "dod-h" / f"scorer_{i}" for i in (1, 2))
    for path in sorted(first.glob("*.json")):
        both = [np.array(json.loads(p.read_text())) for p in (path, second / path.name)]
        there = np.flatnonzero((both[0] >= 0) & (both[1] >= 0))
        kept = slice(there[0], there[-1] + 1)
        labels, others = (np.array([*STAGE_NAMES, None], object)[one[kept]] for one in both)
        frame = pd.DataFrame({"label": labels, "prediction": others, "epoch": range(len(labels))})
        whole = frame.dropna()
        frames.append(whole.assign(subject=path.stem, recording=path.stem))
        both_scored = frame.index.isin(whole.index)
        one, other = (
            of_yasa(frame[name].where(both_scored, "UNS").tolist())
            for name in ("label", "prediction")
        )
        expected.append({key: other[key] - one[key] for key in one})
    found = evaluated(tmp_path, *frames, epoch_s=30.0).values
    assert len(found["recordings"]) == len(expected) == 25
    keys = ("TST", "SE", "SOL", "Lat_REM", "WASO", "WAKE", "N1", "N2", "N3", "REM")
    for place, theirs in enumerate(expected):
        own = list(errors(found, place).values())
        assert own == pytest.approx([theirs[key] for key in keys], abs=1e-3)
    assert found["nights"]["measures"]["tst_min"]["upper_limit"]["low"] is not None


# Transitions


def test_errors_are_parted_into_those_at_transitions_and_those_inside_runs(tmp_path):
    scored, said = "WWWW2222W", "WWW22222W"
    found = evaluated(tmp_path, night(scored, said)).values["transitions"]
    assert (found["at_transition"]["epochs"], found["inside_run"]["epochs"]) == (4, 5)
    assert found["at_transition"]["accuracy"]["value"] == 0.75
    assert found["inside_run"]["accuracy"]["value"] == 1
    assert found["at_transition"]["share_of_errors"] == 1


def test_neighbours_are_contiguous_epochs_of_one_recording(tmp_path):
    """A gap between W and N2, and the start of another recording, are no transitions."""
    frames = [
        night("WW", "WW", "a"),
        night("22", "2W", "a", start=3),
        night("RR", "RR", "a", "later"),
        night("1", "1", "b"),
    ]
    found = evaluated(tmp_path, *frames).values["transitions"]
    assert found["at_transition"]["epochs"] == 0
    assert (found["inside_run"]["epochs"], found["without_neighbour"]) == (6, 1)
    assert found["hours"] == pytest.approx(3 * 30 / 3600), "three pairs"
    assert np.sum(found["scored"]) == np.sum(found["predicted"]) == 3
    assert found["rate_per_hour"]["scored"]["value"] == 0
    assert found["rate_per_hour"]["predicted"]["value"] == pytest.approx(1 / (3 * 30 / 3600))


def test_rates_of_transitions_count_the_same_pairs_for_scorer_and_predictions(tmp_path):
    found = evaluated(tmp_path, night("W2W2W2", "W2?WWW")).values["transitions"]
    assert found["pairs_without_answer"] == 2
    assert found["hours"] == pytest.approx(3 * 30 / 3600)
    assert found["rate_per_hour"]["scored"]["value"] == pytest.approx(120)
    assert found["rate_per_hour"]["predicted"]["value"] == pytest.approx(40)
    assert found["predicted"][0] == [2, 0, 1, 0, 0]


# What is written


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Seven people, of whom two have two nights, a night of too few epochs, and one without REM."""
    folder = tmp_path_factory.mktemp("nights")
    frames = [
        night(SCORED * 4, PREDICTED * (i % 3) + SCORED * (4 - i % 3), f"s{i}") for i in range(6)
    ]
    frames += [night(SCORED * 2, PREDICTED * 2, f"s{i}", f"s{i}-2") for i in range(2)]
    frames.append(night("WW22", "WW22", "s0", "s0-3"))
    frames.append(night(SCORED, SCORED.replace("R", "2"), "s6"))
    pd.concat(frames).assign(corpus="shhs", epoch_s=30.0).to_parquet(folder / "p.parquet")
    done = CliRunner().invoke(evaluate_command.evaluate, [str(folder / "p.parquet")])
    assert done.exit_code == 0, done.output
    return folder / "p-evaluation", " ".join(done.output.split())


def test_every_recording_has_its_figures_in_a_table(written):
    folder, _ = written
    with (folder / "recordings.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    values = json.loads((folder / "metrics.json").read_text())
    assert len(rows) == len(values["recordings"]) == 10
    for row, recording in zip(rows, values["recordings"], strict=True):
        assert row["recording"] == recording["recording"]
        assert float(row["kappa"]) == pytest.approx(recording["kappa"], abs=1e-4)
        for measure in MEASURES:
            sleep = recording["sleep"]
            error = None if sleep is None else sleep[measure.key]["error"]
            assert row[f"{measure.key}_error"] == ("" if error is None else str(round(error, 4)))
    (short,) = [row for row in rows if row["left_out"]]
    assert (short["recording"], short["left_out"]) == ("s0-3", "short")


def test_report_table_and_terminal_have_the_errors_of_every_measure(written):
    folder, said = written
    values = json.loads((folder / "metrics.json").read_text())
    text, tex = ((folder / name).read_text() for name in ("report.md", "table.tex"))
    for measure in MEASURES:
        bias = values["nights"]["measures"][measure.key]["bias"]["value"]
        shown = f"{round(bias, 1) + 0.0:+.1f}"
        (line,) = [x for x in text.splitlines() if x.startswith(f"| {measure.title}, ")]
        assert shown.replace("-", "−") in line
        assert f"{measure.title}, " in tex
        if measure.headline:
            assert f"{measure.short}, {measure.unit} {shown}" in said
    assert "repeated measures" in text
    assert "REM latency is undefined in 1 night, which is not in its row" in text
    assert "![Errors of each sleep statistic" in text
    assert (folder / "bland-altman.png").read_bytes()[:4] == b"\x89PNG"
    assert "Sleep statistics of 9 nights" in said
    assert "next to a change of the scorer's stage" in said


def test_a_further_file_has_its_errors_beside_the_first(tmp_path):
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for path, said in zip(paths, (SCORED, PREDICTED), strict=True):
        pd.concat([night(SCORED, said, f"s{i}") for i in range(3)]).to_csv(path, index=False)
    values = main_path.evaluate(EvaluateConfig(tuple(paths))).values
    assert values["nights"]["measures"]["tst_min"]["bias"]["value"] == 0
    assert values["comparisons"][0]["nights"]["tst_min"]["bias"]["value"] == ERRORS["tst_min"]
