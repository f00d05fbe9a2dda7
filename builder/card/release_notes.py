"""Release notes: where a dataset is published, on whose permission, and its revisions so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from psgimg.builder.dataset.build_json import ReleaseJson, RevisionJson
from psgimg.builder.dataset.schema import SplitName

KEY: Final = "release"
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

    def to_dict(self) -> RevisionJson:
        """As JSON values."""
        return {
            "tag": self.tag,
            "recipe_hash": self.recipe_hash,
            "rows": self.rows,
            "recordings": self.recordings,
            "corpora": [*self.corpora],
            "restricted": [*self.restricted],
            "what": self.what,
        }


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
    people: Mapping[str, Mapping[str, SplitName]] = field(default_factory=dict)

    def to_dict(self) -> ReleaseJson:
        """As JSON values."""
        return {
            "repo_id": self.repo_id,
            "public": self.public,
            "permission": self.permission,
            "permitted": [*self.permitted],
            "revisions": [one.to_dict() for one in self.revisions],
            "people": {corpus: dict(by_name) for corpus, by_name in self.people.items()},
        }

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
