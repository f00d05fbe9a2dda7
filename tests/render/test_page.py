"""Render: what a page shows and how it is drawn, by the rule each test protects.

The two renderers agree within a stated tolerance. The reference is matplotlib's Agg at four times
the size, averaged: at the page's own size Agg adds up the coverage of strokes that lie over each
other, so that a dense trace grows darker at its edges than the area it covers; the fast renderer
measures the area. What stays of a difference is the 16 shades of ink and the five slices of a
column, at most:

* MEAN_TOLERANCE over a page (measured: 3.1 of 255 in ``paper``, whose muscle lane is all edges),
* FAR_SHARE of the pixels differ by more than a quarter of the scale (measured: 0.013 %),
* and every pixel lies within what the other renderer has in the 3x3 pixels around it, but for
  REACH_SLACK: no ink and no gap of one is farther than 1 px from ink or gap of the other.
"""

import io
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from make_golden import ABSENT, FLAT, GOLDENS, LEVEL, N_SAMPLES, PAGES, SLEEPING, wave, zigzag
from night_lanes import first_night
from pictures import decode
from PIL import Image
from psgimg.builder.corpora import demo
from psgimg.builder.corpora.registry import corpus
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.by_kind import ByKind
from psgimg.builder.recordings.montage import MONTAGES, Kind
from psgimg.builder.render import layout, raster
from psgimg.builder.render.layout import MARK_PX
from psgimg.builder.render.page import Page
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.render.style import CLINICAL, PAPER, PRESETS, SLEEPVLM
from psgimg.builder.signals import epoching
from scipy.ndimage import maximum_filter, minimum_filter

MEAN_TOLERANCE = 4.0
FAR = 64
FAR_SHARE = 0.001
REACH_SLACK = 96

BARE = replace(
    CLINICAL,
    name="bare",
    grid_s=(),
    grid=(),
    rule="",
    lanes=ByKind({**CLINICAL.lanes, Kind.EEG: replace(CLINICAL.lane(Kind.EEG), guide_uv=0)}),
)
"""Clinical without lines: all that is not white is a trace."""

NO_LINES = {"grid_s": (), "grid": (), "grid_over": (), "rule": "", "rule_over": 0.0}

TIME_S = (np.arange(N_SAMPLES) + 0.5) / 200


def page(style=CLINICAL, absent=(), envelopes=(), montage="aasm"):
    lanes = range(len(MONTAGES[montage].lanes))
    return Page(
        style, MONTAGES[montage], [i in absent for i in lanes], [i in envelopes for i in lanes]
    )


def lanes_with(*lanes):
    """Six lanes, flat after the given ones."""
    return np.array([*lanes, *[FLAT] * (6 - len(lanes))], np.float32)


def lane_of(drawing, box):
    """A lane's darkness, 0 to 1, shape (height, width)."""
    return 1 - drawing[box.top : box.bottom, :, 0] / 255


def sine(peak_uv, hz):
    return (peak_uv * np.sin(2 * np.pi * hz * TIME_S)).astype(np.float32)


def centre_row(lane):
    """Middle of the ink in each column, in rows from the lane's top."""
    rows = np.arange(len(lane)) + 0.5
    return (lane * rows[:, None]).sum(0) / lane.sum(0)


def night_pages(name, root, every):
    """A Page of each style, and some pages of samples of a corpus's first night."""
    source = corpus(name)
    recipe = Recipe(MONTAGES[source.montage], CLINICAL)
    plan, signals = first_night(source, root, recipe)
    absent = [lane is None for lane in signals.lanes]
    drawn = {
        style.name: Page(style, recipe.montage, absent, signals.envelopes)
        for style in PRESETS.values()
    }
    return drawn, list(epoching.cut(signals, plan.selection.epochs[::every]))


@pytest.fixture(scope="module")
def demo_night(tmp_path_factory):
    root = tmp_path_factory.mktemp("demo")
    demo.write(root, n_subjects=1)
    return night_pages("demo", root, 33)


@pytest.fixture(scope="module")
def real_night(real_recordings):
    return night_pages("sleep-edf", real_recordings / "sleep-edf", 210)


