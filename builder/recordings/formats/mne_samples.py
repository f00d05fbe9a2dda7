"""MNE samples: whether the file of samples that a header leads to is its own, and as long as stated.

BrainVision and EEGLAB keep header and samples apart. MNE reads whatever file the header names, and of
a file cut short what is left: a night of another person, or an hour of one.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from psgimg.builder.errors import RecordingError, unreadable

APART = (".vhdr", ".set")
"""Headers whose samples are in another file, or can be."""

_SAMPLE_BYTES = {"short": 2, "int": 4, "single": 4}
"""Format of BrainVision as MNE names it → bytes of a sample; text has no fixed length."""

_EEGLAB_BYTES = 4
_STATED = re.compile(rb"^DataPoints=(\d+)\s*$", re.MULTILINE | re.IGNORECASE)


def require_own(raw: Any, path: Path) -> None:
    """Check the file of samples of a recording that MNE opened.

    Raises
    ------
    RecordingError
        If it is named after another recording, or shorter or longer than the header states.
    """
    samples = Path(raw.filenames[0])
    if path.suffix.lower() not in APART or samples.name == path.name:
        return
    beside = path.with_name(samples.name)
    own = samples.stem.lower() == path.stem.lower() and beside.exists() and beside.samefile(samples)
    if not own:
        raise RecordingError(
            "samples of another name",
            f"{path.name} names {samples.name} as the file of its samples, which may be of another "
            f"recording; name it {path.stem}{samples.suffix} in the header and in the folder",
        )
    try:
        _require_length(raw, path, samples)
    except OSError as error:
        raise unreadable(samples.name, error) from error


def _require_length(raw: Any, path: Path, samples: Path) -> None:
    """Compare the length of a file of samples with that by the header."""
    if path.suffix.lower() == ".set":
        sample_bytes: int | None = _EEGLAB_BYTES
        stated: int | None = int(raw.n_times)
    else:
        sample_bytes = _SAMPLE_BYTES.get(raw.orig_format)
        match = _STATED.search(path.read_bytes())
        stated = int(match[1]) if match else None
    if sample_bytes is None:
        return
    n_samples, rest = divmod(samples.stat().st_size, sample_bytes * len(raw.ch_names))
    if rest or stated not in (None, n_samples):
        held = f"{n_samples} samples of each channel{' and a part of one' if rest else ''}"
        told = "" if stated is None else f", but {path.name} states {stated}"
        raise RecordingError(
            "wrong length", f"{samples.name} holds {held}{told}; copy or download it again"
        )
