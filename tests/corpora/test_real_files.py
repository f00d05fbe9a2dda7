"""Real files, where the folder with them lies beside the repository; else these tests skip."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import pytest
from psgimg.builder.corpora import annotations, sleep_edf
from psgimg.builder.corpora.nsrr import nsrr_xml
from psgimg.builder.corpora.registry import corpus
from psgimg.builder.recordings.hypnogram import Hypnogram
from psgimg.builder.recordings.montage import MONTAGES, Kind, resolve
from psgimg.builder.recordings.recording import Recording
from psgimg.builder.stages import Score, Stage, Unscored

STAGES = tuple(Stage)


def counts(hypnogram: Hypnogram) -> list[int]:
    found = Counter(hypnogram.scores)
    return [found[stage] for stage in STAGES]


# Sleep-EDF


def sleep_edf_files(real_recordings: Path, study: str) -> list[Path]:
    return sorted((real_recordings / "sleep-edf").rglob(f"{study}*-Hypnogram.edf"))


def sleep_edf_hypnogram(path: Path) -> Hypnogram:
    return annotations.read_annotated(path, path, sleep_edf.CODES, epoch_s=30.0)


def test_sleep_edf_cassette_totals_are_the_published_ones(real_recordings: Path) -> None:
    paths = sleep_edf_files(real_recordings, "SC")
    assert len(paths) == 153
    total: Counter[Score] = Counter()
    for path in paths:
        total.update(sleep_edf_hypnogram(path).scores)
    assert [total[stage] for stage in STAGES] == [285937, 21522, 69132, 8793 + 4246, 25835]
    assert total[Unscored.UNSCORED] == 25047
    assert total[Unscored.MOVEMENT] == 128


def test_sleep_edf_telemetry_epochs_are_those_of_the_raw_bytes(real_recordings: Path) -> None:
    annotation = re.compile(rb"\+([\d.]+)\x15([\d.]+)\x14([^\x14\x00]+)\x14")
    paths = sleep_edf_files(real_recordings, "ST")
    assert len(paths) == 22
    n_late = n_with_holes = 0
    for path in paths:
        found = annotation.findall(path.read_bytes())
        expected = Counter[Score]()
        for _, length, text in found:
            expected[sleep_edf.CODES[text.decode()]] += round(float(length) / 30)
        hypnogram = sleep_edf_hypnogram(path)
        assert Counter(hypnogram.scores) == expected
        assert hypnogram.onsets_s[0] == float(found[0][0])
        n_late += hypnogram.onsets_s[0] > 0
        n_with_holes += not all(map(hypnogram.contiguous, range(1, len(hypnogram))))
    assert (n_late, n_with_holes) == (9, 1)


def test_sleep_edf_whole_night_has_the_counted_stages(real_recordings: Path) -> None:
    (recording,) = corpus("sleep-edf").recordings(real_recordings / "sleep-edf")
    hypnogram = corpus("sleep-edf").read_hypnogram(recording, "")
    assert (recording.subject, recording.recording) == ("SC400", "SC4001")
    assert counts(hypnogram) == [1997, 58, 250, 101 + 119, 125]
    unscored = [onset_s for onset_s, score in hypnogram if score is Unscored.UNSCORED]
    assert (unscored[0], unscored[-1] + 30.0) == (79500.0, 86400.0)


# NSRR


def test_shhs_both_exports_give_the_same_1084_epochs(real_recordings: Path) -> None:
    nsrr = nsrr_xml.read_nsrr(real_recordings / "shhs" / "shhs1-200001-nsrr.xml")
    profusion = nsrr_xml.read_profusion(real_recordings / "shhs" / "shhs1-200001-profusion.xml")
    assert nsrr == profusion
    assert len(nsrr) == 1084
    assert counts(nsrr) == [333, 47, 457, 145, 102]
    parsed = nsrr_xml.parse_nsrr(real_recordings / "shhs" / "shhs1-200001-nsrr.xml")
    assert not nsrr_xml.is_legacy(parsed)


def test_learn_nsrr01_has_1364_epochs_one_of_them_stage_4(real_recordings: Path) -> None:
    hypnogram = nsrr_xml.read_profusion(real_recordings / "nsrr" / "learn-nsrr01.xml")
    assert len(hypnogram) == 1364
    assert counts(hypnogram) == [477, 109, 523, 16 + 1, 238]


@pytest.mark.parametrize(
    ("name", "n_recordings", "n_subjects", "n_split_keys"),
    [
        ("shhs", 8444, 5797, 5797),  # four people have visit 2 only
        ("mesa", 2056, 2056, 2056),
        ("mros", 3930, 2905, 2905),
        ("cfs", 730, 730, 144),
    ],
)
def test_nsrr_every_published_path_is_a_recording_with_its_scoring(
    real_recordings: Path,
    tmp_path: Path,
    name: str,
    n_recordings: int,
    n_subjects: int,
    n_split_keys: int,
) -> None:
    lists = real_recordings / "nsrr" / "file-lists"
    for kind in ("edf", "annotation"):
        for line in (lists / f"{name}_{kind}_files.txt").read_text().splitlines():
            path = tmp_path / line.split(",")[0].lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    found = list(corpus(name).recordings(tmp_path))
    assert len(found) == n_recordings
    assert all(recording.scorings for recording in found)
    assert len({recording.subject for recording in found}) == n_subjects
    assert len({recording.split_key for recording in found}) == n_split_keys


# Channels


def channel_lists(path: Path, column: str) -> Counter[tuple[str, ...]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        return Counter(tuple(re.split(r",\s*", row[column])) for row in rows)


@pytest.mark.parametrize(
    ("name", "file", "n_files"),
    [
        ("shhs", "nsrr/file-lists/shhs_channels.csv", 8444),
        ("mros", "nsrr/file-lists/mros_channels.csv", 3933),
        ("isruc", "isruc/isruc_all_channels.csv", 110),
    ],
)
def test_every_published_channel_list_yields_eeg_eog_and_chin(
    real_recordings: Path, name: str, file: str, n_files: int
) -> None:
    lists = channel_lists(real_recordings / file, "channels")
    montage = MONTAGES[corpus(name).montage]
    poor = set()
    for labels in lists:
        lanes = resolve(montage, labels, corpus(name).channels, name).derivations
        kinds = {lane.kind for lane, found in zip(montage.lanes, lanes, strict=True) if found}
        if not kinds >= {Kind.EEG, Kind.EOG, Kind.EMG}:
            poor.add(labels)
    assert sum(lists.values()) == n_files
    assert not poor


# ISRUC


@pytest.fixture
def isruc_night(real_recordings: Path, tmp_path: Path) -> Recording:
    folder = tmp_path / "subgroupIII" / "1"
    folder.mkdir(parents=True)
    for path in (real_recordings / "isruc").glob("1_*"):
        (folder / path.name).symlink_to(path)
    (folder / "1.rec").touch()
    (recording,) = corpus("isruc").recordings(tmp_path)
    return recording


def test_isruc_both_experts_have_954_epochs_and_agree_in_877_of_1000(
    isruc_night: Recording,
) -> None:
    first = corpus("isruc").read_hypnogram(isruc_night, "1")
    second = corpus("isruc").read_hypnogram(isruc_night, "2")
    assert counts(first) == [165, 119, 373, 178, 119]
    assert counts(second) == [146, 110, 392, 190, 115]
    assert second.scores[443] is Unscored.UNSCORED  # the text has 0 there, the table U
    agreement = sum(a == b for a, b in zip(first.scores, second.scores, strict=True)) / 954
    assert agreement == pytest.approx(0.877, abs=0.001)


@pytest.mark.parametrize("expert", ["1", "2"])
def test_isruc_text_and_table_give_the_same_scoring(isruc_night: Recording, expert: str) -> None:
    by_text = corpus("isruc").read_hypnogram(isruc_night, expert)
    isruc_night.scorings[expert].unlink()  # a link in tmp_path
    table = isruc_night.scorings[expert].with_suffix(".xlsx")
    alone = Recording("isruc", "III-001", "III-001", isruc_night.signal, {expert: table})
    assert corpus("isruc").read_hypnogram(alone, expert) == by_text


# HMC


def test_hmc_stages_of_151_nights_come_back_from_the_text_form(
    real_recordings: Path, tmp_path: Path
) -> None:
    pyreadr = pytest.importorskip("pyreadr")
    (table,) = pyreadr.read_r(str(real_recordings / "hmc" / "sleepscoring.rda")).values()
    total: Counter[Score] = Counter()
    for patient, rows in table.groupby("Patient"):
        path = tmp_path / f"SN{int(patient):03d}_sleepscoring.txt"
        lines = ["Date, Time, Recording onset, Duration, Annotation, Linked channel"]
        columns = (rows["Recording.onset"], rows["Duration"], rows["SleepStage"])
        for onset, length, stage in zip(*columns, strict=True):
            lines.append(f"d, t, {onset:g}, {length:g}, Sleep stage {stage}, ")
        path.write_text("\n".join(lines))
        night = Recording("hmc", path.stem, path.stem, path, {"": path})
        hypnogram = corpus("hmc").read_hypnogram(night, "")
        assert hypnogram.onsets_s == tuple(rows["Recording.onset"])
        total.update(hypnogram.scores)
    assert [total[stage] for stage in STAGES] == [23368, 15548, 50083, 26671, 21255]
