"""Listing: the files of a corpus, those that a server has included, as readers see them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class Listing:
    """A corpus's folder, with files that are not in it yet and can be fetched.

    Parameters
    ----------
    root
        The folder; it need not exist.
    expected
        Files that will be there when they are needed, relative to ``root``.
    """

    root: Path
    expected: Collection[PurePosixPath]

    def __str__(self) -> str:
        return str(self.root)


Place = Path | Listing
"""Where readers look for the recordings of a corpus."""


def folder_of(place: Place) -> Path:
    """Return the folder of a corpus."""
    return place.root if isinstance(place, Listing) else place
