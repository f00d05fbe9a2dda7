"""The test Hub: what the real clients see of it is what they would see of the Hub."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
from hub_server import TIME_LIMITS, HubServer
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from patience import PATIENCE_S, wait_for

NIGHTS = "alice/nights"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A Hub; clients in this process upload by LFS."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    for name in TIME_LIMITS:
        monkeypatch.setattr(huggingface_hub.constants, name, int(PATIENCE_S))
    with HubServer() as server:
        yield server
    huggingface_hub.close_session()


Client = Callable[..., HfApi]


@pytest.fixture
def client(hub: HubServer) -> Client:
    """The Hub as a user sees it: `client("alice", role="read")`; no user is nobody."""

    def made(user: str | None = None, **token: Any) -> HfApi:
        return HfApi(endpoint=hub.url, token=hub.token(user, **token) if user else False)

    return made


@pytest.fixture
def alice(client: Client) -> HfApi:
    """A user with a public dataset of one shard."""
    api = client("alice")
    api.create_repo(NIGHTS, repo_type="dataset")
    push(api, {"data/a.parquet": b"first shard"})
    return api


def push(api: HfApi, files: dict[str, bytes | None], **options: Any) -> str:
    """Make one commit of the files (None deletes), and give its id."""
    operations = [
        CommitOperationDelete(path) if data is None else CommitOperationAdd(path, data)
        for path, data in files.items()
    ]
    done = api.create_commit(
        NIGHTS, operations, commit_message="push", repo_type="dataset", **options
    )
    return done.oid


def fetch(api: HfApi, path: str, cache: Path, **options: Any) -> bytes:
    found = api.hf_hub_download(NIGHTS, path, repo_type="dataset", cache_dir=cache, **options)
    return Path(found).read_bytes()


CLIENT = """
import io, sys
from pathlib import Path
import PIL.Image
from datasets import ClassLabel, Dataset, Features, Image, Value, load_dataset
from huggingface_hub import HfApi, snapshot_download

root = Path(sys.argv[1])
folder = root / "build"
(folder / "data/demo").mkdir(parents=True)

def page(at):
    file = io.BytesIO()
    PIL.Image.effect_noise((128, 64), at + 1).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": None}

features = Features(
    {"image": Image(), "label": ClassLabel(names=["W", "N1"]), "epoch": Value("int32")}
)
for split, rows in ("train", 5), ("test", 3):
    columns = {
        "image": [page(at) for at in range(rows)],
        "label": [at % 2 for at in range(rows)],
        "epoch": list(range(rows)),
    }
    pages = Dataset.from_dict(columns, features=features)
    pages.to_parquet(folder / f"data/demo/{split}-00000.parquet")
(folder / "README.md").write_text(
    "---\\nlicense: odc-by\\nconfigs:\\n- config_name: demo\\n  data_files:\\n"
    "  - split: train\\n    path: data/demo/train-*.parquet\\n"
    "  - split: test\\n    path: data/demo/test-*.parquet\\n---\\n# Nights\\n"
)

api = HfApi()
api.create_repo("alice/nights", repo_type="dataset", private=True)
api.upload_folder(repo_id="alice/nights", repo_type="dataset", folder_path=folder)
api.create_tag("alice/nights", tag="v1", repo_type="dataset")
train = load_dataset("alice/nights", "demo", split="train")
assert train[3]["image"].size == (128, 64) and train["epoch"][:] == [0, 1, 2, 3, 4]
assert train.features["label"].names == ["W", "N1"]
stream = load_dataset("alice/nights", "demo", split="test", revision="v1", streaming=True)
assert [row["epoch"] for row in stream] == [0, 1, 2]
copy = Path(snapshot_download("alice/nights", repo_type="dataset", revision="v1"))
for path in folder.rglob("*.*"):
    assert (copy / path.relative_to(folder)).read_bytes() == path.read_bytes(), path
"""
STRANGER = """
from datasets import load_dataset
from datasets.exceptions import DatasetNotFoundError
try:
    load_dataset("alice/nights", "demo")
except DatasetNotFoundError as error:
    assert "doesn't exist on the Hub or cannot be accessed" in str(error)
else:
    raise SystemExit("loaded without a token")
