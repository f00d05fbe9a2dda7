"""Own files: a build replaces and deletes what psgimg wrote, and nothing else."""

import json
import shutil
import signal
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny
from builds import content, run
from psgimg.builder.building import shard_files
from psgimg.builder.card import dataset_card
from psgimg.builder.errors import BuildError

SMALL = {"style": "paper", "trim_min": None}


@pytest.fixture(scope="module")
def shhs(tmp_path_factory):
    root = tmp_path_factory.mktemp("shhs")
    tiny.write_shhs(root, n_subjects=2, visits=(1,), minutes=3)
    return root


@pytest.fixture(scope="module")
def built(shhs, tmp_path_factory):
    out = tmp_path_factory.mktemp("built") / "out"
    run(out, shhs, **SMALL)
    return out


def put(folder, name, data=b"mine"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if name.endswith(".parquet"):
        pq.write_table(pa.table({"mine": [1, 2, 3]}), path)
    else:
        path.write_bytes(data)
    return path


REPLACED = [
    "README.md",
    "preview.png",
    "croissant.json",
    "LICENSES.csv",
    "CITATION.bib",
    "build.json",
    "folds.csv",
    "card/W.png",
    "card/real-N3.png",
    "data/results.parquet",
    "data/train-00000-of-00001.parquet",
    "data/shhs/train-00000-of-00001.parquet",
    "data/project/raw/table.parquet",
]


@pytest.mark.parametrize("name", REPLACED)
def test_a_file_of_the_user_that_would_be_replaced_or_deleted_is_refused(shhs, tmp_path, name):
    out = tmp_path / "proj"
    path = put(out, name)
    put(out, "analysis.py")
    before = content(out)
    with pytest.raises(BuildError) as refused:
        run(out, shhs, **SMALL)
    assert str(path) in str(refused.value)
    assert "choose another --out" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert content(out) == before
    assert not (out / ".psgimg").exists()


@pytest.mark.parametrize("text", ["[]", '{"psgimg": 1}', '{"files": {}, "shards": []}', "no json"])
def test_a_build_json_of_another_tool_makes_no_folder_of_psgimg(shhs, tmp_path, text):
    put(tmp_path, "build.json", text.encode())
    put(tmp_path, "README.md")
    before = content(tmp_path)
    with pytest.raises(BuildError, match=r"(README\.md|build\.json) .*choose another --out"):
        run(tmp_path, shhs, **SMALL)
    assert content(tmp_path) == before


UNTOUCHED = [
    "notes.md",
    ".git/config",
    ".gitattributes",
    ".cache/huggingface/download/README.md.metadata",
    ".notes.txt.tmp",
    ".draft.123.tmp",
    "card/.sketch.7.tmp",
    "card/logo.png",
    "card/Wake.png",
    "data/notes.txt",
    "data/shhs/labels.csv",
    "results/table.parquet",
]


def test_everything_else_stays_as_it_is_and_is_not_listed(shhs, built, tmp_path):
    for name in UNTOUCHED:
        put(tmp_path, name)
    before = content(tmp_path)
    run(tmp_path, shhs, **SMALL)
    after = content(tmp_path)
    assert {name: after[name] for name in before} == before
    assert {name: after[name] for name in after if name not in before} == content(built)


def test_a_downloaded_dataset_with_notes_is_extended(shhs, built, tmp_path):
    out = tmp_path / "downloaded"
    run(out, shhs, limit=1, **SMALL)
    for name in UNTOUCHED:
        put(out, name)
    report, progress = run(out, shhs, **SMALL)
    assert (progress.total, progress.n_kept) == (1, 1)
    after = content(out)
    assert all(after[name] for name in UNTOUCHED)
    listed = {*report.values["counts"], *json.loads(after["build.json"])["files"]}
    assert not listed & set(UNTOUCHED)


def test_what_a_killed_build_left_is_its_own(shhs, built, tmp_path):
    """Killed at every file that is written beside the shards: the same command ends the same."""
    names = [dataset_card.SHEET, dataset_card.FILE, "croissant.json", "CITATION.bib", "build.json"]
    killed = (
        "import os, signal, sys; from pathlib import Path\n"
        "from psgimg.builder.build import build\n"
        "from psgimg.builder.dataset.config import BuildConfig\n"
        "from psgimg.builder.progress import SILENT\n"
        "replace = Path.replace\n"
        "def dying(path, target):\n"
        "    if Path(target).name == sys.argv[3]: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return replace(path, target)\n"
        "Path.replace = dying\n"
        f"options = {SMALL!r}\n"
        "build(BuildConfig(('shhs',), (sys.argv[1],), Path(sys.argv[2]), **options), SILENT)\n"
    )
    for name in names:
        words = [sys.executable, "-P", "-c", killed, str(shhs), str(tmp_path / "out"), name]
        assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
        assert list((tmp_path / "out").glob(".*.tmp"))
    run(tmp_path / "out", shhs, **SMALL)
    assert content(tmp_path / "out") == content(built)


def test_a_file_put_beside_the_shards_during_a_build_stays(shhs, tmp_path, monkeypatch):
    publish = shard_files.publish

    def late(out, shards, hashes):
        put(out, "data/shhs/mine.parquet")
        return publish(out, shards, hashes)

    monkeypatch.setattr(shard_files, "publish", late)
    report, _ = run(tmp_path, shhs, **SMALL)
    assert pq.read_table(tmp_path / "data/shhs/mine.parquet").num_rows == 3
    assert not [shard for shard in report.values["shards"] if "mine" in shard["path"]]


@pytest.mark.parametrize("name", ["data", "card", ".psgimg", "data/shhs"])
def test_links_out_of_the_folder_are_not_followed(shhs, tmp_path, name):
    elsewhere = tmp_path / "elsewhere"
    put(elsewhere, "train-00000-of-00001.parquet")
    put(elsewhere, "W.png")
    out = tmp_path / "out"
    (out / name).parent.mkdir(parents=True)
    (out / name).symlink_to(elsewhere)
    before = content(elsewhere)
    with pytest.raises(BuildError, match=r"is a link to .*/elsewhere, outside .*/out; remove"):
        run(out, shhs, **SMALL)
    assert content(elsewhere) == before


def test_a_download_of_links_into_a_cache_is_extended_and_the_cache_stays(shhs, built, tmp_path):
    blobs = shutil.copytree(built, tmp_path / "datasets--org--pages" / "blobs")
    out = blobs.parent / "snapshots" / "0123abc"
    for path in sorted(blobs.rglob("*")):
        link = out / path.relative_to(blobs)
        if path.is_dir():
            link.mkdir(parents=True)
        else:
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)
    run(out, shhs, **SMALL)
    assert content(blobs) == content(built)
    assert content(out) == content(built)


def test_a_folder_that_is_refused_may_be_used_once_the_file_is_moved(shhs, built, tmp_path):
    path = put(tmp_path, "README.md")
    with pytest.raises(BuildError):
        run(tmp_path, shhs, **SMALL)
    path.rename(tmp_path / "README-mine.md")
    run(tmp_path, shhs, **SMALL)
    assert content(tmp_path) == {**content(built), "README-mine.md": b"mine"}
