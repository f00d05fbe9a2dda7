"""Terms that a YAML file, a package or a file beside the data states never open a release."""

from __future__ import annotations

import json
import shutil

import pytest
import tiny
from builds import content, run
from hub_client import pushed, signed_in
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.dataset.build_report import strictest
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.builder.release import models
from psgimg.builder.release.push import PushConfig, check_ready
from psgimg.builder.release.visibility import Wish
from psgimg.finetune.data import source
from tiny_lab import describe, write_lab

WRITTEN = "Letter of the ethics committee to A. Author, 2026-03-01, ref. 123"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    place = tmp_path_factory.mktemp("lab")
    write_lab(place / "recordings", minutes=5)
    path = describe(place / "my-lab.yaml")
    build(BuildConfig((str(path),), (), place / "out"), Remembered())
    return place


@pytest.fixture
def folder(lab, tmp_path):
    return shutil.copytree(lab / "out", tmp_path / "folder")


@pytest.fixture
def hub(tmp_path):
    with signed_in(tmp_path / "home") as server:
        yield server


def test_a_corpus_of_a_yaml_file_goes_to_a_private_gated_repository(hub, folder):
    pushed(folder)
    repo = hub.repo("alice/psg-images")
    assert repo.private
    assert repo.gated == "manual"


def test_it_becomes_public_by_a_written_permission_only_and_the_card_quotes_it(hub, folder):
    with pytest.raises(BuildError, match="the terms of my-lab are not known to allow it"):
        pushed(folder, public=True)
    assert not hub.store.repos
    pushed(folder, public=True, permission=WRITTEN)
    repo = hub.repo("alice/psg-images")
    assert not repo.private
    assert WRITTEN in _text(repo, "README.md")


def test_before_a_build_begins_its_public_release_is_refused(hub, lab):
    ready = PushConfig(lab / "out", wish=Wish(public=True))
    with pytest.raises(BuildError, match="the terms of my-lab are not known to allow it"):
        check_ready(ready, [str(lab / "my-lab.yaml")], print)


def claim(folder, corpus="my-lab"):
    """Let ``build.json`` state that everything is open, as a downloaded one may."""
    path = folder / "build.json"
    values = json.loads(path.read_text())
    values["policy"] = values["corpora"][corpus]["policy"] = "open"
    path.write_text(json.dumps(values))


def test_a_build_json_that_claims_an_unknown_corpus_to_be_open_opens_nothing(hub, folder):
    claim(folder)
    with pytest.raises(BuildError, match="the terms of my-lab are not known to allow it"):
        pushed(folder, public=True)
    pushed(folder)
    repo = hub.repo("alice/psg-images")
    assert repo.private
    assert repo.gated == "manual"
    assert "(`my-lab`, restricted)" in _text(repo, "README.md")
    published = json.loads(_text(repo, "build.json"))
    assert (published["policy"], published["corpora"]["my-lab"]["policy"]) == ("restricted",) * 2


def test_a_build_json_that_claims_a_restricted_corpus_to_be_open_opens_nothing(hub, tmp_path):
    tiny.write_shhs(tmp_path / "shhs", 1, (1,), 5)
    run(tmp_path / "out", tmp_path / "shhs")
    claim(tmp_path / "out", "shhs")
    with pytest.raises(BuildError, match="the terms of shhs are not known to allow it"):
        pushed(tmp_path / "out", public=True)


def test_what_is_read_of_a_dataset_for_training_is_as_strict(folder):
    claim(folder)
    assert source.find(str(folder), None, "train").build["policy"] == "restricted"


def test_a_grown_folder_keeps_no_claim(folder, lab):
    claim(folder)
    build(BuildConfig((str(lab / "my-lab.yaml"),), (), folder), Remembered())
    values = json.loads((folder / "build.json").read_text())
    assert (values["policy"], values["corpora"]["my-lab"]["policy"]) == ("restricted",) * 2
    assert content(folder) == content(lab / "out")


@pytest.mark.parametrize(
    ("corpora", "policy"),
    [
        ({"demo": {"policy": "open"}}, "open"),
        ({"demo": {"policy": "restricted"}}, "restricted"),
        ({"shhs": {"policy": "open"}}, "restricted"),
        ({"demo": {"policy": "open"}, "my-lab": {"policy": "open"}}, "restricted"),
    ],
)
def test_a_dataset_is_open_only_if_psgimg_knows_every_corpus_as_open(corpora, policy):
    assert strictest(corpora) == policy


@pytest.mark.parametrize(
    ("corpora", "policy", "restricted"),
    [
        (["demo", "sleep-edf"], "open", set()),
        (["demo", "my-lab"], "open", {"my-lab"}),
        (["shhs"], "open", {"shhs"}),
        (["demo"], "restricted", {"demo"}),
        ([], "open", {models.UNNAMED}),
        ([], "restricted", {models.UNNAMED}),
    ],
)
def test_a_model_is_open_only_if_all_it_learned_from_is_known_as_open(corpora, policy, restricted):
    assert models.restricted({"corpora": corpora, "policy": policy}) == restricted


def _text(repo, path):
    return repo.head.files[path].data.decode()
