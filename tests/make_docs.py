"""Write ``docs/commands.md`` from the command line's own help: ``python tests/make_docs.py``."""

from pathlib import Path

from click.testing import CliRunner
from psgimg.builder.cli import cli

COMMANDS_MD = Path(__file__).resolve().parents[1] / "docs" / "commands.md"


def commands_md() -> str:
    """The help of every command, as it is printed."""
    parts = ["# Commands\n\nWritten by `python tests/make_docs.py`; a test compares.\n"]
    for words in ([], *([name] for name in cli.commands)):
        shown = CliRunner().invoke(cli, [*words, "--help"], prog_name="psgimg", terminal_width=100)
        title = " ".join(["psgimg", *words])
        parts.append(f"\n## {title}\n\n```console\n$ {title} --help\n{shown.output}```\n")
    return "".join(parts)


if __name__ == "__main__":
    COMMANDS_MD.write_text(commands_md(), encoding="utf-8")
