"""Timings: a line for every recording in a log beside the dataset, of which the dataset has nothing."""

import json

import pytest
import tiny
from builds import content, run
from psgimg.builder import build as main_path
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.placing.parts import Part
from psgimg.builder.progress import SILENT

SMALL = {"style": "paper", "trim_min": None, "splits": "1/1/1"}


@pytest.fixture(scope="module")
def shhs(tmp_path_factory):
    """Three nights, of which one can't be drawn."""
    root = tmp_path_factory.mktemp("shhs")
    tiny.write_shhs(root, n_subjects=3, visits=(1,), minutes=3)
    broken = sorted(root.rglob("*.edf"))[1]
    broken.write_bytes(broken.read_bytes()[:200])
    return root


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("workers", [1, 2])
def test_the_log_has_a_line_for_every_recording_and_the_dataset_none_of_it(workers, shhs, tmp_path):
    out = tmp_path / "out"
    run(out, shhs, workers=workers, **SMALL)
    logged = {line["recording"]: line for line in lines(tmp_path / "out.timings.jsonl")}
    facts = json.loads((out / "build.json").read_text())
    aside = {one["recording"]: one["reason"] for one in facts["set_aside"]}
    assert len(logged) == 3
    assert {name: line["outcome"] for name, line in logged.items()} == aside | {
        fact["recording"]: "drawn" for fact in facts["recordings"]
    }
    for fact in facts["recordings"]:
        line = logged[fact["recording"]]
        assert line["pages"] == sum(fact["stages"].values())
        assert min(line["read_s"], line["draw_s"], line["write_s"]) >= 0
        for told in (line["began"], line["worker"]):
            assert not any(told.encode() in data for data in content(out).values())
    before = (tmp_path / "out.timings.jsonl").read_bytes()
    run(out, shhs, workers=workers, **SMALL)
    assert lines(tmp_path / "out.timings.jsonl")[3:] == [
        {"corpus": "shhs", "recording": name, "outcome": why} for name, why in aside.items()
    ]
    assert (tmp_path / "out.timings.jsonl").read_bytes().startswith(before)


def test_each_part_has_a_log_of_its_own_as_several_machines_may_not_write_one(shhs, tmp_path):
    for number in (1, 2):
        config = BuildConfig(
            ("shhs",), (str(shhs),), tmp_path / "out", part=Part(number, 2), **SMALL
        )
        main_path.build_part(config, SILENT)
    logs = sorted(tmp_path.glob("*.jsonl"))
    assert [path.name for path in logs] == [
        f"out.part-{number}-of-2.timings.jsonl" for number in (1, 2)
    ]
    assert sum(len(lines(path)) for path in logs) == 3


def test_a_log_that_can_not_be_written_is_said_once_and_ends_nothing(shhs, tmp_path):
    (tmp_path / "out.timings.jsonl").mkdir()
    told = []
    config = BuildConfig(("shhs",), (str(shhs),), tmp_path / "out", **SMALL)

    class Told(type(SILENT)):
        def note(self, message):
            told.append(message)

    main_path.build(config, Told())
    assert (tmp_path / "out" / "build.json").exists()
    assert [message for message in told if "timings" in message] == [
        f"{tmp_path / 'out.timings.jsonl'} can't be written (Is a directory): timings are not logged"
    ]
