"""Chat: a page and its neighbours as a question, in words that say which page is meant."""

import itertools

import pytest
from PIL import Image
from psgimg.builder.dataset import prompts
from psgimg.builder.dataset.prompts import PLACEHOLDERS
from psgimg.finetune.data import chat
from psgimg.finetune.data.context import MAX_CONTEXT, Context

CLOSED = prompts.load("closed")
AASM = prompts.load("aasm")


def asked(before, after, wanted, scale=1.0, prompt=CLOSED):
    return chat.messages(prompt, before, after, Context(wanted, scale))[-1]["content"]


def test_a_page_without_neighbours_gets_the_prompt_and_not_a_word_more():
    assert chat.messages(CLOSED) == [{"role": "user", "content": CLOSED.question}]
    assert chat.messages(AASM) == [
        {"role": "system", "content": AASM.system},
        {"role": "user", "content": AASM.question},
    ]


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (
            (2, 2, 2),
            "These are five pages of one recording in order of time. The third of five pages is the "
            "one to stage. The question is about that page alone.",
        ),
        (
            (0, 1, 1),
            "These are two pages of one recording in order of time. The first of two pages is the "
            "one to stage. There is no page before it. The question is about that page alone.",
        ),
        (
            (3, 1, 3),
            "These are five pages of one recording in order of time. The fourth of five pages is the "
            "one to stage. Only one of the three pages after it is there. The question is about that "
            "page alone.",
        ),
        (
            (2, 0, 3),
            "These are three pages of one recording in order of time. The third of three pages is "
            "the one to stage. Only two of the three pages before it are there. There is no page "
            "after it. The question is about that page alone.",
        ),
        (
            (0, 0, 1),
            "There is one page, the one to stage. There is no page before it. There is no page after "
            "it.",
        ),
        (
            (1, 0, 1, 0.25),
            "The picture shows two pages of one recording in order of time. The wide page between "
            "the two blue bars is the one to stage; its neighbours are narrowed in time. There is "
            "no page after it. The question is about that page alone.",
        ),
        (
            (0, 0, 2, 0.5),
            "The page between the two blue bars is the one to stage. There is no page before it. "
            "There is no page after it.",
        ),
    ],
)
def test_the_page_to_stage_is_named_and_missing_neighbours_are_said(shown, words):
    assert asked(*shown) == f"{words}\n\n{CLOSED.question}"


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_no_two_situations_have_the_same_words(scale):
    situations = [
        (before, after, k)
        for k in range(MAX_CONTEXT + 1)
        for before, after in itertools.product(range(k + 1), repeat=2)
    ]
    texts = {asked(*situation, scale) for situation in situations}
    alone = [situation for situation in situations if situation[:2] == (0, 0)]
    # A page alone has two texts: none was wanted, or there was none, however many were wanted.
    assert len(texts) == len(situations) - len(alone) + 2
    assert not any(mark in text for text in texts for mark in PLACEHOLDERS)


def test_a_row_has_its_pictures_in_order_and_the_answer_of_the_prompt():
    pictures = [Image.new("RGB", (4, 4), (i, 0, 0)) for i in range(2)]
    row = chat.chat_row(pictures, "N3", AASM, 1, Context(1))
    assert row["images"] == pictures
    assert row["prompt"] == chat.messages(AASM, 1, 0, Context(1))
    assert row["completion"] == [{"role": "assistant", "content": "N3"}]


def test_a_page_without_a_stage_has_no_answer():
    assert chat.chat_row([Image.new("RGB", (4, 4))], None, CLOSED)["completion"] == []


def test_every_content_is_plain_text():
    row = chat.chat_row([Image.new("RGB", (4, 4))], "W", AASM)
    assert all(isinstance(m["content"], str) for m in (*row["prompt"], *row["completion"]))


@pytest.mark.parametrize("shown", [(2, 0, 1), (-1, 0, 1), (0, 1, 0)])
def test_more_neighbours_than_wanted_are_a_mistake(shown):
    with pytest.raises(ValueError, match="neighbours"):
        asked(*shown)


@pytest.mark.parametrize(("n_pages", "before"), [(4, 1), (1, 1), (0, 0)])
def test_other_pages_than_the_page_and_its_neighbours_are_a_mistake(n_pages, before):
    with pytest.raises(ValueError, match="neighbours"):
        chat.chat_row([Image.new("RGB", (4, 4))] * n_pages, "W", CLOSED, before, Context(1))
