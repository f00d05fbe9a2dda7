"""Every corpus: what its own layout holds comes out as it went in."""

from __future__ import annotations

import pickle
import subprocess
import sys
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st
from psgimg.builder.corpora import annotations, reading
from psgimg.builder.corpora.registry import CORPORA, corpus
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.recordings import edf
from psgimg.builder.recordings.hypnogram import Event, from_events
from psgimg.builder.recordings.montage import MONTAGES, resolve
from psgimg.builder.recordings.recording import Policy, Recording
from psgimg.builder.stages import Stage
from raw_edf import RawHeader, write_raw
from tiny_edf import START, Channel, night, write_annotations, write_psg

WRITERS = {
    "shhs": tiny.write_shhs,
    "mesa": tiny.write_mesa,
    "mros": tiny.write_mros,
    "cfs": tiny.write_cfs,
    "isruc": tiny.write_isruc,
    "mass": tiny.write_mass,
    "sleep-edf": tiny.write_sleep_edf,
    "hmc": tiny.write_hmc,
    "dcsm": tiny.write_dcsm,
    **{name: partial(tiny.write_further, name) for name in tiny.FURTHER},
}


@pytest.mark.parametrize("name", CORPORA)
def test_every_corpus_can_be_sent_to_worker_processes(name: str) -> None:
    assert pickle.loads(pickle.dumps(CORPORA[name])).name == name


@pytest.fixture(scope="module", params=WRITERS)
def tiny_corpus(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    root = tmp_path_factory.mktemp(request.param)
    return request.param, root, WRITERS[request.param](root)


def test_recordings_are_all_found_once_in_name_order_with_safe_unique_names(tiny_corpus) -> None:
    name, root, truth = tiny_corpus
    found = list(corpus(name).recordings(root))
    assert [recording.recording for recording in found] == sorted(truth)
    for recording in found:
        assert recording.corpus == name
        assert recording.signal.is_file()
        assert all(ch.isalnum() or ch in "-_" for ch in recording.subject + recording.recording)


def test_scores_and_their_places_come_out_as_written(tiny_corpus) -> None:
    name, root, truth = tiny_corpus
    for recording in corpus(name).recordings(root):
        hypnogram = corpus(name).read_hypnogram(recording, "")
        assert hypnogram.scores == truth[recording.recording]
        assert all(hypnogram.contiguous(i) for i in range(1, len(hypnogram)))


def test_channels_of_every_file_fill_the_corpus_own_montage(tiny_corpus) -> None:
    name, root, _ = tiny_corpus
    for recording in corpus(name).recordings(root):
        labels = edf.open_edf(recording.signal).labels
        lanes = resolve(
            MONTAGES[corpus(name).montage], labels, corpus(name).channels, name
        ).derivations
        assert None not in lanes, (recording.recording, labels)


def test_a_root_above_the_corpus_serves_as_well(tiny_corpus) -> None:
    name, root, truth = tiny_corpus
    above = root.parent / f"above-{name}"
    above.mkdir()
    (above / "link").symlink_to(root)  # big corpora often lie on another disk
    assert len(list(corpus(name).recordings(above))) == len(truth)


def test_a_recording_without_scoring_is_still_listed(tiny_corpus, tmp_path: Path) -> None:
    name, root, _ = tiny_corpus
    first = next(iter(corpus(name).recordings(root)))
    bare = tmp_path / first.signal.relative_to(root)
    bare.parent.mkdir(parents=True)
    bare.symlink_to(first.signal)
    (lonely,) = corpus(name).recordings(tmp_path)
    assert (lonely.recording, lonely.scorings) == (first.recording, {})
    with pytest.raises(RecordingError, match="scoring missing"):
        corpus(name).read_hypnogram(lonely, "")


def test_an_unknown_scorer_is_refused_by_name(tiny_corpus) -> None:
    name, root, _ = tiny_corpus
    first = next(iter(corpus(name).recordings(root)))
    with pytest.raises(RecordingError, match=r"scorer missing.*'nobody'"):
        corpus(name).read_hypnogram(first, "nobody")


@pytest.mark.parametrize("name", WRITERS)
def test_a_folder_without_the_corpus_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"has no .*--root"):
        list(corpus(name).recordings(tmp_path))
    with pytest.raises(BuildError, match=r"folder .*nowhere not found"):
        list(corpus(name).recordings(tmp_path / "nowhere"))


