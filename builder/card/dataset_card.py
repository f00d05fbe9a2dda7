"""Dataset card: the README of a dataset, with one picture of each stage and the contact sheet.

Every number on the card is counted from the report; the text is in ``cards/dataset.md.j2``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import Any

from psgimg.builder import atomic_file
from psgimg.builder.card import (
    card_metadata,
    contact_sheet,
    release_notes,
    style_notes,
    templates,
    variant_sheet,
)
from psgimg.builder.card.contact_sheet import Picture
from psgimg.builder.corpora import registry
from psgimg.builder.dataset import corpus_record, lane_totals
from psgimg.builder.dataset.build_json import BuiltRecording, RecipeJson
from psgimg.builder.dataset.build_report import Report
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.dataset.lane_totals import TreatmentTotal
from psgimg.builder.dataset.schema import SPLITS, all_features
from psgimg.builder.placing import named
from psgimg.builder.recordings.montage import Kind
from psgimg.builder.render import way_up
from psgimg.builder.render.style import CLINICAL
from psgimg.builder.signals import corruption_spec, variant_spec
from psgimg.builder.signals.corruption_kinds import ALL
from psgimg.builder.signals.corruption_spec import CorruptionJson
from psgimg.builder.signals.epoching import PAGE_S
from psgimg.builder.signals.polarity_rule import By
from psgimg.builder.signals.quality import GOOD
from psgimg.builder.stages import STAGE_NAMES

FILE = "README.md"
SHEET = "preview.png"
PICTURES = "card"
TEMPLATE = "dataset.md.j2"

SIGNS: Mapping[tuple[By, bool], str] = {
    (
        "blinks",
        True,
    ): "stored upside down, as blinks show (they make the forehead positive): EEG and "
    "EOG are turned over",
    ("blinks", False): "stored the right way up, as blinks show",
    ("corpus", True): "stored upside down, as the corpus states: EEG and EOG are turned over",
    ("option", True): "turned over in EEG and EOG by `--polarity inverted`",
    ("option", False): "drawn as recorded by `--polarity recorded`",
    ("", False): "without a frontal EEG or enough blinks to tell, drawn as recorded",
}
"""What decided on the sign of a recording and whether it was turned over, in words."""

N_LISTED = 20
"""Number of recordings set aside that the card lists one by one."""


def prepare() -> None:
    """Do what every card needs, while there is a processor to spare."""
    templates.compiled(TEMPLATE)


def write(out: Path, report: Report) -> None:
    """Write the card, its pictures and the contact sheet to the dataset folder."""
    pictures = contact_sheet.choose(out, report.values["recordings"])
    examples = {stage: chosen[0] for stage, chosen in pictures.items() if chosen}
    shown = {f"{PICTURES}/{stage}.png": picture.png for stage, picture in examples.items()}
    real = real_pages(report, examples)
    shown |= {f"{PICTURES}/real-{stage}.png": png for stage, png in real.items()}
    with ThreadPoolExecutor(1) as thread:
        # The text runs beside the sheet, not the sheet: another thread would need memory of its own.
        card = thread.submit(text, report, examples)
        for name in picture_files():
            if name in shown:
                _write_bytes(out / name, shown[name])
            else:  # left by an earlier build with this stage, or of a demo alone
                (out / name).unlink(missing_ok=True)
        _write_bytes(out / SHEET, contact_sheet.sheet(pictures))
    if varied := variant_sheet.choose(out, report.values["recordings"]):
        _write_bytes(out / variant_sheet.FILE, varied)
    else:
        (out / variant_sheet.FILE).unlink(missing_ok=True)
    atomic_file.write_text(out / FILE, card.result())


def picture_files() -> list[str]:
    """Return the paths of all pictures that a card may have; a build may lack some stages."""
    return [f"{PICTURES}/{prefix}{stage}.png" for prefix in ("", "real-") for stage in STAGE_NAMES]


def real_pages(report: Report, examples: Mapping[str, Picture]) -> Mapping[str, bytes]:
    """Return a page of each stage from a real night, to compare with synthetic ones in its style."""
    synthetic = registry.synthetic(picture.corpus for picture in examples.values())
    if not synthetic or not style_notes.is_preset(report.values["recipe"]["style"], CLINICAL):
        return {}
    folder = resources.files("psgimg.cards").joinpath("sleep-edf")
    return {stage: folder.joinpath(f"{stage}.png").read_bytes() for stage in STAGE_NAMES}


def text(report: Report, examples: Mapping[str, Picture]) -> str:
    """Return the text of the card, YAML and Markdown.

    Parameters
    ----------
    report
        Report of a folder, or of a release (``release_notes``), which may contain more.
    examples
        The pictures on the card by stage; a stage or a corpus may have none.
    """
    values = {
        "metadata": card_metadata.head(report),
        "examples": examples,
        "real": bool(real_pages(report, examples)),
        **_facts(report),
    }
    return templates.render(TEMPLATE, values)


def _facts(report: Report) -> dict[str, Any]:
    """Return the values that the template fills in."""
    values = report.values
    corpora = card_metadata.with_rows(report)
    recordings = values["recordings"]
    return {
        "report": report,
        "v": values,
        "title": card_metadata.title(corpora, values.get(corruption_spec.KEY)),
        "corruption": values.get(corruption_spec.KEY),
        "corruptions": _corruptions(values.get(corruption_spec.KEY)),
        "variants": [_corruptions(one) for one in values["fixed"].get(variant_spec.KEY, [])],
        "variants_sheet": variant_sheet.FILE,
        "release": release_notes.of(values),
        "folder": BuildConfig.out.name,
        "n_bytes": sum(shard["bytes"] for shard in values["shards"]),
        "corpora": corpora,
        "synthetic": registry.synthetic(corpora),
        "restricted": card_metadata.restricted(corpora),
        "described": corpus_record.described(corpora),
        "stages": STAGE_NAMES,
        "splits": SPLITS,
        "named": named.stated(values["fixed"].get("named_split")),
        "page_s": PAGE_S,
        "lanes": _lanes(values["recipe"], recordings),
        "way_up": way_up.in_short(values["recipe"]["style"]),
        "signs": _signs(recordings),
        "style_notes": style_notes.notes(values["recipe"]),
        "contents": _contents(report),
        "empty": _empty(report),
        "n_subjects": sum(entry["subjects"] for entry in corpora.values()),
        "columns": {
            name: _type(feature) for name, feature in all_features(report.n_variants).items()
        },
        "epoch_lengths": Counter(fact["epoch_s"] for fact in recordings),
        "scorers": Counter(fact["scorer"] for fact in recordings if fact["scorer"]),
        **_quality(report),
        "treatments": _treatments(report),
        "n_gaps": sum(fact["gaps"] > 0 for fact in recordings),
        "notes": Counter(note for fact in recordings for note in fact["notes"]).most_common(),
        "reasons": sorted({reason for by in values["left_out"].values() for reason in by}),
        "aside": Counter(entry["reason"] for entry in values["set_aside"]).most_common(),
        "n_listed": N_LISTED,
    }


def _quality(report: Report) -> dict[str, Any]:
    """Return the quality of each lane, and in how many recordings a lane is poor."""
    values = report.values
    lanes = [lane["name"] for lane in values["recipe"]["montage"]["lanes"]]
    poor = {(lane.corpus, lane.recording) for lane in lane_totals.poor(values["recordings"])}
    return {
        "quality": lane_totals.by_lane(lanes, values["recordings"]),
        "n_measured": sum("quality" in fact for fact in values["recordings"]),
        "n_poor": len(poor),
        "good": GOOD,
        "min_quality": values["fixed"].get("min_quality", 0.0),
    }


def _treatments(report: Report) -> list[TreatmentTotal]:
    """Return what was done to each lane of the montage."""
    lanes = [lane["name"] for lane in report.values["recipe"]["montage"]["lanes"]]
    return lane_totals.treatments(lanes, report.values["recordings"])


def _corruptions(corrupted: CorruptionJson | None) -> list[dict[str, Any]]:
    """Return each corruption, with its effect and its lanes in words."""
    return [
        {**one.to_dict(), "means": one.form.means, "lanes_text": _lanes_text(one.lanes)}
        for one in corruption_spec.from_dict(corrupted)
    ]


def _lanes_text(names: Sequence[str]) -> str:
    """Return lanes in words: ``every lane``, ``each EEG lane``, ``the lane F4``."""
    kinds = [kind.value for kind in Kind]
    words = [f"each {n.upper()} lane" if n in kinds else f"the lane {n}" for n in names]
    return "every lane" if ALL in names else " and ".join(words)


def _lanes(recipe: RecipeJson, recordings: Sequence[BuiltRecording]) -> list[dict[str, Any]]:
    """Return the lanes from top to bottom, with the number of recordings of each derivation."""
    seen: Counter[str] = Counter()
    styles: Mapping[str, Any] = recipe["style"]
    lanes = []
    for i, lane in enumerate(recipe["montage"]["lanes"]):
        style = styles["lanes"][lane["kind"]]
        drawn = [fact["lanes"][i] for fact in recordings]
        inks = style["colours"]
        lanes.append(
            {
                "name": lane["name"],
                "kind": lane["kind"],
                "drawn": Counter(filter(None, drawn)).most_common(),
                "n_absent": drawn.count(None),
                "n_flat": sum(fact["lanes"][i] in fact["flat"] for fact in recordings),
                "n_levels": sum(fact["lanes"][i] in fact["envelopes"] for fact in recordings),
                "scale_uv": style["scale_uv"],
                "guide_uv": style["guide_uv"],
                "band": recipe["filters"]["bands"][lane["kind"]],
                "ink": inks[min(seen[lane["kind"]], len(inks) - 1)],
            }
        )
        seen[lane["kind"]] += 1
    return lanes


def _signs(recordings: Sequence[BuiltRecording]) -> list[str]:
    """Return what is known of the sign of the recordings, a phrase for each kind of evidence."""
    counts = Counter(
        (fact["polarity"]["by"], fact["polarity"]["turned"])
        for fact in recordings
        if "polarity" in fact
    )
    of = len(recordings)
    return [f"{counts[key]} of {of} {phrase}" for key, phrase in SIGNS.items() if counts[key]]


def _contents(report: Report) -> list[dict[str, Any]]:
    """Return a line for each corpus and split with rows, and for each split of several corpora."""
    corpora = card_metadata.with_rows(report)
    lines = []
    for corpus in [*corpora, *([None] if len(corpora) > 1 else [])]:
        for split in SPLITS:
            members = [
                fact
                for fact in report.values["recordings"]
                if fact["split"] == split and corpus in (None, fact["corpus"])
            ]
            if members:
                people = {(fact["corpus"], fact["subject"]) for fact in members}
                line = {"corpus": corpus, "split": split, "recordings": len(members)}
                lines.append({**line, "subjects": len(people)})
    return lines


def _empty(report: Report) -> list[str]:
    """Return the splits without rows; with several corpora, for each corpus."""
    corpora = card_metadata.with_rows(report)
    return [
        split if len(corpora) == 1 else f"{split} of {corpus}"
        for corpus in corpora
        for split in report.expected_splits
        if not report.n_epochs(corpus=corpus, split=split)
    ]


def _type(feature: Mapping[str, Any]) -> str:
    """Return the type of a feature in the terms of ``datasets``."""
    if "feature" in feature:
        return f"{feature['_type']} of {feature['feature']['dtype']}"
    return str(feature.get("dtype", feature["_type"]))


def _write_bytes(path: Path, data: bytes) -> None:
    with atomic_file.whole(path) as temporary:
        temporary.write_bytes(data)
