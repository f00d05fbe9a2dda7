"""Registry: find the corpus given as ``--source``, built in, from a plug-in or from a YAML file."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from difflib import get_close_matches
from pathlib import Path

from psgimg.builder.corpora import (
    cap,
    cinc2018,
    dcsm,
    demo,
    demo_varied,
    hmc,
    isruc,
    mass,
    sleep_edf,
)
from psgimg.builder.corpora.bids import bids_corpora
from psgimg.builder.corpora.custom import plugins, yaml_corpus
from psgimg.builder.corpora.custom.plugins import Installed
from psgimg.builder.corpora.dod import dreem
from psgimg.builder.corpora.hsp import hsp
from psgimg.builder.corpora.nsrr import nsrr_corpora
from psgimg.builder.errors import BuildError
from psgimg.builder.files import yaml_file
from psgimg.builder.recordings.recording import Corpus, Policy

CORPORA: dict[str, Corpus] = {
    corpus.name: corpus
    for corpus in (
        demo.CORPUS,
        demo_varied.CORPUS,
        sleep_edf.CORPUS,
        *nsrr_corpora.CORPORA,
        isruc.CORPUS,
        mass.CORPUS,
        hmc.CORPUS,
        dcsm.CORPUS,
        cinc2018.CORPUS,
        cap.CORPUS,
        hsp.CORPUS,
        *dreem.CORPORA,
        *bids_corpora.CORPORA,
    )
}
"""Built-in corpora by name."""


def installed() -> Installed:
    """Load the corpora of installed packages."""
    return plugins.installed(CORPORA)


def is_file(source: str) -> bool:
    """Whether ``--source`` is a YAML file rather than the name of a corpus."""
    return Path(source).suffix in yaml_file.SUFFIXES


def corpus(source: str) -> Corpus:
    """Return the corpus with a name, or the one described by a YAML file.

    Raises
    ------
    BuildError
        If there is no such corpus, with the available names and the closest one; if the file is
        invalid, or its corpus has the name of another.
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
        f"no corpus {source!r}; choose from {', '.join(names)}; {guess}for a custom corpus, give its "
        f"YAML file, --source my-lab.yaml{faults}"
    )


def corpora(sources: Iterable[str]) -> tuple[Corpus, ...]:
    """Return the corpora of several sources, each once.

    Raises
    ------
    BuildError
        As for ``corpus``, and if two files describe corpora with the same name.
    """
    by_name: dict[str, Corpus] = {}
    for source in dict.fromkeys(sources):
        one = corpus(source)
        if one.name in by_name:
            raise BuildError(
                f"--source {source}: another source is also named {one.name}; choose another name"
            )
        by_name[one.name] = one
    return tuple(by_name.values())


def synthetic(names: Iterable[str]) -> list[str]:
    """Return those of some corpora whose recordings psgimg generates, in the given order."""
    return [name for name in names if name in CORPORA and CORPORA[name].generate]


def is_synthetic(names: Collection[str]) -> bool:
    """Whether psgimg generates the recordings of all of some corpora."""
    return bool(names) and len(synthetic(names)) == len(names)


def restricted(recordings: Iterable[tuple[str, str]]) -> list[str]:
    """Return the corpora, among those of some recordings, whose pictures may not be shared.

    What is unknown or contradictory counts as restricted: a corpus that is not one of psgimg's own,
    and one with a recording whose name is not of its form.

    Parameters
    ----------
    recordings
        Corpus and public name of each, as in the rows of a dataset.
    """
    return sorted(
        {
            name
            for name, recording in recordings
            if not is_open(name, Policy.OPEN) or not _belongs(CORPORA[name], recording)
        }
    )


def _belongs(corpus: Corpus, recording: str) -> bool:
    """Whether a recording has a name of its corpus, or a number in place of one (``public_names``)."""
    return bool(re.fullmatch(rf"{corpus.names}|r\d{{4,}}", recording))


def is_open(name: str, stated: object) -> bool:
    """Whether pictures of a corpus may be shared: only if psgimg itself lists its terms as open.

    Parameters
    ----------
    stated
        The policy recorded for the corpus, which can restrict but not open it.
    """
    own = CORPORA.get(name)
    return (
        own is not None
        and own.terms.policy is Policy.OPEN
        and stated in (Policy.OPEN, Policy.OPEN.value)
    )
