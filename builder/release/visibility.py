"""Visibility: decide whether a release is private, public or gated.

Pictures of a restricted corpus stay private unless a written permission is given.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from psgimg.builder.card import card_metadata
from psgimg.builder.dataset.build_json import CorpusPolicy
from psgimg.builder.errors import BuildError

SHORTEST_PERMISSION = 20
"""Minimum number of characters: a permission must give a name and a reference, not just yes."""


@dataclass(frozen=True)
class Wish:
    """The requested visibility.

    Parameters
    ----------
    public
        Whether the release is to be public.
    permission
        Who permitted the publication of pictures of restricted corpora, and where in writing.
    """

    public: bool = False
    permission: str = ""

    def __post_init__(self) -> None:
        if self.permission and not self.public:
            raise BuildError("--permission requires --public; give both or neither")
        if self.permission and len(self.permission.strip()) < SHORTEST_PERMISSION:
            raise BuildError(
                f"--permission {self.permission!r}: state who permitted it, when, and where in "
                "writing; the card quotes it"
            )


@dataclass(frozen=True)
class Visibility:
    """The visibility that a repository must have before anything is sent to it."""

    public: bool
    gated: bool
    permission: str = ""
    permitted: tuple[str, ...] = ()
    """Restricted corpora that are public by that permission, including those of old revisions."""

    def __str__(self) -> str:
        return ("public" if self.public else "private") + (", gated" if self.gated else "")


@dataclass(frozen=True)
class Standing:
    """The standing of a repository: visibility, restricted corpora it ever held, permission."""

    public: bool
    restricted: frozenset[str] = frozenset()
    permission: str = ""
    permitted: frozenset[str] = frozenset()


FORMERLY = "its former contents"
"""Stands for the corpora of a repository whose history is unknown."""


def restricted_corpora(corpora: Mapping[str, CorpusPolicy]) -> frozenset[str]:
    """Return the restricted ones among some corpora, as on the card."""
    return frozenset(card_metadata.restricted(corpora))


def decide(
    repo_id: str, wish: Wish, restricted: Collection[str], standing: Standing | None
) -> Visibility:
    """Decide the visibility of a release.

    Parameters
    ----------
    restricted
        Restricted corpora in the release.
    standing
        Standing of the repository; None if it does not exist. Former revisions count, since they
        can still be loaded.

    Raises
    ------
    BuildError
        If the requested visibility is not permitted.
    """
    held = standing.restricted if standing else frozenset()
    all_restricted = {*restricted, *held}
    before = standing.permitted if standing else frozenset()
    permission = wish.permission.strip()
    uncovered = all_restricted - before if not permission else set()
    public_now = standing is not None and standing.public
    if public_now and uncovered:
        raise BuildError(
            f"{repo_id} is public and {', '.join(sorted(uncovered))} is restricted: choose another "
            "--repo-id, make that repository private in its settings, or state the written permission "
            'with --public --permission "…"'
        )
    if wish.public and uncovered:
        raise BuildError(
            f"--public is refused: the terms of {', '.join(sorted(uncovered))} are not known to allow "
            'it; omit it, or state the written permission with --permission "who, when, where in '
            'writing"'
        )
    if public_now and not wish.public:
        raise BuildError(
            f"{repo_id} is public; add --public to confirm, or choose another --repo-id"
        )
    if permission and not all_restricted:
        raise BuildError("--permission: nothing here is restricted; omit it")
    if not wish.public or not all_restricted:
        return Visibility(wish.public, bool(all_restricted))
    earlier = standing.permission if standing and before & all_restricted else ""
    texts = dict.fromkeys(text for text in (earlier, permission) if text)
    return Visibility(True, True, "; ".join(texts), tuple(sorted(all_restricted)))
