"""Named splits: published splits that psgimg brings, by the names that ``--split-file`` takes.

The tables are subjects' identifiers, as their publishers list them. A named split is kept as it was
published, also where it parts relatives.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources


@dataclass(frozen=True)
class NamedSplit:
    """A published split.

    Parameters
    ----------
    title
        What it is called, for display.
    source, url
        Where its table is published.
    licence
        Licence of the table at its source; ``LICENSES.txt`` beside it has the text.
    citation
        The work that introduced it.
    recordings
        Regular expression of the recordings that it is of; empty for all of its subjects.
    """

    name: str
    title: str
    source: str
    url: str
    licence: str
    citation: str
    recordings: str = ""

    @cached_property
    def table(self) -> Mapping[tuple[str, str], str]:
        """(corpus, subject) → split."""
        rows = csv.DictReader(self._text.decode("ascii").splitlines())
        return {(row["corpus"], row["subject"]): row["split"] for row in rows}

    @cached_property
    def corpora(self) -> list[str]:
        """The corpora of its subjects."""
        return sorted({corpus for corpus, _ in self.table})

    @cached_property
    def sha256(self) -> str:
        """Hash of the table."""
        return hashlib.sha256(self._text).hexdigest()

    def is_of(self, recording: str) -> bool:
        """Whether the split is of a recording of its subjects."""
        return not self.recordings or re.fullmatch(self.recordings, recording) is not None

    @cached_property
    def _text(self) -> bytes:
        packed = resources.files("psgimg.builder.placing") / f"{self.name}.csv.gz"
        return gzip.decompress(packed.read_bytes())


NAMED = {
    one.name: one
    for one in (
        NamedSplit(
            "usleep",
            title="the split of U-Sleep",
            source="AnySleep, config/usleep_split.yaml",
            url="https://github.com/dslaborg/AnySleep",
            licence="MIT",
            citation="Perslev et al., U-Sleep: resilient high-frequency sleep staging, npj Digital "
            "Medicine 4:72, 2021",
        ),
        NamedSplit(
            "phan-shhs1",
            title="the split of visit 1 of SHHS by Phan and colleagues",
            source="PhysioEx 2.0.4, physioex/data/datasets/_splits/shhs.json",
            url="https://github.com/guidogagl/physioex",
            licence="MIT",
            citation="Phan et al., SleepTransformer: automatic sleep staging with interpretability and "
            "uncertainty quantification, IEEE Transactions on Biomedical Engineering 69:2456, 2022",
            recordings="shhs1-.*",
        ),
    )
}
"""The splits by name."""


def stated(record: Mapping[str, object] | None) -> NamedSplit | None:
    """Return the split that a ``build.json`` states, if this psgimg brings it with the same table."""
    found = NAMED.get(str(record["name"])) if record else None
    return found if record and found and found.sha256 == record["sha256"] else None
