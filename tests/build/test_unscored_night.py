"""New night: a lab's own recording gives the very pages that a corpus's recording would."""

import io
from datetime import datetime

import mne
import numpy as np
import pytest
from PIL import Image
from psgimg.builder import night as corpus_night
from psgimg.builder.corpora import demo
from psgimg.builder.corpora.registry import corpus
from psgimg.builder.dataset.page_spec import PageSpec
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.recordings.edf import open_edf
from psgimg.builder.recordings.montage import MONTAGES
from psgimg.builder.render.recipe import Recipe
from psgimg.builder.render.style_choice import load_style
from psgimg.builder.unscored_night import UnscoredPage, open_night, pages
from raw_edf import RawChannel, onsets, write_raw
from tiny_edf import Channel, channels, night, write_psg

AASM = Recipe(MONTAGES["aasm"], load_style("clinical"))
LABELS = ["F4-M1", "C4-M1", "O2-M1"]


def lab(path, labels=LABELS, *, n_epochs=4, sfreq_hz=100, kind="eeg", more=()):
    write_psg(path, [*channels(labels, sfreq_hz, kind), *more], night(n_epochs))
    return path


def fif(path, edf, *, marks=()):
    """An EDF's samples as FIF, with marks (onset, duration, text)."""
    file = open_edf(edf)
    info = mne.create_info(list(file.labels), float(file.sfreqs_hz[0]), "eeg")
    samples = [file.read_uv(number) * 1e-6 for number in range(len(file.labels))]
    raw = mne.io.RawArray(np.array(samples), info, verbose="error")
    if marks:
        raw.set_annotations(mne.Annotations(*zip(*marks, strict=True)))
    raw.save(path, fmt="double", verbose="error")
    return path


def drawn(path, recipe=AASM, **options):
    return list(pages(open_night(path, recipe, **options)))


def pixels(picture):
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(int)


def same_as_built(source, root, recipe, trim_min):
    """Number of pages of a corpus's first recording that a build draws with the same bytes."""
    known = corpus(source)
    recording = next(iter(known.recordings(root)))
    spec = PageSpec(recipe, trim_min=trim_min)
    rows, _ = corpus_night.draw(corpus_night.plan(known, recording, spec), spec)
    built = {row["onset_s"]: row["image"]["bytes"] for row in rows}
    for page, picture in pages(open_night(recording.signal, recipe)):
        if page.onset_s in built:
            assert built.pop(page.onset_s) == picture
        if not built:
            break
    assert not built
    return len(rows)


@pytest.fixture(scope="module")
def demo_night(tmp_path_factory):
    root = tmp_path_factory.mktemp("demo")
    demo.write(root, n_subjects=1)
    return root


@pytest.mark.parametrize("style", ["clinical", "sleepvlm"])
def test_pages_are_those_of_a_build_to_the_byte(demo_night, style):
    recipe = Recipe(MONTAGES["aasm"], load_style(style))
    assert same_as_built("demo", demo_night, recipe, 30.0) > 150


def test_pages_of_a_real_night_are_those_of_a_build_to_the_byte(real_recordings):
    recipe = Recipe(MONTAGES["sleep-edf"], load_style("clinical"))
    assert same_as_built("sleep-edf", real_recordings / "sleep-edf", recipe, 30.0) == 841


def test_every_30_s_from_the_first_sample_are_a_page(tmp_path):
    write_psg(tmp_path / "a.edf", channels(LABELS, 100), night(5), start_s=17.0)
    opened = open_night(tmp_path / "a.edf", AASM)
    assert opened.epochs == tuple(UnscoredPage(number) for number in range(5))
    assert opened.left_out == {"at the signal's edge": 1}
    assert [page for page, _ in pages(opened)] == list(opened.epochs)
    assert opened.duration_s == 167
    assert opened.start == datetime(1985, 1, 1, 22)


def test_numbers_go_on_through_a_gap_and_pages_in_it_are_counted(tmp_path):
    whole = lab(tmp_path / "a.edf", n_epochs=8)
    path = fif(tmp_path / "a_raw.fif", whole, marks=[(100, 30, "BAD_ACQ_SKIP")])
    opened = open_night(path, AASM)
    assert [page.epoch for page in opened.epochs] == [0, 1, 2, 5, 6, 7]
    assert opened.left_out == {"in a gap": 2}
    assert len(list(pages(opened))) == 6


def test_another_format_shows_the_same_pages(tmp_path):
    whole = lab(tmp_path / "a.edf")
    for (page, picture), (other, again) in zip(
        drawn(whole), drawn(fif(tmp_path / "a_raw.fif", whole)), strict=True
    ):
        assert page == other
        assert np.mean(pixels(picture) != pixels(again)) < 1e-4  # of one level, by float rounding


