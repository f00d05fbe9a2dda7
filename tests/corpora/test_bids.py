"""EEG-BIDS: the same stages in the many ways that datasets write them."""

import pytest
import tiny_bids as bids
from builds import rows, run
from psgimg.builder.corpora import registry, scorers
from psgimg.builder.corpora.bids import sidecars, vocabulary
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.recordings.open_signal import open_signal
from psgimg.builder.stages import Stage, Unscored
from tiny_edf import channels, night
from tiny_lab import describe


def read(root, source="bids", scorer=None):
    """Return the recordings of a dataset with their hypnograms, by name."""
    corpus = registry.corpus(source)
    found = {}
    for one in corpus.recordings(root):
        name = next(iter(one.scorings)) if scorer is None else scorer
        found[one.recording] = (one, corpus.read_hypnogram(one, name))
    return found


def only(root, **options):
    ((recording, hypnogram),) = read(root, **options).values()
    return recording, hypnogram


def test_codes_of_boas_with_a_program_as_second_scorer(tmp_path):
    truth = bids.write_boas(tmp_path, persons=[7, 7])
    found = read(tmp_path, "boas")
    assert {name: hypnogram.scores for name, (_, hypnogram) in found.items()} == truth
    assert [one.subject for one, _ in found.values()] == ["pid-7", "pid-7"]
    assert list(found["sub-1"][0].scorings) == ["stage_hum", "stage_ai"]
    program = registry.corpus("boas").read_hypnogram(found["sub-1"][0], "stage_ai")
    assert program.scores[0] is Stage.N1


def test_boas_needs_to_know_who_is_one_person(tmp_path):
    bids.write_boas(tmp_path)
    (tmp_path / "participants.tsv").unlink()
    with pytest.raises(BuildError, match="column pid tells which nights are of one person"):
        list(registry.corpus("boas").recordings(tmp_path))


def test_boas_is_read_as_any_dataset_whose_codes_have_levels(tmp_path):
    truth = bids.write_boas(tmp_path, n=1)
    levels = {"0": "Wake", "1": "N1", "2": "N2", "3": "N3", "4": "REM", "8": "disconnection"}
    columns = {name: {"Levels": levels} for name in ("stage_hum", "stage_ai")}
    bids.sidecar(tmp_path / "task-Sleep_events.json", **columns)
    found = read(tmp_path)
    (headband, _), (recording, hypnogram) = found.values()
    assert "headband" in headband.recording
    assert hypnogram.scores == truth["sub-1"]
    assert list(recording.scorings) == ["stage_hum", "stage_ai"]
    assert recording.subject == "pid-1"


def test_rows_with_two_scorers_and_a_last_row_without_duration(tmp_path):
    truth = bids.write_isruc(tmp_path)
    recording, hypnogram = only(tmp_path)
    assert hypnogram.scores == truth
    assert list(recording.scorings) == ["trial_type", "scorer2_label"]
    assert recording.subject == "sub-I001"


def test_runs_of_two_nights_of_a_person(tmp_path):
    truth = bids.write_sleep_edf(tmp_path)
    found = read(tmp_path)
    assert {name: hypnogram.scores for name, (_, hypnogram) in found.items()} == truth
    assert {one.subject for one, _ in found.values()} == {"sub-01"}


def test_other_events_are_passed_over(tmp_path):
    truth = bids.write_cinc(tmp_path)
    _, hypnogram = only(tmp_path)
    assert hypnogram.scores == truth


def test_codes_mean_what_their_levels_say(tmp_path):
    truth = bids.write_surrey(tmp_path)
    recording, hypnogram = only(tmp_path)
    assert hypnogram.scores == truth
    assert recording.signal.suffix == ".fdt"
    assert open_signal(recording.signal).labels[0] == "F4-M1"


def test_a_scoring_is_not_put_on_another_device_of_that_night(tmp_path):
    bids.write_surrey(tmp_path)
    base = bids.place(tmp_path, "sub-001_ses-001_task-sleep_acq-cEEGrid", ses="ses-001")
    bids.signal(base, night(14, 7), channels(["L1", "R1"], 128))
    scored = [one.recording for one in registry.corpus("bids").recordings(tmp_path) if one.scorings]
    assert scored == ["sub-001-ses-001-task-sleep-acq-PSG"]


@pytest.mark.parametrize("codes", ["01234", "0123", "01235", "012345", "1234"])
@pytest.mark.parametrize("column", ["trial_type", "stage"])
def test_codes_without_levels_are_refused_whatever_a_night_has_of_them(codes, column, tmp_path):
    one_night(tmp_path, list(codes), column=column)
    for scorer in (None, column):
        with pytest.raises(RecordingError, match="numbers need `Levels`"):
            only(tmp_path, scorer=scorer)


