"""Bad input: each gets one clear line and costs no other recording."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import edfio
import numpy as np
import pytest
import tiny
from builds import PSGIMG, content
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.corpora import demo
from psgimg.builder.corpora.registry import corpus
from psgimg.builder.corpora.sources import locate, to_fetch
from psgimg.builder.dataset import build_report
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded

N_GOOD = 3


def first(root: Path, pattern: str) -> Path:
    return sorted(root.rglob(pattern))[0]


def truncate(root):
    path = first(root, "shhs1-200001.edf")
    path.write_bytes(path.read_bytes()[:-4000])


def lie_about_records(root):
    path = first(root, "shhs1-200001.edf")
    raw = bytearray(path.read_bytes())
    raw[236:244] = b"7       "
    path.write_bytes(raw)


def empty_scoring(root):
    first(root, "shhs1-200001-nsrr.xml").write_bytes(b"")


def garbage_scoring(root):
    first(root, "shhs1-200001-nsrr.xml").write_text("<PSGAnnotation><ScoredEvents>")


def entity_bomb(root):
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    first(root, "shhs1-200001-nsrr.xml").write_text(
        f'<?xml version="1.0"?><!DOCTYPE z [<!ENTITY l0 "ha">{laughs}]><PSGAnnotation>&l9;</PSGAnnotation>'
    )


def outside_reference(root):
    first(root, "shhs1-200001-nsrr.xml").write_text(
        '<!DOCTYPE z [<!ENTITY x SYSTEM "file:///etc/passwd">]><PSGAnnotation>&x;</PSGAnnotation>'
    )


def another_time(root):
    xml = first(root, "shhs1-200001-nsrr.xml")
    late = xml.read_text().replace("<Start>", "<Start>9")
    xml.write_text(late)


def rewrite(root, change):
    """Write shhs1-200001.edf again after changing its signals."""
    path = first(root, "shhs1-200001.edf")
    signals = [
        edfio.EdfSignal(
            change(signal.label, signal.data),
            signal.sampling_frequency,
            label="nothing" if change(signal.label, signal.data) is None else signal.label,
            physical_dimension=signal.physical_dimension,
            physical_range=signal.physical_range,
        )
        for signal in edfio.read_edf(path).signals
        if change(signal.label, signal.data) is not None
    ]
    edfio.Edf(signals).write(path)


def flat_eeg(root):
    rewrite(root, lambda label, data: np.zeros_like(data) if label.startswith("EEG") else data)


def no_eeg(root):
    rewrite(root, lambda label, data: None if label.startswith("EEG") else data)


def unreadable(root):
    path = first(root, "shhs1-200001.edf")
    path.unlink()
    path.symlink_to(root / "nowhere.edf")


def twin_bytes(root):
    good = first(root, "shhs1-200002.edf")
    for end in (".edf", "-nsrr.xml"):
        for path in root.rglob(f"shhs1-200002{end}"):
            target = path.with_name(path.name.replace("200002", "200001"))
            target.unlink()
            target.write_bytes(path.read_bytes())
    assert good.exists()


def copied_file(root):
    copy = root / "old-download" / "shhs1-200001.edf"
    copy.parent.mkdir()
    copy.write_bytes(first(root, "shhs1-200001.edf").read_bytes())


def unknown_stage(root):
    xml = first(root, "shhs1-200001-nsrr.xml")
    xml.write_text(xml.read_text().replace("Stage 2 sleep|2", "Stage 7 sleep|7"))


def no_scoring(root):
    for path in root.rglob("shhs1-200001-*.xml"):
        path.unlink()


BAD = {
    truncate: ("truncated EDF", "shhs1-200001.edf.*states 600 records.*download it again"),
    lie_about_records: ("more records than stated", "states 7 records.*600"),
    empty_scoring: ("empty scoring", "shhs1-200001-nsrr.xml"),
    garbage_scoring: ("unreadable", "shhs1-200001-nsrr.xml"),
    entity_bomb: ("refused XML", "shhs1-200001-nsrr.xml"),
    outside_reference: ("refused XML", "shhs1-200001-nsrr.xml"),
    another_time: ("", "shhs1-200001"),
    flat_eeg: ("flat EEG", "shhs1-200001.edf"),
    no_eeg: ("no usable EEG", "needs one of .*C4-M1"),
    unreadable: ("unreadable file", "shhs1-200001.edf"),
    twin_bytes: ("duplicate recording", "has the same signal as"),
    copied_file: ("duplicate recording", "shhs1-200001"),
    unknown_stage: ("unknown stage", "Stage 7"),
    no_scoring: ("scoring", "shhs1-200001"),
}


@pytest.mark.parametrize("spoil", BAD, ids=lambda spoil: spoil.__name__)
def test_a_bad_recording_is_set_aside_with_its_reason_and_the_others_are_built(spoil, tmp_path):
    import re

    tiny.write_shhs(tmp_path / "corpus", n_subjects=N_GOOD + 1, visits=(1,))
    spoil(tmp_path / "corpus")
    config = BuildConfig(("shhs",), (str(tmp_path / "corpus"),), tmp_path / "out")
    report = build(config, Remembered())
    (entry,) = report.values["set_aside"]
    reason, detail = BAD[spoil]
    assert reason in entry["reason"]
    assert re.search(detail, entry["detail"]), entry["detail"]
    assert "\n" not in entry["detail"]
    assert str(tmp_path / "out") not in entry["detail"]
    n_built = N_GOOD + (spoil is copied_file)
    assert len(report.values["recordings"]) == n_built
    assert entry["reason"] in (tmp_path / "out" / "README.md").read_text()


def test_a_missing_channel_leaves_its_lane_empty_and_is_counted(tmp_path):
    tiny.write_shhs(tmp_path, n_subjects=1, visits=(1,))
    rewrite(tmp_path, lambda label, data: None if label == "EOG(L)" else data)
    report = build(BuildConfig(("shhs",), (str(tmp_path),), tmp_path / "out"), Remembered())
    assert report.values["recordings"][0]["lanes"][2] is None


def test_a_recording_that_went_bad_leaves_a_built_folder(tmp_path):
    tiny.write_shhs(tmp_path / "corpus", n_subjects=2, visits=(1,))
    config = BuildConfig(("shhs",), (str(tmp_path / "corpus"),), tmp_path / "out")
    build(config, Remembered())
    flat_eeg(tmp_path / "corpus")
    report = build(config, Remembered())
    assert [fact["recording"] for fact in report.values["recordings"]] == ["shhs1-200002"]
    assert [entry["recording"] for entry in report.values["set_aside"]] == ["shhs1-200001"]


def test_a_mended_recording_joins_a_built_folder(tmp_path):
    tiny.write_shhs(tmp_path / "corpus", n_subjects=2, visits=(1,))
    whole = build(
        BuildConfig(("shhs",), (str(tmp_path / "corpus"),), tmp_path / "whole"), Remembered()
    )
    path = first(tmp_path / "corpus", "shhs1-200001.edf")
    good = path.read_bytes()
    truncate(tmp_path / "corpus")
    config = BuildConfig(("shhs",), (str(tmp_path / "corpus"),), tmp_path / "out")
    assert len(build(config, Remembered()).values["set_aside"]) == 1
    path.write_bytes(good)
    assert build(config, Remembered()).values == whole.values
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_nothing_to_build_is_one_line_with_the_reasons(tmp_path):
    tiny.write_shhs(tmp_path / "corpus", n_subjects=1, visits=(1,))
    truncate(tmp_path / "corpus")
    with pytest.raises(BuildError, match=r"nothing to build.*truncated EDF \(1\)"):
        build(BuildConfig(("shhs",), (str(tmp_path / "corpus"),), tmp_path / "out"), Remembered())


def test_a_corpus_that_is_nowhere_says_where_it_is_had(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PSGIMG_SHHS_ROOT", raising=False)
    with pytest.raises(
        BuildError, match=r"--root DIR or set PSGIMG_SHHS_ROOT.*sleepdata\.org.*Terms"
    ):
        locate([corpus("shhs")], [])


def test_a_corpus_is_found_by_its_variable_and_by_the_downloaders_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("shhs/polysomnography").mkdir(parents=True)
    assert locate([corpus("shhs")], [])[0].root == Path("shhs")
    monkeypatch.setenv("PSGIMG_SHHS_ROOT", str(tmp_path))
    assert locate([corpus("shhs")], [])[0].root == tmp_path


def test_a_synthetic_corpus_is_written_where_it_says_and_once(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PSGIMG_DEMO_ROOT", raising=False)
    one = replace(corpus("demo"), generate=lambda place, progress: demo.write(place, progress, 1))
    told = Remembered()
    assert locate([one], [], progress=told)[0].root == Path("psgimg-demo")
    (note,) = told.notes
    assert note == "demo: written to psgimg-demo; give --root DIR to use another folder"
    assert locate([one], [], progress=told)[0].root == Path("psgimg-demo")
    monkeypatch.chdir(tmp_path.parent)
    assert locate([one], [str(tmp_path / "psgimg-demo")], progress=told)[0].root.is_absolute()
    assert len(told.notes) == 1


def test_the_home_of_a_user_is_expanded_wherever_a_folder_is_stated(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    shhs = corpus("shhs")
    for roots in (["~/nights"], ["shhs=~/nights"]):
        assert to_fetch([shhs], roots, [shhs])["shhs"] == tmp_path / "nights"
    monkeypatch.setenv("PSGIMG_SHHS_ROOT", "~/nights")
    assert to_fetch([shhs], [], [shhs])["shhs"] == tmp_path / "nights"


@pytest.mark.parametrize("roots", [["~nosuchuser/nights"], ["shhs=~nosuchuser/nights"]])
def test_the_home_of_nobody_is_a_folder_that_is_not_found(roots):
    with pytest.raises(BuildError, match="folder ~nosuchuser/nights not found; give --root DIR"):
        locate([corpus("shhs")], roots)


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no file system that can be filled here")
def test_a_full_disk_ends_the_build_in_one_line_and_what_is_finished_stays(tmp_path):
    tiny.write_shhs(tmp_path / "corpus", n_subjects=2, visits=(1,))
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)); import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
    command = [
        sys.executable,
        "-P",
        "-c",
        limit + PSGIMG[-1],
        "build",
        "--source",
        "shhs",
        "--root",
        str(tmp_path / "corpus"),
        "--out",
        str(tmp_path / "out"),
        "--workers",
        "1",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert "can't write" in lines[0]
    assert "--out" in lines[0]
    assert not list((tmp_path / "out").rglob("*.tmp"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_one_line(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(BuildError, match=r"can't write.*permissions"):
        build(BuildConfig(("demo",), out=tmp_path / "out"), Remembered())


def test_an_output_that_is_a_file_is_one_line(tmp_path):
    (tmp_path / "out").write_text("")
    tiny.write_shhs(tmp_path / "corpus", n_subjects=1, visits=(1,))
    with pytest.raises(BuildError, match=r"--out .*out is a file; choose another"):
        build(BuildConfig(("shhs",), (str(tmp_path / "corpus"),), tmp_path / "out"), Remembered())


def test_two_builds_at_once_in_one_folder_are_refused(tmp_path):
    from filelock import FileLock

    tiny.write_shhs(tmp_path / "corpus", n_subjects=1, visits=(1,))
    (tmp_path / "out" / ".psgimg").mkdir(parents=True)
    with (
        FileLock(tmp_path / "out" / ".psgimg" / "lock"),
        pytest.raises(BuildError, match="another build is running"),
    ):
        build(BuildConfig(("shhs",), (str(tmp_path / "corpus"),), tmp_path / "out"), Remembered())


def test_one_signal_under_two_names_is_a_duplicate_whatever_its_scoring_says(tmp_path):
    """The same night as two subjects could be learnt from in training and asked for in the test."""
    tiny.write_shhs(tmp_path / "corpus", n_subjects=2, visits=(1,))
    first(tmp_path / "corpus", "shhs1-200002.edf").write_bytes(
        first(tmp_path / "corpus", "shhs1-200001.edf").read_bytes()
    )
    report = build(
        BuildConfig(("shhs",), (str(tmp_path / "corpus"),), tmp_path / "out"), Remembered()
    )
    assert [entry["reason"] for entry in report.values["set_aside"]] == ["duplicate recording"]


def test_a_build_that_came_to_nothing_does_not_bind_the_next_one(tmp_path):
    tiny.write_shhs(tmp_path / "corpus", n_subjects=1, visits=(1,))
    good = first(tmp_path / "corpus", "shhs1-200001.edf").read_bytes()
    truncate(tmp_path / "corpus")
    roots = (str(tmp_path / "corpus"),)
    with pytest.raises(BuildError, match="nothing to build"):
        build(BuildConfig(("shhs",), roots, tmp_path / "out"), Remembered())
    first(tmp_path / "corpus", "shhs1-200001.edf").write_bytes(good)
    build(BuildConfig(("shhs",), roots, tmp_path / "out", style="paper"), Remembered())


def test_a_bad_file_that_was_removed_is_no_longer_reported(tmp_path):
    tiny.write_shhs(tmp_path / "corpus", n_subjects=2, visits=(1,))
    truncate(tmp_path / "corpus")
    config = BuildConfig(("shhs",), (str(tmp_path / "corpus"),), tmp_path / "out")
    assert len(build(config, Remembered()).values["set_aside"]) == 1
    first(tmp_path / "corpus", "shhs1-200001.edf").unlink()
    assert build(config, Remembered()).values["set_aside"] == []


def test_a_signal_that_is_built_already_does_not_come_in_under_another_name(tmp_path):
    tiny.write_shhs(tmp_path / "corpus", n_subjects=2, visits=(1,))
    roots = (str(tmp_path / "corpus"),)
    build(BuildConfig(("shhs",), roots, tmp_path / "out", subjects=("200001",)), Remembered())
    first(tmp_path / "corpus", "shhs1-200002.edf").write_bytes(
        first(tmp_path / "corpus", "shhs1-200001.edf").read_bytes()
    )
    report = build(
        BuildConfig(("shhs",), roots, tmp_path / "out", subjects=("200002",)), Remembered()
    )
    assert [entry["recording"] for entry in report.values["set_aside"]] == ["shhs1-200002"]
    assert [fact["recording"] for fact in report.values["recordings"]] == ["shhs1-200001"]


def test_a_damaged_second_scorer_costs_its_labels_and_not_the_night(tmp_path):
    tiny.write_isruc(tmp_path / "corpus")
    first(tmp_path / "corpus" / "subgroupI" / "1", "1_2.txt").write_bytes(bytes(range(256)))
    report = build(
        BuildConfig(("isruc",), (str(tmp_path / "corpus"),), tmp_path / "out"), Remembered()
    )
    assert report.values["set_aside"] == []
    night = next(f for f in report.values["recordings"] if f["recording"] == "I-001")
    assert night["second"] == 0
    assert "second scorer not usable" in night["notes"][0]


def test_a_table_that_appears_later_has_its_night_drawn_anew(tmp_path):
    tiny.write_isruc(tmp_path / "corpus")
    table = first(tmp_path / "corpus" / "subgroupI" / "1", "1_1.xlsx")
    content_of_table = table.read_bytes()
    table.unlink()
    config = BuildConfig(("isruc",), (str(tmp_path / "corpus"),), tmp_path / "out")
    before = build(config, Remembered()).n_epochs()
    table.write_bytes(content_of_table)
    progress = Remembered()
    after = build(config, progress).n_epochs()
    assert progress.total == 1
    assert after < before, "the table marks epochs as unscored that the text calls W"


def test_a_file_in_the_wrong_place_costs_no_other(tmp_path):
    tiny.write_isruc(tmp_path / "corpus")
    (tmp_path / "corpus" / "backup").mkdir()
    (tmp_path / "corpus" / "backup" / "7.rec").write_bytes(b"")
    report = build(
        BuildConfig(("isruc",), (str(tmp_path / "corpus"),), tmp_path / "out"), Remembered()
    )
    (entry,) = report.values["set_aside"]
    assert entry["recording"] == "r0001"  # the name of a folder is not published
    assert "7.rec" in entry["detail"]
    assert len(report.values["recordings"]) == 6


def test_a_subject_that_no_source_has_is_refused(tmp_path):
    tiny.write_shhs(tmp_path / "corpus", n_subjects=2, visits=(1,))
    config = BuildConfig(
        ("shhs",), (str(tmp_path / "corpus"),), tmp_path / "out", subjects=("200001", "299999")
    )
    with pytest.raises(BuildError, match="no subject 299999 in shhs"):
        build(config, Remembered())


def test_more_recordings_than_a_report_can_hold_are_refused_before_any_is_drawn(
    tmp_path, monkeypatch
):
    tiny.write_shhs(tmp_path / "corpus", n_subjects=3, visits=(1,))
    config = BuildConfig(("shhs",), (str(tmp_path / "corpus"),), tmp_path / "out")
    monkeypatch.setattr(bounded, "MOST_RECORDINGS", 2)
    with pytest.raises(BuildError, match="3 recordings, more than the 2 "):
        build(config, Remembered())
    assert not (tmp_path / "out").exists()


def test_as_many_recordings_as_a_dataset_can_have_fit_its_report(tmp_path):
    tiny.write_shhs(tmp_path / "corpus", n_subjects=3, visits=(1,))
    out = tmp_path / "out"
    build(BuildConfig(("shhs",), (str(tmp_path / "corpus"),), out), Remembered())
    recordings = build_report.read(out)["recordings"]
    text = build_report.text({"recordings": recordings}).encode()
    n_values = sum(text.count(mark) for mark in (b",", b"[", b"{"))
    n_nights = bounded.MOST_RECORDINGS / len(recordings)
    assert len(text) * n_nights < bounded.REPORT.n_bytes
    assert n_values * n_nights < bounded.REPORT.n_marks


def test_check_survives_what_nobody_foresaw(tmp_path, monkeypatch):
    from psgimg.builder import check, night

    tiny.write_shhs(tmp_path, n_subjects=1, visits=(1,))

    def fail(*_):
        raise OSError(5, "Input/output error", str(tmp_path / "secret" / "x.edf"))

    monkeypatch.setattr(night, "plan", fail)
    plans, aside = check.check(BuildConfig(("shhs",), (str(tmp_path),)), Remembered())
    assert plans == []
    assert aside[0].reason == "unexpected error"
    assert "secret" not in aside[0].detail
