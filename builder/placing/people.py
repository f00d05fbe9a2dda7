"""People: who is placed together, and where those placed earlier must stay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeVar

from psgimg.builder.errors import BuildError

Place = TypeVar("Place")


class Person(NamedTuple):
    """A subject of a corpus; ``kin`` is the family, or the subject where no relatives took part."""

    corpus: str
    subject: str
    kin: str


def families(people: Iterable[Person]) -> dict[str, dict[str, list[str]]]:
    """Return corpus → family → its subjects, everything in order of names."""
    found: dict[str, dict[str, list[str]]] = {}
    for corpus, subject, kin in sorted(set(people), key=lambda one: (one.corpus, one.kin, one)):
        found.setdefault(corpus, {}).setdefault(kin, []).append(subject)
    return found


def kept(
    corpus: str,
    members: Mapping[str, Iterable[str]],
    before: Mapping[tuple[str, str], Place],
    what: str,
) -> dict[str, Place]:
    """Return the place of every family of a corpus of which someone was placed earlier.

    Parameters
    ----------
    members
        Family → its subjects.
    before
        (corpus, subject or family) → place.
    what
        Name of a place, ``split`` or ``fold``, for the message.

    Raises
    ------
    BuildError
        If members of a family were placed apart, before it was known that they are relatives.
    """
    places: dict[str, Place] = {}
    for kin, names in members.items():
        for name in (kin, *names):
            if (corpus, name) not in before:
                continue
            place = before[corpus, name]
            if places.setdefault(kin, place) != place:
                raise BuildError(
                    f"{kin} of {corpus} was placed in {what} {places[kin]}, and its member {name} in "
                    f"{what} {place}, before they were known to be relatives; build into a new --out, where "
                    "they are placed together"
                )
    return places
