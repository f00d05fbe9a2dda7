"""The page of a review in a real browser: what is typed is done, shown, and saved."""

import json
import re

import pytest
from browser import serving
from review_nights import DOUBTED, write_recording, write_staged
from review_page import ReviewPage

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

TABLET = {"viewport": {"width": 820, "height": 1180}, "has_touch": True, "is_mobile": True}
MODEL = "WWW112233RRW"
"""Stages of the staged night by the model, one letter an epoch."""


@pytest.fixture
def staged(tmp_path):
    """A night of 12 epochs that a model staged."""
    return write_staged(write_recording(tmp_path / "night.edf"))


@pytest.fixture
def opened(browser, staged):
    """The night in a window, which has met no fault and no other server in the end."""
    with serving(staged, scorer="anna") as address:
        page = ReviewPage(browser, address).ready()
        yield page
        assert page.faults == []
        own = address.partition("?")[0]
        assert [url for url in page.asked if not url.startswith((own, f"blob:{own}"))] == []
        page.close()


def test_the_first_epoch_to_be_reviewed_is_shown_and_keys_page_from_there(opened):
    assert opened.epoch == DOUBTED[0] + 1
    walk = {"ArrowRight": 6, "ArrowLeft": 5, "End": 12, "Home": 1, "PageDown": 11, "PageUp": 1}
    for key, there in walk.items():
        assert opened.press(key).epoch == there
    assert opened.press("ArrowLeft").epoch == 1
    found = [opened.press("n").epoch for _ in range(3)]
    assert found == [DOUBTED[0] + 1, DOUBTED[1] + 1, DOUBTED[0] + 1]


def test_stages_are_written_down_as_they_are_typed_and_told_after_a_reload(opened, staged):
    opened.press("Home", "1", "2", "3", "r", "W", "?").saved()
    assert opened.epoch == 7
    assert opened.stages() == "123RW-" + MODEL[6:]
    lines = (staged / "review" / "journal.jsonl").read_text().splitlines()
    edits = [edit for line in lines[1:] for edit in json.loads(line)["edits"]]
    assert [edit["epoch"] for edit in edits] == [0, 1, 2, 3, 4, 5]
    opened.until("() => location.hash.endsWith('/7')")  # which follows the page within moments
    opened.page.reload()
    opened.ready()
    assert opened.epoch == 7
    opened.press("Home").says("who", "the model said W.").says("who", "Given by anna, ")
    pressed = opened.page.locator("#answers [aria-pressed=true]")
    assert pressed.all_inner_texts() == ["1\nN1\n2.5 %"]


def test_keys_that_come_faster_than_pages_keep_their_order(opened):
    opened.press("Home")
    for key in "332211RRW":
        opened.page.keyboard.press(key)
    opened.says("place", "Epoch 10 ").saved()
    assert opened.stages() == "332211RRW" + MODEL[9:]


def test_undo_and_redo_go_to_what_they_change(opened):
    opened.press("Home", "2").saved()
    opened.press("3").saved()
    steps = [
        ("u", "Epoch 2 ", "2" + MODEL[1:]),
        ("Control+z", "Epoch 1 ", MODEL),
        ("Shift+U", "Epoch 1 ", "2" + MODEL[1:]),
        ("Control+y", "Epoch 2 ", "23" + MODEL[2:]),
    ]
    for key, place, stages in steps:
        opened.press("End", key).says("place", place)
        assert opened.stages() == stages
    assert opened.page.locator("#redo").is_disabled()


def test_enter_lets_a_stage_stand_and_goes_on_until_nothing_is_left(opened):
    opened.says("progress", "2 to review")
    assert opened.press("Enter").saved().epoch == DOUBTED[1] + 1
    opened.press("Enter").says("message", "Nothing is left to be reviewed.")
    opened.saved().says("progress", "0 to review · 2 reviewed")
    epochs = opened.night()["epochs"]
    assert [epochs["source"][epoch] for epoch in DOUBTED] == ["model"] * 2
    assert [epoch for epoch, seen in enumerate(epochs["reviewed"]) if seen] == list(DOUBTED)


def test_what_is_typed_into_a_note_is_no_stage(opened):
    opened.press("Home", "m")
    opened.page.keyboard.type("r2 w? <b>")
    opened.page.keyboard.press("Enter")
    opened.saved()
    assert opened.stages() == MODEL
    assert opened.night()["epochs"]["note"][0] == "r2 w? <b>"
    opened.press("m")
    opened.page.keyboard.type("not this")
    opened.page.keyboard.press("Escape")
    opened.press("ArrowRight", "ArrowLeft")
    assert opened.page.input_value("#note") == "r2 w? <b>"


def test_statistics_follow_lights_and_stages_at_once(opened):
    def cell(name):
        return opened.page.locator(f"#statistics tr:has(th:text-is('{name}')) td").inner_text()

    assert (cell("Total recording time"), cell("Total sleep time")) == ("6.0 min", "4.0 min")
    opened.press("Home", "ArrowRight", "[", "End", "]").saved()
    assert opened.night()["lights"] == {"off_s": 30.0, "on_s": 330.0}
    assert cell("Total recording time") == "5.0 min"
    opened.press("]").says("lights-on-at", "not set").saved()
    assert opened.night()["lights"] == {"off_s": 30.0, "on_s": None}
    opened.press("3").says("statistics", "4.5 min").saved()
    assert cell("Total sleep time") == "4.5 min"


