"""Lane signals: the samples behind the pages of a dataset, for models that take signals.

A dataset contains no signals. It records which recordings it was built from and how, so a user who
has these recordings gets the same epochs of the same lanes, read as for the pages, including any
corruption.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from types import MappingProxyType
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
from psgimg.builder import night
from psgimg.builder.access.stock import Stock
from psgimg.builder.corpora import registry, sources
from psgimg.builder.corpora.sources import Source
from psgimg.builder.dataset.build_json import BuildFacts
from psgimg.builder.dataset.page_spec import PageSpec
from psgimg.builder.dataset.public_names import PublicNames
from psgimg.builder.dataset.shards import Key
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.files.hash_cache import HashCache
from psgimg.builder.recordings import fingerprint
from psgimg.builder.recordings.by_kind import ByKind
from psgimg.builder.recordings.montage import Kind
from psgimg.builder.recordings.recording import Corpus, Recording
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.signals import epoching
from psgimg.builder.signals.epoching import Epoch, Paged
from psgimg.builder.signals.filter_settings import Band, Filters
from psgimg.builder.signals.filtering import Signals, read_signals

PageT_co = TypeVar("PageT_co", bound=Paged, covariant=True)

_OPEN = Band(0, inf)
UNFILTERED = Filters(ByKind(dict.fromkeys(Kind, _OPEN)), notch=False)
"""No filter at all: signals as recorded, for a method that filters them itself."""


@dataclass(frozen=True)
class Origin:
    """A recording of a dataset, located on disk, with the specification of its pages.

    Parameters
    ----------
    signal
        Hash of its signal as in ``build.json``; empty if it is of no dataset.
    """

    corpus: Corpus
    recording: Recording
    spec: PageSpec
    signal: str = ""

    def require_same(self, signal: str) -> None:
        """Check that the signal found is that of the dataset.

        Raises
        ------
        BuildError
            If it is another.
        """
        if signal != self.signal:
            raise BuildError(
                f"{self.recording.signal.name} differs from the file that the dataset was built from; is "
                f"this another release of {self.corpus.name}, or a damaged copy? Get the file again"
            )


@dataclass(frozen=True, eq=False)
class Lanes(Generic[PageT_co]):
    """The lanes of one recording, and those of its epochs that are pages.

    Parameters
    ----------
    kinds
        ``eeg``, ``eog``, ``emg`` or ``ecg`` for each lane.
    signals
        Gapless segments from the first page to the last, with a margin of some seconds.
    epochs
        In time order.
    """

    kinds: tuple[str, ...]
    signals: Signals
    epochs: tuple[PageT_co, ...]

    @property
    def live(self) -> tuple[bool, ...]:
        """Whether each lane has a signal: it was recorded and is not flat."""
        return tuple(
            name is not None and not flat
            for name, flat in zip(self.signals.lanes, self.signals.flat, strict=True)
        )

    def pages_uv(self) -> npt.NDArray[np.float32]:
        """Return the samples of every page in µV, (n_epochs, n_lanes, n_samples); NaN if absent."""
        return np.stack(list(epoching.cut(self.signals, self.epochs)))


Here = Mapping[Key, tuple[Corpus, Recording]]
"""Recordings on disk, each with the corpus that defines how it is read."""


def on_disk(names: Collection[str], roots: Sequence[str], files: Sequence[str] = ()) -> Here:
    """Return every recording of the given corpora that is on disk.

    Parameters
    ----------
    names
        Names of the corpora.
    roots
        Folders, as for ``--root``.
    files
        YAML files that describe the corpora that no installed package provides.

    Raises
    ------
    BuildError
        If a corpus is unknown or its folder is not found.
    """
    return listed(sources.locate(corpora(names, files), roots))


def corpora(names: Collection[str], files: Sequence[str]) -> list[Corpus]:
    """Return corpora by name, those that files describe included; see ``on_disk``."""
    described = {corpus.name: corpus for corpus in registry.corpora(files)}
    return [described.get(name) or registry.corpus(name) for name in sorted(names)]


def listed(found: Iterable[Source]) -> Here:
    """Return every recording of some sources, on disk or to be fetched."""
    located: dict[Key, tuple[Corpus, Recording]] = {}
    for source in found:
        for recording in sources.recordings(source):
            located.setdefault((recording.corpus, recording.recording), (source.corpus, recording))
    return located


def find(
    build: BuildFacts,
    here: Here,
    wanted: Collection[Key],
    stocks: Mapping[str, Stock] = MappingProxyType({}),
) -> dict[Key, Origin]:
    """Match recordings of a dataset to those on disk, by name and by the hash of the signal.

    Parameters
    ----------
    build
        ``build.json`` of the dataset.
    here
        Result of ``on_disk``.
    wanted
        (corpus, recording) of the recordings to match.
    stocks
        Corpus → its files on a server. What is to be fetched is compared once it has come.

    Raises
    ------
    BuildError
        If a recording is missing or its signal differs from the dataset's; a comparison needs every
        epoch.
    """
    here = _under_public_names(build, here)
    if missing := sorted(set(wanted) - set(here)):
        name, first = missing[0]
        raise BuildError(
            f"{len(missing)} of {len(wanted)} recordings of the dataset are not in the folder of "
            f"their corpus, such as {first} of {name}; use the --root that the dataset was built from"
        )
    signals = {(fact["corpus"], fact["recording"]): fact["signal"] for fact in build["recordings"]}
    cache, spec = HashCache.load(), PageSpec.from_build(build)
    origins = {}
    for key in sorted(wanted):
        if fingerprint.is_sampled(signals[key]):
            raise BuildError(
                "the dataset was built by an earlier psgimg, whose hashes can't show that a recording "
                "is the same; build it again with the command on its card"
            )
        origin = origins[key] = Origin(*here[key], spec, signals[key])
        stock = stocks.get(key[0])
        if stock is None or not stock.is_remote(origin.recording.own):
            origin.require_same(_signal(origin.recording, cache))
    return origins


def _under_public_names(build: BuildFacts, here: Here) -> Here:
    """Return recordings on disk by the names under which they are in a dataset."""
    corpora = {corpus.name: corpus for corpus, _ in here.values()}
    names = PublicNames()
    return {
        (name, one.recording): (corpus, one)
        for name, corpus in corpora.items()
        for one in names.publish(
            corpus, [one for own, one in here.values() if own.name == name], build["recordings"]
        )
    }


def read(origin: Origin, *, sfreq_hz: float, filtered: bool) -> Lanes[Epoch]:
    """Read the lanes of a recording.

    Parameters
    ----------
    sfreq_hz
        Sampling rate of the result.
    filtered
        Whether to apply the recipe's filters, as for the pages; otherwise signals are as recorded.

    Raises
    ------
    BuildError
        If the recording can no longer be used as it was when the dataset was built.
    """
    recording, recipe, source = origin.recording, origin.spec.recipe, origin.corpus
    try:
        plan = night.plan(source, recording, origin.spec)
        signals = read_signals(
            plan.file,
            recipe.montage,
            night.upright(plan, origin.spec).derivations,
            filters=recipe.filters if filtered else UNFILTERED,
            mains_hz=plan.mains_hz,
            sfreq_hz=sfreq_hz,
            span_s=plan.selection.span_s,
            corrupt=night.corruptor(plan, origin.spec),
        )
    except RecordingError as error:
        raise BuildError(f"{recording.recording}: {error}") from error
    return Lanes(lane_kinds(recipe), signals, plan.selection.epochs)


def lane_kinds(recipe: Recipe) -> tuple[str, ...]:
    """Return the kind of each lane of a recipe's montage, as in ``Lanes``."""
    return tuple(lane.kind.value for lane in recipe.montage.lanes)


def _signal(recording: Recording, cache: HashCache) -> str:
    """Return the hash of a recording's signal, as in ``build.json``."""
    try:
        return (fingerprint.recall(recording, cache) or fingerprint.identify(recording)).signal
    except RecordingError as error:
        raise BuildError(f"{recording.recording}: {error}") from error
