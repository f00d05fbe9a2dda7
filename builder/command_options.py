"""Command options: how their names are spelt, and how ``--config`` reads them from a YAML file."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import NoneType
from typing import Any

import click
from psgimg.builder.errors import BuildError
from psgimg.builder.files import safe_names, yaml_file

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")
"""Begin of ``s3://BUCKET/…``; libraries would take it, and a folder ``s3:`` of this machine, as such."""

LONGEST = 200
"""Maximum bytes of the name of an output; systems limit names to 255, and temporary ones are longer."""


class LocalPath(click.Path):
    """A path on this machine; an address such as ``s3://bucket/x`` is refused.

    Libraries take a relative path that begins with ``word:`` as an address too, so that it is
    converted to an absolute one.

    Parameters
    ----------
    loaded
        Whether ``datasets`` loads what is written there: it takes ``::`` in a path as two addresses.
    """

    def __init__(self, *, loaded: bool = False) -> None:
        super().__init__(path_type=Path)
        self._loaded = loaded

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path, with ``~`` expanded, which shells leave in ``--out=~/x``."""
        path = safe_names.expanded(str(super().convert(value, param, ctx)))
        shown = (
            f"{param.opts[-1] if param and param.param_type_name == 'option' else 'path'} {value}"
        )
        if ADDRESS.match(str(path)):
            raise BuildError(f"{shown}: an address, not a path on this machine; give a path")
        if self._loaded and "::" in str(path.absolute()):
            raise BuildError(
                f"{shown}: datasets can't load from a path with '::'; give another path"
            )
        if self._loaded and len(os.fsencode(path.name)) > LONGEST:
            raise BuildError(f"{shown}: longer than {LONGEST} bytes; give a shorter name")
        if _is_loop(path):
            raise BuildError(f"{shown}: a link leads to itself; give another path")
        first = path.parts[0] if path.parts else ""
        return path.absolute() if ":" in first else path


def _is_loop(path: Path) -> bool:
    """Return whether a link on the way to a path leads back to itself."""
    try:
        path.stat()
    except OSError as error:  # whatever else is wrong, the command finds out
        return error.errno == errno.ELOOP
    return False


PATH = LocalPath()
OUT = LocalPath(loaded=True)

CONFIG_HELP = "YAML file with values for any of these options."


def kebab(name: str) -> str:
    """Spell a name with dashes, as in help and documentation: ``batch_size`` → ``batch-size``."""
    return name.replace("_", "-")


def snake(name: str) -> str:
    """Spell a name with underscores, as in Python: ``batch-size`` → ``batch_size``."""
    return name.replace("-", "_")


def flag(name: str) -> str:
    """Return the command-line option of a parameter: ``batch_size`` → ``--batch-size``."""
    return f"--{kebab(name)}"


def names(value: Any) -> tuple[str, ...]:
    """Split a comma-separated list of names: ``a,b`` → ``("a", "b")``."""
    return tuple(part.strip() for part in str(value).split(",") if part.strip())


def read_file(path: Path, *, has_corpus: bool) -> dict[str, Any]:
    """Read a YAML file of options.

    Parameters
    ----------
    has_corpus
        Whether the command takes ``--corpus``; the message for a missing file then mentions it.

    Returns
    -------
    dict
        Option, spelt with underscores, to value.

    Raises
    ------
    BuildError
        If the file can't be read, is no mapping, or gives an option in both spellings.
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
    """Use the values of a YAML file as defaults, which the command line overrides."""
    if path is None:
        return
    options = _options(ctx.command)
    values = read_file(path, has_corpus="corpus" in options)
    if unknown := sorted(set(values) - set(options)):
        raise BuildError(
            f"--config {path}: unknown option {', '.join(map(kebab, unknown))}; use "
            f"{', '.join(sorted(map(kebab, options)))}"
        )
    ctx.default_map = {
        str(options[name].name): _default(path, name, options[name], value)
        for name, value in values.items()
        if value is not None
    }


def _options(command: click.Command) -> Mapping[str, click.Option]:
    """Return the options that a file may set, by long name with underscores."""
    return {
        snake(name.removeprefix("--")): option
        for option in command.params
        if isinstance(option, click.Option) and option.opts != ["--config"]
        for name in option.opts
        if name.startswith("--")
    }


def _default(path: Path, name: str, option: click.Option, value: Any) -> Any:
    """Convert a value of the file to the text that the command line would pass."""
    if option.is_flag:
        return value
    values = value if isinstance(value, list) else [value]
    is_text = option.type is click.STRING or getattr(option.type, "func", None) is names
    refused = (bool, list, dict, NoneType) + ((float,) if is_text else ())  # 1.10 would be 1.1
    for one in values:
        if isinstance(one, refused):
            kind = "text" if is_text else "text or a number"
            raise BuildError(
                f"--config {path}: {flag(name)} must be {kind}, not {one}; put it in quotes"
            )
    words = [str(one) for one in values]
    return words if option.multiple else ",".join(words)


config_option = click.option(
    "--config",
    type=PATH,
    metavar="FILE",
    callback=_set_defaults,
    is_eager=True,
    expose_value=False,
    help=CONFIG_HELP,
)
"""``--config FILE``: reads the defaults of a command's options from a YAML file."""


def by_lane(assignments: Iterable[str]) -> dict[str, str]:
    """Return the channel label of each lane, from the values of ``--channel``.

    Raises
    ------
    BuildError
        If a value is not an assignment, or a lane is given twice.
    """
    labels: dict[str, str] = {}
    for assignment in assignments:
        lane, equals, label = assignment.partition("=")
        if not (equals and lane.strip() and label.strip()):
            raise BuildError(f'--channel {assignment}: write it as --channel LANE="LABEL"')
        if lane.strip() in labels:
            raise BuildError(f"--channel {lane.strip()} is given twice; pass it once")
        labels[lane.strip()] = label.strip()
    return labels


channel_option = click.option(
    "--channel",
    "channels",
    multiple=True,
    metavar='LANE="LABEL"',
    help='Channel of a lane, such as C4-M1="EEG C4-A1"; "A,B" means A minus B. Can be repeated.',
)
"""``--channel``: assigns the channels of a recording that belongs to no corpus; see ``by_lane``."""
