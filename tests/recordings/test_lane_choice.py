"""Lane choice: an electrode stands once, and the EEG lanes of a recording agree where they can."""

import random

import numpy as np
import pytest
from psgimg.builder.errors import BuildError
from psgimg.builder.recordings.channels import choose as choose_by_label
from psgimg.builder.recordings.lanes.assignment import assign
from psgimg.builder.recordings.lanes.choice import BIPOLAR, electrode, reference, side
from psgimg.builder.recordings.lanes.derive import derive, recorded
from psgimg.builder.recordings.montage import MONTAGES, Kind, Lane, Montage, find

SCALP = ("F3", "F4", "C3", "C4", "O1", "O2", "Fz", "Cz", "Oz")
LABELS = (
    *(f"{name}-{ref}" for name in SCALP for ref in ("M1", "M2", "LER", "CLE", "REF")),
    *("M1-LER", "M2-LER", "M1-CLE", "M2-CLE", "M1-REF", "M2-REF", "M2-C3", "Fz-Cz", "Cz-Oz"),
    *("E1-M2", "E2-M2", "E2-M1", "E1-REF", "E2-REF", "Chin1-Chin2", "Chin", "Chin1-REF"),
)
MASS = tuple(f"{name}-LER" for name in SCALP)


def drawn(labels, montage="aasm"):
    montage = MONTAGES[montage] if isinstance(montage, str) else montage
    found = find(montage, labels, {label: label for label in labels})
    return [one.name if one else None for one in found.derivations]


def montage_of(*lanes):
    return Montage("own", tuple(Lane(each[0], Kind.EEG, each) for each in lanes))


def files(n, seed=0):
    """Files that have one kind of channel each, and files that have any mixture."""
    draw = random.Random(seed)
    for _ in range(n):
        yield draw.sample(LABELS, draw.randint(1, 18))


def one_by_one(montage, labels):
    """Fill lane by lane with the first derivation that no lane above shows."""
    indices, names = recorded(labels, {label: label for label in labels}), []
    for lane in montage.lanes:
        ways = (way[0] for name in lane.derivations for way in derive(name, indices))
        names.append(next((name for name in ways if name not in names), None))
    return names


def twice(names):
    shown = [electrode(name) for name in names if name]
    return len(set(shown)) < len(shown)


def eeg_of(montage, names):
    lanes = zip(MONTAGES[montage].lanes, names, strict=True)
    return [name for lane, name in lanes if name and lane.kind is Kind.EEG]


@pytest.mark.parametrize("name", MONTAGES)
def test_no_file_shows_an_electrode_twice_or_leaves_more_lanes_empty_than_lane_by_lane(name):
    for labels in files(400):
        names, former = drawn(labels, name), one_by_one(MONTAGES[name], labels)
        assert not twice(names), labels
        if not twice(former):
            assert names.count(None) <= former.count(None), labels
            kinds, before = ({*map(reference, eeg_of(name, each))} for each in (names, former))
            assert len(kinds) <= len(before), labels


def test_the_order_of_the_channels_in_the_file_decides_nothing():
    draw = random.Random(1)
    for labels in files(200):
        shuffled = draw.sample(labels, len(labels))
        assert drawn(shuffled) == drawn(labels)


@pytest.mark.parametrize("ear", ["M1-LER", "M2-LER"])
def test_one_stored_ear_does_not_mix_references_nor_drop_an_electrode(ear):
    """A MASS file has C3 and C4 against linked ears, and one ear."""
    assert drawn([*MASS, ear], "central")[:2] == ["C4-LER", "C3-LER"]


def test_one_stored_ear_serves_where_it_serves_every_lane():
    assert drawn([*MASS, "M2-LER"])[:3] == ["F3-M2", "C3-M2", "O1-M2"]
    assert drawn([*MASS, "M1-LER"])[:3] == ["F4-M1", "C4-M1", "O2-M1"]


def test_all_lanes_go_to_the_side_that_has_them_all():
    assert drawn(["F3-M2", "C4-M1", "C3-M2", "O1-M2"])[:3] == ["F3-M2", "C3-M2", "O1-M2"]


def test_a_mixture_is_better_than_an_empty_lane():
    assert drawn(["F4-M1", "C3-LER", "O2-M1"])[:3] == ["F4-M1", "C3-LER", "O2-M1"]


