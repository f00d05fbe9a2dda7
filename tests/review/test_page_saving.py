"""Saving from the page: killed servers and second windows lose nothing, and hide nothing."""

import pytest
from browser import Command, serving
from lasting_port import lasting_port
from review_nights import DOUBTED, write_recording, write_staged
from review_page import ReviewPage

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

MODEL = "WWW112233RRW"
LEAVE_AT_ONCE = """() => {
  const { fetch } = window;
  const later = () => new Promise((resolve) => setTimeout(resolve, 1000));
  window.fetch = async (address, ...more) => {
    if (address === "api/worklist") await later();
    return fetch(address, ...more);
  };
  for (const key of ["Home", "End"]) {
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  }
  document.getElementById("to-worklist").click();
}"""
"""Turn the page, which writes its place into its address soon, and leave for a list that comes later."""


@pytest.fixture
def staged(tmp_path):
    return write_staged(write_recording(tmp_path / "night.edf"))


def test_a_killed_server_loses_nothing_that_was_typed(browser, staged):
    first = Command(staged, "--port", lasting_port())
    page = ReviewPage(browser, first.address).ready()
    page.press("Home", "2").saved()
    first.kill()
    page.page.keyboard.press("3")
    page.says("saved", "Not saved: 1 change is waiting")
    page.page.keyboard.press("End")
    page.says("no-picture", "the server does not answer")
    second = Command(staged, "--port", first.port)
    again = page.tab(second.address)  # lets the whole window in
    page.saved().ready()
    assert page.epoch == 12
    assert page.stages() == "23" + MODEL[2:]
    again.reload()
    again.wait_for_selector("#picture[data-epoch]")
    assert "2 reviewed" in again.inner_text("#progress")
    page.close()
    second.kill()


def test_a_window_with_unsaved_changes_asks_before_it_closes(browser, staged):
    asked = []
    with serving(staged) as address:
        page = ReviewPage(browser, address).ready()
        page.page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
        page.press("Home", "2").saved()
        page.page.reload()
        page.ready()
        assert asked == []
    page.press("3").says("saved", "Not saved")
    with page.page.expect_event("dialog"):
        page.page.close(run_before_unload=True)
    assert asked == ["beforeunload"]
    page.close()


def test_the_second_of_two_windows_is_told_and_overwrites_nothing(browser, staged):
    with serving(staged) as address:
        one = ReviewPage(browser, address).ready()
        other = ReviewPage(browser, address).ready()
        one.press("Home", "2").saved()
        other.press("Home", "3").says("message", "Another window has changed this night")
        assert other.epoch == 1
        other.says("who", "the model said W.")
        assert one.stages() == other.stages() == "2" + MODEL[1:]
        other.press("3").saved()
        assert one.stages() == "3" + MODEL[1:]
        one.close()
        other.close()


def test_an_epoch_in_a_gap_says_so_and_is_never_to_be_reviewed(browser, tmp_path):
    recording = write_recording(tmp_path / "night.edf", gap_at_s=150)
    stages = [0, 0, 0, 1, 1, -1, -1, 3, 3, 4, 4, 0, 2, 2]
    with serving(write_staged(recording, stages=stages)) as address:
        page = ReviewPage(browser, address).ready()
        page.press("Home", *["ArrowRight"] * 5)
        assert page.text("who").startswith("No stage: ")
        assert page.text("marks") == "no signal"
        assert page.page.locator("#agree").is_disabled()
        assert page.says("progress", "2 to review").press("n").epoch == DOUBTED[1] + 1
        assert page.faults == []
        page.close()


def test_blind_scoring_shows_nothing_of_the_model(browser, staged):
    with serving(staged, blind=True) as address:
        page = ReviewPage(browser, address).ready()
        assert page.epoch == 1
        told = page.night()
        assert [told["model"], told["epochs"]["p"], told["epochs"]["model"]] == [None] * 3
        assert page.stages() == "-" * 12
        assert "model" not in page.page.inner_text("body").lower()
        page.press("w", "1").says("progress", "10 to review · 2 reviewed").saved()
        assert page.stages() == "W1" + "-" * 10
        assert page.faults == []
        page.close()


def test_differences_from_another_scoring_are_found_and_counted(browser, staged):
    other = [0, 0, 0, 1, 1, 2, 3, 3, 3, 4, 4, 4]
    room = staged.parent / "other"
    room.mkdir()
    against = write_staged(write_recording(room / "night.edf"), stages=other)
    with serving(staged, against=against) as address:
        page = ReviewPage(browser, address).ready()
        assert [page.press("d").epoch for _ in range(3)] == [7, 12, 7]
        page.says("who", "(differs)")
        page.page.locator("#agreement-fold summary").click()
        page.says("agreement", "83.3 % of 12 epochs")
        page.press("3").says("agreement", "91.7 % of 12 epochs")
        assert page.press("d").epoch == 12
        assert page.faults == []
        page.close()


def test_a_folder_of_nights_is_a_worklist_with_progress(browser, tmp_path):
    for name in ("anna", "berta"):
        write_staged(write_recording(tmp_path / f"{name}.edf"))
    with serving(tmp_path) as address:
        page = ReviewPage(browser, address)
        nights = page.page.locator("#nights a")
        nights.nth(1).wait_for()
        assert page.text("worklist-says") == "0 of 2 done."
        nights.nth(1).click()
        page.says("title", "berta").press("Enter", "Enter").saved()
        page.page.evaluate(LEAVE_AT_ONCE)
        page.says("worklist-says", "1 of 2 done.")
        assert nights.all_inner_texts() == ["anna\n2 to be reviewed, 0 reviewed", "berta\n✓ done"]
        page.page.go_back()
        page.says("title", "berta").ready()
        assert page.faults == []
        page.close()
