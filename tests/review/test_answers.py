"""Answers and edits: who said what stays told, and everything can be undone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psgimg.finetune.review.answers import MODEL, SCORER, Answer, Answers, Lights
from psgimg.finetune.review.edits import parse, parse_all

N, END_S = 4, 120.0
FIRST = (Answer("W", MODEL), Answer("N1", MODEL), Answer(None, None), Answer("N2", MODEL))


def answers():
    return Answers(FIRST, Lights())


def change(state, *values, scorer="anna"):
    return state.change(parse_all(list(values), N, END_S), scorer, "now")


def test_a_stage_of_the_reviewer_says_who_and_when():
    state = answers()
    change(state, {"kind": "stage", "epoch": 1, "stage": "R"})
    assert state.epochs[1] == Answer("REM", SCORER, "", True, "anna", "now")
    assert (state.epochs[0], state.epochs[3]) == (FIRST[0], FIRST[3])


def test_a_confirmed_stage_stays_the_models():
    state = answers()
    change(state, {"kind": "reviewed", "epoch": 0})
    assert state.epochs[0] == Answer("W", MODEL, "", True, "anna", "now")


def test_a_note_says_nothing_of_the_stage():
    state = answers()
    change(state, {"kind": "note", "epoch": 0, "text": " artefact "})
    assert state.epochs[0] == Answer("W", MODEL, "artefact")


def test_edits_made_at_once_are_undone_at_once():
    state = answers()
    edits = [{"kind": "stage", "epoch": epoch, "stage": "N3"} for epoch in (0, 1, 1)]
    change(state, *edits)
    assert [one.epoch for one in change(state, {"kind": "undo"})] == [0, 1, 1]
    assert tuple(state.epochs) == FIRST
    change(state, {"kind": "redo"})
    assert [one.stage for one in state.epochs] == ["N3", "N3", None, "N2"]


def test_a_new_edit_ends_what_could_be_redone():
    state = answers()
    change(state, {"kind": "lights", "off_s": 30, "on_s": None})
    change(state, {"kind": "undo"})
    assert state.can_redo
    change(state, {"kind": "note", "epoch": 0, "text": "x"})
    assert not state.can_redo
    assert change(state, {"kind": "redo"}) == ()


EDITS = st.one_of(
    st.builds(
        lambda epoch, stage: {"kind": "stage", "epoch": epoch, "stage": stage},
        st.integers(0, N - 1),
        st.sampled_from(["W", "N1", "N2", "N3", "R", None]),
    ),
    st.builds(lambda epoch: {"kind": "reviewed", "epoch": epoch}, st.integers(0, N - 1)),
    st.builds(lambda at_s: {"kind": "lights", "off_s": at_s, "on_s": END_S}, st.floats(0, 100)),
    st.just({"kind": "undo"}),
    st.just({"kind": "redo"}),
)


@given(st.lists(EDITS, max_size=12))
def test_undoing_everything_restores_the_beginning_and_redoing_the_end(made):
    state = answers()
    for edit in made:
        change(state, edit)
    last = (list(state.epochs), state.lights)
    n_undone = 0
    while state.can_undo:
        change(state, {"kind": "undo"})
        n_undone += 1
    assert (tuple(state.epochs), state.lights) == (FIRST, Lights())
    for _ in range(n_undone):
        change(state, {"kind": "redo"})
    assert (state.epochs, state.lights) == last


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"kind": "delete"}, "kind 'delete': use stage, reviewed, note, lights, undo, redo"),
        ("stage", "kind None"),
        ({"kind": "stage", "epoch": 4, "stage": "W"}, "epoch 4: use 0 to 3"),
        ({"kind": "stage", "epoch": True, "stage": "W"}, "epoch True"),
        ({"kind": "stage", "epoch": 0, "stage": "N4"}, "stage 'N4': use W, N1, N2, N3, R or null"),
        ({"kind": "stage", "epoch": 0}, "stage ''"),
        ({"kind": "note", "epoch": 0, "text": "x" * 1001}, "at most 1,000 characters"),
        ({"kind": "lights", "off_s": 121, "on_s": None}, "off_s 121: use seconds from 0 to 120"),
        ({"kind": "lights", "off_s": float("nan")}, "off_s nan"),
        ({"kind": "lights", "off_s": 60, "on_s": 60}, "give a time before lights on"),
    ],
)
def test_an_invalid_edit_is_refused_with_what_is_allowed(values, what):
    with pytest.raises(ValueError, match=what):
        parse(values, N, END_S)


def test_undo_stands_alone():
    with pytest.raises(ValueError, match="stand alone"):
        parse_all([{"kind": "undo"}, {"kind": "reviewed", "epoch": 0}], N, END_S)
