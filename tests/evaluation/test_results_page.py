"""The page of results: written from its JSON alone, and what its tables say of levers."""

import json
from pathlib import Path

import numpy as np
import pytest
from real_night import CHOSEN
from real_nights import levers_page, one_night_page, page_ink
from real_nights.tables import change

DOCS = Path(__file__).parents[2] / "docs"
VALUES = json.loads((DOCS / "results.json").read_text(encoding="utf-8"))


def test_nothing_on_the_page_of_results_was_added_by_hand():
    study = DOCS / "studies" / "real.json"
    found = json.loads(study.read_text(encoding="utf-8")) if study.exists() else None
    assert (DOCS / "results.md").read_text(encoding="utf-8") == one_night_page.page(
        VALUES, CHOSEN, found
    )


def test_every_measured_lever_is_a_row_of_the_one_table():
    readers = VALUES["levers"]["readers"]
    measured = {*readers["picture"]["rows"], *readers["boosting-page"]["rows"]}
    assert set(levers_page.ROWS) <= measured
    left_out = measured - set(levers_page.ROWS)
    assert left_out <= {
        "ensemble, temperature",
        *(f"night around, {row}" for row in levers_page.AROUND),
    }


@pytest.mark.parametrize(
    ("low", "high", "bold"), [(0.01, 0.05, True), (-0.05, -0.01, True), (-0.01, 0.05, False)]
)
def test_a_difference_is_bold_where_its_interval_excludes_0(low, high, bold):
    shown = change({"difference": (low + high) / 2, "low": low, "high": high})
    assert shown.startswith("**") is bold


def test_a_lane_without_a_wave_shows_neither_height_nor_movement():
    ink = np.zeros((1, 40, 60), bool)
    wave = ink.copy()
    wave[0, 20 + np.round(10 * np.sin(np.arange(60))).astype(int), np.arange(60)] = True
    blank, waves = (page_ink._lane(one)[0] for one in (ink, wave))
    assert blank[6:9].tolist() == [0, 0, 0]
    assert (waves[6:8] > 5).all()
