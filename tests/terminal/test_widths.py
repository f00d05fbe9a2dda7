"""Widths: without a terminal nothing is cut or folded, and in a terminal nothing is lost."""

import io
import os
import pty
import re
import subprocess
import sys

import pytest
from click.testing import CliRunner
from psgimg.builder.cli import command_line
from psgimg.builder.console import new_table, open_console

LONG = "x" * 150 + "/[2024]/" + "y" * 150

PROGRAM = f"""
from psgimg.builder.console import new_table, open_console, styled
table = new_table("name", "lanes", "n", left=("name", "lanes"))
table.add_row({LONG!r}, "C4-M1 " * 40, "12,345")
terminal = open_console()
terminal.print(table)
terminal.print(styled(({LONG!r}, "bold"), " is ready"))
"""


@pytest.mark.parametrize("surroundings", [{}, {"COLUMNS": "40"}, {"TERM": "dumb"}], ids=str)
def test_without_a_terminal_every_row_is_one_whole_line(surroundings):
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | surroundings,
    )
    head, row, ready = done.stdout.splitlines()
    assert row.split() == [LONG, *["C4-M1"] * 40, "12,345"]
    assert len(head) == len(row)
    assert ready == f"{LONG} is ready"


def test_in_a_terminal_a_table_is_folded_to_its_width_and_a_path_is_left_whole():
    """A path on several lines can't be copied; the terminal itself wraps a long line."""
    parent, child = pty.openpty()
    environment = os.environ | {"COLUMNS": "60", "TERM": "xterm", "NO_COLOR": "1"}
    command = [sys.executable, "-P", "-c", PROGRAM]
    with subprocess.Popen(command, stdout=child, env=environment) as process:
        os.close(child)
        shown = b""
        try:
            while part := os.read(parent, 1 << 16):
                shown += part
        except OSError:  # the child has ended
            pass
    os.close(parent)
    assert process.returncode == 0
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode())
    *table, ready = text.splitlines()
    assert max(map(len, table)) <= 60
    assert "".join(line[:31] for line in table).count("x") == 150
    assert sum(line.count("y") for line in table) == 150
    assert "…" not in text
    assert ready == f"{LONG} is ready"


def test_help_lists_every_command_with_its_whole_first_sentence():
    shown = CliRunner().invoke(command_line(), ["--help"]).output
    listed = " ".join(shown.split())
    for name, command in command_line().commands.items():
        assert f"{name} {' '.join(command.help.split(chr(10) * 2)[0].split())}" in listed


def test_in_a_terminal_too_narrow_for_a_table_every_cell_is_shown(monkeypatch):
    monkeypatch.setattr("sys.stdout", io.StringIO())
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "10")
    table = new_table(*"abcdefgh")
    table.add_row(*(str(number) for number in range(10, 18)))
    open_console().print(table)
    assert sorted(re.sub(r"\s|\x1b\[[0-9;]*m", "", sys.stdout.getvalue())) == sorted(
        "abcdefgh" + "".join(str(number) for number in range(10, 18))
    )