def test_a_midline_substitute_is_no_price_for_agreement():
    """Fz-Cz and Cz-Oz would agree, but the slow waves that both electrodes share cancel out."""
    assert drawn(["F4-M1", "Fz-Cz", "Cz-Oz"])[:3] == ["F4-M1", None, "Cz-Oz"]


def test_each_of_two_lanes_keeps_its_own_electrode():
    assert drawn(["C3-M2", "C4-LER"], "central")[:2] == ["C4-LER", "C3-M2"]
    assert drawn(["C3-M2"], "central")[:2] == [None, "C3-M2"]


def test_a_montage_may_want_an_electrode_in_several_lanes():
    own = montage_of(("C4-M1", "C4-M2"), ("C4-O2",), ("C3-M2", "C4-M2", "C4-LER"))
    assert drawn(["C4-M2", "C4-O2"], own) == ["C4-M2", "C4-O2", None]
    assert drawn(["C4-M1", "C4-O2", "C3-M2"], own) == ["C4-M1", "C4-O2", "C3-M2"]
    assert drawn(["C4-LER"], own) == [None, None, "C4-LER"]


def test_equal_lanes_do_not_want_an_electrode_twice():
    own = montage_of(("C4-M1", "C4-LER", "C3-M2"), ("C4-M1", "C4-LER", "C3-M2"))
    assert drawn(["C4-M1", "C4-LER", "C3-M2"], own) == ["C4-M1", "C3-M2"]


def test_bipolar_chains_share_references():
    own = montage_of(("Fpz-Cz",), ("Cz-Oz",), ("F4-C4",), ("C4-O2",))
    assert drawn(["Fpz-REF", "Cz-REF", "Oz-REF", "F4-C4", "C4-O2"], own) == [
        *("Fpz-Cz", "Cz-Oz", "F4-C4", "C4-O2")
    ]


def test_a_channel_given_as_one_electrode_is_no_other():
    labels = ["C3-LER", "M2-LER", "O1-LER"]
    found = choose_by_label(MONTAGES["central"], labels, {"C4": "C3-LER,M2-LER"}, where="night.edf")
    assert [one.name if one else None for one in found.derivations[:2]] == ["C4-M1", None]


def test_given_lanes_take_precedence_and_the_others_agree_with_them():
    labels = ["C4-LER", "C3-LER", "C3-M2", "X1"]
    found = choose_by_label(MONTAGES["central"], labels, {"C4-LER": "X1"}, where="night.edf")
    assert [one.name for one in found.derivations[:2]] == ["C4-LER", "C3-LER"]
    with pytest.raises(BuildError, match="two lanes"):
        choose_by_label(MONTAGES["central"], labels, {"C4": "X1", "C3": "X1"}, where="night.edf")


def test_kinds_of_reference_and_sides():
    assert {reference(name) for name in ("C4-M1", "C3-M2", "Cz-M1")} == {"contralateral"}
    assert {reference(name) for name in ("C4-M2", "O1-M1")} == {"ipsilateral"}
    assert {reference(name) for name in ("Fpz-Cz", "C4-O2")} == {BIPOLAR}
    assert [reference(name) for name in ("C4-LER", "C4-CLE", "C4", "C4-AVG")] == [
        *("LER", "CLE", "REF", "other")
    ]
    assert [side(name) for name in ("F3-M2", "F4-M1", "F10-M1", "Fpz-Cz")] == [
        *("left", "right", "right", "")
    ]


def test_an_assignment_is_the_one_that_scipy_finds():
    """Equal costs are decided alike too, so that a lane shows what it has always shown."""
    from scipy.optimize import linear_sum_assignment

    rng = np.random.default_rng(6)
    for most in (2, 5, 1000) * 100:
        n_rows = rng.integers(1, 9)
        costs = rng.integers(0, most, (n_rows, n_rows + rng.integers(0, 20))).astype(float)
        costs[rng.random(costs.shape) < 0.3] = np.inf
        own = np.full((n_rows, n_rows), np.inf)
        np.fill_diagonal(own, 1e12 - np.arange(n_rows))
        costs = np.hstack([costs, own])
        assert assign(costs.tolist()) == linear_sum_assignment(costs)[1].tolist()
