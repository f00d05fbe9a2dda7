"""Ahead: work goes on in another thread, in order, and never far from where it is needed."""

import os
import threading

import pytest
from patience import PATIENCE_S
from psgimg.builder.processes import ahead


@pytest.fixture(autouse=True)
def two_processors(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)


def test_results_come_in_order_and_one_is_begun_early():
    begun = []

    def work(value):
        begun.append(value)
        return 10 * value

    with ahead.results(work, range(5)) as found:
        for number, result in enumerate(found):
            assert result == 10 * number
            assert len(begun) <= number + 2
    assert begun == [0, 1, 2, 3, 4]


def test_an_error_comes_where_its_result_would():
    def work(value):
        return 6 // value

    with ahead.results(work, [2, 3, 0, 1]) as found:
        assert [next(found), next(found)] == [3, 2]
        with pytest.raises(ZeroDivisionError):
            next(found)


def test_calls_are_made_in_order_and_all_of_them_before_the_end():
    made = []
    with ahead.in_order(made.append, 2) as later:
        for number in range(50):
            later(number)
    assert made == list(range(50))


def test_no_more_calls_wait_than_allowed():
    may_go_on, called = threading.Event(), threading.Semaphore(0)

    def fill(later):
        for number in range(4):
            later(number)
            called.release()

    with ahead.in_order(lambda _: may_go_on.wait(PATIENCE_S), 2) as later:
        filling = threading.Thread(target=fill, args=(later,))
        filling.start()
        assert called.acquire(timeout=PATIENCE_S)
        assert called.acquire(timeout=PATIENCE_S)
        assert not called.acquire(timeout=0.2)
        may_go_on.set()
        filling.join()


def test_an_error_of_a_call_is_not_lost():
    def fail(_):
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"), ahead.in_order(fail, 8) as later:
        later(1)


def test_with_one_processor_nothing_runs_beside(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    threads, made = [], []

    def work(value):
        threads.append(threading.current_thread())
        return value

    with ahead.results(work, range(3)) as found, ahead.in_order(made.append, 2) as later:
        for value in found:
            later(value)
            assert made[-1] == value
    assert set(threads) == {threading.current_thread()}
