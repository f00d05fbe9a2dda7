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
COMMAND = re.compile(r"(?<![\w.'-])psgimg (?=[a-z])([^\n#|&;\"]+)")
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_commands_modules_and_speed_are_documented_as_they_are():
    """In a process of its own: click remembers how a command was first called."""
    script = [sys.executable, "-P", str(ROOT / "tests" / "make_docs.py"), "--check"]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def commands_shown(document):
    """Return the words of every command of psgimg in a document: in blocks, and within lines."""
    text = document.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = re.findall(r"```(?:sh|bash)\n(.*?)```", text, re.S)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))
    lines = [line for block in blocks for line in block.splitlines()] + inline
    return [found.split() for line in lines for found in COMMAND.findall(line)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_and_option_that_a_document_shows_exists(document):
    from psgimg.finetune.training import arguments

    known = {
        name: {option for parameter in command.params for option in parameter.opts} | {"--help"}
        for name, command in cli.commands.items()
    }
    known["sft"] |= set(re.findall(r"--[\w-]+", arguments.listed()))
    for name, *words in commands_shown(document):
        used = {word.partition("=")[0] for word in words if re.match(r"--\w", word)}
        assert used <= known[name], (name, used - known[name])


def test_every_command_corpus_style_and_montage_is_in_the_readme():
    for name in (*cli.commands, *CORPORA, *PRESETS, *MONTAGES):
        assert f"`{name}`" in README or f"psgimg {name}" in README, name


def test_documents_and_messages_show_options_with_dashes():
    """`llamafactory-cli`, of which a card shows a line, has a spelling of its own, as has TRL."""
    documents = [path for path in DOCUMENTS if path.name != "neighbours.md"]
    places = [*documents, *ROOT.glob("docs/**/*.json"), *ROOT.glob("cards/*.j2")]
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


def prose(document):
    """Return the text of a document without its blocks of code."""
    return re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.S)


def anchors(document):
    """Return the anchors that GitHub gives to the headings of a document."""
    headings = re.findall(r"^#+ (.*)$", prose(document), re.M)
    words = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in words}


def links(document):
    """Return the files and anchors to which a document links on this disk."""
    found = re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)|src=\"([^\"]+)\"", prose(document))
    return [
        (document.parent / (place or source) if place or source else document, anchor)
        for place, anchor, source in found
        if not (place or source).startswith(("http", "mailto"))
    ]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_section_and_picture_of_a_document_is_there(document):
    for target, anchor in links(document):
        assert target.exists(), target
        assert not anchor or anchor in anchors(target), f"{target.name}#{anchor}"


def test_the_readme_leads_to_every_document():
    seen, ahead = set(), [ROOT / "README.md"]
    while ahead:
        document = ahead.pop().resolve()
        if document not in seen:
            seen.add(document)
            ahead += [target for target, _ in links(document) if target.suffix == ".md"]
    assert {path.resolve() for path in DOCUMENTS} <= seen


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
