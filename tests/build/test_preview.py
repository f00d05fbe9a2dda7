"""Preview: the very page that a build or a staging draws, or the reason why neither does."""

from dataclasses import replace

import edfio
import mne
import numpy as np
import pytest
import tiny
from builds import rows, run
from psgimg.builder.corpora import registry
from psgimg.builder.corpora.registry import corpus
from psgimg.builder.errors import BuildError, PsgimgError, RecordingError
from psgimg.builder.files.picture import decode
from psgimg.builder.preview import PreviewConfig, preview
from psgimg.builder.recordings.montage import MONTAGES
from psgimg.builder.render import named_page
from psgimg.builder.render.layout import boxes
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.render.style_choice import load_style
from psgimg.builder.unscored_night import open_night, pages
from tiny_edf import Channel, channels, discontinuous, night, write_psg

LABELS = ["F4-M1", "C4-M1", "O2-M1"]


@pytest.fixture
def out(tmp_path):
    return tmp_path / "page.png"


def with_gap(path, gap_s=(100, 160), duration_s=250):
    """A recording that stops for some seconds; the second half is counted from the gap's end."""
    noise = np.random.default_rng(0).normal(0, 20, duration_s * 128)
    signal = edfio.EdfSignal(noise, 128, label="C4-M1")
    edfio.Edf([signal], annotations=[edfio.EdfAnnotation(0, None, "x")]).write(path)
    discontinuous(path, {gap_s[0]: float(gap_s[1])})
    return path


@pytest.mark.parametrize(
    ("source", "write"),
    [
        ("shhs", lambda root: tiny.write_shhs(root, n_subjects=1, visits=(1,), minutes=4)),
        ("hmc", lambda root: tiny.write_hmc(root, n_subjects=1, minutes=4)),  # scored from 60 s on
    ],
    ids=["shhs", "hmc"],
)
def test_preview_draws_or_refuses_every_epoch_as_a_build_does(source, write, tmp_path, out):
    ((recording, scores),) = write(tmp_path / "root").items()
    run(tmp_path / "built", tmp_path / "root", source, trim_min=None)
    built = {row["epoch"]: row["image"]["bytes"] for row in rows(tmp_path / "built")}
    config = PreviewConfig(None, source, str(tmp_path / "root"), recording, out=out)
    drawn, refused = set(), set()
    for number in range(len(scores) + 2):
        if number in built:
            preview(replace(config, epoch=number))
            assert out.read_bytes() == built[number]
            drawn.add(number)
        else:
            reason = r"\((movement|unscored|not in the scoring)\)"
            with pytest.raises(BuildError, match=rf"a build leaves out epoch {number} {reason}"):
                preview(replace(config, epoch=number))
            refused.add(number)
    assert drawn == set(built)
    assert refused


def test_an_epoch_of_20_s_stands_in_the_middle_of_its_page(tmp_path, out):
    ((recording, _),) = tiny.write_mass(tmp_path / "root", (2,), minutes=4).items()
    config = PreviewConfig(None, "mass", str(tmp_path / "root"), recording, epoch=3, out=out)
    assert preview(config).title.endswith("68.5 to 98.5 s")  # its epoch begins at 73.5 s


def test_an_epoch_beyond_the_scoring_is_refused_and_the_nearest_is_named(tmp_path, out):
    ((recording, scores),) = tiny.write_hmc(tmp_path / "root", n_subjects=1, minutes=4).items()
    config = PreviewConfig(None, "hmc", str(tmp_path / "root"), recording, epoch=999, out=out)
    last = len(scores) + 1  # scored from 60 s on
    with pytest.raises(BuildError, match=rf"epoch 999 \(not in the scoring\); .* such as {last}$"):
        preview(config)
    assert not out.exists()


