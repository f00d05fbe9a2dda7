"""Scorers: one scorer's stages are the labels of a corpus, and what is read instead is said."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import tiny
import yaml
from builds import rows, run
from progress import Remembered
from psgimg.builder.check import check
from psgimg.builder.corpora import scorers
from psgimg.builder.corpora.registry import corpus
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import RecordingError
from tiny_edf import night
from tiny_lab import DESCRIPTION, describe, write_lab
from tiny_scorings import LEGACY_CONCEPTS, nsrr_xml


def checked(source: str, root: Path, **options) -> tuple[dict, dict]:
    """What `psgimg check` says: the facts of each recording, and reason and detail of those set aside."""
    config = BuildConfig((source,), (str(root),), root / "unused", **options)
    facts, aside = check(config, Remembered())
    return (
        {fact["recording"]: fact for fact in facts},
        {entry.recording: (entry.reason, entry.detail) for entry in aside},
    )


def remove(root: Path, *patterns: str) -> None:
    for pattern in patterns:
        found = list(root.rglob(pattern))
        assert found
        for path in found:
            path.unlink()


@pytest.mark.parametrize("kept", [(".txt", ".xlsx"), (".txt",), (".xlsx",)])
def test_an_isruc_night_without_expert_1_is_set_aside_whatever_expert_2_has(
    kept: tuple[str, ...], tmp_path: Path
) -> None:
    tiny.write_isruc(tmp_path, minutes=5)
    remove(tmp_path / "subgroupI" / "1", "1_1.*")
    for suffix in {".txt", ".xlsx"} - set(kept):
        remove(tmp_path / "subgroupI" / "1", f"1_2{suffix}")
    facts, aside = checked("isruc", tmp_path)
    assert list(aside) == ["I-001"]
    reason, detail = aside["I-001"]
    assert reason == "scorer missing"
    assert "scorer '1', the reference of isruc, only by '2'" in detail
    assert "--scorer 2" in detail
    assert {fact["scorer"] for fact in facts.values()} == {"1"}


def test_scorer_2_labels_every_night_and_expert_1_is_then_the_second(tmp_path: Path) -> None:
    tiny.write_isruc(tmp_path, n_subjects=1, minutes=5)
    remove(tmp_path / "subgroupI" / "1", "1_1.*")
    remove(tmp_path / "subgroupIII" / "1", "1_2.*")
    facts, aside = checked("isruc", tmp_path, scorer="2")
    assert {fact["scorer"] for fact in facts.values()} == {"2"}
    assert facts["I-001"]["second"] == 0
    assert scorers.NO_SECOND in facts["I-001"]["notes"]
    assert facts["II-001-1"]["second"] > 0
    assert {name: reason for name, (reason, _) in aside.items()} == {"III-001": "scorer missing"}
    assert "--scorer 1" in aside["III-001"][1]


def test_a_dataset_has_the_labels_of_one_expert_only(tmp_path: Path) -> None:
    tiny.write_isruc(tmp_path / "root", n_subjects=1, minutes=5)
    remove(tmp_path / "root" / "subgroupI" / "1", "1_1.*")
    report, _ = run(tmp_path / "out", tmp_path / "root", "isruc")
    assert [entry["reason"] for entry in report.values["set_aside"]] == ["scorer missing"]
    assert {row["recording"] for row in rows(tmp_path / "out")} == {
        "II-001-1",
        "II-001-2",
        "III-001",
    }


def test_the_form_of_an_experts_scoring_is_said_where_it_is_not_the_usual_one(
    tmp_path: Path,
) -> None:
    tiny.write_isruc(tmp_path, n_subjects=1, minutes=5)
    remove(tmp_path / "subgroupI" / "1", "1_1.txt")
    remove(tmp_path / "subgroupIII" / "1", "1_1.xlsx")
    facts, aside = checked("isruc", tmp_path)
    assert not aside
    assert "read from the expert's xlsx table" in facts["I-001"]["notes"][0]
    assert "unscored epochs may count as W" in facts["III-001"]["notes"][0]
    assert not facts["II-001-1"]["notes"]


@pytest.mark.parametrize(
    ("name", "write", "preferred", "said"),
    [
        ("shhs", tiny.write_shhs, "*-nsrr.xml", "its Profusion form, as there is no NSRR form"),
        ("hmc", tiny.write_hmc, "*.txt", "its EDF form, as there is no txt form"),
    ],
)
def test_another_form_of_the_same_scoring_is_read_and_said(
    name: str, write, preferred: str, said: str, tmp_path: Path
) -> None:
    write(tmp_path, 1)
    before, _ = checked(name, tmp_path)
    remove(tmp_path, preferred)
    after, _ = checked(name, tmp_path)
    assert all(f"scoring read from {said}" in fact["notes"] for fact in after.values())
    assert {name: fact["stages"] for name, fact in before.items()} == {
        name: fact["stages"] for name, fact in after.items()
    }


def test_an_older_mass_scoring_is_said(tmp_path: Path) -> None:
    tiny.write_mass(tmp_path, (1,))
    path = next(tmp_path.rglob("* Base.edf"))
    path.rename(path.with_name(path.name.replace("Base", "Annotations")))
    facts, _ = checked("mass", tmp_path)
    assert any("Annotations file of older releases" in n for n in facts["01-01-0001"]["notes"])


RIVALS = {
    "sleep-edf": (tiny.write_sleep_edf, "SC4001EC-Hypnogram.edf", "SC4001EH-Hypnogram.edf"),
    "shhs": (tiny.write_shhs, "shhs1-200001-nsrr.xml", "old/shhs1-200001-nsrr.xml"),
    "cfs": (tiny.write_cfs, "cfs-visit5-800002-famID715-nsrr.xml", "cfs-visit5-800002-nsrr.xml"),
    "mass": (tiny.write_mass, "01-01-0001 Base.edf", "old/01-01-0001 Base.edf"),
    "hmc": (tiny.write_hmc, "SN001_sleepscoring.txt", "old/SN001_sleepscoring.txt"),
}


@pytest.mark.parametrize("name", RIVALS)
def test_two_scorings_of_a_night_are_refused_unless_they_are_copies(
    name: str, tmp_path: Path
) -> None:
    write, first, second = RIVALS[name]
    write(tmp_path)
    original = next(tmp_path.rglob(first))
    rival = original.with_name("x").parent / second
    rival.parent.mkdir(exist_ok=True)
    shutil.copy(original, rival)
    before, aside = checked(name, tmp_path)
    assert not aside
    content = bytearray(original.read_bytes())
    content[-1] ^= 1
    rival.write_bytes(content)
    after, aside = checked(name, tmp_path)
    [(reason, detail)] = aside.values()
    assert reason == "several scorings"
    assert original.name in detail
    assert rival.name in detail
    assert set(before) - set(after) == set(aside)


def lab_of_three(place: Path, absent: str) -> Path:
    """Write a corpus with the scorers alice, bob and carol, whose first night lacks one of them."""
    write_lab(place / "recordings", minutes=5)
    files = {}
    for scorer in ("alice", "bob", "carol"):
        files[scorer] = f"{{subject}}/{{recording}}-{scorer}.csv"
    for path in sorted((place / "recordings").rglob("*.csv")):
        for scorer in files:
            shutil.copy(path, path.with_name(f"{path.stem}-{scorer}.csv"))
        path.unlink()
    sorted((place / "recordings").rglob(f"*-{absent}.csv"))[0].unlink()
    scoring = {**DESCRIPTION["scoring"], "file": files}
    return describe(place / "my-lab.yaml", scoring=scoring)


def test_no_other_scorer_takes_the_place_of_the_reference_or_the_second(tmp_path: Path) -> None:
    facts, aside = checked(str(lab_of_three(tmp_path / "a", "alice")), tmp_path / "a/recordings")
    [(reason, detail)] = aside.values()
    assert reason == "scorer missing"
    assert "by scorer 'alice', the reference of my-lab, only by 'bob', 'carol'" in detail
    assert {fact["scorer"] for fact in facts.values()} == {"alice"}
    facts, aside = checked(str(lab_of_three(tmp_path / "b", "bob")), tmp_path / "b/recordings")
    assert not aside
    alone = [fact for fact in facts.values() if scorers.NO_SECOND in fact["notes"]]
    assert [fact["second"] for fact in alone] == [0]
    assert all(fact["second"] for fact in facts.values() if fact not in alone)


def test_a_corpus_that_names_scorers_but_no_reference_needs_a_choice(tmp_path: Path) -> None:
    path = lab_of_three(tmp_path, "carol")
    silent = replace(corpus(str(path)), scorers=())
    [first, *_] = silent.recordings(tmp_path / "recordings")
    with pytest.raises(RecordingError, match=r"does not state which.*--scorer alice"):
        scorers.reference(silent, first, "")
    assert scorers.reference(silent, first, "bob") == "bob"


def legacy(root: Path, words: list[str]) -> None:
    """Leave only the legacy NSRR scoring of the only night."""
    next(root.rglob("*-nsrr.xml")).write_text(nsrr_xml(words, LEGACY_CONCEPTS))
    remove(root, "*-profusion.xml")


@pytest.mark.parametrize("last", [1, 4])
def test_a_legacy_scoring_without_its_last_run_is_said_and_the_night_built_so_far(
    last: int, tmp_path: Path
) -> None:
    tiny.write_shhs(tmp_path, 1, (1,))
    words = ["W"] * (20 - last) + ["R"] * last
    legacy(tmp_path, words)
    facts, aside = checked("shhs", tmp_path)
    assert not aside
    [fact] = facts.values()
    assert scorers.LOST_END in fact["notes"]
    assert sum(fact["stages"].values()) == 20 - last
    assert fact["unscored_signal_s"] == 30.0 * last


def test_a_legacy_scoring_that_reaches_the_end_lost_nothing(tmp_path: Path) -> None:
    tiny.write_shhs(tmp_path, 1, (1,))
    legacy(tmp_path, [*night(20, 1), "W" if night(20, 1)[-1] != "W" else "R"])
    [fact] = checked("shhs", tmp_path)[0].values()
    assert scorers.LOST_END not in fact["notes"]


def test_a_current_scoring_that_ends_early_is_not_called_legacy(tmp_path: Path) -> None:
    tiny.write_shhs(tmp_path, 1, (1,))
    next(tmp_path.rglob("*-nsrr.xml")).write_text(nsrr_xml(["W"] * 12))
    [fact] = checked("shhs", tmp_path)[0].values()
    assert not fact["notes"]
    assert fact["unscored_signal_s"] == 240.0


def test_profusion_in_place_of_a_legacy_scoring_is_said(tmp_path: Path) -> None:
    tiny.write_shhs(tmp_path, 1, (1,))
    next(tmp_path.rglob("*-nsrr.xml")).write_text(nsrr_xml(["W", "R"] * 10, LEGACY_CONCEPTS))
    [fact] = checked("shhs", tmp_path)[0].values()
    assert any("Profusion" in note and "legacy" in note for note in fact["notes"])
    assert scorers.LOST_END not in fact["notes"]


def test_the_reference_of_every_corpus_with_named_scorers_is_stated(tmp_path: Path) -> None:
    assert corpus("isruc").scorers == ("1", "2")
    path = lab_of_three(tmp_path, "carol")
    assert corpus(str(path)).scorers == tuple(yaml.safe_load(path.read_text())["scoring"]["file"])
