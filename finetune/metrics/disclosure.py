"""Disclosure: what a method sees of a night and from whom it learned, as stated beside its predictions.

Two figures are only like for like if both methods saw as much of a night, and a figure is only one of
unseen people if the method never learned from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from psgimg.builder import words
from psgimg.builder.corpora import registry

VIEW, ELSEWHERE, PEOPLE = "sees", "learned_elsewhere", "people_of"
"""Keys of the JSON file beside the predictions of a baseline."""

LIKE_FOR_LIKE = "boosting-page"
"""The baseline on YASA's features that sees no more than a page shows."""

DECODED = "decoded"

SEEN, UNKNOWN = "seen", "unknown"
"""Values of ``PEOPLE``; a corpus that is not listed was not learned from."""

Stated = Mapping[str, Any]


@dataclass(frozen=True)
class View:
    """What a method sees when it stages one epoch.

    Parameters
    ----------
    before, after
        Number of neighbouring epochs.
    whole_night
        Whether values are scaled by their spread over the recording.
    time_of_night
        Whether the time since the beginning of the recording is an input.
    decoded
        Whether what was predicted of the other pages of the recording counts too.
    """

    before: int = 0
    after: int = 0
    whole_night: bool = False
    time_of_night: bool = False
    decoded: bool = False

    @property
    def text(self) -> str:
        """The view in words: ``one page``."""
        if self.decoded:
            pages = replace(self, decoded=False).text
            return f"{pages}, and the probabilities of all pages of its night"
        if self == ONE_PAGE:
            return "one page"
        if self.before == self.after:
            near = f"{self.before} neighbouring epochs on either side" if self.before else ""
        else:
            near = f"{self.before} epochs before and {self.after} after it"
        night = "the spread of the whole night" if self.whole_night else ""
        time = "the time of night" if self.time_of_night else ""
        return words.listed(filter(None, ("the epoch", near, night, time)))

    def to_dict(self) -> dict[str, Any]:
        """Return the view as JSON values, without ``decoded``, which the settings state."""
        return {name: value for name, value in asdict(self).items() if name != DECODED}


ONE_PAGE = View()


@dataclass(frozen=True)
class Elsewhere:
    """Data that a published method learned from before it was published.

    Parameters
    ----------
    who
        What learned, as the subject of a sentence.
    corpora
        Names of the corpora as psgimg has or would have them.
    source
        Where this is stated.
    complete
        Whether it learned from no other corpus that psgimg knows.
    """

    who: str
    corpora: tuple[str, ...]
    source: str
    complete: bool = True

    def people_of(self, corpora: Iterable[str]) -> dict[str, str]:
        """Return which of some corpora it has learned from, and of which that can't be known.

        A corpus that psgimg does not know may hold the data of any other.
        """
        status = {name: SEEN if name in self.corpora else UNKNOWN for name in sorted(set(corpora))}
        others = registry.CORPORA
        if not self.complete:
            return status
        return {name: one for name, one in status.items() if one == SEEN or name not in others}

    def to_dict(self) -> dict[str, Any]:
        """Return the statement as JSON values."""
        return {"who": self.who, "corpora": list(self.corpora), "source": self.source}


def view(source: Stated | None) -> View | None:
    """Return what the method of a predictions file sees; None if the file beside it does not say.

    Parameters
    ----------
    source
        Contents of the JSON file beside the predictions. A model sees its page and those of its
        setting ``context``, and by its setting ``decode`` also what was predicted of the others.
    """
    settings = (source or {}).get("settings")
    pages = _pages_view(source)
    if pages and isinstance(settings, Mapping) and settings.get("decode") == "night":
        return replace(pages, decoded=True)
    return pages


def _pages_view(source: Stated | None) -> View | None:
    """Return what the method sees of a night before decoding; None if it does not say."""
    settings = (source or {}).get("settings")
    stated = (source or {}).get(VIEW)
    if isinstance(stated, Mapping):
        try:
            found = View(**stated)
        except TypeError:
            return None
        kinds = [type(value) for value in found.to_dict().values()]
        return found if kinds == [int, int, bool, bool] else None
    context = settings.get("context") if isinstance(settings, Mapping) else None
    return View(context, context) if type(context) is int else None


def common(sources: Sequence[Stated | None]) -> str:
    """Return in words what the methods of all files see; empty if they differ or do not say."""
    views = {view(source) for source in sources}
    [only] = views if len(views) == 1 else [None]
    return only.text if only else ""


def notes(files: Sequence[tuple[str, Stated | None]]) -> list[str]:
    """Return what a reader must know of some predictions files, the first of which others are compared with.

    Parameters
    ----------
    files
        Name and contents of the JSON file beside it, of each.
    """
    lines = [line for name, source in files for line in people(name, source)]
    views = dict.fromkeys((name, view(source)) for name, source in files)
    wide = [(n, v) for n, v in views if v and (v.whole_night or v.time_of_night)]
    remedy = f"psgimg baseline --method {LIKE_FOR_LIKE} sees one page, as a model does."
    if len({found for _, found in views}) > 1:
        listed = "; ".join(
            f"{name} saw {found.text if found else 'what its file does not state'}"
            for name, found in views
        )
        offered = any(found == ONE_PAGE and LIKE_FOR_LIKE in name for name, found in views)
        more = f" {remedy}" if wide and not offered else ""
        return [*lines, f"Not like for like, to stage an epoch: {listed}.{more}"]
    return lines + [f"{n} saw {v.text}, which no page shows; {remedy}" for n, v in wide]


def people(name: str, source: Stated | None) -> list[str]:
    """Return which corpora a method has learned from elsewhere, or may have, one line each."""
    values = source or {}
    elsewhere, listed = values.get(ELSEWHERE), values.get(PEOPLE)
    if not isinstance(elsewhere, Mapping) or not isinstance(listed, Mapping):
        return []
    seen = sorted(corpus for corpus, status in listed.items() if status == SEEN)
    unknown = sorted(corpus for corpus, status in listed.items() if status == UNKNOWN)
    who, where = elsewhere.get("who", name), elsewhere.get("source", "source not stated")
    lines = []
    if seen:
        lines.append(
            f"{name} has seen people of {_and(seen)}: {who} learned from this data ({where}). Its "
            "figures there are not of unseen people."
        )
    if unknown:
        corpora = elsewhere.get("corpora")
        named = ", ".join(map(str, corpora)) if isinstance(corpora, list) else ""
        them = named or "corpora not stated"
        lines.append(
            f"Whether {name} has seen people of {_and(unknown)} is not known: {who} learned from "
            f"{them} ({where}). If it holds data of these, its figures are not of unseen people."
        )
    return lines


def joined(listed: Iterable[object]) -> dict[str, str]:
    """Return the statements of several files on their corpora as one; what is known to be seen counts."""
    status: dict[str, str] = {}
    for one in listed:
        for corpus, told in one.items() if isinstance(one, Mapping) else ():
            status[corpus] = SEEN if SEEN in (told, status.get(corpus)) else UNKNOWN
    return dict(sorted(status.items()))


def _and(names: Sequence[str]) -> str:
    return words.listed(name or "an unnamed corpus" for name in names)
