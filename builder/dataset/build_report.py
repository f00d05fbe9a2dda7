"""Build report: the contents of ``build.json``, counted from the shards that a build has written."""

from __future__ import annotations

import functools
import hashlib
import json
import platform
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Generic

from psgimg.builder import atomic_file
from psgimg.builder.corpora import registry
from psgimg.builder.dataset import build_json, corpus_record, placements, shards
from psgimg.builder.dataset.build_json import (
    BuildFacts,
    BuildJson,
    BuiltRecording,
    CorpusPolicy,
    DatasetFacts,
    FileEntry,
    PolicyName,
    SetAsideEntry,
    ShardEntry,
)
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.dataset.schema import SPLITS, SplitName
from psgimg.builder.dataset.shards import Key
from psgimg.builder.errors import RecordingError
from psgimg.builder.files import bounded
from psgimg.builder.files.hash_cache import HashCache, NewHashes, Stamp
from psgimg.builder.files.quoting import visible
from psgimg.builder.recordings.recording import Policy, Recording
from psgimg.builder.signals import corruption_spec, variant_spec
from typing_extensions import TypeVar

FILE = "build.json"
FOLDS_FILE = "folds.csv"
LIBRARIES = ("psgimg", "numpy", "scipy", "numba", "isal", "edfio", "pyarrow", "datasets")

FactsT_co = TypeVar("FactsT_co", bound=DatasetFacts, default=BuildFacts, covariant=True)


@dataclass(frozen=True, order=True)
class SetAside:
    """A recording that could not be used; ``detail`` is empty for one set aside by an earlier run."""

    corpus: str
    recording: str
    reason: str
    detail: str = ""
    n_pictures: ClassVar[int] = 0

    @property
    def key(self) -> Key:
        """Corpus and recording."""
        return self.corpus, self.recording

    def to_dict(self) -> SetAsideEntry:
        """Return the entry as JSON values."""
        return {
            "corpus": self.corpus,
            "recording": self.recording,
            "reason": self.reason,
            "detail": self.detail,
        }


@dataclass(frozen=True)
class Report(Generic[FactsT_co]):
    """The contents of a ``build.json`` or ``rebuild.json``, with access to its counts."""

    values: FactsT_co

    def n_epochs(
        self, corpus: str | None = None, split: str | None = None, stage: str | None = None
    ) -> int:
        """Return the number of rows, of one corpus, split or stage if given."""
        return sum(
            n
            for name, by_split in self.values["counts"].items()
            for part, by_stage in by_split.items()
            for label, n in by_stage.items()
            if corpus in (None, name) and split in (None, part) and stage in (None, label)
        )

    @property
    def expected_splits(self) -> tuple[SplitName, ...]:
        """The splits that should have rows: one in a corrupted twin, otherwise all."""
        return (corruption_spec.SPLIT,) if corruption_spec.KEY in self.values else SPLITS

    @property
    def n_variants(self) -> int:
        """Number of columns with variants of training pages."""
        return len(self.values["fixed"].get(variant_spec.KEY, []))

    @property
    def empty_splits(self) -> list[SplitName]:
        """The splits without rows."""
        return [split for split in SPLITS if not self.n_epochs(split=split)]


def collect(
    config: BuildConfig,
    set_aside: Sequence[SetAside],
    split_of: Mapping[Key, SplitName],
    new: NewHashes | None = None,
) -> Report:
    """Return the report of the dataset in ``config.out``.

    Parameters
    ----------
    new
        Hashes of the shards that this run has written; others are read, unless their hash is known.
    """
    done = shards.finished(config.out)
    recordings: list[BuiltRecording] = [
        {**done[key].facts, "split": split_of[key]} for key in sorted(split_of)
    ]
    before = read_earlier(config.out)
    aside = _merged(config, set_aside, done, before)
    names = sorted({fact["corpus"] for fact in recordings} | {entry["corpus"] for entry in aside})
    fixed, (n_folds, kept) = config.fixed(), placements.for_build(config, before)
    by_shares = not config.split_policy().is_listed
    records = corpus_record.records(config.corpora, before)
    packages = corpus_record.packages(records[name] for name in names)
    versions = {name: version(name) for name in LIBRARIES}
    libraries = versions | corpus_record.versions(packages, before)
    return Report(
        {
            "psgimg": version("psgimg"),
            "versions": {"python": platform.python_version(), **libraries},
            "command": "\n".join(_commands(config, before)),
            "recipe": fixed["recipe"],
            "recipe_hash": config.recipe().hash,
            "fixed": fixed,
            **build_json.corrupted(fixed),
            "folds": n_folds,
            "placements": placements.record(recordings, kept, n_folds, fixed["seed"], by_shares),
            "parted": placements.parted(recordings),
            "policy": strictest({name: records[name] for name in names}),
            "corpora": {
                name: {**records[name], **corpus_record.found(name, recordings, aside)}
                for name in names
            },
            "counts": {name: corpus_record.counts(name, recordings) for name in names},
            "left_out": {name: corpus_record.left_out(name, recordings) for name in names},
            "recordings": recordings,
            "set_aside": aside,
            "shards": _shards(config.out, new or NewHashes()),
        }
    )


