"""Command options: their one spelling, and the YAML file of options that ``--config`` names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Any

import click
from psgimg.builder import yaml_file
from psgimg.builder.errors import BuildError

CONFIG_HELP = "YAML file with any of these options."


def kebab(name: str) -> str:
    """Spell a name with dashes, as help and documents show options: ``batch_size`` → ``batch-size``."""
    return name.replace("_", "-")


def snake(name: str) -> str:
    """Spell a name with underscores, as Python does: ``batch-size`` → ``batch_size``."""
    return name.replace("-", "_")


def flag(name: str) -> str:
    """Return the option of a parameter: ``batch_size`` → ``--batch-size``."""
    return f"--{kebab(name)}"


def names(value: Any) -> tuple[str, ...]:
    """Return the names that ``a,b`` holds."""
    return tuple(part.strip() for part in str(value).split(",") if part.strip())


def read_file(path: Path, *, has_corpus: bool) -> dict[str, Any]:
    """Read a YAML file of options.

    Parameters
    ----------
    has_corpus
        Whether the command takes ``--corpus``, which a name in place of a file may have meant.

    Returns
    -------
    Option → value, options spelt with underscores.

    Raises
    ------
    BuildError
        If the file can't be read, holds no options, or gives one in both spellings.
    """
    if path.is_dir() or not path.exists():
        corpus = f"; a corpus of the dataset is --corpus {path}" if has_corpus else ""
        raise BuildError(f"--config {path}: no such file; give a YAML file of options{corpus}")
    values = yaml_file.read(path, "--config", empty=True)
    options: dict[str, Any] = {}
    for key, value in values.items():
        if snake(key) in options:
            raise BuildError(f"--config {path}: {kebab(key)} is given twice; give it once")
        options[snake(key)] = value
    return options


def _set_defaults(ctx: click.Context, _: click.Parameter, path: Path | None) -> None:
    """Take the values of a YAML file as defaults: the command line wins over them."""
    if path is None:
        return
    known = _options(ctx.command)
    values = read_file(path, has_corpus="corpus" in known)
    if unknown := sorted(set(values) - set(known)):
        raise BuildError(
            f"--config {path}: unknown option {', '.join(map(kebab, unknown))}; there are "
            f"{', '.join(sorted(map(kebab, known)))}"
        )
    ctx.default_map = {
        str(known[name].name): _default(path, name, known[name], value)
        for name, value in values.items()
        if value is not None
    }


def _options(command: click.Command) -> Mapping[str, click.Option]:
    """Options that a file may give, by their long name with underscores."""
    return {
        snake(name.removeprefix("--")): option
        for option in command.params
        if isinstance(option, click.Option) and option.opts != ["--config"]
        for name in option.opts
        if name.startswith("--")
    }


def _default(path: Path, name: str, option: click.Option, value: Any) -> Any:
    """Return a value of a file as the words of a command line would give it."""
    if option.is_flag:
        return value
    values = value if isinstance(value, list) else [value]
    is_text = option.type is click.STRING or getattr(option.type, "func", None) is names
    no_words = (bool, list, dict, NoneType) + ((float,) if is_text else ())  # 1.10 would be 1.1
    for one in values:
        if isinstance(one, no_words):
            kind = "text" if is_text else "text or a number"
            raise BuildError(
                f"--config {path}: {flag(name)} takes {kind}, {one} is none; put it in quotes"
            )
    words = [str(one) for one in values]
    return words if option.multiple else ",".join(words)


config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    callback=_set_defaults,
    is_eager=True,
    expose_value=False,
    help=CONFIG_HELP,
)
"""``--config FILE``, for a command whose options are worth keeping in a file."""
