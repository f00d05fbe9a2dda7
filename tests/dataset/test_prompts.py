"""Prompts are data: a question, and an answer for each stage that no other stage has."""

import re

import pytest
from psgimg.builder.dataset import prompts
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES


@pytest.mark.parametrize("name", ["closed", "aasm"])
def test_a_preset_asks_for_the_five_stages_and_names_no_lane_or_ink(name):
    prompt = prompts.load(name)
    assert prompt.answers == {stage: stage for stage in STAGE_NAMES}
    assert "Answer with one of W, N1, N2, N3, REM" in prompt.question
    assert not re.search(r"#|C4|F4|black|grey|hatch|pixel|±", prompt.question)


def test_a_prompt_of_ones_own_is_read_from_yaml(tmp_path):
    path = tmp_path / "german.yaml"
    path.write_text(
        "system: ''\nquestion: |\n  Welches Schlafstadium?\nnote: for a test\n"
        "answers: {REM: Traum, W: wach, N1: eins, N2: zwei, N3: drei}\n"
    )
    prompt = prompts.load(path)
    assert prompt == prompts.load(str(path))
    assert prompt.question == "Welches Schlafstadium?"
    assert list(prompt.answers) == list(STAGE_NAMES)
    assert prompt.answers["REM"] == "Traum"


ANSWERS = "answers: {W: a, N1: b, N2: c, N3: d, REM: e}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("just words", "expected `key: value` lines"),
        ("question: q\n" + ANSWERS, "system is missing"),
        ("system: ''\nquestion: ''\n" + ANSWERS, "question is empty"),
        ("system: ''\nquestion: q\nextra: 1\n" + ANSWERS, "unknown key 'extra'"),
        ("system: ''\nquestion: <image> q\n" + ANSWERS, "question contains <image>"),
        ("system: 3\nquestion: q\n" + ANSWERS, "system is 3, not text; put it in quotes"),
        ("system: ''\nquestion: q\nanswers: {W: a}\n", "answers: N1 is missing"),
        ("system: ''\nquestion: q\nanswers: none\n", "answers: expected `key: value`"),
        (
            "system: ''\nquestion: q\nanswers: {W: a, N1: b, N2: c, N3: B, REM: e}\n",
            "N1 and N3 have the same answer 'B'",
        ),
        (
            "system: ''\nquestion: q\nanswers: {W: 0, N1: 1, N2: 2, N3: 3, REM: 5}\n",
            "the answer for W is 0, not text; put it in quotes",
        ),
        (
            "system: ''\nquestion: q\nanswers: {W: a, N1: b, N2: c, N3: d, REM: e, N4: f}\n",
            "unknown key 'N4'",
        ),
        ("system: [", "prompt file"),
    ],
)
def test_a_prompt_that_makes_no_sense_is_refused_in_one_line(text, message, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(BuildError, match=re.escape(message)) as caught:
        prompts.load(path)
    assert "\n" not in str(caught.value)
    assert "mine.yaml" in str(caught.value)


def test_an_unknown_prompt_is_refused_with_those_there_are(tmp_path):
    with pytest.raises(
        BuildError, match=r"unknown prompt 'short'; use aasm, closed or a .yaml file"
    ):
        prompts.load("short")
    with pytest.raises(BuildError, match=r"prompt file .*absent.yaml: .*No such file"):
        prompts.load(tmp_path / "absent.yaml")


def recipe(**ways):
    """The recipe of pages with given kinds of lane, each with its way up."""
    return {"style": {"lanes": {kind: {"up": up} for kind, up in ways.items()}}}


@pytest.mark.parametrize(
    ("ways", "said"),
    [
        (
            {"eeg": "negative", "eog": "negative", "emg": "positive"},
            "In the EEG and the eye lanes, negative is up: a sharp negative wave points upwards.",
        ),
        (
            {"eeg": "positive", "eog": "positive", "emg": "positive"},
            "In the EEG and the eye lanes, positive is up: a sharp negative wave points downwards.",
        ),
        (
            {"eeg": "negative", "eog": "positive"},
            "In the EEG, negative is up: a sharp negative wave points upwards; in the eye lanes, "
            "positive is up.",
        ),
        ({"eeg": "negative"}, "In the EEG, negative is up: a sharp negative wave points upwards."),
    ],
)
def test_the_rules_say_which_way_a_sharp_negative_wave_points_on_these_pages(ways, said):
    asked = prompts.load("aasm").about(recipe(**ways))
    assert said in asked.question
    assert "{" not in asked.question
    assert asked.answers == prompts.load("aasm").answers


def test_a_prompt_of_ones_own_has_the_sentence_where_it_wants_it(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("system: 'S {way_up}'\nquestion: 'Q {other}?'\n" + ANSWERS)
    asked = prompts.load(path).about(recipe(eeg="positive"))
    assert asked.system.startswith("S In the EEG, positive is up")
    assert asked.question == "Q {other}?"
