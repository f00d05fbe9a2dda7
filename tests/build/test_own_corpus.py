"""A dataset of a corpus of one's own: built, resumed, grown, previewed and rebuilt as any other."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from builds import content, opened, run
from progress import Remembered
from psgimg.builder import lane_signals
from psgimg.builder.build import build
from psgimg.builder.check import check
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.builder.exports import labels_only
from psgimg.builder.preview import PreviewConfig, preview
from psgimg.builder.processes import pool
from psgimg.builder.rebuild import RebuildConfig, rebuild
from psgimg.builder.stages import Stage
from tiny import write_hmc, write_sleep_edf
from tiny_edf import TRUTH
from tiny_lab import DESCRIPTION, STAGES, describe, write_lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Two subjects' nights, the file that describes them, and the dataset that they make."""
    place = tmp_path_factory.mktemp("lab")
    words = write_lab(place / "recordings", minutes=6)
    describe(place / "my-lab.yaml")
    run_own(place / "my-lab.yaml", place / "out")
    return place, words


def run_own(path: Path, out: Path, **options):
    return build(BuildConfig((str(path),), (), out, **options), Remembered())


def test_pictures_have_the_stages_that_the_tables_give(lab, tmp_path):
    place, words = lab
    shutil.copytree(place / "out", tmp_path / "out")
    loaded = opened(tmp_path / "out")
    rows = sorted(
        (row["recording"], row["epoch"], row["label"])
        for split in loaded.values()
        for row in split.remove_columns("image")
    )
    expected = [
        (name, i, int(TRUTH[word]))
        for name, night in sorted(words.items())
        for i, word in enumerate(night)
        if isinstance(TRUTH[word], Stage)
    ]
    assert rows == expected


def test_two_workers_make_the_same_bytes(lab, tmp_path):
    place, _ = lab
    run_own(place / "my-lab.yaml", tmp_path / "out", workers=2)
    assert content(tmp_path / "out") == content(place / "out")


def test_the_record_has_its_terms_and_definition_and_no_folder_of_this_machine(lab):
    place, _ = lab
    values = json.loads((place / "out" / "build.json").read_text())
    entry = values["corpora"]["my-lab"]
    assert (values["policy"], entry["policy"]) == ("restricted", "restricted")
    assert entry["citation"] == DESCRIPTION["terms"]["citation"]
    assert entry["definition"]["stages"] == STAGES
    assert entry["definition"]["recordings"] == ["{subject}", "{recording}.edf"]
    assert values["command"] == "psgimg build --source my-lab.yaml"
    for name in ("build.json", "README.md", "croissant.json"):
        assert str(place) not in (place / "out" / name).read_text()


def test_its_terms_are_shown_on_the_card_without_their_mark_up(lab, tmp_path):
    place, _ = lab
    terms = {**DESCRIPTION["terms"], "licence": "[free](https://evil.example) <script>"}
    path = describe(
        place / "marked.yaml",
        terms=terms,
        title="# Nights *of* the lab",
        notes=["a | `b` <b>c</b>"],
    )
    run_own(path, tmp_path / "out")
    body = (tmp_path / "out" / "README.md").read_text().split("---\n", 2)[2]
    assert "[\\[free\\](" in body
    assert "](https://sleep.example.org/terms)" in body
    assert "(https://evil.example)" not in body.replace("\\](https://evil.example)", "")
    assert "<script>" not in body
    assert "<b>" not in body
    assert "Nights \\*of\\* the lab" in body
    assert "(`my-lab`, restricted)" in body


def test_the_same_file_goes_on_and_another_is_refused_by_what_differs(lab, tmp_path):
    place, _ = lab
    out = shutil.copytree(place / "out", tmp_path / "out")
    before = content(out)
    run_own(place / "my-lab.yaml", out)
    assert content(out) == before
    other = describe(place / "other.yaml", stages={**STAGES, "S1": "N2"}, mains_hz=60)
    with pytest.raises(
        BuildError, match=r"built with a different definition of my-lab \(mains_hz, stages\); use"
    ):
        run_own(other, out)
    assert content(out) == before


def test_title_and_terms_may_be_corrected(lab, tmp_path):
    place, _ = lab
    out = shutil.copytree(place / "out", tmp_path / "out")
    run_own(describe(place / "corrected.yaml", title="Nights, second edition"), out)
    values = json.loads((out / "build.json").read_text())
    assert values["corpora"]["my-lab"]["title"] == "Nights, second edition"


