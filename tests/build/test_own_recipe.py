"""A montage and filters of a user's own: a build draws the derivations that their files name."""

import json

import numpy as np
import pytest
import tiny
from builds import rows, run
from click.testing import CliRunner
from progress import Remembered
from psgimg.builder import lane_signals
from psgimg.builder.cli import command_line
from psgimg.builder.corpora.registry import corpus
from psgimg.builder.dataset import build_report
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.builder.exports import labels_only
from psgimg.builder.preview import PreviewConfig, preview
from psgimg.builder.rebuild import RebuildConfig, rebuild
from psgimg.builder.recordings.edf import open_edf
from psgimg.builder.recordings.montage_file import load_montage
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.render.style import CLINICAL
from psgimg.builder.signals.filter_settings import load_filters
from psgimg.builder.unscored_night import open_night, pages
from tiny_edf import channels, night, write_psg


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """One night of SHHS (two derivations, chin and ECG) and one of MrOS (all against Fpz)."""
    root = tmp_path_factory.mktemp("corpora")
    tiny.write_shhs(root / "shhs", n_subjects=1, visits=(2,), minutes=3)
    tiny.write_mros(root / "mros", n_subjects=1, visits=(2,), minutes=3)
    return root


@pytest.fixture
def file(tmp_path):
    def write(name, text):
        path = tmp_path / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def built(out, root, source, **options):
    run(out, root / source, source, trim_min=None, style="paper", **options)
    return build_report.read(out)


def unfiltered(build, root, source, sfreq_hz):
    """The lanes of a build's first recording as they were recorded, and its file."""
    names = [(fact["corpus"], fact["recording"]) for fact in build["recordings"]]
    here = lane_signals.on_disk({source}, [str(root / source)])
    (origin,) = lane_signals.find(build, here, names).values()
    read = lane_signals.read(origin, sfreq_hz=sfreq_hz, filtered=False)
    (stretch,) = read.signals.stretches
    return read, stretch.data_uv, open_edf(origin.recording.signal)


@pytest.mark.parametrize(
    ("source", "lanes", "sfreq_hz", "drawn"),
    [
        ("shhs", "[C4-M1]", 128, {"C4-M1": ("EEG",)}),
        ("shhs", "[{kind: eeg, derivations: [M1-C4]}]", 128, {"M1-C4": ("EEG", -1)}),
        ("mros", "[C4-M2, C3-M1]", 256, {"C4-M2": ("C4", "M2"), "C3-M1": ("C3", "M1")}),
        ("mros", "[C3-C4, C4-Fpz]", 256, {"C3-C4": ("C3", "C4"), "C4-Fpz": ("C4",)}),
        (
            "shhs",
            "[C3-M2, Chin, {name: heart, kind: ecg, derivations: [ECG1-ECG2, ECG]}]",
            128,
            {"C3-M2": ("EEG(sec)",), "Chin": ("EMG",), "ECG": ("ECG",)},
        ),
    ],
    ids=["one lane", "turned over", "ipsilateral", "no mastoid", "one of each kind"],
)
def test_a_lane_shows_the_derivation_that_the_file_names(
    root, file, tmp_path, source, lanes, sfreq_hz, drawn
):
    build = built(tmp_path / "out", root, source, montage=file("mine", f"lanes: {lanes}\n"))
    read, data_uv, edf = unfiltered(build, root, source, sfreq_hz)
    assert build["recipe"]["montage"]["name"] == "mine"
    assert list(read.signals.lanes) == rows(tmp_path / "out")[0]["lanes"] == list(drawn)
    for lane_uv, (plus, *minus) in zip(data_uv, drawn.values(), strict=True):
        number = edf.labels.index(plus)
        wanted = edf.read_uv(number)[:: int(edf.sfreqs_hz[number] / sfreq_hz)]
        if minus:
            wanted = -wanted if minus == [-1] else wanted - edf.read_uv(edf.labels.index(*minus))
        if edf.sfreqs_hz[number] == sfreq_hz:
            np.testing.assert_allclose(lane_uv, wanted[: len(lane_uv)], atol=0.01)
        else:  # resampled
            assert np.corrcoef(lane_uv, wanted[: len(lane_uv)])[0, 1] > 0.95


def test_a_channel_without_reference_is_drawn_as_recorded(file, tmp_path):
    write_psg(tmp_path / "lab.edf", channels(["C4", "M1"], 100), night(2))
    montage = load_montage(file("lone", "lanes: [C4, {name: against-M1, derivations: [C4-M1]}]\n"))
    new = open_night(tmp_path / "lab.edf", Recipe(montage, CLINICAL))
    assert [one.name for one in new.derivations] == ["C4-REF", "C4-M1"]
    assert [(one.plus, one.minus) for one in new.derivations] == [(0, None), (0, 1)]
    assert len(list(pages(new))) == 2


def test_a_montage_that_a_corpus_can_not_give_is_refused_with_what_it_has(root, file, tmp_path):
    with pytest.raises(BuildError, match="no usable EEG"):
        built(tmp_path / "out", root, "shhs", montage=file("ipsi", "lanes: [C4-M2]\n"))


