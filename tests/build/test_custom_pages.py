"""The page on styles, montages and filters of one's own: its files and commands are run."""

import re
import shlex
from dataclasses import fields
from pathlib import Path

import tiny
from click.testing import CliRunner
from psgimg.builder.cli import command_line
from psgimg.builder.dataset import build_report
from psgimg.builder.recordings.montage import Kind
from psgimg.builder.render.style import LaneStyle, Style
from tiny_edf import channels, night, write_psg

PAGE = Path(__file__).resolve().parents[2] / "docs" / "custom-pages.md"
TEXT = PAGE.read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.S)


def test_its_commands_run_with_its_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for block in blocks("yaml"):
        name = re.match("# (.*)\n", block)[1]
        Path(name).write_text(block, encoding="utf-8")
    tiny.write_shhs(tmp_path / "shhs", n_subjects=1, visits=(1,), minutes=3)
    inputs = [*channels(["C4", "C3-M2"], 100), *channels(["Chin"], 100, "emg")]
    write_psg(tmp_path / "night.edf", inputs, night(3))
    commands = [line for block in blocks("sh") for line in block.splitlines()]
    assert [line.split()[1] for line in commands] == ["preview", "check", "build"]
    for line in commands:
        words = shlex.split(line.replace("/data/shhs", "shhs"))[1:]
        result = CliRunner().invoke(command_line(), words)
        assert result.exception is None, (line, result.exception)
    recipe = build_report.read(tmp_path / "lab-pages")["recipe"]
    lanes = {lane["name"]: lane["kind"] for lane in recipe["montage"]["lanes"]}
    assert lanes == {"C4": "eeg", "C3-M2": "eeg", "left-eye": "eog", "chin": "emg"}
    assert recipe["filters"]["bands"]["eeg"] == {"low_hz": 0.1, "high_hz": 30.0}
    assert (recipe["style"]["name"], recipe["style"]["width_px"]) == ("print", 1120)


def test_it_names_every_key():
    own = [one.name for kind in (Style, LaneStyle) for one in fields(kind) if one.name != "lanes"]
    keys = [*own, "base", *(kind.value for kind in Kind), "band_hz", "notch", "order"]
    for key in [*keys, "lanes", "kind", "derivations"]:
        assert re.search(rf"`{key}`|\b{key}:", TEXT), key
