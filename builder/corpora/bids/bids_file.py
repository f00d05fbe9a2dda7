"""BIDS file: the entities in the name of a file, such as ``sub-1_ses-2_task-sleep_events.tsv``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.listing import Place, folder_of

_PAIR = re.compile(r"(?P<key>[a-z]+)-(?P<value>[^_]+)", re.IGNORECASE)
DESCRIPTION = "dataset_description.json"
OUTSIDE = ("derivatives", "sourcedata", "code", "stimuli")
"""Folders of a dataset whose files are no raw recordings."""


@dataclass(frozen=True)
class BidsFile:
    """A file with a name of BIDS.

    Parameters
    ----------
    entities
        Entity → label, such as ``{"sub": "1", "task": "sleep"}``; in lower case, as datasets spell
        the same label differently.
    suffix
        What follows the entities, such as ``events``; in lower case.
    extension
        Such as ``.tsv``, in lower case.
    """

    path: Path
    entities: Mapping[str, str]
    suffix: str
    extension: str

    def has(self, suffix: str, *extensions: str) -> bool:
        """Whether the file has this suffix and one of these extensions."""
        return self.suffix == suffix and self.extension in extensions


def parse(path: Path) -> BidsFile | None:
    """Return the entities of a file; None if its name is not of BIDS."""
    stem, dot, extension = path.name.partition(".")
    *pairs, suffix = stem.split("_")
    matches = [_PAIR.fullmatch(pair) for pair in pairs]
    if not dot or not all(matches):
        return None
    entities = {m["key"].lower(): m["value"].lower() for m in matches if m}
    return BidsFile(path, entities, suffix.lower(), f".{extension.lower()}")


def entities_of(text: str) -> dict[str, str]:
    """Return every ``key-label`` of a text, in lower case."""
    return {m["key"].lower(): m["value"].lower() for m in _PAIR.finditer(text)}


def base_of(place: Place, paths: Iterable[Path]) -> Path:
    """Return the folder of the dataset: the one with ``dataset_description.json``.

    Raises
    ------
    BuildError
        If there are several datasets: equal names of people would be mixed up.
    """
    root = folder_of(place)
    found = [
        path.parent
        for path in paths
        if path.name.lower() == DESCRIPTION and not is_outside(path, root)
    ]
    if len(found) > 1:
        raise BuildError(
            f"{root} has {len(found)} BIDS datasets, such as {found[0].name} and {found[1].name}; give "
            "--root the folder of one, and describe each further one in a YAML file with a name of its own"
        )
    return found[0] if found else root


def is_outside(path: Path, base: Path) -> bool:
    """Whether a file is in a folder of a dataset that has no raw recordings."""
    return any(part.lower() in OUTSIDE for part in path.relative_to(base).parts[:-1])


def within(paths: Iterable[Path], base: Path) -> Iterator[Path]:
    """Yield the files in the folder of a dataset."""
    return (path for path in paths if path.is_relative_to(base))