def test_numbers_beside_words_are_stages_of_non_rem_sleep(tmp_path):
    one_night(tmp_path, ["W", "1", "2", "3", "4", "R"])
    expected = (Stage.W, Stage.N1, Stage.N2, Stage.N3, Stage.N3, Stage.REM)
    assert only(tmp_path)[1].scores == expected


def test_codes_without_levels_of_another_dataset_are_refused(tmp_path):
    bids.write_surrey(tmp_path, levels=None)
    with pytest.raises(RecordingError, match="none with known stages; numbers need `Levels`"):
        only(tmp_path)
    with pytest.raises(RecordingError, match="has no known stage but '1'"):
        only(tmp_path, scorer="staging")


def test_a_table_of_all_runs_in_sourcedata_with_doubts(tmp_path):
    truth = bids.write_fmri(tmp_path)
    recording, hypnogram = only(tmp_path)
    assert hypnogram.scores == truth
    assert hypnogram.notes == ("2 epochs whose stage the scorer doubted count as unscored",)
    assert recording.signal.suffix == ".eeg"


def one_night(root, names, *, length=30, column="trial_type", **options):
    base = bids.place(root, "sub-1_task-sleep")
    bids.signal(base, night(len(names), 1), **options)
    rows = [(30 * i, length, name) for i, name in enumerate(names)]
    bids.events(base, ("onset", "duration", column), rows)
    return base


@pytest.mark.parametrize("word", ["Sleep stage X", "N5", "dreaming", "lights"])
def test_an_unknown_stage_is_refused_by_name(tmp_path, word):
    one_night(tmp_path, ["W", "N1", "N2", word, "N3", "R"])
    with pytest.raises(
        RecordingError, match=f"column trial_type has '{word}', no stages"
    ) as caught:
        only(tmp_path)
    assert caught.value.reason == "unknown stage word"


def test_an_unknown_code_is_refused_by_name(tmp_path):
    base = one_night(tmp_path, ["0", "1", "2", "7", "3", "4"], column="stage")
    levels = {"0": "Wake", "1": "N1", "2": "N2", "3": "N3", "4": "REM"}
    bids.sidecar(base.with_name(f"{base.name}_events.json"), stage={"Levels": levels})
    with pytest.raises(RecordingError, match="has '7'"):
        only(tmp_path)


@pytest.mark.parametrize("length", ["n/a", 0])
def test_a_row_without_duration_is_an_epoch(tmp_path, length):
    one_night(tmp_path, ["W", "N1", "N2", "N3", "R"], length=length)
    assert only(tmp_path)[1].scores == tuple(Stage)


def test_a_column_of_other_numbers_is_no_scoring(tmp_path):
    base = one_night(tmp_path, ["W", "N1", "R"])
    rows = [(30 * i, 30, 0, w, v, v) for i, (w, v) in enumerate(zip("WRW", "010", strict=True))]
    columns = ("onset", "duration", "offset", "trial_type", "value", "stage_confidence")
    bids.events(base, columns, rows)
    assert list(only(tmp_path)[0].scorings) == ["trial_type"]


def test_a_legend_tells_which_column_has_the_stages(tmp_path):
    base = one_night(tmp_path, ["start", "stop", "start", "stop", "start"])
    rows = [(30 * i, 30, "epoch", code) for i, code in enumerate((5, 3, 4, 2, 1))]
    bids.events(base, ("onset", "duration", "trial_type", "value"), rows)
    levels = {"1": "REM", "2": "N3", "3": "N1", "4": "N2", "5": "W"}
    described = base.with_name(f"{base.name}_events.json")
    bids.sidecar(described, value={"Levels": levels}, trial_type={"Levels": {"epoch": "an epoch"}})
    assert only(tmp_path)[1].scores == tuple(Stage)


def test_a_column_that_repeats_a_scoring_is_no_second_scorer(tmp_path):
    base = one_night(tmp_path, ["W", "N1", "R"])
    rows = [(0, 30, "Wake", "W"), (30, 30, "N1", "N1"), (60, 30, "REM", "R")]
    bids.events(base, ("onset", "duration", "trial_type", "stage"), rows)
    assert list(only(tmp_path)[0].scorings) == ["trial_type"]


