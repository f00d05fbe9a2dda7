"""Push: a folder on the Hub and back, with the real clients, and whatever may go wrong on the way."""

import csv
import json
import os
import shutil
import subprocess

import bibtex_parser
import datasets
import numpy as np
import pytest
import tiny
import yaml
from builds import PSGIMG, run
from hub_client import pushed, signed_in
from huggingface_hub import HfApi, snapshot_download
from patience import wait_for
from progress import Remembered
from psgimg.builder.card import dataset_card, release_notes
from psgimg.builder.dataset.schema import SPLITS, features
from psgimg.builder.errors import BuildError

WRITTEN = "Letter of the NSRR to A. Author, 2026-03-01, ref. 123"
PER_SPLIT = {"splits": "1/1/1", "seed": 3}


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    root = tmp_path_factory.mktemp("corpora")
    tiny.write_hmc(root / "hmc", n_subjects=5)
    tiny.write_shhs(root / "shhs", n_subjects=2, visits=(1,))
    return root


@pytest.fixture(scope="module")
def built(corpora, tmp_path_factory):
    """Folders: `open` and `more` of HMC, `secret` of SHHS, `restyled` of HMC in another style."""
    place = tmp_path_factory.mktemp("built")
    wide = {"montage": "aasm", **PER_SPLIT}
    run(
        place / "open",
        corpora / "hmc",
        "hmc",
        subjects=("SN001", "SN002", "SN003", "SN004"),
        **wide,
    )
    shutil.copytree(place / "open", place / "more")
    run(place / "more", corpora / "hmc", "hmc", **wide)
    run(place / "secret", corpora / "shhs", "shhs", **wide)
    run(place / "restyled", corpora / "hmc", "hmc", style="paper", **wide)
    return place


@pytest.fixture
def folder(built, tmp_path):
    """A copy of `open` that a test may spoil."""
    return shutil.copytree(built / "open", tmp_path / "open")


@pytest.fixture
def hub(tmp_path):
    with signed_in(tmp_path / "home") as server:
        yield server


def loaded(repo="alice/psg-images", *args, **kwargs):
    return datasets.load_dataset(repo, *args, **kwargs)


def rows(split):
    table = split.cast_column("image", datasets.Image(decode=False)).to_list()
    return {(row["corpus"], row["recording"], row["epoch"]): row for row in table}


def shards_sent(hub):
    """Large files that reached the Hub's storage since the log was cleared."""
    return [r for r in hub.requests if r.method == "PUT" and "/lfs/" in r.path and r.status == 200]


def notes(hub, repo="alice/psg-images"):
    head = hub.repo(repo)
    return release_notes.Release.from_dict(json.loads(text(head, "build.json"))["release"])


def text(repo, path):
    return repo.head.files[path].data.decode()


def test_a_release_loads_as_it_was_built(hub, built):
    done = pushed(built / "open")
    local = datasets.load_dataset(str(built / "open"))
    remote = loaded()
    assert set(remote) == set(SPLITS)
    for split in SPLITS:
        assert remote[split].features == features()
        assert rows(remote[split]) == rows(local[split])
    first = remote["train"][0]["image"]
    assert np.asarray(first).shape[:2] == (448, 896)
    assert [
        tag.name for tag in HfApi().list_repo_refs("alice/psg-images", repo_type="dataset").tags
    ] == [done.plan.revision.tag]
    tagged = loaded(revision=done.plan.revision.tag, split="test", streaming=True)
    assert next(iter(tagged))["recording"].startswith("SN")


def test_a_snapshot_of_a_release_is_a_build_folder_that_grows(hub, built, corpora, tmp_path):
    pushed(built / "open")
    copy = tmp_path / "copy"
    snapshot_download("alice/psg-images", repo_type="dataset", local_dir=copy)
    shutil.rmtree(copy / ".cache")
    assert pushed(copy).plan.transfer.send == (), "as it is it has nothing to send"
    run(copy, corpora / "hmc", "hmc", montage="aasm", **PER_SPLIT)
    assert "1 recording of hmc added" in pushed(copy).plan.revision.what


