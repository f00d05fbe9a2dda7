"""Check what is released: wheel and sdist hold what the tree holds, and each runs alone.

``python .ci/wheel.py DIST``, with DIST the folder that ``python -m build`` wrote. Each is installed
in a fresh virtual environment, and builds a part of the demo in an empty folder.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

TREE = Path(__file__).resolve().parents[1]
PACKED = {".py", ".pyi", ".j2", ".png", ".yaml", ".typed", ".gz", ".tsv", ".txt"} | {
    *(".css", ".html", ".js", ".svg"),
}
CHECKOUT_ONLY = (".gitattributes", ".gitignore", ".types/")
"""What git holds and the sdist does not need."""

WRITTEN = ("PKG-INFO", "setup.cfg", "psgimg.egg-info/")
"""What the sdist holds and git does not."""

OPENS = """
import datasets
found = datasets.load_dataset("psg-images")
print(f"load_dataset: {sum(map(len, found.values()))} rows, {sorted(found)}")
"""


def in_tree() -> set[str]:
    """Files that belong into the wheel, by their names there."""
    surface = {path.relative_to(TREE).as_posix() for path in (TREE / "psgimg").iterdir()}
    return {
        name for name in surface if Path(name).suffix in PACKED or name.endswith("py.typed")
    } | {
        f"psgimg/{path.relative_to(TREE).as_posix()}"
        for folder in ("builder", "finetune", "cards")
        for path in (TREE / folder).rglob("*")
        if path.suffix in PACKED or path.name == "py.typed"
    }


def in_git() -> set[str]:
    """Files that belong into the sdist."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=TREE, check=True, capture_output=True, text=True
    )
    names = set(listed.stdout.split("\0")) - {""}
    return {name for name in names if not name.startswith(CHECKOUT_ONLY)}


def of_wheel(path: Path) -> set[str]:
    """Files of a wheel but its metadata."""
    with zipfile.ZipFile(path) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def of_sdist(path: Path) -> set[str]:
    """Files of an sdist but its metadata, without the folder they lie in."""
    with tarfile.open(path) as archive:
        names = {entry.name.partition("/")[2] for entry in archive if not entry.isdir()}
    return {name for name in names if not name.startswith(WRITTEN)}


def compare(path: Path, held: set[str], expected: set[str]) -> None:
    """Exit with the differences, if there are any."""
    missing, extra = sorted(expected - held), sorted(held - expected)
    if missing or extra:
        sys.exit(f"{path.name} lacks {missing or 'nothing'} and has besides {extra or 'nothing'}")
    sys.stdout.write(f"{path.name}: {len(held)} files, as in the tree\n")


def run_alone(room: Path, *packages: Path) -> None:
    """Install each package in turn in one environment, and use it in an empty folder."""
    venv.create(room / "venv", with_pip=True)
    python = str(room / "venv" / "bin" / "python")
    for package in packages:
        empty = room / package.name
        empty.mkdir()
        replace = ["--no-deps", "--force-reinstall"] if package != packages[0] else []
        for command in (
            [python, "-m", "pip", "install", "--quiet", *replace, str(package)],
            [str(Path(python).with_name("psgimg")), "build", "--source", "demo", "--limit", "2"],
            [python, "-P", "-c", OPENS],
        ):
            subprocess.run(command, cwd=empty, check=True)


def main(dist: Path) -> None:
    """Check the one wheel and the one sdist of a folder."""
    [wheel], [sdist] = dist.glob("*.whl"), dist.glob("*.tar.gz")
    compare(wheel, of_wheel(wheel), in_tree())
    compare(sdist, of_sdist(sdist), in_git())
    with tempfile.TemporaryDirectory() as room:
        run_alone(Path(room), wheel.resolve(), sdist.resolve())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
