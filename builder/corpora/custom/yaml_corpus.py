"""YAML corpus: load a custom corpus from a file with its terms, paths, stages and channels.

``docs/add-a-corpus.md`` explains every key. The terms in the file are shown, but the corpus is
always restricted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from psgimg.builder.corpora.bids import bids_layout, bids_scoring, sidecars
from psgimg.builder.corpora.custom import bids_dataset, corpus_layout, scoring_files
from psgimg.builder.corpora.custom.corpus_layout import CorpusLayout
from psgimg.builder.corpora.custom.path_patterns import PathPattern, check_field
from psgimg.builder.corpora.custom.scoring_files import (
    COLUMNS,
    DELIMITERS,
    FORMATS,
    XML,
    ScoringForm,
)
from psgimg.builder.corpora.custom.yaml_values import Section
from psgimg.builder.corpora.reading import check_name
from psgimg.builder.errors import BuildError
from psgimg.builder.files import yaml_file
from psgimg.builder.files.safe_names import expanded
from psgimg.builder.recordings.montage import DEFAULT_MONTAGE
from psgimg.builder.recordings.recording import MAINS_HZ, Corpus, Policy, Recording, Terms
from psgimg.builder.stages import STAGE_NAMES, Score, Stage, Unscored

KEYS = (
    *("name", "title", "terms", "notes"),
    *("root", "recordings", "fields", "scoring", "stages", "ignore", "epoch_s"),
    *("channels", "mains_hz", "montage", "inverted", bids_dataset.KEY),
)
SCORING = ("format", "file", "columns")
TERMS = ("licence", "licence_url", "access", "citation")
SCORES: Mapping[str, Score] = {
    **{name: Stage[name] for name in STAGE_NAMES},
    "unscored": Unscored.UNSCORED,
    "movement": Unscored.MOVEMENT,
}
"""Scores that a stage word can be mapped to."""

DERIVATION = re.compile("[A-Za-z][A-Za-z0-9]*(-[A-Za-z][A-Za-z0-9]*)?")
ADDRESS = re.compile(r"https?://[^\s<>()\[\]\"'`\\]+")
EPOCH_S = 30.0


def load(path: Path) -> Corpus:
    """Load the corpus described by a file.

    Raises
    ------
    BuildError
        If the file can't be read or has an invalid value; the message states file, key and remedy.
    """
    file = Section(yaml_file.read(path, "corpus file"), f"corpus file {path.name}", KEYS)
    if bids_dataset.KEY in file:
        return _bids(file, path)
    layout, form = _layout(file), _form(file, path.name)
    channels, inverted = _channels(file), _inverted(file)
    return Corpus(
        name=layout.corpus,
        title=file.text("title"),
        terms=_terms(file),
        mains_hz=_one_of(file, "mains_hz", MAINS_HZ),
        montage=_montage(file.text("montage", DEFAULT_MONTAGE), path.parent),
        channels=channels,
        home=str(path.parent / expanded(file.text("root", "."))),
        recordings=partial(_recordings, layout, inverted),
        read_hypnogram=partial(scoring_files.read_hypnogram, form),
        notes=file.texts("notes"),
        inverted=inverted,
        scorers=tuple(layout.scorings) if any(layout.scorings) else (),
        definition=_definition(file, layout, form, channels),
    )


def _bids(file: Section, path: Path) -> Corpus:
    """Return the corpus of a dataset in the layout of BIDS, whose sidecars state what the file omits."""
    name = check_name(file.text("name"), file.where)
    stages = _stages(file) if "stages" in file else {}
    channels = _channels(file) if "channels" in file else {}
    mains_hz = _one_of(file, "mains_hz", MAINS_HZ) if "mains_hz" in file else None
    form = bids_dataset.read(file, name, stages, channels, mains_hz)
    return Corpus(
        name=name,
        title=file.text("title"),
        terms=_terms(file),
        mains_hz=mains_hz or sidecars.DEFAULT_MAINS_HZ,
        montage=_montage(file.text("montage", DEFAULT_MONTAGE), path.parent),
        channels=channels,
        home=str(path.parent / expanded(file.text("root", "."))),
        recordings=partial(bids_layout.recordings, form),
        read_hypnogram=partial(bids_scoring.read_hypnogram, form),
        inputs=partial(sidecars.inputs, form),
        names=bids_layout.NAMES,
        notes=file.texts("notes"),
        scorers=form.columns,
        definition=bids_dataset.definition(form, {score: word for word, score in SCORES.items()}),
    )


def _channels(file: Section) -> dict[str, str]:
    """Return the label of each channel with its derivation."""
    channels = file.table("channels")
    for label, derivation in channels.items():
        if not DERIVATION.fullmatch(derivation):
            raise BuildError(
                f"{file.where}: channel {label!r} is {derivation!r}, not a derivation; write it like C4-M1, "
                "Chin, or C4-REF for an input against a common reference"
            )
    return channels


def _montage(name: str, folder: Path) -> str:
    """Return the name of a montage, or the path of its file relative to that of the corpus."""
    is_file = Path(name).suffix in yaml_file.SUFFIXES
    return str(folder / expanded(name)) if is_file else name


def _layout(file: Section) -> CorpusLayout:
    name = check_name(file.text("name"), file.where)
    try:
        fields = file.table("fields") if "fields" in file else {}
        for field, regex in fields.items():
            check_field(f"fields, {field}", regex)
        signals = PathPattern(file.text("recordings"), fields)
        if "subject" not in signals.names:
            raise BuildError(
                f"recordings: {signals.text!r} has no {{subject}}; add it, so that all recordings of a "
                "person stay in one split"
            )
        if unused := sorted(set(fields) - set(signals.names)):
            raise BuildError(f"fields: recordings has no {{{unused[0]}}}; remove or correct it")
        scorings = _scorings(file)
        for pattern in filter(None, scorings.values()):
            if unknown := sorted(set(pattern.names) - set(signals.names)):
                raise BuildError(
                    f"scoring: recordings has no {{{unknown[0]}}}; use only fields of recordings"
                )
    except BuildError as error:
        text = str(error)
        raise BuildError(
            text if text.startswith(file.where) else f"{file.where}: {text}"
        ) from error
    return CorpusLayout(name, signals, scorings)


def _scorings(file: Section) -> dict[str, PathPattern | None]:
    """Return the pattern of the scoring files by scorer; None for annotations in the signal file."""
    scoring = file.section("scoring", SCORING)
    if "file" not in scoring and scoring.text("format") == "annotations":
        return {"": None}
    if isinstance(scoring.get("file"), dict):
        return {scorer: PathPattern(text) for scorer, text in scoring.table("file").items()}
    return {"": PathPattern(scoring.text("file"))}


def _form(file: Section, name: str) -> ScoringForm:
    scoring = file.section("scoring", SCORING)
    form = scoring.text("format")
    if form not in FORMATS:
        raise BuildError(f"{scoring.where}: no format {form!r}; choose from {', '.join(FORMATS)}")
    if "columns" in scoring and form not in DELIMITERS:
        raise BuildError(f"{scoring.where}: columns is only for csv and tsv; remove it")
    if form in XML:
        for key in ("stages", "ignore", "epoch_s"):
            if key in file:
                raise BuildError(f"{file.where}: format {form} has its own {key}; remove the key")
        return ScoringForm(form, {}, (), {}, EPOCH_S, name)
    epoch_s = file.number("epoch_s", EPOCH_S)
    if not 1 <= epoch_s <= EPOCH_S:
        raise BuildError(
            f"{file.where}: epoch_s is {epoch_s:g}; give 30, 20 or another value of at most 30"
        )
    columns = _columns(scoring) if form in DELIMITERS else {}
    scoring_form = ScoringForm(form, _stages(file), file.texts("ignore"), columns, epoch_s, name)
    if scoring_form.ignore and scoring_form.by_epoch:
        raise BuildError(
            f"{file.where}: ignore would shift all later epochs, as this format has no times; list the "
            "word under stages, as unscored"
        )
    return scoring_form


def _columns(scoring: Section) -> dict[str, str]:
    if "columns" not in scoring:
        return {column: column for column in COLUMNS}
    columns = scoring.table("columns")
    if unknown := sorted(set(columns) - set(COLUMNS)):
        raise BuildError(
            f"{scoring.where}, columns: unknown {unknown[0]}; choose from {', '.join(COLUMNS)}"
        )
    if "stage" not in columns or ("duration" in columns and "onset" not in columns):
        raise BuildError(
            f"{scoring.where}, columns: give stage, onset and duration; omit duration if each row is "
            "an epoch, and onset too if the rows are consecutive epochs from the signal's start"
        )
    return columns


def _stages(file: Section) -> dict[str, Score]:
    words = file.table("stages")
    for word, stage in words.items():
        if stage not in SCORES:
            raise BuildError(
                f"{file.where}: stages, {word}: no stage {stage!r}; choose from {', '.join(SCORES)} "
                "(S3 and S4 are N3)"
            )
    return {word: SCORES[stage] for word, stage in words.items()}


def _terms(file: Section) -> Terms:
    if isinstance(file.get("terms"), dict) and "policy" in file.get("terms"):
        raise BuildError(
            f"{file.where}, terms: a custom corpus is always restricted; remove policy, and publish "
            "with `psgimg push --public --permission` if the pictures may be public"
        )
    terms = file.section("terms", TERMS)
    if not ADDRESS.fullmatch(terms.text("licence_url")):
        raise BuildError(
            f"{terms.where}: licence_url is {terms.text('licence_url')!r}; give the address of the page "
            "with the terms, beginning with https://"
        )
    licence, licence_url, access, citation = (terms.text(key) for key in TERMS)
    return Terms(Policy.RESTRICTED, licence, licence_url, access, citation)


def _one_of(file: Section, key: str, allowed: tuple[float, ...]) -> float:
    value = file.number(key)
    if value not in allowed:
        raise BuildError(
            f"{file.where}: {key} is {value:g}; give {' or '.join(f'{one:g}' for one in allowed)}"
        )
    return value


def _definition(
    file: Section, layout: CorpusLayout, form: ScoringForm, channels: Mapping[str, str]
) -> dict[str, Any]:
    """Return the values that determine rows; paths are lists of parts, unlike paths of a machine."""
    named = {score: name for name, score in SCORES.items()}
    return {
        "recordings": layout.signals.text.split("/"),
        "fields": dict(layout.signals.fields),
        "scoring": {
            scorer: pattern.text.split("/") if pattern else []
            for scorer, pattern in layout.scorings.items()
        },
        "format": form.format,
        "columns": dict(form.columns),
        "stages": {word: named[score] for word, score in form.stages.items()},
        "ignore": list(form.ignore),
        "epoch_s": form.epoch_s,
        "channels": dict(channels),
        "mains_hz": file.number("mains_hz"),
        **({"inverted": file.get("inverted")} if "inverted" in file else {}),
    }


def _inverted(file: Section) -> bool | frozenset[str]:
    """Return whether recordings are stored upside down: all or none of them, or those named."""
    if "inverted" in file and isinstance(file.get("inverted"), bool):
        return bool(file.get("inverted"))
    return frozenset(file.texts("inverted"))


def _recordings(
    layout: CorpusLayout, inverted: bool | frozenset[str], root: Path
) -> Iterator[Recording]:
    """Yield the recordings, and refuse a misspelt one among those said to be stored upside down."""
    found = list(corpus_layout.recordings(layout, root))
    named = frozenset() if isinstance(inverted, bool) else inverted
    if unknown := sorted(named.difference(one.recording for one in found)):
        raise BuildError(
            f"{layout.corpus}: inverted names {unknown[0]!r}, which is no recording in {root}; give "
            "names as `psgimg check` lists them, or true for all"
        )
    yield from found
