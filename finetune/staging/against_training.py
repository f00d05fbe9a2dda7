"""Against training: whether a night has the lanes and epochs of the pages that a model was trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from psgimg.builder.errors import BuildError
from psgimg.builder.signals.epoching import PAGE_S
from psgimg.builder.unscored_night import UnscoredNight
from psgimg.finetune.lanes import pattern
from psgimg.finetune.lanes.seen import described, unseen
from psgimg.finetune.models.manifest import ModelFolder


@dataclass(frozen=True)
class Differences:
    """What differs between a night and the pages of a training.

    Parameters
    ----------
    unseen_lanes
        The absent lanes ("" for none) if the model was never shown pages without just these; else None.
    notes
        Notices for the user, a line each.
    """

    unseen_lanes: str | None
    notes: tuple[str, ...]


def epoch_s(trained: ModelFolder) -> float:
    """Return the length of the epochs to stage where no scoring gives it: that which was learned."""
    return PAGE_S if PAGE_S in trained.epochs_s else trained.epochs_s[0]


def check(
    night: UnscoredNight, trained: ModelFolder, model: str, *, any_lanes: bool
) -> Differences:
    """Compare a night with what a model was trained on.

    Parameters
    ----------
    model
        Name of the model, for messages.
    any_lanes
        Go on if the model was never shown pages with just the night's lanes.

    Raises
    ------
    BuildError
        If it was not, unless ``any_lanes``; or if its epochs had another length.
    """
    if night.grid.epoch_s not in trained.epochs_s:
        learned = " or ".join(f"{length_s:g}" for length_s in trained.epochs_s)
        raise BuildError(
            f"--scoring: its epochs last {night.grid.epoch_s:g} s, those that {model} learned {learned} "
            "s; use a model trained on such epochs, or leave --scoring out"
        )
    lanes = [lane.name for lane in night.recipe.montage.lanes]
    drawn = [derivation.name if derivation else None for derivation in night.derivations]
    notes = list(_derivations(lanes, drawn, trained))
    absent = pattern.names(lanes, pattern.absent(drawn))
    if trained.lanes.has(absent):
        return Differences(None, tuple(notes))
    names = ", ".join(absent)
    told = unseen(f"{night.path.name} is {described(names)}", model, trained.lanes)
    if not any_lanes:
        raise BuildError(
            f'{told}; give their channels with --channel LANE="LABEL", train a model with `psgimg sft '
            "--augment lanes`, or pass --any-lanes, which marks every epoch for review"
        )
    return Differences(names, (*notes, f"{told}: every epoch is marked for review"))


def _derivations(lanes: list[str], drawn: list[str | None], trained: ModelFolder) -> Iterator[str]:
    """Yield a note on derivations that no training page showed in their lane."""
    new = [f"{name} in lane {lane}" for lane, name in trained.lanes.new_derivations(lanes, drawn)]
    if new:
        yield f"the night shows derivations that no training page did: {', '.join(new)}"
