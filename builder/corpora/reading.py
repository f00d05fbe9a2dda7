"""Reading: functions common to all corpus readers, to find files, read text and look up codes."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn, TypeVar

from psgimg.builder.errors import BuildError, RecordingError, unreadable
from psgimg.builder.files import bounded, safe_names
from psgimg.builder.files.bounded import Bound
from psgimg.builder.recordings.hypnogram import TOLERANCE_S, Event, Hypnogram
from psgimg.builder.recordings.listing import Listing, Place
from psgimg.builder.recordings.recording import Recording
from psgimg.builder.stages import Score

KeyT = TypeVar("KeyT", bound=Hashable)

ARCHIVE_LITTER = ("__MACOSX", "@eaDir")
"""Folders that archivers and file servers create, with files of the same names as the data."""


def check_name(name: str, where: str) -> str:
    """Return the name of a corpus if it is valid as a folder, a config and an option.

    Raises
    ------
    BuildError
        If it is not; the message begins with ``where``.
    """
    if not safe_names.is_corpus(name):
        raise BuildError(
            f"{where}: {name!r} is not a valid corpus name; use lower-case letters, digits and single "
            f"hyphens, as in my-lab, but not {safe_names.RESERVED_CORPUS!r}"
        )
    return name


def walk(place: Place) -> Iterator[Path]:
    """Yield every file of a corpus: under a folder, in name order, and those that can be fetched.

    Links to folders are followed once; hidden files and folders are skipped.

    Raises
    ------
    BuildError
        If the folder does not exist, or it or a subfolder can't be listed.
    """
    if isinstance(place, Listing):
        present = list(_walk(place.root)) if place.root.is_dir() else []
        names = {path.name.lower() for path in present}  # in whatever folder: it is used as it is
        remote = [path for path in place.expected if path.name.lower() not in names]
        yield from sorted([*present, *(place.root / path for path in remote)])
        return
    yield from _walk(place)


def _walk(root: Path) -> Iterator[Path]:
    if not root.is_dir():
        raise BuildError(f"folder {root} not found; give --root the folder of the corpus")
    entered: set[Path] = set()
    for folder, subfolders, names in os.walk(root, followlinks=True, onerror=_refuse_folder):
        real = Path(folder).resolve()
        if real in entered:  # a link to a parent would make the walk endless
            subfolders.clear()
            continue
        entered.add(real)
        subfolders[:] = sorted(name for name in subfolders if not _litter(name))
        yield from (Path(folder) / name for name in sorted(names) if not _litter(name))


def matching(root: Place, pattern: re.Pattern[str]) -> list[tuple[re.Match[str], Path]]:
    """Return the files whose whole name matches a pattern, with the match."""
    candidates = ((pattern.fullmatch(path.name), path) for path in walk(root))
    return [(match, path) for match, path in candidates if match]


def listed(recordings: Sequence[Recording], root: Place, expected: str) -> Iterator[Recording]:
    """Return the recordings in name order, duplicates included: a build sets those aside.

    Parameters
    ----------
    expected
        Contents of a folder of this corpus, for the message: ``files like shhs1-200001.edf``.

    Raises
    ------
    BuildError
        If there are none.
    """
    if not recordings:
        raise BuildError(f"{root} has no {expected}; give --root the folder that has them")
    return iter(sorted(recordings, key=lambda one: (one.recording, str(one.signal))))


def scoring_of(recording: Recording, scorer: str) -> Path:
    """Return the scoring file of a scorer; of the reference scorer if ``scorer`` is empty.

    Raises
    ------
    RecordingError
        If the recording has no scoring, or none by this scorer.
    """
    scorers = recording.scorings
    if not scorers:
        raise RecordingError(
            "scoring missing",
            f"{recording.recording}: no scoring file for {recording.signal.name}; download it, or "
            "exclude this recording",
        )
    if scorer and scorer not in scorers:
        names = ", ".join(name for name in scorers if name) or "only one, without a name"
        raise RecordingError(
            "scorer missing",
            f"{recording.recording} has no scoring by {scorer!r} (scorers: {names}); "
            "choose another --scorer",
        )
    return scorers[scorer] if scorer in scorers else next(iter(scorers.values()))


def fallback(hypnogram: Hypnogram, read: str, absent: str) -> Hypnogram:
    """Return a hypnogram with a note that it was read from another file than the preferred one."""
    note = f"scoring read from {read}, as there is no {absent}"
    return replace(hypnogram, notes=(*hypnogram.notes, note))


def first_of_each(
    files: Iterable[tuple[KeyT, Path]],
) -> tuple[dict[KeyT, Path], dict[KeyT, tuple[Path, ...]]]:
    """Return the first file of each key, and all files of the keys that have several (``rivals``)."""
    groups: dict[KeyT, list[Path]] = {}
    for key, path in files:
        groups.setdefault(key, []).append(path)
    firsts = {key: paths[0] for key, paths in groups.items()}
    return firsts, {key: tuple(paths) for key, paths in groups.items() if len(paths) > 1}


def preferred(
    keys: Iterable[KeyT],
    firsts: Mapping[KeyT, Path],
    rivals: Mapping[KeyT, tuple[Path, ...]],
) -> tuple[dict[str, Path], tuple[tuple[Path, ...], ...]]:
    """Return the scoring of the first key that has a file, with the rivals of that file.

    Both are as in ``Recording``, for a night with one scoring in one or several forms.

    Parameters
    ----------
    keys
        The forms of the night's scoring, the preferred one first.
    firsts, rivals
        As from ``first_of_each``.
    """
    key = next((key for key in keys if key in firsts), None)
    if key is None:
        return {}, ()
    return {"": firsts[key]}, (rivals[key],) if key in rivals else ()


def read_bytes(path: Path, bound: Bound = bounded.TEXT) -> bytes:
    """Return the content of a scoring file.

    Raises
    ------
    RecordingError
        If it is missing, empty, unreadable or too large.
    """
    try:
        content = bounded.read_bytes(path, bound)
    except FileNotFoundError as error:
        raise RecordingError(
            "scoring missing", f"{path.name} not found; get the file again"
        ) from error
    except OSError as error:
        raise unreadable(path.name, error) from error
    except bounded.TooLargeError as error:
        raise RecordingError("scoring too large", f"{error}; get the file again") from error
    if not content.strip():
        raise RecordingError("empty scoring", f"{path.name} is empty; get the file again")
    return content


def read_text(path: Path) -> str:
    """Return the content of a text scoring file: UTF-8 with or without byte-order mark, or Latin-1.

    Only events of other kinds than stages have letters beyond ASCII in known corpora.

    Raises
    ------
    RecordingError
        If it is missing, empty, unreadable, too large or not text.
    """
    content = read_bytes(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    if not text.strip():  # nothing but a byte-order mark
        raise RecordingError("empty scoring", f"{path.name} is empty; get the file again")
    if "\0" in text:
        raise RecordingError(
            "unreadable scoring", f"{path.name} has binary data, not text; get the file again"
        )
    return text


def score(code: str, codes: Mapping[str, Score], where: str) -> Score:
    """Return the score of a code.

    Parameters
    ----------
    where
        File and position, for the message.

    Raises
    ------
    RecordingError
        If the code is not in the corpus's table.
    """
    try:
        return codes[code]
    except KeyError:
        raise RecordingError(
            "unknown stage code",
            f"{where} has {code[:40]!r}, not one of {', '.join(codes)}; fix the file, or report it "
            "to the authors of psgimg if the corpus uses this code",
        ) from None


def check_runs(events: Sequence[Event], epoch_s: float, where: str) -> Sequence[Event]:
    """Return runs in time order after checking that each is a whole number of epochs.

    Only the last run may end within an epoch, where the recording was stopped. Any other means that
    the scoring is on another epoch grid, and cutting it would assign stages to the wrong times.

    Raises
    ------
    RecordingError
        If another run is not a whole number of epochs.
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
    """Parse a finite number; RecordingError with file and text if it is not one."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf"):
        raise RecordingError(
            "unreadable scoring", f"{where} has {text[:40]!r}, not a number; get the file again"
        )
    return value


def _refuse_folder(error: OSError) -> NoReturn:
    raise BuildError(
        f"can't list {error.filename} ({error.strerror}); fix its permissions"
    ) from error


def _litter(name: str) -> bool:
    return name.startswith(".") or name in ARCHIVE_LITTER
