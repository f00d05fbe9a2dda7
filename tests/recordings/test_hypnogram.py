"""Hypnogram: runs become epochs at their own onsets; nothing is invented and nothing is moved."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.hypnogram import Event, Hypnogram, from_events, from_scores
from psgimg.builder.stages import STAGE_NAMES, Stage, Unscored

scores = st.sampled_from([*Stage, *Unscored])


def test_stages_have_the_order_of_every_table():
    assert STAGE_NAMES == ("W", "N1", "N2", "N3", "REM")
    assert [int(stage) for stage in Stage] == [0, 1, 2, 3, 4]


@given(
    st.lists(st.tuples(scores, st.integers(1, 40), st.integers(0, 3)), min_size=1, max_size=30),
    st.sampled_from([20.0, 30.0]),
    st.floats(0, 100),
)
def test_a_run_is_as_many_epochs_as_its_duration_holds(runs, epoch_s, start_s):
    events, expected, at_s = [], [], start_s
    for score, n_epochs, pause in runs:
        events.append(Event(at_s, n_epochs * epoch_s, score))
        expected += [(at_s + i * epoch_s, score) for i in range(n_epochs)]
        at_s += (n_epochs + pause) * epoch_s
    found = from_events(reversed(events), epoch_s=epoch_s)
    assert [score for _, score in found] == [score for _, score in expected]
    assert [onset for onset, _ in found] == pytest.approx(
        [onset for onset, _ in expected], abs=1e-5
    )
    indices = [found.index(onset) for onset, _ in found]
    assert indices == sorted(set(indices)), "epoch numbers ascend and none repeats"


def test_the_rest_of_a_run_that_is_no_whole_epoch_is_counted():
    found = from_events([Event(0, 75, Stage.N2), Event(90, 30, Stage.W)])
    assert found.scores == (Stage.N2, Stage.N2, Stage.W)
    assert found.partial == 1


def test_neighbours_are_neighbours_only_when_contiguous():
    found = from_events([Event(0, 60, Stage.N2), Event(90, 60, Stage.N2)])
    assert [found.contiguous(i) for i in range(1, 4)] == [True, False, True]
    assert [found.index(onset) for onset, _ in found] == [0, 1, 3, 4]


@pytest.mark.parametrize(
    ("onset_s", "number"), [(59.995, 2), (60.0, 2), (60.005, 2), (59.98, 1), (89.98, 2)]
)
def test_an_onset_that_was_rounded_keeps_its_epoch_number(onset_s, number):
    assert from_scores([Stage.N2]).index(onset_s) == number


def test_overlapping_runs_are_refused():
    with pytest.raises(RecordingError, match=r"30 s start at 30 s and 45 s"):
        from_events([Event(0, 60, Stage.N2), Event(45, 30, Stage.W)])


def test_a_scoring_without_a_whole_epoch_is_refused():
    with pytest.raises(RecordingError, match="empty scoring"):
        from_events([Event(0, 10, Stage.N2)])


def test_scores_and_onsets_belong_together():
    with pytest.raises(ValueError, match="1 scores but 2 onsets"):
        Hypnogram((Stage.W,), (0.0, 30.0))


def test_unscored_epochs_are_no_stage():
    found = from_scores([Stage.W, Unscored.UNSCORED, Unscored.MOVEMENT, Stage.REM])
    assert found.n_staged == 2
    assert not isinstance(Unscored.UNSCORED, Stage)
