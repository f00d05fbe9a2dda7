"""``LICENSES.csv`` and ``CITATION.bib``: the terms and references of the corpora, for programs."""

from __future__ import annotations

import csv
import json
from typing import Any

import bibtex_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psgimg.builder.build import build
from psgimg.builder.card import terms_files
from psgimg.builder.card.release_notes import Release
from psgimg.builder.corpora.registry import CORPORA
from psgimg.builder.dataset import corpus_record
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.progress import SILENT
from psgimg.builder.recordings.recording import Policy

IN_WORDS = {"demo", "demo-varied", "bids"}
"""Corpora without a publication of their own."""


def values(*names: str, **changed: Any) -> Any:
    """Return what the two files are made from, with a row of each corpus."""
    record = corpus_record.record
    corpora: Any = {name: {**record(CORPORA[name]), **changed} for name in names}
    return {"corpora": corpora, "counts": {name: {"train": {"W": 1}} for name in names}}


def rows(made: Any) -> dict[str, dict[str, str]]:
    lines = terms_files.texts(made)[terms_files.LICENCES].splitlines()
    return {row["corpus"]: row for row in csv.DictReader(lines)}


def cited(made: Any) -> dict[str, dict[str, str]]:
    return bibtex_parser.entries(terms_files.texts(made)[terms_files.CITATION])


def test_every_corpus_has_a_row_and_an_entry_with_what_its_table_says():
    made = values(*CORPORA)
    table, entries = rows(made), cited(made)
    assert list(table) == sorted(CORPORA)
    for name, corpus in CORPORA.items():
        row = table[name]
        assert (row["licence"], row["address"]) == (corpus.terms.licence, corpus.terms.licence_url)
        assert row["citation"] == corpus.terms.citation
        assert row["version"] == (corpus.terms.version or "not stated")
        public = corpus.terms.policy is Policy.OPEN
        assert row["may_be_published"].startswith("Nothing in public") != public
        mine = [e for e in entries.values() if name in e["keywords"].split(", ")]
        assert len(mine) == max(len(corpus.terms.references), 1)
        for entry in mine:
            text = bibtex_parser.plain(entry.get("note", entry["title"]))
            assert text in corpus.terms.citation


def test_an_article_has_all_its_parts_and_one_key_wherever_it_is_cited():
    stated: dict[str, Any] = {}
    for name, corpus in CORPORA.items():
        assert bool(corpus.terms.references) != (name in IN_WORDS), name
        for reference in corpus.terms.references:
            assert stated.setdefault(reference.key, reference) == reference
    entries = cited(values(*CORPORA))
    for entry in entries.values():
        if entry["@"] == "article":
            assert {"author", "title", "journal", "year", "volume"} <= set(entry)
    assert entries["kemp2000"]["author"].startswith("Kemp, B. and Zwinderman, A. H. and ")
    assert entries["kemp2000"]["pages"] == "1185--1194"
    assert entries["quan1997"]["author"] == "Quan, S. F. and others"
    assert entries["goldberger2000"]["keywords"] == "cap, cinc2018, hmc, sleep-edf"


def test_only_the_registry_opens_a_corpus_whatever_a_folder_states():
    forged = values("shhs", policy="open", licence="CC0-1.0")
    assert rows(forged)["shhs"]["may_be_published"].startswith("Nothing in public")
    assert "without conditions" in rows(values("demo"))["demo"]["may_be_published"]


def test_a_permission_is_quoted_for_the_corpora_that_it_covers_alone():
    release = Release("a/b", public=True, permission="By letter of May 2026.", permitted=("shhs",))
    made = {**values("shhs", "mesa"), "release": release.to_dict()}
    table = rows(made)
    assert "By letter of May 2026." in table["shhs"]["may_be_published"]
    assert table["mesa"]["may_be_published"].startswith("Nothing in public")


@given(st.text(max_size=40), st.text(min_size=1, max_size=40))
def test_any_words_of_a_custom_corpus_stay_one_field(title, citation):
    made = values("demo", title=title, citation=citation, licence_url="https://x.org/{a}%7B b")
    (entry,) = cited(made).values()
    assert bibtex_parser.plain(entry.get("note", "")) == " ".join(citation.split())
    assert bibtex_parser.plain(entry["title"]) == " ".join(title.split())
    assert "{" not in entry["url"]


@pytest.mark.parametrize("text", ["=1+1", "@SUM(1)", "-2+3", "+1", "a\nb", 'say "x", y'])
def test_no_cell_is_a_formula_or_breaks_its_row(text):
    (row,) = rows(values("demo", licence=text)).values()
    assert row["licence"].lstrip("'") == " ".join(text.split())
    assert row["licence"][0] not in "=+-@"
    assert row["address"] == CORPORA["demo"].terms.licence_url


def test_references_hold_a_publication_that_a_downloaded_folder_states_twice():
    made = values("shhs", "mesa")
    made["corpora"]["mesa"]["references"][0] = {
        "key": "quan1997", "authors": ["Nobody} @misc{x,"], "title": "A {\\b} 50 % \\",
    }  # fmt: skip
    entries = cited(made)
    assert set(entries) == {"quan1997", "zhang2018"}
    assert bibtex_parser.plain(entries["quan1997"]["author"]) == "Nobody} @misc{x,"


def test_both_are_files_of_the_dataset_with_their_hashes(tmp_path):
    demo = tmp_path / "out"
    build(BuildConfig(("demo",), (), demo, limit=1), SILENT)
    listed = json.loads((demo / "build.json").read_text())["files"]
    assert set(terms_files.FILES) <= set(listed)
    assert (demo / "CITATION.bib").read_text().startswith("@misc{demo,")
