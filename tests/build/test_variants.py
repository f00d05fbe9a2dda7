"""Variants of training pages: pictures beside the pages as recorded, which no other split has."""

import json
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
import tiny
from builds import content, opened, rows, run
from hub_client import pushed, signed_in
from progress import Remembered
from psgimg.builder import build as building
from psgimg.builder.building import publishing
from psgimg.builder.card import variant_sheet
from psgimg.builder.dataset import build_report, build_schema, schema, shards
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.dataset.json_form import FormError
from psgimg.builder.errors import BuildError
from psgimg.builder.exports import imagefolder, labels_only
from psgimg.builder.placing.parts import Part
from psgimg.builder.rebuild import RebuildConfig, rebuild
from psgimg.builder.release import audit

OPTIONS = {"style": "paper", "splits": "50/25/25"}
SPECS = ("labs", "scale:factor=0.2 noise:snr_db=-10")
COLUMNS = ["variant_1", "variant_2"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    place = tmp_path_factory.mktemp("hmc-corpus")
    tiny.write_hmc(place, n_subjects=4, minutes=4)
    return place


@pytest.fixture(scope="module")
def plain(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("plain") / "out"
    run(out, root, "hmc", **OPTIONS)
    return out


@pytest.fixture(scope="module")
def built(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("varied") / "out"
    return out, run(out, root, "hmc", variants=SPECS, **OPTIONS)[1]


@pytest.fixture(scope="module")
def varied(built):
    return built[0]


def split_of(out):
    return {r["recording"]: r["split"] for r in build_report.read(out)["recordings"]}


def test_pages_for_training_alone_have_variants_and_the_page_itself_stays_as_it_is(plain, varied):
    before, after, splits = rows(plain), rows(varied), split_of(varied)
    assert [{key: row[key] for key in before[0]} for row in after] == before
    assert set(splits.values()) == {"train", "validation", "test"}
    for row in after:
        shown = [row[name] for name in COLUMNS]
        if splits[row["recording"]] != "train":
            assert shown == [None, None]
            continue
        pictures = {row["image"]["bytes"], *(one["bytes"] for one in shown)}
        assert len(pictures) == 3
        assert all(one["path"] is None for one in shown)
    was, now = build_report.read(plain), build_report.read(varied)
    assert now["recipe_hash"] == was["recipe_hash"], "a model takes both"
    assert [one["spec"] for one in now["fixed"]["variants"]][
        1
    ] == "scale:factor=0.2 noise:snr_db=-10"
    assert {r["recording"]: r.get("variants") for r in now["recordings"]} == {
        name: 2 if split == "train" else None for name, split in splits.items()
    }
    assert "ariant" not in (plain / build_report.FILE).read_text()
    assert "ariant" not in (plain / "README.md").read_text()


def test_the_cost_is_told_before_the_first_page(built):
    [note] = [note for note in built[1].notes if "variants" in note]
    assert "2 further pictures of each page of 2 training recordings" in note
    assert "drawing takes about 2.0 times as long" in note
    assert "in place of" in note


def test_datasets_and_croissant_know_the_columns(varied):
    pages = opened(varied)
    for split in pages.values():
        assert split.features.to_dict() == schema.all_features(2)
    first = pages["train"][0]
    assert first["variant_1"].size == first["image"].size
    assert pages["test"][0]["variant_1"] is None
    described = json.loads((varied / "croissant.json").read_text())
    fields = {field["name"] for one in described["recordSet"] for field in one["field"]}
    assert {"all/variant_1", "all/variant_2"} <= fields


def test_the_card_shows_the_variants_and_its_command_draws_them_again(varied):
    card = (varied / "README.md").read_text(encoding="utf-8")
    assert f"![A training page of each stage, with its variants]({variant_sheet.FILE})" in card
    assert "`variant_2`: every lane has a scaled amplitude (`scale:factor=0.2`), then every" in card
    assert (varied / variant_sheet.FILE).read_bytes().startswith(b"\x89PNG")
    command = build_report.read(varied)["command"]
    assert "--variants 'scale:factor=0.2 noise:snr_db=-10'" in command
    assert "--variants 'inverted:rate=0.5 scale:factor=0.7..1.4 hum" in command


def test_workers_parts_and_a_rebuild_give_the_same_bytes(varied, root, tmp_path):
    wanted = content(varied)
    config = BuildConfig(("hmc",), (str(root),), tmp_path / "parts", variants=SPECS, **OPTIONS)
    for number in (1, 2):
        building.build_part(replace(config, part=Part(number, 2), workers=2), Remembered())
    building.join(config, [], Remembered())
    assert content(tmp_path / "parts") == wanted
    labels_only.write(varied, tmp_path / "labels")
    table = pq.read_table(tmp_path / "labels" / labels_only.TABLE)
    assert not set(COLUMNS) & set(table.column_names)
    again = RebuildConfig(tmp_path / "labels", (str(root),), tmp_path / "again")
    result = rebuild(again, Remembered())
    assert result.fault == ""
    assert {k: v for k, v in content(tmp_path / "again").items() if k.startswith("data/")} == {
        k: v for k, v in wanted.items() if k.startswith("data/")
    }


def test_a_folder_keeps_its_variants(varied, root, tmp_path):
    with pytest.raises(BuildError, match=r"different settings \(variants\)"):
        run(varied, root, "hmc", variants=SPECS[:1], **OPTIONS)
    for option, why in (
        ({"folds": 2}, "tested on in some fold"),
        ({"corrupt": ("noise",)}, "twin"),
    ):
        with pytest.raises(BuildError, match=why):
            run(tmp_path / "new", root, "hmc", variants=SPECS, **OPTIONS, **option)


def test_who_comes_into_another_split_before_the_build_has_ended_is_drawn_again(root, tmp_path):
    out = tmp_path / "out"
    first = BuildConfig(("hmc",), (str(root),), out, variants=SPECS, **OPTIONS, limit=1)
    building.build_part(replace(first, part=Part(1, 1)), Remembered())
    [alone] = shards.finished(out).values()
    assert alone.facts["variants"] == 2, "the first person is for training"
    turned = replace(first, limit=0, split_file=None, splits="0/0/100")
    config = replace(turned, splits=OPTIONS["splits"], seed=0)
    building.build(config, Remembered())
    for done in shards.finished(out).values():
        expected = 2 if split_of(out)[done.key[1]] == "train" else None
        assert done.facts.get("variants") == expected


def test_a_recording_that_may_not_have_variants_loses_them_in_its_shard(varied, tmp_path):
    done = next(d for d in shards.finished(varied).values() if "variants" in d.facts)
    assert publishing._of_split(done, "train") is done
    stripped = publishing._of_split(done, "test")
    shards.write_shard(tmp_path / "x.parquet", stripped, [])
    [after] = shards.contents(tmp_path / "x.parquet")
    assert "variants" not in after.facts
    table = pq.read_table(tmp_path / "x.parquet")
    assert [table[name].null_count for name in COLUMNS] == [len(table)] * 2
    assert table["image"].null_count == 0


def test_variants_outside_the_training_split_are_damage(varied):
    build = build_report.read(varied)
    at = next(i for i, one in enumerate(build["recordings"]) if one["split"] == "test")
    build["recordings"][at]["variants"] = 2
    with pytest.raises(FormError, match=rf"recordings\[{at}\]\.variants is 2 in test"):
        build_schema.check(build)
    build = build_report.read(varied)
    build["fixed"]["variants"][0]["spec"] = "noise"
    with pytest.raises(FormError, match="unknown to this psgimg"):
        build_schema.check(build)


def test_the_audit_looks_at_the_pictures_of_variants_too(varied):
    build = build_report.read(varied)
    by_split = {entry["split"]: entry for entry in build["recordings"]}
    path = next(varied.glob("data/*/train-*.parquet"))
    with pq.ParquetFile(path) as file:
        table = file.read_row_group(0)
    fact = next(r for r in build["recordings"] if r["recording"] == table["recording"][0].as_py())
    audit._rows(path, table, fact)
    shown = table.set_column(
        table.schema.get_field_index("variant_2"), table.schema.field("variant_2"), table["image"]
    )
    audit._rows(path, shown, fact)
    bare = {key: value for key, value in fact.items() if key != "variants"}
    with pytest.raises(BuildError, match="variant_1 has pictures, in test"):
        audit._rows(path, table, {**bare, "split": by_split["test"]["split"]})


def test_a_repository_has_one_kind_of_variants_and_an_export_says_that_it_has_none(
    plain, varied, tmp_path
):
    with signed_in(tmp_path / "home"):
        pushed(varied, "varied")
        with pytest.raises(BuildError, match="these have none; choose another --repo-id"):
            pushed(plain, "varied")
    imagefolder.write(varied, tmp_path / "export", "train")
    assert "they are not exported" in (tmp_path / "export" / "README.md").read_text()
    table = pq.read_table(tmp_path / "export" / "train" / imagefolder.TABLE)
    assert not set(COLUMNS) & set(table.column_names)
