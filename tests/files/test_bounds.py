"""Everything is bounded: an absurd file is one clear line within 2 s and 500 MB, a large one is read."""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from pathlib import Path

import httpx2
import openpyxl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import yaml  # noqa: F401
from limits import refusal
from PIL import Image
from psgimg.builder.command_options import read_file
from psgimg.builder.corpora import dcsm, hmc, isruc, sleep_edf
from psgimg.builder.corpora.custom import scoring_files, yaml_corpus
from psgimg.builder.corpora.custom.scoring_files import COLUMNS, ScoringForm
from psgimg.builder.corpora.nsrr import eannot, nsrr_xml
from psgimg.builder.dataset import prompts, splits, validate
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.exports import labels_only
from psgimg.builder.files import bounded, picture, yaml_file
from psgimg.builder.recordings.hypnogram import Event, from_events, from_scores, max_epochs
from psgimg.builder.recordings.montage_file import load_montage
from psgimg.builder.recordings.recording import Recording
from psgimg.builder.render.style_choice import load_style
from psgimg.builder.signals.filter_settings import load_filters
from psgimg.builder.stages import Stage
from psgimg.finetune.evaluation import predictions_file
from psgimg.finetune.inference.server import chat_completion
from psgimg.finetune.metrics import predictions
from psgimg.finetune.models.manifest import ModelFolder
from psgimg.finetune.study import grid
from tiny_edf import START, channels, night, write_annotations, write_psg

ABSURD_S = ("1e8", "1e308", "1e400", "nan", "inf", "-30", "99999999999")


def scored(read):
    """Make a reader of a recording's hypnogram a reader of its scoring file."""
    return lambda path: read(Recording("x", "x", "x", path.with_name("night.edf"), {"": path}), "")


def custom(path):
    stages = {"W": Stage.W}
    form = ScoringForm("csv", stages, (), {name: name for name in COLUMNS}, 30.0, "lab.yaml")
    return scored(lambda recording, scorer: scoring_files.read_hypnogram(form, recording, scorer))(
        path
    )


def event(start, duration):
    return (
        "<ScoredEvent><EventType>Stages|Stages</EventType><EventConcept>Wake|0</EventConcept>"
        f"<Start>{start}</Start><Duration>{duration}</Duration></ScoredEvent>"
    )


def nsrr(*events):
    inner = "".join(events)
    return f"<PSGAnnotation><ScoredEvents>{inner}</ScoredEvents></PSGAnnotation>"


TABLES = {
    "dcsm": (scored(dcsm.read_hypnogram), "{0},{1},W\n"),
    "hmc": (
        scored(hmc.read_hypnogram),
        "Recording onset,Duration,Annotation\n{0},{1},Sleep stage W\n",
    ),
    "custom": (custom, "onset,duration,stage\n{0},{1},W\n"),
    "nsrr": (nsrr_xml.read_nsrr, nsrr(event("{0}", "{1}"))),
}


@pytest.mark.parametrize("seconds", ABSURD_S)
@pytest.mark.parametrize("name", TABLES)
def test_no_recording_lasts_as_long_as_a_scoring_states(name, seconds, tmp_path):
    parse, text = TABLES[name]
    path = tmp_path / "scoring.txt"
    path.write_text(text.format("0", seconds))
    assert refusal(parse, path).startswith(("impossible scoring times", "unreadable scoring"))
    if seconds != "-30":  # a scoring may begin before the signal
        path.write_text(text.format(seconds, "30"))
        assert refusal(parse, path).startswith(("impossible scoring times", "unreadable scoring"))


@pytest.mark.parametrize("seconds", [1e8, 1e15])
def test_no_recording_lasts_as_long_as_an_annotation_states(seconds, tmp_path):
    write_psg(tmp_path / "night.edf", channels(["EEG"], 16), night(2), start=START)
    write_annotations(tmp_path / "scoring.edf", [(0.0, seconds, "Sleep stage W")])
    said = refusal(scored(sleep_edf.read_hypnogram), tmp_path / "scoring.edf")
    assert "impossible scoring times" in said


