"""Signal quality in builds: stored, shown, checked beforehand, and required by ``--min-quality``."""

import json

import edfio
import numpy as np
import pytest
import tiny
from builds import content, rows, run
from click.testing import CliRunner
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.check import check
from psgimg.builder.dataset import build_report, validate
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.builder.exports import labels_only
from psgimg.builder.rebuild import RebuildConfig, rebuild
from psgimg.builder.terminal import build_commands

EEG = ("EEG", "EEG(sec)", "EEG 2", "EEG sec")
USABLE = {"flat": 0, "saturated": 0, "implausible": 0, "mains": 0, "usable": 1}


def edit(root, recording, change, unit="uV"):
    """Replace the EEG of a recording: ``change(samples, time_s)`` in µV, and its unit."""
    path = next(root.rglob(f"{recording}.edf"))
    edf = edfio.read_edf(path)
    signals = []
    for signal in edf.signals:
        data, limits = signal.data, (signal.physical_min, signal.physical_max)
        name = signal.physical_dimension
        if signal.label in EEG:
            time_s = np.arange(len(data)) / signal.sampling_frequency
            data, name = np.clip(change(data.copy(), time_s), *limits), unit
        signals.append(
            edfio.EdfSignal(
                data,
                signal.sampling_frequency,
                label=signal.label,
                physical_dimension=name,
                physical_range=limits,
            )
        )
    edfio.Edf(signals, data_record_duration=edf.data_record_duration).write(path)


def dead(samples, time_s):
    samples[time_s >= 1] = 0
    return samples


def railed(samples, time_s):
    samples[time_s >= 0.1 * time_s[-1]] = 250
    return samples


def silent(samples, time_s):
    return np.random.default_rng(0).normal(0, 0.02, len(samples))


def humming(samples, time_s):
    return samples + 120 * np.sin(2 * np.pi * 60 * time_s)


def popped(samples, time_s):
    samples[time_s >= 0.4 * time_s[-1]] = -250
    return samples


def as_recorded(samples, time_s):
    return samples