def test_nothing_is_written_before_all_is_shown_and_never_in_a_dry_run(hub, built):
    plans = []
    assert pushed(built / "secret", dry_run=True, plans=plans) is None
    assert {r.method for r in hub.requests} <= {"GET", "HEAD"}
    [plan] = plans
    assert str(plan.transfer.visibility) == "private, gated"
    assert {"README.md", "build.json", "preview.png"} < {a.path for a in plan.transfer.send}


def test_a_restricted_release_is_private_and_gated_before_a_byte_is_sent(hub, built):
    pushed(built / "secret")
    repo = hub.repo("alice/psg-images")
    assert (repo.private, repo.gated) == (True, "manual")
    asked = [f"{r.method} {r.path}" for r in hub.requests]
    settings = next(i for i, line in enumerate(asked) if line.endswith("/settings"))
    read_back = next(i for i, line in enumerate(asked) if i > settings and line.startswith("GET"))
    upload = next(i for i, line in enumerate(asked) if "preupload" in line)
    assert settings < read_back < upload


def test_a_hub_that_does_not_make_it_private_receives_nothing(hub, built):
    """As `create_repo(exist_ok=True)` leaves an existing public repository public."""
    hub.faults.call(
        "POST /api/repos/create",
        lambda: setattr(hub.repo("alice/psg-images"), "private", False),
        at="done",
    )
    with pytest.raises(BuildError, match=r"is not private .* nothing was sent"):
        pushed(built / "secret")
    assert not [r for r in hub.requests if "preupload" in r.path or "/commit/" in r.path]


def test_restricted_pictures_become_public_only_with_a_permission(hub, built):
    with pytest.raises(BuildError, match="--permission"):
        pushed(built / "secret", public=True)
    pushed(built / "secret", public=True, permission=WRITTEN)
    repo = hub.repo("alice/psg-images")
    assert (repo.private, repo.gated) == (False, "manual")
    assert WRITTEN in text(repo, "README.md")
    assert f"By permission, as stated by the publisher: {WRITTEN}" in text(repo, "LICENSES.csv")
    assert notes(hub).permission == WRITTEN


def test_an_open_release_is_public_only_if_requested_and_only_when_it_loads(hub, built):
    progress = Remembered()
    seen = []
    progress.at["tagging"] = lambda: seen.append(hub.repo("alice/psg-images").private)
    pushed(built / "open", public=True, progress=progress)
    assert seen == [True], "public last of all"
    assert hub.repo("alice/psg-images").private is False
    with pytest.raises(BuildError, match="is public and shhs is restricted"):
        pushed(built / "secret")
    with pytest.raises(BuildError, match="add --public to confirm"):
        pushed(built / "open")


def test_pushed_again_nothing_is_sent_and_no_revision_added(hub, built):
    pushed(built / "open")
    before = hub.repo("alice/psg-images").head.sha
    hub.requests.clear()
    again = pushed(built / "open")
    assert (again.plan.transfer.send, again.plan.transfer.removed, again.commit) == ((), (), before)
    assert not [r for r in hub.requests if r.method in ("POST", "PUT") and "/commit/" in r.path]
    assert len(notes(hub).revisions) == 1


def test_more_subjects_send_only_changed_shards(hub, built):
    pushed(built / "open")
    cached = {split: len(part) for split, part in loaded().items()}
    hub.requests.clear()
    pushed(built / "more")
    n_changed = sum(
        path.read_bytes() != (built / "open" / path.relative_to(built / "more")).read_bytes()
        for path in (built / "more" / "data").rglob("*.parquet")
    )
    changed = [r for r in shards_sent(hub) if r.received > 500_000]
    assert len(changed) == n_changed == 1, "one subject is in one split"
    grown = {split: len(part) for split, part in loaded().items()}
    assert sum(grown.values()) > sum(cached.values()), "a machine with the old one cached sees it"
    assert notes(hub).revisions[-1].what == "1 recording of hmc added"


