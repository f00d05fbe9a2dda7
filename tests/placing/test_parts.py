"""Parts: together all of the work, once, evenly, and the same in every process that deals it out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psgimg.builder.errors import BuildError
from psgimg.builder.placing import parts
from psgimg.builder.placing.parts import Part

names = st.lists(st.text(max_size=5), unique=True)


@given(names, st.integers(1, 1000))
def test_parts_by_hash_have_each_name_once_and_evenly(names, n_parts):
    found = [Part(i + 1, n_parts).by_hash(names) for i in range(min(n_parts, len(names) + 2))]
    assert sorted(name for some in found for name in some) == sorted(names)
    assert {len(some) for some in found} <= {len(names) // n_parts, -(-len(names) // n_parts)}


@given(st.permutations(["a", "b", "c", "d", "e", "a"]), st.integers(1, 4))
def test_the_order_of_the_names_makes_no_difference(names, number):
    assert Part(number, 4).by_hash(names) == Part(number, 4).by_hash(sorted(names))


def test_a_part_is_written_as_two_numbers():
    assert parts.parse("2/8") == Part(2, 8)
    assert str(parts.parse("2/8")) == "2/8"


@pytest.mark.parametrize("text", ["", "2", "2/", "/8", "a/8", "2/8/9", "-1/8", "2 / 8", "²/8"])
def test_any_other_text_is_refused(text):
    with pytest.raises(BuildError, match=r"^--part .*: use two numbers, such as 2/8$"):
        parts.parse(text)


@pytest.mark.parametrize(
    ("text", "allowed"),
    [("4/3", "1/3 to 3/3"), ("0/3", "1/3 to 3/3"), ("1/0", "at least 1 part, such as 1/1")],
)
def test_a_part_that_there_is_not_is_refused(text, allowed):
    with pytest.raises(BuildError, match=f"^--part {text}: give {allowed}$"):
        parts.parse(text)
