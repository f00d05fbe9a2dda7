"""Check arguments: options of training runs, parsed as by `psgimg sft`, in a process of its own."""

from __future__ import annotations

import json
import sys

from psgimg.builder.errors import PsgimgError
from psgimg.finetune import optional_dependencies


def main() -> None:
    """Read argument lists as JSON from standard input; print any first error and exit with 2."""
    try:
        optional_dependencies.require()
        from psgimg.finetune.training import arguments

        for argv in json.load(sys.stdin):
            arguments.parse(argv)
    except PsgimgError as error:
        sys.stdout.buffer.write(f"{error}\n".encode("utf-8", "backslashreplace"))
        sys.exit(2)
