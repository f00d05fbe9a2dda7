"""The command line: collects the installed commands of psgimg and shows errors in one line."""

from __future__ import annotations

import errno
import functools
import io
import signal
import sys
import traceback
from importlib.metadata import entry_points
from pathlib import Path
from types import TracebackType

import click
from psgimg.builder.command_options import kebab
from psgimg.builder.errors import BuildError, PsgimgError
from psgimg.builder.files import durable, quoting, secrets, terminal_text
from psgimg.builder.processes import termination

COMMANDS = "psgimg.commands"
"""Group of the entry points that are commands of psgimg, including its own; see `pyproject.toml`."""

FULL = (*durable.FULL, errno.EFBIG)
"""Errors of writing to a full disk, such as that of standard output."""


class CommandLine(click.Group):
    """The group of all commands; what can't be stored with a command's results is refused at once."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse arguments, and a working directory, whose names are not UTF-8."""
        for word in args:
            quoting.require_utf8(word, "argument")
        rest = super().parse_args(ctx, args)
        try:
            folder = str(Path.cwd())
        except FileNotFoundError as error:
            raise BuildError("the working directory was removed; change to another") from error
        quoting.require_utf8(folder, "working directory")
        return rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands, each with its whole first sentence."""
        rows = [(name, one.get_short_help_str(sys.maxsize)) for name, one in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(sorted(rows))


@click.group(
    cls=CommandLine,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "token_normalize_func": kebab,
    },
)
@click.version_option(package_name="psgimg")
def cli() -> None:
    """Turn sleep recordings into image + label datasets; train models that stage sleep on them.

    Start with `psgimg build --source demo`, which needs no corpus, or stage a recording of your own
    with `psgimg stage` and review it with `psgimg review`.
    """


@functools.cache
def command_line() -> click.Group:
    """Return the command line with the commands of every installed package."""
    for point in sorted(entry_points(group=COMMANDS), key=lambda point: point.name):
        cli.add_command(point.load(), point.name)
    return cli


@termination.handled()
def main() -> None:
    """Run the command line; an expected error is shown as one line, not a traceback.

    Neither has a secret in it: tokens, keys and passwords are masked.
    """
    terminal_text.replace_unencodable()
    sys.excepthook = _show_traceback
    try:
        _run()
    except (click.Abort, KeyboardInterrupt) as error:
        number = termination.number_of(error)
        _report(f"psgimg: {termination.message(number)}")
        sys.exit(termination.status(number))


def _run() -> None:
    """Run the command line, and end with the status of an expected error."""
    try:
        command_line()(standalone_mode=False)
    except PsgimgError as error:
        _report(f"psgimg: {error}")
        sys.exit(getattr(error, "status", 2))
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        for line in shown.getvalue().removesuffix("\n").split("\n"):
            _report(line)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno is None:  # of a library, not of the system
            raise
        if error.errno == errno.EIO and termination.leave_closed_terminal():
            sys.exit(termination.status(signal.SIGHUP))
        _report(f"psgimg: {_reason(error)}")
        sys.exit(2)


def _reason(error: OSError) -> str:
    """Return an error of the operating system as one line with the remedy."""
    if error.errno in FULL:
        terminal_text.drop_output()
        return f"can't write the output: {error.strerror}; free some space and try again"
    name = "" if error.filename is None else f"{error.filename}: "
    return f"{name}{error.strerror}; check the path and its permissions"


def _report(message: str) -> None:
    """Print an error as one line, without secrets."""
    click.echo(quoting.visible(secrets.mask(message)), file=sys.stderr)


def _show_traceback(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Show the traceback of an unexpected error, without secrets."""
    text = "".join(traceback.format_exception(kind, error, trace))
    click.echo(secrets.mask(text), err=True, nl=False)


if __name__ == "__main__":
    main()