@pytest.mark.parametrize("name", CORPORA)
def test_entries_state_terms_and_known_values(name: str) -> None:
    entry = corpus(name)
    terms = entry.terms
    assert entry.name == name
    assert all((entry.title, terms.licence, terms.access, terms.citation, entry.home))
    assert entry.mains_hz in {50.0, 60.0}
    assert entry.montage in MONTAGES
    assert "https://" in terms.access or entry.generate


def test_only_corpora_whose_open_licence_is_known_are_open() -> None:
    open_ones = {name for name, entry in CORPORA.items() if entry.terms.policy is Policy.OPEN}
    assert open_ones == {"demo", "demo-varied", "sleep-edf", "hmc", "cinc2018", "cap", "boas"}


def test_channel_tables_hold_each_label_once_and_derivations_in_standard_names() -> None:
    electrodes = {"F3", "F4", "C3", "C4", "O1", "O2", "Fz", "Cz", "Oz", "Fpz", "Pz", "M1", "M2"}
    electrodes |= {"Fp1", "Fp2", "P3", "P4"}
    electrodes |= {"E1", "E2", "Chin1", "Chin2", "Chin3", "ECG1", "ECG2"}
    references = electrodes | {"LER", "CLE", "PG1", "REF"}
    for name, entry in CORPORA.items():
        plain = ["".join(label.split()).replace(".", "").lower() for label in entry.channels]
        assert len(set(plain)) == len(plain), name
        for derivation in entry.channels.values():
            plus, dash, minus = derivation.partition("-")
            known = plus in electrodes and minus in references if dash else True
            assert known or name == "demo", (name, derivation)
            assert dash or derivation in {"Chin", "ECG", "EOGh"} or name == "demo"


def test_an_unknown_corpus_is_refused_with_a_guess() -> None:
    with pytest.raises(BuildError, match=r"no corpus 'sleep_edf'.*did you mean sleep-edf"):
        corpus("sleep_edf")
    with pytest.raises(
        BuildError, match=r"choose from demo, .*dcsm.*; for a custom corpus, give its YAML file"
    ):
        corpus("xyzzy")


def test_listing_the_corpora_loads_nothing_heavy() -> None:
    code = "import sys, psgimg.builder.corpora; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, check=True)
    loaded = set(done.stdout.decode().split())
    assert not loaded & {"mne", "openpyxl", "edfio", "pandas", "matplotlib", "defusedxml"}


def test_a_recording_that_is_there_twice_is_listed_twice_for_the_build_to_set_aside(
    tmp_path: Path,
) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "shhs1-200001.edf").touch()
    found = [recording.signal.parent.name for recording in corpus("shhs").recordings(tmp_path)]
    assert found == ["one", "two"]


def test_litter_of_archivers_and_links_in_circles_do_no_harm(tmp_path: Path) -> None:
    for litter in ("__MACOSX", ".Trash"):
        (tmp_path / litter).mkdir()
        (tmp_path / litter / "shhs1-200001.edf").touch()
    (tmp_path / "._shhs1-200001.edf").touch()
    (tmp_path / "shhs1-200001.edf").touch()
    (tmp_path / "circle").symlink_to(tmp_path)
    assert len(list(corpus("shhs").recordings(tmp_path))) == 1


# What only one corpus does


def test_both_visits_of_a_person_stay_in_one_split(tmp_path: Path) -> None:
    tiny.write_shhs(tmp_path, n_subjects=1, minutes=5)
    first, second = corpus("shhs").recordings(tmp_path)
    assert first.recording != second.recording
    assert first.split_key == second.split_key == "200001"


def test_cfs_relatives_stay_in_one_split_and_names_do_not_depend_on_the_release(
    tmp_path: Path,
) -> None:
    for name in ("cfs-visit5-800002-famID715", "cfs-visit5-800010-famID715", "cfs-visit5-800011"):
        (tmp_path / f"{name}.edf").touch()
    a, b, c = corpus("cfs").recordings(tmp_path)
    assert a.split_key == b.split_key != c.split_key == "800011"
    assert a.recording == "cfs-visit5-800002"


