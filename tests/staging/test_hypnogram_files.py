"""What `psgimg stage` writes: a table and annotations that others read, and a picture."""

import csv
import json
from datetime import datetime, timedelta

import mne
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from psgimg.builder.corpora import demo, registry
from psgimg.builder.corpora.annotations import read_annotated
from psgimg.builder.recordings import edf, edf_annotations
from psgimg.builder.stages import STAGE_NAMES, Stage, Unscored
from psgimg.finetune.metrics.sleep_statistics import UNSCORED
from psgimg.finetune.staging import hypnogram_files, plot_night
from psgimg.finetune.staging.staged_night import StagedNight
from tiny_bids import describe, place, signal
from tiny_edf import Channel, write_psg

START = datetime(2021, 3, 27, 23, 58, 30)
STAGES = [0, 0, 1, 2, 2, 3, UNSCORED, UNSCORED, 3, 2, 4, 4, 4, 0, 1, 0]
LOW = 2
"""The epoch of which the model is not sure."""


def night(start=START, stages=STAGES, lights_off_s=None, lights_on_s=None):
    probabilities = np.full((len(stages), 5), np.nan)
    for epoch, stage in enumerate(stages):
        if stage != UNSCORED:
            sure = 0.4 if epoch == LOW else 0.8
            probabilities[epoch] = (1 - sure) / 4
            probabilities[epoch, stage] = sure
    return StagedNight(
        name="night.edf",
        start=start,
        probabilities=probabilities,
        lights_off_s=lights_off_s,
        lights_on_s=lights_on_s,
        review_below=0.5,
        unscored={"in a gap": stages.count(UNSCORED)},
        staged_by="a model | of ours, from pictures",
    )


def written(folder, found):
    path = folder / "hypnogram.edf"
    hypnogram_files.write_annotations(path, found)
    return path


def table(path):
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def texts(annotations):
    return [str(text) for text in annotations.description]


def test_mne_reads_every_epoch_with_its_time_and_stage(tmp_path):
    read = mne.read_annotations(written(tmp_path, night()))
    stages = [i for i, text in enumerate(texts(read)) if text.startswith("Sleep stage")]
    assert read.onset[stages].tolist() == [30.0 * i for i in range(len(STAGES))]
    assert set(read.duration[stages]) == {30.0}
    names = [*"W12", "N3", "R"]
    expected = [{"1": "N1", "2": "N2"}.get(name, name) for name in names]
    assert [texts(read)[i].removeprefix("Sleep stage ") for i in stages] == [
        "?" if stage == UNSCORED else expected[stage] for stage in STAGES
    ]


