"""Publishing: finished recordings become shards, with card, contact sheet, Croissant file and report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from psgimg.builder import atomic_file
from psgimg.builder.building import shard_files, shard_plan
from psgimg.builder.building.planning import Plan
from psgimg.builder.card import croissant, dataset_card, terms_files, variant_sheet
from psgimg.builder.dataset import build_report, own_files, placements, shards
from psgimg.builder.dataset.build_report import Report, SetAside
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.dataset.schema import SplitName
from psgimg.builder.dataset.shards import Done, Key
from psgimg.builder.errors import BuildError
from psgimg.builder.signals import variant_spec
from psgimg.builder.tasks import same_signal


def prepare() -> None:
    """Do what every publishing needs; may be called again."""
    dataset_card.prepare()


def publish(
    plan: Plan, set_aside: Sequence[SetAside], hashes: Mapping[str, str] = MappingProxyType({})
) -> Report:
    """Combine the finished recordings into shards, and write card, Croissant file and report.

    Parameters
    ----------
    hashes
        SHA-256 of shards that are written already, by name; see ``early_shards``.

    Raises
    ------
    BuildError
        If every recording was set aside.
    """
    config = plan.config
    done, twins = _without_twins(shards.finished(config.out), plan.ranks)
    set_aside = [*set_aside, *twins]
    if not done:
        raise BuildError(build_report.nothing_built(set_aside))
    facts = [one.facts for one in done.values()]
    split_of = placements.of_recordings(facts, plan.planned.placed, plan.policy)
    kept = [_of_split(one, split_of[key]) for key, one in done.items()]
    new = shard_files.publish(config.out, shard_plan.plan(kept, split_of), hashes)
    report = build_report.collect(config, set_aside, split_of, new)
    if not build_report.is_described(config.out, report):
        _describe(config, report)
    new.remember(wait=True)
    return report


def _of_split(done: Done, split: SplitName) -> Done:
    """Return a recording without variants of its pages, unless they are for training.

    It may have them if people came in while a build was interrupted, and it can't be drawn again.
    """
    if split == variant_spec.SPLIT or "variants" not in done.facts:
        return done
    facts = done.facts.copy()
    del facts["variants"]
    return replace(done, facts=facts)


def _describe(config: BuildConfig, report: Report) -> None:
    """Write card, Croissant file, terms and ``build.json``, the last of all."""
    own_files.begin(config.out, beside())
    dataset_card.write(config.out, report)
    described = build_report.text(croissant.croissant(report.values))
    atomic_file.write_text(config.out / croissant.FILE, described)
    for name, text in terms_files.texts(report.values).items():
        atomic_file.write_text(config.out / name, text)
    build_report.write(config.out, report, _companions(config.out))


def _without_twins(
    done: Mapping[Key, Done], ranks: Mapping[Key, int]
) -> tuple[dict[Key, Done], list[SetAside]]:
    """Return the finished recordings without second names of a signal, and those set aside.

    What was drawn in an earlier run under a name that is no longer on disk precedes what this run
    draws under another name.

    Parameters
    ----------
    ranks
        Order of the recordings that this run has added.
    """
    first: dict[str, Key] = {}
    twins = []
    for key in sorted(done, key=lambda key: (ranks.get(key, -1), key)):
        other = first.setdefault(done[key].facts["signal"], key)
        if other != key:
            error = same_signal(key[1], other[1])
            twins.append(SetAside(*key, error.reason, error.detail))
    dropped = {entry.key for entry in twins}
    return {key: one for key, one in done.items() if key not in dropped}, twins


def beside() -> list[str]:
    """Return the paths of all files that a build may write beside the shards."""
    reports = [build_report.FILE, build_report.FOLDS_FILE, croissant.FILE, *terms_files.FILES]
    pictures = [dataset_card.SHEET, variant_sheet.FILE, *dataset_card.picture_files()]
    return [*reports, dataset_card.FILE, *pictures]


def _companions(out: Path) -> list[str]:
    """Return the paths of the files beside the shards: card, Croissant file, terms and pictures."""
    possible = [variant_sheet.FILE, *dataset_card.picture_files()]
    pictures = [name for name in possible if (out / name).exists()]
    return [dataset_card.FILE, dataset_card.SHEET, croissant.FILE, *terms_files.FILES, *pictures]
