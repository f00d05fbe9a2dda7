"""Views of a night: the page that a model sees, and any other window by the same recipe."""

import itertools

import numpy as np
import pytest
from psgimg.builder import unscored_night
from psgimg.builder.errors import BuildError
from psgimg.builder.files import picture
from psgimg.builder.unscored.night_views import NightViews, View
from psgimg.builder.unscored_night import open_night
from review_nights import recipe, write_recording


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return write_recording(tmp_path_factory.mktemp("views") / "night.edf")


@pytest.fixture(scope="module", params=["paper", "clinical"])
def night(recording, request):
    return open_night(recording, recipe(request.param))


@pytest.fixture(scope="module")
def views(night):
    return NightViews(night)


def pixels(png):
    return np.asarray(picture.decode(png))


def test_the_page_of_an_epoch_has_the_bytes_that_a_model_sees(night, views):
    drawn = list(unscored_night.pages(night))
    assert len(drawn) == 12
    for page, png in drawn:
        assert views.png(View(page.page_start_s)) == png


def test_a_page_that_begins_within_the_rounding_of_times_before_the_signal_is_whole(views):
    assert views.png(View(-0.008)) == views.png(View(0.0))
    assert views.png(View(-0.5)) != views.png(View(0.0))


def test_another_size_and_length_are_drawn_as_asked_for(views):
    image = pixels(views.png(View(60.0, 120.0, 640, 200)))
    assert image.shape == (200, 640, 3)
    boxes = views.lanes(View(60.0, 120.0, 640, 200))
    assert (boxes[0].top_px, boxes[-1].bottom_px) == (0, 200)
    assert all(a.bottom_px == b.top_px for a, b in itertools.pairwise(boxes))


def test_only_a_flipped_lane_changes_and_says_which_way_is_up(views):
    as_is, turned = View(90.0), View(90.0, flipped=frozenset(["C4"]))
    changed = (pixels(views.png(as_is)) != pixels(views.png(turned))).any(axis=(1, 2))
    (before,) = (lane for lane in views.lanes(as_is) if lane.name == "C4")
    (after,) = (lane for lane in views.lanes(turned) if lane.name == "C4")
    assert changed[after.top_px : after.bottom_px].any()
    assert not changed[: after.top_px].any()
    assert not changed[after.bottom_px :].any()
    assert {before.up, after.up} == {"positive", "negative"}


def test_filters_can_be_left_out_and_the_scale_be_changed(recording):
    views = NightViews(open_night(recording, recipe("clinical")))
    pages = [View(90.0), View(90.0, filtered=False), View(90.0, uv=2.0)]
    assert len({views.png(view) for view in pages}) == 3
    scales = [views.lanes(view)[0].scale_uv for view in pages]
    assert scales == [150.0, 150.0, 300.0]


def test_what_has_no_signal_is_hatched_and_said(tmp_path):
    path = write_recording(tmp_path / "gap.edf", gap_at_s=100)
    views = NightViews(open_night(path, recipe("clinical")))
    across = View(90.0, 30.0)  # signal to 100 s, and again from 160 s
    assert views.gaps(across) == [(100.0, 120.0)]
    assert views.gaps(View(0.0)) == []
    image, whole = pixels(views.png(across)), pixels(views.png(View(60.0)))
    width = image.shape[1]
    assert image[:, width // 3 + 1 :].mean() != whole[:, width // 3 + 1 :].mean()
    nowhere = pixels(views.png(View(120.0)))
    np.testing.assert_array_equal(nowhere[:, -16:], image[:, -16:])
    assert views.gaps(View(400.0, 60.0)) == [(420.0, 460.0)]


def test_signals_that_were_forgotten_are_read_again(views):
    before = views.png(View(30.0))
    views.forget()
    assert views.png(View(30.0)) == before


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"seconds": 2}, "seconds 2: use 5 to 600"),
        ({"uv": 0}, "uv 0: use 0.05 to 20"),
        ({"width_px": 9000}, "width 9000: use 16 to 4096"),
    ],
)
def test_what_can_not_be_drawn_is_refused_with_the_bounds(values, what):
    with pytest.raises(BuildError, match=what):
        View(0.0, **values)