def test_another_corpus_joins_and_both_load(hub, built):
    pushed(built / "open")
    pushed(built / "secret")
    both = loaded()
    assert {row["corpus"] for split in both.values() for row in split.select_columns("corpus")} == {
        "hmc",
        "shhs",
    }
    assert set(datasets.get_dataset_config_names("alice/psg-images")) == {"all", "hmc", "shhs"}
    alone = loaded("alice/psg-images", "hmc")
    mine = datasets.load_dataset(str(built / "open"))
    assert {s: rows(alone[s]) for s in alone} == {s: rows(mine[s]) for s in mine}
    repo = hub.repo("alice/psg-images")
    assert (repo.private, repo.gated) == (True, "manual"), "the strictest policy of the two"
    rows_of = {
        row["corpus"]: row for row in csv.DictReader(text(repo, "LICENSES.csv").splitlines())
    }
    assert set(rows_of) == {"hmc", "shhs"}, "that of the folder pushed first too"
    assert rows_of["shhs"]["may_be_published"].startswith("Nothing in public")
    assert {"quan1997", "alvarezestevez2021"} <= set(
        bibtex_parser.entries(text(repo, "CITATION.bib"))
    )


def test_a_new_recipe_replaces_the_pages_and_the_old_revision_still_loads(hub, built):
    first = pushed(built / "more")
    old = loaded()
    second = pushed(built / "restyled")
    new = loaded()
    assert np.asarray(old["train"][0]["image"]).shape[:2] == (448, 896)
    assert np.asarray(new["train"][0]["image"]).shape[:2] == (336, 336), "no stale cache"
    assert len(old["train"]) == len(new["train"])
    again = loaded(revision=first.plan.revision.tag)
    assert rows(again["test"]) == rows(old["test"])
    assert second.plan.revision.what.startswith("new recipe (style)")
    assert first.plan.revision.tag in text(hub.repo("alice/psg-images"), "README.md")


def test_recordings_missing_in_the_folder_are_removed_only_with_replace(hub, built):
    pushed(built / "more")
    with pytest.raises(
        BuildError, match="1 recordings that are not in this folder, such as hmc SN005"
    ):
        pushed(built / "open")
    pushed(built / "open", replace=True)
    assert notes(hub).revisions[-1].what == "1 recording of hmc removed"
    assert sum(map(len, loaded().values())) == sum(
        map(len, datasets.load_dataset(str(built / "open")).values())
    )


@pytest.mark.parametrize(
    "fault",
    [
        {"match": "PUT /", "status": 503, "times": 2},
        {"match": "POST .*/commit/", "status": 429, "times": 2, "retry_after": 0},
        {"match": "POST .*/commit/", "status": 500},
        {"match": "POST .*/preupload/", "drop": "request"},
        {"match": "GET /api/datasets/", "status": 502, "times": 2},
        {"match": "POST .*/commit/", "drop": "response"},
        {"match": "POST /api/repos/create", "drop": "response"},
        {"match": "POST .*/tag/", "status": 504},
    ],
    ids=lambda fault: "-".join(str(value) for value in fault.values()),
)
def test_what_is_only_down_for_a_while_is_waited_out(hub, built, fault):
    hub.faults.add(**fault)
    pushed(built / "open")
    assert set(loaded()) == set(SPLITS)
    assert len(hub.repo("alice/psg-images").history("main")) == 2, (
        "made once: at creation and by the push"
    )


