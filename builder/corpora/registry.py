"""The corpora that ``--source`` names: psgimg's own, those of installed packages, and YAML files."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from psgimg.builder import yaml_file
from psgimg.builder.corpora import dcsm, demo, hmc, isruc, mass, nsrr, sleep_edf
from psgimg.builder.corpora.custom import plugins, yaml_corpus
from psgimg.builder.corpora.custom.plugins import Installed
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.recording import Corpus, Policy

CORPORA: dict[str, Corpus] = {
    corpus.name: corpus
    for corpus in (
        demo.CORPUS,
        sleep_edf.CORPUS,
        *nsrr.CORPORA,
        isruc.CORPUS,
        mass.CORPUS,
        hmc.CORPUS,
        dcsm.CORPUS,
    )
}
"""Psgimg's own."""


def installed() -> Installed:
    """The corpora of installed packages, loaded now."""
    return plugins.installed(CORPORA)


def is_file(source: str) -> bool:
    """Whether ``--source`` names a YAML file, not a corpus."""
    return Path(source).suffix in yaml_file.SUFFIXES


def corpus(source: str) -> Corpus:
    """The corpus of a name, or the one that a YAML file describes.

    Raises
    ------
    BuildError
        If there is none, with the names there are and what may have been meant; if the file is
        wrong, or its corpus has the name of another.
    """
    if source in CORPORA:
        return CORPORA[source]
    others = installed()
    if is_file(source):
        described = yaml_corpus.load(Path(source))
        if described.name in (*CORPORA, *others.corpora):
            raise BuildError(
                f"corpus file {source}: {described.name} is the name of another corpus; choose another "
                "name"
            )
        return described
    if source in others.corpora:
        return others.corpora[source]
    names = [*CORPORA, *others.corpora]
    near = get_close_matches(source.lower().replace("_", "-"), names, n=1, cutoff=0.5)
    guess = f"did you mean {near[0]}? " if near else ""
    faults = "".join(f"; {fault}" for fault in others.faults)
    raise BuildError(
        f"no corpus {source!r}; there are {', '.join(names)}; {guess}one of your own is given by its "
        f"YAML file, --source my-lab.yaml{faults}"
    )


def corpora(sources: Iterable[str]) -> tuple[Corpus, ...]:
    """The corpora of several sources, each once.

    Raises
    ------
    BuildError
        As ``corpus`` does, and if two files describe corpora of one name.
    """
    found: dict[str, Corpus] = {}
    for source in dict.fromkeys(sources):
        one = corpus(source)
        if one.name in found:
            raise BuildError(
                f"--source {source}: another source is named {one.name} too; choose another name"
            )
        found[one.name] = one
    return tuple(found.values())


def is_open(name: str, stated: object) -> bool:
    """Whether pictures of a corpus may be passed on: psgimg itself must know its terms as open.

    Parameters
    ----------
    stated
        The policy that was recorded for the corpus. It can close, not open.
    """
    own = CORPORA.get(name)
    return (
        own is not None
        and own.terms.policy is Policy.OPEN
        and stated in (Policy.OPEN, Policy.OPEN.value)
    )
