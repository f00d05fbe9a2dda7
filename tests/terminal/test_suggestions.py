"""Suggestions: every command and call that psgimg prints can be pasted as it stands."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
from builds import run
from psgimg.builder.cli import command_line
from psgimg.builder.console import open_console
from psgimg.builder.dataset import validate
from psgimg.builder.errors import BuildError
from psgimg.builder.files import quoting
from psgimg.builder.terminal import show_build
from psgimg.finetune.training import training_report

NAMES = (
    "plain",
    "two words",
    "ds[v2]",
    "out [2024]",
    "it's",
    'say "x"',
    "$HOME `x` \\n",
    "a*b?",
    "-rf",
    "#1 & co; (x) <y> | z!",
    "Łódź 睡眠",
)


def given(suggested):
    """The words of a command, by the shell's rules, and its options, parsed by the command."""
    psgimg, name, *words = shlex.split(suggested)
    assert psgimg == "psgimg"
    return command_line().commands[name].make_context(name, words).params


@pytest.mark.parametrize("name", NAMES)
def test_a_command_is_read_by_the_shell_and_the_command_as_it_was_meant(name):
    params = given(quoting.command("evaluate", Path(name), Path(f"{name}.csv"), out=Path(name)))
    assert [os.path.normpath(path) for path in params["files"]] == [name, f"{name}.csv"]
    assert os.path.normpath(params["out"]) == name
    params = given(quoting.command("predict", model=Path(name), dataset=name, split="train"))
    assert os.path.normpath(params["model"]) == name
    assert (params["dataset"], params["split"]) == (name, "train")
    shell = subprocess.run(
        ["sh", "-c", f"printf '%s\\n' {quoting.shell(name)}"], capture_output=True, check=True
    )
    assert shell.stdout.decode() == f"{name}\n"
    assert eval(quoting.python(name)) == name


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31m'q' \\ x", "e\u202ef"])
def test_control_characters_are_quoted_in_ansi_c_style(name):
    word = quoting.shell(name)
    assert quoting.visible(word) == word
    script = ["bash", "-c", f"printf '%s' {word}"]
    done = subprocess.run(script, capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"})
    assert done.stdout.decode() == name
    assert eval(quoting.python(name)) == name


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("corpus")
    tiny.write_shhs(root, n_subjects=1, visits=(1,))
    return root


@pytest.mark.parametrize("place", ["pages", "out [1]/ds[v2]", "a*b?'q\"$x"])
def test_a_finished_build_is_loaded_by_the_call_that_is_printed(
    place, corpus, tmp_path, monkeypatch, capsys
):
    out = tmp_path / place
    out.parent.mkdir(exist_ok=True)
    report, _ = run(out, corpus, trim_min=None)
    monkeypatch.chdir(tmp_path)
    show_build.show_ready(open_console(), Path(place), report)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == f"{place} is ready. Look at {place}/preview.png, then:"
    call = lines[2].strip()
    assert call.startswith("datasets.load_dataset(")
    program = f"import datasets\nprint({call}.num_rows)"
    home = {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1", "PATH": ""}
    loaded = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, env=home, check=False
    )
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout.strip() == str({"train": report.n_epochs()})


def test_the_split_to_predict_exists_in_the_dataset():
    for splits, split in (
        (["train", "validation", "test"], "test"),
        (["train", "validation"], "validation"),
        (["train"], "train"),
    ):
        assert training_report.split_to_predict({"splits": splits}) == split
    assert training_report.split_to_predict({}) == "test", "of an earlier version"


def test_a_refused_folder_is_built_by_the_command_in_the_message(tmp_path):
    folder = tmp_path / "my [new] pages"
    with pytest.raises(BuildError, match="build one first") as refused:
        validate.values(folder)
    suggested = str(refused.value).partition("build one first: ")[2]
    assert given(suggested)["out"] == folder


def test_a_pattern_of_datasets_is_escaped_where_a_folder_has_glob_characters(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert quoting.pattern("x [1]", "test/**") == '"x [[]1]/test/**"'
    (tmp_path / "in [2]").mkdir()
    monkeypatch.chdir(tmp_path / "in [2]")
    assert quoting.is_pattern("plain"), "datasets resolves a relative path"
    assert quoting.pattern("x", "*.tar") == f'"{tmp_path}/in [[]2]/x/*.tar"'
    assert quoting.braces("a{1,2}\\b") == "a\\{1,2\\}\\\\b"
