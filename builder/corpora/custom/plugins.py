"""Plug-ins: load corpora from installed Python packages by their entry points ``psgimg.corpora``.

An entry point refers to one or several ``Corpus`` objects. Their corpora are always restricted,
whatever terms the package states.
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
"""Key in the definition of a corpus: the package that provides it."""


@dataclass(frozen=True)
class Installed:
    """The corpora of installed packages.

    Parameters
    ----------
    faults
        One line for each corpus or package that can't be used, with its name and the remedy.
    """

    corpora: dict[str, Corpus]
    faults: tuple[str, ...]


def installed(taken: Collection[str]) -> Installed:
    """Load the corpora of all installed packages; a faulty one does not affect the others.

    Parameters
    ----------
    taken
        Names that no package may use: those of the built-in corpora.
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
        except Exception as error:  # third-party code: one package must not stop the others
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
            raise BuildError(f"{point.value} is neither a Corpus nor a tuple of them")
        check_name(corpus.name, point.value)
        try:
            pickle.dumps(corpus)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise BuildError(
                f"{corpus.name} can't be sent to worker processes ({error}); its reading functions must "
                "be module-level functions, and its tables plain dictionaries"
            ) from error
        yield replace(
            corpus,
            terms=replace(corpus.terms, policy=Policy.RESTRICTED),
            definition={PACKAGE: _package(point)},
        )


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.value
