"""The dataset card says what the shards hold, and ``load_dataset`` believes it."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import show_card
from datasets import ClassLabel, load_dataset
from datasets import Image as ImageFeature
from datasets.info import DatasetInfosDict
from huggingface_hub import DatasetCard
from PIL import Image
from psgimg.builder import words
from psgimg.builder.building import shard_files, shard_plan
from psgimg.builder.card import card_metadata, contact_sheet, dataset_card, release_notes
from psgimg.builder.card.release_notes import Release, Revision
from psgimg.builder.dataset import build_report, placements, shards
from psgimg.builder.dataset.build_report import SetAside
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.dataset.schema import FEATURES, SPLITS
from psgimg.builder.render.page import Page
from psgimg.builder.signals.epoching import PAGE_S
from psgimg.builder.stages import STAGE_NAMES, Stage

CYCLE = [
    "W",
    "W",
    "W",
    "N1",
    "N1",
    "N1",
    "N2",
    "N2",
    "N2",
    "N2",
    "N2",
    "W",
    "N2",
    "N3",
    "N3",
    "N3",
    "N1",
    "REM",
    "REM",
    "REM",
    "W",
]
LANES = ("F4-M1", "C4-M1", "O2-M1", "E1-M2", "E2-M2", "Chin")


@dataclass(frozen=True)
class Night:
    """What a fake recording is like."""

    recording: str
    corpus: str = "demo"
    subject: str = ""
    stages: tuple[str, ...] = tuple(CYCLE)
    absent: tuple[int, ...] = ()
    epoch_s: float = 30.0
    left_out: dict[str, int] = field(default_factory=lambda: {"movement": 1, "trimmed": 12})
    notes: tuple[str, ...] = ()


NOTES = ("unit missing", "/nas/sleep lab/I.rec | ends <early>")
NIGHTS = (
    *(Night(f"demo-{i:02}") for i in range(1, 9)),
    Night("I-001", "isruc", stages=tuple(CYCLE * 3), absent=(0,), notes=NOTES),
    Night("II-002-1", "isruc", "II-002", epoch_s=20.0),
    Night("II-002-2", "isruc", "II-002", epoch_s=20.0),
)
ASIDE = [
    SetAside(
        "isruc", f"III-{i:03}", "truncated EDF", f"/nas/sleep lab/III-{i:03}.rec | ends <early>"
    )
    for i in range(23)
] + [SetAside("demo", "demo-99", "no scoring", "demo-99 has a signal but no scoring file")]


def add(out: Path, *nights: Night) -> None:
    recipe = CONFIG.recipe()
    for number, night in enumerate(nights):
        absent = [i in night.absent for i in range(len(LANES))]
        page = Page(recipe.style, recipe.montage, absent, [False] * len(LANES))
        random = np.random.default_rng([number, *night.recording.encode()])
        lanes = [None if gone else name for name, gone in zip(LANES, absent, strict=True)]
        rows = [
            {
                "image": {"bytes": page.png(_samples(random)), "path": None},
                "label": int(Stage[stage]),
                "corpus": night.corpus,
                "subject": night.subject or night.recording,
                "recording": night.recording,
                "epoch": i,
                "onset_s": i * night.epoch_s,
                "label_2": None,
                "lanes": lanes,
            }
            for i, stage in enumerate(night.stages)
        ]
        facts = {
            **{key: rows[0][key] for key in ("corpus", "subject", "recording", "lanes")},
            "kin": rows[0]["subject"],
            "scorer": "",
            "epoch_s": night.epoch_s,
            "stages": {name: night.stages.count(name) for name in STAGE_NAMES},
            "left_out": night.left_out,
            "gaps": 0,
            "unscored_signal_s": 0.0,
            "notes": list(night.notes),
            "flat": [],
            "envelopes": [],
            "treatments": [{} if lane else {"absent": "not in the file"} for lane in lanes],
        }
        shards.write_part(out, rows, facts)


def _samples(random: np.random.Generator) -> np.ndarray:
    return random.normal(0, 20, (len(LANES), 6000)).astype(np.float32)


def placed(facts, config) -> dict[shards.Key, str]:
    policy = config.split_policy()
    return placements.of_recordings(facts, policy.place(placements.persons(facts)), policy)


def finish(out: Path, set_aside: list[SetAside] = ASIDE, **options) -> build_report.Report:
    """What a build does once the recordings are drawn."""
    config = BuildConfig(("demo", "isruc"), out=out, **options)
    done = shards.finished(out)
    split_of = placed([one.facts for one in done.values()], config)
    shard_files.publish(out, shard_plan.plan(done.values(), split_of))
    result = build_report.collect(config, set_aside, split_of)
    dataset_card.write(out, result)
    return result


CONFIG = BuildConfig(("demo", "isruc"))


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    add(folder, *NIGHTS)
    finish(folder)
    return folder


@pytest.fixture(scope="module")
def rows(out) -> list[dict]:
    tables = [
        (path, pq.read_table(path, columns=["corpus", "subject", "recording", "label", "epoch"]))
        for path in sorted((out / "data").rglob("*.parquet"))
    ]
    return [
        {**row, "split": path.name.partition("-")[0], "stage": STAGE_NAMES[row["label"]]}
        for path, table in tables
        for row in table.to_pylist()
    ]


def readme(out: Path) -> str:
    return (out / "README.md").read_text(encoding="utf-8")


def table(text: str, first_cell: str) -> list[dict[str, str]]:
    """The lines of the card's table whose head begins with a cell."""
    lines = text[text.index(f"\n| {first_cell} |") + 1 :].split("\n\n", maxsplit=1)[0].splitlines()
    head, _, *body = [
        [cell.strip(" *") for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines
    ]
    return [dict(zip(head, line, strict=True)) for line in body]


def number(cell: str) -> int:
    return int(cell.replace(",", ""))


# what the card says


def test_contents_equal_the_shards(out, rows):
    *lines, total, _ = table(readme(out), "corpus")
    seen = set()
    for line in lines:
        seen.add((line["corpus"], line["split"]))
        here = [
            row
            for row in rows
            if row["split"] == line["split"] and line["corpus"] in ("all", row["corpus"])
        ]
        _assert_counts(line, here)
    assert {(row["corpus"], row["split"]) for row in rows} | {
        ("all", row["split"]) for row in rows
    } == seen
    _assert_counts(total, rows)


def _assert_counts(line, here):
    counts = Counter(row["stage"] for row in here)
    assert {stage: number(line[stage]) for stage in STAGE_NAMES} == {
        stage: counts[stage] for stage in STAGE_NAMES
    }
    assert number(line["pictures"]) == len(here)
    assert number(line["recordings"]) == len({(r["corpus"], r["recording"]) for r in here})
    assert number(line["subjects"]) == len({(r["corpus"], r["subject"]) for r in here})


def test_shares_of_the_stages_are_of_all_pictures(out, rows):
    *_, shares = table(readme(out), "corpus")
    for stage in STAGE_NAMES:
        n = sum(row["stage"] == stage for row in rows)
        assert shares[stage] == f"{100 * n / len(rows):.1f}&nbsp;%"


def test_first_paragraph_counts_pictures_recordings_and_subjects(out, rows):
    subjects = {(row["corpus"], row["subject"]) for row in rows}
    assert f"{len(rows)} pictures" in readme(out)
    assert f"{len(NIGHTS)} recordings of {len(subjects)} subjects" in readme(out)


def test_epochs_left_out_are_counted_by_reason_and_corpus(out):
    lines = {line.pop("reason"): line for line in table(readme(out), "reason")}
    for reason in ("movement", "trimmed"):
        for corpus in ("demo", "isruc"):
            n = sum(night.left_out[reason] for night in NIGHTS if night.corpus == corpus)
            assert number(lines[reason][corpus]) == n


def test_recordings_set_aside_are_counted_and_the_first_listed(out):
    section = readme(out).split("could not be used")[1].split("\n## ")[0]
    lines = table(section, "reason")
    assert {line["reason"]: number(line["recordings"]) for line in lines} == {
        "truncated EDF": 23,
        "no scoring": 1,
    }
    listed = re.findall(r"^- (demo|isruc) ", section, re.M)
    assert len(listed) == dataset_card.N_LISTED
    assert f"and {len(ASIDE) - len(listed)} more" in section


def test_recordings_set_aside_are_listed_with_their_reason_and_no_text_of_their_files(out):
    assert "- isruc III-000: truncated EDF\n" in readme(out)
    assert "III-000.rec" not in readme(out)


def test_text_from_files_cannot_break_the_card_or_name_a_folder(out):
    assert r"lab/I.rec \| ends &lt;early>" in readme(out)
    assert "/nas/" not in readme(out)
    assert str(out) not in readme(out)


def test_every_column_and_lane_is_explained(out):
    text = readme(out)
    assert [line["column"].strip("`") for line in table(text, "column")] == list(FEATURES)
    assert all(line["meaning"] for line in table(text, "column"))
    names = [lane.name for lane in CONFIG.recipe().montage.lanes]
    assert [line["lane"].split("*")[0].split()[0] for line in table(text, "lane")] == names


def test_a_lane_that_recordings_lack_is_named_with_their_number(out):
    n = sum(0 in night.absent for night in NIGHTS)
    assert (
        f"- {n} recording of {len(NIGHTS)}: F4 not recorded or not usable, drawn hatched."
        in readme(out)
    )
    assert f"F4-M1 ({len(NIGHTS) - n})" in readme(out)


def test_scoring_in_20_s_is_told_with_its_context(out):
    n = sum(night.epoch_s == 20 for night in NIGHTS)
    assert f"{n} recordings: scored in epochs of 20 s" in readme(out)
    assert f"{(PAGE_S - 20) / 2:g} s of signal on either side" in readme(out)


def test_synthetic_and_restricted_corpora_are_announced_before_the_first_heading(out):
    head = readme(out).split("\n## ")[0]
    assert "**Synthetic.** The signals of `demo`" in head
    assert "**Restricted.** The terms of `isruc`" in head


def test_an_empty_split_is_named_with_a_remedy(tmp_path):
    add(tmp_path, NIGHTS[0])
    result = finish(tmp_path, [], splits="100/0/0")
    assert result.empty_splits == ["validation", "test"]
    assert (
        "**Empty: validation, test.** Its share is too small for one of these subjects"
        in readme(tmp_path)
    )
    assert "No recording was set aside" in readme(tmp_path)
    loaded = load_dataset(str(tmp_path), cache_dir=str(tmp_path / "cache"))
    assert list(loaded) == ["train"]


def test_a_split_that_one_corpus_of_a_mixture_lacks_is_named(out, rows):
    absent = [s for s in SPLITS if not any((r["corpus"], r["split"]) == ("isruc", s) for r in rows)]
    assert absent
    named = ", ".join(f"{split} of isruc" for split in absent)
    assert f"**Empty: {named}.**" in readme(out)


# the head, as the Hub reads it


def test_head_is_valid_for_the_hub(out, rows):
    data = DatasetCard.load(out / "README.md").data
    assert data.size_categories == ["n<1K"]
    assert data.task_categories == ["image-classification"]
    assert data.license == "other"
    assert data.license_link.startswith("https://")
    assert "ISRUC" in data.extra_gated_prompt
    assert [config["config_name"] for config in data.configs] == ["all", "demo", "isruc"]
    for info in data.dataset_info:
        for split in info["splits"]:
            n = sum(
                row["split"] == split["name"] and info["config_name"] in ("all", row["corpus"])
                for row in rows
            )
            assert split["num_examples"] == n
    files = sum(path.stat().st_size for path in (out / "data").rglob("*.parquet"))
    assert next(i for i in data.dataset_info if i["config_name"] == "all")["download_size"] == files


def test_sizes_and_features_in_the_head_are_those_that_datasets_writes(out):
    data = DatasetCard.load(out / "README.md").data
    infos = DatasetInfosDict.from_dataset_card_data(data)
    assert infos["all"].features.to_dict() == FEATURES
    written = data.dataset_info
    del data.dataset_info
    infos.to_dataset_card_data(data)
    assert data.dataset_info == written


def test_an_open_corpus_alone_keeps_its_licence_and_needs_no_gate(tmp_path):
    add(tmp_path, NIGHTS[0])
    finish(tmp_path)
    data = DatasetCard.load(tmp_path / "README.md").data
    assert data.license == "cc0-1.0"
    assert data.annotations_creators == ["machine-generated"]
    assert "extra_gated_prompt" not in data.to_dict()


@pytest.mark.parametrize(
    ("n", "category"),
    [(1, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (99_999, "10K<n<100K"), (10**6, "1M<n<10M")],
)
def test_size_category_holds_the_number_of_rows(n, category):
    assert card_metadata._size(n) == category


# load_dataset


def test_load_dataset_opens_all_corpora_by_default(out, rows, tmp_path):
    loaded = load_dataset(str(out), cache_dir=str(tmp_path))
    assert {split: part.num_rows for split, part in loaded.items()} == Counter(
        row["split"] for row in rows
    )
    part = loaded["train"]
    assert isinstance(part.features["image"], ImageFeature)
    assert part.features["label"] == ClassLabel(names=list(STAGE_NAMES))
    assert part[0]["image"].size == (896, 448)


def test_load_dataset_streams_one_corpus(out, rows):
    split = next(row["split"] for row in rows if row["corpus"] == "isruc")
    streamed = list(load_dataset(str(out), "isruc", split=split, streaming=True))
    assert len(streamed) == sum(r["split"] == split and r["corpus"] == "isruc" for r in rows)
    assert {row["corpus"] for row in streamed} == {"isruc"}
    assert streamed[0]["image"].size == (896, 448)


def test_a_grown_folder_is_not_loaded_from_a_stale_cache(tmp_path):
    folder, cache = tmp_path / "grown", str(tmp_path / "cache")
    add(folder, *NIGHTS[:3])
    finish(folder)
    before = sum(load_dataset(str(folder), cache_dir=cache).num_rows.values())
    add(folder, *NIGHTS[3:6])
    finish(folder)
    after = sum(load_dataset(str(folder), cache_dir=cache).num_rows.values())
    assert (before, after) == (3 * len(CYCLE), 6 * len(CYCLE))


def test_the_five_lines_of_code_on_the_card_run_and_so_do_the_two_without_a_copy(out, tmp_path):
    shutil.copytree(out, tmp_path / BuildConfig.out)
    whole, streamed = re.findall(r"```python\n(.*?)```", readme(out), re.S)
    assert [len(code.splitlines()) for code in (whole, streamed)] == [5, 2]
    assert all(whole.splitlines())
    shown = whole.splitlines()[3]
    for code, copies in (
        (f"{whole.splitlines()[0]}\n{streamed}page = next(iter(pages))\n{shown}", False),
        (whole, True),
    ):
        offline = {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env=os.environ | offline,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert re.fullmatch(r"\S+ \d+ (W|N1|N2|N3|REM)\n", done.stdout)
        assert any((tmp_path / "home").rglob("*.arrow")) is copies
    with Image.open(tmp_path / "page.png") as picture:
        assert picture.size == (896, 448)


# the pictures


def test_the_picture_of_a_stage_is_a_row_of_it_with_neighbours_of_the_same_stage(out):
    for stage in STAGE_NAMES:
        png = (out / "card" / f"{stage}.png").read_bytes()
        (group,) = [
            (labels, place)
            for path in (out / "data").rglob("*.parquet")
            for part in _row_groups(path)
            for labels in [part["label"].to_pylist()]
            for place, image in enumerate(part["image"].to_pylist())
            if image["bytes"] == png
        ]
        labels, place = group
        assert {STAGE_NAMES[label] for label in labels[place - 1 : place + 2]} == {stage}


def _row_groups(path: Path):
    file = pq.ParquetFile(path)
    return [file.read_row_group(i) for i in range(file.num_row_groups)]


def test_pictures_come_from_the_largest_corpus_first_and_from_each_in_turn(out):
    chosen = contact_sheet.choose(
        out,
        build_report.collect(BuildConfig(("demo",), out=out), [], _splits(out)).values[
            "recordings"
        ],
    )
    for pictures in chosen.values():
        assert [picture.corpus for picture in pictures] == ["demo", "isruc", "demo", "isruc"]
        assert len({picture.recording for picture in pictures}) == contact_sheet.N_COLUMNS


def _splits(out: Path) -> dict[shards.Key, str]:
    return placed([d.facts for d in shards.finished(out).values()], CONFIG)


def test_a_night_with_every_lane_is_shown_before_one_without(tmp_path):
    add(tmp_path, *(Night(f"demo-{i}", absent=() if i == 7 else (0,)) for i in range(9)))
    chosen = contact_sheet.choose(tmp_path, [d.facts for d in shards.finished(tmp_path).values()])
    assert {pictures[0].recording for pictures in chosen.values()} == {"demo-7"}


def test_neighbours_across_a_hole_in_the_scoring_do_not_count():
    labels = [2, 2, 2, 2, 2, 2]
    onsets_s = [0.0, 30.0, 60.0, 90.0, 300.0, 330.0]
    assert contact_sheet.clearest(labels, onsets_s, 30.0, "N2")[0] in (1, 2)
    assert sorted(contact_sheet.clearest(labels, onsets_s, 30.0, "N2")) == list(range(6))


def test_a_stage_that_nobody_has_leaves_its_places_blank_and_no_old_picture(tmp_path):
    add(tmp_path, Night("demo-1", stages=("W", "N2", "N2", "N2", "REM")))
    (tmp_path / "card").mkdir()
    (tmp_path / "card" / "N3.png").write_bytes(b"of an earlier build")
    finish(tmp_path)
    own = sorted(p.stem for p in (tmp_path / "card").iterdir() if "real" not in p.stem)
    assert own == ["N2", "REM", "W"]
    assert "**N3**: no epoch of this stage." in readme(tmp_path)
    with Image.open(tmp_path / "preview.png") as colours:
        sheet = colours.convert("L")
    line = (sheet.height - 2 * contact_sheet.MARGIN_PX + contact_sheet.GAP_PX) / len(STAGE_NAMES)
    column = contact_sheet.MARGIN_PX + contact_sheet.NAME_PX + contact_sheet.THUMB_PX[0] // 2
    for number, stage in enumerate(STAGE_NAMES):
        y = int(contact_sheet.MARGIN_PX + number * line)
        strip = np.asarray(sheet)[y + 5 : y + 200, column]
        assert (np.ptp(strip) == 0) == (stage in ("N1", "N3"))


def test_a_real_night_stands_beside_synthetic_pages_of_the_same_style_with_its_source(tmp_path):
    finish(add(tmp_path / "clinical", Night("demo-1")) or tmp_path / "clinical")
    assert "ODC-By 1.0" in readme(tmp_path / "clinical")
    for stage in STAGE_NAMES:
        with Image.open(tmp_path / "clinical" / "card" / f"real-{stage}.png") as page:
            assert page.size == (896, 448)


def test_no_real_night_is_borrowed_where_the_pictures_are_real(tmp_path):
    (tmp_path / "card").mkdir()
    (tmp_path / "card" / "real-N2.png").write_bytes(b"of a build of the demo alone")
    add(tmp_path, Night("demo-1"), Night("I-001", "isruc", stages=tuple(CYCLE * 2)))
    finish(tmp_path)
    shown = {path.name for path in (tmp_path / "card").iterdir()}
    assert shown == {f"{stage}.png" for stage in STAGE_NAMES}
    assert "card/real-" not in readme(tmp_path)


def test_the_sheet_is_legible_and_small(out):
    data = (out / "preview.png").read_bytes()
    assert len(data) < 1_500_000
    sheet = Image.open(io.BytesIO(data))
    assert sheet.width >= contact_sheet.N_COLUMNS * contact_sheet.THUMB_PX[0]


def test_a_long_name_is_shortened_to_its_place():
    picture = contact_sheet.Picture("isruc", "x" * 200, 123, b"")
    caption = contact_sheet._caption(picture, contact_sheet.THUMB_PX[0])
    assert caption.startswith("isruc")
    assert caption.endswith("…, epoch 123")
    assert (
        contact_sheet._font(contact_sheet.CAPTION_SIZE).getlength(caption)
        <= contact_sheet.THUMB_PX[0]
    )


# as it is seen


class Seen(HTMLParser):
    """What a browser makes of a card: headings, pictures, cells a row of each table, and the text
    outside of code.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.headings: list[int] = []
        self.pictures: list[str] = []
        self.tables: list[list[int]] = []
        self.text = ""
        self._code = 0
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        elif tag == "img":
            self.pictures.append(dict(attrs)["src"])
        elif tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append(0)
        elif tag in ("td", "th"):
            self.tables[-1][-1] += 1
        self._code += tag in CODE

    def handle_endtag(self, tag):
        self._code -= tag in CODE

    def handle_data(self, data):
        self.text += "" if self._code else data


CODE = ("code", "pre", "style")


def assert_sound(folder: Path, missing: tuple[str, ...] = ()) -> Seen:
    """Fail if a card shows its own mark-up, a ragged table, or a picture that is not there."""
    page = Seen(show_card.html(folder))
    assert not re.findall(r"^\s*\||\|\s*$|:--|\{\{|\{%|\*\*|!\[|\]\(|```|None", page.text, re.M)
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    steps = zip(page.headings, page.headings[1:], strict=False)
    assert all(after <= before + 1 for before, after in steps)
    assert all(len(set(cells)) == 1 for cells in page.tables)
    assert all((folder / picture).is_file() for picture in page.pictures)
    stages = [Path(p).stem for p in page.pictures if Path(p).stem in STAGE_NAMES]
    assert stages == [stage for stage in STAGE_NAMES if stage not in missing]
    return page


def test_the_card_as_html_has_its_pictures_whole_tables_and_no_mark_up_left(out):
    page = assert_sound(out)
    assert len(page.tables) == 6
    assert "ends <early>" in page.text


def test_code_comes_before_the_first_heading_and_the_pictures(out):
    top = readme(out).split("\n## ")[0]
    assert "```python\n" in top
    assert "![" not in top


def test_the_size_of_the_files_is_told_in_the_units_of_the_hub(out):
    n_bytes = sum(path.stat().st_size for path in (out / "data").rglob("*.parquet"))
    assert f"({n_bytes / 1e6:.0f} MB)" in readme(out)
    sizes = (999, 1000, 12_345, 51_170_780, 2_340_000_000, 1_500 * 10**12)
    assert [words.size(n) for n in sizes] == [
        "999 B",
        "1.0 kB",
        "12 kB",
        "51 MB",
        "2.3 GB",
        "1500 TB",
    ]


def test_a_title_names_few_corpora_and_counts_many():
    corpora = {name: {"title": name.upper()} for name in "abcde"}
    assert card_metadata.title({"a": corpora["a"]}).endswith(": A")
    assert card_metadata.title({name: corpora[name] for name in "abcd"}).endswith(": a, b, c, d")
    assert card_metadata.title(corpora).endswith(": 5 corpora")


@pytest.mark.skipif(show_card.CHROMIUM is None, reason="no chromium on the PATH")
def test_on_a_phone_everything_fits_in_the_width(out):
    width_px = 420
    shot = show_card.picture(out, width_px)
    assert show_card.beside(shot, width_px).getextrema() == ((255, 255),) * 3
    ink = np.asarray(shot.convert("L").crop((0, 0, width_px, shot.height))) < 128
    screens = [ink[y : y + 800].mean() for y in range(0, shot.height - 800, 800)]
    assert len(screens) > 5
    assert min(screens) > 0.005


# released


REVISIONS = (
    Revision("v1", "a" * 16, 168, 8, ("demo",), (), "first release"),
    Revision("v2", "b" * 16, 273, 11, ("demo", "isruc"), ("isruc",), "isruc | 3 nights"),
)
PRIVATE = Release("sleep-lab/psg-images", False, revisions=REVISIONS)
PERMITTED = Release(
    "sleep-lab/psg-images",
    True,
    "Dr *A* Example, letter of 12 March 2026\n| <b>ref 17</b>",
    ("isruc",),
    REVISIONS,
)
OPEN = Release("sleep-lab/psg-images", True, revisions=REVISIONS[:1])


def released(out: Path, folder: Path, release: Release, missing: tuple[str, ...] = ()) -> str:
    """A card in ``folder`` as a repository shows it, with no picture of some stages at hand."""
    config = BuildConfig(("demo", "isruc"), out=out)
    values = build_report.collect(config, ASIDE, _splits(out)).values
    result = build_report.Report({**values, release_notes.KEY: release.to_dict()})
    pictures = contact_sheet.choose(out, values["recordings"])
    examples = {stage: pictures[stage][0] for stage in STAGE_NAMES if stage not in missing}
    shutil.copytree(out, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("data"))
    (folder / "README.md").write_text(dataset_card.text(result, examples), encoding="utf-8")
    return readme(folder)


@pytest.mark.parametrize("release", [PRIVATE, PERMITTED, OPEN])
def test_release_notes_survive_json(release):
    assert Release.from_dict(json.loads(json.dumps(release.to_dict()))) == release


def test_release_notes_of_another_making_are_refused():
    values = OPEN.to_dict()
    for odd in ({**values, "more": 1}, {k: v for k, v in values.items() if k != "public"}):
        with pytest.raises((KeyError, TypeError)):
            Release.from_dict(odd)


def test_a_folder_that_was_only_built_tells_of_no_release(out):
    assert release_notes.of(build_report.collect(CONFIG, [], {}).values) is None
    assert "## Revisions" not in readme(out)


def test_a_released_card_loads_from_the_repository_and_lists_revisions_newest_first(out, tmp_path):
    text = released(out, tmp_path, PRIVATE)
    assert_sound(tmp_path)
    code = "".join(re.findall(r"```python\n(.*?)```", text, re.S))
    local = "".join(re.findall(r"```python\n(.*?)```", readme(out), re.S))
    assert code == local.replace('"psg-images"', '"sleep-lab/psg-images"')
    lines = table(text, "revision")
    assert [line["revision"] for line in lines] == ["`v2`", "`v1`"]
    assert [number(line["pictures"]) for line in lines] == [273, 168]
    assert 'load_dataset("sleep-lab/psg-images", revision="v1")' in text


def test_a_release_says_who_may_see_it_and_how(out, tmp_path):
    private = released(out, tmp_path, PRIVATE).split("\n## ")[0]
    assert "This repository is private and gated: the terms of `isruc`" in private
    assert "ask its owner, `sleep-lab`, for access" in private
    assert "repository's page" not in private  # others get 404 there
    assert "ask for it here" not in private
    assert "Published by permission" not in released(out, tmp_path, PRIVATE)
    permitted = released(out, tmp_path, PERMITTED)
    assert "**Published by permission.** The terms of `isruc`" in permitted.split("\n## ")[0]
    top = permitted.split("\n# ")[1].split("\n## ")[0]
    assert "Request access on the repository's page, then log in" in top
    assert "private" not in top


def test_a_permission_is_quoted_as_it_was_written_and_asks_no_more_of_the_reader(out, tmp_path):
    text = released(out, tmp_path, PERMITTED)
    assert "> Dr \\*A\\* Example, letter of 12 March 2026 \\| &lt;b>ref 17&lt;/b>\n" in text
    page = assert_sound(tmp_path)
    assert "Dr *A* Example, letter of 12 March 2026 | <b>ref 17</b>" in page.text
    head = DatasetCard.load(tmp_path / "README.md").data
    assert "published by permission" in head.extra_gated_prompt
    assert not any("granted" in field for field in head.extra_gated_fields)


def test_an_open_release_asks_for_nothing(tmp_path):
    add(tmp_path / "built", *NIGHTS[:3])
    finish(tmp_path / "built", [])
    shown = released(tmp_path / "built", tmp_path / "open", OPEN).split("\n# ")[1]
    assert "hf auth login" not in shown
    assert "private" not in shown
    private = released(tmp_path / "built", tmp_path / "open", replace(OPEN, public=False))
    assert "The repository is private: ask its owner, `sleep-lab`, for access" in private
    assert "then log in with `hf auth login`." in private


def test_a_release_of_more_than_is_at_hand_says_where_each_picture_is_from(out, tmp_path):
    text = released(out, tmp_path, PRIVATE, missing=("N1", "REM"))
    assert_sound(tmp_path, missing=("N1", "REM"))
    assert (
        len(re.findall(r"^<sub>`(?:demo|isruc)`, recording \S+, epoch \d+</sub>$", text, re.M)) == 3
    )
    n = sum(night.stages.count("N1") for night in NIGHTS)
    assert f"**N1**: {n} pictures, none of them available" in text


# the same, and little memory


def test_same_shards_same_bytes(out, tmp_path):
    add(tmp_path, *NIGHTS)
    finish(tmp_path)
    names = ["README.md", "preview.png", *(f"card/{stage}.png" for stage in STAGE_NAMES)]
    for name in names:
        if name != "README.md":
            assert (tmp_path / name).read_bytes() == (out / name).read_bytes()
    again = readme(tmp_path)
    dataset_card.write(
        tmp_path,
        build_report.collect(
            BuildConfig(("demo", "isruc"), out=tmp_path), ASIDE, _splits(tmp_path)
        ),
    )
    assert again == readme(tmp_path) == readme(out)


def test_only_the_nights_that_are_shown_are_opened_one_at_a_time(tmp_path, monkeypatch):
    add(
        tmp_path, *(Night(f"demo-{i:02}", stages=("W", "N1", "N2", "N3", "REM")) for i in range(30))
    )
    opened = []
    read = shards.read_column
    monkeypatch.setattr(
        shards,
        "read_column",
        lambda done, columns: opened.append((done.key, columns)) or read(done, columns),
    )
    contact_sheet.choose(tmp_path, [d.facts for d in shards.finished(tmp_path).values()])
    images = [key for key, columns in opened if "image" in columns]
    assert len(images) == len(set(images)) == contact_sheet.N_COLUMNS
    assert {key for key, _ in opened} == set(images)


def test_the_card_names_every_split_in_the_order_of_the_contract(out):
    loaded = [line["split"] for line in table(readme(out), "corpus") if line["corpus"] == "demo"]
    assert loaded == [split for split in SPLITS if split in loaded]
