"""Answers: what counts as one, and how it was given. No text is read as two stages, or as a denied one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psgimg.builder.dataset import prompts
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.inference import parse_answer as reading
from psgimg.finetune.inference.parse_answer import Reading, parse, read

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
def test_an_answer_as_asked_for_is_its_stage(answers, stage, case, around):
    raw = around.format(case(answers[stage]))
    assert read(raw, answers) == Reading(stage, reading.AS_ASKED)


@pytest.mark.parametrize(
    ("raw", "stage", "manner"),
    [
        ("R", "REM", reading.SYNONYM),
        ("Wake", "W", reading.SYNONYM),
        ("wake.", "W", reading.SYNONYM),
        ("Rem", "REM", reading.SYNONYM),
        ("NREM 2", "N2", reading.SYNONYM),
        ("stage 3", "N3", reading.SYNONYM),
        ("**N2**", "N2", reading.MARKED),
        ('"N2"', "N2", reading.MARKED),
        ("`rem`", "REM", reading.MARKED),
        ("N2..", "N2", reading.MARKED),
        ("Stage N2", "N2", reading.SENTENCE),
        ("The stage is N2.", "N2", reading.SENTENCE),
        ("Final answer: **REM**", "REM", reading.SENTENCE),
        ("I would score this epoch as N2.", "N2", reading.SENTENCE),
        ("The patient is awake.", "W", reading.SENTENCE),
        ("<answer>N1</answer>", "N1", reading.SENTENCE),
        (r"\boxed{N2}", "N2", reading.SENTENCE),
        ("N2 (NREM sleep)", "N2", reading.SENTENCE),
        ("N2\nN2", "N2", reading.SENTENCE),
        ("N2, because there are spindles.", "N2", reading.SENTENCE),
        ("There are no slow waves.\nStage: N2\nConfidence: high", "N2", reading.SENTENCE),
        ('{"stage": "N2"}', "N2", reading.JSON),
        ('```json\n{"sleep_stage": "R", "text": "neither N2 nor W"}\n```', "REM", reading.JSON),
        ('Here it is: {"Answer": "**Wake**"}', "W", reading.JSON),
        ("<think>N3? No.</think>\n\nN2", "N2", reading.REASONED),
        ("Spindles, so N2 or N3.</think>**N2**", "N2", reading.REASONED),
    ],
)
def test_a_stage_counts_however_it_is_dressed_and_how_is_known(raw, stage, manner):
    assert read(raw, ANSWERS) == Reading(stage, manner)


@pytest.mark.parametrize(
    "raw",
    [
        *("", " ", ".", "N", "2", "N4", "S3", "stage 4", "NREM", "non-REM", "N２", "N2NREM"),
        *(
            "not N2",
            "Is it N2?",
            "N2 is not right",
            "This is not, in my view, N2",
            "no stage but N2",
        ),
        *("N2 or N3", "N2, as N3 has slow waves", "W/N1", "non-REM, not REM", "N2 (REM?)"),
        "N2. Or rather N3.",
        "<think>The spindles say N2",
        "<think>N2</think>",
        "N2</think><think>or N3",
        '{"stage": "N2", "stage": "N3"}',
        '{"stage": "N2", "label": "REM"}',
        '{"stage": "N2"} or {"stage": "N3"}',
        '{"stage": "N2"}, not N3',
        '{"stage": {"stage": "N2"}}',
        '{"stage": 2}',
        '{"note": "N2"}',
    ],
)
def test_a_denied_a_doubted_a_second_or_an_unfinished_stage_is_no_answer(raw):
    assert read(raw, ANSWERS) == Reading(None, reading.NONE)


@given(answer_sets, st.sampled_from(STAGE_NAMES), space, st.sampled_from(["", "."]), space)
def test_every_answer_of_every_prompt_can_be_given(answers, stage, before, stop, after):
    assert parse(before + answers[stage] + stop + after, answers) in (stage, None)
    if len({text.removesuffix(".") for text in answers.values()}) == len(answers):
        assert parse(before + answers[stage] + after, answers) == stage


PIECES = [
    *(*STAGE_NAMES, "R", "wake", "Stage", "the", "is", "not", "or", "NREM", "stage 2", "ſtage 1"),
    *(
        "**",
        '{"stage": "',
        '"}',
        "<think>",
        "</think>",
        ". ",
        "\n",
        "?",
        ", ",
        " ",
        '"',
        "{" * 2000,
    ),
]
pieces = st.sampled_from(PIECES)
texts = st.one_of(st.text(max_size=40), st.lists(pieces, max_size=12).map("".join))


@given(texts, st.one_of(st.just(ANSWERS), answer_sets))
def test_no_text_ends_in_an_error_and_reading_a_stage_again_gives_it_again(raw, answers):
    stage, manner = read(raw, answers)
    assert (stage is None) == (manner == reading.NONE)
    assert manner in reading.MANNERS
    if stage is not None:
        assert parse(stage, ANSWERS) == stage


@given(st.permutations(STAGE_NAMES), texts, texts, texts)
def test_two_stages_in_one_text_are_never_one(order, before, between, after):
    one, other = order[:2]
    text = f"{before} {one} {between} {other} {after}".replace("</think>", "")
    if "{" not in text:
        assert parse(text, ANSWERS) is None


@pytest.mark.parametrize("answers", [{"W": "a", "N1": "A"}, {"W": "a.", "N1": "a"}])
def test_a_text_that_fits_two_answers_is_none(answers):
    assert parse("a.", answers) is None


def test_answers_that_differ_in_their_markup_alone_are_told_apart_only_as_asked():
    answers = {"W": "a", "N1": "(a)"}
    assert [parse(raw, answers) for raw in ("a", "(a)", "**a**")] == ["W", "N1", None]


def test_what_was_accepted_how_is_counted():
    raws = ["N2", "rem.", "R", None, "**W**", "N2 or N3", ""]
    counts = {"as asked": 2, "in markup or quotes": 1, "by another name": 1, "no valid answer": 2}
    assert reading.counted(raws, ANSWERS) == counts
    assert reading.counted([None], ANSWERS) == {}
