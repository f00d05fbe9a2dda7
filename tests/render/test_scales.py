"""Scales: a real night's N3 fits the lanes of ``clinical``, and its spindles can still be seen there."""

import numpy as np
import pytest
from night_lanes import first_night
from psgimg.builder.corpora.registry import corpus
from psgimg.builder.recordings.montage import MONTAGES, Kind
from psgimg.builder.render.layout import boxes
from psgimg.builder.render.page import Page
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.render.style import CLINICAL, PEDIATRIC
from psgimg.builder.signals import epoching
from psgimg.builder.stages import Stage


@pytest.fixture(scope="module")
def deep_sleep(real_recordings):
    """Lanes of the N3 pages of SC4001, (n_pages, 4, n_samples), in µV."""
    source = corpus("sleep-edf")
    recipe = Recipe(MONTAGES["sleep-edf"], CLINICAL)
    plan, signals = first_night(source, real_recordings / "sleep-edf", recipe)
    epochs = [epoch for epoch in plan.selection.epochs if epoch.stage is Stage.N3]
    return np.stack(list(epoching.cut(signals, epochs)))


def clipped(style, pages):
    """Share of pages on which any lane is clipped."""
    page = Page(style, MONTAGES["sleep-edf"], [False] * 4, [False] * 3 + [True])
    n_before, n_pages = 0, 0
    for data_uv in pages:
        page.png(data_uv)
        n_pages += sum(page.clipped) > n_before
        n_before = sum(page.clipped)
    return n_pages / len(pages)


def test_under_5_percent_of_a_real_nights_n3_pages_are_clipped(deep_sleep):
    assert len(deep_sleep) == 220
    assert clipped(CLINICAL, deep_sleep) < 0.05


def test_a_childs_slow_waves_fit_pediatric(deep_sleep):
    """Those of this adult, Fpz-Cz up to 126 µV and the eyes with them, at twice their height."""
    childs = deep_sleep * np.float32([[2], [2], [1], [1]])
    assert clipped(CLINICAL, childs) > 0.5
    assert clipped(PEDIATRIC, childs) < 0.05


@pytest.mark.parametrize("montage", ["aasm", "central", "sleep-edf"])
def test_a_spindle_of_30_uv_is_several_pixels_high(montage):
    lanes = boxes(CLINICAL, MONTAGES[montage])
    eeg = [box for box in lanes if box.style == CLINICAL.lane(Kind.EEG)]
    assert min(30 * box.px_per_uv(box.style.scale_uv) for box in eeg) > 8
