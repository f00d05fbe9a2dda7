"""Push when someone else changes the same repository, and when its history matters."""

import json
import shutil

import pytest
import tiny
from builds import run
from hub_client import pushed, signed_in
from huggingface_hub import HfApi
from progress import Remembered
from psgimg.builder.card import release_notes
from psgimg.builder.errors import BuildError

WRITTEN = "Letter of the NSRR to A. Author, 2026-03-01, ref. 123"
REPO = "alice/psg-images"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """`open` of HMC; `secret` of SHHS and `other` of CFS, which are restricted."""
    place = tmp_path_factory.mktemp("built")
    for name, source, write in (
        ("open", "hmc", tiny.write_hmc),
        ("secret", "shhs", tiny.write_shhs),
        ("other", "cfs", tiny.write_cfs),
    ):
        write(place / source)
        run(place / name, place / source, source, montage="aasm", limit=2)
    return place


@pytest.fixture
def hub(tmp_path):
    with signed_in(tmp_path / "home") as server:
        yield server


def at(step, action):
    progress = Remembered()
    progress.at[step] = action
    return progress


def shown_in_public(hub):
    """Corpora of which the public could see a picture."""
    repo = hub.repo(REPO)
    return (
        set()
        if repo.private
        else {path.split("/")[1] for path in repo.head.files if "data/" in path}
    )


def settings(**values):
    HfApi().update_repo_settings(REPO, repo_type="dataset", **values)


def test_two_first_pushes_at_once_do_not_mix(hub, built):
    meanwhile = at("preparing the repository", lambda: pushed(built / "secret"))
    with pytest.raises(BuildError, match="changed by someone else in the meantime"):
        pushed(built / "open", public=True, progress=meanwhile)
    assert shown_in_public(hub) == set()


def test_what_came_in_after_the_check_is_not_made_public(hub, built):
    meanwhile = at("tagging", lambda: pushed(built / "secret"))
    with pytest.raises(BuildError, match="it stays private"):
        pushed(built / "open", public=True, progress=meanwhile)
    assert shown_in_public(hub) == set()


@pytest.mark.parametrize("change", [{"private": False}, {"gated": False}], ids=str)
def test_a_repository_opened_during_the_upload_receives_nothing(hub, built, change):
    hub.faults.call("POST .*/preupload/", lambda: settings(**change))
    with pytest.raises(BuildError, match=r"is not (private|gated) .* nothing was published"):
        pushed(built / "secret")
    assert not [path for path in hub.repo(REPO).head.files if "data/" in path]


def test_the_policy_is_what_psgimg_knows_not_only_what_was_written(hub, built, tmp_path):
    folder = shutil.copytree(built / "secret", tmp_path / "edited")
    values = json.loads((folder / "build.json").read_text())
    values["corpora"]["shhs"]["policy"] = values["policy"] = "open"
    (folder / "build.json").write_text(json.dumps(values))
    with pytest.raises(BuildError, match="terms of shhs"):
        pushed(folder, public=True)


def test_deleted_files_still_count_for_they_still_load(hub, built):
    pushed(built / "secret")
    api = HfApi()
    for path in list(hub.repo(REPO).head.files):
        if path != ".gitattributes":
            api.delete_file(path, REPO, repo_type="dataset")
    with pytest.raises(BuildError, match="terms of its former contents"):
        pushed(built / "open", public=True)
    pushed(built / "open")
    assert hub.repo(REPO).private


def test_a_permission_covers_what_it_was_given_for_old_revisions_too(hub, built):
    pushed(built / "secret")
    with pytest.raises(BuildError, match="terms of cfs, shhs"):
        pushed(built / "other", replace=True, public=True)
    done = pushed(built / "other", replace=True, public=True, permission=WRITTEN)
    assert done.plan.transfer.visibility.permitted == ("cfs", "shhs"), "told before it is done"
    again = pushed(built / "other", public=True)
    assert again.plan.transfer.visibility.permission == WRITTEN


def test_another_permission_does_not_rub_out_the_first(hub, built):
    pushed(built / "secret", public=True, permission=WRITTEN)
    second = "Letter of the CFS group to A. Author, 2026-04-01"
    with pytest.raises(BuildError, match="is public and cfs is restricted"):
        pushed(built / "other", public=True)
    pushed(built / "other", public=True, permission=second)
    readme = hub.repo(REPO).head.files["README.md"].data.decode()
    assert WRITTEN in readme
    assert second in readme


