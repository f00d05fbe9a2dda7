"""Page spec: which epochs of a recording become pages, and everything that determines their content."""

from __future__ import annotations

from dataclasses import dataclass

from psgimg.builder.dataset.build_json import DatasetFacts
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.signals import corruption_spec, variant_spec
from psgimg.builder.signals.corruption_spec import Corruption
from psgimg.builder.signals.variant_spec import Variant


@dataclass(frozen=True)
class PageSpec:
    """How the pages of a dataset are made, the same for each of its recordings.

    Parameters
    ----------
    recipe
        Everything that determines the pixels.
    scorer
        The scorer whose stages are the labels; empty for the reference scorer of the corpus.
    trim_min
        Minutes kept before the first and after the last epoch of sleep; None keeps all.
    corruptions
        Corruptions, applied to the raw signals in this order.
    min_quality
        Least share of usable epochs that one EEG lane must have, or the recording is set aside.
    variants
        Further pictures of each training page, from signals with these corruptions.
    """

    recipe: Recipe
    scorer: str = ""
    trim_min: float | None = None
    corruptions: tuple[Corruption, ...] = ()
    min_quality: float = 0.0
    variants: tuple[Variant, ...] = ()

    @classmethod
    def from_build(cls, build: DatasetFacts) -> PageSpec:
        """Return the spec of a finished dataset.

        Parameters
        ----------
        build
            Contents of its ``build.json``.

        Raises
        ------
        BuildError
            If this psgimg does not support the recipe, the corruptions or the variants.
        """
        fixed = build["fixed"]
        return cls(
            Recipe.from_dict(build["recipe"]),
            fixed["scorer"],
            fixed["trim_min"],
            corruption_spec.from_dict(build.get("corruption")),
            fixed.get("min_quality", 0.0),
            variant_spec.from_dict(fixed.get(variant_spec.KEY)),
        )
