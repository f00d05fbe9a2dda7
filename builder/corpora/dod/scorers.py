"""Scorers of DOD: the stages of five people, as lists over the whole original recording.

The published signals are cut: they begin and end where all five have begun and not yet stopped to
score, and in three nights at the lights. The lists are not cut. Both rules are those of the
publisher's evaluation (dreem-learning-evaluation, ``evaluation.py``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from psgimg.builder.corpora.reading import read_text
from psgimg.builder.errors import RecordingError
from psgimg.builder.stages import Score, Stage, Unscored

CODES: dict[str, Score] = {
    "-1": Unscored.UNSCORED,
    "0": Stage.W,
    "1": Stage.N1,
    "2": Stage.N2,
    "3": Stage.N3,
    "4": Stage.REM,
}
NOT_SCORED = -1

# First epoch after lights off, and first one after lights on. Each night has been renamed; the
# publisher states these figures under the former name, the second one here.
LIGHTS: Mapping[str, tuple[int, int | None]] = {
    "5bf0f969-304c-581e-949c-50c108f62846": (60, None),
    "63b799f6-8a4f-4224-8797-ea971f78fb53": (60, None),
    "b5d5785d-87ee-5078-b9b9-aac6abd4d8de": (60, None),
    "de3af7b1-ab6f-43fd-96f0-6fc64e8d2ed4": (60, None),
    "3e842aa8-bcd9-521e-93a2-72124233fe2c": (0, 620),
    "a14f8058-f636-4be7-a67a-8f7f91a419e7": (0, 620),
}


def read_list(path: Path) -> list[int]:
    """Return the codes of one scorer, one for each epoch of the original recording.

    Raises
    ------
    RecordingError
        If the file can't be read, is not a list of codes, or has no stage.
    """
    try:
        codes = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise RecordingError(
            "unreadable scoring", f"{path.name} is not JSON ({error}); get the file again"
        ) from error
    if not isinstance(codes, list):
        raise RecordingError(
            "unreadable scoring", f"{path.name} is not a list of stages; get the file again"
        )
    for i, code in enumerate(codes):
        if type(code) is not int or str(code) not in CODES:
            raise RecordingError(
                "unknown stage code",
                f"{path.name}, epoch {i} has {str(code)[:40]!r}, not one of {', '.join(CODES)}; get "
                "the file again",
            )
    if all(code == NOT_SCORED for code in codes):
        raise RecordingError("empty scoring", f"{path.name} has no stage; get the file again")
    return codes


def window(lists: Sequence[Sequence[int]], recording: str) -> tuple[int, int]:
    """Return the first epoch of the published signal and the one after its last.

    Parameters
    ----------
    lists
        Codes of each scorer, each list with at least one stage.
    recording
        Name of the night.
    """
    off, on = LIGHTS.get(recording, (0, None))
    first = max(_n_unscored(codes) for codes in lists)
    stop = min(len(codes) - _n_unscored(codes[::-1]) for codes in lists)
    return max(first, off), stop if on is None else min(stop, on)


def cut(
    scorer: str, lists: Mapping[str, Sequence[int]], n_epochs: int, recording: str
) -> Sequence[int]:
    """Return the codes of one scorer for the epochs of the published signal.

    Parameters
    ----------
    lists
        Codes of all scorers whose files are there.
    n_epochs
        Number of epochs of the published signal.

    Raises
    ------
    RecordingError
        If the lists can't belong to this signal.
    """
    if len({len(codes) for codes in lists.values()}) == 1:
        if len(lists[scorer]) == n_epochs:
            return lists[scorer]
        first, stop = window(list(lists.values()), recording)
        if stop - first == n_epochs:
            return lists[scorer][first:stop]
    lengths = ", ".join(f"{name}: {len(codes)}" for name, codes in lists.items())
    raise RecordingError(
        "scoring does not fit",
        f"{recording} has {n_epochs} epochs of signal, which the lists of its scorers ({lengths} "
        "epochs) do not leave when they are cut to what all have scored; get the files of all five "
        "scorers of this night",
    )


def _n_unscored(codes: Sequence[int]) -> int:
    """Return the number of epochs before the first that has a stage."""
    return next(i for i, code in enumerate(codes) if code != NOT_SCORED)
