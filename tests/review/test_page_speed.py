"""The page with a whole night, and behind a proxy that puts it into a folder."""

import logging
from statistics import median
from urllib.parse import parse_qs, urlsplit

import pytest
from browser import serving
from folder_proxy import in_a_folder
from review_nights import DOUBTED, write_recording, write_staged
from review_page import ReviewPage

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

LOG = logging.getLogger("page turns")
TURNS = 24
CAME = """(path) => {
  const came = performance.getEntriesByType("resource").filter((one) => one.name.includes(path));
  return came.filter((one) => one.responseEnd).length === 2;
}"""
"""Whether the picture of a page and what is written around it have come."""
READING_MS = 250
"""A scorer looks at a page at least as long; meanwhile its neighbours are fetched."""


def test_the_next_page_is_there_before_it_is_asked_for(browser, tmp_path):
    staged = write_staged(write_recording(tmp_path / "night.edf"))
    with serving(staged) as address:
        page = ReviewPage(browser, address).ready()
        before = page.epoch
        page.until(CAME, f"/page/{before}.")  # addresses count epochs from 0: it is the next one
        page.context.set_offline(True)
        assert page.press("ArrowRight").epoch == before + 1
        page.close()


def test_a_page_is_drawn_at_once_in_the_size_that_it_keeps(browser, tmp_path):
    staged = write_staged(write_recording(tmp_path / "night.edf"))
    with serving(staged) as address:
        page = ReviewPage(browser, address).ready()
        page.page.wait_for_timeout(500)  # another size would be asked for now
        asked = [parse_qs(urlsplit(url).query) for url in page.asked if "/page/" in url]
        assert len({(*query["width"], *query["height"]) for query in asked}) == 1
        page.close()


def test_the_pages_of_a_night_of_2650_epochs_can_be_turned_one_after_another(
    browser, real_recordings, tmp_path
):
    corpus = real_recordings / "sleep-edf"
    recording, scoring = corpus / "SC4001E0-PSG.edf", corpus / "SC4001EC-Hypnogram.edf"
    options = {"scoring": scoring, "montage": "sleep-edf", "out": tmp_path / "review"}
    with serving(recording, **options) as address:
        page = ReviewPage(browser, address, viewport={"width": 1440, "height": 900}).ready()
        assert page.text("place").startswith("Epoch 1 of 2,650")
        took = []
        for turn in range(TURNS):
            page.page.wait_for_timeout(READING_MS)
            took.append(page.turn_ms("ArrowLeft" if turn % 6 == 5 else "ArrowRight"))
        LOG.info("%d turns: median %.1f ms, longest %.1f ms", TURNS, median(took), max(took))
        page.press("End")
        assert page.epoch == 2650
        assert page.faults == []
        page.close()


def test_behind_a_proxy_that_puts_it_into_a_folder_the_page_works_the_same(browser, tmp_path):
    staged = write_staged(write_recording(tmp_path / "night.edf"))
    with serving(staged) as address, in_a_folder(address) as behind:
        page = ReviewPage(browser, behind)
        page.press("Home", "2").saved()
        assert page.press("n").epoch == DOUBTED[0] + 1
        folder = behind.partition("?")[0]
        assert [url for url in page.asked if not url.startswith((folder, "blob:"))] == []
        assert page.faults == []
        page.close()