def test_sleep_edf_nights_of_a_person_stay_in_one_split(tmp_path: Path) -> None:
    tiny.write_sleep_edf(tmp_path, n_subjects=1, minutes=5)
    found = {r.recording: r.split_key for r in corpus("sleep-edf").recordings(tmp_path)}
    assert found == {"SC4001": "SC400", "SC4002": "SC400", "ST7011": "ST701"}


def test_sleep_edf_scoring_may_begin_after_the_signal_and_end_after_it(tmp_path: Path) -> None:
    tiny.write_sleep_edf(tmp_path, n_subjects=0, minutes=5)
    (recording,) = corpus("sleep-edf").recordings(tmp_path)
    hypnogram = corpus("sleep-edf").read_hypnogram(recording, "")
    assert hypnogram.onsets_s[0] == 90.0
    assert hypnogram.onsets_s[-1] > edf.open_edf(recording.signal).duration_s


def test_mass_epochs_last_20_s_in_ss2_ss4_ss5_and_30_s_in_ss1_ss3(tmp_path: Path) -> None:
    tiny.write_mass(tmp_path, subsets=(1, 2, 3, 4, 5), minutes=4)
    read = corpus("mass").read_hypnogram
    lengths = [read(recording, "").epoch_s for recording in corpus("mass").recordings(tmp_path)]
    assert lengths == [30, 20, 30, 20, 20]


def test_mass_older_release_calls_its_scoring_annotations(tmp_path: Path) -> None:
    truth = tiny.write_mass(tmp_path, subsets=(2,), minutes=4)
    base = tmp_path / "SS2" / "01-02-0001 Base.edf"
    base.rename(base.with_name("01-02-0001 Annotations.edf"))
    (recording,) = corpus("mass").recordings(tmp_path)
    assert corpus("mass").read_hypnogram(recording, "").scores == truth["01-02-0001"]


def test_hmc_text_and_edf_give_the_same_scoring(tmp_path: Path) -> None:
    tiny.write_hmc(tmp_path, n_subjects=1, minutes=5)
    (as_text,) = corpus("hmc").recordings(tmp_path)
    assert as_text.scorings[""].suffix == ".txt"
    as_text.scorings[""].rename(tmp_path / "elsewhere.txt")
    (as_edf,) = corpus("hmc").recordings(tmp_path)
    assert as_edf.scorings[""].suffix == ".edf"
    by_edf = corpus("hmc").read_hypnogram(as_edf, "")
    (tmp_path / "elsewhere.txt").rename(as_text.scorings[""])
    assert by_edf == corpus("hmc").read_hypnogram(as_text, "")
    assert by_edf.onsets_s[0] == 60.0  # the annotation file starts a minute after the signal


def test_dcsm_root_may_be_a_subject_folder_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write_dcsm(tmp_path, n_subjects=1, minutes=5)
    (folder,) = tmp_path.iterdir()
    monkeypatch.chdir(folder)
    (recording,) = corpus("dcsm").recordings(Path())
    assert recording.recording == folder.name


# Annotations in a file of their own


def test_a_scoring_file_of_another_night_is_refused(tmp_path: Path) -> None:
    signal, scoring = tmp_path / "a.edf", tmp_path / "b.edf"
    write_psg(signal, [Channel("C3", 10)], night(4), start=START.replace(day=2))
    write_annotations(scoring, [(0.0, 30.0, "Sleep stage W")], START.replace(day=4))
    with pytest.raises(RecordingError, match=r"scoring of another time: b\.edf starts 48\.0 h"):
        annotations.start_shift(scoring, signal)


NO_DATE, DATE = datetime(1985, 1, 1), datetime(2019, 5, 3)