def test_mne_lays_the_stages_over_the_recording(tmp_path):
    psg = tmp_path / "night.edf"
    write_psg(psg, [Channel("EEG C4-A1", 100)], ["W"] * len(STAGES), start=START)
    raw = mne.io.read_raw_edf(psg, verbose="error")
    raw.set_annotations(mne.read_annotations(written(tmp_path, night())), emit_warning=False)
    codes = {"Sleep stage W": 1, **{f"Sleep stage N{n}": n + 1 for n in (1, 2, 3)}}
    codes |= {"Sleep stage R": 5}
    events, _ = mne.events_from_annotations(
        raw, event_id=codes, chunk_duration=30.0, verbose="error"
    )
    found = dict(zip((events[:, 0] // 3000).tolist(), (events[:, 2] - 1).tolist(), strict=True))
    assert found == {i: stage for i, stage in enumerate(STAGES) if stage != UNSCORED}


@pytest.mark.parametrize("late", [0.0, 0.25])
def test_our_own_reader_finds_the_same_stages_at_the_same_time(tmp_path, late):
    psg = tmp_path / "night.edf"
    write_psg(psg, [Channel("EEG C4-A1", 100)], ["W"] * 20, start=START)
    found = night(start=START + timedelta(seconds=late))
    read = read_annotated(written(tmp_path, found), psg, demo.LABELS, epoch_s=30)
    assert read.onsets_s == pytest.approx([30 * i + late for i in range(len(STAGES))])
    expected = [Unscored.UNSCORED if s == UNSCORED else Stage(s) for s in STAGES]
    assert list(read.scores) == expected


def test_low_confidence_and_lights_are_annotated_too(tmp_path):
    found = edf_annotations.read_annotations(
        written(tmp_path, night(lights_off_s=45.5, lights_on_s=400))
    )
    others = [
        (a.onset_s, a.duration_s, a.text)
        for a in found.events
        if not a.text.startswith("Sleep stage")
    ]
    assert sorted(others) == [
        (45.5, 0, "Lights off"),
        (30.0 * LOW, 30, "Review stage"),
        (400, 0, "Lights on"),
    ]


@pytest.mark.parametrize("start", [None, datetime(1971, 2, 3, 23, 5)])
def test_a_start_that_edf_cannot_hold_has_no_date(tmp_path, start):
    path = written(tmp_path, night(start=start))
    assert b"Startdate X" in path.read_bytes()[:256]
    found = edf.start_datetime(path)
    assert found.time() == (datetime.min if start is None else start).time()
    assert len(edf_annotations.read_annotations(path).events) == len(STAGES) + 1


def test_the_table_has_a_row_per_epoch_and_no_probabilities_without_a_stage(tmp_path):
    path = tmp_path / "hypnogram.csv"
    hypnogram_files.write_table(path, night())
    rows = table(path)
    assert [row["epoch"] for row in rows] == [str(i) for i in range(len(STAGES))]
    assert [row["stage"] for row in rows] == [
        "UNS" if stage == UNSCORED else STAGE_NAMES[stage] for stage in STAGES
    ]
    assert rows[4]["time"] == "00:00:30", "midnight is passed"
    assert rows[LOW] | {"p_N1": "0.400000", "confidence": "0.400000", "review": "yes"} == rows[LOW]
    assert [row["review"] for row in rows].count("yes") == 1
    missing = rows[STAGES.index(UNSCORED)]
    known = {key for key, value in missing.items() if value}
    assert known == {"epoch", "onset_s", "time", "stage", "staged_by"}


def test_without_a_start_the_table_has_no_clock(tmp_path):
    path = tmp_path / "hypnogram.csv"
    hypnogram_files.write_table(path, night(start=None))
    assert {row["time"] for row in table(path)} == {""}


def test_yasa_takes_the_table_with_its_probabilities_as_it_is(tmp_path):
    yasa = pytest.importorskip("yasa", reason="YASA is not installed")
    path = tmp_path / "hypnogram.csv"
    hypnogram_files.write_table(path, night())
    read = pd.read_csv(path)
    odds = read[[f"p_{name}" for name in STAGE_NAMES]].fillna(0.2)
    taken = yasa.Hypnogram(read["stage"], proba=odds.rename(columns=lambda name: name[2:]))
    assert taken.sleep_statistics()["TST"] == night().statistics.tst_min


@given(st.lists(st.floats(1e-9, 1), min_size=5, max_size=5))
def test_probabilities_sum_to_one_as_written(weights):
    odds = np.array(weights) / sum(weights)
    units = [round(1e6 * float(f"{share:.6f}")) for share in hypnogram_files.rounded(odds)]
    assert sum(units) == 10**6
    assert np.abs(np.array(units) / 1e6 - odds).max() <= 1e-6


def annot(path):
    """Rows of an ``.annot`` as class, start and stop."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    head, *rows = [line.split("\t") for line in lines]
    assert head == ["class", "instance", "channel", "start", "stop", "meta"]
    return [(row[0], float(row[3]), float(row[4])) for row in rows]


def test_luna_gets_every_epoch_the_lights_and_what_to_review(tmp_path):
    path = tmp_path / "hypnogram.annot"
    hypnogram_files.write_luna(path, night(lights_off_s=45.5, lights_on_s=400))
    rows = annot(path)
    names = ["W", "N1", "N2", "N3", "R"]
    assert [row for row in rows if row[0] in (*names, "?")] == [
        ("?" if stage == UNSCORED else names[stage], 30.0 * i, 30.0 * i + 30)
        for i, stage in enumerate(STAGES)
    ]
    assert {row for row in rows if row[0] not in (*names, "?")} == {
        ("lights_off", 45.5, 45.5),
        ("review", 30.0 * LOW, 30.0 * LOW + 30),
        ("lights_on", 400.0, 400.0),
    }
    declared = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert {line.count("|") for line in declared} == {1}, "a bar ends a name"
    assert {line.split()[1] for line in declared} == {row[0] for row in rows}


def test_luna_itself_reads_the_annotations(tmp_path):
    lunapi = pytest.importorskip("lunapi", reason="Luna (lunapi) is not installed")
    psg, path = tmp_path / "night.edf", tmp_path / "hypnogram.annot"
    write_psg(psg, [Channel("EEG C4-A1", 100)], ["W"] * len(STAGES), start=START)
    hypnogram_files.write_luna(path, night())
    one = lunapi.proj().inst("night")
    one.attach_edf(str(psg))
    one.attach_annot(str(path))
    one.eval("EPOCH & HYPNO")
    minutes = one.table("HYPNO", "SS").set_index("SS")["MINS"]
    own = night().statistics.stage_min
    assert {n: minutes["R" if n == "REM" else n] for n in STAGE_NAMES} == own


def test_bids_gets_a_table_of_events_that_its_json_describes_and_a_build_reads(tmp_path):
    base = place(tmp_path, "sub-1_task-sleep")
    words = ["W", "1", "2", "3", "R"] * 4
    signal(base, words[: len(STAGES)])
    describe(tmp_path)
    path = base.with_name("sub-1_task-sleep_events.tsv")
    hypnogram_files.write_events(path, night())
    head = path.read_text().splitlines()[0].split("\t")
    assert list(json.loads(path.with_suffix(".json").read_text())) == head
    [recording] = registry.corpus("bids").recordings(tmp_path)
    read = registry.corpus("bids").read_hypnogram(recording, "")
    assert read.onsets_s == tuple(30.0 * i for i in range(len(STAGES)))
    assert list(read.scores) == [
        Unscored.UNSCORED if stage == UNSCORED else Stage(stage) for stage in STAGES
    ]


def test_the_figures_are_those_between_lights_off_and_on():
    found = night(lights_off_s=44, lights_on_s=29 + 30 * 11)
    assert (found.in_bed.start, found.in_bed.stop) == (1, 12)
    assert found.statistics.trt_min == 5.5
    assert found.statistics.sol_min == 0.5
    whole = night()
    assert (whole.in_bed.start, whole.in_bed.stop) == (0, len(STAGES))


@pytest.mark.parametrize(
    "found",
    [
        night(lights_off_s=40, lights_on_s=400),
        night(start=None),
        night(stages=[UNSCORED, UNSCORED, 2, UNSCORED]),
        night(stages=[0]),
    ],
    ids=["lights", "no start", "mostly gap", "one epoch"],
)
def test_the_same_night_gives_the_same_files(tmp_path, found):
    pictures, tables, annotations = [], [], []
    for name in "ab":
        plot_night.write(tmp_path / f"{name}.png", found)
        hypnogram_files.write_table(tmp_path / f"{name}.csv", found)
        hypnogram_files.write_annotations(tmp_path / f"{name}.edf", found)
        pictures.append((tmp_path / f"{name}.png").read_bytes())
        tables.append((tmp_path / f"{name}.csv").read_bytes())
        annotations.append((tmp_path / f"{name}.edf").read_bytes())
    for twice in (pictures, tables, annotations):
        assert twice[0] == twice[1]
    with Image.open(tmp_path / "a.png") as shown:
        assert shown.width > 2 * shown.height
        assert len(shown.convert("RGB").getcolors(1 << 20)) > 50, "nothing is drawn"


def test_epochs_to_review_are_marked_in_the_picture(tmp_path):
    def ink(path, found):
        plot_night.write(path, found)
        with Image.open(path) as shown:
            pixels = np.asarray(shown.convert("RGB"))[300:400]  # beside the words on the right
        colour = tuple(int(plot_night.REVIEW_COLOUR[i : i + 2], 16) for i in (1, 3, 5))
        return int((pixels[:, 70:1000] == colour).all(axis=2).sum())

    marked = ink(tmp_path / "marked.png", night())
    unsure = night()
    object.__setattr__(unsure, "review_below", 0.1)
    assert marked > 100
    assert ink(tmp_path / "sure.png", unsure) == 0
