"""BIDS form: what is known of a BIDS dataset beyond its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from psgimg.builder.stages import Score


@dataclass(frozen=True)
class BidsForm:
    """How one BIDS dataset is read; what is not stated here is found in its files.

    Parameters
    ----------
    corpus
        Name of the corpus.
    columns
        Columns with stages, the reference scorer's first.
    person
        Column of ``participants.tsv`` that names the person.
    task, acq
        Labels of the recordings to use; all if empty.
    stages
        Word in a column → score; the known vocabularies if empty.
    channels
        Label → derivation, as in ``Corpus.channels``; found by label and reference if empty.
    mains_hz
        Mains frequency, if the sidecar of a recording states none.
    sidecars
        Whether reference, mains frequency and legends are read from sidecars.
    short
        Whether a recording is named by its ``sub-`` alone, as there is one of each.
    """

    corpus: str
    columns: tuple[str, ...] = ()
    person: str = ""
    task: str = ""
    acq: str = ""
    stages: Mapping[str, Score] = field(default_factory=dict)
    channels: Mapping[str, str] = field(default_factory=dict)
    mains_hz: float | None = None
    sidecars: bool = True
    short: bool = False