def beyond_reach(image, other):
    """How far a pixel lies outside the values of the other picture's 3x3 pixels around it."""
    low, high = minimum_filter(other, (3, 3, 1)), maximum_filter(other, (3, 3, 1))
    return int(np.maximum(low - image, image - high).max())


def assert_agree(drawer, data_uv):
    fast = drawer.draw(data_uv).astype(int)
    reference = drawer.draw_reference(data_uv).astype(int)
    difference = np.abs(fast - reference)
    assert difference.mean() <= MEAN_TOLERANCE
    assert (difference.max(axis=2) > FAR).mean() <= FAR_SHARE
    assert beyond_reach(fast, reference) <= REACH_SLACK
    assert beyond_reach(reference, fast) <= REACH_SLACK


@pytest.mark.parametrize("style", PRESETS)
def test_renderers_agree_on_synthetic_sleep(demo_night, style):
    drawn, samples = demo_night
    for data_uv in samples[::2]:
        assert_agree(drawn[style], data_uv)


@pytest.mark.parametrize("style", PRESETS)
def test_renderers_agree_on_real_sleep(real_night, style):
    drawn, samples = real_night
    for data_uv in samples:
        assert_agree(drawn[style], data_uv)


@pytest.mark.parametrize("style", PRESETS)
def test_renderers_agree_on_flat_clipped_absent_and_envelope_lanes(style):
    drawer = page(PRESETS[style], absent=(2,), envelopes=(5,))
    steps = np.repeat(np.float32([0, 300, -300, 80, 0, -20]), N_SAMPLES // 6)
    assert_agree(drawer, np.array([wave(250, 180), FLAT, ABSENT, wave(90, 1500), steps, LEVEL]))


@pytest.mark.parametrize("style", PRESETS)
def test_renderers_agree_on_noise(style):
    rng = np.random.default_rng(7)
    uv = np.array([1, 10, 30, 100, 1000, 5])[:, None]
    smooth = np.cumsum(rng.normal(size=(6, N_SAMPLES)), axis=1)
    smooth -= smooth.mean(axis=1, keepdims=True)
    assert_agree(
        page(PRESETS[style]), (smooth / smooth.std(axis=1)[:, None] * uv).astype(np.float32)
    )


@pytest.mark.parametrize("style", PRESETS)
def test_matplotlib_as_a_style_draws_the_same_page_with_its_own_strokes(demo_night, style):
    """Ground, ink and place are the same, the shades of dense traces are not; the file is the page."""
    drawn, samples = demo_night
    data_uv = samples[len(samples) // 2]
    own = replace(PRESETS[style], renderer="matplotlib")
    drawer = page(own)
    image = drawer.draw(data_uv).copy()
    fast = drawn[style].draw(data_uv)
    assert image.shape == fast.shape
    assert (image != fast).any()
    assert beyond_reach(image.astype(int), fast.astype(int)) <= REACH_SLACK + FAR
    empty = np.array([FLAT] * len(drawer.boxes))
    far_from_ink = np.abs(drawer.draw(empty).astype(int) - drawn[style].draw(empty)).max()
    assert far_from_ink <= FAR
    assert np.array_equal(page(own).draw(data_uv), image)
    assert np.array_equal(decode(drawer.png(data_uv)), image)


def test_lanes_that_run_into_each_other_lie_in_lane_order_in_both_renderers():
    """Unclipped, a later lane covers an earlier one: here lane 0 lies on the zero of lane 1."""
    drawer = page(SLEEPVLM)
    upper, lower = drawer.boxes[:2]
    on_lower_uv = (upper.middle - lower.middle) / upper.px_per_uv(upper.style.scale_uv)
    data_uv = lanes_with(np.full(N_SAMPLES, on_lower_uv))
    row = int(lower.middle)
    for drawing in (drawer.draw(data_uv), drawer.draw_reference(data_uv)):
        red, green = drawing[row - 1 : row + 1, 200, :2].astype(int).max(axis=0)
        assert green > red


def test_a_page_is_a_function_of_its_samples_alone():
    drawer, other = page(), page()
    data_uv = np.array(SLEEPING)
    first = drawer.png(data_uv)
    drawer.png(lanes_with(wave(400, 90), zigzag(200)))
    drawer.draw(lanes_with(wave(10, 70)))
    assert drawer.png(data_uv) == first == other.png(data_uv)
    assert page(absent=(2,)).png(data_uv) != first


def test_samples_may_lie_anywhere_in_memory():
    data_uv = np.array(SLEEPING)
    padded = np.zeros((6, N_SAMPLES + 100), np.float32)
    padded[:, 50:-50] = data_uv
    frozen = data_uv.copy()
    frozen.setflags(write=False)
    assert page().png(padded[:, 50:-50]) == page().png(frozen) == page().png(data_uv)
    assert page().png(np.asfortranarray(data_uv)) == page().png(data_uv)


def test_another_process_draws_the_same_bytes():
    code = "import sys, make_golden; sys.stdout.buffer.write(make_golden.PAGES['sleepvlm']())"
    drawn = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=GOLDENS.parent,
        capture_output=True,
        check=True,
    )
    assert drawn.stdout == PAGES["sleepvlm"]()


def test_pages_are_drawn_where_no_compiled_code_can_be_kept():
    """Neither the package's folder nor the home can be written: slower to start, never a crash."""
    code = """
import sys
import numba.core.caching

def refuse(self):
    raise PermissionError(13, "Permission denied")

numba.core.caching._CacheLocator.ensure_cache_path = refuse
import make_golden
sys.stdout.buffer.write(make_golden.PAGES["paper"]())
"""
    drawn = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=GOLDENS.parent,
        capture_output=True,
        check=False,
    )
    assert drawn.stderr == b""
    assert drawn.stdout == PAGES["paper"]()