def test_a_shard_that_changes_during_the_upload_is_not_published(hub, built, tmp_path, monkeypatch):
    monkeypatch.setattr("psgimg.builder.release.transfer.SMALL_BYTES", 0)
    folder = shutil.copytree(built / "open", tmp_path / "changing")
    shard = next((folder / "data").rglob("*.parquet"))

    def spoil():
        data = bytearray(shard.read_bytes())
        data[1000] ^= 255
        shard.write_bytes(bytes(data))

    with pytest.raises(BuildError, match="was changed while it was sent"):
        pushed(folder, progress=at("sending", spoil))
    assert not [path for path in hub.repo(REPO).head.files if "data/" in path]
    with pytest.raises(BuildError, match="SHA-256 differs"):
        pushed(folder)


def test_a_shard_that_goes_during_the_push_is_one_line(hub, built, tmp_path, monkeypatch):
    monkeypatch.setattr("psgimg.builder.release.transfer.SMALL_BYTES", 0)
    folder = shutil.copytree(built / "open", tmp_path / "going")
    shard = next((folder / "data").rglob("*.parquet"))
    with pytest.raises(BuildError, match=r"not a file|No such file"):
        pushed(folder, progress=at("sending", shard.unlink))


def test_a_revision_whose_tag_was_lost_gets_it_before_the_next(hub, built):
    first = pushed(built / "open").plan.revision.tag
    HfApi().delete_tag(REPO, tag=first, repo_type="dataset")
    head = hub.repo(REPO).head.sha
    pushed(built / "secret")
    tags = {t.name: t.target_commit for t in HfApi().list_repo_refs(REPO, repo_type="dataset").tags}
    assert tags[first] == head
    notes = release_notes.of(json.loads(hub.repo(REPO).head.files["build.json"].data))
    assert {revision.tag for revision in notes.revisions} == set(tags)


def test_a_subject_of_a_former_revision_keeps_its_split(hub, built, tmp_path):
    pushed(built / "open")
    pushed(built / "secret", replace=True)
    values = json.loads((built / "open" / "build.json").read_text())
    was = {fact["subject"]: fact["split"] for fact in values["recordings"]}
    for seed in range(1, 20):
        root = built / "hmc"
        report, _ = run(tmp_path / str(seed), root, "hmc", montage="aasm", limit=2, seed=seed)
        if {f["subject"]: f["split"] for f in report.values["recordings"]} != was:
            break
    with pytest.raises(BuildError, match="would change their split: hmc"):
        pushed(tmp_path / str(seed), replace=True)


def test_an_existing_gate_is_not_set_again(hub, built):
    """A member may write files and not settings."""
    pushed(built / "secret")
    hub.faults.add("PUT .*/settings", status=403, times=100)
    pushed(built / "other")
    assert hub.repo(REPO).gated == "manual"


def test_a_card_edited_on_the_hub_is_reported_before_it_is_replaced(hub, built):
    pushed(built / "open")
    HfApi().upload_file(
        path_or_fileobj=b"---\nlicense: cc0-1.0\n---\nmy words",
        path_in_repo="README.md",
        repo_id=REPO,
        repo_type="dataset",
    )
    plans = []
    pushed(built / "open", plans=plans)
    assert plans[0].edited
    assert b"my words" not in hub.repo(REPO).head.files["README.md"].data


def test_an_owner_without_access_is_refused_before_anything_is_read(hub, built):
    progress = Remembered()
    with pytest.raises(BuildError, match="typo-lab is none of alice"):
        pushed(built / "open", "typo-lab/x", dry_run=True, progress=progress)
    assert progress.tasks == ["querying the Hub"]


def test_an_outage_is_reported_and_a_wrong_address_is_not_waited_for(hub, built, monkeypatch):
    hub.faults.add("GET /api/datasets", status=503, times=4)
    progress = Remembered()
    pushed(built / "open", progress=progress)
    assert any("the Hub is unavailable (HTTP 503); retrying" in note for note in progress.notes)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "ftp://nowhere")
    with pytest.raises(BuildError, match="fix HF_HUB_OFFLINE or HF_ENDPOINT"):
        pushed(built / "open")


@pytest.mark.parametrize("token", ["hf_abc\x0bSECRET", "hf_äöü", "two words"])
def test_a_malformed_token_is_not_shown(hub, built, monkeypatch, token):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(BuildError) as caught:
        pushed(built / "open")
    assert "SECRET" not in str(caught.value)
    assert "token is malformed" in str(caught.value)


def test_an_address_with_a_signature_is_not_shown(hub, built):
    from psgimg.builder.release.retry import clean

    said = clean("Forbidden for url: https://s3.example.org/x?X-Amz-Signature=abc&y=1 (hf_secret)")
    assert said == "Forbidden for url: https://s3.example.org/x?… (hf_…)"
