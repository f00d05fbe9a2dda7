"""Seen: what a training records about absent lanes, and what counts as seen later."""

import json

import pytest
from psgimg.finetune.lanes.seen import LanesSeen

LANES = ("F4", "C4", "chin")
WHOLE, CHINLESS = ("F4-M1", "C4-M1", "Chin"), ("F4-M1", "C3-M2", None)
NOTHING = (False, False, False)


@pytest.fixture
def record():
    return LanesSeen.of(
        LANES, {(WHOLE, NOTHING): 10.0, (CHINLESS, NOTHING): 4.0, (WHOLE, (True, False, True)): 2.5}
    )


def test_patterns_and_derivations_are_counted_as_they_were_shown(record):
    assert record.shown == {(): 10, ("chin",): 4, ("F4", "chin"): 2}
    assert record.derivations == {
        "F4": {"F4-M1": 14},
        "C4": {"C4-M1": 12, "C3-M2": 4},
        "chin": {"Chin": 10},
    }


def test_only_the_very_set_of_absent_lanes_counts_as_seen(record):
    assert record.has(())
    assert record.has(("F4", "chin"))
    assert not record.has(("F4",)), "fewer lanes absent is another picture as well"
    assert not record.has(("C4", "chin"))


def test_a_page_that_was_perhaps_not_shown_is_not_recorded():
    record = LanesSeen.of(LANES, {(WHOLE, NOTHING): 3.0, (CHINLESS, NOTHING): 0.6})
    assert record.shown == {(): 3}
    assert "C3-M2" not in record.derivations["C4"]


def test_without_a_record_only_complete_pages_count_as_seen():
    assert LanesSeen().has(())
    assert not LanesSeen().has(("chin",))


def test_a_complete_page_is_new_to_a_model_that_never_saw_one():
    record = LanesSeen.of(LANES, {(CHINLESS, NOTHING): 5.0})
    assert not record.has(())


def test_derivations_that_no_page_showed_are_found_by_their_lane(record):
    assert list(record.new_derivations(LANES, ("C4-M1", "C3-M2", None))) == [("F4", "C4-M1")]


def test_the_record_survives_json_and_adds_up(record):
    again = LanesSeen.from_json(json.loads(json.dumps(record.to_json())))
    assert again == record
    assert (again + record).shown[()] == 20
    assert (again + LanesSeen()) == record
