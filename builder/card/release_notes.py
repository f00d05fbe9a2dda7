"""Release notes: where a dataset is published, on whose permission, and its revisions so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

KEY = "release"
"""Where a report's values keep them; a dataset that was only built here has none."""


@dataclass(frozen=True)
class Revision:
    """One state of a repository that stays loadable under its tag.

    Parameters
    ----------
    rows, recordings
        How many pictures it shows, and of how many nights.
    corpora, restricted
        Names of all its corpora, and of those that were restricted when it was made.
    what
        What it brought, in a line.
    """

    tag: str
    recipe_hash: str
    rows: int
    recordings: int
    corpora: tuple[str, ...]
    restricted: tuple[str, ...]
    what: str


@dataclass(frozen=True)
class Release:
    """A published dataset.

    Parameters
    ----------
    repo_id
        Name on the Hub, ``ORG/NAME``.
    public
        Whether anybody may see the repository.
    permission
        By whose permission pictures of restricted corpora are public, in the words of who
        published them; empty if none was needed.
    permitted
        The corpora that it covers.
    revisions
        As they were made, the newest last.
    people
        Corpus → subject or family → split, of everybody who was ever shown: nobody changes sides.
    """

    repo_id: str
    public: bool
    permission: str = ""
    permitted: tuple[str, ...] = ()
    revisions: tuple[Revision, ...] = ()
    people: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        listed = [
            {**asdict(one), "corpora": [*one.corpora], "restricted": [*one.restricted]}
            for one in self.revisions
        ]
        return {**asdict(self), "permitted": [*self.permitted], "revisions": listed}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Release:
        """The inverse of ``to_dict``; KeyError or TypeError for what is not of its making."""
        revisions = tuple(
            Revision(
                **{
                    **one,
                    "corpora": tuple(one["corpora"]),
                    "restricted": tuple(one["restricted"]),
                }
            )
            for one in values["revisions"]
        )
        permitted = tuple(values["permitted"])
        return cls(**{**values, "permitted": permitted, "revisions": revisions})


def of(values: Mapping[str, Any]) -> Release | None:
    """The release that a report's values tell of; None for a dataset that was only built."""
    return Release.from_dict(values[KEY]) if KEY in values else None
