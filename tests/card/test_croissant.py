"""Croissant: mlcroissant finds no fault with it, and reads the dataset's own rows by it."""

import copy
import hashlib
import json
from dataclasses import replace

import datasets
import mlcroissant
import pyarrow.parquet as pq
import pytest
import tiny
from PIL import Image
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.card.croissant import FILE, croissant
from psgimg.builder.card.release_notes import Release, Revision
from psgimg.builder.dataset import build_report
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.dataset.schema import FEATURES
from psgimg.builder.stages import STAGE_NAMES


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """An open corpus and a restricted one, with their Croissant file."""
    root = tmp_path_factory.mktemp("corpora")
    tiny.write_hmc(root / "hmc", minutes=5)
    tiny.write_isruc(root / "isruc", n_subjects=1, minutes=5)
    table = root / "split.csv"
    table.write_text("subject,split\nSN001,train\nSN002,test\nI-001,train\nII-001,test\n")
    roots = (f"hmc={root / 'hmc'}", f"isruc={root / 'isruc'}")
    build(
        BuildConfig(
            ("hmc", "isruc"), roots, root / "out", style="paper", trim_min=None, split_file=table
        ),
        Remembered(),
    )
    text = json.dumps(croissant(build_report.read(root / "out")))
    (root / "out" / FILE).write_text(text)
    return root / "out"


@pytest.fixture(scope="module")
def described(built):
    return croissant(build_report.read(built))


def rows(built, split="*", corpus="*"):
    paths = sorted((built / "data").glob(f"{corpus}/{split}-*.parquet"))
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def read(built, record_set, **filters):
    """Records as rows, without the config's name before each column, and text as text."""
    dataset = mlcroissant.Dataset(jsonld=str(built / FILE))
    for record in dataset.records(record_set, filters=filters.get("filters")):
        plain = {key.partition("/")[2]: value for key, value in record.items()}
        yield {key: _text(value) for key, value in plain.items()}


def _text(value):
    if isinstance(value, bytes):
        return value.decode()
    return [_text(part) for part in value] if isinstance(value, list) else value


def by_page(records):
    return sorted(records, key=lambda record: (record["recording"], record["epoch"]))


def of_type(described, kind):
    return {entry["@id"]: entry for entry in described["distribution"] if entry["@type"] == kind}


def record_sets(described):
    return {entry["@id"]: entry for entry in described["recordSet"]}


def fields(described, record_set):
    return {field["@id"]: field for field in record_sets(described)[record_set]["field"]}


def test_mlcroissant_finds_no_error_and_misses_the_date_alone(built):
    issues = mlcroissant.Dataset(jsonld=str(built / FILE)).metadata.ctx.issues
    assert not issues.errors
    assert len(issues.warnings) == 1
    assert "datePublished" in issues.warnings.pop()


def test_mlcroissant_reads_every_row_with_its_picture_labels_and_lanes(built):
    records, wanted = by_page(read(built, "all")), by_page(rows(built))
    assert len(records) == len(wanted)
    for record, row in zip(records, wanted, strict=True):
        assert isinstance(record["image"], Image.Image)
        assert record["image"].size == (336, 336)
        assert {key: record[key] for key in FEATURES if key != "image"} == {
            key: row[key] for key in FEATURES if key != "image"
        }


def test_mlcroissant_reads_one_split_of_one_corpus(built):
    for corpus in ("all", "hmc", "isruc"):
        for split in ("train", "test"):
            records = list(read(built, corpus, filters={f"{corpus}/split": split}))
            wanted = rows(built, split, "*" if corpus == "all" else corpus)
            assert {record["split"] for record in records} == {split}
            assert [r["epoch"] for r in by_page(records)] == [r["epoch"] for r in by_page(wanted)]


