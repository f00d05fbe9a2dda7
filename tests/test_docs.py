"""Documents: they are run, not trusted."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from progress import Remembered
from psgimg.builder.cli import command_line
from psgimg.builder.corpora.registry import CORPORA
from psgimg.builder.recordings.montage import MONTAGES
from psgimg.builder.render.style import PRESETS

cli = command_line()

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_commands_modules_and_speed_are_documented_as_they_are():
    """In a process of its own: click remembers how a command was first called."""
    script = [sys.executable, "-P", str(ROOT / "tests" / "make_docs.py"), "--check"]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_command_option_corpus_style_and_montage_of_the_readme_exists():
    for line in re.findall(r"^\$? ?(psgimg [^\n#|&]*)", README, re.M):
        words = line.split()
        command = cli.commands[words[1]]
        known = {name for option in command.params for name in option.opts}
        used = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert used <= known | {"--help"}, line
    for name in (*cli.commands, *CORPORA, *PRESETS, *MONTAGES):
        assert f"`{name}`" in README or f"psgimg {name}" in README, name


def test_documents_and_messages_show_options_with_dashes():
    """`llamafactory-cli`, of which a card shows a line, has a spelling of its own."""
    places = [*DOCUMENTS, *ROOT.glob("docs/**/*.json"), *ROOT.glob("cards/*.j2")]
    for path in (*places, *ROOT.glob("builder/**/*.py"), *ROOT.glob("finetune/**/*.py")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if "llamafactory-cli" not in line:
                assert not re.findall(r"(?<![\w-])--[a-z0-9]+_\w+", line), path
    for path in ROOT.glob("docs/studies/*.yaml"):
        keys = re.findall(r"[\w-]+(?=:)", path.read_text(encoding="utf-8"))
        assert not [key for key in keys if "_" in key and key != "snr_db"], path


def test_the_citation_is_of_this_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]
    assert [one["name"] for one in citation["authors"]] == ["The psgimg authors"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_and_picture_of_a_document_is_there(document):
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.S)
    places = re.findall(r"\]\(([^)#]+)[^)]*\)|src=\"([^\"]+)\"", text)
    for place in filter(None, (a or b for a, b in places)):
        if not place.startswith(("http", "mailto")):
            assert (document.parent / place).exists(), place


def test_no_document_or_module_names_the_machine_it_was_written_on():
    paths = [
        p
        for folder in ("builder", "finetune", "cards", "docs", ".ci", "benchmarks")
        for p in (ROOT / folder).rglob("*")
    ]
    for path in [*paths, *ROOT.glob("*.md"), ROOT / "pyproject.toml"]:
        if path.is_file() and path.suffix in (".py", ".md", ".toml", ".j2", ".json", ""):
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"/work/|/root/|/home/\w", text), path


def test_modules_fit_in_300_lines_and_functions_on_a_screen():
    import ast

    for path in [*(ROOT / "builder").rglob("*.py"), *(ROOT / "finetune").rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 300, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                doc = ast.get_docstring(node, clean=False)
                n_lines = (
                    node.end_lineno
                    - node.body[0].lineno
                    + 1
                    - (len(doc.splitlines()) if doc else 0)
                )
                assert n_lines <= 50, f"{path}: {node.name} has {n_lines} lines"


def test_the_real_pages_on_the_card_are_what_is_drawn_today(real_recordings, tmp_path):
    from psgimg.builder.build import build
    from psgimg.builder.dataset.config import BuildConfig

    root = (str(real_recordings / "sleep-edf"),)
    build(BuildConfig(("sleep-edf",), root, tmp_path / "out"), Remembered())
    for path in sorted((ROOT / "cards" / "sleep-edf").glob("*.png")):
        assert path.read_bytes() == (tmp_path / "out" / "card" / path.name).read_bytes(), path


def test_a_folder_holds_few_modules_and_no_name_stands_for_many():
    from collections import Counter

    paths = [p for top in ("builder", "finetune") for p in (ROOT / top).rglob("*.py")]
    modules = [path.relative_to(ROOT) for path in paths if path.name != "__init__.py"]
    folders = Counter(path.parent.as_posix() for path in modules)
    assert {folder: n for folder, n in folders.items() if n > 20} == {}
    names = Counter(path.stem for path in modules)
    assert {name: n for name, n in names.items() if n > 2} == {}


def test_no_document_speaks_of_what_only_its_authors_have():
    for document in DOCUMENTS:
        assert "../shared" not in document.read_text(encoding="utf-8"), document
