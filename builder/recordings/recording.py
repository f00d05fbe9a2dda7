"""Recording and Corpus: a recording's files, and the corpus it belongs to; no samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from psgimg.builder.citing.reference import Reference
from psgimg.builder.progress import Progress
from psgimg.builder.recordings.hypnogram import Hypnogram
from psgimg.builder.recordings.listing import Place

MAINS_HZ = (50.0, 60.0)
"""The mains frequencies of the world."""


class Policy(Enum):
    """Whether pictures made from a corpus may be shared; unknown terms count as restricted."""

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
        The signal file.
    scorings
        Scorer (as passed to ``--scorer``; ``""`` if there is only one) to scoring file, the
        reference scorer first. Empty if the corpus has no scoring of this recording.
    side_files
        Further files that the reader may use; the recording is redrawn when one changes.
    kin
        Family, where relatives took part: it must stay in one split. Empty for the subject alone.
    rivals
        Groups of files that could each be the same scoring. A build sets the recording aside unless
        the files of each group are copies.
    scorers
        Names of the scorers of its dataset, the reference first, if they differ between datasets and
        ``Corpus.scorers`` can't name them.
    original
        The recording under the names that its reader gave it, if it is published under others.
    """

    corpus: str
    subject: str
    recording: str
    signal: Path
    scorings: Mapping[str, Path]
    kin: str = ""
    side_files: tuple[Path, ...] = ()
    rivals: tuple[tuple[Path, ...], ...] = ()
    scorers: tuple[str, ...] = ()
    original: Recording | None = None

    @property
    def own(self) -> Recording:
        """The recording under the names that its reader gave it."""
        return self.original or self

    @property
    def key(self) -> tuple[str, str]:
        """Corpus and recording."""
        return self.corpus, self.recording

    @property
    def split_key(self) -> str:
        """Name that determines the split: the family if there is one, otherwise the subject."""
        return self.kin or self.subject


@dataclass(frozen=True)
class Terms:
    """Terms of use of a corpus, as shown on the card and by ``psgimg sources``.

    Parameters
    ----------
    policy
        Whether pictures may be shared.
    licence, licence_url
        Name of the licence, and the address of the page that states it.
    access
        How the recordings are got.
    citation
        What to cite, in words; made of ``references`` if they are given.
    references
        What to cite, as data.
    version
        Version of the recordings as its distributor numbers them; empty if it does not, or the
        reader takes any.
    """

    policy: Policy
    licence: str
    licence_url: str
    access: str
    citation: str = ""
    references: tuple[Reference, ...] = ()
    version: str = ""

    def __post_init__(self) -> None:
        if self.references:
            words = " ".join(reference.text for reference in self.references)
            object.__setattr__(self, "citation", words)


@dataclass(frozen=True)
class Inputs:
    """What the channels of one recording are.

    Parameters
    ----------
    channels, mains_hz
        As in ``Corpus``.
    notes
        Assumptions, one sentence each.
    """

    channels: Mapping[str, str]
    mains_hz: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Corpus:
    """A corpus: its naming, its terms, and the two functions that read it.

    Parameters
    ----------
    name
        Name on the command line and of the dataset's config (``sleep-edf``).
    title
        Full name, for display.
    terms
        Policy, licence, access and citation.
    mains_hz
        Mains frequency at the place of recording in Hz: 50 or 60.
    montage
        Name of the default montage when the corpus is built alone.
    channels
        Channel label in the files → derivation ``plus-minus`` in standard names (``C4-M1``); a
        single name (``Chin``) is an input that is already bipolar. Case, spaces and dots are
        ignored. A value ``X-REF`` is an input against a common, unnamed reference.
    home
        Folder that the distributor's downloader creates in the working directory.
    recordings
        Function that yields the recordings under a root folder, or in a list of files that can be
        fetched into it, in name order. Raises BuildError if there is none of this corpus.
    read_hypnogram
        Function that reads the scoring of a recording by one of its scorers.
    inputs
        Function that returns the channels and the mains frequency of a recording, given the labels in
        its file, where they differ between recordings and are stated beside each; None if
        ``channels`` and ``mains_hz`` hold for all.
    generate
        Function that writes its recordings into a folder, unless they are there and complete; None if
        they were recorded from people.
    notes
        Known limitations, one sentence each, for the card.
    absent
        Recording → published reason, for recordings that the distributor declares faulty.
    names
        Regular expression of the names of its subjects and recordings; names that differ are published
        as numbers (``public_names``). Empty if they are letters and a number.
    inverted
        Whether EEG and EOG are stored upside down: in every recording, or in the named ones.
    scorers
        Names of its scorers, the reference first and that of ``label_2`` next; empty if each recording
        has one scoring, by a scorer without a name.
    consensus
        The scorer whose stages are made from those of the others: nobody, so that it has no vote and
        is no second scorer. Empty if all scorers are people.
    package
        Python package that reads its files, of the extra ``corpora``; empty if psgimg's own
        dependencies do.
    definition
        How a custom corpus is read, as JSON: ``build.json`` records it, and recordings are added
        to a dataset only under the same definition. Empty for the corpora of psgimg.
    """

    name: str
    title: str
    terms: Terms
    mains_hz: float
    montage: str
    channels: Mapping[str, str]
    home: str
    recordings: Callable[[Place], Iterator[Recording]]
    read_hypnogram: Callable[[Recording, str], Hypnogram]
    inputs: Callable[[Recording, Sequence[str]], Inputs] | None = None
    generate: Callable[[Path, Progress], None] | None = None
    notes: tuple[str, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict)
    names: str = ""
    inverted: bool | frozenset[str] = False
    scorers: tuple[str, ...] = ()
    consensus: str = ""
    package: str = ""
    definition: Mapping[str, Any] = field(default_factory=dict)

    def stores_inverted(self, recording: Recording) -> bool:
        """Return whether EEG and EOG of a recording are known to be stored upside down."""
        if isinstance(self.inverted, bool):
            return self.inverted
        return recording.own.recording in self.inverted

    def inputs_of(self, recording: Recording, labels: Sequence[str]) -> Inputs:
        """Return what the channels of a recording are, given the labels in its file.

        Raises
        ------
        RecordingError
            If a file that states it can't be read.
        """
        if self.inputs is None:
            return Inputs(self.channels, self.mains_hz)
        return self.inputs(recording.own, labels)
