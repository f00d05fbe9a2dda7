"""Rebuild: recreate a dataset from its labels-only export and the user's own recordings.

The export provides the recipe, the split and the list of recordings; the build itself is that of
``build.py``. Afterwards every shard is compared with the SHA-256 in the export.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder import build
from psgimg.builder.access.fetch_config import FetchConfig
from psgimg.builder.building import pinning
from psgimg.builder.corpora import registry
from psgimg.builder.dataset import corpus_record, shards
from psgimg.builder.dataset.build_json import BuiltRecording
from psgimg.builder.dataset.build_report import Report
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.dataset.rebuild_json import PicturedRecording
from psgimg.builder.dataset.shards import Done, Key
from psgimg.builder.errors import BuildError
from psgimg.builder.exports import labels_only
from psgimg.builder.exports.labels_only import Export
from psgimg.builder.progress import Progress
from psgimg.builder.recordings.recording import Corpus

N_NAMED = 3
"""Number of names that a one-line message lists; the rest are counted."""


@dataclass(frozen=True)
class RebuildConfig:
    """The options of ``psgimg rebuild``, one field each.

    Parameters
    ----------
    export
        Folder of the labels-only export.
    root
        ``DIR`` for a single corpus, ``NAME=DIR`` for several.
    source
        Corpora of the export to rebuild; empty for all. A corpus that was built from a YAML file is
        given by a file with the same definition.
    fetch
        How recordings that are not on disk are fetched; None if all are.
    """

    export: Path
    root: tuple[str, ...] = ()
    out: Path = Path("psg-images")
    source: tuple[str, ...] = ()
    workers: int = 1
    fetch: FetchConfig | None = None


@dataclass(frozen=True, order=True)
class Mismatch:
    """A recording or shard of the export that could not be reproduced.

    Parameters
    ----------
    name
        A recording, or the path of a shard whose recordings match but whose file does not.
    reason
        A few words, by which the report counts.
    detail
        One sentence: what differs, and the remedy.
    """

    corpus: str
    name: str
    reason: str
    detail: str


@dataclass(frozen=True)
class Rebuilt:
    """The result of a rebuild, compared with the export.

    Parameters
    ----------
    n_shards, n_verified
        Number of shards of the requested corpora in the export; number reproduced byte for byte.
    mismatches
        Empty if and only if all shards are verified.
    """

    report: Report
    n_shards: int
    n_verified: int
    mismatches: tuple[Mismatch, ...]

    @property
    def fault(self) -> str:
        """The one-line message for a rebuild that differs from the export; empty if it matches."""
        if not self.mismatches:
            return ""
        counts = Counter(mismatch.reason for mismatch in self.mismatches)
        reasons = ", ".join(f"{reason} ({n})" for reason, n in counts.most_common())
        first = self.mismatches[0]
        return (
            f"{self.n_verified} of {self.n_shards} shards match the export: {reasons}. For "
            f"example, {first.name}: {first.detail}. Fix that and run the same command again"
        )


def rebuild(config: RebuildConfig, progress: Progress) -> Rebuilt:
    """Rebuild the dataset of an export, or resume a rebuild, and compare the result.

    Differences do not stop the rebuild; they are listed in ``mismatches``.

    Raises
    ------
    BuildError
        If the export is damaged or of an incompatible psgimg, a corpus is not found, or
        ``config.out`` contains something else.
    """
    export = labels_only.read(config.export)
    sources = {_corpus_name(source): source for source in config.source}
    facts = _wanted(export, tuple(sources))
    _refuse_others(export, config.out)
    again = _build_config(config, export, facts, sources)
    _refuse_other_definition(export, again.corpora)
    report = build.build(again, progress)
    return _compare(export, facts, report, config.out)


def _corpus_name(source: str) -> str:
    """Return the name of a corpus given by its name or by the YAML file that describes it."""
    return registry.corpus(source).name if registry.is_file(source) else source


def _wanted(export: Export, source: tuple[str, ...]) -> dict[Key, PicturedRecording]:
    """Return the facts of the recordings to rebuild, those of the requested corpora."""
    listed = {(fact["corpus"], fact["recording"]): fact for fact in export.values["recordings"]}
    names = {corpus for corpus, _ in listed}
    if unknown := sorted(set(source) - names):
        raise BuildError(
            f"--source {', '.join(unknown)}: not in {export.folder}; use {', '.join(sorted(names))}"
        )
    return {key: fact for key, fact in listed.items() if not source or key[0] in source}


def _build_config(
    config: RebuildConfig,
    export: Export,
    facts: Mapping[Key, PicturedRecording],
    sources: Mapping[str, str],
) -> BuildConfig:
    return BuildConfig(
        source=tuple(sources.get(name, name) for name in sorted({corpus for corpus, _ in facts})),
        root=config.root,
        out=config.out,
        folds=export.values["folds"],
        workers=config.workers,
        fetch=config.fetch,
        pinned=pinning.pinned(export, facts),
    )


def _refuse_other_definition(export: Export, corpora: Iterable[Corpus]) -> None:
    """Refuse a corpus definition that differs from the one the dataset was built with."""
    for corpus in corpora:
        before = export.values["corpora"][corpus.name].get("definition", {})
        if keys := corpus_record.changed(before, corpus.definition):
            raise BuildError(
                f"{export.folder} was built with a different definition of {corpus.name} ({keys}); "
                "use the file or the package that it was built with"
            )


def _refuse_others(export: Export, out: Path) -> None:
    """Refuse a folder with recordings or signals that are not in the export."""
    signals = {(f["corpus"], f["recording"]): f["signal"] for f in export.values["recordings"]}
    others = [
        recording
        for (corpus, recording), done in sorted(shards.finished(out).items())
        if signals.get((corpus, recording)) != done.facts["signal"]
    ]
    if others:
        raise BuildError(
            f"{out} contains recordings that are not in {export.folder} ({_listing(others)}); choose "
            "another --out"
        )


def _compare(
    export: Export, facts: Mapping[Key, PicturedRecording], report: Report, out: Path
) -> Rebuilt:
    corpora = {corpus for corpus, _ in facts}
    wanted = [shard for shard in export.values["shards"] if shard["corpus"] in corpora]
    sums = {shard["path"]: shard["sha256"] for shard in report.values["shards"]}
    verified = {shard["path"] for shard in wanted if sums.get(shard["path"]) == shard["sha256"]}
    versions = _versions(export.values["versions"], report.values["versions"])
    mismatches = list(_other_recordings(export, facts, report, out, verified, versions))
    explained = {(m.corpus, facts[m.corpus, m.name]["split"]) for m in mismatches}
    mismatches += [
        Mismatch(
            shard["corpus"],
            shard["path"],
            "different file",
            f"its pictures and labels match, but the Parquet file that contains them differs; {versions}",
        )
        for shard in wanted
        if shard["path"] not in verified and (shard["corpus"], shard["split"]) not in explained
    ]
    return Rebuilt(report, len(wanted), len(verified), tuple(mismatches))


def _other_recordings(
    export: Export,
    facts: Mapping[Key, PicturedRecording],
    report: Report,
    out: Path,
    verified: set[str],
    versions: str,
) -> Iterator[Mismatch]:
    """Yield the recordings that were not rebuilt, and those that differ in unverified shards."""
    done = shards.finished(out)
    rebuilt = {(fact["corpus"], fact["recording"]): fact for fact in report.values["recordings"]}
    aside = {(e["corpus"], e["recording"]): e for e in report.values["set_aside"]}
    for key, fact in sorted(facts.items()):
        if key not in rebuilt:
            yield Mismatch(*key, aside[key]["reason"], aside[key].get("detail", ""))
            continue
        if done[key].path.relative_to(out).as_posix() in verified:
            continue
        if differing := _differing(export, fact, rebuilt[key], done[key]):
            yield Mismatch(*key, *_why(fact, rebuilt[key], differing, versions))


def _differing(
    export: Export, original: PicturedRecording, rebuilt: BuiltRecording, done: Done
) -> list[str]:
    """Return the names of what differs between a rebuilt recording and the export."""
    differing = [] if labels_only.pictures(done) == original["pictures"] else ["pictures"]
    if [{**row, "split": rebuilt["split"]} for row in labels_only.rows(done)] != export.labels(
        done.key
    ):
        differing.append("labels")
    derived = {"quality"} if differing else set()  # follows from the same samples
    others = (key for key, value in rebuilt.items() if value != original.get(key))
    return differing + sorted(set(others) - derived)


def _why(
    original: PicturedRecording, rebuilt: BuiltRecording, differing: list[str], versions: str
) -> tuple[str, str]:
    """Return reason and detail for a rebuilt recording that differs."""
    if original["fingerprint"] != rebuilt["fingerprint"]:
        shown = [what for what in differing if what in ("pictures", "labels")]
        effect = (
            f"its {' and '.join(shown)} differ"
            if shown
            else "its pictures and labels do not differ"
        )
        return "different scoring", (
            f"the signal matches, but a scoring file (or one beside it) differs or is missing; {effect}; "
            f"is this another release of {rebuilt['corpus']}? Get the scorings again"
        )
    return f"different {differing[0]}", (
        f"its files match, but the resulting {', '.join(differing)} differ; {versions}"
    )


def _versions(original: Mapping[str, str], present: Mapping[str, str]) -> str:
    """Return a sentence on the libraries whose versions differ."""
    differing = [
        f"{name} {original.get(name, 'absent')} in the export, {present.get(name, 'absent')} here"
        for name in sorted({*original, *present})
        if original.get(name) != present.get(name)
    ]
    if differing:
        return f"versions differ: {'; '.join(differing)}"
    return (
        "all library versions match: is the signal file damaged, or the processor of a different kind? "
        "Get the file again and rebuild into a new folder"
    )


def _listing(names: list[str]) -> str:
    more = len(names) - N_NAMED
    return ", ".join(names[:N_NAMED]) + (f" and {more} more" if more > 0 else "")
