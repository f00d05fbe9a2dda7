"""Sampling: what a training pass shows, for any stages in any number."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psgimg.builder.errors import BuildError
from psgimg.finetune.data import sampling

labels = st.lists(st.integers(0, 4), min_size=1, max_size=60).map(lambda x: np.array(x, np.int8))
hows = st.sampled_from(sampling.HOWS)
seeds = st.integers(0, 2**32)
lengths = st.none() | st.integers(0, 200)


@given(labels, hows, seeds, lengths)
def test_a_pass_has_the_length_asked_for_and_only_rows_that_are_there(labels, how, seed, n):
    rows = sampling.order(labels, how, seed, n)
    assert rows.shape == (len(labels) if n is None else n,)
    assert rows.dtype == np.int64
    assert set(rows) <= set(range(len(labels)))


@given(labels, hows, seeds, lengths)
def test_no_row_comes_again_before_its_like_have_come(labels, how, seed, n):
    times = np.bincount(sampling.order(labels, how, seed, n), minlength=len(labels))
    groups = [times] if how == "natural" else [times[labels == stage] for stage in set(labels)]
    assert all(np.ptp(group) <= 1 for group in groups)


@given(labels, seeds)
def test_a_natural_pass_shows_every_row_once(labels, seed):
    assert sorted(sampling.order(labels, "natural", seed)) == list(range(len(labels)))


@given(labels, seeds, lengths)
def test_a_balanced_pass_shows_each_stage_that_occurs_equally_often(labels, seed, n):
    shown = np.bincount(labels[sampling.order(labels, "balanced", seed, n)], minlength=5)
    assert np.ptp(shown[np.unique(labels)]) <= 1


@given(labels, seeds, lengths)
def test_a_sqrt_pass_is_in_proportion_to_the_root_of_the_numbers(labels, seed, n):
    roots = np.sqrt(np.bincount(labels, minlength=5))
    rows = sampling.order(labels, "sqrt", seed, n)
    shown = np.bincount(labels[rows], minlength=5)
    assert np.abs(shown - len(rows) * roots / roots.sum()).max() < 1


@given(labels, hows, seeds)
def test_the_seed_alone_decides(labels, how, seed):
    first, second = (sampling.order(labels, how, seed) for _ in range(2))
    assert np.array_equal(first, second)


def test_another_seed_gives_another_order_and_stages_are_mixed():
    labels = np.repeat(np.arange(5, dtype=np.int8), [300, 40, 500, 200, 150])
    passes = [sampling.order(labels, how, seed) for how in sampling.HOWS for seed in (1, 2)]
    assert len({rows.tobytes() for rows in passes}) == len(passes)
    for rows in passes:
        assert len(set(labels[rows[:100]])) == 5


def test_an_unknown_way_is_refused_by_name():
    with pytest.raises(BuildError, match="sampling 'weighted': use natural, balanced, sqrt"):
        sampling.order(np.zeros(3, np.int8), "weighted", 0)


@pytest.mark.parametrize(("n_rows", "n"), [(0, 3), (3, -1)])
def test_a_pass_that_cannot_be_is_a_mistake(n_rows, n):
    with pytest.raises(ValueError, match="rows"):
        sampling.order(np.zeros(n_rows, np.int8), "natural", 0, n)


@st.composite
def nights(draw):
    """Recordings of some subjects of two corpora: index of each row, and the keys."""
    keys = draw(
        st.lists(
            st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.sampled_from("1234")),
            min_size=1,
            max_size=12,
            unique=True,
        )
    )
    sizes = draw(st.lists(st.integers(1, 9), min_size=len(keys), max_size=len(keys)))
    return np.repeat(np.arange(len(keys), dtype=np.int32), sizes), keys


@given(nights(), st.integers(0, 99), st.none() | st.integers(1, 10))
def test_fewer_subjects_and_pages_are_among_more(night, seed, most):
    recording, keys = night
    subjects = {key[:2] for key in keys}
    smaller = set()
    for n in range(1, len(subjects) + 1):
        rows = sampling.subset(recording, keys, n, most, seed)
        assert len({keys[i][:2] for i in recording[rows]}) == n
        assert np.all(np.diff(rows) > 0)
        assert smaller <= set(rows)
        smaller = set(rows)
    if most is not None:
        assert smaller <= set(sampling.subset(recording, keys, None, most + 1, seed))
        expected = np.minimum(np.bincount(recording), most)
        assert np.array_equal(np.bincount(recording[list(smaller)]), expected)
    else:
        assert smaller == set(range(len(recording)))


@given(nights(), st.integers(0, 99))
def test_what_a_recording_gives_does_not_hang_on_the_others(night, seed):
    recording, keys = night
    chosen = sampling.subset(recording, keys, None, 3, seed)
    for i, key in enumerate(keys):
        own = np.flatnonzero(recording == i)
        alone = sampling.subset(np.zeros(len(own), np.int32), [key], None, 3, seed)
        assert np.array_equal(own[alone], chosen[recording[chosen] == i])


@pytest.mark.parametrize(
    ("n_subjects", "most", "said"),
    [
        (0, None, "--train-subjects 0"),
        (None, 0, "--max-epochs-per-recording 0"),
        (3, None, "there are only 2"),
    ],
)
def test_a_number_that_cannot_be_met_is_refused(n_subjects, most, said):
    keys = [("a", "x", "1"), ("a", "y", "1")]
    with pytest.raises(BuildError, match=said):
        sampling.subset(np.array([0, 1]), keys, n_subjects, most, 0)
