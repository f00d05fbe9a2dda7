"""Strings from outside are printed as they are: no markup, no emoji, no control characters."""

import ast
import contextlib
import re
from pathlib import Path

import pytest
import tiny
from psgimg.builder import console
from psgimg.builder.console import ProgressBar, new_table, open_console, styled
from psgimg.builder.files.quoting import visible

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted({*ROOT.glob("builder/**/*.py"), *ROOT.glob("finetune/**/*.py")})

PRINTED = {
    "ds[v2]": "ds[v2]",
    "EMG [/x]": "EMG [/x]",
    "[bold]a[/bold]": "[bold]a[/bold]",
    "[red": "[red",
    "\\[x]": "\\[x]",
    "[link=http://x]y": "[link=http://x]y",
    ":smile: :pile_of_poo:": ":smile: :pile_of_poo:",
    "a\nb\r\tc": "a\\nb\\r\\tc",
    "\x1b[31mred\x1b[0m\x07\x08": "\\x1b[31mred\\x1b[0m\\x07\\x08",
    "\x9b31m\x7f": "\\x9b31m\\x7f",
    "\u202eEDF\u2066\u200f": "\\u202eEDF\\u2066\\u200f",
    "a\u2028b\x85c": "a\\u2028b\\x85c",
    "nuit\udce9": "nuit\\xe9",
    "Łódź 睡眠 👩‍⚕️": "Łódź 睡眠 👩‍⚕️",
}
"""What is printed of each string."""


@pytest.mark.parametrize(("text", "shown"), PRINTED.items(), ids=ascii)
def test_a_string_is_printed_whole_and_on_one_line(text, shown, capsys):
    assert visible(text) == shown
    table = new_table("name", text, left=("name",))
    table.add_row(text, "1")
    terminal = open_console()
    terminal.print(text)
    terminal.print(styled("a ", (text, "bold")))
    terminal.print(table)
    with ProgressBar(terminal) as progress:
        progress.start(text, 1, "pages")
        progress.note(text)
        progress.advance()
    lines = capsys.readouterr().out.split("\n")[:-1]
    assert lines[:2] == [shown, f"a {shown}"]
    assert lines[4:5] == [shown]
    assert lines[5].startswith(f"{shown} ━")
    assert [shown in line for line in lines[2:4]] == [True, True]
    assert len(lines) == 6


def test_a_channel_label_with_markup_is_printed_by_check(capsys, tmp_path, monkeypatch):
    from psgimg.builder.cli import main

    labels = {b"EMG": b"EMG [/x]", b"EEG(sec)": b"C3 [a]", b"EEG": b"[red"}
    tiny.write_shhs(tmp_path / "shhs", n_subjects=1, visits=(1,))
    [signal] = (tmp_path / "shhs").rglob("*.edf")
    data = signal.read_bytes()
    for old, new in labels.items():
        assert data.count(old.ljust(16)) == 1
        data = data.replace(old.ljust(16), new.ljust(16))
    signal.write_bytes(data)
    words = ["check", "--source", "shhs", "--root", str(tmp_path / "shhs")]
    monkeypatch.setattr("sys.argv", ["psgimg", *words])
    main()
    printed = capsys.readouterr().out
    assert all(label in printed for label in ("EMG [/x]", "C3 [a]", "[red"))


def test_an_error_is_one_line_without_control_characters(capfd, monkeypatch, tmp_path):
    from psgimg.builder.cli import main

    for words in (
        ["evaluate", "no\nsuch\x1b[2Jfile.csv"],
        ["export", str(tmp_path / "a\x1b[2Jb"), "--format", "sharegpt"],
        ["sources", "--no\x1b[2Jsuch"],
    ):
        monkeypatch.setattr("sys.argv", ["psgimg", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        assert ended.value.code == 2
        assert not out
        assert "\\x1b[2J" in err
        assert "\x1b" not in err
    monkeypatch.setattr("sys.argv", ["psgimg", "evaluate", "no\nsuch.csv"])
    with pytest.raises(SystemExit):
        main()
    assert len(capfd.readouterr().err.splitlines()) == 1


def _imported_from_rich(tree):
    return {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "rich"
        for alias in node.names
    }


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_only_the_console_makes_what_rich_prints(path):
    """Elsewhere, rich's classes are names of types: a table or text of theirs would read markup."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    if path != Path(console.__file__).resolve():
        assert not calls & _imported_from_rich(tree), "use new_table, styled and open_console"
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    marked = [t for t in texts if isinstance(t, str) and re.search(r"\[/\]|\[(bold|dim|red)\]", t)]
    assert not marked, "give a style by styled((text, style))"


def test_a_bar_that_an_error_ends_keeps_its_total(capsys):
    progress = ProgressBar(open_console())
    with contextlib.suppress(ValueError), progress:
        progress.start("counting")
        progress.start("drawing", 8, "recordings")
        raise ValueError
    [line, *_] = capsys.readouterr().out.split("\n")
    assert line.startswith("drawing ")
    assert "0/8 recordings" in line


def test_a_step_with_nothing_to_do_has_no_bar(capsys):
    with ProgressBar(open_console()) as progress:
        progress.start("drawing", 0, "recordings")
    assert capsys.readouterr().out == ""


LONG = "x" * 300
"""Longer than the name of a file may be."""


@pytest.mark.parametrize(
    "words",
    [
        ["build", "--source", "demo", "--out", LONG],
        ["check", "--source", "demo", "--root", LONG],
        ["export", LONG, "--labels-only"],
        ["push", LONG],
        ["rebuild", LONG],
        ["preview", LONG],
        ["evaluate", f"{LONG}.csv"],
    ],
    ids=lambda words: words[0],
)
def test_a_path_that_the_system_refuses_is_one_line(words, capfd, monkeypatch, tmp_path):
    from psgimg.builder.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["psgimg", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    [line] = capfd.readouterr().err.splitlines()
    assert line.startswith("psgimg: ")
    assert LONG[:200] in line
    assert {path.name for path in tmp_path.iterdir()} <= {"psgimg-demo"}
