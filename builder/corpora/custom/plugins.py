"""Plug-ins: corpora that installed Python packages bring, by the entry points ``psgimg.corpora``.

An entry point names a ``Corpus`` or several. What a package says of its terms opens nothing: its
corpora are restricted.
"""

from __future__ import annotations

import pickle
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points

from psgimg.builder.corpora.reading import check_name
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.recording import Corpus, Policy

GROUP = "psgimg.corpora"
PACKAGE = "package"
"""Key of a corpus's definition: the package that brings it."""


@dataclass(frozen=True)
class Installed:
    """The corpora of installed packages.

    Parameters
    ----------
    faults
        A line for each corpus or package that can't be used, with its name and the remedy.
    """

    corpora: dict[str, Corpus]
    faults: tuple[str, ...]


def installed(taken: Collection[str]) -> Installed:
    """Load the corpora of every installed package; one at fault costs the others nothing.

    Parameters
    ----------
    taken
        Names that no package may use: those of psgimg's own corpora.
    """
    corpora: dict[str, Corpus] = {}
    faults: list[str] = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: (_package(point), point.name)):
        try:
            for corpus in _load(point):
                if corpus.name in (*taken, *corpora):
                    raise BuildError(
                        f"{corpus.name} is the name of another corpus; its author must choose another"
                    )
                corpora[corpus.name] = corpus
        except Exception as error:  # of anybody's code: one package must not stop the others
            kind = "" if isinstance(error, BuildError) else f"{type(error).__name__}: "
            faults.append(
                f"package {_package(point)}: its corpora can't be used: {kind}"
                f"{' '.join(str(error).split())[:200]}"
            )
    return Installed(corpora, tuple(faults))


def _load(point: EntryPoint) -> Iterator[Corpus]:
    loaded = point.load()
    for corpus in [loaded] if isinstance(loaded, Corpus) else loaded:
        if not isinstance(corpus, Corpus):
            raise BuildError(f"{point.value} is no Corpus, and no tuple of them")
        check_name(corpus.name, point.value)
        try:
            pickle.dumps(corpus)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise BuildError(
                f"{corpus.name} can't be sent to worker processes ({error}); its reading functions must "
                "be functions of a module, and its tables plain dictionaries"
            ) from error
        yield replace(
            corpus,
            terms=replace(corpus.terms, policy=Policy.RESTRICTED),
            definition={PACKAGE: _package(point)},
        )


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.value