"""


def run(script: str, environment: dict[str, str], folder: Path) -> None:
    """Run a client in a process of its own, where nothing is imported yet."""
    ran = subprocess.run(
        [sys.executable, "-P", "-c", script, str(folder)],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]


@pytest.mark.parametrize("xet", [False, True], ids=["lfs", "xet"])
def test_client_processes_create_fill_tag_load_stream_and_are_refused(
    hub: HubServer, tmp_path: Path, xet: bool
) -> None:
    token = hub.token("alice")
    run(CLIENT, hub.environment(tmp_path / "home", token, xet=xet), tmp_path)
    assert (hub.received("PUT /lfs") == 0) is xet
    assert (hub.received("POST /v1/xorbs") > 0) is xet
    assert hub.repo(NIGHTS).tags == {"v1": hub.repo(NIGHTS).head.sha}
    assert {r.status for r in hub.requests} == {200, 206, 404}
    for request in hub.requests:
        assert token not in request.path
        served = request.method == "HEAD" or request.path.startswith(("/v1/", "/v2/"))
        assert request.status != 404 or served, request
    if not xet:
        run(STRANGER, hub.environment(tmp_path / "other", None), tmp_path)


XET = """
from huggingface_hub import CommitOperationAdd, HfApi
api = HfApi()
api.create_repo("alice/nights", repo_type="dataset", exist_ok=True)
additions = [CommitOperationAdd(name, name) for name in ("a.bin", "b.bin", "c.npy")]
api.preupload_lfs_files("alice/nights", additions, repo_type="dataset")
api.create_commit("alice/nights", additions, commit_message="push", repo_type="dataset")
"""


def test_what_comes_in_by_xet_is_what_was_sent(hub: HubServer, tmp_path: Path) -> None:
    noise = os.urandom(600_000)
    files = {
        "a.bin": noise,
        "b.bin": noise[:300_000] + b"lines that pack well\n" * 20_000 + noise[300_000:],
        "c.npy": np.linspace(0, 1, 100_001, dtype="<f4").tobytes() + b"odd",
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    environment = hub.environment(tmp_path / "home", hub.token("alice"), xet=True)
    hub.faults.add("POST /v1/xorbs", status=503)
    hub.faults.add("POST /v1/xorbs", drop="request")
    hub.faults.add("POST /v1/shards", drop="response")
    run(XET, environment, tmp_path)
    assert {n: b.data for n, b in hub.repo(NIGHTS).head.files.items() if b.large} == files
    sent = hub.received("POST /v1/xorbs")
    hub.store.repos.clear()
    run(XET, environment, tmp_path)
    assert set(hub.repo(NIGHTS).head.files) == {".gitattributes", *files}
    assert hub.received("POST /v1/xorbs") == sent


def test_a_private_repository_does_not_exist_for_others(
    hub: HubServer, client: Client, alice: HfApi, tmp_path: Path
) -> None:
    alice.update_repo_settings(NIGHTS, private=True, repo_type="dataset")
    assert alice.repo_info(NIGHTS, repo_type="dataset").private is True
    for api, status in ((client(), 401), (client("bob"), 404)):
        for ask in (api.dataset_info, lambda _, api=api: fetch(api, "data/a.parquet", tmp_path)):
            with pytest.raises(RepositoryNotFoundError) as caught:
                ask(NIGHTS)
            assert caught.value.response.status_code == status
    with pytest.raises(HfHubHTTPError, match="Invalid user token"):
        HfApi(endpoint=hub.url, token="hf_wrong").whoami()
    assert fetch(client("alice", role="read"), "data/a.parquet", tmp_path) == b"first shard"


def test_a_gate_hides_the_content_until_access_is_granted(
    hub: HubServer, client: Client, alice: HfApi, tmp_path: Path
) -> None:
    alice.update_repo_settings(NIGHTS, gated="manual", repo_type="dataset")
    bob = client("bob")
    info = bob.dataset_info(NIGHTS)
    assert (info.gated, info.private) == ("manual", False)
    for api, status in ((client(), 401), (bob, 403)):
        with pytest.raises(GatedRepoError) as caught:
            fetch(api, "data/a.parquet", tmp_path)
        assert caught.value.response.status_code == status
    hub.grant(NIGHTS, "bob")
    assert fetch(bob, "data/a.parquet", tmp_path) == b"first shard"


def test_who_may_write_where(hub: HubServer, client: Client, alice: HfApi) -> None:
    hub.org("lab", {"alice": "write", "carol": "read"})
    assert alice.whoami()["orgs"][0]["roleInOrg"] == "write"
    alice.create_repo("lab/pages", repo_type="dataset")
    scoped = client("alice", role="fineGrained", scoped={NIGHTS: ["repo.write"]})
    access = scoped.whoami()["auth"]["accessToken"]
    assert access["fineGrained"]["scoped"][0]["entity"] == {
        "_id": NIGHTS,
        "name": NIGHTS,
        "type": "dataset",
    }
    push(scoped, {"by.txt": b"a fine-grained token"})
    for api, name in (
        (client("alice", role="read"), "alice/new"),
        (client("carol"), "lab/new"),
        (client("bob"), "lab/new"),
        (client("bob"), "alice/new"),
        (scoped, "alice/new"),
    ):
        with pytest.raises(HfHubHTTPError, match="rights to create a dataset") as caught:
            api.create_repo(name, repo_type="dataset")
        assert caught.value.response.status_code == 403
    with pytest.raises(HfHubHTTPError, match="write access"):
        push(client("bob"), {"x.txt": b"x"})
    with pytest.raises(HfHubHTTPError, match="already created"):
        alice.create_repo(NIGHTS, repo_type="dataset")
    kept = alice.create_repo(NIGHTS, repo_type="dataset", private=True, exist_ok=True)
    assert kept.repo_id == NIGHTS
    assert hub.repo(NIGHTS).private is False
    alice.delete_repo("lab/pages", repo_type="dataset")
    assert not alice.repo_exists("lab/pages", repo_type="dataset")


def test_commits_are_whole_and_old_revisions_stay(
    client: Client, alice: HfApi, tmp_path: Path
) -> None:
    first = alice.dataset_info(NIGHTS).sha
    alice.create_tag(NIGHTS, tag="v1", repo_type="dataset")
    second = push(alice, {"data/a.parquet": b"other", "b/c/d.txt": b"new"}, parent_commit=first)
    with pytest.raises(HfHubHTTPError, match="A commit has happened since") as caught:
        push(alice, {"late.txt": b"late"}, parent_commit=first)
    assert caught.value.response.status_code == 412
    with pytest.raises(EntryNotFoundError):
        push(alice, {"late.txt": b"late", "missing.txt": None})
    assert alice.dataset_info(NIGHTS).sha == second

    nobody = client()
    for revision in (first, "v1", first[:8]):
        assert fetch(nobody, "data/a.parquet", tmp_path, revision=revision) == b"first shard"
    assert fetch(nobody, "data/a.parquet", tmp_path) == b"other"
    with pytest.raises(RevisionNotFoundError):
        fetch(nobody, "data/a.parquet", tmp_path, revision="v2")
    found = {e.path: e for e in nobody.list_repo_tree(NIGHTS, recursive=True, repo_type="dataset")}
    assert list(found) == ["b", "b/c", "data", ".gitattributes", "b/c/d.txt", "data/a.parquet"]
    assert found["data/a.parquet"].lfs.sha256 == hashlib.sha256(b"other").hexdigest()
    paths = nobody.get_paths_info(NIGHTS, ["b/c", "b/c/d.txt", "no"], repo_type="dataset")
    assert [entry.path for entry in paths] == ["b/c", "b/c/d.txt"]

    push(alice, {"b/": None})
    assert not nobody.file_exists(NIGHTS, "b/c/d.txt", repo_type="dataset")
    history = nobody.list_repo_commits(NIGHTS, repo_type="dataset")
    assert [c.title for c in history] == ["push", "push", "push", "initial commit"]
    refs = nobody.list_repo_refs(NIGHTS, repo_type="dataset")
    assert [(t.name, t.target_commit) for t in refs.tags] == [("v1", first)]
    with pytest.raises(HfHubHTTPError, match="already exists"):
        alice.create_tag(NIGHTS, tag="v1", repo_type="dataset")
    alice.delete_tag(NIGHTS, tag="v1", repo_type="dataset")
    alice.create_branch(NIGHTS, branch="next", revision=first, repo_type="dataset")
    assert push(alice, {"x.txt": b"x"}, revision="next") != alice.dataset_info(NIGHTS).sha


def test_an_object_that_is_there_is_not_sent_again(hub: HubServer, alice: HfApi) -> None:
    addition = CommitOperationAdd("data/b.parquet", os.urandom(100_000))
    alice.preupload_lfs_files(NIGHTS, [addition], repo_type="dataset")
    before = hub.received("PUT /lfs")
    assert before == 100_000 + len(b"first shard")
    push(alice, {"data/b.parquet": addition.path_or_fileobj, "data/a.parquet": b"first shard"})
    assert hub.received("PUT /lfs") == before
    assert set(hub.repo(NIGHTS).head.files) == {
        ".gitattributes",
        "data/a.parquet",
        "data/b.parquet",
    }


def test_the_same_pushes_give_the_same_ids(hub: HubServer, alice: HfApi) -> None:
    with HubServer() as other:
        again = HfApi(endpoint=other.url, token=other.token("alice"))
        again.create_repo(NIGHTS, repo_type="dataset")
        assert push(again, {"data/a.parquet": b"first shard"}) == hub.repo(NIGHTS).head.sha


@pytest.mark.parametrize(
    ("asked", "status", "data"),
    [
        ("bytes=2-5", 206, b"rst "),
        ("bytes=6-", 206, b"shard"),
        ("bytes=-3", 206, b"ard"),
        ("bytes=6-99", 206, b"shard"),
        ("bytes=11-", 416, b""),
        ("bytes=0-3, 5-6", 200, b"first shard"),
    ],
)
def test_a_part_of_a_file(alice: HfApi, asked: str, status: int, data: bytes) -> None:
    url = huggingface_hub.hf_hub_url(
        NIGHTS, "data/a.parquet", repo_type="dataset", endpoint=alice.endpoint
    )
    got = huggingface_hub.get_session().get(url, headers={"Range": asked})
    assert (got.status_code, got.content) == (status, data)
    assert got.headers["X-Linked-Etag"] == f'"{hashlib.sha256(b"first shard").hexdigest()}"'


def test_a_card_that_the_hub_refuses_is_refused(alice: HfApi) -> None:
    with pytest.raises(ValueError, match="license"):
        push(alice, {"README.md": b"---\nlicense: mine\n---\n"})
    with pytest.raises(ValueError, match="bad YAML"):
        push(alice, {"README.md": b"---\nlicense: [\n---\n"})
    with pytest.warns(UserWarning, match="missing yaml metadata"):
        push(alice, {"README.md": b"# no head\n"})


def test_a_full_private_account_says_so_in_the_hubs_words(hub: HubServer, alice: HfApi) -> None:
    hub.quota_bytes = 20
    push(alice, {"data/public.parquet": bytes(100)})
    alice.update_repo_settings(NIGHTS, private=True, repo_type="dataset")
    with pytest.raises(HfHubHTTPError, match="Private repository storage limit reached, please"):
        push(alice, {"data/private.parquet": bytes(101)})


def test_faults_come_as_often_as_asked_and_clients_get_over_them(
    hub: HubServer, alice: HfApi, tmp_path: Path
) -> None:
    hub.faults.add("PUT /lfs", drop="request")
    hub.faults.add("PUT /lfs", status=429, retry_after=0, skip=1)
    hub.faults.add("GET .*/resolve/", drop="response")
    data = os.urandom(300_000)
    push(alice, {"data/b.parquet": data, "data/c.parquet": b"c"})
    puts = sorted(r.status for r in hub.requests if r.path.startswith("/lfs"))
    assert puts == [0, 200, 200, 200, 429]
    assert fetch(alice, "data/b.parquet", tmp_path) == data
    gets = [r for r in hub.requests if r.method == "GET" and "/resolve/" in r.path]
    assert [(r.status, r.sent) for r in gets] == [(0, 150_000), (200, 300_000)]

    hub.faults.add("POST .*/commit/", status=500)
    with pytest.raises(HfHubHTTPError, match="injected"):
        push(alice, {"d.txt": b"d"})
    hub.faults.add("POST .*/commit/", drop="response")
    with pytest.raises(huggingface_hub.utils._http.httpx2.RemoteProtocolError):
        push(alice, {"d.txt": b"d"})
    assert "d.txt" in hub.repo(NIGHTS).head.files


def test_a_client_can_be_killed_in_the_middle_of_any_request(
    hub: HubServer, tmp_path: Path
) -> None:
    clients: list[subprocess.Popen[bytes]] = []

    def kill() -> None:
        wait_for(lambda: clients)
        clients[0].kill()
        clients[0].wait()

    hub.faults.call("PUT /lfs", kill, nth=2, at="middle")
    script = (
        "from huggingface_hub import HfApi\nimport os\napi = HfApi()\n"
        "api.create_repo('alice/nights', repo_type='dataset')\n"
        "for n in range(3): open(f'{n}.parquet', 'wb').write(os.urandom(8_000_000))\n"
        "api.upload_folder(repo_id='alice/nights', repo_type='dataset', folder_path='.')\n"
    )
    environment = hub.environment(tmp_path / "home", hub.token("alice"))
    folder = tmp_path / "folder"
    folder.mkdir()
    command = [sys.executable, "-P", "-c", script]
    with subprocess.Popen(command, env=environment, cwd=folder) as process:
        clients.append(process)
        assert process.wait(PATIENCE_S) == -9
    assert list(hub.repo(NIGHTS).head.files) == [".gitattributes"]
    assert all(len(data) == 8_000_000 for data in [*hub.repo(NIGHTS).objects.values()])


def test_an_unknown_address_is_not_found_and_logged(hub: HubServer) -> None:
    answered = huggingface_hub.get_session().get(f"{hub.url}/api/nowhere?q=1")
    assert answered.status_code == 404
    assert [(r.method, r.path) for r in hub.requests] == [("GET", "/api/nowhere?q=1")]
