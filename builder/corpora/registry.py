"""The corpora that psgimg reads, by the names of ``--source``."""

from __future__ import annotations

from difflib import get_close_matches

from psgimg.builder.corpora import dcsm, demo, hmc, isruc, mass, nsrr, sleep_edf
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.recording import Corpus

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


def corpus(name: str) -> Corpus:
    """Return the corpus of that name.

    Raises
    ------
    BuildError
        If there is none; the message lists the names and guesses what was meant.
    """
    try:
        return CORPORA[name]
    except KeyError:
        near = get_close_matches(name.lower().replace("_", "-"), CORPORA, n=1, cutoff=0.5)
        guess = f"; did you mean {near[0]}?" if near else ""
        raise BuildError(f"no corpus {name!r}; there are {', '.join(CORPORA)}{guess}") from None
