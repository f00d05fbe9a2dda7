"""A finished folder: whatever else is given for one is refused in one line that says what to do."""

import json
import shutil

import pytest
import tiny
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.dataset import validate
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.builder.exports import webdataset
from psgimg.builder.render.recipe import VERSION, digest


class Silent:
    """A build's progress that nobody watches."""

    def start(self, n_recordings, n_kept):
        pass

    def advance(self, recording, n_pictures):
        pass


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A corpus of two subjects, and the dataset of it, ``out``."""
    root = tmp_path_factory.mktemp("room")
    tiny.write_hmc(root / "hmc", n_subjects=2, minutes=5)
    built(root, root / "out")
    return root


def built(room, out):
    root = (f"hmc={room / 'hmc'}",)
    build(BuildConfig(("hmc",), root, out, style="paper", trim_min=None), Remembered())


@pytest.fixture
def folder(room, tmp_path):
    return shutil.copytree(room / "out", tmp_path / "dataset")


def said(folder):
    return json.loads((folder / "build.json").read_text())


def refused(folder, match):
    with pytest.raises(BuildError, match=match) as caught:
        validate.values(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def test_what_a_build_wrote_passes_and_says_what_it_says(folder):
    values = validate.values(folder)
    assert values == said(folder)
    validate.check_shards(folder, values, values["shards"])


def test_keys_of_a_release_and_of_a_later_psgimg_stand_beside(folder):
    values = {**said(folder), "release": {}, "more": 1}
    values["recordings"][0]["more"] = None
    (folder / "build.json").write_text(json.dumps(values))
    assert validate.values(folder) == values


# no dataset


def test_what_is_no_dataset_is_named_with_what_to_do(folder, tmp_path):
    refused(
        tmp_path / "nothing", "is not a folder; build one first: psgimg build --source NAME --out"
    )
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file", "is not a folder")
    (folder / ".psgimg").mkdir()
    refused(folder, r"not a finished build; run the same `psgimg build` again to resume")
    (folder / ".psgimg").rmdir()
    (folder / "build.json").unlink()
    refused(folder, r"not a finished build: it has no build\.json")


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        (
            "rebuild.json",
            "{}",
            r"my data contains labels only; publish it with `hf upload NAME '.*my data' --repo-type dataset`",
        ),
        ("export.json", '{"format": "sharegpt"}', "is a sharegpt export; use the folder that"),
        ("export.json", '{"format": "imagefolder"}', "is an imagefolder export; use the folder"),
        ("export.json", "[]", "is another tool's export; use the folder"),
        ("export.json", '{"format": "[red]"}', "is another tool's export; use the folder"),
    ],
)
def test_an_export_given_by_mistake_is_recognised(tmp_path, name, text, match):
    place = tmp_path / "my data"
    place.mkdir()
    (place / name).write_text(text)
    refused(place, match)


# build.json


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "is damaged"),
        ("{", "is damaged"),
        ("{}", "psgimg is missing"),
        ("[]", r"the file is \[\]"),
        ("null", "the file is null"),
        ("[" * 100_000, "is damaged"),
    ],
)
def test_a_file_that_is_no_report_is_refused(folder, text, match):
    (folder / "build.json").write_text(text)
    refused(folder, match)


def test_a_file_that_is_no_text_is_refused(folder):
    (folder / "build.json").write_bytes(b"\xff\xfe{")
    refused(folder, r"build\.json is damaged")


def places(value, path=()):
    """Where the values of a report stand, in the first entry of each list; recipes have a hash."""
    items = value.items() if isinstance(value, dict) else list(enumerate(value))[:1]
    for key, item in items:
        place = (*path, key)
        if place not in (("recipe",), ("fixed", "recipe")):
            yield place
            if isinstance(item, dict | list):
                yield from places(item, place)


def parent_of(values, place):
    for key in place[:-1]:
        values = values[key]
    return values


def full(folder):
    """A report that has an entry of every kind."""
    values = said(folder)
    values["set_aside"] = [{"corpus": "hmc", "recording": "x", "reason": "r"}]
    values["fixed"]["published_split"] = [["hmc", "SN001", "train"]]
    values["left_out"]["hmc"] = values["recordings"][0]["left_out"] = {"movement": 1}
    for key in ("flat", "envelopes", "notes"):
        values["recordings"][0][key] = ["words"]
    return values


def test_every_key_that_is_missing_is_named(folder):
    whole = full(folder)
    (folder / "build.json").write_text(json.dumps(whole))
    assert validate.values(folder) == whole
    quality = ("recordings", 0, "quality")  # of an older psgimg there is none
    polarity = ("recordings", 0, "polarity")
    hmc, parts = ("corpora", "hmc"), ("year", "journal", "volume", "number", "pages")
    of_some = {
        (*hmc, "version"),
        (*hmc, "references"),
        *((*hmc, "references", 0, p) for p in parts),
    }
    free = {("versions",), ("files",), ("left_out", "hmc"), ("recordings", 0, "left_out"), quality}
    free |= {("placements", "splits"), ("placements", "splits", "hmc")}
    n_tried = 0
    for place in places(whole):
        if (
            isinstance(place[-1], str)
            and place[:-1] not in free
            and place not in {quality, polarity, *of_some}
        ):
            values = json.loads(json.dumps(whole))
            parent_of(values, place).pop(place[-1])
            (folder / "build.json").write_text(json.dumps(values))
            refused(
                folder,
                r"build\.json is damaged or was written by another version of psgimg \(.*; build into a new",
            )
            n_tried += 1
    assert n_tried > 80


@pytest.mark.parametrize("odd", [{"odd": [None]}, True, float("nan")])
def test_every_value_of_another_type_is_refused(folder, odd):
    whole = full(folder)
    for place in places(whole):
        if place[-2:] == ("treatments", 0) and isinstance(odd, dict):
            continue  # keys of a later psgimg: an entry needs none of those it has today
        if place[-1] == "turned" and odd is True:
            continue  # the only key that is true or false
        values = json.loads(json.dumps(whole))
        parent_of(values, place)[place[-1]] = odd
        (folder / "build.json").write_text(json.dumps(values))
        refused(
            folder,
            r"build\.json is damaged or was written by another version of psgimg \(.*; build into a new",
        )


def set_recipe(values, version=VERSION):
    values["recipe"]["version"] = version
    values["recipe"].pop("sfreq_hz") if version == VERSION else None
    values["recipe_hash"] = digest(values["recipe"])


def more_epochs(values):
    """State 20 million further epochs wherever epochs of the first recording are counted."""
    fact = values["recordings"][0]
    shard = next(one for one in values["shards"] if one["split"] == fact["split"])
    for stages in (fact["stages"], values["counts"]["hmc"][fact["split"]]):
        stages["W"] += 20_000_000
    shard["rows"] += 20_000_000


def twice(values, part):
    values[part].append(values[part][0])


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda v: v["shards"][0].pop("split"), r"shards\[0\]\.split is missing"),
        (
            lambda v: v["shards"][0].update(split="dev"),
            r'shards\[0\]\.split is "dev": input should be \'train\', ',
        ),
        (lambda v: v.update(shards=[]), "shards is empty"),
        (lambda v: v.update(recordings=[]), "recordings is empty"),
        (lambda v: v.update(policy="free"), "policy is \"free\": input should be 'open' or"),
        (lambda v: v["corpora"]["hmc"].update(policy=""), 'policy is "": input should be'),
        (lambda v: v["recipe"].update(sfreq_hz=100.0), "its recipe has the hash"),
        (lambda v: v.update(recipe_hash="0" * 16), "its recipe has the hash .*, not 0000"),
        (set_recipe, "recipe.sfreq_hz is missing"),
        (lambda v: v["recordings"][0]["lanes"].pop(), r"recordings\[0\]\.lanes has \d entries"),
        (lambda v: v["recordings"][0].update(corpus="shhs"), 'recordings has the corpus "shhs"'),
        (lambda v: twice(v, "recordings"), "recordings has .* of hmc 2 times"),
        (lambda v: twice(v, "shards"), "shards has .* of hmc 2 times"),
        (lambda v: v["shards"][0].update(path="../train-0.parquet"), "not a path in the folder"),
        (lambda v: v["shards"][0].update(path="/data/hmc/train-0.parquet"), "not a path in"),
        (
            lambda v: v["shards"][0].update(path="data/shhs/train-0.parquet"),
            "does not belong to data/hmc",
        ),
        (
            lambda v: v["files"].update({"../x": v["files"]["README.md"]}),
            "not a path in the folder",
        ),
        (
            lambda v: v["shards"][0].update(rows=1),
            "its counts differ from those of the shards: hmc",
        ),
        (
            lambda v: v["counts"]["hmc"].update(dev={"W": 1}),
            r"counts\.hmc\.dev is \"dev\": input should",
        ),
        (lambda v: v["counts"]["hmc"].pop("test"), r"counts\.hmc\.test\.W is missing"),
        (
            lambda v: v["recordings"][0]["stages"].pop("N3"),
            r"recordings\[0\]\.stages\.N3 is missing",
        ),
        (
            lambda v: v["corpora"]["hmc"].update(built=-1),
            r"corpora\.hmc\.built is -1: input should",
        ),
        (lambda v: v["recordings"][0].update(epoch_s=0), r"recordings\[0\]\.epoch_s is 0: input"),
        (lambda v: v["recordings"][0].update(epoch_s=1e-6), r"recordings\[0\]\.epoch_s is 1e-06"),
        (more_epochs, r"its shards have 20,\d+,\d+ rows, more than its recordings can have"),
        (lambda v: v["shards"][0].update(rows=1.0), r"shards\[0\]\.rows is 1\.0: input should be"),
        (
            lambda v: v["files"]["README.md"].pop("bytes"),
            r'files\["README\.md"\]\.bytes is missing',
        ),
        (
            lambda v: v["fixed"]["splits"].pop(),
            r"fixed\.splits is .*: list should have at least 3 items",
        ),
    ],
)
def test_what_is_wrong_is_said(folder, change, match):
    values = said(folder)
    change(values)
    (folder / "build.json").write_text(json.dumps(values))
    refused(
        folder, rf"build\.json is damaged or was written by another version of psgimg \(.*{match}"
    )


def test_a_recipe_that_this_psgimg_does_not_draw_may_still_be_passed_on(folder):
    values = said(folder)
    set_recipe(values, VERSION + 1)
    (folder / "build.json").write_text(json.dumps(values))
    assert validate.values(folder) == values


# shards


def test_only_the_shards_that_are_wanted_are_read_and_none_may_be_unlisted(folder):
    values = validate.values(folder)
    first, *others = values["shards"]
    (folder / first["path"]).unlink()
    validate.check_shards(folder, values, others)
    with pytest.raises(
        BuildError, match=f"{first['path']} is missing; run the same `psgimg build`"
    ):
        validate.check_shards(folder, values, values["shards"])
    (folder / "data" / "more.parquet").write_bytes(b"")
    with pytest.raises(BuildError, match=r"more\.parquet is not in build\.json; move it away"):
        validate.check_shards(folder, values, others)


def test_rows_that_the_report_miscounts_are_found_even_with_the_hash_right(folder):
    values = validate.values(folder)
    values["shards"][0]["rows"] += 1
    with pytest.raises(BuildError, match=r"rows, but build\.json lists"):
        validate.check_shards(folder, values, values["shards"])


def test_a_damaged_shard_is_mended_as_the_message_says(room, folder, tmp_path):
    values = validate.values(folder)
    path = folder / values["shards"][0]["path"]
    data = bytearray(path.read_bytes())
    data[1000:3000] = bytes(2000)
    path.write_bytes(data)
    with pytest.raises(
        BuildError, match=r"SHA-256 differs\); delete it, then run the same `psgimg"
    ):
        webdataset.write(folder, tmp_path / "tars")
    path.unlink()
    built(room, folder)
    assert said(folder) == said(room / "out")
    webdataset.write(folder, tmp_path / "tars")
