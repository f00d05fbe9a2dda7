"""Night: turn one scored recording into dataset rows. Every worker of a build runs this."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress

from psgimg.builder.corpora import scorers, votes
from psgimg.builder.dataset.build_json import DrawnFacts, PlanFacts
from psgimg.builder.dataset.page_spec import PageSpec
from psgimg.builder.dataset.schema import Row, variant_column
from psgimg.builder.drawing import DrawnPages, ReadLanes, draw_pages, read_lanes
from psgimg.builder.errors import RecordingError
from psgimg.builder.recordings.hypnogram import Hypnogram
from psgimg.builder.recordings.lanes.treatment import UPSIDE_DOWN, Treatment
from psgimg.builder.recordings.montage import Derivation
from psgimg.builder.recordings.open_signal import open_signal
from psgimg.builder.recordings.recording import Corpus, Recording
from psgimg.builder.recordings.signal_file import SignalFile
from psgimg.builder.recordings.usable import resolve
from psgimg.builder.signals import corrupt, epoching, polarity, quality
from psgimg.builder.signals.corruption_effects import RecordingContext
from psgimg.builder.signals.epoching import Selection
from psgimg.builder.signals.filtering import Corruptor
from psgimg.builder.signals.polarity import Polarity
from psgimg.builder.stages import STAGE_NAMES, Stage


@dataclass(frozen=True)
class Plan:
    """The channels, stages and epochs of a recording, determined before any sample is read.

    Parameters
    ----------
    second
        Stages of a second scorer by onset in milliseconds.
    votes
        Number of scorers for each stage by onset in milliseconds; empty unless there are more than two.
    channels, mains_hz
        What each label in the file records, and the mains frequency at the place of recording.
    inverted
        Whether the corpus states that the recording is stored upside down.
    notes
        Tolerated irregularities, lanes whose channel can't be used, and corruptions that can't be
        applied.
    """

    recording: Recording
    file: SignalFile
    derivations: tuple[Derivation | None, ...]
    treatments: tuple[Treatment, ...]
    hypnogram: Hypnogram
    second: Mapping[int, Stage]
    votes: Mapping[int, list[int]]
    selection: Selection
    channels: Mapping[str, str]
    mains_hz: float
    inverted: bool
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
    file = open_signal(recording.signal)
    reference = scorers.reference(corpus, recording, spec.scorer)
    hypnogram = scorers.read(corpus, recording, reference)
    second, notes = scorers.read_second(corpus, recording, hypnogram, reference)
    counted, lost = scorers.read_votes(corpus, recording, hypnogram, reference)
    inputs = corpus.inputs_of(recording, file.labels)
    lanes = resolve(file, spec.recipe.montage, inputs.channels)
    selection = epoching.select(hypnogram, file, spec.trim_min)
    rates = [file.sfreqs_hz[d.plus] if d else None for d in lanes.derivations]
    refused = corrupt.notes(spec.corruptions, spec.recipe.montage, rates, inputs.mains_hz)
    for number, variant in enumerate(spec.variants, start=1):
        found = corrupt.notes(variant, spec.recipe.montage, rates, inputs.mains_hz)
        refused += [f"{variant_column(number)}: {note}" for note in found]
    scoring = (*hypnogram.notes, *scorers.lost_end(hypnogram, file), *notes, *lost)
    notes = (*file.notes, *scoring, *inputs.notes, *lanes.notes, *refused)
    return Plan(
        recording,
        file,
        lanes.derivations,
        lanes.treatments,
        hypnogram,
        votes.stages(second or ()),
        counted,
        selection,
        inputs.channels,
        inputs.mains_hz,
        corpus.stores_inverted(recording),
        notes,
    )


def draw(plan: Plan, spec: PageSpec) -> tuple[list[Row], DrawnFacts]:
    """Draw a planned recording and return its rows in time order, and its facts for the report.

    Corruption changes the pictures only; labels and facts are those of the original recording, except
    for the number of pages on which a lane is clipped.

    Raises
    ------
    RecordingError
        If no EEG lane has a signal or the least quality, which only its samples show.
    """
    signed = upright(plan, spec)
    drawn = _drawn(plan, spec, signed, corruptor(plan, spec))
    read = _read_facts(plan, spec, signed.polarity, drawn.lanes)
    rows = list(_rows(plan, drawn.pictures, list(drawn.lanes.names)))
    for lane, n_pages in zip(read["treatments"], drawn.clipped, strict=True):
        if n_pages:
            lane["clipped"] = n_pages
    if spec.variants:
        _vary(rows, plan, spec, signed)
        read["variants"] = len(spec.variants)
    return rows, read


def inspect(plan: Plan, spec: PageSpec) -> DrawnFacts:
    """Return the facts that ``draw`` would return, without drawing a page.

    Raises
    ------
    RecordingError
        As ``draw``.
    """
    signed = upright(plan, spec)
    lanes = read_lanes(plan.file, signed.derivations, plan.selection.epochs, spec.recipe.montage)
    return _read_facts(plan, spec, signed.polarity, lanes)


@dataclass(frozen=True)
class Signed:
    """The derivations of a planned recording with the right sign, and how it was decided."""

    derivations: tuple[Derivation | None, ...]
    polarity: Polarity


def upright(plan: Plan, spec: PageSpec) -> Signed:
    """Decide whether a planned recording is stored upside down, which reads its frontal EEG."""
    found = polarity.decide(
        spec.recipe.polarity,
        plan.file,
        plan.channels,
        plan.derivations,
        stated=plan.inverted,
    )
    return Signed(found.turn(spec.recipe.montage, plan.derivations), found)


def _drawn(plan: Plan, spec: PageSpec, signed: Signed, corrupt: Corruptor | None) -> DrawnPages:
    return draw_pages(
        plan.file,
        signed.derivations,
        plan.selection.epochs,
        spec.recipe,
        mains_hz=plan.mains_hz,
        corrupt=corrupt,
    )


def _vary(rows: Sequence[Row], plan: Plan, spec: PageSpec, signed: Signed) -> None:
    """Add the variants to the rows; the signals of one at a time are in memory."""
    for row in rows:
        row["variants"] = []
    for number, variant in enumerate(spec.variants, start=1):
        own = corrupt.corruptor(variant, _context(plan, spec), f"{variant_column(number)}/")
        for row, picture in zip(rows, _drawn(plan, spec, signed, own).pictures, strict=True):
            row["variants"].append(picture)


def corruptor(plan: Plan, spec: PageSpec) -> Corruptor | None:
    """Return the function that corrupts the lanes of a planned recording; None if there is none."""
    if not spec.corruptions:
        return None
    return corrupt.corruptor(spec.corruptions, _context(plan, spec))


def _context(plan: Plan, spec: PageSpec) -> RecordingContext:
    return RecordingContext(
        plan.recording.corpus,
        plan.recording.recording,
        plan.file.segments,
        plan.file.record_s,
        plan.selection.span_s,
        plan.mains_hz,
        spec.recipe.filters,
    )


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
        "duration_s": round(plan.file.duration_s, 3),
        "stages": {name: counts[Stage[name]] for name in STAGE_NAMES},
        "second": sum(
            votes.milliseconds(epoch.onset_s) in plan.second for epoch in plan.selection.epochs
        ),
        "unscored_signal_s": _unscored_signal_s(plan),
        "left_out": dict(sorted(plan.selection.left_out.items())),
        "mains_hz": plan.mains_hz,
        "lanes": [derivation.name if derivation else None for derivation in plan.derivations],
        "treatments": [one.to_dict() for one in plan.treatments],
        "gaps": len(plan.file.segments) - 1,
        "notes": list(plan.notes),
    }


def _read_facts(plan: Plan, spec: PageSpec, sign: Polarity, read: ReadLanes) -> DrawnFacts:
    """Return the facts of a recording whose samples were read, or refuse its quality."""
    montage = spec.recipe.montage
    measured = quality.by_name(read.names, read.quality)
    quality.require(
        spec.min_quality, montage.lanes, read.names, measured, plan.recording.signal.name
    )
    planned = facts(plan)
    if sign.turned:
        for lane, drawn, treated in zip(
            montage.lanes, plan.derivations, planned["treatments"], strict=True
        ):
            if drawn and lane.kind in polarity.TURNED:
                treated["inverted"] = [*treated.get("inverted", []), UPSIDE_DOWN]
    planned["notes"] += [*sign.notes, *quality.notes(montage.lanes, read.names, measured)]
    return {
        **planned,
        "polarity": sign.to_dict(),
        "quality": measured,
        "flat": [name for name in compress(read.names, read.flat) if name],
        "envelopes": [name for name in compress(read.names, read.envelopes) if name],
    }


def _unscored_signal_s(plan: Plan) -> float:
    """Return the seconds of signal not covered by any epoch: before, between and after them."""
    signal_s = sum(segment.length_s(plan.file.record_s) for segment in plan.file.segments)
    stop_s = plan.file.duration_s
    length_s = plan.hypnogram.epoch_s
    covered_s = sum(
        max(0.0, min(onset_s + length_s, stop_s) - max(onset_s, 0.0))
        for onset_s, _ in plan.hypnogram
    )
    return round(max(0.0, signal_s - covered_s), 3)


def _rows(plan: Plan, pictures: Iterable[bytes], lanes: list[str | None]) -> Iterator[Row]:
    recording = plan.recording
    for epoch, picture in zip(plan.selection.epochs, pictures, strict=True):
        onset_ms = votes.milliseconds(epoch.onset_s)
        second = plan.second.get(onset_ms)
        yield {
            "image": {"bytes": picture, "path": None},
            "label": int(epoch.stage),
            "corpus": recording.corpus,
            "subject": recording.subject,
            "recording": recording.recording,
            "epoch": epoch.index,
            "onset_s": epoch.onset_s,
            "label_2": None if second is None else int(second),
            "votes": plan.votes.get(onset_ms),
            "lanes": lanes,
        }
