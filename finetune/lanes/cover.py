"""Cover: leave lanes out of a page that is drawn already, as the renderer would have drawn it without.

In styles whose traces stay within their lanes, the strip of an absent lane depends on nothing else on
the page, so that laying the renderer's own strip over a lane gives the very bytes of the page drawn
without that lane. Where waves extend into neighbouring lanes this is impossible: what is hidden under
a wave is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from psgimg.builder.errors import BuildError
from psgimg.builder.render import layout
from psgimg.builder.render.ground import ground, spills
from psgimg.builder.render.recipe import Recipe

if TYPE_CHECKING:
    from psgimg.builder.dataset.build_json import RecipeJson

EEG = "eeg"


class Cover:
    """The strips of all lanes of a recipe's pages as drawn when absent.

    Parameters
    ----------
    lanes
        Names of the lanes, from top to bottom.
    eeg
        For each lane, whether it is an EEG lane.
    """

    def __init__(self, recipe: Recipe) -> None:
        montage, style = recipe.montage, recipe.style
        self.lanes = tuple(lane.name for lane in montage.lanes)
        self.eeg = tuple(lane.kind.value == EEG for lane in montage.lanes)
        self._size = (style.width_px, style.height_px)
        self._places = [slice(box.top, box.bottom) for box in layout.boxes(style, montage)]
        self._absent = ground(style, montage, [True] * len(self.lanes))

    @classmethod
    def of(cls, recipe: RecipeJson, wish: str) -> Cover:
        """Return the cover of a dataset's recipe.

        Parameters
        ----------
        wish
            The option that needs it, for the message.

        Raises
        ------
        BuildError
            If lanes can't be left out of such pages.
        """
        drawn = Recipe.from_dict(recipe)
        if why := spills(drawn.style):
            raise BuildError(
                f"{wish}: in style {drawn.style.name}, {why}, so that a drawn page can't be made the "
                "page without a lane; build the dataset with another style, such as clinical or paper"
            )
        return cls(drawn)

    def over(self, image: Image.Image, absent: Sequence[bool]) -> Image.Image:
        """Return an RGB page with some lanes drawn as absent; the page itself if there are none.

        Raises
        ------
        BuildError
            If the page is not of the recipe's size.
        """
        if not any(absent):
            return image
        if image.size != self._size:
            width, height = self._size
            raise BuildError(
                f"a page has {image.width}x{image.height} px, but its recipe specifies "
                f"{width}x{height}; build the dataset again"
            )
        pixels = np.array(image)
        for place, gone in zip(self._places, absent, strict=True):
            if gone:
                pixels[place] = self._absent[place]
        return Image.fromarray(pixels)

    def number(self, name: str, wish: str) -> int:
        """Return the place of a lane, by its name.

        Raises
        ------
        BuildError
            If there is no such lane.
        """
        if name not in self.lanes:
            raise BuildError(f"{wish} {name}: no such lane; use {', '.join(self.lanes)}")
        return self.lanes.index(name)

    def all_over(self, images: Iterable[Image.Image], absent: Sequence[bool]) -> list[Image.Image]:
        """Return several pages of one recording with the same lanes drawn as absent."""
        return [self.over(image, absent) for image in images]