BAD = {
    "shhs1-200001": (as_recorded, "V", "implausible"),
    "shhs1-200002": (dead, "uV", "flat"),
    "shhs1-200003": (railed, "uV", "saturated"),
    "shhs1-200004": (silent, "uV", "implausible"),
    "shhs1-200005": (humming, "uV", "mains"),
    "shhs1-200006": (popped, "uV", "saturated"),
}
GOOD = "shhs1-200007"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Six nights with a bad EEG of one kind each, and one good night."""
    root = tmp_path_factory.mktemp("shhs")
    tiny.write_shhs(root, n_subjects=7, visits=(1,), minutes=5)
    for recording, (change, unit, _) in BAD.items():
        edit(root, recording, change, unit)
    return root


@pytest.fixture(scope="module")
def built(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("built") / "out"
    run(out, corpus, style="paper", trim_min=None)
    return out


def config(root, **options):
    return BuildConfig(("shhs",), (str(root),), style="paper", trim_min=None, **options)


def test_every_bad_night_is_loud_and_a_good_one_is_silent(built):
    facts = {fact["recording"]: fact for fact in build_report.read(built)["recordings"]}
    for recording, (_, _, defect) in BAD.items():
        for lane in ("C4-M1", "C3-M2"):
            measured = facts[recording]["quality"][lane]
            assert measured[defect] >= 0.5
            assert measured["usable"] <= 1 - measured[defect]
            assert any(lane in note for note in facts[recording]["notes"])
    assert all(measured == USABLE for measured in facts[GOOD]["quality"].values())
    assert facts[GOOD]["notes"] == []
    assert set(facts[GOOD]["quality"]) == {lane for lane in facts[GOOD]["lanes"] if lane}


def test_the_same_input_gives_the_same_bytes_with_several_workers(built, corpus, tmp_path):
    run(tmp_path / "out", corpus, style="paper", trim_min=None, workers=2)
    assert content(tmp_path / "out") == content(built)


def test_check_signal_says_of_every_recording_what_a_build_says(built, corpus):
    facts, set_aside = check(config(corpus, workers=2), Remembered(), signal=True)
    said = build_report.read(built)["recordings"]
    keys = ("recording", "quality", "notes", "flat", "lanes", "split")
    assert [{k: one[k] for k in keys} for one in facts] == [
        {k: one[k] for k in keys} for one in said
    ]
    assert set_aside == []


def test_check_without_signal_reads_no_sample(corpus):
    facts, _ = check(config(corpus), Remembered())
    assert all("quality" not in fact for fact in facts)


def test_build_and_check_set_the_same_recordings_aside(corpus, tmp_path):
    required = config(corpus, out=tmp_path / "out", min_quality=0.9)
    report = build(required, Remembered())
    _, set_aside = check(required, Remembered(), signal=True)
    assert [entry.to_dict() for entry in set_aside] == report.values["set_aside"]
    assert {entry.recording for entry in set_aside} == set(BAD)
    assert {entry.reason for entry in set_aside} == {"poor signal quality"}
    assert {row["recording"] for row in rows(tmp_path / "out")} == {GOOD}
    assert "`--min-quality 0.9`" in (tmp_path / "out" / "README.md").read_text()


def test_the_least_share_is_a_setting_of_the_folder_and_of_its_exports(corpus, tmp_path):
    out = tmp_path / "out"
    report = build(config(corpus, out=out, min_quality=0.9), Remembered())
    assert report.values["fixed"]["min_quality"] == 0.9
    assert "--min-quality 0.9" in report.values["command"]
    for other in (0.0, 0.3):
        with pytest.raises(BuildError, match=r"different settings \(min_quality\)"):
            build(config(corpus, out=out, min_quality=other), Remembered())
    labels_only.write(out, tmp_path / "labels")
    again = RebuildConfig(tmp_path / "labels", (str(corpus),), tmp_path / "again")
    assert rebuild(again, Remembered()).fault == ""
    assert build_report.read(tmp_path / "again")["fixed"] == report.values["fixed"]


def test_a_folder_without_a_least_share_keeps_the_settings_of_older_builds(built):
    assert "min_quality" not in build_report.read(built)["fixed"]


def test_a_build_of_an_older_psgimg_without_quality_is_read(built, tmp_path):
    values = build_report.read(built)
    for fact in values["recordings"]:
        del fact["quality"]
    (tmp_path / "build.json").write_text(json.dumps(values))
    assert validate.values(tmp_path) == values


@pytest.mark.parametrize("share", [-0.1, 1.01, 50, float("nan"), float("inf")])
def test_a_least_share_outside_0_to_1_is_refused(share, corpus):
    with pytest.raises(BuildError, match=r"--min-quality .*: give a share of epochs from 0 to 1"):
        config(corpus, min_quality=share)


def test_the_card_sums_up_bad_quality_with_denominators_and_is_silent_without(
    built, corpus, tmp_path
):
    card = (built / "README.md").read_text()
    assert "6 recordings of 7 have a lane of which fewer than 95 %" in card
    assert "| C4 | 7 | 6 |" in card
    assert "header right?\n" in card
    run(tmp_path / "out", corpus, style="paper", trim_min=None, subjects=("200007",))
    assert "## Signal quality" not in (tmp_path / "out" / "README.md").read_text()


def invoke(command, root, *words):
    done = CliRunner().invoke(
        command,
        ["--source", "shhs", "--root", str(root), "--style", "paper", "--trim", "none", *words],
        env={"COLUMNS": "200"},
    )
    return done.exit_code, done.output


def test_the_terminal_lists_the_lanes_of_poor_quality(corpus, tmp_path):
    code, text = invoke(build_commands.check, corpus, "--signal", "--workers", "1")
    assert code == 0
    assert "signal quality, usable epochs: C4 " in text
    assert "6 of 7 recordings have a lane with fewer than 95 % usable epochs" in text
    assert "shhs shhs1-200002" in text
    words = ("--out", str(tmp_path / "out"), "--workers", "1")
    assert "shhs shhs1-200002" in invoke(build_commands.build, corpus, *words)[1]


@pytest.mark.parametrize("words", [("--min-quality", "0.5"), ("--workers", "2")])
def test_check_refuses_options_that_need_the_signal(words, corpus):
    code, text = invoke(build_commands.check, corpus, *words)
    assert code == 2
    assert "go with --signal" in text


def test_options_of_a_yaml_file_know_the_least_share(corpus, tmp_path):
    path = tmp_path / "options.yaml"
    path.write_text("min-quality: 0.9\nsignal: true\nworkers: 1\n")
    code, text = invoke(build_commands.check, corpus, "--config", str(path))
    assert code == 0
    assert "1 recording would be built, 6 set aside" in text
