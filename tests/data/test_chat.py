"""Chat: a page and its neighbours as a question, in words that say which page is meant."""

import itertools

import pytest
from PIL import Image
from psgimg.builder.dataset import prompts
from psgimg.builder.dataset.prompts import PLACEHOLDERS
from psgimg.builder.errors import BuildError
from psgimg.finetune.data import chat

CLOSED = prompts.load("closed")
AASM = prompts.load("aasm")


def asked(before, after, wanted_before, wanted_after, prompt=CLOSED):
    return chat.messages(prompt, before, after, wanted_before, wanted_after)[-1]["content"]


def test_a_page_without_neighbours_gets_the_prompt_and_not_a_word_more():
    assert chat.messages(CLOSED, 0, 0, 0, 0) == [{"role": "user", "content": CLOSED.question}]
    assert chat.messages(AASM, 0, 0, 0, 0) == [
        {"role": "system", "content": AASM.system},
        {"role": "user", "content": AASM.question},
    ]


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (
            (2, 2, 2, 2),
            "These are five pages of one recording in order of time. The third of five pages is the "
            "one to stage. The question is about that page alone.",
        ),
        (
            (0, 1, 1, 1),
            "These are two pages of one recording in order of time. The first of two pages is the "
            "one to stage. There is no page before it. The question is about that page alone.",
        ),
        (
            (3, 1, 3, 3),
            "These are five pages of one recording in order of time. The fourth of five pages is the "
            "one to stage. Only one of the three pages after it is there. The question is about that "
            "page alone.",
        ),
        (
            (2, 0, 3, 1),
            "These are three pages of one recording in order of time. The third of three pages is "
            "the one to stage. Only two of the three pages before it are there. There is no page "
            "after it. The question is about that page alone.",
        ),
        (
            (0, 0, 1, 1),
            "There is one page, the one to stage. There is no page before it. There is no page after "
            "it.",
        ),
    ],
)
def test_the_page_to_stage_is_named_and_missing_neighbours_are_said(shown, words):
    assert asked(*shown) == f"{words}\n\n{CLOSED.question}"


def test_no_two_situations_have_the_same_words():
    situations = [
        (before, after, k, k)
        for k in range(chat.MAX_CONTEXT + 1)
        for before, after in itertools.product(range(k + 1), repeat=2)
    ]
    texts = {asked(*situation) for situation in situations}
    alone = [situation for situation in situations if situation[:2] == (0, 0)]
    # A page alone has two texts: none was wanted, or there was none, however many were wanted.
    assert len(texts) == len(situations) - len(alone) + 2
    assert not any(mark in text for text in texts for mark in PLACEHOLDERS)


def test_a_row_has_its_pictures_in_order_and_the_answer_of_the_prompt():
    pictures = [Image.new("RGB", (4, 4), (i, 0, 0)) for i in range(2)]
    row = chat.chat_row(pictures, "N3", AASM, 1, 0, 1, 1)
    assert row["images"] == pictures
    assert row["prompt"] == chat.messages(AASM, 1, 0, 1, 1)
    assert row["completion"] == [{"role": "assistant", "content": "N3"}]


def test_a_page_without_a_stage_has_no_answer():
    assert chat.chat_row([Image.new("RGB", (4, 4))], None, CLOSED)["completion"] == []


def test_every_content_is_plain_text():
    row = chat.chat_row([Image.new("RGB", (4, 4))], "W", AASM)
    assert all(isinstance(m["content"], str) for m in (*row["prompt"], *row["completion"]))


@pytest.mark.parametrize("shown", [(2, 0, 1, 1), (-1, 0, 1, 1), (0, 1, 0, 0)])
def test_more_neighbours_than_wanted_are_a_mistake(shown):
    with pytest.raises(ValueError, match="neighbours"):
        chat.messages(CLOSED, *shown)


def test_other_pictures_than_pages_are_a_mistake():
    with pytest.raises(ValueError, match="3 pictures for 1 \\+ 1 \\+ 0 pages"):
        chat.chat_row([Image.new("RGB", (4, 4))] * 3, "W", CLOSED, 1, 0, 1, 1)


@pytest.mark.parametrize("context", [-1, chat.MAX_CONTEXT + 1])
def test_a_context_without_words_is_refused(context):
    with pytest.raises(BuildError, match=rf"context {context}: .* 0 to 5"):
        chat.check_context(context)
