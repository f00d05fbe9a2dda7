"""Options: one spelling in help, both on the command line and in files; values stay as they are."""

import re

import click
import pytest
from click.testing import CliRunner
from psgimg.builder.cli import cli, command_line
from psgimg.builder.command_options import snake
from psgimg.builder.errors import BuildError

COMMANDS = command_line().commands
FROM_A_FILE = (
    *("build", "check", "fetch", "preview", "push", "export", "rebuild"),
    *("predict", "calibrate", "stage", "evaluate", "explain", "baseline"),
)
"""Commands of click's that take ``--config``; `sft` hands it to TRL's parser."""


def options(name):
    return [one for one in COMMANDS[name].params if isinstance(one, click.Option)]


def context(name, words):
    """The command's context as the whole command line would make it, nothing run."""
    parent = click.Context(cli, **cli.context_settings)
    return COMMANDS[name].make_context(name, list(words), parent=parent)


def required(name):
    """Words for what a command can't do without."""
    params = [one for one in COMMANDS[name].params if one.required]
    return [w for one in params for w in ((one.opts[0], "x") if one.opts[0][0] == "-" else ("x",))]


def value_of(option):
    """A value that the option takes."""
    if option.opts == ["--part"]:
        return "2/8"
    if isinstance(option.type, click.Choice):
        return next(one for one in option.type.choices if one != option.default)
    return "7"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_and_reference_show_options_with_dashes(name):
    shown = [spelling for one in options(name) for spelling in (*one.opts, *one.secondary_opts)]
    assert not [spelling for spelling in shown if "_" in spelling]
    assert not re.findall(r"--\w+_\w*", CliRunner().invoke(cli, [name, "--help"]).output)


@pytest.mark.parametrize(
    ("name", "option"),
    [(name, one) for name in COMMANDS if name != "sft" for one in options(name)],
    ids=lambda value: value if isinstance(value, str) else value.opts[-1],
)
def test_an_option_is_the_same_with_dashes_and_underscores(name, option):
    if option.opts == ["--config"]:
        pytest.skip("no dash in it")
    spelt = [f"--{snake(one[2:])}" for one in option.opts if one.startswith("--")]
    values = [] if option.is_flag else [value_of(option)]
    given = [*required(name), option.opts[-1], *values]
    found = [context(name, [*required(name), word, *values]).params for word in spelt]
    assert found == [context(name, given).params] * len(spelt)
    assert found[0] != context(name, required(name)).params or option.required


def test_a_value_keeps_its_underscores():
    words = [
        "--model",
        "my_model",
        "--dataset",
        "data_set",
        "--prompt",
        "a_b.yaml",
        "--out",
        "o_p.csv",
    ]
    params = context("predict", words).params
    assert (params["model"], params["dataset"], params["prompt"]) == (
        "my_model",
        "data_set",
        "a_b.yaml",
    )
    assert params["out"].name == "o_p.csv"


def test_the_commands_whose_options_are_worth_a_file_take_one():
    found = {name for name in COMMANDS if any(one.opts == ["--config"] for one in options(name))}
    assert found == {*FROM_A_FILE, "sft"}
    for name in found:
        [config] = [one for one in options(name) if one.opts == ["--config"]]
        assert (config.metavar, config.help) == (
            "FILE",
            "YAML file with values for any of these options.",
        )


@pytest.mark.parametrize(
    ("name", "option", "spell"),
    [
        (name, one, spell)
        for name in FROM_A_FILE
        for one in options(name)
        if one.opts != ["--config"]
        for spell in (str, snake)
    ],
    ids=lambda value: getattr(value, "__name__", None) or getattr(value, "name", value),
)
def test_a_file_gives_what_the_command_line_would(tmp_path, name, option, spell):
    path = tmp_path / "options.yaml"
    path.write_text(
        f"'{spell(option.opts[-1][2:])}': {'true' if option.is_flag else value_of(option)}\n"
    )
    words = [option.opts[-1]] if option.is_flag else [option.opts[-1], value_of(option)]
    others = required(name)
    if option.required:
        at = others.index(option.opts[-1])
        others = others[:at] + others[at + 2 :]
    from_file = context(name, [*others, "--config", str(path)]).params
    assert from_file == context(name, [*others, *words]).params


def test_the_command_line_wins_over_the_file(tmp_path):
    path = tmp_path / "options.yaml"
    path.write_text("batch-size: 3\nmax_new_tokens: 4\nmodel: m\n")
    words = ["--config", str(path), "--batch_size", "5", "--dataset", "d"]
    params = context("predict", words).params
    assert (params["batch_size"], params["max_new_tokens"], params["model"]) == (5, 4, "m")


def test_a_list_of_the_file_is_an_option_repeated_or_its_values_joined(tmp_path):
    path = tmp_path / "options.yaml"
    path.write_text('source: [shhs, mass]\nsubjects: ["0010", b]\nroot: data\nstyle:\n')
    params = context("build", ["--config", str(path)]).params
    assert params["source"] == ("shhs", "mass")
    assert params["subjects"] == ("0010", "b")
    assert params["root"] == ("data",)
    assert params["style"] == "clinical"  # a line without a value leaves the default


@pytest.mark.parametrize("name", ["predict", "explain", "baseline"])
@pytest.mark.parametrize("is_folder", [False, True])
def test_a_corpus_given_as_config_is_refused_with_the_name_of_its_option(
    tmp_path, monkeypatch, name, is_folder
):
    monkeypatch.chdir(tmp_path)
    if is_folder:
        (tmp_path / "shhs").mkdir()
    with pytest.raises(
        BuildError, match=r"^--config shhs: .*; a corpus of the dataset is --corpus shhs$"
    ):
        context(name, [*required(name), "--config", "shhs"])
    assert context(name, [*required(name), "--corpus", "shhs"]).params["corpus"] == "shhs"


def test_a_command_without_a_corpus_does_not_speak_of_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        BuildError, match=r"^--config shhs: no such file; give a YAML file of options$"
    ):
        context("build", ["--config", "shhs"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour: red\n", "unknown option colour; use cluster, "),
        ("config: other.yaml\n", "unknown option config"),
        ("split-file: a.csv\nsplit_file: b.csv\n", "split-file is given twice; give it once"),
        ("style: {base: paper}\n", "--style must be text, not {'base': 'paper'}"),
        ("style: true\n", "--style must be text, not True; put it in quotes"),
        ("subjects: [a, 1.10]\n", "--subjects must be text, not 1.1; put it in quotes"),
        ("subjects: 0010\n", "YAML reads 0010 as 8; put it in quotes"),
        ("source: [demo, [shhs]]\n", "--source must be text, not ['shhs']"),
        ("limit: true\n", "--limit must be text or a number, not True"),
        ("- style\n", "expected `key: value` lines"),
        ("7: style\n", "key 7 is not text; put it in quotes"),
        ("on: other\n", "YAML reads on as true; put it in quotes"),
        ("a: [", "not YAML"),
    ],
)
def test_what_a_file_can_not_give_is_refused_in_one_line(tmp_path, text, said):
    path = tmp_path / "build.yaml"
    path.write_text(text)
    with pytest.raises(BuildError) as refused:
        context("build", ["--config", str(path)])
    message = str(refused.value)
    assert message.startswith(f"--config {path}")
    assert said in message
    assert "\n" not in message