def test_a_column_can_be_named(tmp_path):
    base = one_night(tmp_path, ["W", "N1", "R"])
    rows = [(0, 30, "W", "N1"), (30, 30, "N1", "N1"), (60, 30, "R", "R")]
    bids.events(base, ("onset", "duration", "trial_type", "second"), rows)
    assert only(tmp_path, scorer="second")[1].scores[0] is Stage.N1
    with pytest.raises(RecordingError, match="no column 'third'; name another --stage-column"):
        only(tmp_path, scorer="third")


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("Wake", Stage.W), ("REM sleep", Stage.REM), ("Rapid Eye Movement sleep", Stage.REM),
        ("non-REM 1", Stage.N1), ("NREM stage 2", Stage.N2), ("N3 (stages 3 and 4)", Stage.N3),
        ("slow wave sleep", Stage.N3), ("artefact", Unscored.UNSCORED),
        ("movement time", Unscored.MOVEMENT), ({"Description": "Stage N1"}, Stage.N1),
    ],
)  # fmt: skip
def test_levels_in_words(text, score):
    others = {"0": "W", "1": "N1", "2": "N2"}
    assert vocabulary.legend({**others, "5": text}, "here")["5"] == score


def test_levels_that_name_two_stages_are_refused():
    with pytest.raises(RecordingError, match="level '5' names several stages"):
        vocabulary.legend({"0": "Wake", "1": "REM", "5": "N1 or N2"}, "here")
    assert vocabulary.legend({"1": "arousal from N1 or N2", "0": "none"}, "here") == {}


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("M1", "M1"), ("A2", "M2"), ("left mastoid", "M1"), ("Cz", "Cz"), ("placed on FCz", "FCz"),
        ("average of M1 and M2", "LER"), ("linked mastoids", "LER"), ("n/a", "REF"), ("", "REF"),
        ("contralateral mastoid", "M1"), ("average", "REF"),
    ],
)  # fmt: skip
def test_references_in_words(text, reference):
    assert sidecars.reference_in(text, "F4") == reference


@pytest.mark.parametrize(("electrode", "reference"), [("C3", "M2"), ("C4", "M1"), ("Cz", "REF")])
def test_an_electrode_on_the_midline_has_no_opposite_mastoid(electrode, reference):
    assert sidecars.reference_in("contralateral mastoid", electrode) == reference


def test_reference_and_mains_come_from_the_sidecars(tmp_path):
    inputs = [*channels(["F4", "C4", "O2", "M1"], 128), *channels(["EMG"], 128, "emg")]
    base = one_night(tmp_path / "in", ["W", "N1", "N2", "N3", "R"], inputs=inputs)
    bids.sidecar(tmp_path / "in/task-sleep_eeg.json", EEGReference="Cz", PowerLineFrequency=50)
    bids.sidecar(base.with_name(f"{base.name}_eeg.json"), PowerLineFrequency=60)
    bids.table(base.with_name(f"{base.name}_channels.tsv"), ("name", "reference"), [("O2", "M1")])
    report, _ = run(tmp_path / "out", tmp_path / "in", "bids", trim_min=None)
    (fact,) = report.values["recordings"]
    assert fact["lanes"] == ["F4-M1", "C4-M1", "O2-M1", None, None, "Chin"]
    assert fact["mains_hz"] == 60
    assert not any("mains" in note for note in fact["notes"])


EPOCHS = ("onset", "duration", "trial_type")


def two_nights(root, entity):
    """Write two recordings of one person with different stages; return the truth of each."""
    found = {}
    for number in (1, 2):
        words = night(10, number)
        ses = f"ses-{number}" if entity == "ses" else ""
        base = bids.place(root, f"sub-01_{entity}-{number}_task-sleep", ses=ses)
        bids.signal(base, words, seed=number)
        found[f"sub-01-{entity}-{number}-task-sleep"] = words
    bids.describe(root)
    return found


def epochs(words):
    return [(30 * i, 30, bids.AASM[word]) for i, word in enumerate(words)]


def test_a_table_of_sourcedata_is_that_of_the_night_it_names(tmp_path):
    nights = two_nights(tmp_path, "ses")
    for number, words in enumerate(nights.values(), start=1):
        path = tmp_path / "sourcedata" / f"sub-01_ses-0{number}_stages.tsv"
        bids.table(path, EPOCHS, epochs(words))
    found = {name: hypnogram.scores for name, (_, hypnogram) in read(tmp_path).items()}
    assert found == {name: bids.truth(words) for name, words in nights.items()}


@pytest.mark.parametrize(
    "where", ["sub-01/eeg/sub-01_task-sleep_events.tsv", "sourcedata/sub-01_stages.tsv"]
)
def test_a_table_that_could_be_of_two_recordings_is_of_neither(tmp_path, where):
    nights = two_nights(tmp_path, "run")
    bids.table(tmp_path / where, EPOCHS, epochs(next(iter(nights.values()))))
    corpus = registry.corpus("bids")
    assert [one.scorings for one in corpus.recordings(tmp_path)] == [{}, {}]


