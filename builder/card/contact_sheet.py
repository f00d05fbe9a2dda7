"""Contact sheet: one image with a few pictures of each stage, to inspect before training."""

from __future__ import annotations

import hashlib
import io
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, zip_longest
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from psgimg.builder.dataset import shards
from psgimg.builder.dataset.build_json import BuiltRecording
from psgimg.builder.dataset.shards import Done, Key
from psgimg.builder.errors import BuildError
from psgimg.builder.files.picture import decode
from psgimg.builder.recordings.hypnogram import TOLERANCE_S
from psgimg.builder.stages import STAGE_NAMES, Stage

N_COLUMNS = 4
LEVELS = 16
"""Number of grey levels that the sheet is stored in: as many as a grey page has."""

THUMB_PX = (448, 336)
"""Largest size of a thumbnail, (width, height); a ``clinical`` page fits at half its size."""

MARGIN_PX, GAP_PX, NAME_PX, CAPTION_PX = 24, 16, 84, 30
NAME_SIZE, CAPTION_SIZE = 28, 18
GROUND, FRAME, EMPTY, INK, FAINT = "#ffffff", "#999999", "#f4f4f4", "#222222", "#666666"


@dataclass(frozen=True)
class Picture:
    """The picture of one row, with its corpus, recording and epoch, and the number of its variant."""

    corpus: str
    recording: str
    epoch: int
    png: bytes
    variant: int = 0


def choose(out: Path, facts: Sequence[BuiltRecording]) -> dict[str, list[Picture]]:
    """Return up to ``N_COLUMNS`` clear pictures of each stage, the first from the largest corpus.

    Recordings are chosen by their facts, so that only a few are opened, one at a time.

    Parameters
    ----------
    out
        Folder of the dataset.
    facts
        The recordings in the report.
    """
    done = shards.finished(out)
    ordered = ranked(facts)
    wanted: dict[Key, list[tuple[str, int, int]]] = defaultdict(list)
    for stage in STAGE_NAMES:
        with_stage = [fact for fact in ordered if fact["stages"][stage]]
        for place, (fact, number) in enumerate(_seats(with_stage, stage)):
            wanted[fact["corpus"], fact["recording"]].append((stage, place, number))
    pictures: dict[tuple[str, int], Picture] = {}
    for key, seats in wanted.items():
        pictures.update(_pictures(done[key], seats))
    return {
        stage: [picture for (name, _), picture in sorted(pictures.items()) if name == stage]
        for stage in STAGE_NAMES
    }


def sheet(pictures: Mapping[str, Sequence[Picture]], n_columns: int = N_COLUMNS) -> bytes:
    """Return a PNG file with one line per stage of ``n_columns`` thumbnails; missing ones are blank."""
    thumbs = {
        stage: [_thumb(picture.png) for picture in chosen] for stage, chosen in pictures.items()
    }
    every = [thumb.size for line in thumbs.values() for thumb in line]
    width, height = (max(sizes) for sizes in zip(*every, strict=True))
    page = Image.new(
        "RGB",
        (
            2 * MARGIN_PX + NAME_PX + n_columns * (width + GAP_PX) - GAP_PX,
            2 * MARGIN_PX + len(STAGE_NAMES) * (height + CAPTION_PX + GAP_PX) - GAP_PX,
        ),
        GROUND,
    )
    draw = ImageDraw.Draw(page)
    for line, stage in enumerate(STAGE_NAMES):
        y = MARGIN_PX + line * (height + CAPTION_PX + GAP_PX)
        draw.text((MARGIN_PX, y + height / 2), stage, INK, _font(NAME_SIZE), anchor="lm")
        for place in range(n_columns):
            x = MARGIN_PX + NAME_PX + place * (width + GAP_PX)
            box = (x - 1, y - 1, x + width, y + height)
            if place >= len(thumbs[stage]):
                draw.rectangle(box, fill=EMPTY)
                continue
            page.paste(thumbs[stage][place], (x, y))
            draw.rectangle(box, outline=FRAME)
            caption = _caption(pictures[stage][place], width)
            draw.text((x, y + height + 6), caption, FAINT, _font(CAPTION_SIZE))
    return _encoded(page)


