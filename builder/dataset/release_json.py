"""The keys that publication adds to ``build.json``, with their types."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Predicate
from psgimg.builder.dataset.build_json import BuildJson, CorpusName, Count, Hash, Name
from psgimg.builder.dataset.schema import SplitName
from psgimg.builder.files import safe_names
from typing_extensions import TypedDict

Repository = Annotated[str, Predicate(safe_names.is_repository)]


class RevisionJson(TypedDict):
    """A ``release_notes.Revision``."""

    tag: Hash
    recipe_hash: Hash
    rows: Count
    recordings: Count
    corpora: list[CorpusName]
    restricted: list[CorpusName]
    what: str


class ReleaseJson(TypedDict):
    """A ``release_notes.Release``."""

    repo_id: Repository
    public: bool
    permission: str
    permitted: list[str]
    revisions: list[RevisionJson]
    people: dict[CorpusName, dict[Name, SplitName]]


class ReleasedJson(BuildJson):
    """The ``build.json`` of a dataset that was published."""

    release: ReleaseJson
