"""Config: the options of a build in one frozen value, and the settings that a folder is bound to."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast

from psgimg.builder.access.fetch_config import FetchConfig
from psgimg.builder.corpora import registry
from psgimg.builder.dataset import splits
from psgimg.builder.dataset.build_json import Fixed, Placements, RecipeJson
from psgimg.builder.dataset.page_spec import PageSpec
from psgimg.builder.dataset.public_names import KnownName, PublicNames
from psgimg.builder.dataset.schema import SplitName
from psgimg.builder.dataset.splits import SplitPolicy
from psgimg.builder.errors import BuildError
from psgimg.builder.files import secrets
from psgimg.builder.placing.named import NAMED, NamedSplit
from psgimg.builder.placing.parts import ALL, Part
from psgimg.builder.recordings.montage import DEFAULT_MONTAGE
from psgimg.builder.recordings.montage_file import load_montage
from psgimg.builder.recordings.recording import Corpus
from psgimg.builder.render import layout
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.render.style_choice import load_style
from psgimg.builder.signals import corruption_spec, variant_spec
from psgimg.builder.signals.corruption_spec import Corruption
from psgimg.builder.signals.filter_settings import load_filters
from psgimg.builder.signals.polarity_rule import BLINKS
from psgimg.builder.signals.variant_spec import Variant

DEFAULT_SEED = 0


@dataclass(frozen=True)
class Pinned:
    """A dataset built elsewhere that a build reproduces: the same recordings, drawn the same way.

    Parameters
    ----------
    command
        Command that reproduces it, for the card.
    signals
        (corpus, recording) to hash of the signal, for every recording to draw.
    names
        The public names of these recordings.
    placements
        Who is in which fold.
    """

    command: str
    spec: PageSpec
    policy: SplitPolicy
    signals: Mapping[tuple[str, str], str]
    names: Sequence[KnownName] = ()
    placements: Placements | None = None


@dataclass(frozen=True)
class BuildConfig:
    """The options of ``psgimg build``, one field each; see the help of the command.

    Parameters
    ----------
    source
        Names of corpora, or YAML files that describe them.
    root
        ``DIR`` for a single source, ``NAME=DIR`` for several.
    trim_min
        Minutes kept around sleep; None keeps all.
    min_quality
        Least share of usable epochs, 0 to 1, that one EEG lane of a recording must have.
    fetch
        How recordings that are not on disk are fetched; None if all are.
    part
        The share of the recordings that a task of a job array draws.
    pinned
        Replaces the options for pages, split and choice of recordings when a dataset is rebuilt.
    """

    source: tuple[str, ...]
    root: tuple[str, ...] = ()
    out: Path = Path("psg-images")
    style: str = "clinical"
    montage: str = ""
    filters: str = ""
    polarity: str = BLINKS
    scorer: str = ""
    trim_min: float | None = 30.0
    splits: str = "80/10/10"
    seed: int = DEFAULT_SEED
    split_file: Path | None = None
    folds: int = 0
    subjects: tuple[str, ...] = ()
    corrupt: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    min_quality: float = 0.0
    limit: int = 0
    workers: int = 1
    fetch: FetchConfig | None = None
    part: Part = ALL
    pinned: Pinned | None = None

    def __post_init__(self) -> None:
        if not self.source:
            raise BuildError(
                "no --source; `psgimg sources` lists them, `--source demo` needs no corpus"
            )
        _ = self.corpora  # refuses an unknown corpus
        if self.folds == 1 or self.folds < 0:
            raise BuildError(f"--folds {self.folds}: use 2 or more")
        if not 0 <= self.min_quality <= 1:  # also refuses NaN
            raise BuildError(
                f"--min-quality {self.min_quality:g}: give a share of epochs from 0 to 1, such as 0.5"
            )
        if self.corruptions() and self.folds:
            raise BuildError(
                "--folds does not go with --corrupt: a corrupted twin has the test split only; leave one "
                "of them out"
            )
        if self.varied():
            self._refuse_beside_variants()
        self._refuse_uncovered()

    @cached_property
    def corpora(self) -> tuple[Corpus, ...]:
        """The corpora of ``source``, read once, as a YAML file may change during a build."""
        return registry.corpora(self.source)

    @cached_property
    def listed_subjects(self) -> dict[tuple[str, str], SplitName]:
        """The subjects of the user's split file with their splits: (corpus or "", original name)."""
        own = self.split_file if self.named_split is None else None
        if own is None:
            return {}
        listed = splits.read_published(own)
        if not own.is_dir():
            return listed
        return PublicNames.read(own).originals(listed, f"--split-file {own}")

    @property
    def named_split(self) -> NamedSplit | None:
        """The published split that psgimg brings, if ``split_file`` is its name."""
        return NAMED.get(str(self.split_file)) if self.split_file else None

    def _refuse_beside_variants(self) -> None:
        """Refuse options by which pages of people who are tested on would have variants, or none would."""
        if self.folds:
            raise BuildError(
                f"--folds does not go with {variant_spec.OPTION}: everyone is tested on in some fold, and "
                "pages for testing have no variants; leave one of them out"
            )
        if self.corruptions():
            raise BuildError(
                f"--corrupt does not go with {variant_spec.OPTION}: a corrupted twin has the test split "
                "only, whose pages have no variants; leave one of them out"
            )

    def _refuse_uncovered(self) -> None:
        """Refuse corpora of which a named split lists nobody."""
        if (named := self.named_split) is None:
            return
        names = [corpus.name for corpus in self.corpora]
        if others := [name for name in names if name not in named.corpora]:
            raise BuildError(
                f"--split-file {named.name} assigns nobody of {' and '.join(others)}, only of "
                f"{', '.join(named.corpora)}; build {'it' if len(others) == 1 else 'them'} without it"
            )

    def recipe(self) -> Recipe:
        """Return the recipe. The default montage is that of the corpora if they share it, or AASM."""
        if self.pinned:
            return self.pinned.spec.recipe
        own = {corpus.montage for corpus in self.corpora}
        name = self.montage or (own.pop() if len(own) == 1 else DEFAULT_MONTAGE)
        recipe = Recipe(
            load_montage(name),
            load_style(self.style),
            load_filters(self.filters),
            polarity=self.polarity,
        )
        layout.boxes(recipe.style, recipe.montage)  # refuses a page that is too small for its lanes
        return recipe

    def page_spec(self) -> PageSpec:
        """Return which epochs become pages, and how they are drawn."""
        if self.pinned:
            return self.pinned.spec
        return PageSpec(
            self.recipe(),
            self.scorer,
            self.trim_min,
            self.corruptions(),
            self.min_quality,
            self.varied(),
        )

    def split_policy(self, names: PublicNames | None = None) -> SplitPolicy:
        """Return how subjects, under their public names, are assigned to splits.

        Parameters
        ----------
        names
            The public names; by default those recorded in ``out``.
        """
        if self.pinned:
            return self.pinned.policy
        published = (names or PublicNames.read(self.out)).split(self.listed_subjects)
        shares = splits.parse_shares(self.splits)
        return SplitPolicy(shares, self.seed, published, self.named_split)

    def corruptions(self) -> tuple[Corruption, ...]:
        """Return the corruptions of the raw signals, in order."""
        if self.pinned:
            return self.pinned.spec.corruptions
        corruptions = tuple(map(corruption_spec.parse, self.corrupt))
        if corruptions:
            corruption_spec.check_lanes(corruptions, self.recipe().montage)
        return corruptions

    def varied(self) -> tuple[Variant, ...]:
        """Return the variants of training pages."""
        if self.pinned:
            return self.pinned.spec.variants
        variants = variant_spec.parse(self.variants)
        if variants:
            variant_spec.check_lanes(variants, self.recipe().montage)
        return variants

    def command(self) -> str:
        """Return the command that reproduces these rows, without the names of local folders."""
        if self.pinned:
            return self.pinned.command
        words = ["psgimg", "build"]
        words += [word for name in self.source for word in ("--source", Path(name).name)]
        style_name = Path(self.style).name
        montage_name = Path(self.montage).name
        trim = "none" if self.trim_min is None else f"{self.trim_min:g}"
        options = {
            "--montage": montage_name,
            "--filters": Path(self.filters).name,
            "--style": "" if style_name == "clinical" else style_name,
            "--polarity": "" if self.polarity == BLINKS else self.polarity,
            "--scorer": self.scorer,
            "--trim": "" if trim == "30" else trim,
            "--min-quality": f"{self.min_quality:g}" if self.min_quality else "",
            "--subjects": ",".join(PublicNames.read(self.out).subjects(self.subjects)),
            "--limit": str(self.limit or ""),
            "--splits": "" if self.splits == "80/10/10" else self.splits,
            "--split-file": self.split_file.name if self.split_file else "",
            "--seed": "" if self.seed == DEFAULT_SEED else str(self.seed),
            "--folds": str(self.folds or ""),
        }
        words += [word for pair in options.items() if pair[1] for word in pair]
        words += [word for one in self.corruptions() for word in ("--corrupt", one.spec)]
        for one in variant_spec.to_dict(self.varied()):
            words += [variant_spec.OPTION, one["spec"]]
        return secrets.mask(shlex.join(words))

    def fixed(self) -> Fixed:
        """Return the settings that all rows of a folder must share, whenever they were built."""
        spec, policy = self.page_spec(), self.split_policy()
        fixed: Fixed = {
            "recipe": cast(RecipeJson, spec.recipe.to_dict()),
            "scorer": spec.scorer,
            "trim_min": spec.trim_min,
            "splits": list(policy.shares),
            "seed": policy.seed,
            "published_split": sorted([*key, split] for key, split in policy.published.items()),
        }
        if policy.named:
            fixed["named_split"] = {"name": policy.named.name, "sha256": policy.named.sha256}
        if spec.min_quality:
            fixed["min_quality"] = spec.min_quality
        if spec.corruptions:
            fixed["corruption"] = corruption_spec.to_dict(spec.corruptions)
        if spec.variants:
            fixed["variants"] = variant_spec.to_dict(spec.variants)
        return fixed
