"""Report: what a build did, counted from the shards it left. ``build.json`` is this, whole."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import platform
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

from psgimg.builder import atomic_file
from psgimg.builder.corpora import registry
from psgimg.builder.dataset import corpus_record, shards
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.dataset.schema import SPLITS
from psgimg.builder.dataset.shards import Key
from psgimg.builder.dataset.splits import SplitPolicy, fold
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.recording import Policy, Recording
from psgimg.builder.signals import corruption_spec
from psgimg.builder.stages import STAGE_NAMES

FILE = "build.json"
FOLDS_FILE = "folds.csv"
LIBRARIES = ("psgimg", "numpy", "scipy", "numba", "isal", "edfio", "pyarrow", "datasets")


@dataclass(frozen=True, order=True)
class SetAside:
    """A recording that could not be used."""

    corpus: str
    recording: str
    reason: str
    detail: str
    n_pictures: ClassVar[int] = 0


@dataclass(frozen=True)
class Report:
    """Everything there is to say of a dataset folder. All of it is JSON.

    Parameters
    ----------
    values
        ``psgimg`` and ``versions``; ``command`` (a line each, where the folder grew); ``recipe`` and ``recipe_hash``; ``fixed`` (the
        settings that may not change), ``folds``; ``policy`` (the strictest of the corpora);
        ``corpora`` (name → title, policy, licence, licence_url, access, citation, notes, mains_hz,
        found, built, set_aside, subjects and, of one that is not psgimg's own, definition); ``counts`` (corpus → split → stage → epochs);
        ``left_out`` (corpus → reason → epochs); ``recordings`` (facts, with split);
        ``corruption`` (``corruption.to_dict``; absent where the signals are as recorded);
        ``set_aside`` (corpus, recording, reason, detail); ``shards`` (path, corpus, split, rows,
        bytes, sha256); once written, ``files`` (path → bytes and sha256 of what lies beside them).
    """

    values: Mapping[str, Any]

    @property
    def counts(self) -> Mapping[str, Mapping[str, Mapping[str, int]]]:
        """Epochs by corpus, split and stage."""
        found: Mapping[str, Mapping[str, Mapping[str, int]]] = self.values["counts"]
        return found

    def n_epochs(
        self, corpus: str | None = None, split: str | None = None, stage: str | None = None
    ) -> int:
        """Number of rows, of one corpus, split or stage where given."""
        return sum(
            n
            for name, by_split in self.counts.items()
            for part, by_stage in by_split.items()
            for label, n in by_stage.items()
            if corpus in (None, name) and split in (None, part) and stage in (None, label)
        )

    @property
    def wanted_splits(self) -> tuple[str, ...]:
        """The splits that should have rows: of a corrupted twin, one."""
        return (corruption_spec.SPLIT,) if corruption_spec.KEY in self.values else SPLITS

    @property
    def empty_splits(self) -> list[str]:
        """Splits without a row."""
        return [split for split in SPLITS if not self.n_epochs(split=split)]


def splits(facts: Iterable[Mapping[str, Any]], policy: SplitPolicy) -> dict[Key, str]:
    """Split of each recording; one whose subject a published split no longer names is left out."""
    found = {
        (fact["corpus"], fact["recording"]): policy.split(
            fact["corpus"], fact["subject"], fact["kin"]
        )
        for fact in facts
    }
    return {key: split for key, split in found.items() if split is not None}


def collect(
    config: BuildConfig, set_aside: Sequence[SetAside], split_of: Mapping[Key, str]
) -> Report:
    """Count what lies in ``config.out``."""
    done = shards.finished(config.out)
    recordings = [{**done[key].facts, "split": split_of[key]} for key in sorted(split_of)]
    earlier = read_earlier(config.out)
    aside = _merged(config, set_aside, done, earlier)
    names = sorted({fact["corpus"] for fact in recordings} | {entry["corpus"] for entry in aside})
    recipe, fixed = config.recipe(), config.fixed()
    records = corpus_record.records(config.corpora, earlier)
    packages = corpus_record.packages(records[name] for name in names)
    return Report(
        {
            "psgimg": version("psgimg"),
            "versions": {
                "python": platform.python_version(),
                **{n: version(n) for n in (*LIBRARIES, *packages)},
            },
            "command": "\n".join(_commands(config, earlier)),
            "recipe": recipe.to_dict(),
            "recipe_hash": recipe.hash,
            "fixed": fixed,
            **{key: fixed[key] for key in (corruption_spec.KEY,) if key in fixed},
            "folds": config.folds or earlier.get("folds", 0),
            "policy": strictest({name: records[name] for name in names}),
            "corpora": {
                name: {**records[name], **_found(name, recordings, aside)} for name in names
            },
            "counts": {name: _counts(name, recordings) for name in names},
            "left_out": {name: _left_out(name, recordings) for name in names},
            "recordings": recordings,
            "set_aside": aside,
            "shards": _shards(config.out),
        }
    )


def write(out: Path, report: Report, beside: Sequence[str]) -> None:
    """Write ``build.json`` and, where asked for, ``folds.csv``.

    Parameters
    ----------
    beside
        Paths in ``out`` of what was written for people: card and pictures.
    """
    names = list(beside)
    if report.values["folds"]:
        atomic_file.write_text(out / FOLDS_FILE, folds_csv(report.values))
        names.append(FOLDS_FILE)
    listed = {name: entry((out / name).read_bytes()) for name in sorted(names)}
    atomic_file.write_text(out / FILE, text({**report.values, "files": listed}))


def entry(data: bytes) -> dict[str, Any]:
    """What ``files`` says of a file."""
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def text(values: Mapping[str, Any]) -> str:
    """``build.json`` of some values."""
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def set_aside_for(recording: Recording, error: Exception) -> SetAside:
    """A recording set aside for an error; one that nobody foresaw must not cost the others either.

    System errors name whole paths in their text; here they do not.
    """
    if isinstance(error, RecordingError):
        return SetAside(recording.corpus, recording.recording, error.reason, error.detail)
    said = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
    detail = f"{recording.signal.name}: {type(error).__name__}: {said}; please report it"
    return SetAside(recording.corpus, recording.recording, "unexpected error", detail)


def read(out: Path) -> dict[str, Any]:
    """What ``build.json`` of a folder says."""
    values: dict[str, Any] = json.loads((out / FILE).read_text(encoding="utf-8"))
    return values


def nothing_built(set_aside: Sequence[SetAside]) -> str:
    """One line for a build in which no recording could be used."""
    reasons = Counter(entry.reason for entry in set_aside)
    if not set_aside:
        return (
            "no recording to build; `psgimg check` with the same options shows what was looked at"
        )
    listed = ", ".join(f"{reason} ({n})" for reason, n in reasons.most_common())
    return f"nothing to build: every recording was set aside: {listed}. For example, {min(set_aside).detail}"


def _merged(
    config: BuildConfig,
    set_aside: Sequence[SetAside],
    done: Collection[Key],
    before: Mapping[str, Any],
) -> list[dict[str, str]]:
    """Recordings that this run set aside, and those of earlier runs that it did not look at."""
    looked_at = {(entry.corpus, entry.recording) for entry in set_aside} | set(done)
    partly = bool(config.subjects or config.limit)
    sources = {corpus.name for corpus in config.corpora}
    kept = [
        SetAside(**entry)
        for entry in before.get("set_aside", [])
        if (entry["corpus"], entry["recording"]) not in looked_at
        and (partly or entry["corpus"] not in sources)
    ]
    return [asdict(entry) for entry in sorted({*set_aside, *kept})]


def read_earlier(out: Path) -> dict[str, Any]:
    """``build.json`` of an earlier run; empty where there was none."""
    return read(out) if (out / FILE).exists() else {}


def _commands(config: BuildConfig, before: Mapping[str, Any]) -> list[str]:
    """The commands that made the folder: a folder that grew came about by more than one."""
    known: list[str] = before.get("command", "").splitlines()
    return known if config.command() in known else [*known, config.command()]


def strictest(corpora: Mapping[str, Mapping[str, Any]]) -> str:
    """Policy of a dataset of some corpora, given their entries in ``build.json``.

    It is open only if psgimg itself knows every corpus as open, whatever the entries state.
    """
    is_open = all(registry.is_open(name, entry.get("policy")) for name, entry in corpora.items())
    return str((Policy.OPEN if is_open else Policy.RESTRICTED).value)


def _found(
    name: str, recordings: Sequence[Mapping[str, Any]], aside: Sequence[Mapping[str, str]]
) -> dict[str, int]:
    built = [fact for fact in recordings if fact["corpus"] == name]
    n_aside = sum(entry["corpus"] == name for entry in aside)
    return {
        "found": len(built) + n_aside,
        "built": len(built),
        "set_aside": n_aside,
        "subjects": len({fact["subject"] for fact in built}),
    }


def _counts(name: str, recordings: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    counts = {split: dict.fromkeys(STAGE_NAMES, 0) for split in SPLITS}
    for fact in recordings:
        if fact["corpus"] == name:
            for stage, n in fact["stages"].items():
                counts[fact["split"]][stage] += n
    return counts


def _left_out(name: str, recordings: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for fact in recordings:
        if fact["corpus"] == name:
            total.update(fact["left_out"])
    return dict(sorted(total.items()))


def _shards(out: Path) -> list[dict[str, Any]]:
    return [
        {
            "path": path.relative_to(out).as_posix(),
            "corpus": path.parent.name,
            "split": path.name.partition("-")[0],
            "rows": shards.n_rows(path),
            "bytes": path.stat().st_size,
            "sha256": atomic_file.sha256(path),
        }
        for path in sorted((out / "data").rglob("*.parquet"))
    ]


def folds_csv(values: Mapping[str, Any]) -> str:
    """One line a subject: its fold is where it is held out."""
    n_folds, seed = values["folds"], values["fixed"]["seed"]
    subjects = sorted(
        {(fact["corpus"], fact["subject"], fact["kin"]) for fact in values["recordings"]}
    )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("corpus", "subject", "fold"))
    writer.writerows(
        (name, subject, fold(name, kin, n_folds, seed)) for name, subject, kin in subjects
    )
    return text.getvalue()
