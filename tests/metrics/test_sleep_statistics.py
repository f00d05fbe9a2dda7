"""Sleep statistics: the AASM report's figures, by hand and against YASA on any hypnogram."""

import dataclasses
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.metrics.sleep_statistics import (
    UNSCORED,
    SleepStatistics,
    statistics,
    transitions,
)

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "staging.md"
CODES = {"W": 0, "1": 1, "2": 2, "3": 3, "R": 4, "?": UNSCORED}


def stages(words):
    return np.array([CODES[word] for word in words], np.int64)


def test_a_night_counted_by_hand():
    found = statistics(stages("WW11223332W2RRWW"))
    assert (found.trt_min, found.tst_min, found.spt_min) == (8, 5.5, 6)
    assert found.sleep_efficiency_pct == pytest.approx(100 * 11 / 16)
    assert found.sleep_maintenance_pct == pytest.approx(100 * 11 / 12)
    assert found.sol_min == 1
    assert found.waso_min == 1.5 == found.trt_min - found.sol_min - found.tst_min, "the manual's"
    assert (found.waso_in_spt_min, found.wake_after_spt_min) == (0.5, 1)
    assert found.rem_latency_min == 5, "from the onset of sleep, as the manual says"
    assert found.latency_min == {"N1": 1, "N2": 2, "N3": 3, "REM": 6}
    assert found.stage_min == {"W": 2.5, "N1": 1, "N2": 2, "N3": 1.5, "REM": 1}
    assert found.stage_pct["N2"] == pytest.approx(100 * 4 / 11)
    assert found.awakenings == 2
    assert found.transitions["W"] == {"W": 2, "N1": 1, "N2": 1, "N3": 0, "REM": 0}
    assert sum(sum(row.values()) for row in found.transitions.values()) == 15
    assert found.stage_shifts == 8


def test_epochs_without_a_stage_lower_the_efficiency_and_are_no_wake():
    found = statistics(stages("?W2?2W??"))
    assert (found.trt_min, found.tst_min, found.spt_min) == (4, 1, 1.5)
    assert (found.waso_min, found.waso_in_spt_min) == (0.5, 0)
    assert (found.unscored_min, found.sol_min, found.sleep_efficiency_pct) == (2, 1, 25)
    assert found.awakenings == 1
    assert transitions(stages("2?2")).sum() == 0


@pytest.mark.parametrize("words", ["WWWW", "????", ""])
def test_a_night_without_sleep_has_no_latency_and_says_so(words):
    found = statistics(stages(words))
    assert found.tst_min == found.spt_min == found.awakenings == 0
    for value in (found.sol_min, found.rem_latency_min, found.waso_min, found.stage_pct["REM"]):
        assert math.isnan(value)
    assert found.to_dict()["sol_min"] is None
    assert found.to_dict()["stage_pct"]["N1"] is None


def test_epochs_of_20_s_count_as_such():
    assert statistics(stages("W22222"), epoch_s=20).tst_min == pytest.approx(100 / 60)


@given(st.lists(st.integers(-1, 4), min_size=2, max_size=300), st.sampled_from([20, 30]))
@example([0, 0], 30)
@example([-1, 4, -1], 30)
def test_every_figure_agrees_with_yasa(codes, epoch_s):
    yasa = pytest.importorskip("yasa", reason="YASA is not installed")
    names = ["UNS" if code == UNSCORED else STAGE_NAMES[code] for code in codes]
    hypnogram = yasa.Hypnogram(names, freq=f"{epoch_s}s")
    theirs, ours = hypnogram.sleep_statistics(), statistics(np.array(codes), epoch_s)
    expected = {
        "TIB": ours.trt_min,
        "TST": ours.tst_min,
        "SPT": ours.spt_min,
        "SE": ours.sleep_efficiency_pct,
        "SME": ours.sleep_maintenance_pct,
        "SOL": ours.sol_min,
        "WASO": ours.waso_in_spt_min,
        "Lat_REM": ours.latency_min["REM"],
        "SFI": ours.awakenings / (ours.tst_min / 60) if ours.tst_min else math.nan,
        "WAKE": ours.stage_min["W"],
        **{name: ours.stage_min[name] for name in STAGE_NAMES[1:]},
        **{f"%{name}": ours.stage_pct[name] for name in STAGE_NAMES[1:]},
    }
    assert set(theirs) - set(expected) <= {"SOL_5min", "UNS"}, "YASA has a figure that we lack"
    for name, value in expected.items():
        assert theirs[name] == pytest.approx(value, abs=1e-4, nan_ok=True), name
    assert ours.rem_latency_min == pytest.approx(
        theirs["Lat_REM"] - theirs["SOL"], abs=1e-3, nan_ok=True
    )
    assert ours.unscored_min == pytest.approx(theirs.get("UNS", 0), abs=1e-4)


@given(st.lists(st.integers(0, 4), max_size=300))
def test_waso_is_what_the_manual_says_it_is(codes):
    """WASO = TRT - SOL - TST (AASM manual, parameters to be reported), and ends at lights on."""
    found = statistics(np.array(codes, np.int64))
    if found.tst_min:
        assert found.waso_min == pytest.approx(found.trt_min - found.sol_min - found.tst_min)
        assert found.waso_min == found.waso_in_spt_min + found.wake_after_spt_min


def test_every_statistic_is_defined_in_the_documents():
    documented = DOCUMENT.read_text(encoding="utf-8")
    for field in dataclasses.fields(SleepStatistics):
        assert f"| `{field.name}` |" in documented
    told = set(re.findall(r"^\| `(\w+)` \|", documented, re.MULTILINE))
    assert told == {field.name for field in dataclasses.fields(SleepStatistics)}


@given(st.lists(st.integers(-1, 4), min_size=2, max_size=300))
def test_transitions_agree_with_yasa(codes):
    yasa = pytest.importorskip("yasa", reason="YASA is not installed")
    names = ["UNS" if code == UNSCORED else STAGE_NAMES[code] for code in codes]
    counts, _ = yasa.Hypnogram(names).transition_matrix()
    columns = ["WAKE", *STAGE_NAMES[1:]]
    theirs = counts.reindex(index=columns, columns=columns, fill_value=0).to_numpy()
    np.testing.assert_array_equal(transitions(np.array(codes)), theirs)
