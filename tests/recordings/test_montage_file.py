"""Montage file: any derivation that a file's channels allow, or one line that says what is wrong."""

import pytest
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.recordings.channels import standard_channels
from psgimg.builder.recordings.montage import MONTAGES, Derivation, Kind, Lane, find, resolve
from psgimg.builder.recordings.montage_file import load_montage


@pytest.fixture
def load(tmp_path):
    def write_and_load(text, name="my-lab.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return load_montage(str(path))

    return write_and_load


@pytest.mark.parametrize("name", MONTAGES)
def test_a_montage_of_psgimg_is_found_by_its_name(name):
    assert load_montage(name) is MONTAGES[name]


def test_a_lane_has_the_name_kind_and_derivations_of_the_file(load):
    montage = load(
        "lanes:\n"
        "  - {name: left, kind: eeg, derivations: [C3-M1, C3-M2, F3-CLE]}\n"
        "  - {name: leg, kind: emg, derivations: [Tib1-Tib2]}\n"
    )
    assert montage.name == "my-lab"
    assert montage.lanes == (
        Lane("left", Kind.EEG, ("C3-M1", "C3-M2", "F3-CLE")),
        Lane("leg", Kind.EMG, ("Tib1-Tib2",)),
    )


def test_a_lane_may_be_its_derivation_alone(load):
    montage = load("name: short\nlanes: [C4-M1, Fpz-Cz, O2, E1-M2, EOGh, Chin1-Chin2, Chin, ECG]\n")
    assert montage.name == "short"
    assert [(lane.name, lane.kind.value) for lane in montage.lanes] == [
        ("C4-M1", "eeg"),
        ("Fpz-Cz", "eeg"),
        ("O2", "eeg"),
        ("E1-M2", "eog"),
        ("EOGh", "eog"),
        ("Chin1-Chin2", "emg"),
        ("Chin", "emg"),
        ("ECG", "ecg"),
    ]


def test_older_names_of_electrodes_mean_the_same(load):
    assert load("lanes: [c4-a1, LOC-A2, EMG]\n") == load(
        "lanes:\n- {name: C4-M1, kind: eeg, derivations: [C4-M1]}\n- E1-M2\n- Chin\n"
    )


@pytest.mark.parametrize(
    ("labels", "table", "drawn"),
    [
        (["C4"], {"C4": "C4"}, Derivation("C4", 0)),
        (["C4"], standard_channels(["C4"]), Derivation("C4-REF", 0)),
        (["C4-Ref"], standard_channels(["C4-Ref"]), Derivation("C4-REF", 0)),
    ],
)
def test_an_electrode_without_reference_is_drawn_as_it_was_recorded(load, labels, table, drawn):
    assert resolve(load("lanes: [C4]\n"), labels, table, "night.edf").derivations == (drawn,)


def test_a_recorded_reference_is_not_taken_for_none(load):
    with pytest.raises(
        RecordingError, match=r"recognised as C4-LER; montage my-lab needs one of C4-REF"
    ):
        resolve(load("lanes: [C4]\n"), ["EEG"], {"EEG": "C4-LER"}, "night.edf")


def test_electrodes_without_reference_yield_their_difference(load):
    montage = load("lanes: [C4-M2, C4-M1]\n")
    found = find(montage, ["C4", "M1", "M2"], {"C4": "C4", "M1": "M1", "M2": "M2-REF"})
    assert found.derivations == (Derivation("C4-M2", 0, 2), Derivation("C4-M1", 0, 1))


def test_one_channel_fills_one_lane_by_whatever_name_it_is_wanted(load):
    montage = load("lanes:\n- {name: a, derivations: [C4]}\n- {name: b, derivations: [C4-REF]}\n")
    assert find(montage, ["C4"], {"C4": "C4"}).derivations == (Derivation("C4", 0), None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lane: [C4-M1]\n", "unknown key 'lane'; use lanes, name"),
        ("name: x\n", "lanes is None; give a list"),
        ("lanes: []\n", "lanes is []; give a list"),
        ("lanes: C4-M1\n", "lanes is 'C4-M1'; give a list"),
        ("lanes: [7]\n", "lane 1: 7; give a derivation"),
        ("lanes: [C4-M1, [E1-M2]]\n", "lane 2: ['E1-M2']; give a derivation"),
        ("lanes: [C4-M1-M2]\n", "lane 1: derivation 'C4-M1-M2' is neither a name nor A-B"),
        ("lanes: [C4+M1]\n", "derivation 'C4+M1' is neither"),
        ("lanes: ['']\n", "derivation '' is neither"),
        ("lanes: [C4-C4]\n", "derivation 'C4-C4' is neither"),
        ("lanes: ['C4\n\n- M1']\n", "is neither a name nor A-B"),
        ("lanes: [X7-M1]\n", "kind of X7-M1 is unknown; write `{kind: eeg, derivations: [X7-M1]}`"),
        ("lanes: [{kind: eeg}]\n", "lane 1: derivations is None; give a list"),
        ("lanes: [{derivations: []}]\n", "derivations is []; give a list"),
        ("lanes: [{derivations: C4-M1}]\n", "derivations is 'C4-M1'; give a list"),
        ("lanes: [{derivations: [4]}]\n", "derivation 4 is neither"),
        ("lanes: [{derivations: [C4-M1, C4-A1]}]\n", "a derivation is repeated in C4-M1, C4-M1"),
        ("lanes: [{derivations: [C4-M1], colour: red}]\n", "lane 1: unknown key 'colour'"),
        ("lanes: [{kind: meg, derivations: [C4-M1]}]\n", "no kind 'meg'; choose from eeg, eog"),
        ("lanes: [{kind: [eeg], derivations: [C4-M1]}]\n", "no kind ['eeg']"),
        ("lanes: [C4-M1, {name: c4-m1, derivations: [C3-M2]}]\n", "lane c4-m1 is repeated"),
        (
            "lanes: [{name: all, derivations: [C4-M1]}]\n",
            "lane all of kind eeg has a reserved name",
        ),
        (
            "lanes: [{name: EMG, derivations: [C4-M1]}]\n",
            "lane EMG of kind eeg has a reserved name",
        ),
        ("lanes: [{name: '../x', derivations: [C4-M1]}]\n", "name '../x'; use up to 40 letters"),
        ("lanes: [{name: '$x$', derivations: [C4-M1]}]\n", "name '$x$'; use"),
        ('lanes: [{name: "a\\nb", derivations: [C4-M1]}]\n', r"name 'a\nb'; use"),
        ("lanes: [{name: 5, derivations: [C4-M1]}]\n", "name 5; use"),
        ("name: a/b\nlanes: [C4-M1]\n", "name 'a/b'; use"),
        ("name: aasm\nlanes: [C4-M1]\n", "name aasm is a built-in montage of psgimg"),
        ("lanes: [E1-M2, Chin]\n", "no lane of kind eeg"),
        ("lanes: [C4-M1, no]\n", "line 1: YAML reads no as false; put it in quotes"),
        ("- C4-M1\n", "expected `key: value` lines"),
        ("lanes: [C4-M1\n", "not YAML"),
    ],
)
def test_an_invalid_montage_is_refused_in_one_line(load, text, said):
    with pytest.raises(BuildError) as caught:
        load(text)
    message = str(caught.value)
    assert message.startswith("montage file ")
    assert "my-lab.yaml" in message
    assert said in message
    assert "\n" not in message


def test_a_file_with_an_unusable_name_needs_a_name(load):
    with pytest.raises(BuildError, match="name 'my lab'; use"):
        load("lanes: [C4-M1]\n", "my lab.yaml")
    assert load("name: my-lab\nlanes: [C4-M1]\n", "my lab.yaml").name == "my-lab"


def test_a_missing_montage_is_refused_by_name_with_the_available_ones():
    with pytest.raises(BuildError, match=r"no montage '10-20'; use aasm, central.* or a .yaml"):
        load_montage("10-20")
    with pytest.raises(BuildError, match=r"montage file gone.yaml: No such file"):
        load_montage("gone.yaml")
