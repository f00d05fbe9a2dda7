"""Look-up: a name that is neither here nor on the Hub is refused at once, with or without network."""

import socket
import time
from pathlib import Path

import pytest
from huggingface_hub import close_session, constants
from progress import Remembered
from psgimg.builder.errors import BuildError
from psgimg.finetune import hub, predict
from psgimg.finetune.baselines.baseline import BaselineConfig, baseline
from psgimg.finetune.data import source
from psgimg.finetune.models import identity
from psgimg.finetune.predict import PredictConfig
from psgimg.finetune.study.study import StudyConfig, study


@pytest.fixture(autouse=True)
def surroundings(monkeypatch, tmp_path):
    """No network, an empty cache, and nothing known from other tests."""

    def unresolved(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unresolved)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "_present", set())
    monkeypatch.chdir(tmp_path)
    yield
    close_session()


def cached(tmp_path, name, kind, file):
    """A repository in the cache of the Hub client."""
    repo = tmp_path / "cache" / f"{kind}s--{name.replace('/', '--')}"
    (repo / "snapshots" / ("a" * 40)).mkdir(parents=True)
    (repo / "snapshots" / ("a" * 40) / file).write_text("{}")
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("a" * 40)


MAIN_PATHS = {
    "predict, model": lambda: predict.predict(
        PredictConfig("no/such", "no/dataset", Path("p.csv")), Remembered()
    ),
    "baseline": lambda: baseline(BaselineConfig("no/such", out=Path("b")), Remembered()),
    "split": lambda: source.find("no/such", None, "test"),
    "identity": lambda: identity.identify("no/such"),
    "study": lambda: study(StudyConfig(Path("s.yaml"), Path("out")), Remembered()),
}


@pytest.mark.parametrize("name", MAIN_PATHS)
def test_without_a_network_a_command_is_refused_before_it_writes(name, tmp_path):
    Path("s.yaml").write_text("build: {source: demo}\nsft: {model: no/such}\n")
    with pytest.raises(BuildError, match=r"no/such is not a folder, and can't be downloaded") as no:
        MAIN_PATHS[name]()
    assert "check the name and the network" in str(no.value)
    assert "\n" not in str(no.value)
    assert [path.name for path in tmp_path.iterdir()] == ["s.yaml"]


@pytest.mark.parametrize("kind", ["model", "dataset"])
@pytest.mark.parametrize(
    "name",
    [
        "./no",
        "../no",
        "~/no/such",
        "~nobody-here/x",
        "/no/such",
        "a/b/c",
        "a b",
        "",
        "x" * 300,
        "é",
    ],
)
def test_a_path_is_never_looked_up_on_the_hub(name, kind, monkeypatch):
    def contacted(*_, **__):
        pytest.fail("the Hub was contacted")

    monkeypatch.setattr("httpx2.Client.send", contacted)
    with pytest.raises(BuildError, match=r"folder .*not found; check the path"):
        hub.require(name, kind)


def test_a_file_is_not_taken_for_a_repository(tmp_path):
    Path("weights").write_text("")
    with pytest.raises(BuildError, match="weights is a file; give the folder of a model"):
        hub.require("weights", "model")


def test_a_host_whose_look_up_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(30))
    monkeypatch.setattr(hub, "DEADLINE_S", 0.3)
    with pytest.raises(BuildError, match=r"no answer within 0\.3 s"):
        hub.require("no/such", "model")


@pytest.mark.parametrize(("kind", "file"), [("model", "config.json"), ("dataset", "build.json")])
def test_what_is_in_the_cache_is_used_and_the_network_is_not_tried_again(kind, file, tmp_path):
    cached(tmp_path, "lab/one", kind, file)
    hub.require("lab/one", kind)
    assert constants.HF_HUB_OFFLINE
    with pytest.raises(BuildError, match="lab/two"):
        hub.require("lab/two", kind)
    other = "dataset" if kind == "model" else "model"
    with pytest.raises(BuildError, match="lab/one"):
        hub.require("lab/one", other)