def ranked(facts: Sequence[BuiltRecording]) -> list[BuiltRecording]:
    """Return the recordings in the order in which they are shown.

    Corpora alternate, the largest first. Within a corpus, recordings with all lanes come first, and
    one recording of every subject before the second of any. The rest is ordered by a hash, so that
    a recording added to a corpus seldom changes the sheet.
    """
    size: Counter[str] = Counter()
    for fact in facts:
        size[fact["corpus"]] += sum(fact["stages"].values())
    nights: Counter[Key] = Counter()
    by_corpus: dict[str, list[tuple[int, int, BuiltRecording]]] = defaultdict(list)
    for fact in sorted(facts, key=_hash):
        person = (fact["corpus"], fact["subject"])
        nights[person] += 1
        n_unusable = fact["lanes"].count(None) + len(fact["flat"])
        by_corpus[fact["corpus"]].append((n_unusable, nights[person], fact))
    queues = [
        [fact for *_, fact in sorted(by_corpus[name], key=lambda entry: entry[:2])]
        for name in sorted(by_corpus, key=lambda name: (-size[name], name))
    ]
    return [fact for fact in chain.from_iterable(zip_longest(*queues)) if fact is not None]


def _hash(fact: BuiltRecording) -> str:
    return hashlib.sha256(f"{fact['corpus']}/{fact['recording']}".encode()).hexdigest()


def _seats(ranked: Sequence[BuiltRecording], stage: str) -> list[tuple[BuiltRecording, int]]:
    """Return the recording of each place in a line, with the rank of its picture (from 0)."""
    seats: list[tuple[BuiltRecording, int]] = []
    number = 0
    while len(seats) < N_COLUMNS:
        more = [(fact, number) for fact in ranked if fact["stages"][stage] > number]
        if not more:
            break
        seats += more[: N_COLUMNS - len(seats)]
        number += 1
    return seats


def _pictures(done: Done, seats: Sequence[tuple[str, int, int]]) -> dict[tuple[str, int], Picture]:
    """Return the pictures of one recording by stage and place in the line."""
    table = shards.read_column(done, ["label", "epoch", "onset_s"]).to_pydict()
    images = shards.read_column(done, ["image"])["image"]
    corpus, recording = done.key
    pictures = {}
    for stage, place, number in seats:
        row = clearest(table["label"], table["onset_s"], done.facts["epoch_s"], stage)[number]
        png = images[row].as_py()["bytes"]
        pictures[stage, place] = Picture(corpus, recording, table["epoch"][row], png)
    return pictures


def clearest(
    labels: Sequence[int], onsets_s: Sequence[float], epoch_s: float, stage: str
) -> list[int]:
    """Return the rows of a stage, the middles of its runs first (longest run first), then the rest."""

    def run(row: int) -> tuple[int, int]:
        # In consecutive rows, time and row number advance together: their difference is constant.
        step = (onsets_s[row] + TOLERANCE_S) // epoch_s
        return labels[row], int(step) - row

    runs = [
        list(rows) for (label, _), rows in groupby(range(len(labels)), run) if label == Stage[stage]
    ]
    runs.sort(key=len, reverse=True)
    middles = [rows[len(rows) // 2] for rows in runs]
    return middles + [row for rows in runs for row in rows if row != rows[len(rows) // 2]]


def _thumb(png: bytes) -> Image.Image:
    """Return a page scaled down to fit ``THUMB_PX``."""
    try:
        small = decode(png)
    except ValueError as error:
        raise BuildError(
            f"a picture of the dataset can't be decoded ({error}); build the dataset again"
        ) from error
    small.thumbnail(THUMB_PX, Image.Resampling.LANCZOS, reducing_gap=None)
    return small


def _caption(picture: Picture, width_px: int) -> str:
    """Return corpus, recording and epoch, with a long name truncated to the width of its picture."""
    whole = name = f"{picture.corpus}  {picture.recording}"
    tail = f", epoch {picture.epoch}" + (f", variant {picture.variant}" if picture.variant else "")
    font = _font(CAPTION_SIZE)
    while (
        name and font.getlength(f"{name}{tail}" if name == whole else f"{name}…{tail}") > width_px
    ):
        name = name[:-1]
    return f"{name}{tail}" if name == whole else f"{name}…{tail}"


def _font(size_px: int) -> ImageFont.FreeTypeFont:
    """Return the font that Pillow includes, which is the same on every machine."""
    font = ImageFont.load_default(size_px)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


def _encoded(page: Image.Image) -> bytes:
    """Return the sheet as a PNG file with few colours, so that the card loads fast."""
    grey = page.convert("L")
    colourless = grey.convert("RGB").tobytes() == page.tobytes()
    small = grey.quantize(LEVELS) if colourless else page.quantize(LEVELS * LEVELS)
    file = io.BytesIO()
    small.save(file, "PNG", optimize=True)
    return file.getvalue()
