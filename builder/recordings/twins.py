"""Twins: recordings with the same signal under different names, so that only one of them is used.

Almost all files differ in size, and almost all others in a few blocks, so that hardly any file is
read completely. The result depends only on the files and on the order of the recordings.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

from psgimg.builder.files import hash_cache
from psgimg.builder.files.hash_cache import FileChangedError
from psgimg.builder.recordings.fingerprint import Identity
from psgimg.builder.recordings.recording import Recording

BLOCK_BYTES = 1 << 14
N_BLOCKS = 8


Key = tuple[str, str]
"""(corpus, recording)"""


def find(recordings: Sequence[Recording], known: Mapping[Key, Identity]) -> dict[Key, Recording]:
    """Return each later twin → the first recording with the same signal.

    A file that can't be read is no twin; its recording is refused when it is drawn.

    Parameters
    ----------
    recordings
        Recordings in order, of different names; of several twins, the first is used.
    known
        Identity of the recordings whose files are known.
    """
    later: dict[Key, Recording] = {}
    for same_size in _groups(recordings, _size):
        sampled = _groups(same_size, _blocks) if _unknown(same_size, known) else [same_size]
        for same_blocks in sampled:
            for first, *twins in _groups(same_blocks, lambda one: _whole(one, known)):
                later |= {twin.key: first for twin in twins}
    return later


def _unknown(recordings: Iterable[Recording], known: Mapping[Key, Identity]) -> bool:
    return any(recording.key not in known for recording in recordings)


def _groups(
    recordings: Iterable[Recording], key: Callable[[Recording], Hashable]
) -> list[list[Recording]]:
    """Return the recordings that share a key with others, in groups."""
    groups: defaultdict[Hashable, list[Recording]] = defaultdict(list)
    for recording in recordings:
        try:
            groups[key(recording)].append(recording)
        except (OSError, FileChangedError):
            continue
    return [group for group in groups.values() if len(group) > 1]


def _size(recording: Recording) -> int:
    return recording.signal.stat().st_size


def _blocks(recording: Recording) -> bytes:
    """Return a hash of blocks spread over the signal file, the first and the last included."""
    digest = hashlib.blake2b(digest_size=16)
    size = recording.signal.stat().st_size
    with recording.signal.open("rb") as file:
        for i in range(N_BLOCKS):
            file.seek(max(0, size - BLOCK_BYTES) * i // (N_BLOCKS - 1))
            digest.update(file.read(BLOCK_BYTES))
    return digest.digest()


def _whole(recording: Recording, known: Mapping[Key, Identity]) -> str:
    if identity := known.get(recording.key):
        return identity.signal
    return hash_cache.read(recording.signal).sha256
