"""What the readers of all corpora share: finding files, reading text, looking codes up."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.recordings.hypnogram import TOLERANCE_S, Event
from psgimg.builder.recordings.recording import Recording
from psgimg.builder.stages import Score

ARCHIVE_LITTER = ("__MACOSX", "@eaDir")
"""Folders that archivers and file servers leave beside the data, with files of the same names."""

NAME = re.compile("[a-z0-9]+(-[a-z0-9]+)*")
RESERVED_NAME = "all"
"""The config of a dataset that loads every corpus."""


def check_name(name: str, where: str) -> str:
    """Return a corpus's name if it can be one: of a folder, a config and an option.

    Raises
    ------
    BuildError
        If it can't; the message begins with ``where``.
    """
    if not NAME.fullmatch(name) or name == RESERVED_NAME:
        raise BuildError(
            f"{where}: {name!r} is no name for a corpus; use small letters, digits and single "
            f"hyphens, as in my-lab, and not {RESERVED_NAME!r}"
        )
    return name


def walk(root: Path) -> Iterator[Path]:
    """Every file under a folder, in name order; linked folders are entered once, hidden ones not.

    Raises
    ------
    BuildError
        If the folder, or one in it, does not exist or may not be listed.
    """
    if not root.is_dir():
        raise BuildError(f"no folder {root}; give --root the folder that holds the corpus")
    entered: set[Path] = set()
    for folder, subfolders, names in os.walk(root, followlinks=True, onerror=_refuse_folder):
        real = Path(folder).resolve()
        if real in entered:  # a link back up: without this the walk would never end
            subfolders.clear()
            continue
        entered.add(real)
        subfolders[:] = sorted(name for name in subfolders if not _litter(name))
        yield from (Path(folder) / name for name in sorted(names) if not _litter(name))


def matching(root: Path, pattern: re.Pattern[str]) -> list[tuple[re.Match[str], Path]]:
    """Files whose whole name the pattern fits, with the match."""
    found = ((pattern.fullmatch(path.name), path) for path in walk(root))
    return [(match, path) for match, path in found if match]


def listed(recordings: Sequence[Recording], root: Path, expected: str) -> Iterator[Recording]:
    """Return the recordings in name order; of two with one name, both: a build sets one aside.

    Parameters
    ----------
    expected
        What a folder of this corpus holds, for the message: ``files like shhs1-200001.edf``.

    Raises
    ------
    BuildError
        If there are none.
    """
    if not recordings:
        raise BuildError(f"{root} holds no {expected}; give --root the folder that does")
    return iter(sorted(recordings, key=lambda found: (found.recording, str(found.signal))))


def scoring_of(recording: Recording, scorer: str) -> Path:
    """Scoring file of a scorer; the reference scorer's where none is named.

    Raises
    ------
    RecordingError
        If the recording has no scoring, or none by this scorer.
    """
    scorers = recording.scorings
    if not scorers:
        raise RecordingError(
            "scoring missing",
            f"{recording.recording}: no scoring file belongs to {recording.signal.name}; "
            "download it, or leave this recording out",
        )
    if scorer and scorer not in scorers:
        known = ", ".join(name for name in scorers if name) or "one scorer only, without a name"
        raise RecordingError(
            "scorer missing",
            f"{recording.recording} has no scoring by {scorer!r} (there is: {known}); "
            "choose another --scorer",
        )
    return scorers[scorer] if scorer in scorers else next(iter(scorers.values()))


def read_bytes(path: Path) -> bytes:
    """Content of a scoring file.

    Raises
    ------
    RecordingError
        If it is missing or empty.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise RecordingError(
            "scoring missing", f"{path.name} is not there (any more); get the file again"
        ) from error
    if not content.strip():
        raise RecordingError("empty scoring", f"{path.name} is empty; get the file again")
    return content


def read_text(path: Path) -> str:
    """Content of a scoring file of plain text, ASCII or UTF-8, with or without a byte-order mark.

    Raises
    ------
    RecordingError
        If it is missing, empty or not text.
    """
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecordingError(
            "unreadable scoring", f"{path.name} is no plain text; get the file again"
        ) from error
    if "\0" in text:
        raise RecordingError(
            "unreadable scoring", f"{path.name} holds binary data, not text; get the file again"
        )
    return text


def score(code: str, codes: Mapping[str, Score], where: str) -> Score:
    """Look a scoring code up.

    Parameters
    ----------
    where
        File and place, for the message.

    Raises
    ------
    RecordingError
        If the corpus's table does not have it.
    """
    try:
        return codes[code]
    except KeyError:
        raise RecordingError(
            "unknown stage code",
            f"{where} has {code[:40]!r}, not one of {', '.join(codes)}; mend the file, or tell "
            "psgimg's authors if the corpus really uses it",
        ) from None


def check_runs(events: Sequence[Event], epoch_s: float, where: str) -> Sequence[Event]:
    """Return runs in time order after checking that each is a whole number of epochs.

    Only the last run may end within an epoch: there the recording was stopped. Anything else means
    that the scoring was made on another grid, and cutting it would give stages to the wrong times.

    Raises
    ------
    RecordingError
        If a run does not fit.
    """
    runs = sorted(events, key=lambda event: event.onset_s)
    for i, event in enumerate(runs):
        n_epochs = round(event.duration_s / epoch_s)
        fits = n_epochs >= 1 and abs(event.duration_s - n_epochs * epoch_s) <= TOLERANCE_S
        if not fits and i < len(runs) - 1:
            raise RecordingError(
                "wrong epoch length",
                f"{where}: the run at {event.onset_s:g} s lasts {event.duration_s:g} s, not a "
                f"multiple of {epoch_s:g} s; check that the file belongs to this corpus",
            )
    return runs


def number(text: str, where: str) -> float:
    """Parse a finite number; the RecordingError names file and text."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf"):
        raise RecordingError(
            "unreadable scoring", f"{where} has {text[:40]!r} for a number; get the file again"
        )
    return value


def _refuse_folder(error: OSError) -> NoReturn:
    raise BuildError(
        f"can't list {error.filename} ({error.strerror}); give yourself the right to read it"
    ) from error


def _litter(name: str) -> bool:
    return name.startswith(".") or name in ARCHIVE_LITTER
