"""import psgimg: what it promises, in the units of MNE and YASA, and nothing loaded before it is used."""

import subprocess
import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import tiny
from progress import Remembered
from psgimg.builder import unscored_night
from psgimg.builder.build import build
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.files import picture
from psgimg.builder.recordings.formats import memory
from psgimg.builder.stages import STAGE_NAMES
from psgimg.builder.unscored import notebook

import psgimg

HEAVY = ("numpy", "matplotlib", "mne", "scipy", "pandas", "torch", "datasets", "PIL")
NAMES = ["C4-M1", "O2-M1", "F4-M1", "E1-M2", "E2-M2", "Chin1-Chin2"]
SFREQ = 128.0


@pytest.fixture
def noise_uv():
    """Ten minutes of six channels."""
    return np.random.default_rng(0).normal(0, 20, (6, int(600 * SFREQ)))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A dataset of a few short nights."""
    place = tmp_path_factory.mktemp("surface")
    tiny.write_shhs(place / "shhs", n_subjects=3, visits=(1,))
    split = {"splits": "1/1/1", "seed": 3, "trim_min": None}
    config = BuildConfig(("shhs",), (str(place / "shhs"),), place / "out", **split)
    build(config, Remembered())
    return config.out


def raw_of(data_uv, kinds="eeg", sfreq=SFREQ):
    mne = pytest.importorskip("mne")
    info = mne.create_info(NAMES, sfreq, kinds)
    return mne.io.RawArray(data_uv * 1e-6, info, verbose="error")


def test_import_loads_nothing_heavy_and_lists_what_is_promised():
    code = (
        "import sys, psgimg; names = dir(psgimg); "
        f"print([name for name in {HEAVY} if name in sys.modules], names)"
    )
    found = subprocess.run(
        [sys.executable, "-P", "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert found.startswith("[] [")
    for name in ("draw_page", "draw_pages", "read_pages", "read_predictions", "stage"):
        assert repr(name) in found


def test_every_promised_name_can_be_had():
    for name in psgimg.__all__:
        assert getattr(psgimg, name).__doc__


def test_a_raw_in_volts_and_an_array_in_microvolts_give_the_same_page(noise_uv):
    of_raw = psgimg.draw_page(raw_of(noise_uv), 60.0)
    of_array = psgimg.draw_page(noise_uv, 60.0, sfreq=SFREQ, ch_names=NAMES)
    assert of_raw.size == (896, 448)
    assert np.array_equal(of_raw, of_array)
    assert not np.array_equal(
        of_raw, psgimg.draw_page(10 * noise_uv, 60, sfreq=SFREQ, ch_names=NAMES)
    )


def test_a_raw_that_was_saved_gives_the_pages_of_its_file(noise_uv, tmp_path):
    raw = raw_of(noise_uv)
    raw.set_meas_date(datetime(2020, 1, 2, 22, 30, tzinfo=UTC))
    path = tmp_path / "night_raw.fif"
    raw.save(path, fmt="double", verbose="error")
    night = unscored_night.open_night(path, notebook.Look().recipe())
    of_file = [np.asarray(picture.decode(png)) for _, png in unscored_night.pages(night)]
    found = list(psgimg.draw_pages(raw))
    assert [page.epoch for page in found] == list(range(20))
    assert [page.onset_s for page in found] == [30.0 * number for number in range(20)]
    for page, expected in zip(found, of_file, strict=True):
        assert np.array_equal(np.asarray(page.image), expected)
    assert notebook.signals(raw).start == night.start == datetime(2020, 1, 2, 22, 30)


def test_a_page_drawn_alone_is_that_of_the_night(noise_uv):
    raw = raw_of(noise_uv)
    pages = {page.onset_s: page.image for page in psgimg.draw_pages(raw)}
    assert np.array_equal(pages[90.0], psgimg.draw_page(raw, 90.0))


def test_no_page_is_drawn_across_time_that_was_skipped(noise_uv):
    raw = raw_of(noise_uv)
    raw.annotations.append(100.0, 10.0, "BAD_ACQ_SKIP")
    assert {page.epoch for page in psgimg.draw_pages(raw)} == set(range(20)) - {3}
    with pytest.raises(psgimg.RecordingError, match="raw"):
        psgimg.draw_page(raw, 95.0)


def test_channels_that_are_no_voltages_are_not_drawn(noise_uv):
    raw = raw_of(noise_uv, kinds=["eeg", "eeg", "eeg", "eog", "eog", "temperature"])
    file = notebook.signals(raw)
    assert file.unit(0) == "µV"
    assert "not in V" in str(file.fault(5))
    assert psgimg.draw_page(raw, 0).size == (896, 448)


@pytest.mark.parametrize(
    ("data", "options", "said"),
    [
        (np.zeros((6, 9000)), {}, "give a mne.io.Raw, or an array"),
        (np.zeros(9000), {"sfreq": 128, "ch_names": NAMES}, "give .n_channels, n_samples."),
        (np.zeros((5, 9000)), {"sfreq": 128, "ch_names": NAMES}, "shape .5, 9000. and 6 ch_names"),
        (np.zeros((6, 9000)), {"sfreq": 0, "ch_names": NAMES}, "sfreq 0: give the samples per sec"),
        (np.zeros((6, 100)), {"sfreq": 128, "ch_names": NAMES}, "array has no 1 s"),
        (np.zeros((6, 9000)), {"sfreq": 128, "ch_names": list("abcdef")}, "no EEG|--channel"),
        (np.full((6, 9000), np.nan), {"sfreq": 128, "ch_names": NAMES}, "not finite"),
    ],
)
def test_what_can_not_be_drawn_is_refused_in_one_line(data, options, said):
    with pytest.raises((psgimg.BuildError, psgimg.RecordingError), match=said) as refused:
        psgimg.draw_page(data, 0.0, **options)
    assert "\n" not in str(refused.value)


def test_channels_can_be_named_and_mains_are_checked(noise_uv):
    names = ["a", *NAMES[1:]]
    look = psgimg.Look(channels={"C4": "a"})
    found = psgimg.draw_page(noise_uv, 0, look, sfreq=SFREQ, ch_names=names)
    assert np.array_equal(found, psgimg.draw_page(noise_uv, 0, sfreq=SFREQ, ch_names=NAMES))
    with pytest.raises(psgimg.BuildError, match="give 50 or 60"):
        psgimg.draw_page(noise_uv, 0, psgimg.Look(mains_hz=55), sfreq=SFREQ, ch_names=NAMES)


def test_axes_name_lanes_and_seconds(noise_uv):
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    image = psgimg.draw_page(noise_uv, 0, sfreq=SFREQ, ch_names=NAMES, ax=ax)
    shown = np.asarray(ax.images[0].get_array())
    assert np.array_equal(shown, image)
    assert [label.get_text() for label in ax.get_yticklabels()][:2] == ["F4-M1", "C4-M1"]
    assert ax.get_xlim() == (0, 30)


def test_the_first_sample_of_a_cropped_raw_is_time_0(noise_uv):
    raw = raw_of(noise_uv)
    raw.set_meas_date(datetime(2020, 1, 2, 22, 30, tzinfo=UTC))
    cropped = raw.copy().crop(60, 300)
    assert memory.of_raw(cropped).start == datetime(2020, 1, 2, 22, 31)
    assert memory.of_raw(cropped).duration_s == pytest.approx(240, abs=0.01)


def test_pages_of_a_dataset_are_a_table_with_pictures(built):
    pages = psgimg.read_pages(built, "test")
    table = pages.table
    assert len(pages) == len(table) > 0
    assert list(table) == ["corpus", "subject", "recording", "epoch", "label", "label_2"]
    assert set(table["label"]) <= set(STAGE_NAMES)
    assert pages.image(0).size == (896, 448)
    with pytest.raises(IndexError):
        pages.image(len(pages))


def test_predictions_are_a_table_in_which_a_stage_may_be_missing(tmp_path):
    path = tmp_path / "theirs.csv"
    path.write_text(
        "recording,epoch,label,prediction\nb,1,W,R\na,2,N2,\na,1,N1,Wake\n", encoding="utf-8"
    )
    found = psgimg.read_predictions(path)
    assert found[["recording", "epoch", "label"]].to_numpy().tolist() == [
        ["a", 1, "N1"],
        ["a", 2, "N2"],
        ["b", 1, "W"],
    ]
    assert found["prediction"].fillna("none").tolist() == ["W", "none", "REM"]
    with pytest.raises(psgimg.BuildError, match="labels="):
        psgimg.read_predictions(path, source="yasa")


@pytest.mark.parametrize(
    "hypnogram",
    [
        ["W", "N1", "N2", "n3", "R", "REM", "", None, "UNS"],
        [0, 1, 2, 3, 4, 4.0, -1, -2, np.nan],
        np.array([0, 1, 2, 3, 4, 4, -1, -2, -1]),
    ],
)
def test_statistics_are_of_names_or_numbers(hypnogram):
    found = psgimg.sleep_statistics(hypnogram)
    assert (found.trt_min, found.tst_min, found.unscored_min) == (4.5, 2.5, 1.5)
    assert found.stage_min == {"W": 0.5, "N1": 0.5, "N2": 0.5, "N3": 0.5, "REM": 1.0}
    assert psgimg.sleep_statistics(hypnogram, epoch_s=20).trt_min == 3.0


@pytest.mark.parametrize("value", ["N5", 7, 2.5, object()])
def test_what_is_no_stage_is_named(value):
    with pytest.raises(psgimg.BuildError, match="is no stage; use W"):
        psgimg.sleep_statistics(["W", value])


def test_statistics_of_a_yasa_hypnogram_agree_where_both_define_alike():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yasa = pytest.importorskip("yasa")
        stages = ["WAKE"] * 4 + ["N1"] * 2 + ["N2"] * 9 + ["WAKE"] + ["REM"] * 5 + ["WAKE"] * 3
        theirs = yasa.Hypnogram(stages, n_stages=5)
        expected = theirs.sleep_statistics()
    found = psgimg.sleep_statistics(theirs)
    assert found.tst_min == expected["TST"]
    assert found.trt_min == expected["TIB"]
    assert found.sol_min == expected["SOL"]
    assert found.waso_in_spt_min == expected["WASO"]


def test_the_surface_is_documented():
    page = (Path(__file__).parents[2] / "docs" / "notebook.md").read_text(encoding="utf-8")
    for name in psgimg.__all__:
        assert f"`{name}" in page, name