def test_filters_of_a_file_are_those_of_pages_lanes_and_the_recipe(root, file, tmp_path):
    mine = file("slow", "eeg: {band_hz: [0, 4]}\nnotch: false\n")
    one = file("one", "lanes: [C4-M1]\n")
    build = built(tmp_path / "out", root, "shhs", montage=one, filters=mine)
    assert build["recipe"]["filters"] == {
        "bands": {"eeg": {"low_hz": 0.0, "high_hz": 4.0}},
        "order": 4,
        "notch": False,
    }
    plain = built(tmp_path / "plain", root, "shhs", montage=one)
    assert plain["recipe_hash"] != build["recipe_hash"]
    pictures = [[row["image"]["bytes"] for row in rows(tmp_path / n)] for n in ("out", "plain")]
    assert all(ours != theirs for ours, theirs in zip(*pictures, strict=True))


def test_a_dataset_drawn_by_files_is_made_again_without_them(root, file, tmp_path):
    files = {"montage": file("one", "lanes: [C4-M1, Chin]\n"), "filters": file("f", "order: 2\n")}
    built(tmp_path / "out", root, "shhs", **files)
    labels_only.write(tmp_path / "out", tmp_path / "labels")
    for path in files.values():
        (tmp_path / path).unlink()
    config = RebuildConfig(tmp_path / "labels", (str(root / "shhs"),), tmp_path / "again")
    assert rebuild(config, Remembered()).mismatches == ()
    assert rows(tmp_path / "again") == rows(tmp_path / "out")


def test_the_command_of_a_dataset_names_its_files_without_their_folders(file):
    config = BuildConfig(
        ("demo",), montage=file("one", "lanes: [C4-M1]\n"), filters=file("slow", "order: 2\n")
    )
    assert config.command().endswith("--montage one.yaml --filters slow.yaml")


def test_a_folder_does_not_grow_by_pages_of_other_filters(root, file, tmp_path):
    one = file("one", "lanes: [C4-M1]\n")
    built(tmp_path / "out", root, "shhs", montage=one)
    with pytest.raises(BuildError, match="recipe"):
        built(tmp_path / "out", root, "shhs", montage=one, filters=file("f", "notch: false\n"))


def test_a_preview_shows_the_page_that_is_built(root, file, tmp_path):
    files = {"montage": file("one", "lanes: [C4-M1]\n"), "filters": file("f", "order: 2\n")}
    built(tmp_path / "out", root, "shhs", **files)
    row = rows(tmp_path / "out")[0]
    shown = preview(
        PreviewConfig(
            next((root / "shhs").rglob("*.edf")),
            "shhs",
            epoch=row["epoch"],
            style="paper",
            out=tmp_path / "page.png",
            **files,
        )
    )
    assert shown.lanes == (("C4-M1", "C4-M1"),)
    assert (tmp_path / "page.png").read_bytes() == row["image"]["bytes"]


def test_a_model_stages_by_the_montage_and_filters_that_its_recipe_carries(root, file, tmp_path):
    recipe = Recipe(
        load_montage(file("one", "lanes: [C4-M1]\n")),
        CLINICAL,
        load_filters(file("f", "eeg: {band_hz: [0, 4]}\n")),
    )
    carried = Recipe.from_dict(json.loads(json.dumps(recipe.to_dict())))
    assert carried == recipe
    path = next((root / "shhs").rglob("*.edf"))
    known = corpus("shhs")
    given = {"C4-M1": next(label for label, name in known.channels.items() if name == "C4-M1")}
    ours, theirs = (
        [picture for _, picture in pages(open_night(path, one, channels=given))]
        for one in (recipe, carried)
    )
    assert ours == theirs


@pytest.mark.parametrize("command", ["build", "check", "preview"])
@pytest.mark.parametrize(
    ("option", "text", "said"),
    [
        ("--montage", "lanes: [C4-M1, C4-M1]\n", "lane C4-M1 is repeated"),
        ("--filters", "emg: {band_hz: [10, 120]}\n", "emg ends at 120 Hz; at 200 samples per"),
    ],
)
def test_a_bad_file_ends_every_command_in_one_line(root, file, command, option, text, said):
    words = [command, "--source", "shhs", "--root", str(root / "shhs"), option, file("bad", text)]
    if command == "preview":
        words.append(str(next((root / "shhs").rglob("*.edf"))))
    result = CliRunner().invoke(command_line(), words)
    assert isinstance(result.exception, BuildError)
    assert said in str(result.exception)
    assert "\n" not in str(result.exception)


def test_a_config_file_takes_both(root, file, tmp_path):
    one, slow = file("one", "lanes: [C4-M1]\n"), file("slow", "order: 2\n")
    config = file(
        "config",
        f"source: shhs\nroot: {root / 'shhs'}\nmontage: {one}\nfilters: {slow}\ntrim: none\n",
    )
    out = str(tmp_path / "out")
    result = CliRunner().invoke(command_line(), ["build", "--config", config, "--out", out])
    assert result.exception is None
    recipe = build_report.read(tmp_path / "out")["recipe"]
    assert (recipe["montage"]["name"], recipe["filters"]["order"]) == ("one", 2)
