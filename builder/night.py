"""Night: from one recording to its rows. What every worker of a build does, top to bottom."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder.dataset.build_json import DrawnFacts, PlanFacts
from psgimg.builder.dataset.schema import Row
from psgimg.builder.errors import RecordingError, unreadable
from psgimg.builder.recordings.edf import EdfFile, open_edf
from psgimg.builder.recordings.hypnogram import Hypnogram
from psgimg.builder.recordings.montage import Derivation, resolve
from psgimg.builder.recordings.recording import Corpus, Recording
from psgimg.builder.recordings.signal_file import unit_notes
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.signals import corrupt, epoching
from psgimg.builder.signals.corrupt import Scene
from psgimg.builder.signals.corruption_spec import Corruption
from psgimg.builder.signals.epoching import Selection
from psgimg.builder.signals.filtering import Spoil, read_signals
from psgimg.builder.stages import STAGE_NAMES, Stage

SAMPLE_BLOCKS = 16
BLOCK_BYTES = 1 << 16


@dataclass(frozen=True)
class Plan:
    """What a recording would give, known without reading a sample.

    Parameters
    ----------
    second
        Stages of a second scorer by onset in milliseconds.
    notes
        What was tolerated in the scorings.
    """

    recording: Recording
    edf: EdfFile
    derivations: tuple[Derivation | None, ...]
    hypnogram: Hypnogram
    second: dict[int, Stage]
    selection: Selection
    notes: tuple[str, ...]


def plan(
    corpus: Corpus, recording: Recording, recipe: Recipe, scorer: str, trim_min: float | None
) -> Plan:
    """Read header and scoring, choose channels and epochs.

    Raises
    ------
    RecordingError
        If the recording can't be used; the message says why and what to do.
    """
    if recording.recording in corpus.absent:
        raise RecordingError(
            "listed as wrong by the distributor",
            f"{recording.recording}: {corpus.absent[recording.recording]}",
        )
    edf = open_edf(recording.signal)
    reference = _reference(recording, scorer)
    hypnogram = _read(corpus, recording, reference)
    second, notes = _second(corpus, recording, hypnogram, reference)
    derivations = resolve(recipe.montage, edf.labels, corpus.channels, recording.signal.name)
    selection = epoching.select(hypnogram, edf, trim_min)
    return Plan(recording, edf, derivations, hypnogram, second, selection, notes)


def draw(
    corpus: Corpus, plan: Plan, recipe: Recipe, corruptions: Sequence[Corruption] = ()
) -> tuple[list[Row], DrawnFacts]:
    """Draw a planned recording: its rows in time order, and the facts of it for the report.

    Parameters
    ----------
    corruptions
        Done to the raw signal first. Rows and facts stay those of the recording as it is.

    Raises
    ------
    RecordingError
        If no EEG lane carries a signal, or a channel can't be brought to µV.
    """
    from psgimg.builder.render.page import Page

    signals = read_signals(
        plan.edf,
        recipe.montage,
        plan.derivations,
        filters=recipe.filters,
        mains_hz=corpus.mains_hz,
        sfreq_hz=recipe.sfreq_hz,
        span_s=plan.selection.span_s,
        spoil=spoil(corpus, plan, recipe, corruptions),
    )
    epoching.require_eeg(signals, recipe.montage, plan.edf.path.name)
    page = Page(
        recipe.style, recipe.montage, [name is None for name in signals.lanes], signals.envelopes
    )
    pictures = (page.png(data_uv) for data_uv in epoching.cut(signals, plan.selection.epochs))
    rows = list(_rows(plan, pictures, list(signals.lanes)))
    known = facts(plan)
    rates = [plan.edf.sfreqs_hz[d.plus] if d else None for d in plan.derivations]
    known["notes"] += corrupt.notes(corruptions, recipe.montage, rates, corpus.mains_hz)
    return rows, {
        **known,
        "flat": [
            name for name, flat in zip(signals.lanes, signals.flat, strict=True) if name and flat
        ],
        "envelopes": [
            name for name, on in zip(signals.lanes, signals.envelopes, strict=True) if name and on
        ],
    }


def spoil(
    corpus: Corpus, plan: Plan, recipe: Recipe, corruptions: Sequence[Corruption]
) -> Spoil | None:
    """What corrupts this recording's lanes; None if nothing does."""
    if not corruptions:
        return None
    scene = Scene(
        plan.recording.corpus,
        plan.recording.recording,
        plan.edf.segments,
        plan.edf.record_s,
        plan.selection.span_s,
        corpus.mains_hz,
        recipe.filters,
    )
    return corrupt.spoiler(corruptions, scene)


