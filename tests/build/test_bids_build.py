"""A BIDS dataset through the commands: the named column is recorded, and the dataset is rebuilt by it."""

import tiny_bids as bids
from builds import content, rows
from click.testing import CliRunner
from psgimg.builder.cli import command_line
from tiny_edf import night


def command(*words):
    result = CliRunner().invoke(command_line(), list(map(str, words)))
    assert result.exit_code == 0, result.output
    return result.output


def test_the_named_column_labels_the_pages_and_rebuild_uses_it_again(tmp_path):
    base = bids.place(tmp_path / "in", "sub-1_task-sleep")
    bids.signal(base, night(4, 1))
    stages = [("W", "N1"), ("N1", "N1"), ("N2", "N3"), ("REM", "REM")]
    table = [(30 * i, 30, *pair) for i, pair in enumerate(stages)]
    bids.events(base, ("onset", "duration", "trial_type", "second"), table)
    bids.sidecar(tmp_path / "in/task-sleep_eeg.json", PowerLineFrequency=60)
    source = ("--source", "bids", "--root", tmp_path / "in", "--stage-column", "second")
    command("build", *source, "--trim", "none", "--out", tmp_path / "out", "--workers", 1)
    assert [row["label"] for row in rows(tmp_path / "out")] == [1, 1, 3, 4]
    assert {row["recording"] for row in rows(tmp_path / "out")} == {"sub-1-task-sleep"}
    assert [row["label_2"] for row in rows(tmp_path / "out")] == [0, 1, 2, 4]
    command("export", tmp_path / "out", "--labels-only", "--out", tmp_path / "labels")
    again = ("--root", tmp_path / "in", "--out", tmp_path / "again", "--workers", 1)
    command("rebuild", tmp_path / "labels", *again)
    shards = {name: data for name, data in content(tmp_path / "out").items() if "parquet" in name}
    assert shards.items() <= content(tmp_path / "again").items()
    page = ("--recording", "sub-1-task-sleep", "--epoch", 1, "--out", tmp_path / "page.png")
    command("preview", *source[:4], *page)
    assert (tmp_path / "page.png").exists()
