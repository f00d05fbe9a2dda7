"""Command words: a study's options as command-line arguments, validated before anything is run."""

from __future__ import annotations

import functools
import inspect
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import click
from psgimg.builder.command_options import flag, kebab
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError, PsgimgError
from psgimg.builder.processes import children

BUILD = ("out", "config", "push", "public", "permission", "replace", "repo_id", "corrupt")
OWN = {
    "build": BUILD,
    "test_build": ("source", *BUILD),
    "sft": ("dataset", "output_dir", "config", "resume_from_checkpoint", "push_to_hub"),
    "predict": ("model", "dataset", "out", "part", "join", "decode"),
    "explain": ("model", "dataset", "out"),
    "baseline": ("dataset", "method", "on", "out", "config", "train", "part", "join"),
}
"""Options that a study sets itself, or that would publish its output."""

PAGES = ("split", "corpus", "fold")
"""Options of the predictions of a model, by which a baseline stages the same pages, and some of these
are explained."""

CHECK = "from psgimg.finetune.study.check_arguments import main; main()"
ROOT = "root"


def words(command: str, options: Mapping[str, Any], source: str | None = None) -> list[str]:
    """Return options as words of a command line.

    Parameters
    ----------
    command
        Name of the command.
    options
        Option → value: text, number, boolean, None, or a list of these. ``root`` may be a mapping of
        corpus to folder, from which the folder of ``source`` is taken.
    source
        Corpus of the build, if it is a single one.
    """
    result = []
    for name, value in options.items():
        if name == ROOT and isinstance(value, Mapping):
            if (folder := value.get(source)) is not None:
                result += ["--root", str(folder)]
        else:
            result += _words(command, name, value)
    return result


def _words(command: str, name: str, value: Any) -> list[str]:
    option = flag(name)
    if command == "sft":
        values = value if isinstance(value, list) else [value]
        return [option, *map(_word, values)]
    if isinstance(value, bool):
        return [option] if value else []
    if isinstance(value, list) and name == "subjects":
        return [option, ",".join(map(_word, value))]
    values = value if isinstance(value, list) else [value]
    return [word for one in values for word in (option, _word(one))]


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def pages(predict: Mapping[str, Any]) -> dict[str, Any]:
    """Return which of the options of `psgimg predict` select the pages."""
    return {name: predict[name] for name in PAGES if name in predict}


def check_names(path: Path, section: str, options: Mapping[str, Any]) -> None:
    """Refuse options that the study sets itself, and values that a command line can't hold.

    Raises
    ------
    BuildError
        If there is such an option or value.
    """
    for name, value in options.items():
        place = f"{path}: {kebab(section)}: {kebab(name)}"
        if name in OWN[section] or name.startswith("hub_"):
            raise BuildError(f"{place} can't be given, as a study sets it itself; leave it out")
        if value is None:
            raise BuildError(f"{place}: a value is missing; leave it out, or write the text none")
        if isinstance(value, Mapping) and name != ROOT:
            raise BuildError(
                f"{place}: {dict(value)!r} is not an option value; give text, a number or a list"
            )


def check_build(path: Path, given: Sequence[str]) -> None:
    """Refuse arguments that `psgimg build` would refuse before it reads a recording.

    Raises
    ------
    BuildError
        With the error message of the command.
    """
    try:
        context = _build_command().make_context(
            "build", list(given), help_option_names=["-h", "--help"]
        )
        names = {field.name for field in fields(BuildConfig)}
        values = {k: v for k, v in context.params.items() if k in names and v is not None}
        config = BuildConfig(**values)
        config.recipe()
        config.split_policy()
    except (click.ClickException, PsgimgError) as error:
        raise BuildError(f"{path}: build: {_message(error)}") from error


@functools.cache
def _build_command() -> click.Command:
    """Return the command `psgimg build`; the search for it reads the metadata of every package."""
    [point] = entry_points(group="psgimg.commands", name="build")
    command: click.Command = point.load()
    return command


def check_predict(path: Path, options: Mapping[str, Any]) -> None:
    """Refuse options that `psgimg predict` would refuse.

    Raises
    ------
    BuildError
        If an option is unknown or its value is invalid.
    """
    from psgimg.finetune.inference.predict_config import PredictConfig

    _check_config(path, "predict", PredictConfig, {"out": Path("out.parquet"), **options})


def check_explain(path: Path, options: Mapping[str, Any]) -> None:
    """Refuse options that `psgimg explain` would refuse.

    Raises
    ------
    BuildError
        If an option is unknown, is set by the study itself, or its value is invalid.
    """
    from psgimg.finetune.explaining.config import ExplainConfig

    check_names(path, "explain", options)
    _check_config(path, "explain", ExplainConfig, {"out": Path("out"), **options})


def _check_config(
    path: Path, command: str, config: Callable[..., Any], options: Mapping[str, Any]
) -> None:
    """Refuse options that are no fields of a command's config, or that it refuses itself."""
    names = [name for name in inspect.signature(config).parameters if name not in OWN[command]]
    for name in options:
        if name not in (*names, "out"):
            raise BuildError(
                f"{path}: {command}: unknown option {kebab(name)}; use one of "
                f"{', '.join(map(kebab, names))}"
            )
    try:
        config(model="model", dataset="dataset", **options)
    except (TypeError, PsgimgError) as error:
        raise BuildError(f"{path}: {command}: {_message(error)}") from error


def check_sft(path: Path, trainings: Sequence[Sequence[str]]) -> None:
    """Refuse arguments that `psgimg sft` would refuse before it reads the pages.

    TRL is imported in a process of its own, so that this one stays small while the study runs.

    Raises
    ------
    BuildError
        With the error message of the command.
    """
    if not trainings:
        return
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as log:
        given.write(json.dumps([list(words) for words in trainings]).encode())
        given.seek(0)
        status, _ = children.run(CHECK, [], log, stdin=given)
        log.seek(0)
        output = log.read().decode("utf-8", "replace")
    if status:
        raise BuildError(f"{path}: sft: {last_line(output)}")


def last_line(text: str) -> str:
    """Return the last non-empty line of a command's output, without the prefix of its messages."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("psgimg: ").removeprefix("Error: ") if lines else ""


def _message(error: Exception) -> str:
    text = error.format_message() if isinstance(error, click.ClickException) else str(error)
    return " ".join(text.split())
