"""Reference: a publication to cite, as data, and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NotRequired

from typing_extensions import TypedDict


class ReferenceJson(TypedDict):
    """A reference in ``build.json``; a key that is absent is not known, or does not apply."""

    key: str
    authors: list[str]
    title: str
    et_al: NotRequired[bool]
    year: NotRequired[int]
    journal: NotRequired[str]
    volume: NotRequired[str]
    number: NotRequired[str]
    pages: NotRequired[str]
    publisher: NotRequired[str]
    version: NotRequired[str]
    doi: NotRequired[str]
    url: NotRequired[str]


@dataclass(frozen=True)
class Reference:
    """A publication: an article if it has a journal, otherwise a dataset.

    Parameters
    ----------
    key
        Name in BibTeX, the same wherever the publication is cited: ``kemp2000``.
    authors
        Family name and initials, in order: ``Kamphuisen HAC``.
    et_al
        Whether there are more authors.
    year
        0 if it is not known.
    pages
        First and last, or the article's number: ``1185-1194``.
    publisher, version
        Of a dataset.
    """

    key: str
    authors: tuple[str, ...]
    title: str
    year: int = 0
    journal: str = ""
    volume: str = ""
    number: str = ""
    pages: str = ""
    et_al: bool = False
    publisher: str = ""
    version: str = ""
    doi: str = ""
    url: str = ""

    @property
    def text(self) -> str:
        """The reference in words and on one line, ``Kemp B et al. Title. Journal 2000;47(9):1-9.`` for one."""
        who = ", ".join(self.authors) + (" et al" if self.et_al else "")
        source = f"{self.journal} {self.year}" if self.journal else self.publisher
        number = f"({self.number})" if self.number else ""
        place = f";{self.volume}{number}" if self.volume else ""
        pages = f":{self.pages}" if self.pages else ""
        version = f"Version {self.version}" if self.version else ""
        doi = f"doi:{self.doi}" if self.doi else ""
        parts = (who, self.title, f"{source}{place}{pages}", version, doi, self.url)
        return " ".join(f"{part}." for part in parts if part)

    def to_dict(self) -> ReferenceJson:
        """Return the reference as JSON values, without what is not known."""
        entry: ReferenceJson = {
            "key": self.key,
            "authors": list(self.authors),
            "title": self.title,
        }
        if self.et_al:
            entry["et_al"] = True
        if self.year:
            entry["year"] = self.year
        for name in ("journal", "volume", "number", "pages", "publisher", "version", "doi", "url"):
            if value := getattr(self, name):
                entry[name] = value
        return entry


PHYSIONET = Reference(
    "goldberger2000",
    ("Goldberger AL",),
    "PhysioBank, PhysioToolkit, and PhysioNet",
    2000,
    "Circulation",
    "101",
    "23",
    "e215-e220",
    et_al=True,
)
"""To cite with every dataset of PhysioNet."""
