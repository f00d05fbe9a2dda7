"""Names that are not UTF-8: refused before anything is read, or set aside if a corpus has them."""

import os

import pytest
import tiny
from click.testing import CliRunner
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.check import check
from psgimg.builder.cli import command_line
from psgimg.builder.corpora import registry, sources
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.builder.files import quoting, yaml_file

COMMANDS = command_line().commands
NAME = os.fsdecode(b"nuit\xe9")


def refusal(words):
    """The message of a refused command, which must have made nothing."""
    error = CliRunner().invoke(command_line(), words).exception
    assert isinstance(error, BuildError), words
    return str(error)


@pytest.mark.parametrize("name", [n for n in COMMANDS if n != "sources"])
def test_every_argument_of_every_command_is_refused_at_once(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = "argument: 'nuit\\xe9' is not UTF-8; rename the file or folder"
    assert told in refusal([name, NAME])
    for option in {one for p in COMMANDS[name].params for one in p.opts if one.startswith("--")}:
        assert told in refusal([name, option, NAME]), option
        assert "is not UTF-8" in refusal([name, f"{option}={NAME}"]), option
    assert not list(tmp_path.iterdir())


def test_a_working_directory_is_refused_at_once(tmp_path, monkeypatch):
    (tmp_path / NAME).mkdir()
    monkeypatch.chdir(tmp_path / NAME)
    assert "working directory: " in refusal(["build", "--source", "demo"])
    assert not list((tmp_path / NAME).iterdir())
    (tmp_path / NAME).rmdir()
    assert refusal(["sources"]) == "the working directory was removed; change to another"


def test_the_root_in_an_environment_variable_is_refused(tmp_path, monkeypatch):
    (tmp_path / NAME).mkdir()
    monkeypatch.setenv("PSGIMG_SHHS_ROOT", str(tmp_path / NAME))
    with pytest.raises(BuildError, match=r"PSGIMG_SHHS_ROOT: .*nuit\\xe9' is not UTF-8"):
        sources.locate([registry.CORPORA["shhs"]], [])


def test_a_name_in_a_yaml_file_is_refused(tmp_path):
    path = tmp_path / "options.yaml"
    path.write_text('root: "nuit\\uDCE9"\n')
    with pytest.raises(BuildError, match="line 1: an escape is half of a surrogate pair"):
        yaml_file.read(path, "--config")


def test_check_and_build_set_the_same_recording_aside(tmp_path):
    root, out = tmp_path / "lab", tmp_path / "out"
    tiny.write_dcsm(root, n_subjects=3)
    first = min(path.parent for path in root.rglob("*") if path.is_file())
    (root / NAME).mkdir()
    first.rename(root / NAME / first.name)
    config = BuildConfig(("dcsm",), (str(root),), out, trim_min=None)
    plans, aside = check(config, Remembered())
    assert len(plans) == 2
    [entry] = aside
    assert entry.reason == "name is not UTF-8"
    assert "the path of psg.edf is not UTF-8" in entry.detail
    report = build(config, Remembered())
    assert report.values["set_aside"] == [entry.to_dict()]
    assert quoting.is_utf8((out / "build.json").read_text(encoding="utf-8"))