def client(hub, home, *words, xet=False):
    token = os.environ["HF_TOKEN"]
    return subprocess.Popen(
        [*PSGIMG, *map(str, words)],
        env=hub.environment(home, token, xet=xet),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize(
    ("moment", "nth", "at"),
    [
        ("POST .*/preupload/", 1, "done"),
        ("PUT /", 1, "middle"),
        ("PUT /", 2, "done"),
        ("POST .*/commit/", 1, "start"),
        ("POST .*/commit/", 1, "done"),
        ("POST .*/tag/", 1, "start"),
    ],
)
def test_killed_at_any_moment_readers_see_all_or_nothing_and_the_rest_is_sent_later(
    hub, built, tmp_path, moment, nth, at
):
    pushed(built / "open")
    started = []

    def kill():
        wait_for(lambda: started)
        started[0].kill()

    if at == "start":  # of a dead client only part of a request arrives
        hub.faults.add(moment, drop="request", skip=nth - 1)
    hub.faults.call(moment, kill, nth=nth, at=at)
    process = client(hub, tmp_path / "killed", "push", built / "restyled")
    started.append(process)
    assert process.wait() < 0, process.stdout.read()
    process.stdout.close()
    landed = ("commit" in moment and at == "done") or "tag" in moment
    seen = loaded(split="train", streaming=True)
    page = np.asarray(next(iter(seen))["image"])
    assert page.shape[:2] == ((336, 336) if landed else (448, 896))
    assert seen.info.splits["train"].num_examples == len(list(seen.select_columns("epoch")))
    there = {r.path for r in shards_sent(hub)}
    hub.requests.clear()
    done = pushed(built / "restyled")
    assert not there & {r.path for r in shards_sent(hub)}, "what arrived is not sent again"
    assert len(notes(hub).revisions) == 2
    tags = HfApi().list_repo_refs("alice/psg-images", repo_type="dataset").tags
    assert {tag.name for tag in tags} == {r.tag for r in notes(hub).revisions}
    assert done.commit == {tag.name: tag.target_commit for tag in tags}[done.plan.revision.tag]


def test_the_hubs_own_storage_takes_it_too(hub, built, tmp_path):
    """Through Xet, as a client with its default settings sends."""
    process = client(hub, tmp_path / "home", "push", built / "open", xet=True)
    said = process.communicate()[0]
    assert process.returncode == 0, said
    assert any("xorbs" in r.path for r in hub.requests)
    local = datasets.load_dataset(str(built / "open"))
    assert {s: rows(part) for s, part in loaded().items()} == {s: rows(p) for s, p in local.items()}


def test_a_commit_that_came_in_between_is_not_overwritten(hub, built):
    progress = Remembered()
    progress.at["sending"] = lambda: HfApi().upload_file(
        path_or_fileobj=b"mine",
        path_in_repo="notes.txt",
        repo_id="alice/psg-images",
        repo_type="dataset",
    )
    pushed(built / "open")
    with pytest.raises(BuildError, match="changed by someone else in the meantime"):
        pushed(built / "more", progress=progress)
    assert len(notes(hub).revisions) == 1


def test_the_token_is_nowhere_but_in_the_header(hub, built, tmp_path):
    token = os.environ["HF_TOKEN"]
    hub.faults.add("POST .*/commit/", status=403)
    process = client(hub, tmp_path, "push", built / "open")
    said = process.communicate()[0]
    assert process.returncode == 2
    assert len(said.strip().splitlines()[-1]) < 400
    assert "Traceback" not in said
    assert token not in said
    pushed(built / "open")
    assert token not in "".join(r.path for r in hub.requests)
    for path, blob in hub.repo("alice/psg-images").head.files.items():
        assert token.encode() not in blob.data, path


def test_no_name_or_date_of_a_patient_reaches_the_hub(hub, built, corpora):
    """The tiny corpora carry a name, a code and a birthday in their EDF headers."""
    header = next((corpora / "shhs").rglob("*.edf")).read_bytes()[8:168]
    words = [word for word in header.split() if len(word) > 4]
    assert words, "there is something to find"
    pushed(built / "secret")
    for path, blob in hub.repo("alice/psg-images").head.files.items():
        for word in words:
            assert word not in blob.data, (path, word)


def test_the_card_on_the_hub_names_the_repository_and_its_head_is_valid(hub, built):
    pushed(built / "open")
    readme = text(hub.repo("alice/psg-images"), dataset_card.FILE)
    assert 'load_dataset("alice/psg-images"' in readme
    head = yaml.safe_load(readme.split("---\n")[1])
    assert head["configs"][0]["default"] is True


def test_build_push_goes_from_a_corpus_to_the_hub(hub, corpora, tmp_path):
    process = client(
        hub,
        tmp_path / "home",
        *("build", "--source", "hmc", "--root", corpora / "hmc", "--out", tmp_path / "out"),
        *("--splits", "1/1/1", "--seed", "3", "--push", "--repo-id", "nights", "--public"),
    )
    said = process.communicate()[0]
    assert process.returncode == 0, said
    assert 'load_dataset("alice/nights", split="train")' in said
    assert hub.repo("alice/nights").private is False
