"""The keys of ``build.json`` with their types: checked by mypy in code, by ``build_schema`` in a file.

Other keys may stand beside these: whoever reads a file of a later psgimg ignores them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from annotated_types import Ge, Len
from psgimg.builder.dataset.schema import SPLITS, SplitName
from psgimg.builder.signals.corruption_spec import CorruptionJson
from typing_extensions import TypedDict

Count = Annotated[int, Ge(0)]

StageCounts = dict[str, Count]
"""Stage → epochs; all five stages are there."""

PolicyName = Literal["open", "restricted"]
"""The value of a ``Policy``."""


class LaneJson(TypedDict):
    """One lane of the montage."""

    name: str
    kind: str


class MontageJson(TypedDict):
    """The lanes from top to bottom."""

    name: str
    lanes: list[LaneJson]


class StyleJson(TypedDict):
    """What every version of a style has."""

    name: str
    width_px: Count
    height_px: Count


class RecipeJson(TypedDict):
    """What every version of a recipe has; ``Recipe.from_dict`` reads all of the present one."""

    version: int
    sfreq_hz: float
    montage: MontageJson
    style: StyleJson
    filters: dict[str, Any]


class Corrupted(TypedDict):
    """What was done to the signals; absent where they are as recorded."""

    corruption: NotRequired[CorruptionJson]


class Fixed(Corrupted):
    """The settings that may not change while a folder grows.

    ``published_split`` lists (corpus or "", subject, split).
    """

    recipe: RecipeJson
    scorer: str
    trim_min: float | None
    splits: Annotated[list[float], Len(len(SPLITS), len(SPLITS))]
    seed: int
    published_split: list[Annotated[list[str], Len(3, 3)]]


class CorpusPolicy(TypedDict):
    """What may be done with pictures of a corpus."""

    policy: PolicyName


class CorpusRecord(CorpusPolicy):
    """A corpus and its terms.

    ``definition`` is what decides how a corpus is read that psgimg does not bring itself.
    """

    title: str
    licence: str
    licence_url: str
    access: str
    citation: str
    notes: list[str]
    mains_hz: float
    definition: NotRequired[dict[str, Any]]


class CorpusCounts(TypedDict):
    """How many recordings of a corpus were found, built and set aside."""

    found: Count
    built: Count
    set_aside: Count
    subjects: Count


class CorpusFacts(CorpusRecord, CorpusCounts):
    """A corpus of the dataset."""


class PlanFacts(TypedDict):
    """A recording before it is drawn. Nothing of it names a person or a date.

    ``second`` counts epochs that a second scorer scored too, ``left_out`` those without a picture,
    by reason. ``lanes`` has None for an absent lane.
    """

    corpus: str
    subject: str
    recording: str
    kin: str
    scorer: str
    epoch_s: float
    duration_s: float
    stages: StageCounts
    second: Count
    unscored_signal_s: float
    left_out: dict[str, Count]
    lanes: list[str | None]
    gaps: Count
    notes: list[str]


class PlannedRecording(PlanFacts):
    """A recording that a build would draw."""

    split: SplitName | None


class DrawnFacts(PlanFacts):
    """A recording that was drawn: the lanes without a signal, and those drawn as envelopes."""

    flat: list[str]
    envelopes: list[str]


class RecordingFacts(DrawnFacts):
    """A recording as the footer of its shard has it.

    ``signal`` and ``fingerprint`` are the hashes of its signal, and of all its files.
    """

    signal: str
    fingerprint: str


class FooterFacts(RecordingFacts):
    """The same while a build goes on; ``withdrawn`` if the recording can no longer be built."""

    withdrawn: NotRequired[bool]


class BuiltRecording(RecordingFacts):
    """A recording of the dataset."""

    split: SplitName


class SetAsideEntry(TypedDict):
    """A recording that could not be used."""

    corpus: str
    recording: str
    reason: str
    detail: str


class FileEntry(TypedDict):
    """A file of the dataset."""

    bytes: Count
    sha256: str


class ShardEntry(FileEntry):
    """A shard; ``path`` is relative to the dataset's folder."""

    path: str
    corpus: str
    split: SplitName
    rows: Count


class RevisionJson(TypedDict):
    """A ``release_notes.Revision``."""

    tag: str
    recipe_hash: str
    rows: Count
    recordings: Count
    corpora: list[str]
    restricted: list[str]
    what: str


class ReleaseJson(TypedDict):
    """A ``release_notes.Release``."""

    repo_id: str
    public: bool
    permission: str
    permitted: list[str]
    revisions: list[RevisionJson]
    people: dict[str, dict[str, SplitName]]


class DatasetFacts(Corrupted):
    """What the ``build.json`` of a dataset and the ``rebuild.json`` of its labels have in common.

    ``versions`` are those of Python and the libraries. ``command`` has several lines where a folder
    grew. ``policy`` is the strictest of the corpora. ``folds`` is 0 where there are none. ``counts``
    goes from corpus to split to stage to epochs, ``left_out`` from corpus to reason to epochs.
    """

    psgimg: str
    versions: dict[str, str]
    command: str
    recipe: RecipeJson
    recipe_hash: str
    fixed: Fixed
    folds: Count
    policy: PolicyName
    corpora: dict[str, CorpusFacts]
    counts: dict[str, dict[SplitName, StageCounts]]
    left_out: dict[str, dict[str, Count]]
    shards: list[ShardEntry]


class BuildFacts(DatasetFacts):
    """What a build did, before the files beside the shards are written."""

    recordings: list[BuiltRecording]
    set_aside: list[SetAsideEntry]


class BuildJson(BuildFacts):
    """All of ``build.json``. ``files`` has what lies beside the shards, by its path."""

    files: dict[str, FileEntry]


class ReleasedJson(BuildJson):
    """The ``build.json`` of a dataset that was published."""

    release: ReleaseJson


def corrupted(facts: Corrupted) -> Corrupted:
    """The corruption alone, to be kept beside other keys; empty where there is none."""
    return {"corruption": facts["corruption"]} if "corruption" in facts else {}
