"""Worklist: the nights of a review, opened one by one, and the signals of the last few in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from threading import Lock

from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.progress import Progress
from psgimg.builder.unscored.night_views import NightViews
from psgimg.finetune.review import night_place
from psgimg.finetune.review.night import Night
from psgimg.finetune.review.review_config import ReviewConfig

MOST_VIEWS = 2
"""Nights whose signals are kept: the one on the screen, and the one before."""


class Worklist:
    """The nights of a review.

    Parameters
    ----------
    nights
        By the names that they have in addresses, in the order in which they are shown.
    """

    def __init__(self, nights: Mapping[str, Night]) -> None:
        self.nights = nights
        self._recent: OrderedDict[str, NightViews] = OrderedDict()
        self._turn = Lock()

    def views(self, night: Night) -> NightViews:
        """Return what draws a night; the signals of nights seen long before are forgotten.

        Raises
        ------
        BuildError
            If the recording is not the one that was staged.
        """
        with self._turn:
            views = night.views
            self._recent[night.place.key] = views
            self._recent.move_to_end(night.place.key)
            while len(self._recent) > MOST_VIEWS:
                self._recent.popitem(last=False)[1].forget()
        return views


@contextmanager
def opened(config: ReviewConfig, progress: Progress) -> Iterator[Worklist]:
    """Open the nights of a review, whose folders no other process can review meanwhile.

    A night that can't be opened is left out with a note, if there are others.

    Raises
    ------
    BuildError, RecordingError
        If no night can be opened.
    """
    places = night_place.find(config)
    nights: dict[str, Night] = {}
    with ExitStack() as held:
        progress.start("opening", len(places), "nights")
        for number, place in enumerate(places, 1):
            hidden = config.blind and len(places) > 1
            label = f"night {number}" if hidden else place.name
            try:
                nights[place.key] = night = Night(place, label, config, held)
                for note in night.notes:
                    progress.note(f"{label}: {note}")
            except (BuildError, RecordingError) as error:
                if len(places) == 1:
                    raise
                progress.note(f"left out: {error}")
            progress.advance()
        if not nights:
            raise BuildError(
                "no night could be opened; the notes above say why, one for each of them"
            )
        yield Worklist(nights)
