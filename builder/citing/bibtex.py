r"""BibTeX: references as entries that BibTeX and biber read.

A reader of BibTeX counts braces whether or not a backslash precedes them, so that braces of a text
are written as commands. Letters beyond ASCII stay as they are, in UTF-8.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from psgimg.builder.citing.reference import ReferenceJson

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_"},
}
_AS_IS = {"url", "doi"}
"""Fields that styles of BibTeX print as addresses, in which a backslash would be read as one."""

_INITIALS = re.compile(r"(?P<family>.+) (?P<initials>[A-Z]{1,4})")


def entry(reference: ReferenceJson, keywords: str) -> str:
    """Return the entry of a reference, ending with a line feed.

    Parameters
    ----------
    keywords
        For the field of this name.
    """
    journal = reference.get("journal", "")
    fields = {
        "author": _authors(reference),
        "title": f"{{{escaped(reference['title'])}}}",  # braces keep its capitals
        "journal": escaped(journal),
        "year": str(reference.get("year") or ""),
        "volume": escaped(reference.get("volume", "")),
        "number": escaped(reference.get("number", "")),
        "pages": escaped(reference.get("pages", "").replace("-", "--")),
        "publisher": escaped(reference.get("publisher", "")),
        "version": escaped(reference.get("version", "")),
        "doi": reference.get("doi", ""),
        "url": reference.get("url", ""),
        "keywords": escaped(keywords),
    }
    return _entry("article" if journal else "misc", reference["key"], fields)


def in_words(key: str, title: str, citation: str, url: str, keywords: str) -> str:
    """Return the entry of a source whose citation is known in words alone."""
    fields = {
        "title": f"{{{escaped(title)}}}",
        "note": escaped(citation),
        "url": url,
        "keywords": escaped(keywords),
    }
    return _entry("misc", key, fields)


def escaped(text: str) -> str:
    """Return a text on one line, with what BibTeX or LaTeX would interpret written as commands."""
    return "".join(_SPECIAL.get(sign, sign) for sign in " ".join(text.split()))


def _entry(kind: str, key: str, fields: Mapping[str, str]) -> str:
    name = re.sub("[^A-Za-z0-9-]", "", key) or "source"
    lines = [
        f"  {field} = {{{_address(text) if field in _AS_IS else text}}}"
        for field, text in fields.items()
        if text
    ]
    return "\n".join([f"@{kind}{{{name},", ",\n".join(lines), "}"]) + "\n"


def _address(text: str) -> str:
    """Return an address without what would end its field: braces, backslashes and spaces."""
    return re.sub(r"[{}\\\s]", lambda match: f"%{ord(match[0]):02X}", text)


def _authors(reference: ReferenceJson) -> str:
    names = [_name(author) for author in reference["authors"]]
    return " and ".join([*names, *(["others"] if reference.get("et_al") else [])])


def _name(author: str) -> str:
    """Return ``Kamphuisen, H. A. C.`` for ``Kamphuisen HAC``; a name without initials as one word."""
    match = _INITIALS.fullmatch(author)
    if match is None:
        return f"{{{escaped(author)}}}"
    initials = " ".join(f"{letter}." for letter in match["initials"])
    return f"{escaped(match['family'])}, {initials}"
