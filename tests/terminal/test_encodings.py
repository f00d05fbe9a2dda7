"""Encodings: a terminal gets what it can show and replacements for the rest, never a traceback."""

import codecs
import os
import subprocess
from pathlib import Path

import pytest
import tiny
from builds import PSGIMG
from psgimg.builder.cli import command_line
from psgimg.builder.files import terminal_text

ENCODINGS = ("ascii", "latin-1", "iso8859-2", "cp1252", "koi8-r")
LOCALES = (
    {"LC_ALL": "POSIX"},
    {"LANG": "C", "LC_ALL": ""},
)


def psgimg(*words, cwd=None, **surroundings):
    return subprocess.run(
        [*PSGIMG, *map(str, words)],
        capture_output=True,
        check=False,
        cwd=cwd,
        env=os.environ | surroundings,
    )


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("korpus-Łódź-睡眠")
    tiny.write_shhs(root, n_subjects=2, visits=(1,))
    [first, _] = sorted(root.rglob("*.edf"))
    first.write_bytes(first.read_bytes()[:5000])  # set aside, in a message with its name
    return root


def test_a_locale_that_cannot_read_a_name_is_named(corpus):
    bare = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
    refused = psgimg("check", "--source", "shhs", "--root", corpus, **bare)
    assert refused.returncode == 2
    assert refused.stderr.endswith(b"can't be read in this locale; set LC_ALL=C.UTF-8\n")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_check_runs_in_any_encoding(encoding, corpus):
    check = psgimg("check", "--source", "shhs", "--root", corpus, PYTHONIOENCODING=encoding)
    assert check.returncode == 0, check.stderr
    printed = check.stdout.decode(encoding)
    assert "1 recording would be built, 1 set aside" in printed


@pytest.mark.parametrize("encoding", ["ascii", "iso8859-2"])
def test_build_runs_in_any_encoding(encoding, corpus, tmp_path):
    words = ("--source", "shhs", "--root", corpus, "--out", "höhe→", "--workers", "1")
    build = psgimg("build", *words, PYTHONIOENCODING=encoding, cwd=tmp_path)
    assert build.returncode == 0, build.stderr
    shown = "höhe→".encode(encoding, "backslashreplace").decode(encoding).replace("\\u2192", "->")
    assert f"{shown} is ready" in build.stdout.decode(encoding)


@pytest.mark.parametrize("surroundings", LOCALES, ids=str)
def test_commands_run_in_a_locale_without_characters(surroundings, corpus):
    environment = {"PYTHONIOENCODING": ""} | surroundings
    check = psgimg("check", "--source", "shhs", "--root", corpus, **environment)
    assert check.returncode == 0, check.stderr
    assert b"1 recording would be built, 1 set aside" in check.stdout


@pytest.mark.parametrize("name", ["", *sorted(command_line().commands)])
def test_help_and_errors_are_in_the_encoding_of_the_terminal(name):
    """Click would write UTF-8 to a terminal whose encoding is named ASCII."""
    words = [name] if name else []
    shown = psgimg(*words, "--help", PYTHONIOENCODING="ascii")
    assert shown.returncode == 0
    assert "Usage:" in shown.stdout.decode("ascii")
    if name != "sft":  # its options are parsed by TRL, which takes long to import
        refused = psgimg(*words, "--höhe", "→", PYTHONIOENCODING="ascii")
        assert refused.returncode == 2
        assert "h\\xf6he" in refused.stderr.decode("ascii")


def test_replacements_are_ascii_that_a_reader_understands(monkeypatch):
    terminal_text.replace_unencodable()
    text = "a…b · 5–7 µV → é 睡 👩\udce9"
    assert text.encode("ascii", terminal_text.ERRORS) == (
        b"a...b - 5-7 uV -> \\xe9 \\u7761 \\U0001f469\\xe9"
    )
    assert text.encode("latin-1", terminal_text.ERRORS) == (
        "a...b · 5-7 µV -> é \\u7761 \\U0001f469\\xe9".encode("latin-1")
    )
    assert all(fallback.isascii() for fallback in terminal_text.REPLACED.values())
    assert codecs.lookup(terminal_text.ASCII).name == terminal_text.ASCII


@pytest.mark.parametrize("words", [["--help"], ["sources"], ["check", "--source", "demo"]])
def test_a_full_disk_behind_standard_output_is_one_line(words, tmp_path):
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*PSGIMG, *words], stdout=full, stderr=subprocess.PIPE, check=False, cwd=tmp_path
        )
    assert done.returncode == 2
    line = b"psgimg: can't write the output: No space left on device; free some space and try again"
    assert done.stderr.splitlines() == [line]
