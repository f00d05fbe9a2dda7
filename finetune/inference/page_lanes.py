"""Page lanes: which lanes of a split's pages a model sees, and whether it was ever shown such pages."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from psgimg.builder.errors import BuildError
from psgimg.builder.words import counted
from psgimg.finetune.data.page_set import PageSet
from psgimg.finetune.lanes import pattern
from psgimg.finetune.lanes.cover import Cover
from psgimg.finetune.lanes.pattern import Absent, Drawn
from psgimg.finetune.lanes.seen import LanesSeen, described, unseen

if TYPE_CHECKING:
    from PIL import Image

WISH = "--without"


@dataclass(frozen=True)
class PageLanes:
    """What becomes of the lanes of a split's pages.

    Parameters
    ----------
    left_out
        Lanes that are drawn as absent on all pages.
    unseen
        For each recording, its absent lanes if the model was shown no page without just these, else
        None.
    notes
        Notices for the user, a line each.
    """

    left_out: Absent
    unseen: tuple[str | None, ...]
    notes: tuple[str, ...]
    cover: Cover | None = None

    def shown(self, _number: int, pages: list[Image.Image]) -> list[Image.Image]:
        """Return the pages of one row without the lanes that are left out."""
        return pages if self.cover is None else self.cover.all_over(pages, self.left_out)


def of(
    pages: PageSet, seen: LanesSeen | None, without: Sequence[str], *, any_lanes: bool, model: str
) -> PageLanes:
    """Return what becomes of the lanes of the selected pages.

    Parameters
    ----------
    seen
        Lanes of the model's training pages; None for a model that psgimg has not trained, which
        learned nothing from pages.
    without
        Names of lanes to leave out.
    any_lanes
        Go on with pages whose pattern of absent lanes the model was never shown.
    model
        Name of the model, for messages.

    Raises
    ------
    BuildError
        If there is no such lane, it can't be left out, or it is the last EEG lane of a page; or, unless
        ``any_lanes``, if the model was never shown such pages.
    """
    lanes = tuple(lane["name"] for lane in pages.build["recipe"]["montage"]["lanes"])
    cover = Cover.of(pages.build["recipe"], f"{WISH} {without[0]}") if without else None
    gone = {cover.number(name, WISH) for name in without} if cover else set()
    left_out = tuple(i in gone for i in range(len(lanes)))
    shown = [pattern.without(drawn, left_out) for drawn in pages.index.lanes]
    if cover:
        _require_eeg(pages, cover, shown, without)
    if seen is None:
        return PageLanes(left_out, (None,) * len(shown), (), cover)
    absent = [pattern.names(lanes, pattern.absent(drawn)) for drawn in shown]
    new = tuple(None if seen.has(names) else ", ".join(names) for names in absent)
    strange = _listed(pages, [mark if mark is None else described(mark) for mark in new])
    notes = list(_derivations(pages, seen, lanes))
    if strange:
        told = unseen(f"{pages.source}, has {strange}", model, seen)
        if not any_lanes:
            raise BuildError(
                f"{told}; train a model with `psgimg sft --augment lanes`, or pass --any-lanes, which "
                "marks these predictions"
            )
        notes.append(told)
    return PageLanes(left_out, new, tuple(notes), cover)


def in_turn(pages: PageSet) -> tuple[list[str], list[str]]:
    """Return the lanes that can be left out of all pages one after the other, and why others can't."""
    cover = Cover.of(pages.build["recipe"], "--each-lane-out")
    able, notes = [], []
    drawn = [pages.index.lanes[i] for i in np.unique(pages.index.recording[pages.rows])]
    for i, name in enumerate(cover.lanes):
        alone = tuple(j == i for j in range(len(cover.lanes)))
        if all(lanes[i] is None for lanes in drawn):
            notes.append(f"lane {name} is not left out: it is absent from all pages")
        elif not all(pattern.has_eeg(pattern.without(lanes, alone), cover.eeg) for lanes in drawn):
            notes.append(f"lane {name} is not left out: it is the only EEG lane of some pages")
        else:
            able.append(name)
    return able, notes


def _require_eeg(
    pages: PageSet, cover: Cover, shown: Sequence[Drawn], without: Sequence[str]
) -> None:
    """Refuse to leave a page without any EEG lane."""
    bare = [
        None if pattern.has_eeg(lanes, cover.eeg) else "without any EEG lane" for lanes in shown
    ]
    if found := _listed(pages, bare):
        raise BuildError(f"{WISH} {', '.join(without)} would leave {found}; leave out fewer lanes")


def _listed(pages: PageSet, marks: Sequence[str | None]) -> str:
    """Return the number of marked pages and recordings in words, by mark; "" if there are none."""
    n_pages, n_recordings = Counter[str](), Counter[str]()
    numbers, counts = np.unique(pages.index.recording[pages.rows], return_counts=True)
    for number, n in zip(numbers.tolist(), counts.tolist(), strict=True):
        if (mark := marks[number]) is not None:
            n_pages[mark] += n
            n_recordings[mark] += 1
    return "; ".join(
        f"{counted(n, 'page')} of {counted(n_recordings[mark], 'recording')} {mark}"
        for mark, n in n_pages.most_common(3)
    )


def _derivations(pages: PageSet, seen: LanesSeen, lanes: Sequence[str]) -> Iterator[str]:
    """Yield a note on derivations that no training page showed in their lane."""
    n_pages: defaultdict[tuple[str, str], int] = defaultdict(int)
    numbers, counts = np.unique(pages.index.recording[pages.rows], return_counts=True)
    for number, n in zip(numbers.tolist(), counts.tolist(), strict=True):
        for found in seen.new_derivations(lanes, pages.index.lanes[number]):
            n_pages[found] += n
    if n_pages:
        listed = [f"{name} in lane {lane} ({n})" for (lane, name), n in n_pages.items()]
        yield f"pages show derivations that no training page did: {', '.join(listed)}"
