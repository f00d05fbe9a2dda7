"""Labels-only export and rebuild: who holds the recordings gets the same bytes, or is told why not."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny
from huggingface_hub import DatasetCard
from progress import Remembered
from psgimg.builder import atomic_file
from psgimg.builder.build import build
from psgimg.builder.dataset import shards
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.dataset.schema import FEATURES
from psgimg.builder.errors import BuildError
from psgimg.builder.exports import labels_only
from psgimg.builder.rebuild import RebuildConfig, rebuild
from psgimg.builder.render.recipe import VERSION, digest

PNG = b"\x89PNG\r\n\x1a\n"


def run(out, source, roots, style="paper", **options):
    """Build; small pages are drawn in half the time."""
    return build(BuildConfig(source, roots, out, style, **options), Remembered())


def exported(folder, out):
    labels_only.write(folder, out)
    return out


def again(export, roots, out, **options):
    progress = Remembered()
    rebuilt = rebuild(RebuildConfig(export, roots, out, **options), progress)
    return rebuilt, progress


def shard_bytes(out):
    data = out / "data"
    return {p.relative_to(data).as_posix(): p.read_bytes() for p in data.rglob("*.parquet")}


def content(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def assert_same(rebuilt, out, original):
    assert (rebuilt.mismatches, rebuilt.fault) == ((), "")
    assert rebuilt.n_verified == rebuilt.n_shards == len(shard_bytes(original)) > 0
    assert shard_bytes(out) == shard_bytes(original)


def mismatches(rebuilt):
    assert all("\n" not in m.detail for m in rebuilt.mismatches)
    assert "\n" not in rebuilt.fault
    return {m.name: (m.reason, m.detail) for m in rebuilt.mismatches}


def edf(root, recording):
    return next(root.rglob(f"{recording}.edf"))


def altered(export, out, change):
    """A copy of an export in which somebody changed values of rebuild.json."""
    shutil.copytree(export, out)
    values = json.loads((out / labels_only.FILE).read_text())
    change(values)
    (out / labels_only.FILE).write_text(json.dumps(values))
    return out


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """SHHS, of which one night's EDF is cut short, and ISRUC."""
    room = tmp_path_factory.mktemp("corpora")
    tiny.write_shhs(room / "shhs", n_subjects=3, minutes=5)
    tiny.write_isruc(room / "isruc", n_subjects=1, minutes=5)
    os.truncate(edf(room / "shhs", "shhs1-200003"), 20_000)
    return room


@pytest.fixture(scope="module")
def roots(corpora):
    return f"shhs={corpora / 'shhs'}", f"isruc={corpora / 'isruc'}"


@pytest.fixture(scope="module")
def mixed(roots, tmp_path_factory):
    """Dataset of the mixture, ``out``, and its export, ``labels``."""
    room = tmp_path_factory.mktemp("mixed")
    report = run(room / "out", ("shhs", "isruc"), roots)
    assert [entry["recording"] for entry in report.values["set_aside"]] == ["shhs1-200003"]
    exported(room / "out", room / "labels")
    return room


@pytest.fixture(scope="module")
def shhs(corpora, tmp_path_factory):
    """Two subjects of SHHS whose files a test may damage: dataset, export and corpus."""
    room = tmp_path_factory.mktemp("shhs")
    shutil.copytree(corpora / "shhs", room / "corpus")
    run(room / "out", ("shhs",), (str(room / "corpus"),), subjects=("200001", "200002"))
    exported(room / "out", room / "labels")
    return room


@pytest.fixture
def copy(shhs, tmp_path):
    """A copy of that corpus, to damage."""
    return shutil.copytree(shhs / "corpus", tmp_path / "corpus")


# the export


def test_an_export_holds_no_pixel_no_signal_and_no_folder_of_this_machine(mixed, corpora):
    found = content(mixed / "labels")
    terms = ["CITATION.bib", "LICENSES.csv"]
    assert sorted(found) == sorted([*terms, "README.md", "labels.parquet", "rebuild.json"])
    for data in found.values():
        assert PNG not in data
        assert str(corpora).encode() not in data
        assert str(mixed).encode() not in data
    assert "set_aside" not in json.loads(found["rebuild.json"])


