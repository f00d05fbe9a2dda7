"""Fingerprint: hashes that identify a recording's files without reading them completely."""

from __future__ import annotations

import hashlib
from pathlib import Path

from psgimg.builder.errors import unreadable
from psgimg.builder.recordings.recording import Recording

SAMPLE_BLOCKS = 16
BLOCK_BYTES = 1 << 16


def fingerprints(recording: Recording) -> tuple[str, str]:
    """Return the hash of the signal file, from its size and sampled blocks, and that with scorings.

    Distinguishes a recording of 300 MB from another one, or from a re-export, in milliseconds.

    Raises
    ------
    RecordingError
        If one of the files can't be read.
    """
    try:
        signal = _sampled(recording.signal)
        digest = hashlib.blake2b(signal.encode(), digest_size=16)
        for scorer, path in recording.scorings.items():
            digest.update(scorer.encode())
            digest.update(path.read_bytes())
        for path in recording.side_files:
            digest.update(path.read_bytes())
    except OSError as error:
        raise unreadable(Path(error.filename or recording.signal).name, error) from error
    return signal, digest.hexdigest()


def _sampled(path: Path) -> str:
    """Return the hash of a file's size and of blocks spread over the file."""
    digest = hashlib.blake2b(digest_size=16)
    size = path.stat().st_size
    digest.update(str(size).encode())
    with path.open("rb") as file:
        for i in range(SAMPLE_BLOCKS + 1):
            file.seek(max(0, size - BLOCK_BYTES) * i // SAMPLE_BLOCKS)
            digest.update(file.read(BLOCK_BYTES))
    return digest.hexdigest()