def test_a_recording_that_the_distributor_calls_wrong_is_refused(tmp_path, out, monkeypatch):
    ((recording, _),) = tiny.write_hmc(tmp_path / "root", n_subjects=1, minutes=4).items()
    wrong = replace(corpus("hmc"), absent={recording: "two nights in one file"})
    monkeypatch.setattr(registry, "corpus", lambda name: wrong)
    monkeypatch.setattr(registry, "corpora", lambda names: (wrong,))
    with pytest.raises(RecordingError, match=r"listed as wrong .* two nights in one file"):
        preview(PreviewConfig(None, "hmc", str(tmp_path / "root"), recording, out=out))


def test_a_page_of_a_file_is_the_one_that_staging_draws(tmp_path, out):
    path = tmp_path / "a.edf"
    write_psg(path, channels(LABELS, 100), night(4))
    recipe = Recipe(MONTAGES["aasm"], load_style("clinical"))
    for page, picture in pages(open_night(path, recipe)):
        preview(PreviewConfig(path, epoch=page.epoch, out=out))
        assert out.read_bytes() == picture


def test_preview_opens_other_formats_than_edf(tmp_path, out):
    info = mne.create_info(["C4-M1"], 128, "eeg")
    samples = np.random.default_rng(0).normal(0, 20e-6, (1, 90 * 128))
    mne.io.RawArray(samples, info, verbose="error").save(tmp_path / "a_raw.fif", verbose="error")
    preview(PreviewConfig(tmp_path / "a_raw.fif", epoch=2, out=out))
    assert out.exists()


@pytest.mark.parametrize("number", [3, 4, 5])
def test_a_page_in_a_gap_is_refused(number, tmp_path, out):
    path = with_gap(tmp_path / "gap.edf")
    start_s = 30 * number
    with pytest.raises(RecordingError, match=rf"gap\.edf: the 30 s from {start_s} s lie in a gap"):
        preview(PreviewConfig(path, epoch=number, out=out))
    assert not out.exists()


def test_pages_on_both_sides_of_a_gap_are_drawn(tmp_path, out):
    path = with_gap(tmp_path / "gap.edf")
    for number in (2, 6):
        preview(PreviewConfig(path, epoch=number, out=out))


def test_less_than_a_whole_page_at_the_end_is_refused(tmp_path, out):
    write_psg(tmp_path / "a.edf", channels(LABELS, 100), night(4), start_s=17.0)
    preview(PreviewConfig(tmp_path / "a.edf", epoch=3, out=out))
    with pytest.raises(BuildError, match=r"lasts 137 s, 4 pages; use --epoch 0 to 3"):
        preview(PreviewConfig(tmp_path / "a.edf", epoch=4, out=out))


@pytest.mark.parametrize(
    ("kinds", "unit", "message"),
    [
        ({"C4-M1": "other"}, "uV", r"flat EEG: a\.edf: every EEG lane \(C4-M1\)"),
        (
            {"Chin": "emg"},
            "uV",
            r"no usable EEG: a\.edf has the channels (EMG c|C)hin, .*--montage",
        ),
        ({"C4-M1": "eeg"}, "%", r"no usable EEG: a\.edf, channel '(EEG )?C4-M1' is in '%'"),
    ],
    ids=["flat", "no EEG", "unit"],
)
@pytest.mark.parametrize("source", ["", "demo"])
def test_a_file_that_a_build_sets_aside_is_refused(source, kinds, unit, message, tmp_path, out):
    known = {"Chin": "EMG chin", **{name: f"EEG {name}" for name in LABELS}} if source else {}
    inputs = [Channel(known.get(label, label), 100, kind, unit) for label, kind in kinds.items()]
    write_psg(tmp_path / "a.edf", inputs, night(2))
    with pytest.raises(PsgimgError, match=message):
        preview(PreviewConfig(tmp_path / "a.edf", source, out=out))
    assert not out.exists()


def bipolar(path, labels=("EEG 1", "EEG 2"), hum_hz=50.0):
    """A recording whose labels no convention knows, with hum of the mains."""
    rng, t = np.random.default_rng(0), np.arange(120 * 256) / 256
    signals = [
        edfio.EdfSignal(
            rng.normal(0, 15, len(t)) + 60 * np.sin(2 * np.pi * hum_hz * t), 256, label=label
        )
        for label in labels
    ]
    edfio.Edf(signals).write(path)
    return path