@pytest.mark.parametrize(
    ("signal", "scoring", "hours"),
    [
        (NO_DATE.replace(hour=22), DATE.replace(hour=23), 1),
        (DATE.replace(hour=22), NO_DATE.replace(hour=23), 1),
        (DATE.replace(hour=23), NO_DATE.replace(hour=1), 2),
        (NO_DATE.replace(hour=23), NO_DATE.replace(hour=1), 2),
        (NO_DATE.replace(hour=1), NO_DATE.replace(hour=23), -2),
        (datetime(1900, 1, 1, 22), DATE.replace(hour=5), 7),
        (datetime(2000, 1, 1, 22), DATE.replace(hour=22), 0),
        (DATE.replace(hour=16), DATE.replace(hour=3, day=4), 11),
    ],
)
def test_a_start_without_a_date_is_placed_by_the_clock(
    signal: datetime, scoring: datetime, hours: float
) -> None:
    found = annotations.shift_between("b.edf", scoring, "a.edf", signal)
    assert found.seconds == 3600 * hours
    dated = (signal.year, scoring.year) == (DATE.year, DATE.year)
    assert len(found.notes) == (not dated)
    assert all("without a date" in note for note in found.notes)


@pytest.mark.parametrize("scoring", [NO_DATE.replace(hour=10), DATE.replace(hour=10, minute=30)])
def test_a_clock_that_may_lack_am_and_pm_is_refused(scoring: datetime) -> None:
    with pytest.raises(RecordingError, match=r"b\.edf starts -1\d\.\d h apart .* AM or PM"):
        annotations.shift_between("b.edf", scoring, "a.edf", NO_DATE.replace(hour=22))


@pytest.mark.parametrize(
    ("signal_date", "scoring_date"),
    [("31.12.84", "01.01.85"), ("31.12.99", "01.01.00"), ("31.12.68", "01.01.69")],
)
def test_a_night_between_two_years_of_two_digits_is_one_night(
    tmp_path: Path, signal_date: str, scoring_date: str
) -> None:
    signal = write_raw(tmp_path / "a.edf", header=RawHeader(start=(signal_date, "23.59.50")))
    scoring = write_raw(tmp_path / "b.edf", header=RawHeader(start=(scoring_date, "00.00.00")))
    assert annotations.start_shift(scoring, signal).seconds == 10
    assert annotations.start_shift(signal, scoring).seconds == -10


def test_onsets_before_the_signal_come_out_negative_not_wrapped(tmp_path: Path) -> None:
    signal, scoring = tmp_path / "a.edf", tmp_path / "b.edf"
    write_psg(signal, [Channel("C3", 10)], night(4))
    write_annotations(scoring, [(0.0, 90.0, "Sleep stage W")], START.replace(hour=21, minute=59))
    found = annotations.read_annotated(scoring, signal, {"Sleep stage W": Stage.W}, epoch_s=30.0)
    assert found.onsets_s == (-60.0, -30.0, 0.0)


@given(
    st.lists(st.tuples(st.integers(1, 40), st.sampled_from(list(Stage))), min_size=1, max_size=60),
    st.sampled_from([20.0, 30.0]),
    st.floats(0, 9000).map(lambda start_s: round(start_s, 3)),
)
def test_any_runs_come_back_as_their_epochs(runs, epoch_s: float, start_s: float) -> None:
    events, expected, onset_s = [], [], start_s
    for n_epochs, stage in runs:
        events.append(Event(onset_s, n_epochs * epoch_s, stage))
        expected += [stage] * n_epochs
        onset_s += n_epochs * epoch_s
    found = from_events(reading.check_runs(events[::-1], epoch_s, "x"), epoch_s=epoch_s)
    assert list(found.scores) == expected
    assert found.partial == 0


@given(st.integers(1, 500), st.sampled_from([20.0, 30.0]), st.floats(0.5, 9.5))
def test_a_run_off_the_grid_is_refused_unless_it_is_the_last(
    n_epochs: int, epoch_s: float, extra_s: float
) -> None:
    odd = Event(0.0, n_epochs * epoch_s + extra_s, Stage.W)
    after = Event(n_epochs * epoch_s + 10.0, epoch_s, Stage.N2)
    assert reading.check_runs([odd], epoch_s, "x") == [odd]
    with pytest.raises(RecordingError, match="wrong epoch length"):
        reading.check_runs([odd, after], epoch_s, "x")


def test_a_scorer_chooses_among_several_and_the_first_is_the_default(tmp_path: Path) -> None:
    night_ = Recording("isruc", "s", "s", tmp_path / "1.rec", {"1": Path("a"), "2": Path("b")})
    assert reading.scoring_of(night_, "") == Path("a")
    assert reading.scoring_of(night_, "2") == Path("b")
