"""Decoding a night: what is smoothed and likeliest, by trying every sequence; what transitions count."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import tiny
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.finetune.data import page_set
from psgimg.finetune.decoding import night_decoding, transitions
from psgimg.finetune.decoding.transitions import PRIOR, Chain, Transitions

COUNTS = (
    (90, 9, 1, 0, 2),
    (8, 30, 25, 0, 6),
    (6, 9, 200, 20, 8),
    (2, 1, 20, 90, 0),
    (5, 4, 3, 0, 80),
)
CHAIN = Chain.of(COUNTS)


def pages(n, seed=0):
    return np.random.default_rng(seed).dirichlet([0.5] * 5, n)


def every_sequence(odds, epochs, weight):
    """Return each sequence of stages with its share of the probability."""
    sequences = np.array(list(itertools.product(range(5), repeat=len(odds))))
    shares = odds[np.arange(len(odds)), sequences].prod(axis=1)
    for i, step in enumerate(np.diff(epochs).tolist()):
        ties = np.linalg.matrix_power(CHAIN.matrix, step) / CHAIN.usual
        shares = shares * ties[sequences[:, i], sequences[:, i + 1]] ** weight
    return sequences, shares / shares.sum()


@pytest.mark.parametrize("epochs", [[0, 1, 2, 3, 4], [7, 8, 11, 12, 40], [3]], ids=str)
@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0, 1.5])
def test_smoothed_and_likeliest_are_those_of_all_sequences_across_gaps_too(epochs, weight):
    odds = pages(len(epochs), seed=len(epochs))
    sequences, shares = every_sequence(odds, epochs, weight)
    expected = [[shares[sequences[:, i] == s].sum() for s in range(5)] for i in range(len(odds))]
    several = night_decoding.smoothed(odds, np.array(epochs), CHAIN, [0.7, weight])
    np.testing.assert_allclose(several[1], expected, atol=1e-12)
    best = night_decoding.likeliest(odds, np.array(epochs), CHAIN, weight)
    assert best.tolist() == sequences[shares.argmax()].tolist()


def test_without_weight_pages_are_as_they_were_and_certain_pages_stay_certain():
    odds = pages(300)
    epochs = np.arange(300)
    np.testing.assert_allclose(
        night_decoding.smoothed(odds, epochs, CHAIN, [0.0])[0], odds, atol=1e-12
    )
    certain = np.eye(5)[np.random.default_rng(1).integers(0, 5, 300)]
    found = night_decoding.smoothed(certain, epochs, CHAIN, [1.0])[0]
    np.testing.assert_allclose(found, certain, atol=1e-12)
    assert (night_decoding.likeliest(certain, epochs, CHAIN, 1.0) == certain.argmax(1)).all()


def test_the_far_sides_of_a_long_gap_are_nights_of_their_own():
    odds = pages(40)
    epochs = np.r_[0:20, 3000:3020]
    apart = [
        night_decoding.smoothed(odds[s], epochs[s], CHAIN, [1.0])[0]
        for s in np.split(np.arange(40), 2)
    ]
    together = night_decoding.smoothed(odds, epochs, CHAIN, [1.0])[0]
    np.testing.assert_allclose(together, np.concatenate(apart), atol=1e-9)
    near = night_decoding.smoothed(odds, np.arange(40), CHAIN, [1.0])[0]
    assert np.abs(near - together).max() > 1e-2


def test_what_is_never_seen_is_unlikely_and_the_usual_stays_usual():
    assert CHAIN.matrix[3, 4] == PRIOR / (np.sum(COUNTS[3]) + 5 * PRIOR)
    np.testing.assert_allclose(CHAIN.usual @ CHAIN.matrix, CHAIN.usual, atol=1e-12)
    assert CHAIN.usual.sum() == pytest.approx(1)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    place = tmp_path_factory.mktemp("transitions")
    tiny.write_shhs(place / "shhs", n_subjects=4, visits=(1,), minutes=8)
    options = {"style": "paper", "splits": "2/1/1", "seed": 3, "trim_min": None}
    config = BuildConfig(("shhs",), (str(place / "shhs"),), place / "out", **options)
    build(config, Remembered())
    return str(config.out)


def counted(pages):
    """Count pairs page by page, from the columns of the index."""
    table = np.zeros((5, 5), int)
    index = pages.index
    chosen = set(index.recording[pages.rows].tolist())
    for row in range(1, len(index)):
        same = index.recording[row] == index.recording[row - 1]
        near = index.epoch[row] == index.epoch[row - 1] + 1
        if same and near and index.recording[row] in chosen:
            table[index.label[row - 1], index.label[row]] += 1
    return table.tolist()


def test_pairs_within_a_recording_count_and_none_across_gaps_or_of_other_people(dataset):
    train = page_set.load(dataset, None, "train")
    own = transitions.of(train)
    assert [*map(list, own.counts[30.0])] == counted(train)
    assert 0 < np.sum(own.counts[30.0]) < len(train) - 2, "the nights have unscored epochs"
    assert train.index.joined[3:5].all()
    # As if the fourth page of the first recording were unscored: two pairs less.
    gap = np.delete(np.arange(len(train.index)), 3)
    joined = train.index.joined[gap].copy()
    joined[3] = False
    parts = {
        name: getattr(train.index, name)[gap]
        for name in ("label", "label_2", "recording", "epoch", "onset_s")
    }
    index = replace(train.index, **parts, joined=joined)
    holed = replace(train, index=index, rows=np.arange(len(index)))
    assert np.sum(transitions.of(holed).counts[30.0]) == np.sum(own.counts[30.0]) - 2
    assert [*map(list, transitions.of(holed).counts[30.0])] == counted(holed)
    one = replace(train, rows=train.rows[train.index.recording[train.rows] == 0][:3])
    assert [*map(list, transitions.of(one).counts[30.0])] == counted(one), "all pages of one person"


def test_epochs_of_another_length_have_transitions_of_their_own_or_are_refused():
    both = Transitions({20.0: tuple(map(tuple, np.eye(5, dtype=int).tolist())), 30.0: COUNTS})
    assert both.chain(20.0).matrix[0, 0] == pytest.approx(1.5 / 3.5)
    assert both.chain(30.0).matrix[0, 0] > 0.8
    assert Transitions.from_json(both.to_json()) == both
    with pytest.raises(BuildError, match=r"epochs of 20 s .* counted for epochs of 30 s; take"):
        Transitions({30.0: COUNTS}).chain(20.0)
