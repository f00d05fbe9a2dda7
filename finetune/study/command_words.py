"""Options: a study's options as words of the commands, each refused at the front if it can't work."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import click
from psgimg.builder.command_options import flag, kebab
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError, PsgimgError

BUILD = ("out", "config", "push", "public", "permission", "replace", "repo_id", "corrupt")
OWN = {
    "build": BUILD,
    "test_build": ("source", *BUILD),
    "sft": ("dataset", "output_dir", "config", "resume_from_checkpoint", "push_to_hub"),
    "predict": ("model", "dataset", "out"),
}
"""Options that a study gives by itself, or that would publish what it makes."""

ROOT = "root"


def words(command: str, options: Mapping[str, Any], source: str | None = None) -> list[str]:
    """Options as words of a command line.

    Parameters
    ----------
    options
        Option → value: text, number, truth, None, or a list of these. ``root`` may be a mapping of
        corpus to folder, of which that of ``source`` is taken.
    """
    found = []
    for name, value in options.items():
        if name == ROOT and isinstance(value, Mapping):
            if (place := value.get(source)) is not None:
                found += ["--root", str(place)]
        else:
            found += _words(command, name, value)
    return found


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


def check_names(path: Path, section: str, options: Mapping[str, Any]) -> None:
    """Refuse what the study decides itself, and values that no command line holds.

    Raises
    ------
    BuildError
        If there is such an option.
    """
    for name, value in options.items():
        place = f"{path}: {kebab(section)}: {kebab(name)}"
        if name in OWN[section] or name.startswith("hub_"):
            raise BuildError(
                f"{place} is not said here, as a study decides it itself; leave it out"
            )
        if value is None:
            raise BuildError(f"{place}: a value is missing; leave it out, or write the text none")
        if isinstance(value, Mapping) and name != ROOT:
            raise BuildError(f"{place}: {dict(value)!r} is no value of an option")


def check_build(path: Path, given: Sequence[str]) -> None:
    """Refuse words that `psgimg build` would refuse before it looks at a recording.

    Raises
    ------
    BuildError
        With what the command says.
    """
    [point] = entry_points(group="psgimg.commands", name="build")
    build = point.load()
    try:
        context = build.make_context("build", list(given), help_option_names=["-h", "--help"])
        known = {field.name for field in fields(BuildConfig)}
        values = {k: v for k, v in context.params.items() if k in known and v is not None}
        config = BuildConfig(**values)
        config.recipe()
        config.split_policy()
    except (click.ClickException, PsgimgError) as error:
        raise BuildError(f"{path}: build: {_said(error)}") from error


def check_predict(path: Path, options: Mapping[str, Any]) -> None:
    """Refuse options that `psgimg predict` has not.

    Raises
    ------
    BuildError
        If one is unknown or its value is none.
    """
    from psgimg.finetune.inference.predict_config import PredictConfig

    known = [f.name for f in fields(PredictConfig) if f.name not in OWN["predict"]]
    for name in options:
        if name not in known:
            raise BuildError(
                f"{path}: predict: unknown option {kebab(name)}; there are "
                f"{', '.join(map(kebab, known))}"
            )
    try:
        PredictConfig("model", "dataset", Path("out.parquet"), **options)
    except (TypeError, PsgimgError) as error:
        raise BuildError(f"{path}: predict: {_said(error)}") from error


def check_sft(path: Path, trainings: Sequence[Sequence[str]]) -> None:
    """Refuse words that `psgimg sft` would refuse before it looks at the pages.

    A process of its own asks TRL: this one is to stay small for as long as the study runs.

    Raises
    ------
    BuildError
        With what the command says.
    """
    if not trainings:
        return
    asked = subprocess.run(
        [sys.executable, "-P", "-m", f"{__package__}.check_arguments"],
        input=json.dumps([list(given) for given in trainings]),
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode:
        raise BuildError(f"{path}: sft: {last_line(asked.stdout) or last_line(asked.stderr)}")


def last_line(text: str) -> str:
    """The last line with anything on it, and without the name of the one who speaks."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("psgimg: ").removeprefix("Error: ") if lines else ""


def _said(error: Exception) -> str:
    said = error.format_message() if isinstance(error, click.ClickException) else str(error)
    return " ".join(said.split())
