"""Push refuses in one line that names the remedy, and publishes nothing by halves."""

import json
import re
import shutil

import pyarrow.parquet as pq
import pytest
import tiny
from builds import run
from hub_client import pushed, signed_in
from huggingface_hub import HfApi
from psgimg.builder.errors import BuildError
from psgimg.builder.release.push import PushConfig, check_ready


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    place = tmp_path_factory.mktemp("built")
    tiny.write_hmc(place / "hmc", n_subjects=3)
    run(place / "out", place / "hmc", "hmc")
    return place / "out"


@pytest.fixture
def folder(built, tmp_path):
    return shutil.copytree(built, tmp_path / "folder")


@pytest.fixture
def hub(tmp_path):
    with signed_in(tmp_path / "home") as server:
        yield server


def refused(hub, folder, match, name="psg-images", **options):
    commits = {name: len(repo.history("main")) for name, repo in hub.store.repos.items()}
    with pytest.raises(BuildError, match=match) as caught:
        pushed(folder, name, **options)
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 500
    assert not re.search(r"hf_\w", line), "no token"
    after = {name: len(hub.store.repos[name].history("main")) for name in commits}
    assert after == commits, "nothing half-published"


def test_no_token(hub, folder, monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    refused(hub, folder, "no Hub token: run `hf auth login`")


def test_before_a_build_begins_what_its_push_would_refuse(hub, tmp_path, monkeypatch):
    ready = PushConfig(tmp_path / "out")
    check_ready(ready, ["hmc"], print)
    HfApi().create_repo("alice/psg-images", repo_type="dataset", private=False)
    with pytest.raises(BuildError, match="is public and shhs is restricted"):
        check_ready(ready, ["shhs"], print)
    monkeypatch.setenv("HF_TOKEN", hub.token("alice", "read"))
    with pytest.raises(BuildError, match="is read-only"):
        check_ready(ready, ["hmc"], print)


def test_a_token_that_the_hub_does_not_know(hub, folder, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_unknown")
    refused(hub, folder, "rejects this token; run `hf auth login`")


def test_a_token_that_may_only_read(hub, folder, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", hub.token("alice", "read"))
    refused(hub, folder, "is read-only: create one with write access")


def test_a_fine_grained_token_without_write_right(hub, folder, monkeypatch):
    scoped = hub.token("alice", "fineGrained", scoped={"alice": ["repo.content.read"]})
    monkeypatch.setenv("HF_TOKEN", scoped)
    refused(hub, folder, "no write access to alice/psg-images; ask its owner")


def test_somebody_elses_organization(hub, folder):
    hub.org("lab", {"bob": "admin"})
    refused(hub, folder, "no write access to lab/psg-images", "lab/psg-images")


def test_a_name_that_is_no_name(hub, folder):
    refused(hub, folder, "psg images", "psg images!")


@pytest.mark.parametrize("kind", ["model", "space"])
def test_a_repository_of_another_kind(hub, folder, kind):
    sdk = {"space_sdk": "static"} if kind == "space" else {}
    HfApi().create_repo("alice/psg-images", repo_type=kind, **sdk)
    refused(hub, folder, f"alice/psg-images is a {kind}, not a dataset")


def test_a_name_taken_by_a_repository_that_is_hidden(hub, folder):
    hub.faults.add("POST /api/repos/create", status=409)
    refused(hub, folder, "name alice/psg-images is taken")


def test_a_repository_with_files_of_somebody_else(hub, folder):
    HfApi().create_repo("alice/psg-images", repo_type="dataset", private=True)
    HfApi().upload_file(
        path_or_fileobj=b"a,b\n",
        path_in_repo="train.csv",
        repo_id="alice/psg-images",
        repo_type="dataset",
    )
    refused(hub, folder, r"contains files not written by psgimg \(train.csv\)")


def test_an_empty_repository_made_by_hand_is_taken(hub, folder):
    HfApi().create_repo("alice/psg-images", repo_type="dataset", private=True)
    assert pushed(folder)


def test_a_release_that_was_changed_on_the_hub(hub, folder):
    pushed(folder)
    path = next((folder / "data").rglob("*.parquet")).relative_to(folder).as_posix()
    HfApi().delete_file(path, "alice/psg-images", repo_type="dataset")
    refused(hub, folder, f"was changed by hand: {path} differs from its build.json")


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (lambda v: v.pop("counts"), "counts is missing"),
        (lambda v: v.pop("release"), "release is missing"),
        (
            lambda v: v["release"].update(public=1),
            "release.public is 1: input should be a valid bo",
        ),
        (
            lambda v: v["release"]["revisions"][0].pop("tag"),
            r"release.revisions\[0\].tag is missing",
        ),
        (lambda v: v["release"].update(later=1), "unexpected keyword argument 'later'"),
    ],
    ids=["counts", "no-release", "public", "revision", "later"],
)
def test_a_release_whose_report_was_changed_on_the_hub(hub, folder, function, match):
    pushed(folder)
    values = json.loads(hub.repo("alice/psg-images").head.files["build.json"].data)
    function(values)
    HfApi().upload_file(
        path_or_fileobj=json.dumps(values).encode(),
        path_in_repo="build.json",
        repo_id="alice/psg-images",
        repo_type="dataset",
    )
    refused(hub, folder, f"build.json of alice/psg-images is damaged .*{match}")


def test_storage_that_is_full(hub, folder):
    hub.quota_bytes = 100_000
    refused(hub, folder, "storage on the Hub is full .*storage limit.*free some")


def test_a_hub_that_stays_away(hub, folder, monkeypatch):
    monkeypatch.setattr("psgimg.builder.release.retry.PATIENCE_S", 0.1)
    hub.faults.add("GET /api/whoami", status=503, times=10_000)
    refused(hub, folder, "can't be reached .* run the same command again later")


def test_an_unfinished_build(hub, folder, tmp_path):
    (folder / ".psgimg").mkdir()
    refused(hub, folder, "not a finished build; run the same `psgimg build` again")
    refused(hub, tmp_path / "nothing", "is not a folder; build one first")


def change(path, function):
    data = json.loads(path.read_text())
    function(data)
    path.write_text(json.dumps(data))


def rewritten(path, change_table, metadata=None):
    """A shard with other content but a footer as psgimg writes it."""
    with pq.ParquetFile(path) as file:
        footer = file.metadata.metadata
        groups = [file.read_row_group(i) for i in range(file.num_row_groups)]
    kept = {k: v for k, v in footer.items() if k != b"ARROW:schema"} | (metadata or {})
    schema = groups[0].schema.with_metadata(kept)
    with pq.ParquetWriter(path, schema) as writer:
        for table in groups:
            writer.write_table(change_table(table).cast(schema), row_group_size=len(table))


def registered(folder, path):
    """What somebody does who also mends the hash in build.json."""
    from psgimg.builder import atomic_file

    def mend(values):
        for shard in values["shards"]:
            if shard["path"] == path.relative_to(folder).as_posix():
                shard |= {"sha256": atomic_file.sha256(path), "bytes": path.stat().st_size}

    change(folder / "build.json", mend)


def set_column(name, value_of):
    import pyarrow as pa

    def changed(table):
        rows = table.to_pylist()
        for row in rows:
            row[name] = value_of(row)
        return pa.Table.from_pylist(rows, schema=table.schema)

    return changed


PNG_TEXT = b"\x00\x00\x00\x05tEXtStage" + b"\x00\x00\x00\x00"


@pytest.mark.parametrize(
    ("name", "value_of", "match"),
    [
        ("label", lambda row: (row["label"] + 1) % 5, "its labels differ from their counts"),
        ("subject", lambda row: "Jane", "its rows have other names"),
        (
            "image",
            lambda row: {"bytes": row["image"]["bytes"], "path": "N2.png"},
            "has a file name",
        ),
        (
            "image",
            lambda row: {"bytes": row["image"]["bytes"] + PNG_TEXT, "path": None},
            "contains tEXt, text or time beside its pixels",
        ),
    ],
    ids=["label", "subject", "file-name", "png-text"],
)
def test_rows_that_were_changed_together_with_the_hash(hub, folder, name, value_of, match):
    path = next((folder / "data").rglob("*.parquet"))
    rewritten(path, set_column(name, value_of))
    refused(hub, folder, "its SHA-256 differs")
    registered(folder, path)
    refused(hub, folder, match)


def test_class_label_names_of_another_order(hub, folder):
    """`load_dataset` would take the first file's names for all."""
    path = next((folder / "data").rglob("*.parquet"))
    with pq.ParquetFile(path) as file:
        features = file.metadata.metadata[b"huggingface"]
    swapped = features.replace(b'"W", "N1"', b'"N1", "W"')
    assert swapped != features
    rewritten(path, lambda table: table, {b"huggingface": swapped})
    registered(folder, path)
    refused(hub, folder, "ClassLabel names differ from those of this psgimg")


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (
            lambda v: v["counts"]["hmc"]["train"].update(W=1),
            "counts differ from those of the shards",
        ),
        (lambda v: v["recordings"][0].update(subject="SN999"), "differs from build.json"),
        (lambda v: v.pop("shards"), "damaged or was written by another version of psgimg"),
    ],
    ids=["counts", "recording", "no-shards"],
)
def test_a_report_that_was_changed(hub, folder, function, match):
    change(folder / "build.json", function)
    refused(hub, folder, match)


@pytest.mark.parametrize(
    "name",
    ["README.md", "preview.png", "card/N2.png", "croissant.json", "LICENSES.csv", "CITATION.bib"],
)
def test_a_file_that_was_changed(hub, folder, name):
    path = folder / name
    path.write_bytes(path.read_bytes() + b" ")
    refused(hub, folder, f"{name} was changed or removed by hand")
    path.unlink()
    refused(hub, folder, f"{name} was changed or removed by hand")


def test_a_shard_more_or_less(hub, folder):
    path = next((folder / "data").rglob("*.parquet"))
    extra = path.with_name("train-00007-of-00008.parquet")
    shutil.copy(path, extra)
    refused(hub, folder, f"{extra.name} does not belong to this build")
    extra.unlink()
    path.unlink()
    refused(hub, folder, f"{path.name} is missing")
