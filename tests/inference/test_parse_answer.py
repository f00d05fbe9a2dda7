"""Answers: what counts as one. A model's words are never read as more than they say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psgimg.builder.dataset import prompts
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.inference.parse_answer import parse

ANSWERS = prompts.load("closed").answers
WORDS = {"W": "Wake", "N1": "stage one", "N2": "stage two", "N3": "Tiefschlaf", "REM": "N.R.E.M."}

answer_sets = st.lists(
    st.text(min_size=1, max_size=6).map(str.strip).filter(bool),
    min_size=5,
    max_size=5,
    unique_by=lambda text: (text.casefold(), text.upper(), text.lower()),
).map(lambda texts: dict(zip(STAGE_NAMES, texts, strict=True)))
space = st.text(" \t\n\r\u00a0", max_size=3)


@pytest.mark.parametrize("answers", [ANSWERS, WORDS])
@pytest.mark.parametrize("stage", STAGE_NAMES)
@pytest.mark.parametrize("case", [str, str.upper, str.lower])
@pytest.mark.parametrize("around", ["{}", " {}\n", "{}.", "\t{}. "])
def test_an_answer_in_any_allowed_dress_is_its_stage(answers, stage, case, around):
    assert parse(around.format(case(answers[stage])), answers) == stage


@pytest.mark.parametrize(
    "raw",
    [
        "",
        " ",
        ".",
        "The stage is N2.",
        "N2..",
        ".N2",
        "N2 .",
        "N2!",
        "N2,",
        "N2 or N3",
        "N2\nN2",
        "N4",
        "N",
        "2",
        "R",
        "Rem",
        "wake",
        "S3",
        "**N2**",
        '"N2"',
        "N２",
        "N2。",
        "not N2",
    ],
)
def test_anything_else_is_no_answer(raw):
    assert parse(raw, ANSWERS) is None


@given(answer_sets, st.sampled_from(STAGE_NAMES), space, st.sampled_from(["", "."]), space)
def test_every_answer_of_every_prompt_can_be_given(answers, stage, before, stop, after):
    assert parse(before + answers[stage] + stop + after, answers) in (stage, None)
    if len({text.removesuffix(".") for text in answers.values()}) == len(answers):
        assert parse(before + answers[stage] + after, answers) == stage


@given(st.text(max_size=12), answer_sets)
def test_what_is_read_is_what_was_written(raw, answers):
    stage = parse(raw, answers)
    if stage is not None:
        text = answers[stage]
        dressed = {form + stop for form in (text, text.upper(), text.lower()) for stop in ("", ".")}
        assert raw.strip() in dressed


@pytest.mark.parametrize("answers", [{"W": "a", "N1": "A"}, {"W": "a.", "N1": "a"}])
def test_a_text_that_fits_two_answers_is_none(answers):
    assert parse("a.", answers) is None
