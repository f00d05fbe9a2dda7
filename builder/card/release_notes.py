"""Release notes: the repository of a published dataset, its permission, and its revisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from psgimg.builder.dataset.release_json import ReleaseJson, RevisionJson
from psgimg.builder.dataset.schema import SplitName

KEY: Final = "release"
"""Key of the release in a report's values; an unpublished dataset has none."""


@dataclass(frozen=True)
class Revision:
    """One state of a repository, which can be loaded by its tag.

    Parameters
    ----------
    rows, recordings
        Number of pictures, and of recordings.
    corpora, restricted
        Names of its corpora, and of those that were restricted at the time.
    what
        Summary of the changes in one line.
    """

    tag: str
    recipe_hash: str
    rows: int
    recordings: int
    corpora: tuple[str, ...]
    restricted: tuple[str, ...]
    what: str

    def to_dict(self) -> RevisionJson:
        """Return the revision as JSON values."""
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
        Whether the repository is public.
    permission
        The permission to publish pictures of restricted corpora, as stated by the publisher; empty
        if none was needed.
    permitted
        The corpora that the permission covers.
    revisions
        All revisions, the newest last.
    people
        Corpus to subject or family to split, of everyone ever published: none may change split.
    """

    repo_id: str
    public: bool
    permission: str = ""
    permitted: tuple[str, ...] = ()
    revisions: tuple[Revision, ...] = ()
    people: Mapping[str, Mapping[str, SplitName]] = field(default_factory=dict)

    def to_dict(self) -> ReleaseJson:
        """Return the release as JSON values."""
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
        """Create a release from the result of ``to_dict``; KeyError or TypeError for other values."""
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
    """Return the release in a report's values; None for an unpublished dataset."""
    return Release.from_dict(values[KEY]) if KEY in values else None
