"""A package that brings corpora, installed for a test: a module and its ``dist-info`` on ``sys.path``."""

from __future__ import annotations

from pathlib import Path


def install(site: Path, package: str, module: str, code: str, entry: str) -> Path:
    """Write a package's files as an installer leaves them.

    Parameters
    ----------
    entry
        A line of its ``[psgimg.corpora]``: ``my-lab = my_lab:CORPUS``.
    """
    info = site / f"{package.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[psgimg.corpora]\n{entry}\n")
    (site / f"{module}.py").write_text(code, encoding="utf-8")
    return site
