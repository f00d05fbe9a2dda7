"""Rebuild: a dataset made again from its labels-only export and one's own recordings.

It goes the way of every build (``build.py``), with recipe, split and choice of recordings given by
the export; then every shard is compared with the one that the export names, byte for byte.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder import build
from psgimg.builder.card import labels_card
from psgimg.builder.corpora import registry
from psgimg.builder.dataset import corpus_record, shards, splits
from psgimg.builder.dataset.build_json import BuiltRecording
from psgimg.builder.dataset.build_report import Report
from psgimg.builder.dataset.config import BuildConfig, Pinned
from psgimg.builder.dataset.rebuild_json import PicturedRecording
from psgimg.builder.dataset.shards import Done, Key
from psgimg.builder.dataset.splits import SplitPolicy
from psgimg.builder.errors import BuildError
from psgimg.builder.exports import labels_only
from psgimg.builder.exports.labels_only import Export
from psgimg.builder.progress import Progress
from psgimg.builder.recordings.recording import Corpus

N_NAMED = 3
"""Names that a one-line message lists before it counts."""


@dataclass(frozen=True)
class RebuildConfig:
    """One field an option of ``psgimg rebuild``.

    Parameters
    ----------
    export
        Folder of the labels-only export.
    root
        ``DIR`` for a single corpus, ``NAME=DIR`` for several.
    source
        Only these corpora of the export; none named: all. One that a YAML file describes, by a file
        with the same definition.
    """

    export: Path
    root: tuple[str, ...] = ()
    out: Path = Path("psg-images")
    source: tuple[str, ...] = ()
    workers: int = 1


@dataclass(frozen=True, order=True)
class Mismatch:
    """Something of the export that could not be made again.

    Parameters
    ----------
    name
        A recording; or a shard, where its recordings are right but the file around them is not.
    reason
        A few words, to count.
    detail
        One sentence: what differs, and what to do.
    """

    corpus: str
    name: str
    reason: str
    detail: str


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild made, and how it compares.

    Parameters
    ----------
    n_shards, n_verified
        Shards of the export (of the corpora asked for); those that are here byte for byte.
    mismatches
        Empty if and only if all shards are verified.
    """

    report: Report
    n_shards: int
    n_verified: int
    mismatches: tuple[Mismatch, ...]

    @property
    def fault(self) -> str:
        """One line for a rebuild that is not the dataset of the export; empty if it is."""
        if not self.mismatches:
            return ""
        counts = Counter(mismatch.reason for mismatch in self.mismatches)
        reasons = ", ".join(f"{reason} ({n})" for reason, n in counts.most_common())
        first = self.mismatches[0]
        return (
            f"{self.n_verified} of {self.n_shards} shards are those of the export: {reasons}. For "
            f"example, {first.name}: {first.detail}. Fix that and run the same command again"
        )