def test_a_channel_by_hand_gives_the_page_that_its_name_would(tmp_path):
    named = drawn(lab(tmp_path / "a.edf"))
    strange = lab(tmp_path / "b.edf", ["EEG 1", "EEG 2", "EEG 3"])
    by_hand = {"F4": "EEG 1", "C4-A1": "EEG 2", "O2-M1": "EEG 3"}
    assert drawn(strange, channels=by_hand) == named


def test_a_difference_by_hand_is_that_of_the_two_channels(tmp_path):
    path = lab(tmp_path / "a.edf", ["x", "A1"])
    referential = lab(tmp_path / "b.edf", ["C4", "A1"])
    assert drawn(path, channels={"C4": "x,A1"}) == drawn(referential)


def test_a_lane_that_is_not_there_is_told_and_drawn_as_absent(tmp_path):
    eeg = drawn(lab(tmp_path / "a.edf"))
    chin = lab(tmp_path / "b.edf", more=[Channel("EMG chin", 200, "emg")])
    opened = open_night(chin, AASM)
    assert opened.notes == tuple(f"lane {name} is absent: not in the file" for name in ("E1", "E2"))
    assert [d.name if d else None for d in opened.derivations][3:] == [None, None, "Chin"]
    differs = (pixels(eeg[0][1]) != pixels(next(pages(opened))[1])).any(axis=(1, 2))
    height = len(differs)
    assert differs[-height // 7 :].any()  # the chin's strip
    assert not differs[: height // 2].any()


def test_hum_is_taken_out_at_the_mains_frequency_of_the_place(tmp_path):
    path = tmp_path / "hum_raw.fif"
    time_s = np.arange(0, 120, 1 / 256)
    slow = 60 * np.sin(2 * np.pi * time_s)
    info = mne.create_info(["Chin", "C4-M1"], 256, "eeg")
    hum = 50 * np.sin(2 * np.pi * 60 * time_s)
    mne.io.RawArray(np.array([hum, slow]) * 1e-6, info, verbose="error").save(path, verbose="error")
    there = pixels(drawn(path, mains_hz=60.0)[1][1])
    elsewhere = pixels(drawn(path, mains_hz=50.0)[1][1])
    strip = slice(-len(there) // 8, None)
    assert (elsewhere[strip] < 128).sum() > 3 * (there[strip] < 128).sum()


def test_flat_eeg_is_refused_when_it_is_drawn(tmp_path):
    opened = open_night(lab(tmp_path / "a.edf", kind="other"), AASM)
    with pytest.raises(
        RecordingError, match=r"flat EEG: a\.edf: every EEG lane \(F4-M1, C4-M1, O2"
    ):
        next(pages(opened))


def test_less_than_a_page_is_refused(tmp_path):
    write_psg(tmp_path / "a.edf", channels(LABELS, 100), ["W"], epoch_s=29.0)
    with pytest.raises(BuildError, match=r"a\.edf lasts 29 s and has no 30 s without a gap"):
        open_night(tmp_path / "a.edf", AASM)


def test_a_recording_without_a_page_between_drifting_records_says_that_they_drift(tmp_path):
    times_s = [0.99 * i for i in range(200)]
    write_raw(tmp_path / "a.edf", [RawChannel("C4-M1", 128)], blocks=onsets(times_s))
    with pytest.raises(
        BuildError, match=r"no 30 s without a gap \(the start times of records drift"
    ):
        open_night(tmp_path / "a.edf", AASM)


def test_a_given_channel_in_another_unit_is_refused(tmp_path):
    path = lab(tmp_path / "a.edf", more=[Channel("Pleth", 100, unit="%")])
    with pytest.raises(
        BuildError,
        match=r"--channel E1=Pleth can't be used: a\.edf, channel 'Pleth' is in '%', not in V",
    ):
        open_night(path, AASM, channels={"E1": "Pleth"})


def test_a_file_without_unit_is_taken_as_microvolts_and_says_so(tmp_path):
    write_psg(tmp_path / "a.edf", [Channel("C4-M1", 100, unit="")], night(2))
    assert "unit missing, µV assumed" in open_night(tmp_path / "a.edf", AASM).notes


def test_a_header_without_a_date_gives_no_start(tmp_path):
    path = lab(tmp_path / "a.edf")
    content = bytearray(path.read_bytes())
    content[168:184] = b"xx.xx.xxyy.yy.yy"
    path.write_bytes(content)
    assert open_night(path, AASM).start is None


def test_a_real_recording_of_90_channels_is_found_by_its_labels(real_recordings):
    path = real_recordings / "odd" / "rsleep-noxturnal-subject1.edf"
    opened = open_night(path, AASM, channels={"chin": "1-2"})
    names = [derivation.name for derivation in opened.derivations]
    assert names == ["F4-M1", "C4-M1", "O2-M1", "E1-M2", "E2-M2", "Chin1-Chin2"]
    assert len(list(pages(opened))) == 4
