"""Write ``constraints.txt``: one version of every library that CI and the README's tests install.

torch and what only torch needs are left out: a platform has its own builds of them. uv resolves
for every Python and system at once, from PyPI alone: ``pip install --group lock``.

With ``--lowest``, print the lowest versions that the ranges allow instead, to try them.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "constraints.txt"

OF_THE_PLATFORM = "torch"

HEAD = """\
# Written by `python .ci/lock.py`; the ranges are in pyproject.toml. torch is left to the platform.
"""

RESOLVE = (
    *("uv", "pip", "compile", "--quiet", "--universal", "--no-config", "pyproject.toml"),
    *("--extra", "finetune", "--extra", "test", "--group", "dev"),
    *("--no-header", "--annotation-style", "line"),
)


def resolved(resolution: str) -> dict[str, tuple[set[str], list[str]]]:
    """Of each library who asks for it, and its lines, one for each Python that differs."""
    command = [sys.executable, "-m", *RESOLVE, "--resolution", resolution]
    out = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, tuple[set[str], list[str]]] = {}
    for line in out.stdout.splitlines():
        pin, _, via = line.partition("# via ")
        name = re.match(r"[\w.-]+", pin)
        assert name, line
        askers, lines = found.setdefault(name[0], (set(), []))
        askers.update(via.split(", "))
        lines.append(pin.strip())
    return found


def constraints(resolution: str) -> str:
    """Pins, one a line, of all but torch and what only torch needs."""
    libraries = resolved(resolution)
    left_out: set[str] = set()
    more = {OF_THE_PLATFORM}
    while more:
        left_out |= more
        more = {name for name, (askers, _) in libraries.items() if askers <= left_out} - left_out
    kept = [line for name in sorted(libraries.keys() - left_out) for line in libraries[name][1]]
    return "".join(f"{line}\n" for line in kept)


if __name__ == "__main__":
    if sys.argv[1:] == ["--lowest"]:
        sys.stdout.write(constraints("lowest-direct"))
    else:
        FILE.write_text(HEAD + constraints("highest"), encoding="utf-8")
