"""Models: publish a folder written by `psgimg sft` on the Hub, under the rules of a dataset.

Only the files of a model matter here: ``psgimg.json`` states the corpora it was trained on, which
determine its visibility.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from psgimg.builder import atomic_file
from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded, safe_names
from psgimg.builder.progress import BYTES, Progress
from psgimg.builder.recordings.recording import Policy
from psgimg.builder.release.audit import MACHINE_PATH
from psgimg.builder.release.hub import GIT, Hub, Repo, State, quiet
from psgimg.builder.release.retry import Notify
from psgimg.builder.release.transfer import Transfer, carry_out, compare
from psgimg.builder.release.visibility import FORMERLY, Standing, Wish, decide, restricted_corpora
from psgimg.builder.render.recipe import digest

FILE = "psgimg.json"
CARD = "README.md"
WEIGHTS = ".safetensors"
SENT = re.compile(
    r".+\.(safetensors|safetensors\.index\.json|jinja|model)|\w*config\.json"
    r"|(psgimg|training|tokenizer|vocab|added_tokens|special_tokens_map|chat_template)\.json"
    r"|(merges|vocab)\.txt|README\.md|training\.png"
)
"""Names of published files: those of a model. Checkpoints, pickled arguments, and notes, predictions
and other files that a user keeps in the folder stay local.
"""

UNNAMED = "a corpus that psgimg.json does not name"

VOCABULARY = ("tokenizer.json", "vocab.json")
"""Files whose texts are no paths, whatever they look like."""


@dataclass(frozen=True)
class Pushed:
    """A published model."""

    transfer: Transfer
    commit: str


def is_model(folder: Path) -> bool:
    """Whether a folder was written by `psgimg sft` rather than `psgimg build`."""
    return (folder / FILE).is_file()


def check_ready(repo_id: str, wish: Wish, values: Mapping[str, Any], notify: Notify) -> None:
    """Refuse before the training what would be refused after it: policy, token, name."""
    decide(repo_id, wish, restricted(values), None)
    repo = Hub(notify).repo(repo_id, "model")
    decide(repo.id, wish, restricted(values), _standing(repo, repo.state()))


def push(
    folder: Path,
    repo_id: str,
    wish: Wish,
    dry_run: bool,
    progress: Progress,
    show: Callable[[Transfer, tuple[str, ...]], None],
) -> Pushed | None:
    """Publish a model, under the same restrictions as its training data; None after a dry run.

    Parameters
    ----------
    show
        Called before the first write with the transfer and the names of files that stay local.

    Raises
    ------
    BuildError
        If any check fails; nothing is published then.
    """
    quiet()
    progress.start("checking the folder")
    values = audit(folder)
    progress.start("querying the Hub")
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
            f"{repo.id}: {again.send[0].path} differs from the file sent; run the same command again"
        )
    if visibility.public and not (state and state.public):
        repo.publish(visibility, commit)
    return Pushed(transfer, commit)


def audit(folder: Path) -> Mapping[str, Any]:
    """Check a model's folder; return the contents of its ``psgimg.json``.

    Raises
    ------
    BuildError
        If the folder is incomplete, or contains paths of this machine.
    """
    values = _values(folder / FILE)
    names = {path.name for path in _published(folder)}
    safe_names.refuse_links(folder, names)
    if not any(name.endswith(WEIGHTS) for name in names):
        raise BuildError(f"{folder} has no weights (*{WEIGHTS}); run `psgimg sft` to completion")
    if CARD not in names:
        raise BuildError(f"{folder} has no {CARD}; run `psgimg sft` to completion")
    _check_base(folder / "adapter_config.json")
    for path in _published(folder):
        if path.suffix in (".json", ".md") and path.name not in VOCABULARY:
            match = MACHINE_PATH.search(path.read_text(encoding="utf-8"))
            if match:
                raise BuildError(
                    f"{path} contains a path of this machine, {match.group(1)!r}; remove it"
                )
    return values


def _check_base(path: Path) -> None:
    """Refuse adapters whose base model is not on the Hub."""
    if not path.is_file():
        return
    try:
        base = str(bounded.read_json(path)["base_model_name_or_path"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(
            f"{path} is damaged ({error}); restore the file written by `psgimg sft`"
        ) from error
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", base):
        raise BuildError(
            f"{path}: its base model {base!r} is a folder of this machine, which nobody else has; run "
            "`psgimg merge` first and push the result"
        )


def restricted(values: Mapping[str, Any]) -> frozenset[str]:
    """Return the restricted corpora in a model's training data.

    Today's table of corpora decides. What is not stated as `psgimg sft` states it counts as
    restricted: no corpora, no subjects, or a policy that contradicts the corpora.
    """
    corpora = values["corpora"]
    if not _is_list_of_text(corpora) or not _is_list_of_text(values.get("subjects", corpora)):
        return frozenset({UNNAMED})
    by_name = restricted_corpora({name: {"policy": Policy.OPEN.value} for name in corpora})
    return by_name or frozenset(() if values["policy"] == Policy.OPEN.value else corpora)


def _is_list_of_text(value: object) -> TypeGuard[Sequence[str]]:
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and all(isinstance(one, str) and one for one in value)
    )


def _values(path: Path) -> Mapping[str, Any]:
    try:
        values: Mapping[str, Any] = bounded.read_json(path)
        _ = values["policy"], values["corpora"], values["subjects"]
        unchanged = digest(values["recipe"]) == values["recipe_hash"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(
            f"{path} is damaged ({error}); restore the file written by `psgimg sft`"
        ) from error
    if not unchanged:
        raise BuildError(
            f"{path}: its recipe was changed; restore the file written by `psgimg sft`"
        )
    return values


def _published(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and SENT.fullmatch(path.name))


def _standing(repo: Repo, state: State | None) -> Standing | None:
    """Return a repository's standing; its history can still be loaded, so former gating counts."""
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
            f"{repo.id} contains files not written by psgimg; choose another --repo-id, or delete them "
            "there"
        )
    return Standing(state.public, held)


def _digest(folder: Path) -> str:
    return atomic_file.sha256(folder / FILE)[:16]