def test_an_interrupted_build_goes_on_by_the_same_file_only(lab, tmp_path, monkeypatch):
    place, _ = lab
    out = tmp_path / "out"

    def killed(work, tasks, *_, **__):
        for task in tasks:
            yield work(task)
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pool, "run", killed)
        with pytest.raises(KeyboardInterrupt):
            run_own(place / "my-lab.yaml", out)
    with pytest.raises(BuildError, match=r"different definition of my-lab \(epoch_s\)"):
        run_own(describe(place / "other.yaml", epoch_s=20), out)
    write_sleep_edf(tmp_path / "sleep-edf", 1, 5)
    with pytest.raises(BuildError, match=r"contains recordings of my-lab .* add its --source"):
        run(out, tmp_path / "sleep-edf", "sleep-edf", montage="central")
    run_own(place / "my-lab.yaml", out)
    assert content(out) == content(place / "out")


def test_a_dataset_grows_by_another_corpus_and_keeps_what_its_file_said(lab, tmp_path):
    place, _ = lab
    options = {"montage": "aasm"}
    run_own(place / "my-lab.yaml", tmp_path / "out", **options)
    before = json.loads((tmp_path / "out" / "build.json").read_text())["corpora"]["my-lab"]
    write_hmc(tmp_path / "hmc", 1, 5)
    run(tmp_path / "out", tmp_path / "hmc", "hmc", **options)
    values = json.loads((tmp_path / "out" / "build.json").read_text())
    assert values["corpora"]["my-lab"] == before
    assert values["corpora"]["hmc"]["policy"] == "open"
    assert values["policy"] == "restricted"


def test_check_and_preview_take_the_file(lab, tmp_path):
    place, _ = lab
    source = str(place / "my-lab.yaml")
    facts, aside = check(BuildConfig((source,)), Remembered())
    assert [fact["recording"] for fact in facts] == ["P001-night1", "P002-night1"]
    assert aside == []
    page = preview(
        PreviewConfig(None, source=source, recording="P002-night1", out=tmp_path / "page.png")
    )
    assert dict(page.lanes)["chin"] == "Chin"
    assert page.out.read_bytes().startswith(b"\x89PNG")


def test_whoever_has_file_and_recordings_rebuilds_a_labels_only_export(lab, tmp_path):
    place, _ = lab
    labels_only.write(place / "out", tmp_path / "labels")
    readme = (tmp_path / "labels" / "README.md").read_text()
    assert "--source my-lab.yaml --root my-lab=DIR" in readme
    config = RebuildConfig(tmp_path / "labels", out=tmp_path / "again")
    with pytest.raises(BuildError, match=r"no corpus 'my-lab'.* its YAML file"):
        rebuild(config, Remembered())
    other = describe(place / "other.yaml", channels={"EEG C4-A1": "C4-M1"})
    config = RebuildConfig(tmp_path / "labels", out=tmp_path / "again", source=(str(other),))
    with pytest.raises(
        BuildError, match=r"built with a different definition of my-lab \(channels\); use the file"
    ):
        rebuild(config, Remembered())
    source = (str(place / "my-lab.yaml"),)
    again = rebuild(
        RebuildConfig(tmp_path / "labels", out=tmp_path / "again", source=source), Remembered()
    )
    assert again.fault == ""
    shards = {name: data for name, data in content(place / "out").items() if "data/" in name}
    assert {n: d for n, d in content(tmp_path / "again").items() if "data/" in n} == shards


def test_the_lanes_under_its_pages_are_found_by_the_file(lab):
    place, _ = lab
    values = json.loads((place / "out" / "build.json").read_text())
    keys = [(fact["corpus"], fact["recording"]) for fact in values["recordings"]]
    with pytest.raises(BuildError, match="no corpus 'my-lab'"):
        lane_signals.on_disk({"my-lab"}, [])
    here = lane_signals.on_disk({"my-lab"}, [], [str(place / "my-lab.yaml")])
    origins = lane_signals.find(values, here, keys)
    lanes = lane_signals.read(origins[keys[0]], sfreq_hz=100.0, filtered=True)
    assert len(lanes.epochs) == sum(values["recordings"][0]["stages"].values())


def test_a_word_that_the_file_does_not_explain_sets_the_recording_aside(lab, tmp_path):
    place, _ = lab
    shutil.copytree(place / "recordings", tmp_path / "recordings")
    table = tmp_path / "recordings" / "P002" / "night1.csv"
    table.write_text(table.read_text().replace("S2", "N2"))
    report = run_own(describe(tmp_path / "my-lab.yaml"), tmp_path / "out")
    (aside,) = report.values["set_aside"]
    assert (aside["recording"], aside["reason"]) == ("P002-night1", "unknown stage word")
    assert re.search(r"night1.csv has 'N2', not defined in my-lab.yaml", aside["detail"])
