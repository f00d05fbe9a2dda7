"""docs/add-a-corpus.md, followed to the letter: its YAML, its commands, its package."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from builds import opened
from click.testing import CliRunner
from plugin_package import install
from psgimg.builder.cli import command_line
from psgimg.builder.corpora.registry import corpus, is_file
from psgimg.builder.stages import Stage
from tiny_edf import TRUTH
from tiny_lab import write_lab

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "add-a-corpus.md").read_text(
    encoding="utf-8"
)


def blocks(language: str) -> list[str]:
    """The page's blocks of a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


def psgimg(line: str) -> str:
    """Run a command of the page; what it printed."""
    words = shlex.split(line)
    assert words[0] == "psgimg"
    done = CliRunner().invoke(command_line(), words[1:], terminal_width=200)
    assert done.exit_code == 0, f"{line}: {done.output}"
    return done.output


def labels(folder: Path) -> list[tuple[str, int, int]]:
    return sorted(
        (row["recording"], row["epoch"], row["label"])
        for split in opened(folder).values()
        for row in split.remove_columns("image")
    )


def staged(nights: dict[str, list[str]]) -> list[tuple[str, int, int]]:
    """Recording, epoch and label of every epoch that has a stage, as the nights were written."""
    return [
        (name, i, int(TRUTH[word]))
        for name, words in sorted(nights.items())
        for i, word in enumerate(words)
        if isinstance(TRUTH[word], Stage)
    ]


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    root = tmp_path_factory.mktemp("lab") / "recordings"
    return root, write_lab(root, n_nights=2, minutes=10)


@pytest.fixture
def here(nights, tmp_path, monkeypatch):
    """A working directory with the page's recordings and its file."""
    shutil.copytree(nights[0], tmp_path / "recordings")
    (tmp_path / "my-lab.yaml").write_text(blocks("yaml")[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_its_file_and_commands_make_a_dataset_with_the_stages_of_the_tables(here, nights):
    check, preview, build = blocks("sh")[0].splitlines()
    assert f"{len(nights[1])} recordings would be built, 0 set aside" in psgimg(check)
    psgimg(preview)
    assert (here / "page.png").is_file()
    psgimg(f"{build} --workers 1")
    assert labels(here / "my-dataset") == staged(nights[1])
    psgimg("psgimg export my-dataset --labels-only")
    (again,) = re.findall(r"`(psgimg rebuild [^`]+)`", PAGE)
    psgimg(again.replace("DIR", "recordings") + " --out again --workers 1")
    assert labels(here / "again") == staged(nights[1])


def test_every_other_piece_of_yaml_of_the_page_is_taken(here):
    whole = yaml.safe_load(blocks("yaml")[0])
    for piece in blocks("yaml")[1:]:
        values = yaml.safe_load(piece)
        whole_file = values if "bids" in values else whole | values
        (here / "changed.yaml").write_text(yaml.safe_dump(whole_file))
        corpus("changed.yaml")


def test_a_recording_is_named_as_the_fields_of_the_page_say(here):
    whole = yaml.safe_load(blocks("yaml")[0]) | yaml.safe_load(blocks("yaml")[1])
    whole["scoring"] = {"format": "annotations"}
    (here / "fields.yaml").write_text(yaml.safe_dump(whole))
    (here / "recordings" / "SC4001.edf").touch()
    (found,) = corpus("fields.yaml").recordings(here / "recordings")
    assert (found.subject, found.recording) == ("SC400", "SC400-1")


def test_its_package_brings_a_corpus(here, nights, monkeypatch):
    (code,), (project,) = blocks("python"), blocks("toml")
    ((name, entry),) = tomllib.loads(project)["project"]["entry-points"]["psgimg.corpora"].items()
    site = here / "site"
    install(site, "my-lab", entry.partition(":")[0], code, f"{name} = {entry}")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "my_lab", raising=False)
    for night, words in nights[1].items():
        stages = [TRUTH[word] if isinstance(TRUTH[word], Stage) else Stage.W for word in words]
        path = here / "recordings" / f"{night.replace('-', '/')}.stages"
        path.write_text("\n".join(stage.name for stage in stages))
    assert "my-lab-py" in psgimg("psgimg sources")
    (build,) = re.findall(r"`(psgimg build --source my-lab-py)`", PAGE)
    psgimg(f"{build} --workers 2 --out by-package")
    found = set(labels(here / "by-package"))
    assert set(staged(nights[1])) <= found
    assert len(found) == sum(map(len, nights[1].values()))
    assert not is_file("my-lab-py")