def test_load_dataset_opens_the_labels_with_stage_names_and_splits(mixed, tmp_path):
    loaded = datasets.load_dataset(str(mixed / "labels"), cache_dir=str(tmp_path))
    rows = loaded["labels"]
    assert rows.column_names == [*(name for name in FEATURES if name != "image"), "split"]
    assert rows.features["label"].names == ["W", "N1", "N2", "N3", "REM"]
    whole = datasets.load_dataset(str(mixed / "out"), cache_dir=str(tmp_path))
    pictures = {
        (row["corpus"], row["recording"], row["epoch"]): {**row, "split": split}
        for split, part in whole.items()
        for row in part.remove_columns("image")
    }
    assert {(row["corpus"], row["recording"], row["epoch"]): row for row in rows} == pictures
    assert len(rows) == len(pictures)


def test_an_export_made_anew_in_its_place_is_read_afresh(mixed, shhs, tmp_path):
    n_rows = []
    for folder in (shhs / "out", mixed / "out"):
        exported(folder, tmp_path / "labels")
        loaded = datasets.load_dataset(str(tmp_path / "labels"), cache_dir=str(tmp_path / "cache"))
        n_rows.append(loaded["labels"].num_rows)
        assert n_rows[-1] == pq.read_metadata(tmp_path / "labels" / labels_only.TABLE).num_rows
    assert n_rows[0] < n_rows[1]


def test_the_head_of_the_card_is_valid_for_the_hub(mixed):
    data = DatasetCard.load(mixed / "labels" / "README.md").data
    assert data.license == "other"
    assert data.license_link.startswith("https://")
    assert data.pretty_name == "Sleep stages without the pictures: isruc, shhs"
    assert "labels-only" in data.tags


def test_the_card_counts_its_labels_and_says_how_to_rebuild(mixed):
    card = (mixed / "labels" / "README.md").read_text()
    n_rows = pq.read_metadata(mixed / "labels" / "labels.parquet").num_rows
    assert f"\n{n_rows} labels of sleep epochs from 9 recordings of 6 subjects" in card
    assert "psgimg rebuild psg-labels --root isruc=DIR --root shhs=DIR --out psg-images" in card
    assert f"**{n_rows}** |" in card
    assert "https://sleepdata.org/datasets/shhs" in card
    assert "{{" not in card
    assert "Khalighi" in card.split("## Citation")[1]


def test_the_same_dataset_gives_the_same_export_also_over_an_earlier_one(mixed, tmp_path):
    exported(mixed / "out", tmp_path / "other-name")
    assert content(tmp_path / "other-name") == content(mixed / "labels")
    exported(mixed / "out", tmp_path / "other-name")
    assert content(tmp_path / "other-name") == content(mixed / "labels")


@pytest.mark.parametrize("name", ["README.md", "labels.parquet", "rebuild.json", ".git"])
def test_an_export_replaces_nothing_but_an_export(mixed, tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(
        BuildError, match=f"contains {name}, which is not part of an earlier labels-only"
    ):
        labels_only.write(mixed / "out", tmp_path)
    assert content(tmp_path) == {name: b"mine"}


def test_files_added_to_an_export_are_refused_and_kept(mixed, tmp_path):
    exported(mixed / "out", tmp_path / "labels")
    (tmp_path / "labels" / "notes.txt").write_text("mine")
    before = content(tmp_path / "labels")
    with pytest.raises(BuildError, match=r"contains notes\.txt"):
        labels_only.write(mixed / "out", tmp_path / "labels")
    assert content(tmp_path / "labels") == before


def test_an_export_goes_neither_into_the_dataset_nor_onto_a_file(mixed, tmp_path):
    before = sorted((mixed / "out").rglob("*"))
    (tmp_path / "link").symlink_to(mixed / "out")
    for place in (mixed / "out", mixed / "out" / "labels", tmp_path / "link" / "labels"):
        with pytest.raises(BuildError, match="is inside the dataset"):
            labels_only.write(mixed / "out", place)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BuildError, match="is a file; choose another --out"):
        labels_only.write(mixed / "out", tmp_path / "file")
    with pytest.raises(BuildError, match=r"can't write .*file/labels: .*--out"):
        labels_only.write(mixed / "out", tmp_path / "file" / "labels")
    assert sorted((mixed / "out").rglob("*")) == before
    assert (tmp_path / "file").read_text() == "mine"


