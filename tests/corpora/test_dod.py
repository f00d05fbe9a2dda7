"""DOD: five scorers and their consensus, on tiny nights and on the real lists of DOD-H."""

import json
import zipfile

import datasets
import mlcroissant
import numpy as np
import pyarrow.parquet as pq
import pytest
from builds import opened, rows, run
from open_servers import ZenodoServer
from psgimg.builder.access import host as hosts
from psgimg.builder.access.fetch_config import FetchConfig
from psgimg.builder.corpora import registry
from psgimg.builder.corpora.dod import dreem, scorers
from psgimg.builder.dataset import schema
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.exports import imagefolder, labels_only, webdataset
from psgimg.builder.recordings.fingerprint import files_of
from psgimg.builder.stages import Stage
from tiny_dod import (
    BAD_O,
    LATER_H,
    LIGHTS_OFF_AT_60,
    NIGHT_H,
    NIGHT_O,
    SCORERS,
    seen_by,
    write_dod,
    write_h5,
    write_lists,
)


def listed(root, which="h"):
    return {one.recording: one for one in registry.CORPORA[f"dod-{which}"].recordings(root)}


def stages(root, scorer, name=NIGHT_H):
    return dreem.read_hypnogram(listed(root)[name], scorer).scores


def built(tmp_path, source="dod-h", **options):
    root = tmp_path / "dod"
    truth = write_dod(root, source[-1])
    report, _ = run(tmp_path / "out", root, source, trim_min=None, **options)
    return truth, report, rows(tmp_path / "out")


def test_the_reference_is_the_consensus_in_the_file(tmp_path):
    truth = write_dod(tmp_path)
    recording = listed(tmp_path)[NIGHT_H]
    assert list(recording.scorings) == ["consensus", *SCORERS]
    for scorer in ("", "consensus"):
        hypnogram = dreem.read_hypnogram(recording, scorer)
        assert hypnogram.scores == truth
        assert hypnogram.scorer == "consensus"


def test_a_file_with_signals_and_scoring_is_hashed_and_fetched_once(tmp_path):
    write_dod(tmp_path)
    files = files_of(listed(tmp_path)[NIGHT_H])
    assert len(files) == 6
    assert [path.suffix for path in files] == [".h5", *[".json"] * 5]


@pytest.mark.parametrize(("before", "after"), [(3, 2), (0, 2), (3, 0), (0, 0)])
def test_lists_of_the_whole_recording_are_cut_to_the_signal(tmp_path, before, after):
    truth = write_dod(tmp_path, before=before, after=after)
    wanted = dict(seen_by([int(stage) for stage in truth]))
    for scorer in SCORERS:
        assert stages(tmp_path, scorer) == tuple(Stage(code) for code in wanted[scorer])


def test_a_night_whose_lights_went_off_late_is_cut_there(tmp_path):
    truth = write_dod(tmp_path, name=LIGHTS_OFF_AT_60, before=60, after=1)
    for path in tmp_path.rglob("*.json"):  # all began to score long before
        codes = json.loads(path.read_text())
        path.write_text(json.dumps([0] * 60 + codes[60:]))
    assert stages(tmp_path, "1", LIGHTS_OFF_AT_60) == truth


def test_lists_that_cannot_belong_to_the_signal_are_refused(tmp_path):
    write_dod(tmp_path, before=3)
    (tmp_path / "scorers/dodh/scorer_4" / f"{NIGHT_H}.json").unlink()  # who began last
    with pytest.raises(RecordingError, match=r"10 epochs of signal.*all five scorers"):
        stages(tmp_path, "1")


@pytest.mark.parametrize("content", ["[0, 5]", "[0, true]", '[0, "W"]', "{}", "[0", "[-1, -1]", ""])
def test_a_list_of_other_codes_is_refused_by_name(tmp_path, content):
    write_dod(tmp_path)
    (tmp_path / "scorers/dodh/scorer_2" / f"{NIGHT_H}.json").write_text(content)
    with pytest.raises(RecordingError, match=rf"{NIGHT_H}\.json"):
        stages(tmp_path, "2")


def test_an_unknown_scorer_is_refused_with_those_that_there_are(tmp_path):
    write_dod(tmp_path)
    with pytest.raises(RecordingError, match="scorers: consensus, 1, 2, 3, 4, 5"):
        stages(tmp_path, "6")


def test_both_datasets_may_be_in_one_folder(tmp_path):
    write_dod(tmp_path, "h")
    write_dod(tmp_path, "o")
    assert (list(listed(tmp_path, "h")), list(listed(tmp_path, "o"))) == ([NIGHT_H], [NIGHT_O])
    for path in [*tmp_path.glob("dod*/*.h5")]:
        path.rename(tmp_path / path.name)
    assert list(listed(tmp_path, "o")) == [NIGHT_O]
    (tmp_path / f"{NIGHT_O}.h5").unlink()
    with pytest.raises(BuildError, match="nights of DOD-O"):
        listed(tmp_path, "o")


