"""Permissions: weights that everybody can read who can read their folder."""

from __future__ import annotations

from pathlib import Path

READ_WRITE = 0o666


def follow_folder(folder: Path) -> None:
    """Let the weights in a folder be read and written by those who may do so with the folder.

    safetensors writes them for their owner alone, whatever the umask, so that nobody else could use
    a model in a folder that a group shares.
    """
    mode = folder.stat().st_mode & READ_WRITE
    for path in folder.glob("*.safetensors"):
        path.chmod(mode)
