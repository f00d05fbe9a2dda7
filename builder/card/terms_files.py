"""Files of terms: ``LICENSES.csv`` with a row for each corpus, and ``CITATION.bib``.

Both are made from the entries of the corpora in ``build.json``, so that those of a release also cover
corpora that are not in the folder that was pushed last.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping

from psgimg.builder.card import card_metadata, release_notes
from psgimg.builder.citing import bibtex
from psgimg.builder.citing.reference import ReferenceJson
from psgimg.builder.dataset.build_json import CorpusFacts, DatasetFacts
from psgimg.builder.dataset.build_report import Report

LICENCES = "LICENSES.csv"
CITATION = "CITATION.bib"
FILES = (LICENCES, CITATION)

COLUMNS = ("corpus", "version", "licence", "address", "citation", "may_be_published")

NOT_STATED = "not stated"
PUBLIC_DOMAIN = "CC0-1.0"
FREE = "Pictures and stages, in public, without conditions."
ATTRIBUTED = "Pictures and stages, in public, with the licence and the citation."
NOTHING = "Nothing in public: pictures and stages only to people who were granted access to the recordings."
BY_PERMISSION = "By permission, as stated by the publisher: {}"

_FORMULA = ("=", "+", "-", "@", "\t")


def texts(values: DatasetFacts, only: Collection[str] | None = None) -> dict[str, str]:
    """Return the text of each file.

    Parameters
    ----------
    values
        Contents of ``build.json`` or ``rebuild.json``.
    only
        The corpora to list, for an export without the others; None for all that have rows.
    """
    present = card_metadata.with_rows(Report(values))
    corpora = {name: entry for name, entry in present.items() if only is None or name in only}
    return {LICENCES: _licences(values, corpora), CITATION: _citation(corpora)}


def may_be_published(values: DatasetFacts, name: str) -> str:
    """Return what may be published of a corpus: nothing, unless psgimg lists its terms as open."""
    entry = values["corpora"][name]
    if not card_metadata.restricted({name: entry}):
        return FREE if entry["licence"] == PUBLIC_DOMAIN else ATTRIBUTED
    release = release_notes.of(values)
    if release and release.permission and name in release.permitted:
        return BY_PERMISSION.format(release.permission)
    return NOTHING


def _licences(values: DatasetFacts, corpora: Mapping[str, CorpusFacts]) -> str:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name, entry in sorted(corpora.items()):
        cells = (
            name,
            entry.get("version") or NOT_STATED,
            entry["licence"],
            entry["licence_url"],
            entry["citation"],
            may_be_published(values, name),
        )
        writer.writerow([_cell(cell) for cell in cells])
    return table.getvalue()


def _cell(text: str) -> str:
    """Return a text on one line that no spreadsheet takes for a formula."""
    line = " ".join(text.split())
    return f"'{line}" if line.startswith(_FORMULA) else line


def _citation(corpora: Mapping[str, CorpusFacts]) -> str:
    """Return one entry for each publication, with the corpora that it is cited for as keywords."""
    cited: dict[str, list[str]] = {}
    references: dict[str, ReferenceJson] = {}
    entries = []
    for name, corpus in sorted(corpora.items()):
        for reference in corpus.get("references", ()):
            references.setdefault(reference["key"], reference)
            cited.setdefault(reference["key"], []).append(name)
        if not corpus.get("references"):
            words = corpus["title"], corpus["citation"], corpus["licence_url"]
            entries.append(bibtex.in_words(name, *words, keywords=name))
    entries += [
        bibtex.entry(reference, ", ".join(cited[key])) for key, reference in references.items()
    ]
    return "\n".join(entries)