def test_the_label_is_the_consensus_and_all_five_vote(tmp_path):
    truth, report, pages = built(tmp_path)
    assert [page["label"] for page in pages] == [int(stage) for stage in truth]
    assert [page["label_2"] for page in pages] == [page["label"] for page in pages]  # scorer 1
    lists = [codes for _, codes in seen_by([int(stage) for stage in truth])]
    for i, page in enumerate(pages):
        assert page["votes"] == np.bincount([codes[i] for codes in lists], minlength=5).tolist()
    assert any(max(page["votes"]) < 4 for page in pages)
    (fact,) = report.values["recordings"]
    assert fact["scorer"] == "consensus"
    assert fact["lanes"] == ["F3-M2", "C3-M2", None, "E1-REF", "E2-REF", "Chin"]


def test_a_chosen_scorer_is_the_label_and_the_next_person_the_second(tmp_path):
    truth, _, pages = built(tmp_path, scorer="2")
    wanted = dict(seen_by([int(stage) for stage in truth]))
    assert [page["label"] for page in pages] == wanted["2"]
    assert [page["label_2"] for page in pages] == wanted["1"]
    assert all(sum(page["votes"]) == 5 for page in pages)


def test_of_two_scorers_no_votes_are_counted(tmp_path):
    write_dod(tmp_path / "dod", before=0, after=0)
    for number in "345":
        (tmp_path / f"dod/scorers/dodh/scorer_{number}" / f"{NIGHT_H}.json").unlink()
    run(tmp_path / "out", tmp_path / "dod", "dod-h", trim_min=None)
    pages = rows(tmp_path / "out")
    assert all(page["votes"] is None for page in pages)
    assert all(page["label_2"] is not None for page in pages)


def test_without_the_lists_there_is_the_consensus_alone(tmp_path):
    truth = write_dod(tmp_path / "dod", lists=False)
    run(tmp_path / "out", tmp_path / "dod", "dod-h", trim_min=None)
    pages = rows(tmp_path / "out")
    assert [page["label"] for page in pages] == [int(stage) for stage in truth]
    assert {(page["label_2"], page["votes"]) for page in pages} == {(None, None)}


def test_a_scorer_whose_list_is_damaged_is_told_and_has_no_vote(tmp_path):
    write_dod(tmp_path / "dod")
    (tmp_path / "dod/scorers/dodh/scorer_3" / f"{NIGHT_H}.json").write_text("[0, 9]")
    report, _ = run(tmp_path / "out", tmp_path / "dod", "dod-h", trim_min=None)
    assert all(sum(page["votes"]) == 4 for page in rows(tmp_path / "out"))
    (fact,) = report.values["recordings"]
    assert "votes without those of scorer 3: unknown stage code" in fact["notes"]


def test_the_night_that_others_leave_out_is_set_aside(tmp_path):
    write_dod(tmp_path / "dod", "o")
    write_dod(tmp_path / "dod", "o", BAD_O, lists=False)
    report, _ = run(tmp_path / "out", tmp_path / "dod", "dod-o", trim_min=None)
    (aside,) = report.values["set_aside"]
    assert (aside["recording"], aside["reason"]) == (BAD_O, "listed as wrong by the distributor")


def test_a_fetched_night_has_the_votes_of_the_lists_on_disk(tmp_path, monkeypatch):
    write_dod(tmp_path / "full")
    run(tmp_path / "local" / "out", tmp_path / "full", "dod-h", trim_min=None)
    with zipfile.ZipFile(tmp_path / "dodh.zip", "w") as archive:
        archive.write(tmp_path / f"full/dodh/{NIGHT_H}.h5", f"dodh/{NIGHT_H}.h5")
    root = tmp_path / "nights"
    (tmp_path / "full/scorers").rename(root.mkdir() or root / "scorers")
    server = ZenodoServer(15900394, "dodh.zip", (tmp_path / "dodh.zip").read_bytes())
    monkeypatch.setenv("PSGIMG_ZENODO_URL", server.url)
    monkeypatch.setattr(hosts, "PAUSE_S", 0.0)
    run(tmp_path / "out", root, "dod-h", trim_min=None, fetch=FetchConfig())
    server.close()
    assert rows(tmp_path / "out") == rows(tmp_path / "local" / "out")
    assert not list(root.rglob("*.h5"))


