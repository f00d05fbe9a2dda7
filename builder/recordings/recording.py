"""Recording and Corpus: what a night is and where it comes from. No samples inside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from psgimg.builder.recordings.hypnogram import Hypnogram


class Policy(Enum):
    """What may be done with pictures made from a corpus; unknown terms count as restricted."""

    OPEN = "open"
    RESTRICTED = "restricted"


@dataclass(frozen=True)
class Recording:
    """One night of one subject: a signal file and its scorings.

    Parameters
    ----------
    corpus, subject, recording
        Names; ``subject`` and ``recording`` are unique within the corpus, safe in file names, and
        never a personal name or a date.
    signal
        The EDF file.
    scorings
        Scorer (as ``--scorer`` takes it; ``""`` where there is one only) to scoring file, the
        reference scorer first. Empty if the corpus ships no scoring for this night.
    side_files
        Further files that the reader may look at; a change in one has the recording drawn anew.
    kin
        Who must stay in one split: the subject, or the family where relatives took part.
    """

    corpus: str
    subject: str
    recording: str
    signal: Path
    scorings: Mapping[str, Path]
    kin: str = ""
    side_files: tuple[Path, ...] = ()

    @property
    def split_key(self) -> str:
        """Name that decides the split: the family where there is one, else the subject."""
        return self.kin or self.subject


@dataclass(frozen=True)
class Terms:
    """On what terms a corpus may be used, as its card and ``psgimg sources`` say."""

    policy: Policy
    licence: str
    licence_url: str
    access: str
    citation: str


@dataclass(frozen=True)
class Corpus:
    """A corpus as data: its names for things, its terms, and its two reading functions.

    Parameters
    ----------
    name
        The name on the command line and of the dataset's config (``sleep-edf``).
    title
        The full name, for people.
    terms
        Policy, licence, how to get access, whom to cite.
    mains_hz
        Mains frequency where the nights were recorded: 50 or 60.
    montage
        Name of the montage that suits it when it is built alone.
    channels
        The file's channel labels → derivation ``plus-minus`` in the standard names (``C4-M1``);
        a lone name (``Chin``) is an already bipolar input. Looked up without regard to case,
        spaces and dots. A value ``X-REF`` is an input against a common, unnamed reference.
    home
        Folder that the distributor's downloader leaves in the working directory.
    recordings
        Yields the nights under a root folder, in name order. Raises BuildError if the folder
        holds none of this corpus.
    read_hypnogram
        Reads the scoring of one of a recording's scorers.
    notes
        Known limits, a sentence each, for the card.
    absent
        Recording → published reason, for nights that the distributor says are wrong.
    definition
        What decides how a corpus that psgimg does not bring is read, as JSON: ``build.json``
        records it, and a dataset grows only by the same. Empty for psgimg's own.
    """

    name: str
    title: str
    terms: Terms
    mains_hz: float
    montage: str
    channels: Mapping[str, str]
    home: str
    recordings: Callable[[Path], Iterator[Recording]]
    read_hypnogram: Callable[[Recording, str], Hypnogram]
    notes: tuple[str, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict)
    definition: Mapping[str, Any] = field(default_factory=dict)
