"""Night: turn one scored recording into dataset rows. Every worker of a build runs this."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import compress

from psgimg.builder.dataset.build_json import DrawnFacts, PlanFacts
from psgimg.builder.dataset.page_spec import PageSpec
from psgimg.builder.dataset.schema import Row
from psgimg.builder.drawing import ReadLanes, draw_pages, read_lanes
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.hypnogram import Hypnogram
from psgimg.builder.recordings.montage import Derivation
from psgimg.builder.recordings.open_signal import open_signal
from psgimg.builder.recordings.recording import Corpus, Recording
from psgimg.builder.recordings.signal_file import SignalFile
from psgimg.builder.recordings.usable import resolve
from psgimg.builder.signals import corrupt, epoching, quality
from psgimg.builder.signals.corrupt import RecordingContext
from psgimg.builder.signals.epoching import Selection
from psgimg.builder.signals.filtering import Corruptor
from psgimg.builder.stages import STAGE_NAMES, Stage


@dataclass(frozen=True)
class Plan:
    """The channels, stages and epochs of a recording, determined before any sample is read.

    Parameters
    ----------
    second
        Stages of a second scorer by onset in milliseconds.
    mains_hz
        Mains frequency at the place of recording.
    notes
        Tolerated irregularities, lanes whose channel can't be used, and corruptions that can't be
        applied.
    """

    recording: Recording
    edf: SignalFile
    derivations: tuple[Derivation | None, ...]
    hypnogram: Hypnogram
    second: dict[int, Stage]
    selection: Selection
    mains_hz: float
    notes: tuple[str, ...]


def plan(corpus: Corpus, recording: Recording, spec: PageSpec) -> Plan:
    """Read the header and the scoring of a recording, and select its channels and epochs.

    Raises
    ------
    RecordingError
        If the recording can't be used, with the reason and the remedy.
    """
    if (wrong := corpus.absent.get(recording.own.recording)) is not None:
        raise RecordingError(
            "listed as wrong by the distributor",
            f"{recording.own.recording}: {wrong}",
        )
    edf = open_signal(recording.signal)
    reference = _reference(recording, spec.scorer)
    hypnogram = _read(corpus, recording, reference)
    second, notes = _second(corpus, recording, hypnogram, reference)
    inputs = corpus.inputs_of(recording, edf.labels)
    lanes = resolve(edf, spec.recipe.montage, inputs.channels)
    selection = epoching.select(hypnogram, edf, spec.trim_min)
    rates = [edf.sfreqs_hz[d.plus] if d else None for d in lanes.derivations]
    refused = corrupt.notes(spec.corruptions, spec.recipe.montage, rates, inputs.mains_hz)
    notes = (*edf.notes, *hypnogram.notes, *notes, *inputs.notes, *lanes.notes, *refused)
    return Plan(
        recording, edf, lanes.derivations, hypnogram, second, selection, inputs.mains_hz, notes
    )


def draw(plan: Plan, spec: PageSpec) -> tuple[list[Row], DrawnFacts]:
    """Draw a planned recording and return its rows in time order, and its facts for the report.

    Corruption changes the pictures only; labels and facts are those of the original recording.

    Raises
    ------
    RecordingError
        If no EEG lane has a signal or the least quality, which only its samples show.
    """
    drawn = draw_pages(
        plan.edf,
        plan.derivations,
        plan.selection.epochs,
        spec.recipe,
        mains_hz=plan.mains_hz,
        corrupt=corruptor(plan, spec),
    )
    read = _read_facts(plan, spec, drawn.lanes)
    rows = list(_rows(plan, drawn.pictures, list(drawn.lanes.names)))
    return rows, read


def inspect(plan: Plan, spec: PageSpec) -> DrawnFacts:
    """Return the facts that ``draw`` would return, without drawing a page.

    Raises
    ------
    RecordingError
        As ``draw``.
    """
    lanes = read_lanes(plan.edf, plan.derivations, plan.selection.epochs, spec.recipe.montage)
    return _read_facts(plan, spec, lanes)


def corruptor(plan: Plan, spec: PageSpec) -> Corruptor | None:
    """Return the function that corrupts the lanes of a planned recording; None if there is none."""
    if not spec.corruptions:
        return None
    context = RecordingContext(
        plan.recording.corpus,
        plan.recording.recording,
        plan.edf.segments,
        plan.edf.record_s,
        plan.selection.span_s,
        plan.mains_hz,
        spec.recipe.filters,
    )
    return corrupt.corruptor(spec.corruptions, context)


def facts(plan: Plan) -> PlanFacts:
    """Return the facts of a recording for ``build.json``; no person's name and no date."""
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
        "mains_hz": plan.mains_hz,
        "lanes": [derivation.name if derivation else None for derivation in plan.derivations],
        "gaps": len(plan.edf.segments) - 1,
        "notes": list(plan.notes),
    }


