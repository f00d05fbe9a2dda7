"""Labels-only export: share the labels of a dataset whose pictures must not be shared.

    OUT/labels.parquet      every row without its image, with its split
    OUT/rebuild.json        recipe, settings, recordings and hashes, for `rebuild`
    OUT/README.md           the card; its YAML header lets `load_dataset` open the labels
    OUT/LICENSES.csv        terms of each corpus, with OUT/CITATION.bib

It contains neither pixels nor signals. A folder without ``rebuild.json`` is not an export, and
nothing in it is replaced.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from psgimg.builder import atomic_file, atomic_folder
from psgimg.builder.card import labels_card, terms_files
from psgimg.builder.dataset import build_json, build_report, json_form, shards, validate
from psgimg.builder.dataset.build_json import BuildJson
from psgimg.builder.dataset.json_form import FormError
from psgimg.builder.dataset.page_spec import PageSpec
from psgimg.builder.dataset.rebuild_json import ExportFacts, PicturedRecording, RebuildJson
from psgimg.builder.dataset.schema import FEATURES, schema, variant_columns
from psgimg.builder.dataset.shards import Done, Key
from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded, safe_names
from psgimg.builder.render import recipe

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT = 2
"""Incremented whenever older versions of psgimg can no longer read the format."""

FILE = validate.LABELS
TABLE = "labels.parquet"
CARD = "README.md"

LABEL_FEATURES = {
    **{name: feature for name, feature in FEATURES.items() if name != "image"},
    "split": FEATURES["corpus"],
}
PER_GROUP = 64
"""Recordings per row group of the table, some ten thousand rows."""


@dataclass(frozen=True)
class Export:
    """A complete labels-only export.

    Parameters
    ----------
    values
        Contents of ``rebuild.json``.
    spec
        How the pages are drawn: the recipe and related settings in ``values``.
    """

    folder: Path
    values: RebuildJson
    spec: PageSpec

    def labels(self, key: Key) -> list[dict[str, Any]]:
        """Return the rows of a recording in time order."""
        corpus, recording = key
        chosen = [("corpus", "=", corpus), ("recording", "=", recording)]
        rows: list[dict[str, Any]] = pq.read_table(
            self.folder / TABLE, filters=chosen, partitioning=None
        ).to_pylist()
        return rows


def write(folder: Path, out: Path) -> None:
    """Write the labels-only export of a built dataset. The same dataset gives the same bytes.

    Raises
    ------
    BuildError
        If ``folder`` is not a finished dataset or is damaged; if ``out`` contains anything but an
        earlier labels-only export, is in ``folder``, or can't be written.
    """
    values, done = _dataset(folder)
    keys = [(fact["corpus"], fact["recording"]) for fact in values["recordings"]]
    recordings: list[PicturedRecording] = [
        {**fact, "pictures": pictures(done[key])}
        for fact, key in zip(values["recordings"], keys, strict=True)
    ]
    splits = [fact["split"] for fact in recordings]
    with atomic_folder.whole(out, folder, lambda: _own(out), "labels-only") as draft:
        _write_table(draft / TABLE, list(zip(map(done.__getitem__, keys), splits, strict=True)))
        export: ExportFacts = {
            "format": FORMAT,
            "psgimg": values["psgimg"],
            "versions": values["versions"],
            "command": values["command"],
            "recipe": values["recipe"],
            "recipe_hash": values["recipe_hash"],
            "fixed": values["fixed"],
            "folds": values["folds"],
            "placements": values["placements"],
            "parted": values["parted"],
            "policy": values["policy"],
            "corpora": values["corpora"],
            "counts": values["counts"],
            "left_out": values["left_out"],
            "shards": values["shards"],
            **build_json.corrupted(values),
            "recordings": recordings,
            "labels": {
                "path": TABLE,
                "rows": shards.n_rows(draft / TABLE),
                "sha256": atomic_file.sha256(draft / TABLE),
            },
        }
        _write_text(draft / CARD, labels_card.text(export, TABLE, list(LABEL_FEATURES)))
        for name, text in terms_files.texts(export).items():
            _write_text(draft / name, text)
        sealed: RebuildJson = {**export, "sha256": _seal(export)}
        _write_text(draft / FILE, json.dumps(sealed, indent=1, ensure_ascii=False) + "\n")


def read(folder: Path) -> Export:
    """Read an export.

    Raises
    ------
    BuildError
        If it is incomplete, was changed, or is for another version of psgimg.
    """
    path = folder / FILE
    try:
        values = bounded.read_json(path, bounded.REPORT)
        maker, version = str(values["psgimg"]), values["recipe"]["version"]
        form = values["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(
            f"{path}: not a labels-only export ({type(error).__name__}); give the folder written by "
            "`psgimg export --labels-only`"
        ) from error
    if (form, version) != (FORMAT, recipe.VERSION) and safe_names.is_version(maker):
        raise BuildError(
            f"{path} has format {form} and recipe version {version}, this psgimg reads format {FORMAT} "
            f"and draws version {recipe.VERSION}; install its version, `pip install psgimg=={maker}`"
        )
    again = "get the export again from its author"
    if recipe.digest(values["recipe"]) != values.get("recipe_hash"):
        raise BuildError(f"{path}: the recipe does not match recipe_hash; {again}")
    if values.get("sha256") != _seal(values):
        raise BuildError(f"{path} was changed after it was written; {again}")
    try:
        checked = json_form.conform(values, RebuildJson)
    except FormError as error:
        raise BuildError(
            f"{path} is damaged or from another version of psgimg ({error}); {again}"
        ) from error
    table = safe_names.inside(folder, checked["labels"]["path"])
    if (
        table.name != TABLE
        or not table.is_file()
        or atomic_file.sha256(table) != checked["labels"]["sha256"]
    ):
        raise BuildError(f"{table} is not the file listed in {FILE} (SHA-256); {again}")
    return Export(folder, checked, PageSpec.from_build(checked))


def pictures(done: Done) -> str:
    """Return the SHA-256 of a recording's pictures in time order, each preceded by its length.

    Those of each variant follow.
    """
    digest = hashlib.sha256()
    for name in ("image", *variant_columns(done.facts.get("variants", 0))):
        images = shards.read_column(done, [f"{name}.bytes"]).column(name).combine_chunks()
        for picture in images.field("bytes").fill_null(b""):
            png = picture.as_buffer()
            digest.update(len(png).to_bytes(8, "big"))
            digest.update(png)
    return digest.hexdigest()


def rows(done: Done) -> list[dict[str, Any]]:
    """Return the rows of a drawn recording without their images."""
    names = [name for name in FEATURES if name != "image"]
    without_images: list[dict[str, Any]] = shards.read_column(done, names).to_pylist()
    return without_images


def _dataset(folder: Path) -> tuple[BuildJson, dict[Key, Done]]:
    """Return the ``build.json`` of a checked folder, and the location of its recordings."""
    values = validate.values(folder)
    validate.check_names(folder, values)
    validate.check_shards(folder, values, values["shards"])
    done = shards.finished(folder)
    split = {folder / shard["path"]: shard["split"] for shard in values["shards"]}
    present = {key: {**one.facts, "split": split[one.path]} for key, one in done.items()}
    if {(fact["corpus"], fact["recording"]): fact for fact in values["recordings"]} != present:
        raise BuildError(
            f"{folder / 'data'}: recordings differ from {build_report.FILE}; {validate.ANEW}"
        )
    return values, done


def _own(out: Path) -> set[str]:
    """Return the entries of an earlier export's folder; none if it is not an export."""
    try:
        values = bounded.read_json(out / FILE, bounded.REPORT)
        return (
            {FILE, TABLE, CARD, *terms_files.FILES} if values["labels"]["path"] == TABLE else set()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _write_table(path: Path, chosen: Sequence[tuple[Done, str]]) -> None:
    arrow = _schema()
    with pq.ParquetWriter(path, arrow, compression="snappy") as writer:
        for i in range(0, len(chosen), PER_GROUP):
            writer.write_table(pa.concat_tables(_tables(chosen[i : i + PER_GROUP], arrow)))


def _tables(chosen: Sequence[tuple[Done, str]], arrow: pa.Schema) -> Iterator[pa.Table]:
    for done, split in chosen:
        table = shards.read_column(done, [name for name in arrow.names if name != "split"])
        table = table.append_column("split", pa.array([split] * len(table), pa.string()))
        yield table.select(arrow.names).replace_schema_metadata(arrow.metadata)


def _schema() -> pa.Schema:
    """Return the dataset's schema without the image and with the split, with names of stages."""
    whole = schema()
    fields = [whole.field(name) for name in LABEL_FEATURES if name != "split"]
    huggingface = json.dumps({"info": {"features": LABEL_FEATURES}})
    return pa.schema([*fields, pa.field("split", pa.string())], {"huggingface": huggingface})


def _seal(values: Mapping[str, object]) -> str:
    """Return the SHA-256 of all values of an export except this hash."""
    hashed = {name: value for name, value in values.items() if name != "sha256"}
    text = json.dumps(hashed, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
