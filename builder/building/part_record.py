"""Part record: what a finished part of a build leaves in its folder for the command that joins them.

OUT/.psgimg/tasks/3-of-7.json
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from annotated_types import Predicate
from psgimg.builder import atomic_file
from psgimg.builder.dataset import build_report, json_form, shards
from psgimg.builder.dataset.build_json import SetAsideEntry, Version
from psgimg.builder.dataset.build_report import SetAside
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded
from psgimg.builder.files.safe_names import is_hash
from psgimg.builder.placing.parts import Part
from psgimg.builder.recordings.recording import Recording
from typing_extensions import TypedDict

FOLDER = "tasks"
NAME = re.compile(r"(\d{1,9})-of-(\d{1,9})\.json", re.ASCII)

Hash = Annotated[str, Predicate(is_hash)]


class Basis(TypedDict):
    """What all parts of a build have in common.

    ``settings`` are hashes by setting, ``recordings`` is that of the list of all recordings.
    """

    settings: dict[str, Hash]
    recordings: Hash
    versions: dict[str, Version]


class PartJson(Basis):
    """A finished part: ``set_aside`` are the recordings of it that can't be used."""

    set_aside: list[SetAsideEntry]


@dataclass(frozen=True)
class Finished:
    """A finished part, and the folder in which its record is."""

    part: Part
    folder: Path
    record: PartJson

    @property
    def set_aside(self) -> list[SetAside]:
        """The recordings of the part that can't be used."""
        return [
            SetAside(one["corpus"], one["recording"], one["reason"], one.get("detail", ""))
            for one in self.record["set_aside"]
        ]


def basis(config: BuildConfig, recordings: Sequence[Recording]) -> Basis:
    """Return what all parts of a build must have in common.

    Parameters
    ----------
    recordings
        Those of all parts, under their public names.
    """
    definitions = {corpus.name: dict(corpus.definition) for corpus in config.corpora}
    settings = {**config.fixed(), "corpora": definitions}
    return {
        "settings": {key: _hash([_text(value)]) for key, value in sorted(settings.items())},
        "recordings": _hash(sorted(map(_described, recordings))),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that ``build.json`` records."""
    libraries = {name: version(name) for name in build_report.LIBRARIES}
    return {"python": platform.python_version(), **libraries}


def write(out: Path, part: Part, common: Basis, set_aside: Iterable[SetAside]) -> None:
    """Record that a part is finished."""
    record: PartJson = {**common, "set_aside": [one.to_dict() for one in sorted(set_aside)]}
    path = _folder(out) / f"{part.number}-of-{part.n_parts}.json"
    atomic_file.write_text(path, build_report.text(record))


def any_in(out: Path) -> bool:
    """Return whether a part has been finished in a folder."""
    return any(_files(out))


def read(out: Path) -> list[Finished]:
    """Read the records of the parts that are finished in a folder.

    Raises
    ------
    BuildError
        If a record is damaged.
    """
    found = []
    for path, part in _files(out):
        try:
            values = bounded.read_json(path, bounded.REPORT)
            record = json_form.conform(values, PartJson)
        except (OSError, ValueError) as error:
            raise BuildError(
                f"{path} is damaged ({error}); remove it and run --part {part} again"
            ) from error
        found.append(Finished(part, out, record))
    return found


def _folder(out: Path) -> Path:
    return out / shards.STATE / FOLDER


def _files(out: Path) -> Iterator[tuple[Path, Part]]:
    """Yield the records in a folder with their parts."""
    for path in sorted(_folder(out).glob("*.json")):
        if found := NAME.fullmatch(path.name):
            number, n_parts = int(found[1]), int(found[2])
            if 1 <= number <= n_parts:
                yield path, Part(number, n_parts)


def _described(one: Recording) -> str:
    """Return what of a recording must be the same for every part: names, not where it lies."""
    files = [one.signal.name, *(f"{who}/{path.name}" for who, path in one.scorings.items())]
    names = [one.corpus, one.subject, one.recording, one.kin, one.own.subject, one.own.recording]
    return _text([*names, *files])


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _hash(lines: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(os.fsencode(f"{line}\n"))
    return digest.hexdigest()