def test_the_folder_that_one_is_in_is_not_replaced(mixed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for place in (Path(), tmp_path.parent):
        with pytest.raises(
            BuildError, match="is or contains the current folder; choose a new folder"
        ):
            labels_only.write(mixed / "out", place)


def test_an_export_killed_in_the_middle_leaves_the_former_one_and_the_next_is_whole(
    mixed, shhs, tmp_path
):
    exported(shhs / "out", tmp_path / "labels")
    before = content(tmp_path / "labels")
    killed = (
        "import os, signal, sys; from pathlib import Path\n"
        "from psgimg.builder.card import labels_card\n"
        "from psgimg.builder.exports import labels_only\n"
        "labels_card.text = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "labels_only.write(Path(sys.argv[1]), Path(sys.argv[2]))\n"
    )
    command = [sys.executable, "-P", "-c", killed, str(mixed / "out"), str(tmp_path / "labels")]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert list(tmp_path.rglob(".labels.part/new/labels.parquet"))
    assert content(tmp_path / "labels") == before
    exported(mixed / "out", tmp_path / "labels")
    assert content(tmp_path / "labels") == content(mixed / "labels")
    assert [path.name for path in tmp_path.iterdir()] == ["labels"]


def test_an_unfinished_or_damaged_dataset_is_not_exported(mixed, tmp_path):
    with pytest.raises(BuildError, match=r"is not a folder; build one first: psgimg build"):
        labels_only.write(tmp_path / "nothing", tmp_path / "labels")
    with pytest.raises(
        BuildError, match=r"labels contains labels only; publish it with `hf upload"
    ):
        labels_only.write(mixed / "labels", tmp_path / "labels")
    out = shutil.copytree(mixed / "out", tmp_path / "out")
    (out / shards.STATE).mkdir()
    with pytest.raises(BuildError, match="not a finished build; run the same `psgimg build`"):
        labels_only.write(out, tmp_path / "labels")
    (out / shards.STATE).rmdir()
    shard = next(out.rglob("shhs/*.parquet"))
    shutil.copy(shard, shard.with_name("train-00007-of-00009.parquet"))
    with pytest.raises(BuildError, match=r"train-00007-of-00009\.parquet is not in build\.json"):
        labels_only.write(out, tmp_path / "labels")
    shard.with_name("train-00007-of-00009.parquet").unlink()
    with shard.open("rb+") as file:
        file.seek(1000)
        file.write(bytes(2000))
    with pytest.raises(BuildError, match=f"{shard.name} has changed since it was built"):
        labels_only.write(out, tmp_path / "labels")
    shard.unlink()
    with pytest.raises(BuildError, match=f"{shard.name} is missing"):
        labels_only.write(out, tmp_path / "labels")
    assert not (tmp_path / "labels").exists()


def test_a_split_that_was_changed_in_the_report_alone_is_refused(mixed, tmp_path):
    out = shutil.copytree(mixed / "out", tmp_path / "out")
    values = json.loads((out / "build.json").read_text())
    fact = values["recordings"][0]
    fact["split"] = "test" if fact["split"] == "train" else "train"
    (out / "build.json").write_text(json.dumps(values))
    with pytest.raises(BuildError, match=r"recordings differ from build\.json"):
        labels_only.write(out, tmp_path / "labels")


# the same bytes again


def test_a_mixture_is_rebuilt_byte_for_byte_from_corpora_that_have_grown(mixed, corpora, tmp_path):
    moved = tmp_path / "elsewhere"
    tiny.write_shhs(moved / "shhs", n_subjects=4, minutes=5)  # one more, and the cut one whole
    shutil.copytree(corpora / "isruc", moved / "isruc")
    roots = (f"isruc={moved / 'isruc'}", f"shhs={moved / 'shhs'}")
    rebuilt, progress = again(mixed / "labels", roots, tmp_path / "out")
    assert_same(rebuilt, tmp_path / "out", mixed / "out")
    assert (progress.total, progress.n_kept) == (9, 0)
    assert rebuilt.report.values["set_aside"] == []
    rebuilt, progress = again(mixed / "labels", roots, tmp_path / "out")
    assert_same(rebuilt, tmp_path / "out", mixed / "out")
    assert (progress.total, progress.n_kept) == (0, 9)
    exported(tmp_path / "out", tmp_path / "labels")
    assert (tmp_path / "labels" / labels_only.TABLE).read_bytes() == (
        mixed / "labels" / labels_only.TABLE
    ).read_bytes()


def test_a_folder_that_grew_in_a_style_of_its_own_is_rebuilt_without_the_style_file(
    corpora, tmp_path
):
    style = tmp_path / "mine.yaml"
    style.write_text("base: paper\nwidth_px: 280\nheight_px: 140\ngrid_s: [5]\ngrid: ['#dddddd']\n")
    table = tmp_path / "split.csv"
    table.write_text("subject,split\n200001,test\n200002,train\nI-001,validation\n999999,train\n")
    options = {"style": str(style), "split_file": table, "montage": "central", "trim_min": None}
    roots = (f"shhs={corpora / 'shhs'}", f"isruc={corpora / 'isruc'}")
    run(tmp_path / "built", ("shhs",), roots[:1], limit=1, **options)
    run(tmp_path / "built", ("shhs",), roots[:1], subjects=("200002",), **options)
    run(tmp_path / "built", ("isruc", "shhs"), roots, limit=2, folds=2, **options)
    style.unlink()
    table.unlink()
    export = exported(tmp_path / "built", tmp_path / "labels")
    rebuilt, _ = again(export, roots, tmp_path / "out")
    assert_same(rebuilt, tmp_path / "out", tmp_path / "built")
    values = [json.loads((tmp_path / name / "build.json").read_text()) for name in ("built", "out")]
    for key in ("recipe_hash", "fixed", "recordings", "counts", "shards", "folds", "left_out"):
        assert values[0][key] == values[1][key]
    assert values[1]["command"] == "psgimg rebuild psg-labels"
    assert {fact["split"] for fact in values[1]["recordings"]} == {"train", "validation", "test"}


def test_a_second_scorer_as_reference_is_kept(corpora, tmp_path):
    roots = (str(corpora / "isruc"),)
    run(tmp_path / "built", ("isruc",), roots, scorer="2", limit=1, seed=3, splits="0/0/1")
    export = exported(tmp_path / "built", tmp_path / "labels")
    rebuilt, _ = again(export, roots, tmp_path / "out")
    assert_same(rebuilt, tmp_path / "out", tmp_path / "built")
    fixed = [
        json.loads((tmp_path / name / "build.json").read_text())["fixed"]
        for name in ("built", "out")
    ]
    assert fixed[0] == fixed[1]


def test_a_real_night_is_rebuilt_byte_for_byte(real_recordings, tmp_path):
    roots = (str(real_recordings / "sleep-edf"),)
    run(tmp_path / "built", ("sleep-edf",), roots, subjects=("SC400",))
    export = exported(tmp_path / "built", tmp_path / "labels")
    rebuilt, _ = again(export, roots, tmp_path / "out")
    assert_same(rebuilt, tmp_path / "out", tmp_path / "built")
    assert rebuilt.report.n_epochs() == pq.read_metadata(export / labels_only.TABLE).num_rows == 841


def test_who_has_access_to_one_corpus_rebuilds_that_one(mixed, roots, tmp_path):
    rebuilt, _ = again(mixed / "labels", roots[1:], tmp_path / "out", source=("isruc",))
    assert (rebuilt.mismatches, rebuilt.n_verified) == ((), rebuilt.n_shards)
    assert shard_bytes(tmp_path / "out") == {
        name: data for name, data in shard_bytes(mixed / "out").items() if "isruc" in name
    }
    with pytest.raises(BuildError, match=r"--source mass: not in .*; use isruc, shhs"):
        again(mixed / "labels", roots, tmp_path / "out", source=("mass",))


# what is not the same


def test_a_missing_and_a_damaged_recording_are_named_and_the_others_are_built(shhs, copy, tmp_path):
    gone, damaged = edf(copy, "shhs1-200001"), edf(copy, "shhs2-200001")
    gone.rename(tmp_path / "gone")
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.write_bytes(data)
    rebuilt, progress = again(shhs / "labels", (str(copy),), tmp_path / "out")
    assert progress.total == 2
    told = mismatches(rebuilt)
    assert {name: reason for name, (reason, _) in told.items()} == {
        "shhs1-200001": "not found",
        "shhs2-200001": "different signal",
    }
    assert "another release of shhs, or a damaged copy" in told["shhs2-200001"][1]
    assert str(tmp_path) not in told["shhs2-200001"][1]
    assert "not found (1)" in rebuilt.fault
    assert "run the same command again" in rebuilt.fault
    built = {fact["recording"] for fact in rebuilt.report.values["recordings"]}
    assert built == {"shhs1-200002", "shhs2-200002"}
    assert {entry["recording"] for entry in rebuilt.report.values["set_aside"]} == set(told)

    (tmp_path / "gone").rename(gone)
    shutil.copy(edf(shhs / "corpus", "shhs2-200001"), damaged)
    rebuilt, progress = again(shhs / "labels", (str(copy),), tmp_path / "out")
    assert (progress.total, progress.n_kept) == (2, 2)
    assert_same(rebuilt, tmp_path / "out", shhs / "out")
    assert rebuilt.report.values["set_aside"] == []

    gone.unlink()  # what was drawn from the right file stays right
    damaged.write_bytes(data)
    rebuilt, _ = again(shhs / "labels", (str(copy),), tmp_path / "out")
    assert_same(rebuilt, tmp_path / "out", shhs / "out")
    assert rebuilt.report.values["set_aside"] == []


def test_an_untouched_shard_verifies_beside_one_that_lacks_a_recording(
    mixed, roots, corpora, tmp_path
):
    copy = shutil.copytree(corpora / "shhs", tmp_path / "shhs")
    edf(copy, "shhs2-200002").unlink()
    rebuilt, _ = again(mixed / "labels", (f"shhs={copy}", roots[1]), tmp_path / "out")
    assert list(mismatches(rebuilt)) == ["shhs2-200002"]
    assert 0 < rebuilt.n_verified == rebuilt.n_shards - 1
    kept = {fact["recording"] for fact in rebuilt.report.values["recordings"]}
    assert "shhs1-200002" in kept


def test_nothing_of_the_corpus_here_is_one_error(shhs, copy, tmp_path):
    for path in copy.rglob("*.edf"):
        if "200003" not in path.name:
            path.unlink()
    with pytest.raises(BuildError, match=r"every recording was set aside: not found \(4\)"):
        again(shhs / "labels", (str(copy),), tmp_path / "out")


def test_another_scoring_is_told_from_a_missing_twin_of_it(shhs, copy, tmp_path):
    next(copy.rglob("shhs1-200001-profusion.xml")).unlink()
    scoring = next(copy.rglob("shhs2-200002-nsrr.xml"))
    text = scoring.read_text()
    assert "Stage 4 sleep|4" in text
    scoring.write_text(text.replace("Stage 4 sleep|4", "Stage 2 sleep|2"))
    rebuilt, _ = again(shhs / "labels", (str(copy),), tmp_path / "out")
    told = mismatches(rebuilt)
    assert {name: reason for name, (reason, _) in told.items()} == {
        "shhs1-200001": "different scoring",
        "shhs2-200002": "different scoring",
    }
    assert "its pictures and labels do not differ" in told["shhs1-200001"][1]
    assert "its labels differ" in told["shhs2-200002"][1]
    rebuilt, progress = again(shhs / "labels", (str(shhs / "corpus"),), tmp_path / "out")
    assert progress.total == 2
    assert_same(rebuilt, tmp_path / "out", shhs / "out")


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_damage_anywhere_in_a_signal_is_found_before_it_is_drawn(shhs, copy, tmp_path, share):
    signal = edf(copy, "shhs1-200001")
    data = bytearray(signal.read_bytes())
    place = int(share * len(data))
    data[place : place + 99] = bytes(99)
    signal.write_bytes(data)
    rebuilt, progress = again(shhs / "labels", (str(copy),), tmp_path / "out")
    assert progress.total == 3
    ((name, (reason, _)),) = mismatches(rebuilt).items()
    assert (name, reason) == ("shhs1-200001", "different signal")


def test_an_export_of_a_psgimg_that_hashed_samples_names_the_version_to_install(
    mixed, roots, tmp_path
):
    def older(values):
        values["psgimg"] = "0.0.9"
        values["format"] = 1

    export = altered(mixed / "labels", tmp_path / "labels", older)
    with pytest.raises(
        BuildError, match=r"has format 1 .* reads format 2.*pip install psgimg==0\.0\.9"
    ):
        again(export, roots, tmp_path / "out")


def test_another_library_around_the_same_pages_is_named_with_both_versions(shhs, tmp_path):
    out = shutil.copytree(shhs / "out", tmp_path / "built")
    values = json.loads((out / "build.json").read_text())
    for shard in values["shards"]:
        path = out / shard["path"]
        table = pq.read_table(path, partitioning=None)
        facts = pq.read_metadata(path).metadata[shards.FOOTER.encode()]
        n_recordings = len(json.loads(facts))
        metadata = {**table.schema.metadata, shards.FOOTER: facts}
        table = table.replace_schema_metadata(metadata)
        with pq.ParquetWriter(path, table.schema, compression="zstd") as writer:
            for group in recordings_of(table):
                writer.write_table(group)
                n_recordings -= 1
        assert n_recordings == 0
        shard |= {"sha256": atomic_file.sha256(path), "bytes": path.stat().st_size}
    values["versions"]["pyarrow"] = "1.2.3"
    (out / "build.json").write_text(json.dumps(values))
    export = exported(out, tmp_path / "labels")
    rebuilt, _ = again(export, (str(shhs / "corpus"),), tmp_path / "out")
    told = mismatches(rebuilt)
    assert set(told) == {shard["path"] for shard in values["shards"]}
    for reason, detail in told.values():
        assert reason == "different file"
        assert "its pictures and labels match" in detail
        assert f"versions differ: pyarrow 1.2.3 in the export, {pa.__version__} here" in detail
    assert rebuilt.n_verified == 0
    assert shard_bytes(tmp_path / "out") == shard_bytes(shhs / "out")


def recordings_of(table):
    names = table.column("recording").to_pylist()
    starts = [i for i, name in enumerate(names) if i == 0 or names[i - 1] != name]
    for start, stop in zip(starts, [*starts[1:], len(names)], strict=True):
        yield table.slice(start, stop - start)


# what is refused


def test_a_folder_with_recordings_of_something_else_is_refused(mixed, shhs, roots):
    before = shard_bytes(mixed / "out")
    with pytest.raises(BuildError, match=r"not in .*labels \(I-001.*and 2 more\); choose another"):
        again(shhs / "labels", roots, mixed / "out")
    assert shard_bytes(mixed / "out") == before


def test_a_table_that_was_edited_is_refused(mixed, roots, tmp_path):
    export = shutil.copytree(mixed / "labels", tmp_path / "labels")
    table = pq.read_table(export / labels_only.TABLE)
    pq.write_table(table.slice(1), export / labels_only.TABLE)
    with pytest.raises(BuildError, match=r"labels.parquet is not the file.*get the export again"):
        again(export, roots, tmp_path / "out")
    (export / labels_only.TABLE).unlink()
    with pytest.raises(BuildError, match=r"labels\.parquet is not the file"):
        again(export, roots, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def edit_recipe(values):
    values["recipe"]["style"]["line_px"] = 2.0


def edit_recipe_and_hash(values):
    edit_recipe(values)
    values["recipe_hash"] = digest(values["recipe"])


def edit_split(values):
    values["recordings"][0]["split"] = "test"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (edit_recipe, "the recipe does not match recipe_hash"),
        (edit_recipe_and_hash, "was changed after it was written"),
        (edit_split, "was changed after it was written"),
        (lambda values: values.pop("recipe_hash"), "the recipe does not match recipe_hash"),
        (lambda values: values.pop("labels"), "was changed after it was written"),
        (lambda values: values.pop("recipe"), r"not a labels-only export \(KeyError\)"),
    ],
)
def test_an_export_that_was_edited_is_refused(mixed, roots, tmp_path, change, said):
    export = altered(mixed / "labels", tmp_path / "labels", change)
    with pytest.raises(BuildError, match=f"rebuild.json.*{said}"):
        again(export, roots, tmp_path / "out")


@pytest.mark.parametrize("text", [None, "", "[]", '{"psgimg": "1", "recipe": 3}'])
def test_a_folder_that_is_no_export_is_refused(tmp_path, text):
    if text is not None:
        (tmp_path / labels_only.FILE).write_text(text)
    with pytest.raises(BuildError, match=r"rebuild.json: not a labels-only export .*--labels-only"):
        labels_only.read(tmp_path)


def test_an_export_for_another_recipe_version_names_the_psgimg_to_install(mixed, roots, tmp_path):
    def newer(values):
        values["psgimg"] = "9.1.0"
        values["recipe"]["version"] = VERSION + 1

    export = altered(mixed / "labels", tmp_path / "labels", newer)
    with pytest.raises(BuildError, match=rf"version {VERSION + 1}.*pip install psgimg==9\.1\.0"):
        again(export, roots, tmp_path / "out")