def facts(plan: Plan) -> PlanFacts:
    """What the report and ``build.json`` say of a recording; nothing of it names a person or a date."""
    recording = plan.recording
    counts = Counter(epoch.stage for epoch in plan.selection.epochs)
    return {
        "corpus": recording.corpus,
        "subject": recording.subject,
        "recording": recording.recording,
        "kin": recording.split_key,
        "scorer": plan.hypnogram.scorer,
        "epoch_s": plan.hypnogram.epoch_s,
        "duration_s": round(plan.edf.duration_s, 3),
        "stages": {name: counts[Stage[name]] for name in STAGE_NAMES},
        "second": sum(_ms(epoch.onset_s) in plan.second for epoch in plan.selection.epochs),
        "unscored_signal_s": _unscored_signal_s(plan),
        "left_out": dict(sorted(plan.selection.left_out.items())),
        "lanes": [derivation.name if derivation else None for derivation in plan.derivations],
        "gaps": len(plan.edf.segments) - 1,
        "notes": [*plan.edf.notes, *plan.notes, *unit_notes(plan.edf, plan.derivations)],
    }


def fingerprints(recording: Recording) -> tuple[str, str]:
    """Hash of the signal file, by its size and sampled blocks; and of it with all scorings.

    A night of 300 MB is told from another, or from its re-export, in milliseconds.

    Raises
    ------
    RecordingError
        If one of the files can't be read.
    """
    try:
        signal = _sampled(recording.signal)
        digest = hashlib.blake2b(signal.encode(), digest_size=16)
        for scorer, path in recording.scorings.items():
            digest.update(scorer.encode())
            digest.update(path.read_bytes())
        for path in recording.side_files:
            digest.update(path.read_bytes())
    except OSError as error:
        raise unreadable(Path(error.filename or recording.signal).name, error) from error
    return signal, digest.hexdigest()


def _sampled(path: Path) -> str:
    """Hash of a file's size and of blocks spread over it."""
    digest = hashlib.blake2b(digest_size=16)
    size = path.stat().st_size
    digest.update(str(size).encode())
    with path.open("rb") as file:
        for i in range(SAMPLE_BLOCKS + 1):
            file.seek(max(0, size - BLOCK_BYTES) * i // SAMPLE_BLOCKS)
            digest.update(file.read(BLOCK_BYTES))
    return digest.hexdigest()


def _reference(recording: Recording, scorer: str) -> str:
    if not recording.scorings:
        raise RecordingError(
            "no scoring", f"{recording.recording} has a signal but no scoring file"
        )
    return scorer or next(iter(recording.scorings))


def _second(
    corpus: Corpus, recording: Recording, hypnogram: Hypnogram, reference: str
) -> tuple[dict[int, Stage], tuple[str, ...]]:
    """Stages of the next scorer by onset, if there is one; a note if they can't be used."""
    others = [name for name in recording.scorings if name != reference]
    if not others or reference not in recording.scorings:  # one scorer's scoring in two forms
        return {}, ()
    try:
        second = _read(corpus, recording, others[0])
    except RecordingError as error:  # the label does not need it
        return {}, (f"second scorer not usable: {error.reason}",)
    if second.epoch_s != hypnogram.epoch_s:
        return {}, ("second scorer not usable: other epoch length",)
    return {_ms(onset_s): stage for onset_s, stage in second if isinstance(stage, Stage)}, ()


def _read(corpus: Corpus, recording: Recording, scorer: str) -> Hypnogram:
    try:
        return corpus.read_hypnogram(recording, scorer)
    except OSError as error:
        raise RecordingError(
            "unreadable file",
            f"{recording.recording}: a scoring file can't be read ({error.strerror}); check its permissions",
        ) from error


def _unscored_signal_s(plan: Plan) -> float:
    """Signal that no epoch of the scoring covers: before it, in its holes, and after it."""
    signal_s = sum(segment.length_s(plan.edf.record_s) for segment in plan.edf.segments)
    stop_s = plan.edf.duration_s
    length_s = plan.hypnogram.epoch_s
    covered_s = sum(
        max(0.0, min(onset_s + length_s, stop_s) - max(onset_s, 0.0))
        for onset_s, _ in plan.hypnogram
    )
    return round(max(0.0, signal_s - covered_s), 3)


def _ms(onset_s: float) -> int:
    """Onset in whole milliseconds: two scorers' epochs are one if these are equal."""
    return round(1000 * onset_s)


def _rows(plan: Plan, pictures: Iterator[bytes], lanes: list[str | None]) -> Iterator[Row]:
    recording = plan.recording
    for epoch, picture in zip(plan.selection.epochs, pictures, strict=True):
        second = plan.second.get(_ms(epoch.onset_s))
        yield {
            "image": {"bytes": picture, "path": None},
            "label": int(epoch.stage),
            "corpus": recording.corpus,
            "subject": recording.subject,
            "recording": recording.recording,
            "epoch": epoch.index,
            "onset_s": epoch.onset_s,
            "label_2": None if second is None else int(second),
            "lanes": lanes,
        }
