"""Asked: what trainings are told, parsed as `psgimg sft` does. Run by a study before anything else."""

from __future__ import annotations

import json
import sys

from psgimg.builder.errors import PsgimgError
from psgimg.finetune import optional_dependencies


def main() -> None:
    """Read lists of words from standard input; write the first refusal, if any, and fail."""
    try:
        optional_dependencies.require()
        from psgimg.finetune.training import arguments

        for words in json.load(sys.stdin):
            arguments.parse(words)
    except PsgimgError as error:
        sys.stdout.write(f"{error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