def test_channels_are_assigned_as_for_staging(tmp_path, out):
    path = bipolar(tmp_path / "a.edf")
    with pytest.raises(
        RecordingError, match=r"no usable EEG: .*or assign a channel to a lane: --channel"
    ):
        preview(PreviewConfig(path, out=out))
    with pytest.raises(RecordingError, match='--channel Fpz-Cz="LABEL"'):  # a lane that is there
        preview(PreviewConfig(path, montage="sleep-edf", out=out))
    given = {"C4-M1": "EEG 1,EEG 2", "F4": "EEG 1"}
    page = preview(PreviewConfig(path, channels=given, epoch=1, out=out))
    assert dict(page.lanes)["C4"] == "C4-M1"
    recipe = Recipe(MONTAGES["aasm"], load_style("clinical"))
    staged = dict(pages(open_night(path, recipe, channels=given)))
    assert out.read_bytes() == next(png for at, png in staged.items() if at.epoch == 1)


def test_the_mains_frequency_is_that_of_the_option(tmp_path, out):
    path = bipolar(tmp_path / "a.edf", ["Chin1-Chin2", "C4-M1"], hum_hz=60.0)
    drawn = {}
    for mains_hz in (None, 50.0, 60.0):
        preview(PreviewConfig(path, mains_hz=mains_hz, out=out))
        drawn[mains_hz] = out.read_bytes()
    assert drawn[None] == drawn[50.0] != drawn[60.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mains_hz": 55.0}, "--mains 55: give 50 or 60"),
        ({"channels": {"C4": "x"}, "edf": None}, "--channel and --mains go with a file"),
        ({"mains_hz": 60.0, "edf": None}, "--channel and --mains go with a file"),
        ({"channels": {"C4": "x"}, "source": "hmc"}, "leave out --source"),
        ({"channels": {"C9": "EEG 1"}}, "--channel: no lane 'C9'"),
        ({"channels": {"C4": "EEG 7"}}, "has no channel 'EEG 7'; it has 'EEG 1', 'EEG 2'"),
    ],
)
def test_an_assignment_that_makes_no_sense_is_refused(options, message, tmp_path, out):
    path = bipolar(tmp_path / "a.edf")
    with pytest.raises(BuildError, match=message):
        preview(PreviewConfig(**{"edf": path, "out": out, **options}))


@pytest.mark.parametrize("style", ["clinical", "paper", "sleepvlm"])
def test_the_lanes_are_named_beside_the_page_and_not_in_it(style, tmp_path, out):
    path = tmp_path / "a.edf"
    write_psg(path, channels(LABELS, 100), night(4))
    page = preview(PreviewConfig(path, style=style, epoch=1, out=out))
    assert page.named == out.with_name("page-named.png")
    alone, named = decode(out.read_bytes()).convert("RGB"), decode(page.named.read_bytes())
    zoom = max(
        1, -(-36 // min(b.bottom - b.top for b in boxes(load_style(style), MONTAGES["aasm"])))
    )
    large = alone.resize((zoom * alone.width, zoom * alone.height), 0)
    left = named_page.NAME_PX
    assert named.crop((left, 0, left + large.width, large.height)).tobytes() == large.tobytes()
    margin = np.asarray(named.crop((0, 0, left, large.height)).convert("L"))
    rows = np.flatnonzero((margin < 200).any(axis=1))
    for box in boxes(load_style(style), MONTAGES["aasm"]):
        assert ((rows > zoom * box.top) & (rows < zoom * box.bottom)).any()


def test_another_file_in_the_place_of_the_named_page_is_not_replaced(tmp_path, out):
    path = tmp_path / "a.edf"
    write_psg(path, channels(LABELS, 100), night(4))
    mine = out.with_name("page-named.png")
    mine.write_text("notes")
    with pytest.raises(BuildError, match=r"page-named\.png"):
        preview(PreviewConfig(path, out=out))
    assert mine.read_text() == "notes"
    assert not out.exists()
