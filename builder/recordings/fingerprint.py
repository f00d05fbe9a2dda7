"""Fingerprint: hashes of a recording's whole files, which identify them in a dataset.

``signal`` is the SHA-256 of the signal file, as ``sha256sum`` prints it. ``fingerprint`` covers all
files of the recording. Earlier versions of psgimg hashed samples of the signal, in 32 digits; such
a hash can't show that a file is the same, so nothing is compared with it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from psgimg.builder.errors import RecordingError, unreadable
from psgimg.builder.files import hash_cache
from psgimg.builder.files.hash_cache import FileChangedError, HashCache, HashedFile
from psgimg.builder.recordings.recording import Recording

SAMPLED_DIGITS = 32
"""Length of the hashes of earlier versions."""


@dataclass(frozen=True)
class Identity:
    """What a recording's files contained when they were read.

    Parameters
    ----------
    files
        Hash of every file.
    signal, fingerprint
        Hash of the signal file, and of all files.
    """

    files: Mapping[Path, HashedFile]
    signal: str
    fingerprint: str


def files_of(recording: Recording) -> list[Path]:
    """Return the files that a recording is read from, each once, the signal first."""
    others = (*recording.scorings.values(), *recording.side_files, *chain(*recording.rivals))
    return list(dict.fromkeys([recording.signal, *others]))  # which may hold a scoring as well


def identify(recording: Recording) -> Identity:
    """Read all files of a recording and return their hashes.

    Raises
    ------
    RecordingError
        If one of them can't be read, or changed meanwhile.
    """
    return of(recording, {path: _hashed(path) for path in files_of(recording)})


def recall(recording: Recording, cache: HashCache) -> Identity | None:
    """Return the hashes of a recording's files if all are known and unchanged; reads none of them.

    Raises
    ------
    RecordingError
        If one of them does not exist or can't be reached.
    """
    known: dict[Path, HashedFile] = {}
    complete = True
    for path in files_of(recording):
        try:
            hashed = cache.get(path)
        except OSError as error:
            raise unreadable(path.name, error) from error
        if hashed is None:
            complete = False
        else:
            known[path] = hashed
    return of(recording, known) if complete else None


def require_unchanged(identity: Identity) -> None:
    """Check that the files of a recording are still those that were hashed.

    Raises
    ------
    RecordingError
        If one of them changed, so that what was read from it may belong to neither version.
    """
    for path, before in identity.files.items():
        try:
            unchanged = hash_cache.is_unchanged(path, before)
        except OSError as error:
            raise unreadable(path.name, error) from error
        if not unchanged:
            raise _changed(path)


def is_sampled(signal: str) -> bool:
    """Return whether a recorded hash is of an earlier version, which read samples of the file."""
    return len(signal) == SAMPLED_DIGITS


def _hashed(path: Path) -> HashedFile:
    try:
        return hash_cache.read(path)
    except OSError as error:
        raise unreadable(path.name, error) from error
    except FileChangedError as error:
        raise _changed(path) from error


def _changed(path: Path) -> RecordingError:
    return RecordingError(
        "changed while it was read",
        f"{path.name} changed while it was read; run the same command again once it is complete",
    )


def of(recording: Recording, files: Mapping[Path, HashedFile]) -> Identity:
    """Return the identity of a recording, given the hash of every one of its files."""
    signal = files[recording.signal].sha256
    scorings = {scorer: files[path].sha256 for scorer, path in recording.scorings.items()}
    side_files = [files[path].sha256 for path in recording.side_files]
    rivals = [[files[path].sha256 for path in group] for group in recording.rivals]
    content = json.dumps([signal, scorings, side_files, *rivals])
    digest = hashlib.blake2b(content.encode(), digest_size=16)
    return Identity(files, signal, digest.hexdigest())
