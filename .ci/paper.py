"""Run the demo's commands of docs/paper.md, as they stand there, two at a time.

Each claim's command is one job; what several share is computed once, in one folder.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "paper.md"
DEMO = "psgimg study docs/studies/paper-demo.yaml"


def commands() -> list[str]:
    """Every command of the page's blocks."""
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    return [line for block in blocks for line in block.splitlines()]


def prepared() -> list[str]:
    """The commands before the claims."""
    return [line for line in commands() if not line.startswith("psgimg study ")]


def claims() -> list[str]:
    """The demo's command of each claim."""
    return [line for line in commands() if line.startswith(DEMO)]


def run(command: str, folder: Path) -> tuple[str, subprocess.CompletedProcess[str]]:
    """Run a command where the page's paths lead."""
    words = shlex.split(command)
    return command, subprocess.run(words, cwd=folder, text=True, capture_output=True, check=False)


def main() -> None:
    """Run everything; exit with 1 if any command fails."""
    with tempfile.TemporaryDirectory() as room:
        folder = Path(room)
        for name in ("docs", "tests", "psgimg-demo"):
            (folder / name).symlink_to(ROOT / name)
        failed = [done for one in prepared() if (done := run(one, folder))[1].returncode]
        if not failed:
            with ThreadPoolExecutor(2) as two:
                results = list(two.map(lambda one: run(one, folder), claims()))
            failed = [done for done in results if done[1].returncode]
        for command, done in failed:
            sys.stderr.write(f"$ {command}\n{done.stdout}{done.stderr}\n")
        if not failed:
            report = folder / "study-paper-demo" / "report.md"
            sys.stdout.write(report.read_text(encoding="utf-8"))
        sys.exit(bool(failed))


if __name__ == "__main__":
    main()