@pytest.mark.parametrize("style", [CLINICAL, SLEEPVLM], ids=["grey", "colour"])
def test_the_file_holds_exactly_the_picture(style):
    data_uv = np.array(SLEEPING)
    drawer = page(style)
    assert (decode(drawer.png(data_uv)) == drawer.draw(data_uv)).all()
    assert drawer.draw(data_uv).shape == (style.height_px, style.width_px, 1 if style.grey else 3)


@pytest.mark.parametrize("style", PRESETS)
def test_files_are_at_most_40_percent_larger_than_pillows_of_the_same_pixels(demo_night, style):
    drawn, samples = demo_night
    ours = theirs = 0
    for data_uv in samples:
        image = drawn[style].draw(data_uv)
        file = io.BytesIO()
        if image.shape[2] == 1:  # Pillow writes 4 bits a pixel only with a palette
            picture = Image.frombytes("P", image.shape[1::-1], (image // 17).tobytes())
            picture.putpalette([17 * i for i in range(16) for _ in "rgb"])
            picture.save(file, "PNG", compress_level=6, bits=4)
        else:
            Image.fromarray(image).save(file, "PNG", compress_level=6)
        ours += len(drawn[style].png(data_uv))
        theirs += file.tell()
    assert ours <= 1.4 * theirs


def with_up(style, **ways):
    """A style with other ways up for some kinds of lane."""
    lanes = {
        kind: replace(lane, up=ways.get(kind.value, lane.up)) for kind, lane in style.lanes.items()
    }
    return replace(style, lanes=ByKind(lanes))


@pytest.mark.parametrize("renderer", ["draw", "draw_reference"])
@pytest.mark.parametrize(("up", "rows_per_uv"), [("positive", -1), ("negative", 1)])
def test_the_style_says_which_way_is_up(up, rows_per_uv, renderer):
    drawer = page(with_up(BARE, eeg=up))
    data_uv = lanes_with(np.full(N_SAMPLES, 50), np.full(N_SAMPLES, -50))
    drawing = getattr(drawer, renderer)(data_uv)
    for box, sign in zip(drawer.boxes[:2], (1, -1), strict=True):
        offset = centre_row(lane_of(drawing, box)) + box.top - box.middle
        assert np.allclose(
            offset, sign * rows_per_uv * 50 * box.px_per_uv(box.style.scale_uv), atol=0.1
        )


@pytest.mark.parametrize("style", PRESETS.values(), ids=PRESETS)
@pytest.mark.parametrize("scaling", ["fixed", "epoch"])
def test_the_other_way_up_is_the_same_page_of_the_samples_with_the_other_sign(style, scaling):
    """Clip marks included: 300 µV leave every lane of a fixed scale."""
    style = replace(style, scaling=scaling)
    ways = {"positive": "negative", "negative": "positive"}
    other = with_up(style, **{kind.value: ways[lane.up] for kind, lane in style.lanes.items()})
    data_uv = np.array([wave(300, 200, swell=900)] * 6)
    assert (page(style).draw(data_uv) == page(other).draw(-data_uv)).all()
    assert (page(style).draw(data_uv) != page(style).draw(-data_uv)).any()


def test_technologists_read_negative_up_and_published_pictures_stay_as_they_are():
    ways = {
        name: {kind.value: lane.up for kind, lane in style.lanes.items()}
        for name, style in PRESETS.items()
    }
    up = dict.fromkeys(("eeg", "eog", "emg", "ecg"), "positive")
    assert ways["clinical"] == ways["pediatric"] == {**up, "eeg": "negative", "eog": "negative"}
    assert ways["paper"] == ways["sleepvlm"] == up


def test_the_level_of_an_emg_has_no_sign():
    levels = lanes_with()
    levels[-1] = LEVEL
    envelopes = (5,)
    drawn = [
        page(with_up(BARE, emg=up), envelopes=envelopes).draw(levels)
        for up in ("positive", "negative")
    ]
    assert (drawn[0] == drawn[1]).all()


def test_zero_lies_in_the_middle_of_each_lane():
    drawer = page(BARE)
    drawing = drawer.draw(lanes_with())
    for box in drawer.boxes:
        assert np.allclose(centre_row(lane_of(drawing, box)) + box.top, box.middle, atol=0.1)


def test_time_runs_from_left_to_right():
    """A spike at 10 s stands at a third of the width."""
    spike = FLAT.copy()
    spike[2000] = -80
    drawer = page(BARE)
    lane = lane_of(drawer.draw(lanes_with(spike)), drawer.boxes[0])
    assert np.argmax(lane[: len(lane) // 2 - 5].sum(axis=0)) == int(2000.5 / N_SAMPLES * 896)


@pytest.mark.parametrize("montage", ["aasm", "sleep-edf"])
def test_a_wave_of_75_uv_peak_to_peak_touches_both_guide_lines(montage):
    n_lanes = len(MONTAGES[montage].lanes)
    drawer = page(replace(CLINICAL, grid_s=(), grid=()), montage=montage)
    bare = page(BARE, montage=montage)
    for peak_uv, touches in ((37.5, True), (31, False)):
        data_uv = np.zeros((n_lanes, N_SAMPLES), np.float32)
        data_uv[0] = sine(peak_uv, 1)
        box = drawer.boxes[0]
        ground = lane_of(drawer.draw(np.zeros_like(data_uv)), box)
        guides = np.flatnonzero(np.isclose(ground[:, 3], 1 - 0xCC / 255))
        ink = lane_of(bare.draw(data_uv), box)
        assert len(guides) == 2
        assert [bool(ink[row].max() > 0.3) for row in guides] == [touches, touches]
        beyond = [ink[: guides[0] - 1], ink[guides[1] + 2 :]]
        assert max(part.max() for part in beyond) == 0


def test_guide_lines_stand_only_on_eeg_lanes():
    drawer = page(replace(CLINICAL, grid_s=(), grid=()))
    drawing = drawer.draw(lanes_with())
    n_guides = [
        int(np.isclose(lane_of(drawing, box)[:, 3], 1 - 0xCC / 255).sum()) for box in drawer.boxes
    ]
    assert n_guides == [2, 2, 2, 0, 0, 0]


def test_there_is_a_line_each_second_and_a_stronger_one_each_5_s():
    drawing = page(replace(CLINICAL, rule="")).draw(lanes_with())
    row = drawing[1, :, 0]  # no trace runs here
    lines = {int(x): int(row[x]) for x in np.flatnonzero(row != 255)}
    assert lines == {
        int(second * 896 / 30): 0x99 if second % 5 == 0 else 0xDD for second in range(1, 30)
    }


def marks(drawing, box):
    """Columns that are black over the height of a mark, at the upper and the lower edge."""
    lane = lane_of(drawing, box)
    upper, lower = lane[1 : 1 + MARK_PX], lane[-MARK_PX:]
    return np.flatnonzero((upper == 1).all(0)), np.flatnonzero((lower == 1).all(0))


def test_a_wave_beyond_its_lane_is_cut_and_marked_where_it_was():
    drawer = page(BARE)
    high = FLAT.copy()
    high[1500:3000] = -1.3 * CLINICAL.lane(Kind.EEG).scale_uv
    drawing = drawer.draw(lanes_with(FLAT, high))
    above, below = marks(drawing, drawer.boxes[1])
    assert (above.min(), above.max(), len(above)) == (224, 447, 224)
    assert below.size == 0
    assert lane_of(drawing, drawer.boxes[0])[MARK_PX + 1 : 40].max() == 0


def test_a_wave_that_fits_is_not_marked():
    drawer = page(BARE)
    drawing = drawer.draw(lanes_with(wave(CLINICAL.lane(Kind.EEG).scale_uv, 500)))
    assert all(columns.size == 0 for columns in marks(drawing, drawer.boxes[0]))
    lane = lane_of(drawing, drawer.boxes[0])
    assert lane[1:3].max() > 0.3
    assert lane[-3:].max() > 0.3


def test_no_wave_leaves_its_lane_in_clinical():
    drawer = page(BARE)
    drawing = drawer.draw(lanes_with(FLAT, sine(1e6, 3)))
    still = drawer.draw(lanes_with())
    for i in (0, 2, 3, 4, 5):
        box = drawer.boxes[i]
        assert (lane_of(drawing, box) == lane_of(still, box)).all()


def test_a_wave_runs_over_its_neighbours_in_sleepvlm():
    drawer = page(SLEEPVLM)
    drawing = drawer.draw(lanes_with(FLAT, sine(150, 0.5)))
    green = drawing[drawer.boxes[0].top : drawer.boxes[0].bottom, :, 1]
    still = drawer.draw(lanes_with())[drawer.boxes[0].top : drawer.boxes[0].bottom, :, 1]
    assert (green != still).sum() > 100


def test_lines_over_the_traces_let_them_shine_through_in_sleepvlm():
    """The published picture has a grid at 60 and 80 % opacity over its traces."""
    drawer = page(SLEEPVLM)
    full = lanes_with(*[zigzag(500)] * 6)  # every pixel of every lane is inked
    drawing, bare = (page(style).draw(full) for style in (SLEEPVLM, replace(SLEEPVLM, **NO_LINES)))
    row = int(drawer.boxes[1].middle)
    assert (drawing[row, 16] == bare[row, 16]).all()
    for column, opacity in ((15, 0.41), (75, 0.8)):
        seen = bare[row, column] * (1 - opacity) + 0x40 * opacity
        assert np.abs(drawing[row, column] - seen).max() <= 1
    rule = bare[drawer.boxes[2].top, 16] * 0.2 + 0x40 * 0.8
    assert np.abs(drawing[drawer.boxes[2].top, 16] - rule).max() <= 1


@pytest.mark.parametrize("style", PRESETS.values(), ids=PRESETS)
def test_an_absent_lane_is_the_background_to_the_last_byte(style):
    """Who puts an absent lane on a page takes these pixels, lines over the traces included."""
    drawer = page(style, absent=(1,))
    data_uv = lanes_with(*[FLAT] * 6)
    data_uv[1] = np.nan
    rows = slice(drawer.boxes[1].top, drawer.boxes[1].bottom)
    ground = layout.background(style, drawer.boxes, drawer.absent)[rows]
    drawing = drawer.draw(data_uv)[rows]
    assert (drawing == ground[:, :, : drawing.shape[2]]).all()


def test_lanes_without_edges_reach_from_line_to_line():
    """In the published picture, ±50 µV are the whole height of a lane, not that less a margin."""
    for box in page(SLEEPVLM).boxes:
        assert box.reach_px == pytest.approx(224 / 12)
        assert box.middle == pytest.approx(box.top + 224 / 12, abs=0.5)


def test_an_absent_lane_is_hatched_and_a_flat_one_is_a_line():
    drawer, flat = page(BARE, absent=(1,)), page(BARE)
    box = drawer.boxes[1]
    data_uv = lanes_with()
    data_uv[1] = np.nan
    hatched = lane_of(drawer.draw(data_uv), box)
    line = lane_of(flat.draw(lanes_with()), box)
    assert (hatched > 0).any(axis=1).all()
    assert (hatched > 0).any(axis=0).all()
    assert 0.1 < (hatched > 0).mean() < 0.2
    assert (line > 0).any(axis=1).sum() <= 2
    others = [lane_of(drawer.draw(data_uv), b) for i, b in enumerate(drawer.boxes) if i != 1]
    same = [lane_of(flat.draw(lanes_with()), b) for i, b in enumerate(flat.boxes) if i != 1]
    assert all((a == b).all() for a, b in zip(others, same, strict=True))


def height_px(lane):
    return int((lane > 0.3).any(axis=1).sum())


def test_twice_the_microvolts_are_twice_the_height_in_clinical():
    drawer = page(BARE)
    low, high = (
        height_px(lane_of(drawer.draw(lanes_with(sine(uv, 1))), drawer.boxes[0])) for uv in (40, 80)
    )
    assert abs((high - 1) - 2 * (low - 1)) <= 2


def test_paper_loses_the_amplitude_as_its_source_does():
    drawer = page(PAPER)
    assert drawer.png(lanes_with(wave(8, 500))) == drawer.png(lanes_with(wave(128, 500)))
    assert height_px(lane_of(drawer.draw(lanes_with(wave(8, 500))), drawer.boxes[0])) > 50


def test_paper_marks_nothing_as_clipped():
    """Minimum and maximum of an epoch fill the lane, so nothing can be cut off."""
    rng = np.random.default_rng(3)
    drawer = page(replace(PAPER, clip_mark="#888888"))
    drawing = drawer.draw(lanes_with((rng.normal(size=N_SAMPLES) + 7).astype(np.float32)))
    top = drawing[1 : 1 + MARK_PX, :, 0]
    assert not (top == 0x88).all(axis=0).any()


@pytest.mark.parametrize("style", [BARE, PAPER], ids=["clinical", "paper"])
def test_an_emg_level_is_a_filled_band_of_its_height(style):
    drawer = page(style, envelopes=(5,))
    box = drawer.boxes[5]
    level = np.repeat(np.float32([1, 2.5, 5]), 2000)
    lane = lane_of(drawer.draw(lanes_with(FLAT, FLAT, FLAT, FLAT, FLAT)), box)
    assert height_px(lane) <= 2
    data_uv = lanes_with(FLAT, FLAT, FLAT, FLAT, FLAT)
    data_uv[5] = level
    lane = lane_of(drawer.draw(data_uv), box)
    for third, uv in enumerate((1, 2.5, 5)):
        column = lane[:, int((third + 0.5) / 3 * style.width_px)]
        assert column.sum() == pytest.approx(2 * uv * box.px_per_uv(5) + style.line_px, abs=0.5)
        assert np.diff(np.flatnonzero(column)).max() == 1
        assert centre_row(column[:, None])[0] + box.top == pytest.approx(box.middle, abs=0.1)


def test_an_emg_level_beyond_its_scale_is_marked_on_both_sides():
    drawer = page(BARE, envelopes=(5,))
    data_uv = lanes_with()
    data_uv[5, 1000:2000] = 9
    above, below = marks(drawer.draw(data_uv), drawer.boxes[5])
    assert (above == below).all()
    assert len(above) >= 896 / 6


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_never_reach_the_rasteriser(value):
    data_uv = lanes_with()
    data_uv[3, 100] = value
    with pytest.raises(ValueError, match="samples that are not finite"):
        page().png(data_uv)
    page(absent=(3,)).png(data_uv)


@pytest.mark.parametrize("hz", [8, 10, 12, 13])
def test_each_wave_of_alpha_and_spindles_can_be_counted_on_a_clinical_page(hz):
    drawer = page(BARE)
    middle = centre_row(lane_of(drawer.draw(lanes_with(sine(40, hz))), drawer.boxes[0]))
    crossings = np.count_nonzero(np.diff(np.sign(middle - middle.mean())))
    assert crossings == pytest.approx(2 * 30 * hz, rel=0.02)


def test_a_wave_of_14_9_hz_has_two_pixels_a_cycle_in_clinical():
    assert CLINICAL.width_px / 30 / 14.9 >= 2


@pytest.mark.parametrize("name", PAGES)
def test_golden_pages_are_drawn_to_the_pixel(name, tmp_path):
    """``make_golden.py`` says how the pictures were made, and when to make them anew."""
    expected, actual = decode((GOLDENS / f"{name}.png").read_bytes()), decode(PAGES[name]())
    if expected.shape != actual.shape or (expected != actual).any():
        pictures = {"expected": expected, "actual": actual}
        if expected.shape == actual.shape:
            pictures["difference"] = np.abs(expected.astype(int) - actual).astype(np.uint8)
        for kind, picture in pictures.items():
            Image.fromarray(picture.squeeze()).save(tmp_path / f"{name}-{kind}.png")
        pytest.fail(f"{name} is drawn otherwise than the golden page; see {tmp_path}")


def test_goldens_are_few_and_small():
    files = sorted(GOLDENS.iterdir())
    assert {file.stem for file in files} == set(PAGES)
    assert len(files) <= 6
    assert sum(file.stat().st_size for file in files) < 100_000


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.floats(-60, 90, width=32), min_size=1, max_size=60),
    st.sampled_from([0.3, 0.7, 1.0, 1.5, 3.0, 8.0]),
)
def test_ink_stays_within_the_samples_and_half_a_line(rows, line_px):
    page_px = np.zeros((1, 32, 48), np.uint8)
    brush = raster.Brush(48, 32, line_px)
    brush.line(page_px, np.array(rows, np.float32), np.array([15], np.uint8))
    inked = np.flatnonzero(page_px[0].any(axis=1))
    if inked.size:
        assert inked[0] + 1 >= min(rows) - line_px / 2 - 1e-4
        assert inked[-1] <= max(rows) + line_px / 2 + 1e-4
    inside = np.flatnonzero((np.array(rows) > 1) & (np.array(rows) < 31))
    for i in inside:
        column = page_px[0, :, min(int((i + 0.5) / len(rows) * 48), 47)]
        assert column[max(int(rows[i]) - 1, 0) : int(rows[i]) + 2].any()


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(0, 32, width=32), min_size=1, max_size=60), st.floats(0, 32))
def test_a_band_covers_its_line_and_the_mirror_image(rows, middle):
    def draw(paint):
        drawn = np.zeros((1, 32, 48), np.uint8)
        paint(raster.Brush(48, 32, 1.0), drawn)
        return drawn[0].astype(int)

    ink, line = np.array([15], np.uint8), np.array(rows, np.float32)
    band = draw(lambda brush, to: brush.band(to, line, middle, ink))
    mirrored = (2 * middle - line).astype(np.float32)
    for part in (line, mirrored):
        assert (band >= draw(lambda brush, to, part=part: brush.line(to, part, ink)) - 1).all()


@pytest.mark.parametrize("line_px", [0.3, 0.7, 1.0, 1.6, 2.0, 3.0])
def test_a_level_line_covers_its_width(line_px):
    drawer = page(replace(BARE, line_px=line_px))
    lane = lane_of(drawer.draw(lanes_with()), drawer.boxes[0])
    assert lane.sum(axis=0)[10:-10] == pytest.approx(line_px, abs=0.08)


@pytest.mark.parametrize("line_px", [0.7, 1.0, 1.6, 2.0, 3.0])
def test_a_steep_line_covers_its_width(line_px):
    """To a slice: what touches a slice covers all of it."""
    step = FLAT.copy()
    step[:3000], step[3000:] = -90, 90
    drawer = page(replace(BARE, line_px=line_px))
    lane = lane_of(drawer.draw(lanes_with(step)), drawer.boxes[0])
    assert lane[30:60, 400:500].sum(axis=1) == pytest.approx(line_px, abs=0.2)


def test_a_page_too_low_for_its_lanes_is_refused():
    with pytest.raises(BuildError, match="the minimum is 8"):
        page(replace(CLINICAL, height_px=40))
