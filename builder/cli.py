"""The command line: collects the installed commands of psgimg and shows errors in one line."""

from __future__ import annotations

import functools
import io
import sys
from importlib.metadata import entry_points
from pathlib import Path

import click
from psgimg.builder.command_options import kebab
from psgimg.builder.errors import PsgimgError
from psgimg.builder.files import quoting, terminal_text

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


def main() -> None:
    """Run the command line; an expected error is shown as one line, not a traceback."""
    terminal_text.replace_unencodable()
    try:
        _require_utf8()
        command_line()(standalone_mode=False)
    except PsgimgError as error:
        _report(f"psgimg: {error}")
        sys.exit(2)
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        for line in shown.getvalue().removesuffix("\n").split("\n"):
            _report(line)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _report("psgimg: interrupted; run the same command again to resume")
        sys.exit(130)


def _require_utf8() -> None:
    """Refuse names that are not UTF-8 at once, as they can't be stored with the results."""
    for word in sys.argv[1:]:
        quoting.require_utf8(word, "argument")
    quoting.require_utf8(str(Path.cwd()), "working directory")


def _report(message: str) -> None:
    """Print an error as one line."""
    click.echo(quoting.visible(message), file=sys.stderr)


if __name__ == "__main__":
    main()