def test_people_whose_names_differ_in_case_keep_their_own_stages(tmp_path):
    truth = {}
    for number, sub in enumerate(("sub-A1", "sub-a1")):
        words = night(10, number)
        base = bids.place(tmp_path, f"{sub}_task-sleep")
        bids.signal(base, words, seed=number)
        bids.events(base, EPOCHS, epochs(words))
        truth[f"{sub}-task-sleep"] = bids.truth(words)
    bids.describe(tmp_path)
    if len(list(tmp_path.glob("sub-*"))) == 1:
        pytest.skip("this file system does not tell capitals from small letters")
    found = {name: hypnogram.scores for name, (_, hypnogram) in read(tmp_path).items()}
    assert found == truth


def test_two_columns_of_one_name_that_differ_are_refused(tmp_path):
    words = night(10)
    base = bids.place(tmp_path, "sub-01_task-sleep")
    bids.signal(base, words)
    rows = [(*row, "N2") for row in epochs(words)]
    bids.events(base, (*EPOCHS, "trial_type"), rows)
    bids.describe(tmp_path)
    with pytest.raises(RecordingError, match="has 2 columns 'trial_type' that differ; rename"):
        read(tmp_path)


def test_a_sub_with_two_persons_is_refused_as_its_split_would_be_uncertain(tmp_path):
    bids.write_isruc(tmp_path)
    bids.describe(tmp_path, participant_id=["sub-I001", "sub-I001"], pid=[3, 4])
    with pytest.raises(BuildError, match="two values of pid for sub-I001"):
        read(tmp_path)


@pytest.mark.parametrize("stated", [60, 60.0, "60", "60 Hz"])
def test_a_mains_frequency_counts_as_number_and_as_text(tmp_path, stated):
    bids.write_isruc(tmp_path)
    recording, _ = only(tmp_path)
    bids.sidecar(recording.signal.with_suffix(".json"), PowerLineFrequency=stated)
    recording, _ = only(tmp_path)
    inputs = registry.corpus("bids").inputs_of(recording, ["F4-M1"])
    assert (inputs.mains_hz, inputs.notes) == (60.0, ())


def test_a_mains_frequency_that_is_not_stated_is_noted(tmp_path):
    one_night(tmp_path / "in", ["W", "N1", "N2", "N3", "R"])
    report, _ = run(tmp_path / "out", tmp_path / "in", "bids", trim_min=None)
    (fact,) = report.values["recordings"]
    assert "mains frequency not stated, 50 Hz assumed" in fact["notes"]


@pytest.mark.parametrize("form", ["bdf", "vhdr", "set", "set-fdt"])
def test_every_format_of_bids_gives_the_same_lanes(tmp_path, form):
    words = night(5, 1)
    base = one_night(tmp_path / "in", ["W", "N1", "N2", "N3", "R"])
    base.with_name(f"{base.name}_eeg.edf").unlink()
    extension = form.partition("-")[0]
    path = base.with_name(f"{base.name}_eeg.{extension}")
    {
        "bdf": bids.write_bdf,
        "vhdr": bids.write_brainvision,
        "set": lambda path, words: bids.write_eeglab(path, words, apart=False),
        "set-fdt": bids.write_eeglab,
    }[form](path, words)
    report, _ = run(tmp_path / "out", tmp_path / "in", "bids", trim_min=None)
    (fact,) = report.values["recordings"]
    assert fact["lanes"] == ["F4-M1", "C4-M1", "O2-M1", "E1-M2", "E2-M2", "Chin"]
    assert [row["label"] for row in rows(tmp_path / "out")] == [0, 1, 2, 3, 4]


def test_boas_is_built_with_one_eye_lane_for_all(tmp_path):
    bids.write_boas(tmp_path / "in", both_eyes=(2,))
    report, _ = run(tmp_path / "out", tmp_path / "in", "boas", trim_min=None)
    lanes = [fact["lanes"] for fact in report.values["recordings"]]
    assert lanes == [["F4-M1", "C4-M1", "O2-M1", eye, "Chin"] for eye in ("EOGh", "E1-E2")]
    built = rows(tmp_path / "out")
    assert (built[0]["label"], built[0]["label_2"]) == (0, 1)
    assert report.values["corpora"]["boas"]["policy"] == "open"


