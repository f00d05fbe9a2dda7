"""Compare a wheel with the tree: no module missing, none too many, templates and pictures there."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

TREE = Path(__file__).resolve().parents[1]
PACKED = {".py", ".j2", ".png", ".yaml", ".typed"}


def in_tree() -> set[str]:
    """Files that belong into the wheel, by their names there."""
    return {
        f"psgimg/{path.relative_to(TREE).as_posix()}"
        for folder in ("builder", "finetune", "cards")
        for path in (TREE / folder).rglob("*")
        if path.suffix in PACKED or path.name == "py.typed"
    }


def main(wheel: str) -> None:
    """Exit with the differences, if there are any."""
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    missing, extra = sorted(in_tree() - held), sorted(held - in_tree())
    if missing or extra:
        sys.exit(
            f"{Path(wheel).name} lacks {missing or 'nothing'} and has besides {extra or 'nothing'}"
        )
    sys.stdout.write(f"{Path(wheel).name}: {len(held)} files, as in the tree\n")


if __name__ == "__main__":
    main(sys.argv[1])
