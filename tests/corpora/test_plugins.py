"""Corpora of installed packages: listed, restricted, and no package can harm another or psgimg."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from plugin_package import install
from psgimg.builder.cli import command_line
from psgimg.builder.corpora.registry import CORPORA, corpus, installed, is_open
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.recording import Policy
from tiny_lab import describe

CODE = """
from dataclasses import replace
from psgimg.builder.corpora import demo

def recordings(root):
    return iter(())

ONE = replace(demo.CORPUS, name="{name}", title="Of a package", recordings=recordings)
TWO = replace(ONE, name="{name}-two")
BOTH = (ONE, TWO)
LAMBDA = replace(ONE, recordings=lambda root: iter(()))
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages that this process imports from."""
    place = tmp_path / "site"
    place.mkdir()
    monkeypatch.syspath_prepend(str(place))
    yield place
    for name in [name for name in sys.modules if name.startswith("plug_")]:
        del sys.modules[name]


def plug(site: Path, name: str, what: str = "ONE", code: str = CODE, package: str = "") -> None:
    module = f"plug_{name.replace('-', '_')}"
    install(site, package or f"psg-{name}", module, code.format(name=name), f"x = {module}:{what}")


def test_a_package_brings_one_corpus_or_several(site):
    plug(site, "lab-a")
    plug(site, "lab-b", "BOTH")
    assert list(installed().corpora) == ["lab-a", "lab-b", "lab-b-two"]
    assert corpus("lab-b-two").title == "Of a package"
    assert corpus("lab-a").definition == {"package": "psg-lab-a"}


def test_whatever_a_package_states_its_corpora_are_restricted(site):
    plug(site, "lab-a")
    assert CORPORA["demo"].terms.policy is Policy.OPEN, "what the package copies"
    assert corpus("lab-a").terms.policy is Policy.RESTRICTED
    assert not is_open("lab-a", "open")


FAULTS = {
    "another corpus's name": ("demo", "ONE", CODE, "demo is the name of another corpus"),
    "no name": ("Lab A", "ONE", CODE, "'Lab A' is not a valid corpus name"),
    "no corpus": ("lab-a", "recordings", CODE, "TypeError"),
    "no such thing": ("lab-a", "NOTHING", CODE, "AttributeError"),
    "an error in its module": (
        "lab-a",
        "ONE",
        "raise OSError('no\\nlicence')",
        "OSError: no licence",
    ),
    "no function of a module": ("lab-a", "LAMBDA", CODE, "can't be sent to worker processes"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_package_at_fault_is_named_in_a_line_and_costs_nothing_else(fault, site):
    name, what, code, match = FAULTS[fault]
    module = "plug_bad"
    install(site, "psg-bad", module, code.format(name=name), f"x = {module}:{what}")
    plug(site, "lab-z")
    found = installed()
    assert list(found.corpora) == ["lab-z"]
    assert len(found.faults) == 1
    assert found.faults[0].startswith("package psg-bad: its corpora can't be used: ")
    assert match in found.faults[0]
    assert "\n" not in found.faults[0]
    assert corpus("demo") is CORPORA["demo"]
    with pytest.raises(BuildError, match="package psg-bad: its corpora can't be used"):
        corpus("lab-a")


def test_two_packages_with_one_name_get_it_by_turn_of_the_alphabet(site):
    plug(site, "lab-a", package="psg-first")
    install(site, "psg-second", "plug_second", CODE.format(name="lab-a"), "x = plug_second:ONE")
    found = installed()
    assert found.corpora["lab-a"].definition == {"package": "psg-first"}
    assert found.faults[0].startswith("package psg-second: ")


def test_a_file_cannot_take_the_name_of_a_packages_corpus(site, tmp_path):
    plug(site, "my-lab")
    with pytest.raises(BuildError, match="my-lab is the name of another corpus"):
        corpus(str(describe(tmp_path / "my-lab.yaml")))


def test_sources_lists_them_and_those_at_fault_and_says_how_to_add_one(site):
    plug(site, "lab-a")
    install(site, "psg-bad", "plug_bad", "import nothing_like_it", "x = plug_bad:ONE")
    shown = CliRunner().invoke(command_line(), ["sources"], terminal_width=200)
    assert shown.exit_code == 0
    text = " ".join(shown.output.split())
    assert "lab-a Of a package (restricted:" in text
    assert "package psg-bad: its corpora can't be used: ModuleNotFoundError" in text
    assert "--source my-lab.yaml" in text


def test_no_package_is_imported_before_a_corpus_that_is_not_built_in_is_requested(site):
    install(site, "psg-loud", "plug_loud", "raise SystemExit('imported')", "x = plug_loud:ONE")
    code = (
        "from psgimg.builder.corpora.registry import corpus; corpus('demo'); "
        "from psgimg.builder.cli import main; main()"
    )
    path = f"import sys; sys.path.insert(0, {str(site)!r}); "
    done = subprocess.run(
        [sys.executable, "-P", "-c", path + code, "build", "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