def rebuild(config: RebuildConfig, progress: Progress) -> Rebuilt:
    """Make the dataset of an export again, or go on with it, and compare it.

    What differs does not stop the others: it is listed in ``mismatches``.

    Raises
    ------
    BuildError
        If the export is not sound or for another psgimg, a corpus is nowhere, or ``config.out``
        holds something else.
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
    """Name of the corpus that ``--source`` names, or that its file describes."""
    return registry.corpus(source).name if registry.is_file(source) else source


def _wanted(export: Export, source: tuple[str, ...]) -> dict[Key, PicturedRecording]:
    """Facts of the recordings to make, of the corpora asked for."""
    found = {(fact["corpus"], fact["recording"]): fact for fact in export.values["recordings"]}
    names = {corpus for corpus, _ in found}
    if unknown := sorted(set(source) - names):
        raise BuildError(
            f"--source {', '.join(unknown)}: {export.folder} has {', '.join(sorted(names))}"
        )
    return {key: fact for key, fact in found.items() if not source or key[0] in source}


def _build_config(
    config: RebuildConfig,
    export: Export,
    facts: Mapping[Key, PicturedRecording],
    sources: Mapping[str, str],
) -> BuildConfig:
    fixed = export.values["fixed"]
    train, validation, test = fixed["splits"]
    published = splits.published(
        (((corpus, subject), split) for corpus, subject, split in fixed["published_split"]),
        str(export.folder / labels_only.FILE),
    )
    return BuildConfig(
        source=tuple(sources.get(name, name) for name in sorted({corpus for corpus, _ in facts})),
        root=config.root,
        out=config.out,
        folds=export.values["folds"],
        workers=config.workers,
        pinned=Pinned(
            command=f"psgimg rebuild {labels_card.FOLDER}",
            spec=export.spec,
            policy=SplitPolicy((train, validation, test), fixed["seed"], published),
            signals={key: fact["signal"] for key, fact in facts.items()},
        ),
    )


def _refuse_other_definition(export: Export, corpora: Iterable[Corpus]) -> None:
    """Refuse to read a corpus otherwise than the dataset was built: nothing would be the same."""
    for corpus in corpora:
        before = export.values["corpora"][corpus.name].get("definition", {})
        if keys := corpus_record.changed(before, corpus.definition):
            raise BuildError(
                f"{export.folder} was built with another {corpus.name} ({keys}); get the file or the "
                "package that it was built with"
            )


def _refuse_others(export: Export, out: Path) -> None:
    """Refuse a folder with recordings, or with signals, that the export does not have."""
    signals = {(f["corpus"], f["recording"]): f["signal"] for f in export.values["recordings"]}
    strangers = [
        recording
        for (corpus, recording), done in sorted(shards.finished(out).items())
        if signals.get((corpus, recording)) != done.facts["signal"]
    ]
    if strangers:
        raise BuildError(
            f"{out} holds recordings that are not in {export.folder} ({_named(strangers)}); choose "
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
            "other file",
            f"its pictures and labels are the same, the Parquet file around them is not; {versions}",
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
    """Recordings that are not here, and those of unverified shards that are not the same."""
    done = shards.finished(out)
    here = {(fact["corpus"], fact["recording"]): fact for fact in report.values["recordings"]}
    aside = {(e["corpus"], e["recording"]): e for e in report.values["set_aside"]}
    for key, fact in sorted(facts.items()):
        if key not in here:
            yield Mismatch(*key, aside[key]["reason"], aside[key]["detail"])
            continue
        if done[key].path.relative_to(out).as_posix() in verified:
            continue
        if differing := _differing(export, fact, here[key], done[key]):
            yield Mismatch(*key, *_why(fact, here[key], differing, versions))


def _differing(
    export: Export, there: PicturedRecording, here: BuiltRecording, done: Done
) -> list[str]:
    """What of a drawn recording is not as in the export."""
    found = [] if labels_only.pictures(done) == there["pictures"] else ["pictures"]
    if [{**row, "split": here["split"]} for row in labels_only.rows(done)] != export.labels(
        done.key
    ):
        found.append("labels")
    return found + sorted(key for key, value in here.items() if value != there.get(key))


def _why(
    there: PicturedRecording, here: BuiltRecording, differing: list[str], versions: str
) -> tuple[str, str]:
    """Reason and detail for a drawn recording that is not the same."""
    if there["fingerprint"] != here["fingerprint"]:
        shown = [what for what in differing if what in ("pictures", "labels")]
        effect = (
            f"its {' and '.join(shown)} differ"
            if shown
            else "its pictures and labels do not differ"
        )
        return "other scoring", (
            f"the signal is the same, but a scoring file (or one beside it) is another or missing; {effect}; "
            f"is this another release of {here['corpus']}? Get the scorings again"
        )
    return f"other {differing[0]}", (
        f"its files look the same, but {', '.join(differing)} came out differently; {versions}"
    )


def _versions(there: Mapping[str, str], here: Mapping[str, str]) -> str:
    """Which libraries differ in version, in words."""
    differing = [
        f"{name} {there.get(name, 'absent')} there and {here.get(name, 'absent')} here"
        for name in sorted({*there, *here})
        if there.get(name) != here.get(name)
    ]
    if differing:
        return f"versions differ: {', '.join(differing)}"
    return (
        "no library has another version: is the signal file damaged, or the processor of another kind? "
        "Get the file again and rebuild into a new folder"
    )


def _named(names: list[str]) -> str:
    more = len(names) - N_NAMED
    return ", ".join(names[:N_NAMED]) + (f" and {more} more" if more > 0 else "")
