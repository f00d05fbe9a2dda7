"""A corrupted twin: the pages of a test split as recorded, but for the pixels, and never mixed up."""

import json
import re
import shutil
from pathlib import Path

import edfio
import numpy as np
import pytest
import tiny
from builds import content, opened, rows, run
from click.testing import CliRunner
from hub_client import pushed, signed_in
from progress import Remembered
from psgimg.builder.cli import command_line
from psgimg.builder.dataset import build_report, build_schema
from psgimg.builder.dataset.json_form import FormError
from psgimg.builder.errors import BuildError
from psgimg.builder.exports import imagefolder, labels_only
from psgimg.builder.rebuild import RebuildConfig, rebuild
from psgimg.builder.release.push import PushConfig, check_ready
from psgimg.finetune.data import source

SPLITS = "50/0/50"
SPEC = "noise:snr_db=-10,lanes=eeg"


def drawn(out, root, *corrupt, **options):
    told = {"style": "paper", "splits": SPLITS, "corrupt": corrupt, **options}
    return run(out, root, **told)[0]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    place = tmp_path_factory.mktemp("shhs-corpus")
    tiny.write_shhs(place, n_subjects=3, visits=(1,), minutes=4)
    return place


@pytest.fixture(scope="module")
def clean(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("clean") / "out"
    drawn(out, root)
    return out


@pytest.fixture(scope="module")
def twin(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("twin") / "out"
    drawn(out, root, SPEC)
    return out


def of_test_split(out):
    people = {r["recording"] for r in build_report.read(out)["recordings"] if r["split"] == "test"}
    return [row for row in rows(out) if row["recording"] in people]


def bare(some):
    return [{key: value for key, value in row.items() if key != "image"} for row in some]


def test_a_twin_has_the_rows_of_the_clean_test_split_and_other_pictures(clean, twin):
    there, here = of_test_split(clean), rows(twin)
    assert bare(here) == bare(there)
    assert len(here) > 5
    assert len({row["recording"] for row in there}) < 3, "others are not drawn"
    assert all(a["image"] != b["image"] for a, b in zip(here, there, strict=True))
    before, after = build_report.read(clean), build_report.read(twin)
    assert after["recipe_hash"] == before["recipe_hash"], "a model accepts both"
    assert after["recordings"] == [r for r in before["recordings"] if r["split"] == "test"]
    test = opened(twin, split="test")
    assert len(test) == len(here)


def test_the_twin_says_what_it_is_and_a_clean_build_says_nothing(clean, twin):
    before, after = build_report.read(clean), build_report.read(twin)
    assert "corrupt" not in (clean / build_report.FILE).read_text()
    assert "orrupt" not in (clean / "README.md").read_text()
    assert "orrupt" not in (clean / "croissant.json").read_text()
    said = after["corruption"]
    assert (said["spec"], said["severity"], said["unit"]) == (SPEC, -10.0, "dB SNR")
    assert after["fixed"] == {**before["fixed"], "corruption": said}
    assert after["command"] == f"{before['command']} --corrupt {SPEC}"
    card = (twin / "README.md").read_text()
    head, text = card.split("\n---\n", 1)
    assert "- corrupted" in head
    title, first, warning = [line for line in text.splitlines() if line][:3]
    escaped = SPEC.replace("_", r"\_")  # as in every title: Markdown would take it for emphasis
    assert title.startswith(f"# Sleep stages as pictures, corrupted ({escaped}): ")
    assert "drawn by psgimg" in first
    assert "for testing vision-language models" in first
    assert warning.startswith("> **Corrupted twin, not for training.**")
    assert f"each EEG lane has added noise (`{SPEC}`)" in warning
    assert "Empty" not in card
    assert f"Corrupted on purpose ({SPEC})" in (twin / "croissant.json").read_text()


def test_neither_workers_nor_an_interruption_decide_a_byte(root, twin, tmp_path):
    drawn(tmp_path / "two", root, SPEC, workers=2)
    assert content(tmp_path / "two") == content(twin)


def test_several_corruptions_are_done_in_order_and_what_they_could_not_reach_is_told(
    root, tmp_path
):
    loss, hum = "lost:from=0", "hum:uv=9,lanes=eog"
    result = drawn(tmp_path / "out", root, loss, hum)
    said = result.values["corruption"]
    assert said["spec"] == f"{loss} {hum}"
    assert [part["kind"] for part in said["parts"]] == ["lost", "hum"]
    assert said["severity"] is None
    card = (tmp_path / "out" / "README.md").read_text()
    assert "each EEG lane is lost from some time on (`lost:from=0`), then each EOG" in card
    note = "hum not applied to E1: 50 samples per second can't represent 60 Hz"
    assert all(note in fact["notes"] for fact in result.values["recordings"])
    assert note in card


def test_eeg_that_is_lost_from_the_start_is_drawn_all_the_same(root, tmp_path):
    """The rule that sets aside a flat EEG is of what was recorded."""
    result = drawn(tmp_path / "out", root, "flat:share=1")
    assert result.values["set_aside"] == []
    assert all(fact["flat"] == [] for fact in result.values["recordings"])
    pages = rows(tmp_path / "out")
    assert len({row["image"]["bytes"] for row in pages}) > 1, "eyes and chin are as recorded"


def test_a_recording_that_was_flat_stays_set_aside(root, tmp_path):
    place = shutil.copytree(root, tmp_path / "shhs")
    for path in place.rglob("*.edf"):
        edf = edfio.read_edf(path)
        for signal in edf.signals:
            if signal.label.startswith("EEG"):
                signal.update_data(np.zeros_like(signal.data))
        edf.write(path)
    with pytest.raises(BuildError, match="flat EEG"):
        drawn(tmp_path / "out", place, "noise")


def test_a_folder_never_holds_pages_of_two_kinds(root, clean, twin):
    for folder, corrupt in ((clean, (SPEC,)), (twin, ()), (twin, ("noise:snr_db=-9,lanes=eeg",))):
        before = content(folder)
        with pytest.raises(BuildError, match=r"built with different settings \(corruption\)"):
            drawn(folder, root, *corrupt)
        assert content(folder) == before
    before = content(twin)
    drawn(twin, root, f"{SPEC},colour=white")  # the same, in more words
    assert content(twin) == before


def test_without_a_test_subject_there_is_no_twin(root, tmp_path):
    with pytest.raises(
        BuildError, match=r"none of the 3 recordings is in the test split.*--splits"
    ):
        drawn(tmp_path / "out", root, SPEC, splits="1/1/0")
    assert not any((tmp_path / "out").rglob("*.parquet"))


def test_the_labels_of_a_twin_give_the_same_twin_again(root, twin, tmp_path):
    labels_only.write(twin, tmp_path / "labels")
    assert "Corrupted twin" in (tmp_path / "labels" / "README.md").read_text()
    config = RebuildConfig(tmp_path / "labels", (str(root),), tmp_path / "out")
    rebuilt = rebuild(config, Remembered())
    assert rebuilt.fault == ""
    assert {p: b for p, b in content(tmp_path / "out").items() if p.endswith("parquet")} == {
        p: b for p, b in content(twin).items() if p.endswith("parquet")
    }
    assert rebuilt.report.values["corruption"] == build_report.read(twin)["corruption"]


def test_an_export_of_a_twin_says_so(clean, twin, tmp_path):
    for folder, said in ((twin, True), (clean, False)):
        out = tmp_path / folder.parent.name
        imagefolder.write(folder, out)
        assert ("corruption" in json.loads((out / "export.json").read_text())) is said
        assert ("Corrupted twin, not for training" in (out / "README.md").read_text()) is said


def test_build_json_that_contradicts_itself_about_the_corruption_is_refused(clean, twin):
    values = build_report.read(twin)
    build_schema.check(values)
    train = [{**shard, "split": "train"} for shard in values["shards"]]
    recorded = {key: value for key, value in values["fixed"].items() if key != "corruption"}
    for change, said in (
        ({"corruption": {**values["corruption"], "severity": 3.0}}, "differs from that in fixed"),
        ({"corruption": None}, "corruption is null: input should be a valid dictionary"),
        ({"fixed": recorded}, "differs from that in fixed"),
        ({"shards": train}, "allows the test split only"),
    ):
        with pytest.raises(FormError, match=said):
            build_schema.check({**values, **change})
    other = {**values["corruption"], "unit": "°C"}
    with pytest.raises(FormError, match="is unknown to this psgimg"):
        build_schema.check(
            {**values, "corruption": other, "fixed": {**values["fixed"], "corruption": other}}
        )


def test_a_twin_is_published_by_itself_or_not_at_all(root, clean, twin, tmp_path):
    with signed_in(tmp_path / "home") as hub:
        pushed(clean, "clean")
        for folder, name, replace in ((twin, "clean", False), (twin, "clean", True)):
            with pytest.raises(BuildError, match="holds pages drawn as recorded, these are drawn"):
                pushed(folder, name, replace=replace)
        fixed = build_report.read(twin)["fixed"]
        with pytest.raises(BuildError, match="choose another --repo-id"):
            check_ready(PushConfig(tmp_path / "new", "clean"), ["shhs"], print, fixed)
        pushed(twin, "twin")
        check_ready(PushConfig(tmp_path / "new", "twin"), ["shhs"], print, fixed)
        with pytest.raises(BuildError, match=r"drawn corrupted by noise:snr_db=-10.*as recorded"):
            pushed(clean, "twin")
        assert len(hub.store.repos) == 2


def test_nothing_can_be_taught_from_a_twin(twin):
    with pytest.raises(BuildError, match="has no split 'train'; it has test"):
        source.find(str(twin), None, "train")


def test_the_command_takes_corruptions_from_a_file_too(root, twin, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "build.yaml"
    config.write_text(f"source: shhs\nstyle: paper\nsplits: {SPLITS}\ncorrupt: {SPEC}\n")
    told = ["build", "--config", str(config), "--root", str(root), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(command_line(), [*told, "--workers", "1"], catch_exceptions=False)
    assert done.exit_code == 0
    assert re.search(r"Only the test split is drawn,\s+corrupted\s+by\s+noise", done.output)
    assert "No subject is in" not in done.output
    assert content(tmp_path / "out") == content(twin)
    bad = CliRunner().invoke(command_line(), ["build", "--source", "demo", "--corrupt", "nosie"])
    assert isinstance(bad.exception, BuildError)
    assert not Path("psg-images").exists()


def test_predictions_say_which_signals_they_are_of(clean, twin, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    pytest.importorskip("trl")
    import tiny_models
    from psgimg.builder.dataset import prompts
    from psgimg.finetune import predict

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    model = tmp_path / "model"
    tiny_models.build("idefics3", model, texts=[prompts.load("closed").question])
    for name, folder in (("clean", clean), ("twin", twin)):
        out = tmp_path / f"{name}.csv"
        predict.predict(predict.PredictConfig(str(model), str(folder), out, limit=2), Remembered())
        said = json.loads(out.with_name(f"{name}.csv.json").read_text())
        assert said["corruption"] == build_report.read(folder).get("corruption")
