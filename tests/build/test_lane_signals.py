"""Lanes: whoever has the recordings of a dataset gets the signals that its pages show."""

import json
import shutil

import numpy as np
import pytest
import tiny
from builds import rows, run
from psgimg.builder import lane_signals
from psgimg.builder.dataset import build_report
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings import edf
from psgimg.builder.render.page import Page

WRITERS = {
    "isruc": lambda root: tiny.write_isruc(root, n_subjects=1, minutes=4),
    "mass": lambda root: tiny.write_mass(root, (2, 3), minutes=4),  # epochs of 20 s, and of 30 s
    "sleep-edf": lambda root: tiny.write_sleep_edf(root, n_subjects=1, minutes=4),
}


@pytest.fixture(scope="module", params=WRITERS)
def built(request, tmp_path_factory):
    root = tmp_path_factory.mktemp(request.param)
    WRITERS[request.param](root)
    out = root.parent / f"{request.param}-images"
    run(out, root, request.param, style="paper")
    return out, root


def found(out, root):
    build = build_report.read(out)
    names = [(fact["corpus"], fact["recording"]) for fact in build["recordings"]]
    return lane_signals.find(
        build, lane_signals.on_disk({name for name, _ in names}, [str(root)]), names
    )


def pictures(origin):
    """The pages of a recording, drawn from its lanes."""
    read = lane_signals.read(origin, sfreq_hz=origin.spec.recipe.sfreq_hz, filtered=True)
    absent = [name is None for name in read.signals.lanes]
    page = Page(
        origin.spec.recipe.style, origin.spec.recipe.montage, absent, read.signals.envelopes
    )
    return [page.png(page_uv) for page_uv in read.pages_uv()], read


def test_pages_drawn_from_lanes_are_those_of_the_dataset(built):
    out, root = built
    for (_, recording), origin in found(out, root).items():
        drawn, read = pictures(origin)
        there = [row for row in rows(out) if row["recording"] == recording]
        assert drawn == [row["image"]["bytes"] for row in there]
        assert [epoch.index for epoch in read.epochs] == [row["epoch"] for row in there]
        assert [epoch.stage for epoch in read.epochs] == [row["label"] for row in there]
        assert list(read.signals.lanes) == there[0]["lanes"]


def test_lanes_of_a_corrupted_twin_are_corrupted(tmp_path):
    WRITERS["isruc"](tmp_path / "isruc")
    out = tmp_path / "twin"
    told = {"style": "paper", "splits": "0/0/100", "corrupt": ("hum:uv=30",)}
    run(out, tmp_path / "isruc", "isruc", **told)
    (_, recording), origin = next(iter(found(out, tmp_path / "isruc").items()))
    assert pictures(origin)[0] == [
        row["image"]["bytes"] for row in rows(out) if row["recording"] == recording
    ]


def test_lanes_may_be_had_as_recorded(tmp_path):
    WRITERS["sleep-edf"](tmp_path / "root")
    run(tmp_path / "out", tmp_path / "root", "sleep-edf", style="paper")
    for origin in found(tmp_path / "out", tmp_path / "root").values():
        read = lane_signals.read(origin, sfreq_hz=100.0, filtered=False)
        file = edf.open_edf(origin.recording.signal)
        recorded = file.read_uv(file.labels.index("EEG Fpz-Cz"))
        for epoch, page_uv in zip(read.epochs, read.pages_uv(), strict=True):
            first = round(epoch.page_start_s * 100)
            np.testing.assert_allclose(page_uv[0], recorded[first : first + 3000], atol=1e-4)


def test_a_lane_that_was_not_recorded_is_nan_and_not_live(tmp_path):
    tiny.write_shhs(tmp_path / "root", n_subjects=1, visits=(1,), minutes=4)
    run(tmp_path / "out", tmp_path / "root", montage="aasm", style="paper")
    (origin,) = found(tmp_path / "out", tmp_path / "root").values()
    read = lane_signals.read(origin, sfreq_hz=100.0, filtered=True)
    assert read.kinds == ("eeg", "eeg", "eeg", "eog", "eog", "emg")
    assert read.live == (False, True, False, True, True, True)
    there = np.isfinite(read.pages_uv())
    assert there[:, read.live].all()
    assert not there[:, ~np.array(read.live)].any()


def test_a_recording_that_is_not_here_is_named(built, tmp_path):
    out, root = built
    elsewhere = tmp_path / "root"
    shutil.copytree(root, elsewhere)
    build = build_report.read(out)
    key = ("isruc", "not-here")
    with pytest.raises(
        BuildError, match=r"1 of 1 recordings .* such as not-here of isruc; use the"
    ):
        lane_signals.find(build, found_on(build, elsewhere), [key])


def test_another_signal_under_the_same_name_is_refused(built, tmp_path):
    out, root = built
    elsewhere = tmp_path / "root"
    shutil.copytree(root, elsewhere)
    build = build_report.read(out)
    here = found_on(build, elsewhere)
    key, (_, recording) = sorted(here.items(), key=lambda item: item[0])[0]
    with recording.signal.open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)
        file.seek(-1, 2)
        file.write(bytes([last[0] ^ 1]))
    with pytest.raises(
        BuildError, match=rf"^{recording.signal.name} differs from the file that .*again$"
    ):
        lane_signals.find(build, here, [key])


def found_on(build, root):
    return lane_signals.on_disk({fact["corpus"] for fact in build["recordings"]}, [str(root)])


def test_a_dataset_of_another_psgimg_is_not_guessed_at(built):
    out, root = built
    build = json.loads((out / build_report.FILE).read_text())
    build["recipe"]["version"] = 0
    with pytest.raises(BuildError, match="install the psgimg that wrote the recipe"):
        lane_signals.find(build, found_on(build, root), [])
