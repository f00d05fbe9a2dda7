"""Shares: met to within one person, or the largest family, and nobody ever moves."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psgimg.builder.placing import shares

SPLITS = (80, 10, 10)
TESTED_FIRST = (0, 2, 1)
"""Train, test, validation: the order in which few people are handed out."""

proportions = st.lists(
    st.sampled_from([0, 1, 5, 10, 33.3, 50, 80, 99, 0.5]), min_size=3, max_size=3
)
some_shares = proportions.filter(any) | st.integers(2, 20).map(lambda k: [1.0] * k)


def people(n):
    return {f"p{i}": 1 for i in range(n)}


def counts(sizes, placed, n_places):
    held = Counter()
    for name, place in placed.items():
        held[place] += sizes[name]
    return [held[i] for i in range(n_places)]


def deviation(sizes, placed, given_shares):
    quotas = [sum(sizes.values()) * share / sum(given_shares) for share in given_shares]
    found = counts(sizes, placed, len(given_shares))
    return max(abs(n - quota) for n, quota in zip(found, quotas, strict=True))


@pytest.mark.parametrize("n", range(1, 201))
def test_splits_and_folds_are_met_to_within_one_person_at_every_size(n):
    for seed in range(5):
        split = shares.place(people(n), SPLITS, f"{seed}/c", {}, TESTED_FIRST)
        assert deviation(people(n), split, SPLITS) <= 1 + 1e-9
        for n_folds in (2, 5, 10, 20):
            fold = shares.place(people(n), [1.0] * n_folds, f"fold/{seed}/c", {})
            sizes = counts(people(n), fold, n_folds)
            assert max(sizes) - min(sizes) <= 1
            assert min(sizes) > 0 or n < n_folds


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (1, [1, 0, 0]),
        (2, [1, 0, 1]),
        (3, [2, 0, 1]),  # a third split would leave training 1.4 people short of its 2.4
        (5, [3, 1, 1]),
        (8, [6, 1, 1]),
        (10, [8, 1, 1]),
        (15, [12, 1, 2]),
        (100, [80, 10, 10]),
    ],
)
def test_few_people_are_handed_out_so_that_a_model_can_learn_and_be_tested(n, expected):
    for seed in range(50):
        placed = shares.place(people(n), SPLITS, str(seed), {}, TESTED_FIRST)
        assert counts(people(n), placed, 3) == expected


@given(some_shares, st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(0, 99))
def test_whoever_was_placed_stays_and_the_shares_hold_as_a_dataset_grows(given_shares, steps, seed):
    sizes, placed = {}, {}
    for n in steps:
        sizes |= {f"{len(sizes)}-{i}": 1 for i in range(n)}
        before, placed = placed, shares.place(sizes, given_shares, str(seed), placed)
        assert before.items() <= placed.items()
        assert set(placed) == set(sizes)
        assert deviation(sizes, placed, given_shares) <= 1 + 1e-6
        assert not any(given_shares[place] == 0 for place in placed.values())


@given(some_shares, st.lists(st.integers(1, 12), min_size=1, max_size=60), st.integers(0, 99))
def test_families_are_placed_whole_to_within_the_largest(given_shares, members, seed):
    sizes = {f"family-{i}": n for i, n in enumerate(members)}
    placed = shares.place(sizes, given_shares, str(seed), {})
    assert deviation(sizes, placed, given_shares) <= max(members) + 1e-6


def test_no_fold_is_empty_where_a_large_family_fills_another():
    sizes = {"large": 10, "a": 1, "b": 1, "c": 1, "d": 1}
    assert set(shares.place(sizes, [1.0] * 5, "0", {}).values()) == set(range(5))


def test_the_order_in_which_people_are_found_does_not_matter_and_the_seed_does():
    """So that parts of a build that run apart, and the check before it, agree."""
    sizes = people(40)
    placed = shares.place(sizes, SPLITS, "0/shhs", {})
    assert shares.place(dict(reversed(sizes.items())), SPLITS, "0/shhs", {}) == placed
    assert shares.place(sizes, SPLITS, "1/shhs", {}) != placed
    assert shares.place(sizes, SPLITS, "0/mesa", {}) != placed


def test_people_placed_anew_with_one_more_are_almost_all_where_they_were():
    """Two folders of one corpus, one without a night that was set aside, must not train on test people."""
    moved = 0
    for seed in range(30):
        few, more = (
            shares.place(people(n), SPLITS, str(seed), {}, TESTED_FIRST) for n in (500, 501)
        )
        moved += sum(more[name] != place for name, place in few.items())
    assert moved / 30 < 1


def test_placements_of_a_release_never_move():
    """These are literal: a release's test subjects must stay test subjects for ever."""
    sizes = {str(i): 1 for i in range(200001, 200021)}
    placed = shares.place(sizes, SPLITS, "0/shhs", {}, TESTED_FIRST)
    assert "".join("tve"[placed[name]] for name in sorted(sizes)) == "ttvttttettettttvtttt"