def write(out: Path, report: Report, beside: Sequence[str]) -> None:
    """Write ``build.json``, without details that quote files, and ``folds.csv`` if requested.

    Parameters
    ----------
    beside
        Paths in ``out`` of the files beside the shards: card, Croissant file and pictures.
    """
    names = list(beside)
    if report.values["folds"]:
        atomic_file.write_text(out / FOLDS_FILE, placements.folds_text(report.values))
        names.append(FOLDS_FILE)
    listed = {name: entry((out / name).read_bytes()) for name in sorted(names)}
    atomic_file.write_text(out / FILE, text({**_recorded(report), "files": listed}))


def is_described(out: Path, report: Report) -> bool:
    """Return whether the files beside the shards are those of a report, so that none need be written."""
    earlier = read_earlier(out) if (out / FILE).exists() else None
    if earlier is None:
        return False
    before: dict[str, Any] = {**earlier}
    files = before.pop("files")
    return before == _recorded(report) and all(
        (out / name).is_file() and entry((out / name).read_bytes()) == recorded
        for name, recorded in files.items()
    )


def _recorded(report: Report) -> dict[str, Any]:
    """Return what ``build.json`` has of a report, without details that quote files."""
    aside = build_json.without_details(report.values["set_aside"])
    return {**report.values, "set_aside": aside}


def entry(data: bytes) -> FileEntry:
    """Return the entry of a file in ``files``."""
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def text(values: Mapping[str, object]) -> str:
    """Return JSON values as the text of a file of a dataset."""
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def set_aside_for(recording: Recording, error: Exception) -> SetAside:
    """Return the entry of a recording set aside for an error, expected or not.

    The text of a system error contains whole paths; here it does not.
    """
    name = visible(recording.recording)
    if isinstance(error, RecordingError):
        return SetAside(recording.corpus, name, error.reason, visible(error.detail))
    message = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
    detail = f"{recording.signal.name}: {type(error).__name__}: {message}; please report it"
    return SetAside(recording.corpus, name, "unexpected error", visible(detail))


def read(out: Path) -> BuildJson:
    """Read the ``build.json`` of a folder without checking it; see ``build_schema.check``."""
    values: BuildJson = bounded.read_json(out / FILE, bounded.REPORT)
    return values


def nothing_built(set_aside: Sequence[SetAside]) -> str:
    """Return the one-line message for a build in which no recording could be used."""
    reasons = Counter(entry.reason for entry in set_aside)
    if not set_aside:
        return "no recording to build; `psgimg check` with the same options lists what was examined"
    listed = ", ".join(f"{reason} ({n})" for reason, n in reasons.most_common())
    return f"nothing to build: every recording was set aside: {listed}. For example, {min(set_aside).detail}"


def _merged(
    config: BuildConfig,
    set_aside: Sequence[SetAside],
    done: Collection[Key],
    before: BuildJson | None,
) -> list[SetAsideEntry]:
    """Return the recordings set aside by this run, and by earlier runs if not examined again."""
    examined = {(entry.corpus, entry.recording) for entry in set_aside} | set(done)
    partly = bool(config.subjects or config.limit)
    sources = {corpus.name for corpus in config.corpora}
    kept = [
        SetAside(entry["corpus"], entry["recording"], entry["reason"])
        for entry in (before["set_aside"] if before else [])
        if (entry["corpus"], entry["recording"]) not in examined
        and (partly or entry["corpus"] not in sources)
    ]
    return [entry.to_dict() for entry in sorted({*set_aside, *kept})]


def read_earlier(out: Path) -> BuildJson | None:
    """Read the ``build.json`` of an earlier run, once; None if there is none."""
    path = earlier_file(out)
    return _read(path, Stamp.of(path.stat())) if path.exists() else None


@functools.lru_cache(maxsize=1)
def _read(path: Path, stamp: Stamp) -> BuildJson:
    del stamp  # a changed file is read again
    return read(path.parent)


def earlier_file(out: Path) -> Path:
    """Return where the ``build.json`` of an earlier run is, if any; publishing moves it away."""
    withdrawn = out / shards.STATE / FILE
    return withdrawn if withdrawn.exists() and not (out / FILE).exists() else out / FILE


def _commands(config: BuildConfig, before: BuildJson | None) -> list[str]:
    """Return the commands that built the folder; several if it was extended."""
    earlier = before["command"].splitlines() if before else []
    return earlier if config.command() in earlier else [*earlier, config.command()]


def strictest(corpora: Mapping[str, CorpusPolicy]) -> PolicyName:
    """Return the policy of a dataset, given the entries of its corpora in ``build.json``.

    It is open only if the registry of psgimg also lists every corpus as open.
    """
    is_open = all(registry.is_open(name, entry["policy"]) for name, entry in corpora.items())
    return Policy.OPEN.value if is_open else Policy.RESTRICTED.value


def _shards(out: Path, new: NewHashes) -> list[ShardEntry]:
    cache = HashCache.load()
    return [
        {
            "path": path.relative_to(out).as_posix(),
            "corpus": path.parent.name,
            "split": next(split for split in SPLITS if path.name.startswith(f"{split}-")),
            "rows": shards.n_rows(path),
            "bytes": path.stat().st_size,
            "sha256": new.get(path) or cache.sha256(path),
        }
        for path in sorted((out / shards.DATA).rglob("*.parquet"))
        if shards.has_footer(path)  # no file that was put there meanwhile
    ]
