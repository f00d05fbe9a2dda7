"""Print the n-th command of the README's set-up: the fenced block under its number."""

from __future__ import annotations

import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"


def command(number: int) -> str:
    """The lines of the n-th ``sh`` block."""
    blocks = re.findall(r"^```sh\n(.*?)^```", README.read_text(encoding="utf-8"), re.M | re.S)
    return str(blocks[number - 1])


if __name__ == "__main__":
    sys.stdout.write(command(int(sys.argv[1])))
