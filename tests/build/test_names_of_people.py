"""Names of people in file and folder names, and text of headers, are in nothing that is published."""

from __future__ import annotations

import json
import shutil
import stat

import pyarrow.parquet as pq
import pytest
from builds import content
from progress import Remembered
from psgimg.builder import lane_signals
from psgimg.builder.build import build
from psgimg.builder.check import check
from psgimg.builder.dataset import public_names, validate
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.builder.exports import imagefolder, labels_only, webdataset
from psgimg.builder.rebuild import RebuildConfig, rebuild
from tiny_lab import describe, write_lab

PEOPLE = {"P001": "Maria Silva 1950", "P002": "Jos\u00e9-O\u2019Neil"}
TRACES = ("maria", "silva", "1950", "jos\u00e9", "neil")
NAMES = public_names.FILE


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    """Nights of two people in folders with their names, one of a subject with an id, and a dataset."""
    place = tmp_path_factory.mktemp("clinic")
    write_lab(place / "recordings", n_subjects=3, minutes=5)
    for subject, person in PEOPLE.items():
        (place / "recordings" / subject).rename(place / "recordings" / person)
    describe(place / "my-lab.yaml")
    made(place)
    return place


def made(place, out="out", **options):
    config = BuildConfig((str(place / "my-lab.yaml"),), (), place / out, **options)
    return build(config, Remembered())


def published(out):
    """Every byte below a folder that leaves the machine, and the names of its files, in lower case."""
    files = {path.relative_to(out).as_posix(): path for path in out.rglob("*") if path.is_file()}
    kept = {name: path for name, path in files.items() if name != NAMES}
    tables = [
        str(pq.read_table(path).drop_columns("image"))
        for path in kept.values()
        if path.suffix == ".parquet" and "image" in pq.read_schema(path).names
    ]
    texts = [path.read_bytes().decode("utf-8", "replace") for path in kept.values()]
    return "\n".join([*kept, *tables, *texts]).lower()


def named(out):
    values = json.loads((out / "build.json").read_text())
    return {(fact["subject"], fact["recording"]) for fact in values["recordings"]}


def test_a_person_is_a_number_in_everything_that_a_build_writes(clinic):
    assert named(clinic / "out") == {
        ("s0001", "r0001"),
        ("s0002", "r0002"),
        ("P003", "P003-night1"),
    }
    text = published(clinic / "out")
    assert "r0001" in text
    assert [trace for trace in TRACES if trace in text] == []


@pytest.mark.parametrize(
    "export", [labels_only, imagefolder, webdataset], ids=lambda e: e.__name__.split(".")[-1]
)
def test_exports_have_the_numbers_only(clinic, tmp_path, export):
    export.write(clinic / "out", tmp_path / "export")
    text = published(tmp_path / "export")
    assert "r0001" in text
    assert [trace for trace in TRACES if trace in text] == []
    assert not (tmp_path / "export" / NAMES).exists()


def test_only_the_owner_may_read_the_file_that_links_names_and_numbers(clinic):
    path = clinic / "out" / NAMES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text())["my-lab"]["subject"] == {
        "Jos\u00e9-O-Neil": "s0001",
        "Maria-Silva-1950": "s0002",
    }
    assert NAMES not in json.loads((clinic / "out" / "build.json").read_text())["files"]
    from huggingface_hub.utils import DEFAULT_IGNORE_PATTERNS, filter_repo_objects

    sent = filter_repo_objects([NAMES, "README.md"], ignore_patterns=DEFAULT_IGNORE_PATTERNS)
    assert list(sent) == ["README.md"]


def test_numbers_are_the_same_for_any_number_of_workers_and_in_any_order_of_work(clinic):
    made(clinic, "two", workers=2)
    made(clinic, "parts", limit=1)
    made(clinic, "parts")
    shards = {
        name: text for name, text in content(clinic / "out").items() if name.startswith("data")
    }
    for out in ("two", "parts"):
        assert {n: t for n, t in content(clinic / out).items() if n.startswith("data")} == shards


