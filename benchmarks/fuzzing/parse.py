"""Parse: read an input as the commands of psgimg do, and all that they read from the result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import defusedxml.ElementTree
import httpx2
import openpyxl
import pyarrow.csv
import pydantic
import yaml
from psgimg.builder import cli
from psgimg.builder.building import part_record
from psgimg.builder.corpora import dcsm as dcsm_corpus
from psgimg.builder.corpora import hmc as hmc_corpus
from psgimg.builder.corpora import isruc as isruc_corpus
from psgimg.builder.corpora import mass as mass_corpus
from psgimg.builder.corpora import sleep_edf as sleep_edf_corpus
from psgimg.builder.corpora.custom import scoring_files, yaml_corpus
from psgimg.builder.corpora.custom.path_patterns import PathPattern
from psgimg.builder.corpora.custom.scoring_files import ScoringForm
from psgimg.builder.corpora.nsrr import eannot as luna
from psgimg.builder.corpora.nsrr import nsrr_xml
from psgimg.builder.dataset import build_report, placements, prompts, shards, splits, validate
from psgimg.builder.dataset.build_report import Report
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.exports import labels_only
from psgimg.builder.files import picture
from psgimg.builder.placing.people import Person
from psgimg.builder.recordings import channels, edf, montage_file
from psgimg.builder.recordings import edf_annotations as edf_text
from psgimg.builder.recordings.hypnogram import Hypnogram
from psgimg.builder.recordings.montage import MONTAGES, Montage
from psgimg.builder.recordings.recording import Recording
from psgimg.builder.release import audit
from psgimg.builder.render import layout, recipe
from psgimg.builder.render.style import Style
from psgimg.builder.render.style_choice import load_style
from psgimg.builder.signals import corruption_spec, filter_settings
from psgimg.builder.stages import Stage, Unscored
from psgimg.finetune.data import page_index
from psgimg.finetune.data.pictures import Pictures
from psgimg.finetune.data.source import Source
from psgimg.finetune.evaluation import predictions_file
from psgimg.finetune.evaluation.other_tools.tools import TOOLS
from psgimg.finetune.inference import parse_answer
from psgimg.finetune.inference.server import chat_completion, logprobs
from psgimg.finetune.metrics import predictions
from psgimg.finetune.models.manifest import ModelFolder
from psgimg.finetune.staging import lights as light_times
from psgimg.finetune.study import grid, plan

from fuzzing import seeds

LOADED = (defusedxml.ElementTree, openpyxl, pyarrow.csv, pydantic, yaml)
"""Libraries that psgimg loads when it first needs them, here once for all processes."""

MONTAGE: Montage = MONTAGES["aasm"]
"""Lanes of the common case."""

STAGES = {"W": "W", "N1": "N1", "N2": "N2", "N3": "N3", "R": "REM"}
PROMPT = seeds.PROMPT["answers"]
WORDS = {
    **{f"Sleep stage {word}": Stage[name] for word, name in STAGES.items()},
    **{stage.name: stage for stage in Stage},
    "?": Unscored.UNSCORED,
}
EVENTS = ("Arousal*", "Lights*", "*event*of*any*")


def text(path: Path) -> str:
    """Return the text of an input, whatever its encoding."""
    return path.read_text(encoding="utf-8", errors="surrogateescape")


def written(values: object) -> bytes:
    """Return values as `psgimg` writes them to JSON files."""
    return json.dumps(values, ensure_ascii=False).encode("utf-8")


def signals(path: Path) -> None:
    """Read every channel, and choose those of the lanes as `psgimg stage` does."""
    file = edf.open_edf(path)
    for channel in range(len(file.labels)):
        try:
            file.read_uv(channel)
        except RecordingError:
            continue
    channels.standard_channels(file.labels)
    assert file.duration_s > 0, file.duration_s
    assert file.start is None or str(file.start)


def edf_annotations(path: Path) -> object:
    """Read annotations without a table of stages."""
    return edf_text.read_annotations(path), edf.start_datetime(path)


def recording(path: Path, corpus: str = "x", name: str = "01-02-0001") -> Recording:
    """Return a recording with the input as its scoring."""
    return Recording(corpus, name, name, path.with_name("night.edf"), {"": path})


def used(hypnogram: Hypnogram) -> object:
    """Read what a build reads from a hypnogram."""
    return hypnogram.n_staged, [hypnogram.index(onset_s) for onset_s, _ in hypnogram]


def sleep_edf(path: Path) -> object:
    """Read a hypnogram of Sleep-EDF."""
    return used(sleep_edf_corpus.read_hypnogram(recording(path), ""))


def mass(path: Path) -> object:
    """Read a hypnogram of MASS, on epochs of 20 s."""
    return used(mass_corpus.read_hypnogram(recording(path), ""))


def hmc(path: Path) -> object:
    """Read a hypnogram of HMC, text or EDF+."""
    return used(hmc_corpus.read_hypnogram(recording(path), ""))


def dcsm(path: Path) -> object:
    """Read a hypnogram of DCSM."""
    return used(dcsm_corpus.read_hypnogram(recording(path), ""))


def eannot(path: Path) -> object:
    """Read a hypnogram of Luna."""
    return used(luna.read_hypnogram(recording(path), ""))


def isruc(path: Path) -> object:
    """Read a hypnogram of ISRUC, text or Excel table."""
    return used(isruc_corpus.read_hypnogram(recording(path), ""))


def nsrr(path: Path) -> object:
    """Read NSRR's own XML."""
    root = nsrr_xml.parse_nsrr(path)
    return nsrr_xml.is_legacy(root), used(nsrr_xml.hypnogram_of(root, path.name, scorer=""))