def test_a_window_shorter_than_an_epoch_goes_through_it_in_parts(opened):
    opened.press("Home", ",", ",", ",")
    assert opened.text("window") == "10 s"
    first_tick = "() => document.querySelector('#ticks span').innerText"
    seen = []
    for _ in range(4):
        seen.append((opened.epoch, opened.page.evaluate(first_tick)))
        opened.press("ArrowRight")
    clock = ["22:00:00", "22:00:10", "22:00:20", "22:00:30"]
    assert seen == list(zip([1, 1, 1, 2], clock, strict=True))
    opened.press("2")  # of the whole epoch
    assert opened.epoch == 3
    opened.press("ArrowLeft")
    assert opened.page.evaluate(first_tick) == "22:00:50"


def test_scale_filters_and_polarity_change_the_picture_and_nothing_else(browser, tmp_path):
    picture = "() => document.getElementById('picture').toDataURL()"
    with serving(write_recording(tmp_path / "night.edf"), out=tmp_path / "review") as address:
        page = ReviewPage(browser, address).ready()
        plain = page.page.evaluate(picture)
        for key, back in ("+-", "-+", ".,", "ff", "pp"):
            assert page.press(key).page.evaluate(picture) != plain
            assert page.press(back).page.evaluate(picture) == plain
        page.page.locator("#lanes button", has_text="C4").click()
        assert page.ready().page.evaluate(picture) != plain
        turned = page.page.locator("#lanes [aria-pressed=true]")
        assert turned.all_inner_texts() == ["C4 C4-M1"]
        assert "C4 C4-M1\n±150 µV, + up ↕" in page.text("lanes")
        assert page.night()["revision"] == 0
        page.close()


def test_a_press_goes_there(opened):
    opened.page.locator("#overview").click(position={"x": 60, "y": 30})
    assert opened.ready().epoch == 1
    opened.page.locator("#film button").nth(2).click()
    assert opened.ready().epoch == 3
    opened.page.locator("#answers button", has_text="N3").click()
    assert opened.saved().ready().epoch == 4
    assert opened.stages() == "WW3" + MODEL[3:]


def test_why_without_a_model_says_what_is_missing(opened):
    opened.press("y").says("reasons", "start `psgimg review` with --model")
    opened.press("y")
    assert opened.page.locator("#reasons").is_hidden()
    opened.faults.clear()  # the console tells of the refusal


def test_the_list_of_keys_opens_and_closes_and_no_key_works_behind_it(opened):
    opened.press("Home", "h")
    assert opened.page.locator("#help").is_visible()
    assert len(opened.page.locator("#keys dt").all()) >= 25
    opened.page.keyboard.press("3")
    opened.page.keyboard.press("Escape")
    assert not opened.page.locator("#help").is_visible()
    assert opened.stages() == MODEL


def test_a_screen_reader_is_told_place_and_stage_and_every_button_has_a_name(opened):
    opened.press("Home").says("live", "Epoch 1, 22:00:00, W")
    opened.press("2", "ArrowLeft").says("live", "N2 by the scorer")
    slider = opened.page.get_by_role("slider", name="Place in the night")
    assert slider.get_attribute("aria-valuenow") == "1"
    tree = opened.page.locator("body").aria_snapshot()
    for part in ("banner", "main", 'region "Whole night"', 'region "Page"', "complementary"):
        assert part in tree
    assert 'img "Signals of F4, C4, O2 (absent), E1, E2 (absent), chin"' in tree
    assert not re.search(r"- button( \[.*\])?:?$", tree, re.MULTILINE)


def wipe(page, begin, end):
    """Move a finger over the picture from one column to another."""
    finger = page.context.new_cdp_session(page.page)
    touch = "Input.dispatchTouchEvent"
    finger.send(touch, {"type": "touchStart", "touchPoints": [{"x": begin, "y": 500}]})
    finger.send(touch, {"type": "touchMove", "touchPoints": [{"x": end, "y": 505}]})
    finger.send(touch, {"type": "touchEnd", "touchPoints": []})


def test_fingers_find_every_button_of_a_tablet(browser, staged):
    with serving(staged) as address:
        page = ReviewPage(browser, address, **TABLET).ready()
        sizes = page.page.locator("button:visible").evaluate_all(
            "all => all.map(one => [one.id || one.innerText, one.offsetWidth, one.offsetHeight])"
        )
        assert [one for one in sizes if min(one[1:]) < 40] == []
        assert page.page.evaluate("document.documentElement.scrollWidth") == 820
        wipe(page, 600, 200)  # a browser may tell of it before the page has heard
        page.says("place", f"Epoch {DOUBTED[0] + 2} ").ready()
        wipe(page, 200, 600)
        page.says("place", f"Epoch {DOUBTED[0] + 1} ").ready()
        page.page.locator("#answers button", has_text="N3").click()
        assert page.saved().stages()[DOUBTED[0]] == "3"
        page.close()
