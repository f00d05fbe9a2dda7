"""Publish: push a model to the Hub after training, under the rules of `psgimg push`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psgimg.builder.console import ProgressBar, open_console
from psgimg.builder.release import models
from psgimg.builder.release.transfer import Transfer
from psgimg.builder.release.visibility import Wish
from psgimg.finetune.models.provenance import Lineage


@dataclass(frozen=True)
class Destination:
    """Repository of a model, and its visibility: private unless ``--hub-private-repo false``."""

    repo_id: str
    wish: Wish


def destination(training: Any, out: Path, lineage: Lineage) -> Destination | None:
    """Return where ``--push-to-hub`` publishes, checked before training; None without the option.

    Disables the trainer's own push, which would make the repository public and upload checkpoints.

    Parameters
    ----------
    training
        TRL's arguments; ``push_to_hub`` is set to False.
    lineage
        All data the model is and was trained on.

    Raises
    ------
    BuildError
        If the token is missing, the name is invalid or the policy forbids it.
    """
    if not training.push_to_hub:
        return None
    training.push_to_hub = False
    wish = Wish(public=training.hub_private_repo is False)
    result = Destination(training.hub_model_id or out.resolve().name, wish)
    if training.process_index == 0:
        terms = {
            "policy": lineage.policy,
            "corpora": list(lineage.corpora),
            "subjects": list(lineage.subjects),
        }
        models.check_ready(result.repo_id, wish, terms, open_console().print)
    return result


def publish(folder: Path, destination: Destination | None) -> None:
    """Push a model folder to the Hub, if it has a destination.

    Raises
    ------
    BuildError
        If the Hub or the policy of the corpora refuses it.
    """
    if destination is None:
        return
    with ProgressBar(open_console()) as progress:

        def show(transfer: Transfer, left: tuple[str, ...]) -> None:
            progress.note(
                f"{transfer.repo.address} ({transfer.visibility}): {len(transfer.send)} files to send"
            )
            if left:
                progress.note(f"stays here: {', '.join(left)}")

        models.push(folder, destination.repo_id, destination.wish, False, progress, show)