def test_many_long_runs_are_refused_before_they_become_epochs():
    runs = [Event(0.0, 30 * 86400.0, Stage.W)] * 100_000
    with pytest.raises(RecordingError, match="a recording lasts at most"):
        from_events(runs)


def test_more_epochs_than_a_recording_has_are_refused_however_they_are_listed():
    most = max_epochs(30.0)
    assert len(from_scores([Stage.W] * most)) == most
    with pytest.raises(RecordingError, match="a recording lasts at most"):
        from_scores(Stage.W for _ in range(10**12))


@pytest.mark.parametrize("name", ["dcsm", "hmc", "custom"])
def test_a_byte_order_mark_alone_is_no_scoring(name, tmp_path):
    path = tmp_path / "scoring.txt"
    path.write_bytes(b"\xef\xbb\xbf\n")
    assert "empty scoring" in refusal(TABLES[name][0], path)


def test_a_day_of_epochs_of_a_second_is_legal():
    assert len(from_scores([Stage.W] * 86_400, epoch_s=1.0)) == 86_400


def test_no_pattern_of_ignored_words_is_a_bomb(tmp_path):
    ignored = ("*a" * 20 + "*z",)
    form = ScoringForm(
        "csv", {"W": Stage.W}, ignored, {name: name for name in COLUMNS}, 30.0, "lab.yaml"
    )
    path = tmp_path / "scoring.csv"
    path.write_text("onset,duration,stage\n0,30," + "a" * 100_000)
    read = scored(lambda recording, scorer: scoring_files.read_hypnogram(form, recording, scorer))
    assert "unknown stage word" in refusal(read, path)


LONG = {
    "eannot": (scored(eannot.read_hypnogram), "wake\n" * 1_500_000),
    "isruc": (scored(isruc.read_hypnogram), "0\n" * 3_000_000),
    "dcsm": (scored(dcsm.read_hypnogram), "\n" * 7_000_000),
    "hmc": (scored(hmc.read_hypnogram), "x" * 20_000_000),
    "custom": (custom, "onset,duration,stage\n0,30," + "W" * 2_000_000),
    "profusion": (
        nsrr_xml.read_profusion,
        "<CMPStudyConfig><SleepStages>"
        + "<SleepStage>0</SleepStage>" * 400_000
        + "</SleepStages></CMPStudyConfig>",
    ),
    "nsrr": (nsrr_xml.read_nsrr, nsrr("<a/>" * 5_000_000)),
    "nsrr-attributes": (nsrr_xml.read_nsrr, nsrr('<a b="" c="" d=""/>' * 200_000)),
    "nsrr-deep": (nsrr_xml.read_nsrr, nsrr("<a>" * 400_000 + "</a>" * 400_000)),
    "nsrr-entities": (
        nsrr_xml.read_nsrr,
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>' + nsrr("&b;"),
    ),
}


@pytest.mark.parametrize("name", LONG)
def test_a_scoring_as_no_night_has_is_refused(name, tmp_path):
    parse, text = LONG[name]
    path = tmp_path / "scoring.txt"
    path.write_text(text)
    refusal(parse, path)


