"""Cover: a drawn page with lanes left out is the page that the renderer draws without them."""

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from make_golden import LEVEL, wave, zigzag
from PIL import Image
from psgimg.builder.errors import BuildError
from psgimg.builder.files import picture
from psgimg.builder.recordings.montage import MONTAGES
from psgimg.builder.render.ground import spills
from psgimg.builder.render.page import Page
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.render.style import PRESETS
from psgimg.finetune.lanes import pattern
from psgimg.finetune.lanes.cover import Cover

COLOURED = replace(
    PRESETS["clinical"],
    name="coloured",
    background="#ffffee",
    rule="#aa3333",
    width_px=611,
    height_px=307,
)
THICK = replace(PRESETS["clinical"], name="thick", line_px=2.0)
STYLES = {
    "clinical": PRESETS["clinical"],
    "paper": PRESETS["paper"],
    "coloured": COLOURED,
    "thick": THICK,
}
HUGE = [wave(900, 200), zigzag(3000), wave(37.5, 40), wave(2000, 300), wave(-500, 90), zigzag(8)]
"""Most of these waves are clipped on every page of a fixed scale."""


def drawn(style, montage, data_uv, absent, envelopes):
    data_uv = np.where(np.array(absent)[:, None], np.float32(np.nan), data_uv)
    return Page(style, montage, absent, envelopes).png(data_uv)


@pytest.mark.parametrize("name", STYLES)
@settings(max_examples=12)
@given(data=st.data())
def test_a_lane_laid_over_is_byte_for_byte_the_lane_that_the_renderer_draws_as_absent(name, data):
    style, montage = STYLES[name], MONTAGES["aasm"]
    n = len(montage.lanes)
    order = data.draw(st.permutations(range(n)))
    waves = np.array([HUGE[i] for i in order], np.float32)
    level = data.draw(st.booleans())
    if level:
        waves[-1] = data.draw(st.sampled_from([LEVEL, LEVEL - 4]))  # a level below 0 in part
    envelopes = [level and i == n - 1 for i in range(n)]
    before = data.draw(st.lists(st.booleans(), min_size=n, max_size=n).filter(lambda x: not all(x)))
    more = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    after = [a or b for a, b in zip(before, more, strict=True)]
    whole = picture.decode(drawn(style, montage, waves, before, envelopes))
    expected = picture.decode(drawn(style, montage, waves, after, envelopes))
    found = Cover(Recipe(montage, style)).over(whole, after)
    assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    "style",
    [
        PRESETS["sleepvlm"],
        replace(PRESETS["clinical"], name="open", clip=False),
        replace(PRESETS["clinical"], name="marker", line_px=2.5),
        replace(PRESETS["paper"], name="brush", line_px=3.0),
    ],
    ids=lambda style: style.name,
)
def test_where_waves_leave_their_lanes_the_strip_of_a_lane_depends_on_others_and_is_refused(style):
    montage = MONTAGES["aasm"]
    assert spills(style)
    gone = [i == 2 for i in range(6)]
    whole = picture.decode(
        drawn(style, montage, np.array(HUGE, np.float32), [False] * 6, [False] * 6)
    )
    without = picture.decode(drawn(style, montage, np.array(HUGE, np.float32), gone, [False] * 6))
    assert Cover(Recipe(montage, style)).over(whole, gone).tobytes() != without.tobytes()
    recipe = Recipe(montage, style).to_dict()
    with pytest.raises(BuildError, match=f"--augment lanes: in style {style.name}.*another style"):
        Cover.of(recipe, "--augment lanes")


def test_a_page_of_another_size_is_refused():
    cover = Cover(Recipe(MONTAGES["aasm"], PRESETS["clinical"]))
    buffer = io.BytesIO()
    Image.new("RGB", (10, 20)).save(buffer, "PNG")
    with pytest.raises(BuildError, match="10x20 px, but its recipe specifies 896x448"):
        cover.over(picture.decode(buffer.getvalue()), [True, *[False] * 5])


EEG = (True, True, False, False, True)


@settings(max_examples=200)
@given(st.lists(st.booleans(), min_size=5, max_size=5), st.integers(0, 2**32))
def test_no_choice_leaves_a_page_without_eeg_or_takes_what_is_absent(present, seed):
    lanes = tuple("X" if here else None for here in present)
    gone = pattern.chosen(lanes, EEG, np.random.default_rng(seed))
    assert not any(out for out, here in zip(gone, present, strict=True) if not here)
    if pattern.has_eeg(lanes, EEG):
        assert pattern.has_eeg(pattern.without(lanes, gone), EEG)


def test_every_pattern_with_an_eeg_lane_is_made_and_half_of_the_pages_stay_whole():
    lanes = ("A", "B", "C", "D", "E")
    made = [pattern.chosen(lanes, EEG, np.random.default_rng(i)) for i in range(4000)]
    assert len(set(made)) == 2**5 - 2**2  # all but those without A, B and E
    assert made.count((False,) * 5) == pytest.approx(2000, abs=150)