@pytest.fixture(scope="module")
def half(tmp_path_factory):
    """A dataset of two nights, the first of which has no lists."""
    root = tmp_path_factory.mktemp("half")
    write_dod(root / "dod", lists=False)
    write_dod(root / "dod", name=LATER_H)
    run(root / "out", root / "dod", "dod-h", trim_min=None, style="paper", splits="100/0/0")
    return root / "out"


def test_votes_are_read_by_datasets(half):
    pages = opened(half, split="train")
    assert pages.features == schema.features()
    assert pages["votes"][:] == [row["votes"] for row in rows(half)]
    assert {votes is None for votes in pages["votes"]} == {True, False}


def test_votes_are_read_by_croissant(half):
    found = mlcroissant.Dataset(jsonld=str(half / "croissant.json")).records("all")
    read = {one["all/recording"].decode(): one["all/votes"] for one in found}
    assert read[NIGHT_H] is None
    assert sum(read[LATER_H]) == 5


def test_votes_are_in_every_export(half, tmp_path):
    wanted = [row["votes"] for row in rows(half)]
    imagefolder.write(half, tmp_path / "imagefolder")
    webdataset.write(half, tmp_path / "webdataset")
    labels_only.write(half, tmp_path / "labels")
    (table,) = (tmp_path / "labels").glob("*.parquet")
    assert pq.read_table(table)["votes"].to_pylist() == wanted
    (table,) = (tmp_path / "imagefolder").rglob("*.parquet")
    assert pq.read_table(table)["votes"].to_pylist() == wanted
    shards = str(tmp_path / "webdataset" / "train-*.tar")
    pages = datasets.load_dataset(
        "webdataset", data_files={"train": shards}, split="train", cache_dir=str(tmp_path / "cache")
    )
    assert [page["votes"] for page in pages["json"]] == [votes or [0] * 5 for votes in wanted]


# the real lists of DOD-H


@pytest.fixture(scope="module")
def real_lists(real_recordings):
    folder = real_recordings / "dod-h"
    names = sorted(path.stem for path in (folder / "scorer_1").glob("*.json"))
    return {
        name: {n: scorers.read_list(folder / f"scorer_{n}" / f"{name}.json") for n in SCORERS}
        for name in names
    }


def soft_agreement(codes, others):
    """Mean over epochs of the votes for one's own stage, as a share of those for the first choice."""
    votes = np.stack([(others == code).sum(axis=0) for code in range(-1, 5)])
    return (votes[codes + 1, np.arange(len(codes))] / votes.max(axis=0)).mean()


def consensus(lists):
    """The rule that the notes of the corpus state, applied to the lists of one night."""
    codes = np.array(lists)
    agreement = [soft_agreement(one, np.delete(codes, i, axis=0)) for i, one in enumerate(codes)]
    best = codes[np.argsort([-value for value in agreement], kind="stable")[:4]]
    votes = np.stack([(best == code).sum(axis=0) for code in range(-1, 5)])
    tied = (votes == votes.max(axis=0)).sum(axis=0) > 1
    return np.where(tied, best[0], votes.argmax(axis=0) - 1)


def cut_lists(name, lists):
    first, stop = scorers.window(list(lists.values()), name)
    return {number: codes[first:stop] for number, codes in lists.items()}


def test_the_real_lists_cut_and_joined_by_the_stated_rules_give_the_published_consensus(real_lists):
    """W, N1, N2, N3, REM of the 25 files' hypnograms as counted in others' logs of preprocessing.

    Deng-GuiFeng/LPSGM, preprocess.log: 24662 epochs, [3037, 1505, 11879, 3514, 4727].
    """
    found = [consensus(list(cut_lists(*night).values())) for night in real_lists.items()]
    counts = np.bincount(np.concatenate(found) + 1, minlength=6)
    assert counts.tolist() == [3, 3037, 1505, 11879, 3514, 4727]
    assert {name.partition("-")[0] for name in real_lists} == dreem.HEALTHY


def test_every_real_scorer_is_read_beside_the_consensus_of_its_night(real_lists, tmp_path):
    agreeing, n_epochs = 0, 0
    for name, lists in real_lists.items():
        write_lists(tmp_path / "scorers", name, lists)
        codes = consensus(list(cut_lists(name, lists).values()))
        write_h5(tmp_path / f"{name}.h5", codes, sfreq_hz=1)
    for recording in listed(tmp_path).values():
        whole = [dreem.read_hypnogram(recording, scorer) for scorer in recording.scorings]
        assert len({one.onsets_s for one in whole}) == 1
        reference, *others = (np.array(one.scores, object) for one in whole)
        agreeing += sum(int((reference == one).sum()) for one in others)
        n_epochs += 5 * len(reference)
    assert n_epochs == 5 * 24_665
    assert round(agreeing / n_epochs, 3) == 0.871  # a list shifted by an epoch agrees less
