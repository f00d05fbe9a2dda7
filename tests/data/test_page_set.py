"""Page sets: a split as a model meets it, from real datasets in folders and on a Hub."""

import json
import pickle
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny
from hub_client import pushed, signed_in
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.dataset import prompts
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.dataset.schema import SPLITS
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.hypnogram import Hypnogram
from psgimg.builder.stages import STAGE_NAMES, Stage
from psgimg.finetune.data import page_index, page_set
from psgimg.finetune.data.context import ALONE, Context
from shard_damage import spoil

CLOSED = prompts.load("closed")
SPLIT = {"style": "paper", "splits": "1/1/1", "seed": 3, "trim_min": None}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Nights of two corpora, of 30-s and of 20-s epochs; each has epochs without a stage."""
    place = tmp_path_factory.mktemp("page-set")
    tiny.write_shhs(place / "shhs", n_subjects=5, visits=(1,))
    tiny.write_mass(place / "mass", subsets=(1, 2))
    roots = (f"shhs={place / 'shhs'}", f"mass={place / 'mass'}")
    config = BuildConfig(("shhs", "mass"), roots, place / "out", montage="aasm", **SPLIT)
    return config.out, build(config, Remembered())


@pytest.fixture
def folder(built, tmp_path):
    """A copy that a test may spoil."""
    return shutil.copytree(built[0], tmp_path / "copy")


@pytest.fixture(scope="module")
def train(built):
    return page_set.load(str(built[0]), None, "train")


def truth(out, split):
    """Rows of a split as the shards hold them."""
    values = json.loads((out / "build.json").read_text())
    paths = [out / shard["path"] for shard in values["shards"] if shard["split"] == split]
    return [row for path in paths for row in pq.read_table(path, partitioning=None).to_pylist()]


def first_shard(folder, split="train"):
    return sorted((folder / "data").rglob(f"{split}-*.parquet"))[0]


@pytest.mark.parametrize("split", SPLITS)
def test_every_row_is_the_page_that_the_shards_hold(built, split):
    found, expected = page_set.load(str(built[0]), None, split), truth(built[0], split)
    assert len(found) == len(expected) == built[1].n_epochs(split=split)
    for row, was in zip(found.rows, expected, strict=True):
        page = (was["corpus"], was["subject"], was["recording"], was["epoch"])
        second = None if was["label_2"] is None else STAGE_NAMES[was["label_2"]]
        assert found.page(row) == (*page, STAGE_NAMES[was["label"]], second)
        assert found.pictures.read([int(row)]) == [was["image"]["bytes"]]
    assert list(found.labels) == [was["label"] for was in expected]


def test_a_page_says_what_the_second_scorer_saw_where_there_is_one(folder):
    spoil(first_shard(folder), "label_2", 3, 2)
    found = page_set.load(str(folder), None, "train")
    assert [found.page(row).stage_2 for row in (2, 3, 4)] == [None, "N2", None]


def test_a_config_is_one_corpus(built):
    found = {name: page_set.load(str(built[0]), name, "train") for name in ("all", "shhs", "mass")}
    assert len(found["all"]) == len(found["shhs"]) + len(found["mass"])
    assert {key.corpus for key in found["shhs"].index.recordings} == {"shhs"}


def test_neighbours_are_those_that_begin_where_the_page_ends(built, train):
    n_missing = 0
    where = {(row["recording"], row["epoch"]): i for i, row in enumerate(truth(built[0], "train"))}
    for row in train.rows:
        page = train.page(row)
        before, after = train.neighbours(row, 2)
        expected = [where.get((page.recording, page.epoch + step)) for step in (-2, -1, 1, 2)]
        expected[0] = expected[0] if expected[1] is not None else None
        expected[3] = expected[3] if expected[2] is not None else None
        assert [*before, *after] == expected
        n_missing += expected.count(None)
    assert n_missing > 6 * len(train.index.recordings), "nights have holes, not only ends"


@st.composite
def times(draw):
    """Onsets of two recordings with epochs of 20 or 30 s, holes, and starts late in a week."""
    found = []
    for _ in range(2):
        epoch_s = draw(st.sampled_from([20.0, 30.0]))
        start_s = draw(st.floats(0, 6e5, allow_nan=False).map(lambda x: round(x, 3)))
        steps = draw(st.lists(st.sampled_from([1.0, 1.0, 1.0, 2.0, 1.5]), max_size=8))
        onsets_s = start_s + epoch_s * np.cumsum([0, *steps])
        found.append((epoch_s, onsets_s))
    return found


@given(times(), st.integers(0, 4))
def test_contiguity_is_that_of_the_hypnogram_to_the_last_bit_of_an_onset(nights, k):
    recording = np.repeat([0, 1], [len(onsets_s) for _, onsets_s in nights]).astype(np.int32)
    onset_s = np.concatenate([onsets_s for _, onsets_s in nights]).astype(np.float32)
    epoch_s = np.repeat([e for e, _ in nights], [len(onsets_s) for _, onsets_s in nights])
    joined = page_index.join(recording, onset_s, epoch_s)
    expected = []
    for length_s, onsets_s in nights:
        night = Hypnogram((Stage.W,) * len(onsets_s), tuple(onsets_s), length_s)
        expected += [False, *(night.contiguous(i) for i in range(1, len(night)))]
    assert list(joined) == expected
    zeros = np.zeros(len(joined), np.int32)
    stages = zeros.astype(np.int8)
    night = page_index.Index(stages, stages, recording, zeros, onset_s, joined, ())
    for row in range(len(night)):
        before, after = night.neighbours(row, k)
        assert len(before) == len(after) == k
        chain = [*before, row, *after]
        shown = [r for r in chain if r is not None]
        assert shown == list(range(shown[0], shown[-1] + 1)), "in order of time, without a hole"
        assert all(joined[r] for r in shown[1:])
        assert chain.index(row) == k
        assert len(before) == 0 or before[0] is not None or not joined[shown[0]]
        past = shown[-1] + 1
        assert len(after) == 0 or after[-1] is not None or past == len(night) or not joined[past]


@pytest.mark.parametrize("row", [-1, 10**6])
def test_a_row_that_is_not_there_has_no_neighbours(train, row):
    with pytest.raises(IndexError):
        train.neighbours(row, 1)


def places(found):
    """First, inner and last page of a recording, the page before a hole, and the one behind it."""
    recording = found.index.recording
    holes = np.flatnonzero(~found.index.joined[1:] & (np.diff(recording) == 0)) + 1
    return [0, 5, int(np.flatnonzero(recording == 0)[-1]), int(holes[0]) - 1, int(holes[0])]


def test_chat_rows_show_the_page_among_its_neighbours_in_order_of_time(built, train):
    expected = truth(built[0], "train")
    for k in range(3):
        chosen = places(train)
        chat = train.chat(chosen, CLOSED, Context(k))
        assert chat.column_names == ["images"]
        for row, asked in zip(chosen, chat, strict=True):
            before, after = train.neighbours(row, k)
            shown = [r for r in (*before, row, *after) if r is not None]
            assert [picture.mode for picture in asked["images"]] == ["RGB"] * len(shown)
            for r, picture in zip(shown, asked["images"], strict=True):
                with Image.open(pa.BufferReader(expected[r]["image"]["bytes"])) as was:
                    assert np.array_equal(np.asarray(picture), np.asarray(was.convert("RGB")))
            assert asked["completion"] == [
                {"role": "assistant", "content": STAGE_NAMES[expected[row]["label"]]}
            ]
            assert ("no page before" in asked["prompt"][-1]["content"]) == (
                k > 0 and before[-1:] == [None]
            )


def test_rows_come_in_the_order_asked_for_and_as_often(train):
    chosen = [7, 3, 7]
    chat = train.chat(np.array(chosen), CLOSED, Context(1))
    assert len(chat) == 3
    first, second, third = (np.asarray(row["images"][1]) for row in chat)
    assert np.array_equal(first, third)
    assert not np.array_equal(first, second)


def test_a_trainer_that_changes_a_row_changes_no_other(train):
    chat = train.chat([3, 3], CLOSED, ALONE)
    batch = chat.__getitems__([0, 1])
    batch[0]["prompt"][-1]["content"] = "changed"
    batch[0]["images"].clear()
    assert batch[1]["prompt"][-1]["content"] == CLOSED.question
    assert len(batch[1]["images"]) == 1
    assert chat[0]["prompt"][-1]["content"] == CLOSED.question


def test_a_worker_of_a_loader_makes_the_same_rows(train):
    chat = train.chat([3, 4], CLOSED, Context(1))
    sent = pickle.loads(pickle.dumps(chat))
    for here, there in zip(chat, sent, strict=True):
        assert here["prompt"] == there["prompt"]
        assert [p.tobytes() for p in here["images"]] == [p.tobytes() for p in there["images"]]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_batches_are_all_pages_in_order(train, size):
    found = list(train.batches(size, CLOSED, Context(1)))
    assert np.array_equal(np.concatenate([batch.rows for batch in found]), train.rows)
    keys = [(train.index.recording[row], train.index.epoch[row]) for b in found for row in b.rows]
    assert keys == sorted(keys)
    assert all(len(batch.rows) == len(batch.chat) <= size for batch in found)
    single = train.chat_rows([int(train.rows[-1])], CLOSED, Context(1))[0]
    assert found[-1].chat[-1] == single


def test_fewer_pages_are_asked_about_but_all_are_there_as_neighbours(built, train):
    few = page_set.load(str(built[0]), None, "train", n_subjects=2, max_per_recording=4, seed=1)
    assert len({few.page(row)[:2] for row in few.rows}) == 2
    assert np.bincount(few.index.recording[few.rows]).max() == 4
    assert len(few.labels) == len(few) == 8
    assert all(few.neighbours(row, 2) == train.neighbours(row, 2) for row in few.rows)
    assert [len(batch.rows) for batch in few.batches(5, CLOSED, ALONE)] == [5, 3]


def test_a_folder_built_anew_in_another_style_is_read_anew(built, tmp_path):
    out, place = tmp_path / "out [1]", built[0].parent / "shhs"
    sizes = []
    for style in ("paper", "sleepvlm"):
        shutil.rmtree(out, ignore_errors=True)
        options = {**SPLIT, "style": style}
        config = BuildConfig(("shhs",), (str(place),), out, montage="aasm", **options)
        build(config, Remembered())
        found = page_set.load(str(out), None, "train")
        sizes.append((len(found), found.images([0])[0].size))
    assert sizes[0][0] == sizes[1][0]
    assert [size for _, size in sizes] == [(336, 336), (448, 224)]


# Refusals


def refused(match, dataset, config=None, split="train", **options):
    with pytest.raises(BuildError, match=match) as caught:
        page_set.load(str(dataset), config, split, **options)
    assert "\n" not in str(caught.value)


def test_a_split_or_config_that_is_not_there_is_refused_with_those_that_are(built, folder):
    refused("no split 'dev'; it has train, validation, test", built[0], split="dev")
    refused("no corpus 'cfs'; it has all, mass, shhs", built[0], "cfs")
    values = json.loads((folder / "build.json").read_text())
    values["shards"] = [shard for shard in values["shards"] if shard["split"] != "test"]
    for by_split in values["counts"].values():
        by_split["test"] = dict.fromkeys(STAGE_NAMES, 0)
    (folder / "build.json").write_text(json.dumps(values))
    refused("no split 'test'; it has train, validation$", folder, split="test")


@pytest.mark.parametrize("label", [5, -1, None])
def test_a_row_without_a_stage_is_refused_by_shard_and_row(folder, label):
    spoil(first_shard(folder), "label", 3, label)
    refused(
        rf"copy, split train, {first_shard(folder).name}, row 3: label is {'missing' if label is None else label}",
        folder,
    )


def test_a_row_without_an_identity_is_refused(folder):
    spoil(first_shard(folder), "subject", 2, None)
    refused("row 2: subject is missing", folder)


def test_rows_that_go_back_in_time_are_refused(folder):
    spoil(first_shard(folder), "onset_s", 4, 0.0)
    refused("row 4: starts at 0 s, not after the previous row", folder)


def test_a_recording_in_two_places_is_refused(folder):
    path = first_shard(folder)
    names = pq.read_table(path, partitioning=None)["recording"].to_pylist()
    spoil(path, "recording", 5, "another")
    refused(f"the rows of {names[0]} are not contiguous", folder)


def test_a_shard_of_another_length_is_refused(folder):
    path = first_shard(folder)
    pq.write_table(pq.read_table(path, partitioning=None).slice(1), path)
    refused(r"has \d+ rows, but \d+ in build\.json", folder)


def test_other_stage_names_are_refused_however_the_numbers_look(folder):
    path = first_shard(folder)
    table = pq.read_table(path, partitioning=None)
    other = table.schema.metadata[b"huggingface"].replace(b'"N3", "REM"', b'"REM", "N3"')
    assert other != table.schema.metadata[b"huggingface"]
    pq.write_table(table.replace_schema_metadata({b"huggingface": other}), path)
    refused("column label is not psgimg's .*'REM', 'N3'", folder)


def test_a_missing_column_is_refused(folder):
    path = first_shard(folder)
    pq.write_table(pq.read_table(path, partitioning=None).drop_columns(["onset_s"]), path)
    refused("column onset_s is not psgimg's", folder)


def test_a_torn_or_missing_shard_is_refused(folder):
    path = first_shard(folder)
    path.write_bytes(path.read_bytes()[:-100])
    refused(f"{path.name} can't be read", folder)
    path.unlink()
    refused(f"{path.name} is missing", folder)


def test_a_second_scorer_who_names_no_stage_is_refused(folder):
    spoil(first_shard(folder), "label_2", 3, 5)
    refused("row 3: label_2 is 5, but must be 0 to 4", folder)


def test_a_picture_that_cannot_be_decoded_is_named(folder):
    spoil(first_shard(folder), "image", 1, {"bytes": b"not a picture", "path": None})
    found = page_set.load(str(folder), None, "train")
    page = found.page(1)
    with pytest.raises(
        BuildError, match=rf"{page.recording}, epoch {page.epoch} \(row 1\) can't be"
    ):
        found.chat([1], CLOSED, ALONE)[0]


@pytest.mark.parametrize("key", ["recipe", "recipe_hash", "policy", "corpora", "recordings"])
def test_a_dataset_that_does_not_say_how_it_was_built_is_refused(folder, key):
    values = json.loads((folder / "build.json").read_text())
    del values[key]
    (folder / "build.json").write_text(json.dumps(values))
    refused(
        rf"build\.json is damaged or was written by another version of psgimg \({key} is missing\)",
        folder,
    )


def test_a_recipe_that_is_not_the_one_named_is_refused(folder):
    values = json.loads((folder / "build.json").read_text())
    values["recipe"]["sfreq_hz"] = 100.0
    (folder / "build.json").write_text(json.dumps(values))
    refused("its recipe has the hash", folder)


def test_a_recording_that_build_json_does_not_know_is_refused(folder):
    values = json.loads((folder / "build.json").read_text())
    gone = next(f for f in values["recordings"] if f["split"] == "train")
    values["recordings"].remove(gone)
    (folder / "build.json").write_text(json.dumps(values))
    refused(f"recording {gone['recording']} of .* is not in build.json", folder)


def test_what_is_no_dataset_of_psgimg_is_refused(tmp_path, folder):
    refused("has no build.json; use a finished folder of `psgimg build`", tmp_path)
    refused("folder ./not/here/at-all not found", "./not/here/at-all")
    refused("leave the revision out", folder, revision="main")
    (folder / "build.json").write_text("{")
    refused("build.json is damaged", folder)


# The Hub


@pytest.fixture
def hub(tmp_path):
    with signed_in(tmp_path / "home") as server:
        yield server


def test_a_split_on_the_hub_is_that_of_the_folder_and_no_other_is_fetched(
    hub, built, folder, tmp_path
):
    pushed(folder, "alice/pages")
    hub.requests.clear()
    found = page_set.load("alice/pages", None, "test")
    local = page_set.load(str(built[0]), None, "test")
    assert [found.page(row) for row in found.rows] == [local.page(row) for row in local.rows]
    every = range(len(found.pictures))
    assert found.pictures.read(every) == local.pictures.read(every)
    copies = {path.resolve() for path in (tmp_path / "home").rglob("*") if path.suffix == ".arrow"}
    assert not copies, "the files as they came in are read, without a second copy"
    assert found.source.revision == hub.repo("alice/pages").head.sha
    fetched = {r.path for r in hub.requests if r.path.endswith(".parquet")}
    assert fetched
    assert all("/test-" in path for path in fetched)


def test_what_the_hub_does_not_have_is_refused_in_one_line(hub, folder):
    pushed(folder, "alice/pages")
    refused("alice/none is neither a folder nor a visible dataset on the Hub", "alice/none")
    refused("alice/pages has no revision v9", "alice/pages", revision="v9")
    refused("alice/pages has no split 'dev'", "alice/pages", split="dev")


def test_what_was_fetched_once_opens_without_the_hub(hub, folder, monkeypatch):
    pushed(folder, "alice/pages")
    online = page_set.load("alice/pages", None, "test")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    offline = page_set.load("alice/pages", None, "test")
    assert offline.source == online.source
    refused("alice/other is not a folder, and can't be downloaded from the Hub", "alice/other")
    refused("can.t be downloaded from the Hub", "alice/pages", split="train")
