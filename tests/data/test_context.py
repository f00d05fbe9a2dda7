"""Context: a page keeps its pixels and its place whatever stands beside it, and gaps are plain."""

import numpy as np
import pytest
from PIL import Image
from psgimg.builder.errors import BuildError
from psgimg.builder.render import style as styles
from psgimg.finetune.data.context import ALONE, BAR_PX, BLUE, GREY, MAX_CONTEXT, Context

SIZE = (224, 56)
NARROW = Context(2, 0.25)


def page(shade, size=SIZE):
    return Image.new("RGB", size, (shade,) * 3)


def waves(paper, ink):
    """A page with a wave that rises and falls within two columns, drawn one column wide."""
    pixels = np.full((SIZE[1], SIZE[0], 3), paper, np.uint8)
    pixels[10:40, 101] = ink
    pixels[25, :] = ink
    return Image.fromarray(pixels)


def shown(before, after, context=NARROW):
    """The one picture as pixels; the page has shade 200, its neighbours 10, 20 … by distance."""
    early = [page(10 * (before - i)) for i in range(before)]
    late = [page(10 * (i + 1)) for i in range(after)]
    [picture] = context.pictures([*early, page(200), *late], before)
    return np.asarray(picture)


def test_without_neighbours_and_with_whole_ones_pictures_are_the_pages():
    pages = [page(i) for i in range(3)]
    assert Context(1).pictures(pages, 1) == pages
    assert ALONE.pictures(pages[:1], 0) == pages[:1]
    assert Context(0, 0.5).pictures(pages[:1], 0) == pages[:1]
    assert (Context(1).place(1, 224), Context(1).place(0, 224)) == ((1, 0), (0, 0))


@pytest.mark.parametrize("scale", [0.1, 0.25, 1 / 3, 0.5, 0.99])
@pytest.mark.parametrize("k", [1, 2, MAX_CONTEXT])
def test_a_page_has_the_same_place_however_many_neighbours_it_has(k, scale):
    context, rng = Context(k, scale), np.random.default_rng(0)
    own = Image.fromarray(rng.integers(0, 256, (56, 224, 3), np.uint8))
    for before, after in ((0, 0), (k, 0), (0, k), (k, k)):
        [picture] = context.pictures([page(90)] * before + [own] + [page(90)] * after, before)
        assert picture.size == (context.width_px(224), 56)
        number, left = context.place(before, 224)
        assert (number, picture.crop((left, 0, left + 224, 56)).tobytes()) == (0, own.tobytes())


def test_the_page_stands_between_the_only_blue_bars():
    pixels = shown(1, 2)
    blue = (pixels == BLUE).all(axis=2)
    _, left = NARROW.place(1, SIZE[0])
    expected = [*range(left - BAR_PX, left), *range(left + SIZE[0], left + SIZE[0] + BAR_PX)]
    assert np.flatnonzero(blue.all(axis=0)).tolist() == expected
    assert blue.sum() == len(expected) * SIZE[1]


def test_neighbours_are_in_order_of_time_and_missing_ones_are_grey():
    def shades(before, after):
        """The shade in the middle of each neighbour's place."""
        row, slot = shown(before, after)[20, :, 0], 56
        starts = [0, slot, 2 * slot + SIZE[0] + BAR_PX, 3 * slot + SIZE[0] + BAR_PX]
        return [int(row[start + 20]) for start in starts]

    assert shades(2, 2) == [20, 10, 10, 20]
    assert shades(1, 2) == [GREY[0], 10, 10, 20]
    assert shades(2, 0) == [20, 10, GREY[0], GREY[0]]
    assert shades(0, 0) == [GREY[0]] * 4


@pytest.mark.parametrize(("paper", "ink"), [(255, 0), (0, 255)])
def test_a_narrowed_wave_is_as_high_and_as_dark_as_on_its_page(paper, ink):
    neighbour = waves(paper, ink)
    [picture] = Context(1, 0.25).pictures([neighbour, page(paper)], 1)
    narrowed = np.asarray(picture)[:, : 56 - BAR_PX, 0]
    pixels = np.asarray(neighbour)[:, :, 0]
    drawn = (pixels == ink).any(axis=1)
    assert drawn.sum() == 30
    assert np.array_equal((narrowed == ink).any(axis=1), drawn)
    assert np.unique(narrowed).tolist() == sorted((paper, ink))
    column = np.flatnonzero((narrowed[10:20] == ink).all(axis=0))
    assert column.tolist() == [101 * 48 // 224], "a narrow wave stays one column wide"


def test_pictures_of_the_recommended_scale_have_whole_image_tokens():
    """Qwen's tokens are 28 and 32 px wide: other widths would be resized, and blur the page."""
    width_px = styles.CLINICAL.width_px
    for k in range(MAX_CONTEXT + 1):
        assert Context(k, 0.25).width_px(width_px) % 28 == 0
        assert Context(k, 0.25).width_px(width_px) % 32 == 0


def test_the_same_pixels_of_a_page_need_a_larger_picture():
    assert ALONE.n_pixels(1000, 896) == 1000
    assert Context(1).n_pixels(1000, 896) == 1000, "neighbours are pictures of their own"
    assert Context(1, 0.25).n_pixels(1000, 896) == 1500


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((-1,), r"context -1: .* 0 to 5"),
        ((6,), r"context 6: .* 0 to 5"),
        ((1, 0.05), r"context scale 0\.05: .* 0\.1 to 1"),
        ((1, 1.5), r"context scale 1\.5: .* 0\.1 to 1"),
        ((1, float("nan")), r"context scale nan: .* 0\.1 to 1"),
    ],
)
def test_a_context_out_of_bounds_is_refused(values, said):
    with pytest.raises(BuildError, match=said):
        Context(*values)
