"""Publish: a model goes to the Hub after its training, by the way and the rules of `psgimg push`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psgimg.builder.console import ProgressBar, open_console
from psgimg.builder.release import models
from psgimg.builder.release.visibility import Wish
from psgimg.finetune.models.provenance import Lineage
from rich.console import Console


@dataclass(frozen=True)
class Destination:
    """Where a model is to go, and who may see it: private unless ``--hub-private-repo false``."""

    repo_id: str
    wish: Wish


def destination(training: Any, out: Path, lineage: Lineage) -> Destination | None:
    """Where ``--push-to-hub`` leads, checked before anything is trained; None if it is not wanted.

    Takes the trainer's own push away: it would make the repository public, and send checkpoints.

    Parameters
    ----------
    training
        TRL's arguments.
    lineage
        What the model learns from, and learned from before.

    Raises
    ------
    BuildError
        If the token, the name or the policy would be refused.
    """
    if not training.push_to_hub:
        return None
    training.push_to_hub = False
    wish = Wish(public=training.hub_private_repo is False)
    wanted = Destination(training.hub_model_id or out.resolve().name, wish)
    if training.process_index == 0:
        taught = {"policy": lineage.policy, "corpora": list(lineage.corpora)}
        models.check_ready(wanted.repo_id, wish, taught, Console().print)
    return wanted


def publish(folder: Path, wanted: Destination) -> None:
    """Send a model's folder. Raises BuildError."""
    with ProgressBar(open_console()) as progress:
        models.push(folder, wanted.repo_id, wanted.wish, False, progress, lambda *_: None)
