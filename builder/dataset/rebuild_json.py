"""The keys of ``rebuild.json`` with their types: what a labels-only export says of its dataset."""

from __future__ import annotations

from psgimg.builder.dataset.build_json import BuiltRecording, DatasetFacts
from typing_extensions import TypedDict


class PicturedRecording(BuiltRecording):
    """A recording of the dataset, with the SHA-256 of its pictures."""

    pictures: str


class LabelTable(TypedDict):
    """The file of all labels; ``path`` is relative to the export's folder."""

    path: str
    rows: int
    sha256: str


class ExportFacts(DatasetFacts):
    """What a labels-only export says. Who was set aside, and why, is not passed on."""

    format: int
    recordings: list[PicturedRecording]
    labels: LabelTable


class RebuildJson(ExportFacts):
    """All of ``rebuild.json``. ``sha256`` is of everything else in it."""

    sha256: str
