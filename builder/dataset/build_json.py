"""The keys of ``build.json`` with their types: checked in code by mypy, in files by ``build_schema``.

Files may contain other keys, written by a later psgimg; they are ignored.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal, NotRequired

from annotated_types import Ge, Le, Len, Predicate
from psgimg.builder.citing.reference import ReferenceJson
from psgimg.builder.dataset.schema import SPLITS, SplitName
from psgimg.builder.files import safe_names
from psgimg.builder.recordings.lanes.treatment import TreatmentJson
from psgimg.builder.signals.corruption_spec import CorruptionJson
from psgimg.builder.signals.polarity_rule import PolarityJson
from psgimg.builder.signals.quality import Quality
from psgimg.builder.signals.variant_spec import MOST
from typing_extensions import TypedDict

Count = Annotated[int, Ge(0)]

CorpusName = Annotated[str, Predicate(safe_names.is_corpus)]
Name = Annotated[str, Predicate(safe_names.is_name)]
"""Name of a subject, recording or family."""
Line = Annotated[str, Predicate(safe_names.is_line)]
RelativePath = Annotated[str, Predicate(safe_names.is_path)]
Hash = Annotated[str, Predicate(safe_names.is_hash)]
Version = Annotated[str, Predicate(safe_names.is_version)]
Commands = Annotated[str, Predicate(safe_names.is_commands)]

StageCounts = dict[str, Count]
"""Stage to number of epochs, with all five stages."""

PolicyName = Literal["open", "restricted"]


class LaneJson(TypedDict):
    """One lane of the montage."""

    name: Line
    kind: str


class MontageJson(TypedDict):
    """A montage; ``lanes`` from top to bottom."""

    name: Line
    lanes: list[LaneJson]


class StyleJson(TypedDict):
    """The keys common to every version of a style."""

    name: Line
    width_px: Count
    height_px: Count


class RecipeJson(TypedDict):
    """The keys common to every version of a recipe; ``Recipe.from_dict`` reads the present one."""

    version: int
    sfreq_hz: float
    montage: MontageJson
    style: StyleJson
    filters: dict[str, Any]


class Corrupted(TypedDict):
    """The corruption of the signals; absent if they are as recorded."""

    corruption: NotRequired[CorruptionJson]


class NamedSplitJson(TypedDict):
    """A published split that psgimg brings, and the hash of its table."""

    name: Line
    sha256: Hash


class Fixed(Corrupted):
    """The settings that must not change when a folder is extended.

    ``published_split`` lists (corpus or "", subject, split) of the user's file; ``named_split`` is
    absent if none was given, ``min_quality`` if any quality is used, ``variants`` if there are none.
    """

    recipe: RecipeJson
    scorer: str
    trim_min: float | None
    splits: Annotated[list[float], Len(len(SPLITS), len(SPLITS))]
    seed: int
    published_split: list[Annotated[list[str], Len(3, 3)]]
    named_split: NotRequired[NamedSplitJson]
    min_quality: NotRequired[Annotated[float, Ge(0), Le(1)]]
    variants: NotRequired[Annotated[list[CorruptionJson], Len(1, MOST)]]


class CorpusPolicy(TypedDict):
    """Whether pictures may be published."""

    policy: PolicyName


class CorpusRecord(CorpusPolicy):
    """A corpus and its terms.

    ``definition`` determines how a corpus is read that is not one of psgimg's own. ``version`` and
    ``references`` are absent if they are not known; ``citation`` has the latter in words.
    """

    title: str
    licence: str
    licence_url: str
    access: str
    citation: str
    version: NotRequired[str]
    references: NotRequired[list[ReferenceJson]]
    notes: list[str]
    mains_hz: float
    definition: NotRequired[dict[str, Any]]


class CorpusCounts(TypedDict):
    """Number of recordings of a corpus found, built and set aside, and number of subjects."""

    found: Count
    built: Count
    set_aside: Count
    subjects: Count


class CorpusFacts(CorpusRecord, CorpusCounts):
    """A corpus of the dataset."""


class PlanFacts(TypedDict):
    """A recording before it is drawn, without a person's name or a date.

    ``quality`` and ``polarity`` are absent if no sample was read, or it was drawn by an older psgimg;
    ``variants``, the number drawn of each page, if there are none.
    ``second`` is the number of epochs also scored by a second scorer, ``left_out`` the number without
    a picture by reason. ``lanes`` has None for an absent lane; ``treatments`` has an entry for each lane
    of the montage too. ``kin`` is the subject or the family:
    the unit that stays in one split.
    """

    corpus: CorpusName
    subject: Name
    recording: Name
    kin: Name
    scorer: Line
    epoch_s: Annotated[float, Ge(1), Le(30)]
    duration_s: Annotated[float, Ge(0)]
    stages: StageCounts
    second: Count
    unscored_signal_s: float
    left_out: dict[Line, Count]
    lanes: list[Line | None]
    treatments: list[TreatmentJson]
    gaps: Count
    notes: list[str]
    mains_hz: float
    quality: NotRequired[Quality]
    polarity: NotRequired[PolarityJson]
    variants: NotRequired[Annotated[int, Ge(1)]]


class PlannedRecording(PlanFacts):
    """A recording that a build would draw."""

    split: SplitName | None


class DrawnFacts(PlanFacts):
    """A drawn recording, with its flat lanes and the lanes drawn as envelopes."""

    flat: list[Line]
    envelopes: list[Line]


class RecordingFacts(DrawnFacts):
    """A recording in the footer of its shard.

    ``signal`` is the hash of its signal, ``fingerprint`` that of all its files.
    """

    signal: Hash
    fingerprint: Hash


class FooterFacts(RecordingFacts):
    """The same during a build; ``withdrawn`` if the recording can no longer be built."""

    withdrawn: NotRequired[bool]


class BuiltRecording(RecordingFacts):
    """A recording of the dataset."""

    split: SplitName


class SetAsideEntry(TypedDict):
    """A recording that could not be used.

    ``detail`` names files and quotes them: it is for the terminal, and absent from files.
    """

    corpus: CorpusName
    recording: Name
    reason: Line
    detail: NotRequired[str]


class FileEntry(TypedDict):
    """A file of the dataset."""

    bytes: Count
    sha256: Hash


class ShardEntry(FileEntry):
    """A shard; ``path`` is relative to the dataset's folder."""

    path: RelativePath
    corpus: CorpusName
    split: SplitName
    rows: Count


