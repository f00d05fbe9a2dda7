"""Policy: who may see a release. Pictures of a restricted corpus stay private unless somebody who
may say so has said otherwise in writing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from psgimg.builder.card import card_metadata
from psgimg.builder.dataset.build_json import CorpusPolicy
from psgimg.builder.errors import BuildError

SHORTEST_PERMISSION = 20
"""Letters of a permission: a name and a reference are longer than a yes."""


@dataclass(frozen=True)
class Wish:
    """What the user asks for.

    Parameters
    ----------
    public
        Whether anybody may see the release.
    permission
        Who allowed the pictures of restricted corpora to be public, and where that is written.
    """

    public: bool = False
    permission: str = ""

    def __post_init__(self) -> None:
        if self.permission and not self.public:
            raise BuildError("--permission is for a public release: give --public too, or neither")
        if self.permission and len(self.permission.strip()) < SHORTEST_PERMISSION:
            raise BuildError(
                f"--permission {self.permission!r}: name who allowed it, when, and where that is "
                "written; the card records it"
            )


@dataclass(frozen=True)
class Visibility:
    """How a repository must stand before anything is sent to it."""

    public: bool
    gated: bool
    permission: str = ""
    permitted: tuple[str, ...] = ()
    """Restricted corpora that become public, or are, by that permission; old revisions count."""

    def __str__(self) -> str:
        return ("public" if self.public else "private") + (", gated" if self.gated else "")


@dataclass(frozen=True)
class Standing:
    """How a repository stands: what it shows, what it ever held, and by whose permission."""

    public: bool
    restricted: frozenset[str] = frozenset()
    permission: str = ""
    permitted: frozenset[str] = frozenset()


FORMERLY = "what it held before"
"""For a repository whose history nobody can tell any more."""


def restricted_corpora(corpora: Mapping[str, CorpusPolicy]) -> frozenset[str]:
    """The restricted ones of some corpora, as the card has them."""
    return frozenset(card_metadata.restricted(corpora))


def decide(
    repo_id: str, wish: Wish, restricted: Collection[str], standing: Standing | None
) -> Visibility:
    """Visibility of a release.

    Parameters
    ----------
    restricted
        The restricted corpora that the release shows.
    standing
        The repository as it is; None if there is none yet. What it held in former revisions can
        still be loaded, so that counts too.

    Raises
    ------
    BuildError
        If the wish can't be granted.
    """
    held = standing.restricted if standing else frozenset()
    secret = {*restricted, *held}
    before = standing.permitted if standing else frozenset()
    said = wish.permission.strip()
    uncovered = secret - before if not said else set()
    public_now = standing is not None and standing.public
    if public_now and uncovered:
        raise BuildError(
            f"{repo_id} is public and {', '.join(sorted(uncovered))} is restricted: choose another "
            "--repo-id, make that repository private in its settings, or name the written permission "
            'with --public --permission "…"'
        )
    if wish.public and uncovered:
        raise BuildError(
            f"--public is refused: the terms of {', '.join(sorted(uncovered))} are not known to allow "
            'it; leave it out, or name the written permission with --permission "who, when, where it '
            'is written"'
        )
    if public_now and not wish.public:
        raise BuildError(
            f"{repo_id} is public; say --public if that is meant, or choose another --repo-id"
        )
    if said and not secret:
        raise BuildError("--permission: nothing here is restricted; leave it out")
    if not wish.public or not secret:
        return Visibility(wish.public, bool(secret))
    earlier = standing.permission if standing and before & secret else ""
    words = dict.fromkeys(text for text in (earlier, said) if text)
    return Visibility(True, True, "; ".join(words), tuple(sorted(secret)))
