"""Treatments: what was done to each lane is said in ``build.json``, by build, check and the card."""

import io
import json
import shutil

import edfio
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.dataset import validate
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.builder.render.layout import MARK_PX, boxes
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.terminal import build_commands
from pyarrow import parquet
from tiny_lab import DESCRIPTION, describe, write_lab

CHANNELS = {
    "EEG C4-A1": "M1-C4",
    "EEG C3-A2": "C3-M2",
    "EOG left": "E1-M2",
    "EMG submental": "Chin",
}
"""As described: C4 the other way round, and nothing of the right eye."""


def in_millivolt(path, label):
    edf = edfio.read_edf(path)
    signals = [
        edfio.EdfSignal(
            one.data / (1000 if one.label == label else 1),
            one.sampling_frequency,
            label=one.label,
            physical_dimension="mV" if one.label == label else one.physical_dimension,
            physical_range=tuple(
                limit / (1000 if one.label == label else 1)
                for limit in (one.physical_min, one.physical_max)
            ),
        )
        for one in edf.signals
    ]
    edfio.Edf(signals, data_record_duration=edf.data_record_duration).write(path)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    place = tmp_path_factory.mktemp("lab")
    write_lab(place / "recordings", minutes=6)
    in_millivolt(place / "recordings" / "P002" / "night1.edf", "EMG submental")
    describe(place / "my-lab.yaml", channels=CHANNELS)
    (place / "narrow.yaml").write_text("base: clinical\neeg: {scale_uv: 20}\n")
    return place


def config(lab, out, **options):
    return BuildConfig((str(lab / "my-lab.yaml"),), (), out, **options)


@pytest.fixture(scope="module")
def built(lab):
    build(config(lab, lab / "out", style=str(lab / "narrow.yaml")), Remembered())
    return lab / "out"


def treated(out):
    recordings = json.loads((out / "build.json").read_text())["recordings"]
    return {one["subject"]: one["treatments"] for one in recordings}


def test_each_lane_says_why_it_is_absent_inverted_or_rescaled(built):
    for subject, units in (("P001", {}), ("P002", {"rescaled": ["recorded in mV"]})):
        c4, _, e1, e2, chin = treated(built)[subject]
        assert c4["inverted"] == ["recorded the other way round"]
        assert e2 == {"absent": "not in the file"}
        assert "absent" not in e1
        assert {key: chin[key] for key in chin if key != "clipped"} == units


def test_pages_are_counted_as_clipped_if_they_bear_a_mark(built):
    values = json.loads((built / "build.json").read_text())
    recipe = Recipe.from_dict(values["recipe"])
    places = boxes(recipe.style, recipe.montage)
    counted = np.zeros((2, len(places)), int)
    for path in sorted(built.rglob("*.parquet")):
        for row in parquet.read_table(path).to_pylist():
            page = np.asarray(Image.open(io.BytesIO(row["image"]["bytes"])).convert("L"))
            for i, box in enumerate(places):
                edges = (
                    slice(box.top + 1, box.top + 1 + MARK_PX),
                    slice(box.bottom - MARK_PX, box.bottom),
                )
                marked = any((page[edge] == 0).all(axis=0).any() for edge in edges)
                counted[int(row["subject"] == "P002"), i] += marked
    said = [[lane.get("clipped", 0) for lane in treated(built)[name]] for name in ("P001", "P002")]
    assert counted.tolist() == said
    assert min(said[0][:2]) > 0


def test_a_style_that_clips_nothing_counts_nothing(lab, tmp_path):
    for style in ("paper", "sleepvlm"):
        build(config(lab, tmp_path / style, style=style, limit=1), Remembered())
        lanes = [lane for lanes in treated(tmp_path / style).values() for lane in lanes]
        assert not any("clipped" in lane for lane in lanes)
        assert "pages clipped" not in (tmp_path / style / "README.md").read_text()


def test_two_workers_count_the_same(lab, built, tmp_path):
    style = str(lab / "narrow.yaml")
    build(config(lab, tmp_path / "out", style=style, workers=2), Remembered())
    assert treated(tmp_path / "out") == treated(built)


def test_the_card_counts_what_was_done(built):
    text = (built / "README.md").read_text()
    lanes = treated(built)
    n_clipped = sum(lanes[name][0]["clipped"] for name in lanes)
    line = next(line for line in text.splitlines() if line.startswith("| C4 |"))
    assert line.startswith(f"| C4 | 0 | 2 | 0 | {n_clipped} of ")
    assert "- C4: inverted in 2 of 2 (recorded the other way round)." in text
    assert "- E2: absent in 2 of 2 (not in the file)." in text
    assert "- chin: rescaled in 1 of 2 (recorded in mV)." in text


def test_check_and_build_print_what_was_done(lab, tmp_path):
    source = ["--source", str(lab / "my-lab.yaml")]
    checked = CliRunner().invoke(build_commands.check, source).output
    drawn = CliRunner().invoke(build_commands.build, [*source, "--out", str(tmp_path / "o")])
    for said in (checked, drawn.output):
        assert "lane C4: inverted in 2 of 2 (recorded the other way round)" in said
        assert "lane E2: absent in 2 of 2 (not in the file)" in said
        assert "lane chin: rescaled in 1 of 2 (recorded in mV)" in said


def test_an_electrode_that_stands_elsewhere_is_no_missing_channel(lab, tmp_path):
    channels = {**DESCRIPTION["channels"], "EEG C4-A1": None, "EOG right": "E2-M1"}
    path = describe(
        lab / "left.yaml", channels={k: v for k, v in channels.items() if v}, name="left-lab"
    )
    montage = tmp_path / "twice.yaml"
    montage.write_text(
        "lanes:\n- C3-M2\n- {name: any, derivations: [C4-M1, C3-M2]}\n- {name: EOG, derivations: [E1-M2]}\n"
    )
    build(BuildConfig((str(path),), (), tmp_path / "out", montage=str(montage)), Remembered())
    assert treated(tmp_path / "out")["P001"][1] == {
        "absent": "its electrode stands in another lane"
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lanes: lanes.pop(), "treatments has 4 entries, not 5"),
        (lambda lanes: lanes[0].update(absent="why"), "treatments.0. and lanes disagree"),
        (lambda lanes: lanes[3].pop("absent"), "treatments.3. and lanes disagree"),
        (lambda lanes: lanes[3].update(clipped=1), "absent lane and says that it was changed"),
        (lambda lanes: lanes[0].update(clipped=999), "clipped is 999, of"),
        (lambda lanes: lanes[0].update(clipped=-1), "clipped"),
        (lambda lanes: lanes[0].update(inverted="yes"), "inverted"),
    ],
)
def test_treatments_that_no_build_wrote_are_refused(built, tmp_path, change, said):
    out = shutil.copytree(built, tmp_path / "out")
    values = json.loads((out / "build.json").read_text())
    change(values["recordings"][0]["treatments"])
    (out / "build.json").write_text(json.dumps(values))
    with pytest.raises(BuildError, match=said):
        validate.values(out)
