"""Models: a folder that `psgimg sft` wrote, on the Hub, by the rules of a dataset's release.

Knows of a model only its files: what it learned from, and so who may see it, stands in
``psgimg.json``.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psgimg.builder import atomic_file
from psgimg.builder.errors import BuildError
from psgimg.builder.progress import BYTES, Progress
from psgimg.builder.recordings.recording import Policy
from psgimg.builder.release.audit import MACHINE_PATH
from psgimg.builder.release.hub import GIT, Hub, Repo, State, quiet
from psgimg.builder.release.retry import Told
from psgimg.builder.release.transfer import Transfer, carry_out, compare
from psgimg.builder.release.visibility import FORMERLY, Standing, Wish, decide, restricted_corpora
from psgimg.builder.render.recipe import digest

FILE = "psgimg.json"
CARD = "README.md"
WEIGHTS = ".safetensors"
SENT = (WEIGHTS, ".json", ".jinja", ".txt", ".model", ".md", ".png", ".yaml")
"""What a model's folder publishes; a checkpoint, an optimizer and pickled arguments stay here."""

ASKED = "asked.json"
"""What an interrupted training is compared with when it goes on; of no use to others."""

UNNAMED = "a corpus that psgimg.json does not name"

TOLD = (FILE, CARD, "training.json", "config.json", "adapter_config.json")
"""Files that could name a folder of the machine that trained."""


@dataclass(frozen=True)
class Pushed:
    """A model as it now stands on the Hub."""

    transfer: Transfer
    commit: str


def is_model(folder: Path) -> bool:
    """Whether a folder is one of `psgimg sft`, not of `psgimg build`."""
    return (folder / FILE).is_file()


def check_ready(repo_id: str, wish: Wish, values: Mapping[str, Any], told: Told) -> None:
    """Refuse at once what would be refused after hours of training: policy, token, name."""
    decide(repo_id, wish, restricted(values), None)
    repo = Hub(told).repo(repo_id, "model")
    decide(repo.id, wish, restricted(values), _standing(repo, repo.state()))


def push(
    folder: Path,
    repo_id: str,
    wish: Wish,
    dry_run: bool,
    progress: Progress,
    show: Callable[[Transfer, tuple[str, ...]], None],
) -> Pushed | None:
    """Publish a model; None after a dry run. A model is as secret as what it learned from.

    Parameters
    ----------
    show
        Called with what is going to be sent where, and the names of files that are not, before the
        first write.

    Raises
    ------
    BuildError
        If anything is not as it must be; nothing is then published.
    """
    quiet()
    progress.start("checking the folder")
    values = audit(folder)
    progress.start("asking the Hub")
    repo = Hub(progress.note).repo(repo_id, "model")
    state = repo.state()
    visibility = decide(repo.id, wish, restricted(values), _standing(repo, state))
    sources = {path.name: path for path in _published(folder)}
    transfer = compare(repo, state, visibility, sources)
    left = tuple(sorted(path.name for path in folder.iterdir() if path.name not in sources))
    show(transfer, left)
    if dry_run:
        return None
    progress.start("preparing the repository")
    repo.prepare(visibility)
    progress.start("sending", transfer.n_bytes, BYTES)
    commit = carry_out(transfer, f"psgimg: model {_digest(folder)}", progress.advance)
    progress.start("comparing")
    again = compare(repo, repo.state(), visibility, sources)
    if again.send:
        raise BuildError(
            f"{repo.id}: {again.send[0].path} is not there as it was sent; run the same command again"
        )
    if visibility.public and not (state and state.public):
        repo.publish(visibility, commit)
    return Pushed(transfer, commit)


def audit(folder: Path) -> Mapping[str, Any]:
    """What ``psgimg.json`` of a model's folder says.

    Raises
    ------
    BuildError
        If the folder is not whole, or names folders of this machine.
    """
    values = _values(folder / FILE)
    names = {path.name for path in _published(folder)}
    if not any(name.endswith(WEIGHTS) for name in names):
        raise BuildError(f"{folder} has no weights (*{WEIGHTS}); let `psgimg sft` run to its end")
    if CARD not in names:
        raise BuildError(f"{folder} has no {CARD}; let `psgimg sft` run to its end")
    _check_base(folder / "adapter_config.json")
    for path in _published(folder):
        if path.name in TOLD:
            found = MACHINE_PATH.search(path.read_text(encoding="utf-8"))
            if found:
                raise BuildError(
                    f"{path} names a folder of this machine, {found.group(1)!r}; take that out"
                )
    return values


def _check_base(path: Path) -> None:
    """Refuse adapters whose base nobody else has."""
    if not path.is_file():
        return
    try:
        base = str(json.loads(path.read_text(encoding="utf-8"))["base_model_name_or_path"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(
            f"{path} is damaged ({error}); take it as `psgimg sft` wrote it"
        ) from error
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", base):
        raise BuildError(
            f"{path}: its base model {base!r} is a folder of this machine, which nobody else has; "
            "`psgimg merge` first, and push what it writes"
        )


def restricted(values: Mapping[str, Any]) -> frozenset[str]:
    """The restricted corpora that a model learned from; unknown ones count as restricted."""
    corpora = values["corpora"] or (UNNAMED,)
    known = restricted_corpora({name: {"policy": Policy.OPEN.value} for name in corpora})
    secret = values["policy"] != Policy.OPEN.value
    return known or frozenset(corpora if secret else ())


def _values(path: Path) -> Mapping[str, Any]:
    try:
        values: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        _ = values["policy"], values["corpora"]
        known = digest(values["recipe"]) == values["recipe_hash"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(
            f"{path} is damaged ({error}); take it as `psgimg sft` wrote it"
        ) from error
    if not known:
        raise BuildError(f"{path}: its recipe was changed; take it as `psgimg sft` wrote it")
    return values


def _published(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and path.suffix in SENT and path.name != ASKED
    )


def _standing(repo: Repo, state: State | None) -> Standing | None:
    """How a repository stands. Its history still loads: what was gated once counts as secret."""
    if state is None:
        return None
    bare = state.is_bare or (FILE in state.files and not state.gate)
    held = frozenset() if bare else frozenset({FORMERLY})
    if FILE in state.files:
        with tempfile.TemporaryDirectory() as folder:
            repo.read_json(FILE, state.head, Path(folder))
            held = restricted(_values(Path(folder) / FILE)) or held
    elif set(state.files) - {GIT}:
        raise BuildError(
            f"{repo.id} holds files that psgimg did not make; choose another --repo-id, or delete them "
            "there"
        )
    return Standing(state.public, held)


def _digest(folder: Path) -> str:
    return atomic_file.sha256(folder / FILE)[:16]
