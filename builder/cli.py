"""The command line: collects the installed commands of psgimg and shows errors in one line."""

from __future__ import annotations

import functools
import sys
from importlib.metadata import entry_points

import click
from psgimg.builder.command_options import kebab
from psgimg.builder.errors import PsgimgError
from psgimg.builder.processes import termination

COMMANDS = "psgimg.commands"
"""Group of the entry points that are commands of psgimg, including its own; see `pyproject.toml`."""


@click.group(
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "token_normalize_func": kebab,
    }
)
@click.version_option(package_name="psgimg")
def cli() -> None:
    """Turn sleep recordings into image + label datasets for vision-language models.

    Start with `psgimg build --source demo`, which needs no corpus.
    """


@functools.cache
def command_line() -> click.Group:
    """Return the command line with the commands of every installed package."""
    for point in sorted(entry_points(group=COMMANDS), key=lambda point: point.name):
        cli.add_command(point.load(), point.name)
    return cli


@termination.handled()
def main() -> None:
    """Run the command line; an expected error is shown as one line, not a traceback."""
    try:
        command_line()(standalone_mode=False)
    except PsgimgError as error:
        click.echo(f"psgimg: {error}", err=True)
        sys.exit(getattr(error, "status", 2))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt) as error:
        number = termination.number_of(error)
        click.echo(f"psgimg: {termination.message(number)}", err=True)
        sys.exit(termination.status(number))


if __name__ == "__main__":
    main()
