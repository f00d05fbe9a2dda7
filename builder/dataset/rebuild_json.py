"""The keys of ``rebuild.json`` with their types: how a labels-only export describes its dataset."""

from __future__ import annotations

from psgimg.builder.dataset.build_json import (
    BuiltRecording,
    Count,
    DatasetFacts,
    Hash,
    RelativePath,
)
from typing_extensions import TypedDict


class PicturedRecording(BuiltRecording):
    """A recording of the dataset, with the SHA-256 of its pictures."""

    pictures: Hash


class LabelTable(TypedDict):
    """The file of all labels; ``path`` is relative to the export's folder."""

    path: RelativePath
    rows: Count
    sha256: Hash


class ExportFacts(DatasetFacts):
    """The facts of a labels-only export, without the recordings that were set aside."""

    format: int
    recordings: list[PicturedRecording]
    labels: LabelTable


class RebuildJson(ExportFacts):
    """The whole of ``rebuild.json``. ``sha256`` is that of everything else in it."""

    sha256: str