def profusion(path: Path) -> object:
    """Read the XML of Compumedics Profusion."""
    return used(nsrr_xml.read_profusion(path))


def custom_csv(path: Path) -> object:
    """Read a table of a user's own corpus."""
    columns = {name: name for name in scoring_files.COLUMNS}
    return _custom(path, "csv", columns)


def custom_txt(path: Path) -> object:
    """Read a list of stages of a user's own corpus."""
    return _custom(path, "txt", {})


def custom_edf(path: Path) -> object:
    """Read annotations of a user's own corpus."""
    return _custom(path, "annotations", {})


def _custom(path: Path, form: str, columns: dict[str, str]) -> object:
    ignore = () if form == "txt" else EVENTS
    scoring = ScoringForm(form, WORDS, ignore, columns, 30.0, "lab.yaml")
    return used(scoring_files.read_hypnogram(scoring, recording(path), ""))


def corpus(path: Path) -> object:
    """Load the description of a user's own corpus."""
    return written(dict(yaml_corpus.load(path).definition or {}))


def path_pattern(path: Path) -> object:
    """Match the pattern in the first line with the path in the second."""
    pattern, _, name = text(path).partition("\n")
    return PathPattern(pattern).match(name[:200])


def style(path: Path) -> object:
    """Load a style and lay out a page in it."""
    loaded: Style = load_style(str(path))
    return layout.boxes(loaded, MONTAGE), loaded.grey, written(recipe.plain(loaded))


def montage(path: Path) -> object:
    """Load a montage."""
    return written(recipe.plain(montage_file.load_montage(str(path))))


def filters(path: Path) -> object:
    """Load filter settings."""
    return written(recipe.plain(filter_settings.load_filters(str(path))))


def prompt(path: Path) -> object:
    """Load a prompt."""
    return written(dict(prompts.load(path).answers))


def config(path: Path) -> object:
    """Parse the options of `psgimg build` with this file of defaults."""
    command = cli.command_line().commands["build"]
    try:
        return command.make_context("build", ["--config", str(path), "--out", str(path.parent)])
    except click.ClickException as error:
        raise BuildError(error.format_message()) from error


def study(path: Path) -> object:
    """Plan a study."""
    return plan.commands(plan.plan(grid.read(path)))


def labels(path: Path) -> object:
    """Choose the channels of a file with the labels in the lines."""
    listed = tuple(text(path).split("\n")[:500])
    return channels.choose(MONTAGE, listed, {"E1": listed[0]}, where="x")


def corruption(path: Path) -> object:
    """Parse the value of `--corrupt`."""
    parsed = corruption_spec.parse(text(path))
    corruption_spec.check_lanes([parsed], MONTAGE)
    return corruption_spec.from_dict(json.loads(json.dumps(corruption_spec.to_dict([parsed]))))