class Placements(TypedDict):
    """Who was ever placed, by corpus and by family or subject; nobody moves.

    ``splits`` is empty where a published split decides, ``folds`` if there are none.
    """

    splits: dict[CorpusName, dict[Name, SplitName]]
    folds: dict[CorpusName, dict[Name, Count]]


class Parted(TypedDict):
    """Number of families whose members are in different splits, and of these members."""

    families: Count
    subjects: Count


class DatasetFacts(Corrupted):
    """The keys common to the ``build.json`` of a dataset and the ``rebuild.json`` of its labels.

    ``versions`` are those of Python and the libraries. ``command`` has several lines if the folder
    was extended. ``policy`` is the strictest of the corpora. ``folds`` is 0 if there are none.
    ``parted`` has the corpora in which a published split parts relatives. ``counts`` maps corpus to split to stage to number of epochs, ``left_out`` corpus to reason to
    number of epochs.
    """

    psgimg: Version
    versions: dict[Line, Version]
    command: Commands
    recipe: RecipeJson
    recipe_hash: Hash
    fixed: Fixed
    folds: Count
    placements: Placements
    parted: dict[CorpusName, Parted]
    policy: PolicyName
    corpora: dict[CorpusName, CorpusFacts]
    counts: dict[CorpusName, dict[SplitName, StageCounts]]
    left_out: dict[CorpusName, dict[Line, Count]]
    shards: list[ShardEntry]


class BuildFacts(DatasetFacts):
    """The result of a build, before the files beside the shards are written."""

    recordings: list[BuiltRecording]
    set_aside: list[SetAsideEntry]


class BuildJson(BuildFacts):
    """The whole of ``build.json``. ``files`` has the files beside the shards, by path."""

    files: dict[RelativePath, FileEntry]


def corrupted(facts: Corrupted) -> Corrupted:
    """Return only the corruption, to be merged with other keys; empty if there is none."""
    return {"corruption": facts["corruption"]} if "corruption" in facts else {}


def without_details(set_aside: Iterable[SetAsideEntry]) -> list[SetAsideEntry]:
    """Return entries of recordings set aside without their details, which name and quote files."""
    return [
        {"corpus": one["corpus"], "recording": one["recording"], "reason": one["reason"]}
        for one in set_aside
    ]
