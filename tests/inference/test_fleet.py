"""Fleet: several devices give what one gives, in its order, and end with one line."""

import os

import pytest
from fleet_work import Work, opened, refused
from psgimg.builder.errors import BuildError
from psgimg.finetune.inference.fleet import Fleet


def run(devices, work, n=7, open_=opened):
    notes, done = [], []
    try:
        with Fleet(open_, devices, notes.append) as fleet:
            done += fleet.run(work, range(n))
            done += fleet.run(work, range(n, n + 2))
    except BuildError as error:
        return done, notes, str(error)
    return done, notes, ""


def test_tasks_are_shared_out_and_results_come_in_order():
    done, notes, _ = run(("a", "b"), Work())
    assert [task for task, *_ in done] == list(range(9))
    assert [device for _, device, _ in done[:7]] == list("abababa")
    pids = {pid for *_, pid in done}
    assert len(pids) == 2, "the processes are kept for further work"
    assert os.getpid() not in pids
    assert notes == ["ready"]


def test_one_device_is_worked_on_in_this_process():
    done, notes, _ = run(("a",), Work())
    assert [task for task, *_ in done] == list(range(9))
    assert {pid for *_, pid in done} == {os.getpid()}
    assert notes == ["ready"]


def test_a_process_that_dies_ends_the_command_with_one_line_after_what_was_done_before():
    done, _, said = run(("a", "b"), Work(killed_at=3))
    assert [task for task, *_ in done] == [0, 1, 2]
    assert said == (
        "the process of b was killed by SIGKILL, probably for want of memory; run the same command "
        "again to go on, with fewer in --device or a smaller --batch-size"
    )


def test_an_error_for_the_user_reaches_the_user_as_it_is():
    *_, said = run(("a", "b"), Work(fails_at=1))
    assert said == "page 1 can't be read"
    _, _, said = run(("a", "b"), Work(), open_=refused)
    assert said in ("a: no such model", "b: no such model")


def test_a_fault_of_ours_tells_where_it_happened():
    with (
        Fleet(opened, ("a", "b"), lambda line: None) as fleet,
        pytest.raises(
            RuntimeError, match=r"on b: (?s:.*)fleet_work\.py(?s:.*)ZeroDivisionError: task 1"
        ),
    ):
        list(fleet.run(Work(breaks_at=1), range(4)))
