"""Terms that a YAML file, a package or a file beside the data states never open a release."""

from __future__ import annotations

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny
from builds import content, run
from hub_client import pushed, signed_in
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.corpora import registry
from psgimg.builder.dataset.build_report import strictest
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.builder.release import models
from psgimg.builder.release.push import PushConfig, check_ready
from psgimg.builder.release.visibility import Wish
from psgimg.finetune.data import page_set, source
from psgimg.finetune.inference import predict_config
from psgimg.finetune.inference.predict_config import PredictConfig
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
        (None, "open", {models.UNNAMED}),
        ("demo", "open", {models.UNNAMED}),
        ({"demo": 1}, "open", {models.UNNAMED}),
        ([""], "open", {models.UNNAMED}),
        ([1], "open", {models.UNNAMED}),
        (["demo"], "Open", {"demo"}),
        (["demo"], None, {"demo"}),
        (["demo"], ["open"], {"demo"}),
        (["Demo"], "open", {"Demo"}),
        (["demo "], "open", {"demo "}),
    ],
)
def test_a_model_is_open_only_if_all_it_learned_from_is_known_as_open(corpora, policy, restricted):
    assert models.restricted({"corpora": corpora, "policy": policy}) == restricted


@pytest.mark.parametrize("subjects", [[], None, "0123", {}, [""]])
def test_a_model_without_the_subjects_it_learned_from_is_restricted(subjects):
    values = {"corpora": ["demo"], "policy": "open", "subjects": subjects}
    assert models.restricted(values) == {models.UNNAMED}


@pytest.mark.parametrize(
    ("recordings", "restricted"),
    [
        ([("demo", "demo-01"), ("hmc", "SN001"), ("demo", "r0001")], []),
        ([("demo", "demo-01"), ("shhs", "shhs1-200001")], ["shhs"]),
        ([("demo", "shhs1-200001")], ["demo"]),
        ([("hmc", "01-05-0001")], ["hmc"]),
        ([("my-lab", "P001")], ["my-lab"]),
        ([("", "demo-01")], [""]),
    ],
)
def test_recordings_are_open_only_under_the_corpus_whose_names_they_have(recordings, restricted):
    assert registry.restricted(recordings) == restricted


def test_predictions_of_a_renamed_corpus_go_to_no_server_outside_the_network(lab, tmp_path):
    """Corpus, paths and rows of the dataset are rewritten so that everything seems open."""
    folder = shutil.copytree(lab / "out", tmp_path / "folder")
    text = (folder / "build.json").read_text().replace('"my-lab"', '"demo"')
    values = json.loads(text.replace("data/my-lab/", "data/demo/"))
    values |= {"policy": "open"}
    values["corpora"]["demo"]["policy"] = "open"
    (folder / "build.json").write_text(json.dumps(values))
    (folder / "data" / "my-lab").rename(folder / "data" / "demo")
    split = values["shards"][0]["split"]
    with pytest.raises(BuildError, match=r"is not in build\.json"):
        page_set.load(str(folder), None, split)
    for path in (folder / "data").rglob("*.parquet"):
        table = pq.read_table(path, partitioning=None)
        column = table.schema.get_field_index("corpus")
        demo = pa.array(["demo"] * len(table), pa.string())
        pq.write_table(table.set_column(column, table.schema.field(column), demo), path)
    pages = page_set.load(str(folder), None, split)
    assert pages.build["policy"] == "restricted"
    config = PredictConfig(
        "m", str(folder), tmp_path / "p", endpoint="http://8.8.8.8:1/v1", split=split
    )
    with pytest.raises(BuildError, match="pictures of demo may not be passed on"):
        predict_config.question(config, pages)


def _text(repo, path):
    return repo.head.files[path].data.decode()
