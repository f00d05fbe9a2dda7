"""Paths that libraries would take for addresses: a folder is used as such, an address is refused."""

from pathlib import Path

import pytest
from builds import opened
from click.testing import CliRunner
from psgimg.builder.cli import command_line
from psgimg.builder.command_options import LocalPath
from psgimg.builder.errors import BuildError

COMMANDS = ["build --source demo", "rebuild labels", "export pages --labels-only", "preview x.edf"]
COMMANDS += ["baseline --dataset pages", "predict --model m --dataset d", "stage x.edf --model m"]
COMMANDS += ["explain --model m --dataset d", "evaluate p.csv", "study s.yaml", "merge adapter"]


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_build_into_a_folder_with_a_colon_is_loaded_from_there(tmp_path):
    words = ["build", "--source", "demo", "--limit", "1", "--workers", "1", "--out", "a:b"]
    result = CliRunner().invoke(command_line(), words)
    assert result.exit_code == 0, result.output
    assert len(opened(tmp_path / "a:b", split="train"))


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("out", ["s3://bucket/x", "hf://datasets/me/x", "file:///tmp/x", "x::y"])
def test_an_address_is_no_place_to_write_to(command, out, tmp_path):
    result = CliRunner().invoke(command_line(), [*command.split(), "--out", out])
    assert isinstance(result.exception, BuildError), result.output
    assert str(result.exception).startswith(f"--out {out}: ")
    assert not any(tmp_path.iterdir())


def test_an_address_is_no_place_to_read_from():
    result = CliRunner().invoke(command_line(), ["evaluate", "s3://bucket/predictions.parquet"])
    assert "s3://bucket/predictions.parquet: an address" in str(result.exception)


@pytest.mark.parametrize(
    ("typed", "taken"), [("a:b/c", "{}/a:b/c"), ("./a:b", "{}/a:b"), ("c/a:b", "c/a:b"), ("c", "c")]
)
def test_only_what_begins_like_an_address_becomes_absolute(typed, taken, tmp_path):
    assert str(LocalPath().convert(typed, None, None)) == taken.format(tmp_path)


def test_a_home_is_meant_by_a_tilde_wherever_a_path_is_given(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert LocalPath().convert("~/p.parquet", None, None) == tmp_path / "p.parquet"
    assert LocalPath().convert("~no-such-person/x", None, None) == Path("~no-such-person/x")


def test_a_name_too_long_for_temporary_files_is_refused_before_any_work(tmp_path):
    out = "é" * 120 + ".parquet"
    words = ["predict", "--model", "m", "--dataset", "d", "--out", out]
    result = CliRunner().invoke(command_line(), words)
    assert str(result.exception) == f"--out {out}: longer than 200 bytes; give a shorter name"


def test_a_link_to_itself_is_refused(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    for path in ("loop", "loop/x.parquet"):
        with pytest.raises(
            BuildError, match=f"^path {path}: a link leads to itself; give another path$"
        ):
            LocalPath().convert(path, None, None)
