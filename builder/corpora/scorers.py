"""Scorers: whose stages are the labels of a recording, by one rule for all corpora.

All labels of a corpus are by one scorer: the reference of the corpus, or that of ``--scorer``. A
recording without a scoring by this scorer is set aside; nobody else's scoring takes its place. The
same holds for ``label_2``: it is by one second scorer, or missing.
"""

from __future__ import annotations

import filecmp

from psgimg.builder.errors import RecordingError, unreadable
from psgimg.builder.recordings.hypnogram import Hypnogram
from psgimg.builder.recordings.recording import Corpus, Recording
from psgimg.builder.recordings.signal_file import SignalFile

NO_SECOND = "no scoring by the second scorer"
LOST_END = "the signal goes on after the scoring, whose format (legacy NSRR) lost the last run of the night"


def reference(corpus: Corpus, recording: Recording, chosen: str) -> str:
    """Return the scorer whose stages are the labels of a recording.

    Parameters
    ----------
    chosen
        Scorer given by ``--scorer``; empty for the reference scorer of the corpus.

    Raises
    ------
    RecordingError
        If the recording has no scoring by this scorer, or several scorings that differ.
    """
    own = recording.own
    if not own.scorings:
        raise RecordingError("no scoring", f"{own.recording} has a signal but no scoring file")
    _refuse_rivals(own)
    if not corpus.scorers:
        return chosen or _only(corpus, own)
    wanted = chosen or corpus.scorers[0]
    if wanted not in own.scorings:
        present = ", ".join(map(repr, own.scorings))
        role = "chosen by --scorer" if chosen else f"the reference of {corpus.name}"
        raise RecordingError(
            "scorer missing",
            f"{own.recording} has no scoring by scorer {wanted!r}, {role}, only by {present}; get "
            f"the missing file, or build every recording with --scorer {next(iter(own.scorings))}",
        )
    return wanted


def second(corpus: Corpus, recording: Recording, first: str) -> tuple[str | None, tuple[str, ...]]:
    """Return the scorer of ``label_2``, given that of the labels, or None with any note why.

    It is the first other scorer of the corpus, never the next one whose file happens to be there.
    """
    scorings = recording.scorings
    others = [name for name in corpus.scorers or scorings if name != first]
    if not others or first not in scorings:  # one scoring, stored in two forms
        return None, ()
    return (others[0], ()) if others[0] in scorings else (None, (NO_SECOND,))


def lost_end(hypnogram: Hypnogram, edf: SignalFile) -> tuple[str, ...]:
    """Return a note if a format that loses the last run left epochs of the signal without a stage."""
    if not hypnogram.lost_end:
        return ()
    stop_s = hypnogram.onsets_s[-1] + hypnogram.epoch_s
    return (LOST_END,) if edf.duration_s - stop_s >= hypnogram.epoch_s else ()


def _only(corpus: Corpus, recording: Recording) -> str:
    """Return the scorer of a corpus that names none, which must not have several."""
    if list(recording.scorings) == [""]:
        return ""
    names = ", ".join(map(repr, recording.scorings))
    raise RecordingError(
        "reference scorer not stated",
        f"{recording.recording} has scorings by {names}, and {corpus.name} does not state which of "
        "its scorers is the reference; its author must list them as Corpus.scorers, or choose one "
        f"with --scorer {next(iter(recording.scorings))}",
    )


def _refuse_rivals(recording: Recording) -> None:
    """Refuse files that could all be the same scoring of a recording, unless they are copies."""
    for first, *others in recording.rivals:
        for other in others:
            try:
                same = filecmp.cmp(first, other, shallow=False)
            except OSError as error:
                raise unreadable(other.name, error) from error
            if not same:
                raise RecordingError(
                    "several scorings",
                    f"{recording.recording}: {first.parent.name}/{first.name} and "
                    f"{other.parent.name}/{other.name} differ, and either could be its scoring; "
                    "remove one of the two",
                )
