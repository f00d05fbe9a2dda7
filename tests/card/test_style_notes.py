"""Style notes: a card says by how much a style differs from the published picture, measured."""

from dataclasses import replace

import numpy as np
import pytest
import sleepvlm_original
from psgimg.builder.card import style_notes
from psgimg.builder.recordings.montage import MONTAGES
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.render.style import PRESETS


def notes(style, montage="aasm"):
    return " ".join(style_notes.notes(Recipe(MONTAGES[montage], style).to_dict()))


def test_the_figures_of_sleepvlm_are_those_of_the_benchmark(tmp_path):
    pages = sleepvlm_original.night(tmp_path)
    few = np.concatenate([some[:: sleepvlm_original.PAGES_A_STAGE // 2] for some in pages.values()])
    measured = sleepvlm_original.differences(few)
    assert measured == pytest.approx(style_notes.SLEEPVLM_APART, rel=0.1)


def test_the_card_of_sleepvlm_gives_the_figures_and_how_they_were_measured():
    text = notes(PRESETS["sleepvlm"])
    for figure in style_notes.SLEEPVLM_APART.values():
        assert f"{figure}" in text
    assert "python benchmarks/sleepvlm_original.py" in text


def test_the_card_of_paper_says_what_is_unknown_and_what_the_montage_lacks():
    assert "not known" in notes(PRESETS["paper"])
    assert "ECG" in notes(PRESETS["paper"], "central")
    assert "ECG" not in notes(PRESETS["paper"], "central-ecg")


def test_the_card_of_pediatric_says_whom_it_is_for():
    assert "children" in notes(PRESETS["pediatric"])


def test_nothing_is_said_of_clinical_or_of_a_style_of_the_users_own():
    assert notes(PRESETS["clinical"]) == ""
    assert notes(replace(PRESETS["sleepvlm"], name="mine")) == ""
    assert notes(replace(PRESETS["sleepvlm"], line_px=2.0)) == ""