def test_every_shard_is_listed_with_its_hash_and_a_path_in_the_folder(built, described):
    files = of_type(described, "cr:FileObject")
    shards = {p.relative_to(built).as_posix(): p for p in (built / "data").rglob("*.parquet")}
    assert set(files) == set(shards)
    for name, path in shards.items():
        assert files[name]["contentUrl"] == name
        assert files[name]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert files[name]["contentSize"] == f"{path.stat().st_size} B"


def test_there_is_a_record_set_and_a_set_of_files_for_each_config(built, described):
    configs = set(datasets.get_dataset_config_names(str(built)))
    assert set(record_sets(described)) == {*configs, "splits", "stages"}
    sets = of_type(described, "cr:FileSet")
    assert set(sets) == {f"{config}-files" for config in configs}
    for config in configs:
        held = {
            path for pattern in sets[f"{config}-files"]["includes"] for path in built.glob(pattern)
        }
        assert held == set((built / "data").glob(f"{'*' if config == 'all' else config}/*.parquet"))


def test_every_column_is_a_field_and_labels_have_names(described):
    for config in ("all", "hmc", "isruc"):
        assert set(fields(described, config)) == {f"{config}/{c}" for c in ("split", *FEATURES)}
        assert all(field["description"] for field in fields(described, config).values())
    columns = fields(described, "all")
    assert columns["all/image"]["dataType"] == "sc:ImageObject"
    assert "cr:Label" in columns["all/label"]["dataType"]
    stages = record_sets(described)["stages"]
    assert stages["dataType"] == "sc:Enumeration"
    assert [stage["stages/name"] for stage in stages["data"]] == list(STAGE_NAMES)
    assert [stage["stages/index"] for stage in stages["data"]] == list(range(len(STAGE_NAMES)))


def test_splits_with_a_page_are_named_in_the_words_of_croissant(described):
    assert record_sets(described)["splits"]["data"] == [
        {"splits/name": "train", "splits/url": "cr:TrainingSplit"},
        {"splits/name": "test", "splits/url": "cr:TestSplit"},
    ]


def test_terms_are_those_of_every_corpus_the_restricted_first(built, described):
    corpora = build_report.read(built)["corpora"]
    assert [licence["url"] for licence in described["license"]] == [
        corpora[name]["licence_url"] for name in ("isruc", "hmc")
    ]
    assert all(entry["citation"] in described["citeAs"] for entry in corpora.values())
    assert "ISRUC" in described["conditionsOfAccess"]
    assert "Haaglanden" not in described["conditionsOfAccess"]
    assert described["isLiveDataset"] is False


def test_an_open_dataset_has_no_condition_of_access(built):
    values = build_report.read(built)
    values["counts"] = {"hmc": values["counts"]["hmc"]}
    del values["corpora"]["isruc"]
    assert "conditionsOfAccess" not in croissant(values)


def test_a_published_dataset_has_an_address_a_version_and_its_permission(built, tmp_path):
    values = build_report.read(built)
    one = Revision("v1", values["recipe_hash"], 10, 1, ("hmc",), (), "first")
    release = Release(
        "lab/psg-images", True, "Letter of 3 May.", revisions=(one, replace(one, tag="v2"))
    )
    found = croissant({**values, "release": release.to_dict()})
    assert found["url"] == "https://huggingface.co/datasets/lab/psg-images"
    assert found["creator"]["name"] == "lab"
    assert found["version"] == "1.2.0"
    assert "Letter of 3 May." in found["conditionsOfAccess"]
    other = replace(release, revisions=(replace(one, recipe_hash="0" * 16), one))
    assert croissant({**values, "release": other.to_dict()})["version"] == "2.1.0"
    (tmp_path / FILE).write_text(json.dumps(found))
    assert not mlcroissant.Dataset(jsonld=str(tmp_path / FILE)).metadata.ctx.issues.errors


def test_the_same_values_give_the_same_text_and_stay_as_they_are(built):
    values = build_report.read(built)
    before = copy.deepcopy(values)
    assert json.dumps(croissant(values)) == json.dumps(croissant(values))
    assert values == before
    assert str(built.parent) not in json.dumps(croissant(values))
