"""PNG: only the pixels are in the file, and Pillow reads back what went in."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pictures import decode
from psgimg.builder.render import png


def chunks(data):
    """Name and content of each chunk; checksums are checked."""
    at, found = len(png.SIGNATURE), []
    while at < len(data):
        (n,) = struct.unpack_from(">I", data, at)
        kind, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + n]
        assert struct.unpack_from(">I", data, at + 8 + n)[0] == zlib.crc32(kind + content)
        found.append((kind, content))
        at += 12 + n
    return found


def greys():
    shape = st.tuples(st.just(1), st.integers(1, 40), st.integers(1, 41))
    return arrays(np.uint8, shape, elements=st.integers(0, 15))


def colours():
    return arrays(np.uint8, st.tuples(st.just(3), st.integers(1, 40), st.integers(1, 41)))


@settings(deadline=None)
@given(st.one_of(greys(), colours()))
def test_pillow_reads_back_every_pixel_at_any_size(page):
    assert (decode(png.encode(page)) == png.image_of(page)).all()
    assert (png.page_of(png.image_of(page)) == page).all()


@settings(deadline=None)
@given(st.one_of(greys(), colours()))
def test_work_space_changes_no_byte(page):
    work = png.scanlines(page)
    work[:] = 255
    assert png.encode(page, work) == png.encode(page)


@pytest.mark.parametrize(("n_channels", "depth", "kind"), [(1, 4, png.GREY), (3, 8, png.RGB)])
def test_a_file_holds_pixels_and_nothing_else(n_channels, depth, kind):
    data = png.encode(np.zeros((n_channels, 20, 31), np.uint8))
    assert data.startswith(png.SIGNATURE)
    (first, header), *rest = chunks(data)
    assert first == b"IHDR"
    assert struct.unpack(">IIBBBBB", header) == (31, 20, depth, kind, 0, 0, 0)
    assert [kind for kind, _ in rest] == [b"IDAT", b"IEND"]


def test_an_image_goes_to_the_nearest_of_16_greys():
    image = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    back = png.image_of(png.page_of(image)).astype(int)
    assert np.abs(back - image).max() == 8
    assert sorted(set(back.ravel().tolist())) == [17 * level for level in range(16)]
