"""Build: the whole way, on tiny corpora in their official layouts."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import datasets
import pytest
import tiny
from builds import PSGIMG, content, opened, rows, run
from progress import Remembered
from psgimg.builder import night
from psgimg.builder.build import build
from psgimg.builder.corpora.registry import corpus
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.dataset.schema import SPLITS
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import Stage


@pytest.fixture(scope="module")
def shhs(tmp_path_factory):
    root = tmp_path_factory.mktemp("shhs-corpus")
    return root, tiny.write_shhs(root, n_subjects=3)


@pytest.fixture(scope="module")
def built(shhs, tmp_path_factory):
    out = tmp_path_factory.mktemp("built") / "out"
    report, _ = run(out, shhs[0])
    return out, report


@pytest.mark.parametrize("name", tiny.WRITERS)
def test_every_corpus_goes_from_its_official_layout_to_labelled_rows(name, tmp_path):
    truth = tiny.WRITERS[name](tmp_path / "corpus")
    report, _ = run(tmp_path / "out", tmp_path / "corpus", name, trim_min=None)
    facts = {fact["recording"]: fact for fact in report.values["recordings"]}
    assert set(facts) == set(truth)
    first = {
        r.recording: night.plan(
            corpus(name), r, BuildConfig((name,), trim_min=None).page_spec()
        ).hypnogram
        for r in corpus(name).recordings(tmp_path / "corpus")
    }
    for row in rows(tmp_path / "out"):
        hypnogram = first[row["recording"]]
        score = truth[row["recording"]][row["epoch"] - hypnogram.index(hypnogram.onsets_s[0])]
        assert row["label"] == score, (row["recording"], row["epoch"])
    for recording, scores in truth.items():
        n_staged = sum(isinstance(score, Stage) for score in scores)
        counts, left_out = facts[recording]["stages"], facts[recording]["left_out"]
        edges = left_out.get("at the signal's edge", 0) + left_out.get("beyond the signal", 0)
        assert sum(counts.values()) + edges == n_staged
        assert any(facts[recording]["lanes"])


def test_load_dataset_opens_it_with_images_and_stage_names(built):
    out, report = built
    loaded = opened(out)
    assert sum(part.num_rows for part in loaded.values()) == report.n_epochs()
    part = next(iter(loaded.values()))
    assert part.features["label"].names == ["W", "N1", "N2", "N3", "REM"]
    assert part[0]["image"].size == (896, 448)
    split = next(name for name in SPLITS if report.n_epochs(split=name))
    streamed = next(iter(opened(out, "shhs", split=split, streaming=True)))
    assert streamed["image"].mode == "L"
    assert streamed["lanes"] == ["C4-M1", "C3-M2", "E1-PG1", "E2-PG1", "Chin"]


def test_all_nights_of_a_person_are_in_one_split(built):
    facts = built[1].values["recordings"]
    visits = {}
    for fact in facts:
        visits.setdefault(fact["subject"], set()).add(fact["split"])
    assert len(facts) == 6
    assert all(len(split) == 1 for split in visits.values())


def test_a_row_names_no_stage_and_no_person(built):
    for row in rows(built[0]):
        assert row["image"]["path"] is None
        assert row["subject"] in row["recording"]
        assert "edf" not in row["recording"]


@pytest.mark.parametrize("workers", [2])
def test_the_bytes_are_the_same_for_any_workers_and_any_folder(built, shhs, tmp_path, workers):
    moved = tmp_path / "elsewhere" / "corpus"
    shutil.copytree(shhs[0], moved)
    run(tmp_path / "other-name", moved, workers=workers)
    assert content(tmp_path / "other-name") == content(built[0])


def test_a_second_run_draws_nothing_and_changes_nothing(built, shhs):
    before = content(built[0])
    _, progress = run(built[0], shhs[0])
    assert (progress.total, progress.n_kept) == (0, 6)
    assert content(built[0]) == before


def test_killed_at_any_moment_the_same_command_ends_with_the_same_bytes(built, shhs, tmp_path):
    out = tmp_path / "out"
    command = [
        *PSGIMG,
        "build",
        "--source",
        "shhs",
        "--root",
        str(shhs[0]),
        "--out",
        str(out),
        "--workers",
        "2",
    ]
    began = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    whole_s = time.monotonic() - began
    assert content(out) == content(built[0])
    shutil.rmtree(out)
    for share in (0.5, 0.62, 0.7, 0.78, 0.86, 0.94):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(share * whole_s)
        process.kill()
        process.wait()
    subprocess.run(command, check=True, capture_output=True)
    assert content(out) == content(built[0])


def test_growing_a_folder_moves_nobody_and_reads_fresh(shhs, tmp_path):
    out = tmp_path / "out"
    run(out, shhs[0], limit=2)
    before = {
        row["recording"]: row for row in json.loads((out / "build.json").read_text())["recordings"]
    }
    n_before = sum(part.num_rows for part in opened(out).values())
    report, progress = run(out, shhs[0])
    assert (progress.total, progress.n_kept) == (4, 2)
    after = {row["recording"]: row for row in report.values["recordings"]}
    assert all(after[name]["split"] == fact["split"] for name, fact in before.items())
    assert sum(part.num_rows for part in opened(out).values()) == report.n_epochs() > n_before


def test_other_settings_are_refused_in_a_built_folder(shhs, tmp_path):
    out = tmp_path / "out"
    run(out, shhs[0], limit=1)
    for options in ({"style": "paper"}, {"montage": "aasm"}, {"trim_min": None}, {"seed": 1}):
        with pytest.raises(BuildError, match=r"different settings \(\w+\).*--out"):
            run(out, shhs[0], limit=1, **options)


def test_a_build_json_that_is_damaged_is_refused_before_anything_is_drawn(shhs, tmp_path):
    out = tmp_path / "out"
    run(out, shhs[0], limit=1)
    values = json.loads((out / "build.json").read_text())
    del values["set_aside"]
    (out / "build.json").write_text(json.dumps(values))
    with pytest.raises(BuildError, match=r"damaged \(set_aside is missing\); choose another --out"):
        run(out, shhs[0])


def test_other_settings_are_refused_in_a_folder_that_was_only_begun(shhs, tmp_path):
    out = tmp_path / "out"
    (out / ".psgimg").mkdir(parents=True)
    (out / ".psgimg" / "settings.json").write_text(json.dumps(BuildConfig(("shhs",)).fixed()))
    with pytest.raises(BuildError, match="recipe"):
        run(out, shhs[0], style="paper")


def test_two_corpora_make_one_dataset_with_a_config_each(shhs, tmp_path):
    tiny.write_isruc(tmp_path / "isruc")
    config = BuildConfig(
        ("shhs", "isruc"), (f"shhs={shhs[0]}", f"isruc={tmp_path / 'isruc'}"), tmp_path / "out"
    )
    report = build(config, Remembered())
    assert report.values["policy"] == "restricted"
    out = tmp_path / "out"
    assert set(datasets.get_dataset_config_names(str(out))) == {"all", "shhs", "isruc"}
    n_rows = {
        name: sum(p.num_rows for p in opened(out, name).values())
        for name in ("all", "shhs", "isruc")
    }
    assert n_rows["all"] == n_rows["shhs"] + n_rows["isruc"] == report.n_epochs()
    assert sum(p.num_rows for p in opened(out).values()) == n_rows["all"]
    second = [row["label_2"] for row in rows(out) if row["corpus"] == "isruc"]
    assert any(label is not None for label in second)


def test_a_published_split_decides_and_who_is_not_in_it_is_set_aside(shhs, tmp_path):
    subjects = sorted({name.partition("-")[2] for name in shhs[1]})
    table = tmp_path / "split.csv"
    table.write_text(f"subject,split\n{subjects[0]},test\n{subjects[1]},train\n")
    report, _ = run(tmp_path / "out", shhs[0], split_file=table)
    assert {f["subject"]: f["split"] for f in report.values["recordings"]} == {
        subjects[0]: "test",
        subjects[1]: "train",
    }
    assert {entry["reason"] for entry in report.values["set_aside"]} == {"not in the split file"}


def test_who_is_in_the_published_split_but_unscored_is_set_aside_for_that(shhs, tmp_path):
    subjects = sorted({name.partition("-")[2] for name in shhs[1]})
    table, corpus = tmp_path / "split.csv", tmp_path / "corpus"
    table.write_text("subject,split\n" + "".join(f"{name},test\n" for name in subjects))
    shutil.copytree(shhs[0], corpus)
    for scoring in corpus.rglob(f"*{subjects[0]}*.xml"):
        scoring.unlink()
    report, _ = run(tmp_path / "out", corpus, split_file=table)
    reasons = {entry["reason"] for entry in report.values["set_aside"]}
    assert reasons == {"no scoring"}


def test_folds_cover_every_subject_once(shhs, tmp_path):
    run(tmp_path / "out", shhs[0], folds=2)
    lines = (tmp_path / "out" / "folds.csv").read_text().splitlines()
    assert lines[0] == "corpus,subject,fold"
    assert len(lines) == 4
    assert {line[-1] for line in lines[1:]} <= {"0", "1"}


def test_build_json_counts_what_lies_in_the_shards(built):
    out, report = built
    values = json.loads((out / "build.json").read_text())
    found = rows(out)
    assert sum(shard["rows"] for shard in values["shards"]) == len(found) == report.n_epochs()
    for stage in Stage:
        assert sum(row["label"] == stage for row in found) == report.n_epochs(stage=stage.name)
    assert values["recipe_hash"] == BuildConfig(("shhs",)).recipe().hash
    assert str(out.parent) not in (out / "build.json").read_text()


def test_no_state_is_left_in_a_finished_folder(built):
    assert not [path for path in built[0].rglob("*") if path.name.startswith(".")]


def test_the_demo_has_all_three_splits_and_says_it_is_synthetic_everywhere(demo_corpus, tmp_path):
    report, _ = run(tmp_path / "out", demo_corpus, "demo", workers=2)
    assert report.empty_splits == []
    assert all(report.n_epochs(stage=stage.name) for stage in Stage)
    card = (tmp_path / "out" / "README.md").read_text()
    assert "synthetic" in card.split("---")[1]
    assert "**Synthetic.** These signals were not recorded from people" in card
    assert "synthetic" in report.values["corpora"]["demo"]["title"]


def test_ten_thousand_rows_cost_no_more_memory_than_a_hundred(tmp_path):
    """What the parent keeps of a recording is its facts, not its pictures."""
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
        "from shard_parts import publish, rows, facts; from psgimg.builder.dataset import shards\n"
        "out = Path(sys.argv[1])\n"
        "for i in range(int(sys.argv[3])):\n"
        "    some = rows(f'{i:04d}-night', 100)\n"
        "    for row in some: row['image']['bytes'] = bytes(20_000)\n"
        "    shards.write_part(out, some, facts(f'{i:04d}-night'))\n"
        "publish(out)\n"
        "status = Path('/proc/self/status').read_text()\n"  # `ru_maxrss` includes the parent's peak
        "print(status.partition('VmHWM:')[2].split()[0])\n"
    )
    peak = [
        int(
            subprocess.run(
                [
                    sys.executable,
                    "-P",
                    "-c",
                    program,
                    tmp_path / str(n),
                    Path(__file__).parents[1] / "support",
                    str(n),
                ],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for n in (4, 60)
    ]
    assert peak[1] < peak[0] * 1.25
