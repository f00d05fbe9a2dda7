"""Scorers: whose stages are the labels of a recording, by one rule for all corpora, and read so.

All labels of a corpus are by one scorer: the reference of the corpus, or that of ``--scorer``. A
recording without a scoring by this scorer is set aside; nobody else's scoring takes its place. The
same holds for ``label_2``: it is by one second scorer, or missing.
"""

from __future__ import annotations

import filecmp
from collections.abc import Mapping

from psgimg.builder.corpora import votes
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
    if chosen and not corpus.scorers:  # its reader knows whether there is such a scorer
        return chosen
    named = corpus.scorers or own.scorers
    if not named:
        return _only(corpus, own)
    wanted = chosen or named[0]
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

    It is the first other person of the corpus, never the next one whose file happens to be there.
    """
    scorings = recording.scorings
    named = corpus.scorers or recording.scorers or scorings
    people = [name for name in named if name != corpus.consensus]
    others = [name for name in people if name != first]
    if not others or first not in scorings:  # one scoring, stored in two forms
        return None, ()
    return (others[0], ()) if others[0] in scorings else (None, (NO_SECOND,))


def read(corpus: Corpus, recording: Recording, scorer: str) -> Hypnogram:
    """Return the scoring of a recording by one scorer.

    Raises
    ------
    RecordingError
        If it can't be read.
    """
    try:
        return corpus.read_hypnogram(recording.own, scorer)
    except OSError as error:
        raise RecordingError(
            "unreadable file",
            f"{recording.own.recording}: a scoring file can't be read ({error.strerror}); check its permissions",
        ) from error


def read_second(
    corpus: Corpus, recording: Recording, hypnogram: Hypnogram, first: str
) -> tuple[Hypnogram | None, tuple[str, ...]]:
    """Return the scoring of the second scorer with notes on it; None and why if it can't be used.

    Parameters
    ----------
    hypnogram, first
        The scoring that gives the labels, and its scorer.
    """
    name, notes = second(corpus, recording, first)
    if name is None:
        return None, notes
    other, notes = _other(corpus, recording, hypnogram, name)
    if other is None:
        return None, tuple(f"second scorer not usable: {note}" for note in notes)
    return other, tuple(f"second {note}" for note in notes)


def read_votes(
    corpus: Corpus, recording: Recording, hypnogram: Hypnogram, first: str
) -> tuple[Mapping[int, list[int]], tuple[str, ...]]:
    """Return the votes of all people who scored a recording, with a note on each who has none.

    Parameters
    ----------
    hypnogram, first
        The scoring that gives the labels, and its scorer.

    Returns
    -------
    Mapping[int, list[int]], tuple[str, ...]
        Votes for each stage by onset in milliseconds, empty for fewer than three people; notes.
    """
    people = votes.people(corpus, recording)
    if len(people) < votes.FEWEST:
        return {}, ()
    scorings, lost = [], []
    for name in people:
        if name == first:
            scorings.append(hypnogram)
            continue
        one, notes = _other(corpus, recording, hypnogram, name)
        if one is None:
            lost += [f"votes without those of scorer {name}: {note}" for note in notes]
        else:
            scorings.append(one)
    return votes.count(scorings), tuple(lost)


def lost_end(hypnogram: Hypnogram, edf: SignalFile) -> tuple[str, ...]:
    """Return a note if a format that loses the last run left epochs of the signal without a stage."""
    if not hypnogram.lost_end:
        return ()
    stop_s = hypnogram.onsets_s[-1] + hypnogram.epoch_s
    return (LOST_END,) if edf.duration_s - stop_s >= hypnogram.epoch_s else ()


def _other(
    corpus: Corpus, recording: Recording, hypnogram: Hypnogram, scorer: str
) -> tuple[Hypnogram | None, tuple[str, ...]]:
    """Return the scoring of another scorer and notes on it; None and why if it can't be used."""
    try:
        other = read(corpus, recording, scorer)
    except RecordingError as error:  # the labels do not depend on it
        return None, (error.reason,)
    if other.epoch_s != hypnogram.epoch_s:
        return None, ("other epoch length",)
    return other, other.notes


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
