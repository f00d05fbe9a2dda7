"""YAML files: what reaches psgimg is what stands in the file, or the file is refused in one line."""

import pytest
from psgimg.builder.errors import BuildError
from psgimg.builder.files import yaml_file


@pytest.fixture
def read(tmp_path):
    def write_and_read(text, **options):
        path = tmp_path / "mine.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return yaml_file.read(path, "lab file", **options)

    return write_and_read


def refused(read, text):
    with pytest.raises(BuildError) as caught:
        read(text)
    message = str(caught.value)
    assert message.startswith("lab file ")
    assert "mine.yaml" in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("word", "taken"),
    [
        ("0010", "8"),
        ("0x1F", "31"),
        ("0b11", "3"),
        ("1_000", "1000"),
        ("+5", "5"),
        ("10:30", "630"),
        ("1_0.5", "10.5"),
        ("1:30.5", "90.5"),
        ("no", "false"),
        ("Off", "false"),
        ("yes", "true"),
        ("on", "true"),
        ("2020-01-31", "a date"),
        ("2020-13-45", "a date"),
        ("2020-01-31 22:00:00", "a date"),
    ],
)
@pytest.mark.parametrize("text", ["a: 1\nb: {}\n", "a: 1\nb: [x, {{c: {}}}]\n", "a: 1\n{}: x\n"])
def test_a_word_that_yaml_takes_for_something_else_is_refused_with_quotes_as_remedy(
    read, text, word, taken
):
    message = refused(read, text.format(word))
    assert f"line 2: YAML reads {word} as {taken}; put it in quotes" in message


@pytest.mark.parametrize("word", ["0010", "1_000", "10:30", "no", "2020-01-31"])
def test_the_same_word_in_quotes_is_text(read, word):
    assert read(f"a: '{word}'\n\"{word}\": 1\n") == {"a": word, word: 1}


def test_words_that_look_as_they_are_read_pass(read):
    text = "a: [0, -7, 10, 1.50, .5, -2.e+3, .inf, true, False, null, 0009, 1e5, x]\n"
    assert read(text) == {
        "a": [0, -7, 10, 1.5, 0.5, -2000.0, float("inf"), True, False, None, "0009", "1e5", "x"]
    }


def test_a_file_saved_with_a_byte_order_mark_is_read(read):
    assert read("\ufeffa: é\n") == {"a": "é"}


def test_a_part_may_be_written_once_and_used_twice(read):
    assert read("a: &one {b: 1}\nc: {<<: *one, d: 2}\n")["c"] == {"b": 1, "d": 2}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3: key 'a' is repeated; keep one of them"),
        ("a:\n  - {b: 1, b: 2}\n", "line 2: key 'b' is repeated"),
        ("7: x\n", "line 1: key 7 is not text; put it in quotes"),
        ("a: {~: x}\n", "line 1: key ~ is not text"),
        ("? [a]\n: x\n", "line 1: key a list is not text"),
        ("", "expected `key: value` lines"),
        ("- a\n", "expected `key: value` lines"),
        ("a\n", "expected `key: value` lines"),
        ("a: [1\n", "not YAML"),
        ("a: 1\n---\nb: 2\n", "line 2: not YAML"),
        ("a: !!python/name:os.system x\n", "line 1: not YAML"),
        ("a: !!int x\n", "not YAML"),
        ("a: \x01\n", "not YAML"),
        ("a: " + 3000 * "[", "nested too deeply"),
        (b"a: \xe9\n", "not UTF-8 text"),
        (b"\xff\xfea\x00", "not UTF-8 text"),
    ],
)
def test_what_is_no_plain_mapping_is_refused_by_its_line(read, text, said):
    assert said in refused(read, text)


def test_an_anchor_that_holds_itself_is_refused(read):
    assert "line 1: contains itself by an alias" in refused(read, "a: &x [*x]\n")


def test_a_file_that_is_not_there_or_a_folder_is_refused_by_name(tmp_path):
    with pytest.raises(BuildError, match=r"lab file .*gone.yaml: No such file.*; check the path"):
        yaml_file.read(tmp_path / "gone.yaml", "lab file")
    with pytest.raises(BuildError, match=r"lab file .*: Is a directory; check the path"):
        yaml_file.read(tmp_path, "lab file")


def test_an_empty_file_is_no_lines_where_that_may_be(read):
    assert read("# nothing yet\n", empty=True) == {}