def test_a_folder_that_grows_keeps_its_numbers(clinic, tmp_path):
    shutil.copytree(clinic, tmp_path / "lab")
    place = tmp_path / "lab"
    before = named(place / "out")
    shutil.copytree(place / "recordings" / "P003", place / "recordings" / "Anna Berg")
    signal = place / "recordings" / "Anna Berg" / "night1.edf"
    signal.write_bytes(signal.read_bytes()[:-2] + b"\1\0")  # another night
    made(place)
    assert named(place / "out") == before | {("s0003", "r0003")}
    (place / "out" / NAMES).unlink()  # recordings are then recognised by their signals
    made(place)
    assert named(place / "out") == before | {("s0003", "r0003")}


def test_a_subject_is_selected_by_name_or_number_and_the_command_has_the_number(clinic):
    by_name = made(clinic, "one", subjects=("Maria-Silva-1950",))
    assert named(clinic / "one") == {("s0002", "r0002")}
    assert by_name.values["command"].endswith("--subjects s0002")
    made(clinic, "one", subjects=("s0002",))
    assert [trace for trace in TRACES if trace in published(clinic / "one")] == []


def test_a_split_file_may_name_people_and_the_dataset_does_not(clinic, tmp_path):
    split = tmp_path / "split.csv"
    split.write_text(
        "subject,split\nMaria-Silva-1950,test\nJos\u00e9-O-Neil,train\nP003,train\nEva Lind,test\n"
    )
    report = made(clinic, "split", split_file=split)
    assert {(f["subject"], f["split"]) for f in report.values["recordings"]} == {
        ("s0003", "test"),
        ("s0002", "train"),
        ("P003", "train"),
    }
    made(clinic, "split", split_file=split)  # the settings are the same ones
    text = published(clinic / "split")
    assert [trace for trace in (*TRACES, "lind") if trace in text] == []


def test_check_has_the_names_and_splits_of_the_build(clinic):
    config = BuildConfig((str(clinic / "my-lab.yaml"),), (), clinic / "unbuilt")
    facts, _ = check(config, Remembered())
    built = json.loads((clinic / "out" / "build.json").read_text())["recordings"]
    assert {(f["recording"], f["split"]) for f in facts} == {
        (f["recording"], f["split"]) for f in built
    }
    assert not (clinic / "unbuilt").exists()


def test_a_colleague_with_the_recordings_rebuilds_and_reads_signals_without_the_file(
    clinic, tmp_path
):
    labels_only.write(clinic / "out", tmp_path / "labels")
    rebuilt = rebuild(
        RebuildConfig(
            tmp_path / "labels", out=tmp_path / "again", source=(str(clinic / "my-lab.yaml"),)
        ),
        Remembered(),
    )
    assert rebuilt.mismatches == ()
    values = json.loads((clinic / "out" / "build.json").read_text())
    here = lane_signals.on_disk({"my-lab"}, (), (str(clinic / "my-lab.yaml"),))
    key = ("my-lab", "r0002")
    origin = lane_signals.find(values, here, [key])[key]
    assert origin.recording.signal.parent.name == "Maria Silva 1950"


def test_what_was_set_aside_is_published_by_its_reason_alone(clinic, tmp_path):
    shutil.copytree(clinic / "recordings", tmp_path / "lab" / "recordings")
    describe(tmp_path / "lab" / "my-lab.yaml")
    header = tmp_path / "lab" / "recordings" / "P003" / "night1.edf"
    data = bytearray(header.read_bytes())
    data[236:244] = b"PatJones"
    header.write_bytes(data)
    table = tmp_path / "lab" / "recordings" / "Maria Silva 1950" / "night1.csv"
    table.write_text(table.read_text().replace("S2", "Dr. Weber:N2"))
    report = made(tmp_path / "lab")
    assert {entry["recording"] for entry in report.values["set_aside"]} == {"r0002", "P003-night1"}
    assert all(entry["detail"] for entry in report.values["set_aside"])  # for the terminal
    text = published(tmp_path / "lab" / "out")
    assert [
        trace for trace in (*TRACES, "jones", "weber", "night1.csv", "night1.edf") if trace in text
    ] == []
    assert "unknown stage word" in text


def test_a_dataset_with_names_of_people_is_not_shared(clinic, tmp_path):
    shutil.copytree(clinic / "out", tmp_path / "old")
    values = json.loads((tmp_path / "old" / "build.json").read_text())
    values["recordings"][0]["subject"] = "Maria-Silva"
    with pytest.raises(BuildError, match="may be the name of a person; build into a new --out"):
        validate.check_names(tmp_path / "old", values)