def test_an_unknown_dataset_is_restricted(tmp_path):
    assert registry.restricted([("bids", "sub-1"), ("boas", "sub-1")]) == ["bids"]
    bids.write_cinc(tmp_path / "in")
    report, _ = run(tmp_path / "out", tmp_path / "in", "bids", trim_min=None)
    assert report.values["corpora"]["bids"]["policy"] == "restricted"


def test_two_datasets_are_not_mixed(tmp_path):
    bids.write_cinc(tmp_path / "a")
    bids.write_isruc(tmp_path / "b")
    with pytest.raises(BuildError, match="2 BIDS datasets, such as a and b; give --root"):
        list(registry.corpus("bids").recordings(tmp_path))


def scored_by(root, *tables):
    """Write a night for each table, each column with stages of its own."""
    for number, columns in enumerate(tables, 1):
        base = bids.place(root, f"sub-{number}_task-sleep")
        bids.signal(base, night(5, number), seed=number)
        rows = [
            (30 * i, 30, *(("W", "N1", "N2", "N3", "R")[(i + j) % 5] for j in range(len(columns))))
            for i in range(5)
        ]
        bids.events(base, ("onset", "duration", *columns), rows)


def test_all_labels_of_a_dataset_are_of_one_column_and_of_people_if_there_are_any(tmp_path):
    both = ("first", "stage_ai")
    scored_by(tmp_path / "in", both, both, ("stage_ai",), ("second", "first"))
    report, _ = run(tmp_path / "out", tmp_path / "in", "bids", trim_min=None)
    built = {fact["recording"]: fact for fact in report.values["recordings"]}
    assert {fact["scorer"] for fact in built.values()} == {"first"}
    (aside,) = report.values["set_aside"]
    assert (aside["recording"], aside["reason"]) == ("sub-3-task-sleep", "scorer missing")
    second = {row["recording"]: row["label_2"] for row in rows(tmp_path / "out")}
    assert [second[f"sub-{number}-task-sleep"] is None for number in (1, 2, 4)] == [
        True,
        True,
        False,
    ]
    assert [scorers.NO_SECOND in fact["notes"] for fact in built.values()] == [True, True, False]


def test_a_column_is_named_in_any_case(tmp_path):
    scored_by(tmp_path / "in", ("Stadium", "other"))
    without = dict.fromkeys(("recordings", "scoring", "channels", "mains_hz", "stages"))
    stated = {"stage_columns": ["stadium", "OTHER"]}
    path = describe(tmp_path / "my.yaml", **without, bids=stated, montage="aasm")
    report, _ = run(tmp_path / "out", tmp_path / "in", str(path), trim_min=None)
    assert [fact["scorer"] for fact in report.values["recordings"]] == ["stadium"]
    assert report.values["recordings"][0]["second"] == 5


def test_a_file_names_a_dataset_and_states_what_its_files_do_not(tmp_path):
    names = ["Wach", "N1", "N2", "N3", "R"]
    one_night(tmp_path / "recordings", names, column="Stadium")
    bids.describe(tmp_path / "recordings", participant_id=["sub-1"], code=["P7"])
    stated = {"stage_columns": "Stadium", "person_column": "code", "task": "sleep"}
    stages = {"Wach": "W", "N1": "N1", "N2": "N2", "N3": "N3", "R": "REM"}
    without = dict.fromkeys(("recordings", "scoring", "channels", "mains_hz"))
    path = describe(tmp_path / "my.yaml", **without, bids=stated, stages=stages, montage="aasm")
    corpus = registry.corpus(str(path))
    (recording,) = corpus.recordings(tmp_path / "recordings")
    assert recording.subject == "P7"
    assert corpus.read_hypnogram(recording, "").scores == tuple(Stage)
    report, _ = run(tmp_path / "out", tmp_path / "recordings", str(path), trim_min=None)
    definition = report.values["corpora"]["my-lab"]["definition"]
    assert definition["bids"] == {**stated, "stage_columns": ["Stadium"]}


def test_a_file_with_bids_refuses_what_bids_defines(tmp_path):
    path = describe(tmp_path / "my.yaml", bids={"acq": "psg"})
    with pytest.raises(BuildError, match=r"my\.yaml: bids has its own recordings; remove the key"):
        registry.corpus(str(path))


@pytest.mark.parametrize(("third", "n_votes"), [("third", 3), ("stage_ai", None)])
def test_people_vote_and_programs_do_not(tmp_path, third, n_votes):
    scored_by(tmp_path / "in", ("first", "second", third))
    run(tmp_path / "out", tmp_path / "in", "bids", trim_min=None)
    pages = rows(tmp_path / "out")
    assert {page["votes"] and sum(page["votes"]) for page in pages} == {n_votes}
