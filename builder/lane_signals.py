"""Lane signals: the samples behind the pages of a dataset, for models that take no pictures.

A dataset holds no signals. It records which recordings it was made of and how, so whoever has them
gets the same epochs of the same lanes, read as the pages were, corruptions included.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
import numpy.typing as npt
from psgimg.builder import night
from psgimg.builder.corpora import registry, sources
from psgimg.builder.dataset.build_json import BuildFacts
from psgimg.builder.dataset.page_spec import PageSpec
from psgimg.builder.dataset.shards import Key
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.recordings import fingerprint
from psgimg.builder.recordings.by_kind import ByKind
from psgimg.builder.recordings.montage import Kind
from psgimg.builder.recordings.recording import Corpus, Recording
from psgimg.builder.signals import epoching
from psgimg.builder.signals.epoching import Epoch
from psgimg.builder.signals.filter_settings import Band, Filters
from psgimg.builder.signals.filtering import Signals, read_signals

_OPEN = Band(0, inf)
UNFILTERED = Filters(ByKind(dict.fromkeys(Kind, _OPEN)), notch=False)
"""A band without ends: signals as they were recorded, for a method that filters them itself."""


@dataclass(frozen=True)
class Origin:
    """A recording of a dataset, located on disk, and how its pages were made."""

    corpus: Corpus
    recording: Recording
    spec: PageSpec


@dataclass(frozen=True, eq=False)
class Lanes:
    """The lanes of one recording and the epochs of it that are pages.

    Parameters
    ----------
    kinds
        ``eeg``, ``eog``, ``emg`` or ``ecg``, one a lane.
    signals
        Gapless stretches from the first page to the last and some seconds around.
    epochs
        In order of time.
    """

    kinds: tuple[str, ...]
    signals: Signals
    epochs: tuple[Epoch, ...]

    @property
    def live(self) -> tuple[bool, ...]:
        """Whether a lane holds a signal: it was recorded, and its electrode was connected."""
        return tuple(
            name is not None and not flat
            for name, flat in zip(self.signals.lanes, self.signals.flat, strict=True)
        )

    def pages_uv(self) -> npt.NDArray[np.float32]:
        """Samples under every page in µV, (n_epochs, n_lanes, n_samples); NaN in an absent lane."""
        return np.stack(list(epoching.cut(self.signals, self.epochs)))


Here = Mapping[Key, tuple[Corpus, Recording]]
"""Recordings on this machine, each with the corpus that says how it is read."""


def on_disk(names: Collection[str], roots: Sequence[str], files: Sequence[str] = ()) -> Here:
    """Every recording of some corpora that is here.

    Parameters
    ----------
    names
        The corpora.
    roots
        As ``--root`` takes them.
    files
        YAML files that describe those of the corpora which no package brings.

    Raises
    ------
    BuildError
        If a corpus is unknown, or nowhere.
    """
    described = {corpus.name: corpus for corpus in registry.corpora(files)}
    corpora = [described.get(name) or registry.corpus(name) for name in sorted(names)]
    found: dict[Key, tuple[Corpus, Recording]] = {}
    for source in sources.locate(corpora, roots):
        for recording in sources.recordings(source, (), 0):
            found.setdefault((recording.corpus, recording.recording), (source.corpus, recording))
    return found


def find(build: BuildFacts, here: Here, wanted: Collection[Key]) -> dict[Key, Origin]:
    """Find recordings of a dataset again, each by its name and the hash of its signal.

    Parameters
    ----------
    build
        ``build.json`` of the dataset.
    here
        What ``on_disk`` found.
    wanted
        Corpus and recording of those to find.

    Raises
    ------
    BuildError
        If a recording is not here, or its signal is another than the dataset's: a comparison needs
        every epoch.
    """
    if missing := sorted(set(wanted) - set(here)):
        name, first = missing[0]
        raise BuildError(
            f"{len(missing)} of {len(wanted)} recordings of the dataset are not in the folder of "
            f"their corpus, such as {first} of {name}; give the --root that the dataset was built from"
        )
    signals = {(fact["corpus"], fact["recording"]): fact["signal"] for fact in build["recordings"]}
    for key in sorted(wanted):
        if _signal(here[key][1]) != signals[key]:
            raise BuildError(
                f"{here[key][1].signal.name} is not the file that the dataset was made from: other bytes; "
                f"is this another release of {key[0]}, or a damaged copy? Get the file again"
            )
    spec = PageSpec.from_build(build)
    return {key: Origin(*here[key], spec) for key in sorted(wanted)}


def read(origin: Origin, *, sfreq_hz: float, filtered: bool) -> Lanes:
    """Read the lanes of a recording.

    Parameters
    ----------
    filtered
        By the recipe's filters, as under the pages; else as recorded.

    Raises
    ------
    BuildError
        If the recording can't be used as it was when the dataset was built.
    """
    recording, recipe, source = origin.recording, origin.spec.recipe, origin.corpus
    try:
        plan = night.plan(source, recording, origin.spec)
        signals = read_signals(
            plan.edf,
            recipe.montage,
            plan.derivations,
            filters=recipe.filters if filtered else UNFILTERED,
            mains_hz=source.mains_hz,
            sfreq_hz=sfreq_hz,
            span_s=plan.selection.span_s,
            corrupt=night.corruptor(source, plan, origin.spec),
        )
    except RecordingError as error:
        raise BuildError(f"{recording.recording}: {error}") from error
    kinds = tuple(lane.kind.value for lane in recipe.montage.lanes)
    return Lanes(kinds, signals, plan.selection.epochs)


def _signal(recording: Recording) -> str:
    """Hash of a recording's signal, as ``build.json`` has it."""
    try:
        return fingerprint.fingerprints(recording)[0]
    except RecordingError as error:
        raise BuildError(f"{recording.recording}: {error}") from error
