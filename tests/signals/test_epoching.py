"""Pages: every scored epoch becomes a picture or is counted with the reason why not."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.hypnogram import from_scores
from psgimg.builder.recordings.segments import Segment
from psgimg.builder.signals.epoching import Epoch, cut, require_signal, select
from psgimg.builder.signals.filtering import Signals, Stretch
from psgimg.builder.stages import Stage, Unscored

W, N2, REM = Stage.W, Stage.N2, Stage.REM


@dataclass
class Night:
    """As much of an EdfFile as pages look at."""

    segments: tuple[Segment, ...]
    path: Path = Path("night.edf")
    record_s: Fraction = Fraction(1)
    notes: tuple[str, ...] = ()

    @property
    def duration_s(self):
        last = self.segments[-1]
        return last.onset_s + last.stop - last.first


def whole(seconds):
    return Night((Segment(0.0, 0, seconds),))


def test_wake_is_kept_for_the_given_minutes_around_sleep():
    hypnogram = from_scores([W] * 100 + [N2] * 10 + [W] * 100)
    found = select(hypnogram, whole(210 * 30), trim_min=5)
    assert [epoch.index for epoch in found.epochs] == list(range(90, 120))
    assert found.left_out == {"trimmed": 180}
    assert found.span_s == (2700.0, 3600.0)


def test_none_keeps_all_wake():
    assert len(select(from_scores([W] * 50 + [N2]), whole(51 * 30), None).epochs) == 51


def test_a_night_without_sleep_is_kept_whole():
    assert len(select(from_scores([W] * 50), whole(50 * 30), 5).epochs) == 50


def test_movement_and_unscored_epochs_are_counted_not_drawn():
    scores = [N2, Unscored.MOVEMENT, N2, Unscored.UNSCORED, Unscored.UNSCORED, REM]
    found = select(from_scores(scores), whole(180), None)
    assert [epoch.index for epoch in found.epochs] == [0, 2, 5]
    assert found.left_out == {"movement": 1, "unscored": 2}


def test_20_second_epochs_sit_in_the_middle_of_their_page():
    found = select(from_scores([N2] * 9, epoch_s=20), whole(180), None)
    assert [epoch.page_start_s for epoch in found.epochs] == [15.0 + 20 * i for i in range(7)]
    assert [epoch.index for epoch in found.epochs] == list(range(1, 8))
    assert found.left_out == {"at the signal's edge": 2}


def test_scoring_that_outlasts_the_signal_is_cut_and_counted():
    found = select(from_scores([N2] * 10), whole(8 * 30 + 10), None)
    assert len(found.epochs) == 8
    assert found.left_out == {"at the signal's edge": 1, "beyond the signal": 1}


def test_scoring_may_start_later_than_the_signal():
    found = select(from_scores([N2] * 4, start_s=95.0), whole(300), None)
    assert [epoch.page_start_s for epoch in found.epochs] == [95, 125, 155, 185]
    assert [epoch.index for epoch in found.epochs] == [3, 4, 5, 6]


def test_an_epoch_that_a_gap_interrupts_is_counted():
    night = Night((Segment(0.0, 0, 70), Segment(100.0, 70, 170)))
    found = select(from_scores([N2] * 6), night, None)
    assert [epoch.onset_s for epoch in found.epochs] == [0, 30, 120, 150]
    assert found.left_out == {"in a gap": 2}


def test_every_epoch_that_is_left_out_has_its_reason():
    night = Night((Segment(0.0, 0, 70), Segment(100.0, 70, 170)))
    scores = [N2, Unscored.MOVEMENT, N2, N2, N2, REM, Unscored.UNSCORED]
    found = select(from_scores(scores), night, None)
    assert [epoch.index for epoch in found.epochs] == [0, 4, 5]
    assert found.reasons == (
        (1, "movement"),
        (2, "in a gap"),
        (3, "in a gap"),
        (6, "unscored"),
    )


def test_a_page_without_signal_is_refused():
    night = Night((Segment(0.0, 0, 70), Segment(100.0, 70, 170)))
    whole_page, in_gap = Epoch(1, 30.0, N2, 30.0), Epoch(2, 60.0, N2, 60.0)
    require_signal(night, [whole_page])
    with pytest.raises(RecordingError, match=r"night\.edf: the 30 s from 60 s lie in a gap"):
        require_signal(night, [whole_page, in_gap])


def test_a_scoring_of_another_night_is_refused():
    with pytest.raises(RecordingError, match=r"night\.edf: 1173 of 1193 scored epochs.*600 s"):
        select(from_scores([N2] * 1193), whole(600), None)


def test_a_scoring_of_which_half_lies_on_the_signal_is_drawn_and_one_of_less_refused():
    assert len(select(from_scores([N2] * 20), whole(10 * 30), None).epochs) == 10
    with pytest.raises(RecordingError, match="11 of 20 scored epochs lie outside the signal"):
        select(from_scores([N2] * 20), whole(9 * 30), None)


def test_a_recording_with_nothing_to_draw_says_what_it_had():
    with pytest.raises(
        RecordingError, match=r"no epoch to draw: .*: epochs left out: \d+ unscored; correct"
    ):
        select(from_scores([Unscored.UNSCORED] * 3), whole(90), None)


@given(
    st.lists(st.sampled_from([*Stage, *Unscored]), min_size=1, max_size=60), st.integers(30, 2000)
)
def test_every_epoch_is_drawn_or_counted(scores, seconds):
    try:
        found = select(from_scores(scores), whole(seconds), 10)
    except RecordingError:
        return
    assert len(found.epochs) + sum(found.left_out.values()) == len(scores)
    assert all(epoch.stage is scores[epoch.index] for epoch in found.epochs)


def test_pages_are_cut_at_their_own_times():
    ramp = np.arange(200 * 300, dtype=np.float32)[None] / 200  # the value is the time
    signals = Signals(
        200.0,
        ("C4-M1",),
        (False,),
        (False,),
        (Stretch.of(ramp, 0.0), Stretch.of(ramp + 1000, 1000.0)),
    )
    night = Night((Segment(0.0, 0, 300), Segment(1000.0, 300, 600)))
    selection = select(from_scores([N2] * 43, start_s=12.5), night, None)
    for epoch, page in zip(selection.epochs, cut(signals, selection.epochs), strict=True):
        assert page.shape == (1, 6000)
        assert page[0, 0] == pytest.approx(epoch.onset_s, abs=0.006)