def lights(path: Path) -> object:
    """Parse times of lights off and on in a recording of a given duration."""
    off, on, duration_s = (*text(path).split("|"), "", "")[:3]
    start = datetime(2001, 1, 1, 22, 30)
    lasting = float(duration_s) if duration_s.isdecimal() else 28800.0
    return light_times.span(off or None, on or None, start, min(lasting, 1e6), 30)


def shares(path: Path) -> object:
    """Parse the value of `--splits`, and assign a subject."""
    policy = splits.SplitPolicy(splits.parse_shares(text(path)))
    return policy.place([Person("shhs", "1", "1")])


def split(path: Path) -> object:
    """Read a published split."""
    return splits.read_published(path)


def build_json(path: Path) -> object:
    """Validate a dataset's ``build.json`` and count its rows."""
    values = validate.values(path.parent)
    return (
        Report(values).empty_splits,
        placements.folds_text(values) if values["folds"] else "",
        build_report.text(values),
    )


def rebuild_json(path: Path) -> object:
    """Read a labels-only export."""
    export = labels_only.read(path.parent)
    return [
        export.labels((fact["corpus"], fact["recording"])) for fact in export.values["recordings"]
    ]


def part_records(path: Path) -> object:
    """Read the records of the parts of a build, and their recordings set aside."""
    records = part_record.read(path.parents[2])
    return sorted(entry for one in records for entry in one.set_aside)


def manifest(path: Path) -> object:
    """Load the manifest of a model, and save it again."""
    loaded = ModelFolder.load(path.parent)
    loaded.save(path.with_name("again"))
    return loaded


def card(path: Path) -> object:
    """Compare the header of a dataset's card with its counts."""
    values = build_report.read(path.parent)
    return audit.check_head(text(path), Report(values), path.name)


def shard(path: Path) -> object:
    """Read the facts in the footer of a shard, and the rows and pictures as training does."""
    folder = path.parents[2]
    values = build_report.read(folder)
    n_rows = values["shards"][0]["rows"]
    found = shards.finished(folder)
    source = Source("x", "all", "train", None, values, ((path, n_rows),))
    index = page_index.read(source)
    files = Pictures(index.shards).read(range(len(index)))
    return [done.key for done in found.values()], index, files


def page(path: Path) -> object:
    """Decode the picture of a page."""
    try:
        return picture.decode(path.read_bytes()).size
    except ValueError as error:
        raise BuildError(str(error)) from error


def predicted(path: Path) -> object:
    """Read a predictions file strictly, as psgimg writes it, and leniently, as `evaluate` does."""
    try:
        strict = predictions.read(path)
        _ = strict.labels, strict.predictions, strict.probabilities
    except BuildError:
        pass
    read = predictions_file.read(path)
    return list(read.nights()), read.subjects()


def tool(name: str) -> Callable[[Path], object]:
    """Return a reader of another tool's predictions."""
    return lambda path: [(one.name, one.stages.tolist()) for one in TOOLS[name].read(path)]


def answer(path: Path) -> object:
    """Parse the answer of a model."""
    return parse_answer.parse(text(path), PROMPT)


def completion(path: Path) -> object:
    """Parse the answer of a server, and the probabilities in it."""
    reply = chat_completion.parsed(httpx2.Response(200, content=path.read_bytes()), "http://x")
    return (
        parse_answer.parse(reply.text, PROMPT),
        logprobs.probabilities(reply.steps, PROMPT),
        reply.text.encode(),
    )


def rehashed(data: bytes) -> bytes:
    """Return the JSON of a dataset or model with the right hash of its recipe."""
    values = _values(data)
    if "recipe" in values:
        values["recipe_hash"] = recipe.digest(values["recipe"])
    return json.dumps(values).encode() if values else data


def resealed(data: bytes) -> bytes:
    """Return the JSON of a labels-only export with the right hashes."""
    values = _values(rehashed(data))
    sealed = {name: value for name, value in values.items() if name != "sha256"}
    whole = json.dumps(sealed, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    seal = hashlib.sha256(whole.encode()).hexdigest()
    return json.dumps({**sealed, "sha256": seal}).encode() if values else data


def _values(data: bytes) -> dict[str, Any]:
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}