def _read_facts(plan: Plan, spec: PageSpec, read: ReadLanes) -> DrawnFacts:
    """Return the facts of a recording whose samples were read, or refuse its quality."""
    montage = spec.recipe.montage
    measured = quality.by_name(read.names, read.quality)
    quality.require(
        spec.min_quality, montage.lanes, read.names, measured, plan.recording.signal.name
    )
    planned = facts(plan)
    planned["notes"] += quality.notes(montage.lanes, read.names, measured)
    return {
        **planned,
        "quality": measured,
        "flat": [name for name in compress(read.names, read.flat) if name],
        "envelopes": [name for name in compress(read.names, read.envelopes) if name],
    }


def _reference(recording: Recording, scorer: str) -> str:
    if not recording.scorings:
        raise RecordingError(
            "no scoring", f"{recording.own.recording} has a signal but no scoring file"
        )
    return scorer or next(iter(recording.scorings))


def _second(
    corpus: Corpus, recording: Recording, hypnogram: Hypnogram, reference: str
) -> tuple[dict[int, Stage], tuple[str, ...]]:
    """Return the stages of the next scorer by onset, or a note if they can't be used."""
    others = [name for name in recording.scorings if name != reference]
    if not others or reference not in recording.scorings:  # one scoring, stored in two forms
        return {}, ()
    try:
        second = _read(corpus, recording, others[0])
    except RecordingError as error:  # the labels do not depend on it
        return {}, (f"second scorer not usable: {error.reason}",)
    if second.epoch_s != hypnogram.epoch_s:
        return {}, ("second scorer not usable: other epoch length",)
    stages = {_ms(onset_s): stage for onset_s, stage in second if isinstance(stage, Stage)}
    return stages, tuple(f"second {note}" for note in second.notes)


def _read(corpus: Corpus, recording: Recording, scorer: str) -> Hypnogram:
    try:
        return corpus.read_hypnogram(recording.own, scorer)
    except OSError as error:
        raise RecordingError(
            "unreadable file",
            f"{recording.own.recording}: a scoring file can't be read ({error.strerror}); check its permissions",
        ) from error


def _unscored_signal_s(plan: Plan) -> float:
    """Return the seconds of signal not covered by any epoch: before, between and after them."""
    signal_s = sum(segment.length_s(plan.edf.record_s) for segment in plan.edf.segments)
    stop_s = plan.edf.duration_s
    length_s = plan.hypnogram.epoch_s
    covered_s = sum(
        max(0.0, min(onset_s + length_s, stop_s) - max(onset_s, 0.0))
        for onset_s, _ in plan.hypnogram
    )
    return round(max(0.0, signal_s - covered_s), 3)


def _ms(onset_s: float) -> int:
    """Return an onset in whole milliseconds, by which epochs of two scorers are matched."""
    return round(1000 * onset_s)


def _rows(plan: Plan, pictures: Iterable[bytes], lanes: list[str | None]) -> Iterator[Row]:
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
