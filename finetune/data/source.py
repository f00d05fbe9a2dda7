"""Source: locates the shards of a dataset split, in a folder or downloaded from the Hub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from psgimg.builder.dataset import build_report, build_schema
from psgimg.builder.dataset.build_json import BuildJson, ShardEntry
from psgimg.builder.dataset.json_form import FormError
from psgimg.builder.dataset.schema import SPLITS
from psgimg.builder.errors import BuildError
from psgimg.builder.files import safe_names
from psgimg.finetune import hub
from psgimg.finetune.data import folds
from psgimg.finetune.data.folds import Fold

ALL = "all"
"""Name of the default config, which contains all corpora of a dataset."""


@dataclass(frozen=True)
class Source:
    """One config and split of a dataset on disk.

    Parameters
    ----------
    name
        Folder or Hub id, as passed by the user.
    config
        Name of a corpus, or ``all``.
    revision
        Commit on the Hub; None for a folder.
    build
        Contents of ``build.json``.
    shards
        Path and number of rows of each shard, in order.
    fold
        With a fold of a cross-validation, ``split`` is a part of it, and the shards are those of all
        splits.
    """

    name: str
    config: str
    split: str
    revision: str | None
    build: BuildJson
    shards: tuple[tuple[Path, int], ...]
    fold: Fold | None = None

    @property
    def splits(self) -> list[str]:
        """The splits of the config that have pages, or the parts of the fold."""
        if self.fold:
            return list(self.fold.parts(_subjects(self.build, self.config)))
        shards = _of_config(self.name, self.build["shards"], self.config)
        return list(_splits(shards))

    @cached_property
    def epochs_s(self) -> dict[tuple[str, str], float]:
        """Length of the epochs in seconds, by corpus and recording."""
        return {
            (fact["corpus"], fact["recording"]): float(fact["epoch_s"])
            for fact in self.build["recordings"]
        }

    @property
    def hashes(self) -> list[str]:
        """SHA-256 of the shards whose rows can be in the split."""
        shards = self.build["shards"]
        return [s["sha256"] for s in shards if self.fold or s["split"] == self.split]

    def has(self, corpus: str, subject: str) -> bool:
        """Whether the pages of a subject in the shards belong to the split."""
        return self.fold is None or self.fold.part(corpus, subject) == self.split

    def __str__(self) -> str:
        fold = f"fold {self.fold.number}, " if self.fold else ""
        return f"{self.name}, {fold}split {self.split}"


def find(
    dataset: str,
    config: str | None,
    split: str,
    revision: str | None = None,
    fold: int | None = None,
) -> Source:
    """Locate a split of a dataset; from the Hub, only its shards are downloaded.

    Parameters
    ----------
    dataset
        A folder written by `psgimg build`, or the id of a dataset on the Hub.
    config
        Name of a corpus; None means all.
    revision
        Branch, tag or commit on the Hub; None means the newest.
    fold
        Fold of a cross-validation, of which ``split`` is then a part; None for the splits as built.

    Raises
    ------
    BuildError
        If there is no such dataset, it is incomplete or was not built by psgimg, or it has no such
        config, split or fold; the message lists the existing ones.
    """
    commit, path = _located(dataset, revision)
    build = _build(dataset, path)
    corpus = ALL if config is None else config
    chosen = None if fold is None else _fold(dataset, commit, path, build, fold)
    if chosen is None:
        selected = _select(dataset, build["shards"], corpus, split)
    else:
        selected = _of_fold(dataset, build, corpus, split, chosen)
    if commit is None:
        safe_names.refuse_links(path.parent, [name for name, _ in selected])
    root = path.parent if commit is None else _fetch(dataset, commit, [p for p, _ in selected])
    for name, _ in selected:
        if not (root / name).is_file():
            raise BuildError(f"{dataset}: {name} is missing; build or push the dataset again")
    shards = tuple((root / name, n_rows) for name, n_rows in selected)
    return Source(dataset, corpus, split, commit, build, shards, chosen)


def splits(
    dataset: str, config: str | None, revision: str | None = None, fold: int | None = None
) -> tuple[str, ...]:
    """Return the splits, or parts of a fold, of which a config of a dataset has pages.

    Nothing but its report, and its folds, is read.

    Raises
    ------
    BuildError
        If there is no such dataset, it was not built by psgimg, or it has no such config or fold.
    """
    commit, path = _located(dataset, revision)
    build = _build(dataset, path)
    corpus = ALL if config is None else config
    own = _of_config(dataset, build["shards"], corpus)
    if fold is None:
        return _splits(own)
    return _fold(dataset, commit, path, build, fold).parts(_subjects(build, corpus))


def _fold(dataset: str, commit: str | None, path: Path, build: BuildJson, number: int) -> Fold:
    """Read a fold of a dataset, given the path of its report."""
    name = build_report.FOLDS_FILE
    if name not in build["files"] or (commit is None and not (path.parent / name).is_file()):
        raise BuildError(
            f"--fold {number}: {dataset} has no {name}; build it with --folds K, such as --folds 5"
        )
    root = path.parent if commit is None else _fetch(dataset, commit, [name])
    return folds.read(root / name, number, build, dataset)


def _of_fold(
    dataset: str, build: BuildJson, config: str, split: str, fold: Fold
) -> list[tuple[str, int]]:
    """Return path and number of rows of all shards of a config, if a part of a fold has pages."""
    shards = _of_config(dataset, build["shards"], config)
    parts = fold.parts(_subjects(build, config))
    if split not in parts:
        raise BuildError(
            f"fold {fold.number} of {dataset} has no {split!r} pages; it has {', '.join(parts)}"
        )
    return [(shard["path"], shard["rows"]) for shard in shards]


def _subjects(build: BuildJson, config: str) -> set[tuple[str, str]]:
    """Return corpus and name of the subjects of a config."""
    facts = build["recordings"]
    return {(f["corpus"], f["subject"]) for f in facts if config in (ALL, f["corpus"])}


def _located(dataset: str, revision: str | None) -> tuple[str | None, Path]:
    """Return the commit of a dataset on the Hub, None for a folder, and the path of its report."""
    hub.require(dataset, "dataset", revision)
    folder = hub.folder(dataset)
    if folder is None:
        path = _fetch(dataset, revision, [build_report.FILE]) / build_report.FILE
        return path.parent.name, path
    if revision is not None:
        raise BuildError(f"revision {revision}: {dataset} is a folder; leave the revision out")
    return None, folder / build_report.FILE


def _build(dataset: str, path: Path) -> BuildJson:
    """Read and check ``build.json``, whose recipe and policy a model inherits."""
    if not path.is_file():
        raise BuildError(
            f"{dataset} has no {build_report.FILE}; use a finished folder of `psgimg build`, or a "
            "dataset published by `psgimg push`"
        )
    try:
        values = build_schema.check(build_report.read(path.parent))
    except FormError as wrong:
        raise BuildError(
            f"{path} is damaged or was written by another version of psgimg ({wrong}); build the dataset again"
        ) from wrong
    except (OSError, ValueError) as error:
        raise BuildError(f"{path} is damaged ({hub.line(error)}); build it again") from error
    # Whatever the file states, a corpus not known to be open is restricted.
    return {**values, "policy": build_report.strictest(values["corpora"])}


def _select(
    dataset: str, shards: Sequence[ShardEntry], config: str, split: str
) -> list[tuple[str, int]]:
    """Return path and number of rows of the shards of a config and split."""
    own = _of_config(dataset, shards, config)
    if split not in _splits(own):
        raise BuildError(f"{dataset} has no split {split!r}; it has {', '.join(_splits(own))}")
    return [(shard["path"], shard["rows"]) for shard in own if shard["split"] == split]


def _of_config(dataset: str, shards: Sequence[ShardEntry], config: str) -> list[ShardEntry]:
    """Return the shards of a config."""
    configs = sorted({shard["corpus"] for shard in shards})
    if config not in (ALL, *configs):
        raise BuildError(f"{dataset} has no corpus {config!r}; it has {', '.join((ALL, *configs))}")
    return [shard for shard in shards if config in (ALL, shard["corpus"])]


def _splits(shards: Sequence[ShardEntry]) -> tuple[str, ...]:
    """Return the splits of some shards, in the usual order."""
    return tuple(name for name in SPLITS if any(shard["split"] == name for shard in shards))


def _fetch(dataset: str, revision: str | None, paths: list[str]) -> Path:
    """Download files of a dataset on the Hub, unless cached, and return its local folder."""
    import httpx2
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        fetched = [
            Path(hf_hub_download(dataset, path, repo_type="dataset", revision=revision))
            for path in paths
        ]
    except (HfHubHTTPError, httpx2.HTTPError, ValueError, OSError) as error:
        # Without the cause on purpose: it may hold the request with the token.
        raise BuildError(_hub_error(dataset, revision, error)) from None
    return fetched[0].parents[paths[0].count("/")]


def _hub_error(dataset: str, revision: str | None, error: Exception) -> str:
    """Return a one-line message for a failed download, with the remedy."""
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    if isinstance(error, EntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError):
        return f"{dataset} is incomplete or was not built by psgimg: {hub.line(error)}"
    return hub.refusal(dataset, "dataset", revision, error)