def sheet(parts):
    """Return an Excel table of two epochs, with some parts replaced or added."""
    book = openpyxl.Workbook()
    for row in (("Epoch", "Stage"), (1, "W"), (2, "N1")):
        book.active.append(row)
    whole = io.BytesIO()
    book.save(whole)
    with zipfile.ZipFile(whole) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content |= {name: make(content.get(name, b"")) for name, make in parts.items()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return packed.getvalue()


SHEET = "xl/worksheets/sheet1.xml"
BOOKS = {
    "blank rows": {
        SHEET: lambda xml: xml.replace(b"</sheetData>", b"<row/>" * 40_000_000 + b"</sheetData>")
    },
    "one row": {
        SHEET: lambda xml: xml.replace(
            b"<sheetData>", b"<sheetData><row>" + b"<c/>" * 3_000_000 + b"</row>"
        )
    },
    "texts": {
        "xl/sharedStrings.xml": lambda _: b"<sst>" + b"<si><t>a</t></si>" * 9_000_000 + b"</sst>"
    },
    "styles": {
        "xl/styles.xml": lambda xml: xml.replace(
            b"</cellXfs>", b"<xf/>" * 9_000_000 + b"</cellXfs>"
        )
    },
    "padding": {"docProps/x.bin": lambda _: bytes(600_000_000)},
    "many parts": {f"p{i}": lambda _: b"" for i in range(30_000)},
    "entities": {
        SHEET: lambda xml: (
            b'<!DOCTYPE x [<!ENTITY a "aa">]>' + xml.replace(b"</sheetData>", b"&a;</sheetData>")
        )
    },
}


@pytest.mark.parametrize("name", BOOKS)
def test_an_excel_table_that_expands_is_refused(name, tmp_path):
    path = tmp_path / "1_1.xlsx"
    path.write_bytes(sheet(BOOKS[name]))
    refusal(scored(isruc.read_hypnogram), path)


def test_an_excel_table_with_blank_rows_to_its_end_is_read(tmp_path):
    path = tmp_path / "1_1.xlsx"
    blank = b'<row r="1048576"/></sheetData>'
    path.write_bytes(sheet({SHEET: lambda xml: xml.replace(b"</sheetData>", blank)}))
    assert scored(isruc.read_hypnogram)(path).scores == (Stage.W, Stage.N1)


SETTINGS = {
    "style": lambda path: load_style(str(path)),
    "montage": lambda path: load_montage(str(path)),
    "filters": lambda path: load_filters(str(path)),
    "prompt": prompts.load,
    "config": lambda path: read_file(path, has_corpus=False),
    "corpus": yaml_corpus.load,
    "study": grid.read,
}
ALIASES = "a: &a [x, x]\n" + "\n".join(
    f"{after}: &{after} [{', '.join([f'*{before}'] * 9)}]"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a: &a {x: 1, y: 2}\n" + "\n".join(
    f"{after}: &{after} {{<<: [{', '.join([f'*{before}'] * 9)}]}}"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)
YAML = {
    "brackets": ("name: " + "[" * 5000, "nested too deeply"),
    "closed brackets": ("name: " + "[" * 5000 + "]" * 5000, "nested too deeply"),
    "braces": ("name: " + "{a: " * 5000, "nested too deeply"),
    "indentation": ("\n".join(" " * i + "a:" for i in range(300)), "nested too deeply"),
    "dashes": ("a:\n " + "- " * 3000 + "x", "nested too deeply"),
    "aliases": (ALIASES, "where aliases are replaced"),
    "merges": (MERGES, "where aliases are replaced"),
    "itself": ("a: &a [*a]", "contains itself"),
    "text": ("name: " + "x" * 50_000_000, "MB"),
    "list": ("name: [" + "1, " * 30_000 + "1]", "values"),
    "digits": ("width_px: " + "9" * 400, "a whole number of 400 digits"),
    "surrogate": ('name: "\\ud800"', "surrogate"),
}


@pytest.mark.parametrize(
    ("name", "bomb"),
    [*(("style", bomb) for bomb in YAML), *((name, "aliases") for name in SETTINGS)],
)
def test_no_settings_file_is_a_bomb(name, bomb, tmp_path):
    text, said = YAML[bomb]
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    assert said in refusal(SETTINGS[name], path)


def test_aliases_are_legal_and_hundreds_of_subjects_too():
    text = f"a: &a [C4-M1]\nb: *a\nc: [{', '.join(f'S{i}' for i in range(3000))}]"
    assert yaml_file.parse(text, "x")["b"] == ["C4-M1"]


def test_a_study_of_more_cells_than_anyone_trains_is_refused(tmp_path):
    factors = {f"sft.option-{i}": list(range(10)) for i in range(12)}
    path = tmp_path / "study.yaml"
    path.write_text(json.dumps({"name": "x", "grid": factors}))
    assert "1e+12 combinations" in refusal(grid.read, path)


JSONS = {
    "build.json": lambda path: validate.values(path.parent),
    "rebuild.json": lambda path: labels_only.read(path.parent),
    "psgimg.json": lambda path: ModelFolder.load(path.parent),
    "split.json": splits.read_published,
}
DOCUMENTS = {
    "brackets": "[" * 5000,
    "closed": '{"format": ' + "[" * 900 + "]" * 900 + "}",
    "objects": '{"a":' * 5000,
    "lists": "[" + "[]," * 15_000_000 + "1]",
    "text": '"' + "x" * 60_000_000 + '"',
    "digits": '{"format": ' + "9" * 100_000 + "}",
    "surrogate": '{"format": "\\udfff"}',
}


@pytest.mark.parametrize(
    ("name", "document"),
    [
        *(("build.json", document) for document in DOCUMENTS),
        *((name, document) for name in JSONS for document in ("brackets", "closed")),
    ],
)
def test_no_json_file_is_a_bomb(name, document, tmp_path):
    path = tmp_path / name
    path.write_text(DOCUMENTS[document])
    refusal(JSONS[name], path)


def test_a_split_file_is_bounded(tmp_path):
    path = tmp_path / "split.csv"
    path.write_text("subject,split\n" + "1,train\n" * 1_500_000)
    refusal(splits.read_published, path)
    path.write_text("subject,split\n1," + "x" * 200_000)
    refusal(splits.read_published, path)


def test_a_pair_of_surrogates_is_a_character():
    assert bounded.loads('"\\ud83d\\ude34"', "x") == "😴"


def answer(path):
    chat_completion.parsed(httpx2.Response(200, content=path.read_bytes()), "http://x")


@pytest.mark.parametrize("document", ["brackets", "objects", "lists", "text"])
def test_no_answer_of_a_server_is_a_bomb(document, tmp_path):
    path = tmp_path / "answer"
    path.write_text(DOCUMENTS[document])
    refusal(answer, path)


ROW = {
    "corpus": "shhs",
    "subject": "s",
    "recording": "r",
    "epoch": 1,
    "label": "W",
    "prediction": "W",
    "raw": "W",
}


def write_text(path, n_rows, n_bytes, column="raw", kind=None):
    """Write rows that repeat one long text."""
    columns = {name: pa.array([value] * n_rows) for name, value in ROW.items()}
    indices = pa.array([0] * n_rows, pa.int32())
    text = pa.array([b"x" * n_bytes], kind or pa.binary())
    columns[column] = pa.DictionaryArray.from_arrays(indices, text)
    pq.write_table(pa.table(columns), path, compression="zstd", store_schema=False)


def write_lists(path, n_rows, n_values):
    """Write rows with a list of the same long length each."""
    columns = {name: pa.array([value] * n_rows) for name, value in ROW.items()}
    ends = pa.array(range(0, (n_rows + 1) * n_values, n_values), pa.int32())
    columns["p_W"] = pa.ListArray.from_arrays(ends, pa.nulls(n_rows * n_values, pa.float32()))
    pq.write_table(pa.table(columns), path)


def sparse(path, n_bytes):
    path.touch()
    os.truncate(path, n_bytes)


TABLE_BOMBS = {
    "rows.parquet": lambda path: pq.write_table(
        pa.table({"epoch": pa.nulls(40_000_000, pa.int32())}), path
    ),
    "repeated.parquet": lambda path: write_text(path, 200_000, 1_000_000),
    "number.parquet": lambda path: write_text(path, 4_000, 1_000_000, "epoch"),
    "fixed.parquet": lambda path: write_text(path, 4_000, 1_000_000, kind=pa.binary(1_000_000)),
    "lists.parquet": lambda path: write_lists(path, 100, 500_000),
    "long.parquet": lambda path: write_text(path, 1, 100_000_000),
    "sparse.csv": lambda path: sparse(path, 10**12),
    "sparse.jsonl": lambda path: sparse(path, 10**12),
    "nul.csv": lambda path: sparse(path, 10**9),
    "nul.jsonl": lambda path: sparse(path, 10**9),
    "columns.csv": lambda path: path.write_text("a," * 400_000 + "\n" + "1," * 400_000),
    "line.csv": lambda path: path.write_text("corpus\n" + "x" * 30_000_000),
    "line.jsonl": lambda path: path.write_text(json.dumps({"corpus": "x" * 30_000_000})),
    "brackets.jsonl": lambda path: path.write_text('{"corpus": ' + "[" * 5000),
    "nested.jsonl": lambda path: path.write_text('{"corpus": ' + "[" * 900 + "]" * 900 + "}"),
}


@pytest.mark.parametrize("name", TABLE_BOMBS)
def test_no_predictions_file_is_a_bomb(name, tmp_path):
    TABLE_BOMBS[name](tmp_path / name)
    refusal(predictions.read, tmp_path / name)
    refusal(predictions_file.read, tmp_path / name)


def test_json_lines_of_several_batches_and_types_are_one_table(tmp_path):
    path = tmp_path / "p.jsonl"
    rows = [{**ROW, "epoch": i, "label_2": None if i < 15_000 else "N1"} for i in range(25_000)]
    path.write_text("\n".join(map(json.dumps, rows)))
    read = predictions.read(path)
    assert len(read) == 25_000
    assert read.labels_2.tolist() == [-1] * 15_000 + [1] * 10_000


def huge_png(side_px):
    """Return a PNG file of one colour without compressing its pixels one by one."""
    line = zlib.compressobj(9)
    data = b"".join(line.compress(bytes(1 + side_px // 8)) for _ in range(side_px)) + line.flush()

    def chunk(kind, content):
        return (
            len(content).to_bytes(4, "big")
            + kind
            + content
            + zlib.crc32(kind + content).to_bytes(4, "big")
        )

    size = side_px.to_bytes(4, "big") * 2
    header = chunk(b"IHDR", size + bytes([1, 0, 0, 0, 0]))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def decoded(path):
    try:
        picture.decode(path.read_bytes())
    except ValueError as error:
        raise BuildError(str(error)) from error


@pytest.mark.parametrize("side_px", [4104, 13_000])
def test_a_picture_larger_than_a_page_is_refused_by_its_header(side_px, tmp_path):
    path = tmp_path / "page.png"
    path.write_bytes(huge_png(side_px))
    assert f"{side_px}x{side_px} px" in refusal(decoded, path)


@pytest.mark.parametrize("form", ["JPEG", "GIF", "TIFF", "BMP"])
def test_a_picture_that_is_no_png_is_refused(form):
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, form)
    with pytest.raises(ValueError, match="it is no PNG file"):
        picture.decode(file.getvalue())


def test_a_file_is_read_up_to_its_bound_and_no_further(tmp_path):
    path: Path = tmp_path / "x.json"
    sparse(path, 10**13)
    with pytest.raises(ValueError, match="more than 48 MB"):
        bounded.read_json(path)


def test_a_message_is_one_line_even_if_it_quotes_a_long_value():
    text = str(BuildError("file a.yaml: name is " + "x\n" * 100_000 + "; give a name"))
    assert len(text) < 2_000
    assert "\n" not in text
    assert text.startswith("file a.yaml: name is x x")
    assert text.endswith("; give a name")


@pytest.mark.parametrize("number", ["9" * 400, f"-{10**19}"])
def test_a_whole_number_of_json_that_fits_no_column_is_refused(number):
    with pytest.raises(ValueError, match="a whole number of"):
        bounded.loads(f'{{"order": [{number}]}}', "build.json")
    assert bounded.loads("[9223372036854775807, -9223372036854775808]", "x") == [
        2**63 - 1,
        -(2**63),
    ]


def test_a_text_of_parquet_that_is_not_utf8_is_refused(tmp_path):
    offsets = pa.array([0, 2], pa.int32()).buffers()[1]
    label = pa.StringArray.from_buffers(1, offsets, pa.py_buffer(b"\xc4W"))
    names = pa.array(["n1"])
    table = pa.table({"recording": names, "epoch": [0], "label": label, "prediction": ["W"]})
    pq.write_table(table, tmp_path / "p.parquet")
    with pytest.raises(BuildError, match="UTF"):
        predictions_file.read(tmp_path / "p.parquet")
