"""Write what documents say of the code: ``python tests/make_docs.py``; ``test_docs.py`` compares.

``docs/commands.md`` is the command line's own help, the README's file map the first sentence of
each module.
"""

import ast
import re
from pathlib import Path

from click.testing import CliRunner
from psgimg.builder.cli import cli

ROOT = Path(__file__).resolve().parents[1]
COMMANDS_MD = ROOT / "docs" / "commands.md"
README = ROOT / "README.md"
MAP = re.compile(r"(?<=<!-- map -->\n).*(?=<!-- end of map -->)", re.DOTALL)

ORDER = [
    "cli",
    "ui",
    "build",
    "check",
    "preview",
    "worklist",
    "card",
    "metadata",
    "contact",
    "report",
    "config",
    "sources",
    "night",
    "render",
    "png",
    "layout",
    "raster",
    "pages",
    "recipe",
    "signals",
    "style",
    "edf",
    "edfheader",
    "montage",
    "hypnogram",
    "stages",
    "recording",
    "rows",
    "shards",
    "splits",
    "engine",
    "files",
    "errors",
    "synthesis",
    "physiology",
]


def commands_md() -> str:
    """The help of every command, as it is printed."""
    parts = ["# Commands\n\nWritten by `python tests/make_docs.py`; a test compares.\n"]
    for words in ([], *([name] for name in cli.commands)):
        shown = CliRunner().invoke(cli, [*words, "--help"], prog_name="psgimg", terminal_width=100)
        title = " ".join(["psgimg", *words])
        parts.append(f"\n## {title}\n\n```console\n$ {title} --help\n{shown.output}```\n")
    return "".join(parts)


def readme(text: str) -> str:
    """The README with its file map as it should be."""
    folder = ROOT / "builder"
    modules = sorted(
        (path for path in folder.rglob("*.py") if path.name != "__init__.py"),
        key=lambda path: (path.parent != folder, *_place(path)),
    )
    lines = [f"| `{p.relative_to(ROOT).as_posix()}` | {_first_sentence(p)} |\n" for p in modules]
    return MAP.sub(lambda _: "| | |\n|:--|:--|\n" + "".join(lines), text)


def _place(path: Path) -> tuple[int, str]:
    return (ORDER.index(path.stem) if path.stem in ORDER else len(ORDER), path.stem)


def _first_sentence(path: Path) -> str:
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(doc.split("\n\n")[0].split()).replace("``", "`")


if __name__ == "__main__":
    COMMANDS_MD.write_text(commands_md(), encoding="utf-8")
    README.write_text(readme(README.read_text(encoding="utf-8")), encoding="utf-8")
