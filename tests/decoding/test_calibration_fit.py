"""What is fitted on people held out, and what a file becomes by it."""

import numpy as np
import pyarrow as pa
import pytest
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.decoding import calibration_fit, decoded, night_decoding, temperature
from psgimg.finetune.decoding.calibration_fit import NIGHT, PREDICTED, TEMPERATURE, Calibration
from psgimg.finetune.decoding.decoded import Decoding
from psgimg.finetune.decoding.transitions import Chain, Transitions
from psgimg.finetune.metrics import predictions
from psgimg.finetune.metrics.predictions import PAGE_PROBABILITIES, PROBABILITIES, Predictions

COUNTS = (
    (90, 9, 1, 0, 2),
    (8, 30, 25, 1, 6),
    (6, 9, 200, 20, 8),
    (2, 1, 20, 90, 1),
    (5, 4, 3, 1, 80),
)
KNOWN = Transitions({30.0: COUNTS})
CHAIN = Chain.of(COUNTS)


def nights(n_nights=4, n_epochs=150, seed=0, sure=1.0, markov=True):
    """Predictions of nights drawn from the chain; ``sure`` above 1 claims more than is true."""
    random = np.random.default_rng(seed)
    rows = []
    for night in range(n_nights):
        stage = 0
        for epoch in range(n_epochs):
            stage = random.choice(5, p=CHAIN.matrix[stage] if markov else CHAIN.usual)
            # A noisy look at the stage, and the honest posterior given it.
            seen = random.choice(5, p=0.55 * np.eye(5)[stage] + 0.09)
            odds = CHAIN.usual * (0.55 * np.eye(5)[seen] + 0.09)
            odds = odds**sure / (odds**sure).sum()
            rows.append(
                {
                    "corpus": "lab",
                    "subject": f"s{night}",
                    "recording": f"n{night}",
                    "epoch": epoch,
                    "label": STAGE_NAMES[stage],
                    "prediction": STAGE_NAMES[odds.argmax()],
                    "epoch_s": 30.0,
                    **dict(zip(PROBABILITIES, odds.tolist(), strict=True)),
                }
            )
    return Predictions.from_rows(rows)


def test_the_temperature_undoes_what_a_model_claims_too_much_and_changes_no_stage():
    found = nights(sure=2.5, n_nights=8)
    degree = temperature.fitted(found.probabilities, found.labels)
    assert degree == pytest.approx(2.5, rel=0.12)
    cooled = temperature.scaled(found.probabilities, degree)
    assert (cooled.argmax(axis=1) == found.probabilities.argmax(axis=1)).all()
    np.testing.assert_allclose(cooled.sum(axis=1), 1)
    np.testing.assert_allclose(temperature.scaled(cooled, 1 / degree), found.probabilities)


def test_the_temperature_stays_within_its_bounds():
    right = nights().labels
    hopeless = np.eye(5)[(right + 1) % 5] * 0.9 + 0.02
    assert temperature.fitted(hopeless, right) == pytest.approx(temperature.BOUNDS[1], rel=1e-3)
    assert temperature.scaled(np.array([[1.0, 0, 0, 0, 0]]), 0.1).tolist() == [[1, 0, 0, 0, 0]]


def test_nights_that_follow_the_chain_are_decoded_better_and_their_probabilities_stay_true():
    fit = calibration_fit.fit(nights(seed=1), KNOWN, "v")
    assert fit.weight == pytest.approx(1, abs=0.3), "the model that drew the nights"
    page, night = fit.figures[TEMPERATURE], fit.figures[NIGHT]
    assert night["accuracy"] > page["accuracy"] + 0.05
    assert night["nll"] < page["nll"]
    assert night["ece"] < 0.07
    assert (fit.pages, fit.recordings, fit.subjects) == (600, 4, 4)
    assert fit.figures[PREDICTED]["accuracy"] == page["accuracy"]


@pytest.mark.parametrize("seed", range(6))
def test_no_weight_is_chosen_with_which_fewer_epochs_of_the_validation_are_right(seed):
    found = nights(seed=seed, markov=False, n_nights=3, n_epochs=60)  # neighbours say nothing
    fit = calibration_fit.fit(found, KNOWN, "v")
    assert fit.figures[NIGHT]["accuracy"] >= fit.figures[TEMPERATURE]["accuracy"]
    assert fit.figures[NIGHT]["nll"] <= fit.figures[TEMPERATURE]["nll"] + 1e-6
    assert fit.weight <= 0.5


def test_without_transitions_only_the_temperature_is_fitted():
    fit = calibration_fit.fit(nights(), Transitions(), "v")
    assert (fit.weight, fit.night_temperature) == (None, 1.0)
    assert NIGHT not in fit.figures


def test_predictions_without_probabilities_are_refused():
    table = nights().table
    for name in PROBABILITIES:
        place = table.column_names.index(name)
        table = table.set_column(place, name, pa.nulls(len(table), pa.float64()))
    with pytest.raises(BuildError, match=r"v\.csv has no probabilities .* --mode score"):
        calibration_fit.fit(Predictions(table), KNOWN, "v.csv")


FIT = Calibration(1.5, 0.8, 1.2, 10, 1, 1, {})


def test_a_file_is_decoded_night_by_night_whatever_the_order_of_its_rows(tmp_path):
    found = nights(n_nights=3, n_epochs=40)
    decoding = Decoding("night", FIT, KNOWN)
    whole = decoding.apply(found)
    predictions.write(tmp_path / "p.parquet", whole)  # every check of a file
    pages = temperature.scaled(found.probabilities, 1.5)
    for night in range(3):
        rows = slice(40 * night, 40 * night + 40)
        own = night_decoding.smoothed(pages[rows], np.arange(40), CHAIN, [0.8])[0]
        np.testing.assert_allclose(whole.probabilities[rows], temperature.scaled(own, 1.2))
    assert (whole.predictions == whole.probabilities.argmax(axis=1)).all()
    assert (whole.predictions != found.predictions).any()
    assert whole.page_predictions.tolist() == found.predictions.tolist()
    np.testing.assert_allclose(whole.page_probabilities, pages)
    mixed = np.random.default_rng(0).permutation(len(found))
    again = decoding.apply(Predictions(found.table.take(mixed)))
    assert again.table.equals(whole.table.take(mixed))
    read = predictions.read(tmp_path / "p.parquet")
    assert read.sequences.tolist() == whole.sequences.tolist()


def test_pages_without_probabilities_keep_their_stage_and_are_a_gap():
    found = nights(n_nights=1, n_epochs=30)
    rows = found.table.to_pylist()
    for name in PROBABILITIES:
        rows[10][name] = None
    rows[10]["prediction"] = None
    holed = Decoding("night", FIT, KNOWN).apply(Predictions.from_rows(rows))
    assert holed.predictions[10] == holed.page_predictions[10] == holed.sequences[10] == -1
    assert np.isnan(holed.probabilities[10]).all()
    left = Predictions.from_rows(rows[:10] + rows[11:])
    without = Decoding("night", FIT, KNOWN).apply(left)
    kept = np.delete(np.arange(30), 10)
    np.testing.assert_allclose(holed.probabilities[kept], without.probabilities)


@pytest.mark.parametrize("decode", decoded.DECODE)
def test_what_was_applied_to_a_file_can_be_undone_to_fit_anew(decode):
    found = nights()
    decoding = Decoding(decode, FIT, KNOWN)
    made = decoding.apply(found)
    back = decoded.as_given(made, {"settings": decoding.settings()})
    np.testing.assert_allclose(back.probabilities, found.probabilities, atol=1e-12)
    assert back.predictions.tolist() == found.predictions.tolist()
    assert back.page_probabilities is None
    columns = [name for name in found.table.column_names if name not in PROBABILITIES]
    assert back.table.select(columns).equals(found.table.select(columns))
    assert (made.page_probabilities is None) == (decode == "page")
    assert set(PAGE_PROBABILITIES) <= set(made.table.column_names)


@pytest.mark.parametrize("wrong", ["1.5", 0, -1, float("nan"), None, [1]], ids=str)
def test_a_temperature_that_is_none_is_refused(wrong):
    source = {"settings": {"calibration": {"temperature": wrong}}}
    with pytest.raises(BuildError, match=r"states the temperature .*; predict again"):
        decoded.as_given(nights(n_nights=1, n_epochs=3), source)


def test_a_model_without_a_weight_is_refused_in_a_line_that_says_what_to_do():
    for fit in (None, calibration_fit.fit(nights(), Transitions(), "v")):
        with pytest.raises(BuildError, match=r"no weight .*psgimg calibrate --model"):
            decoded.of_model(KNOWN, fit, "night", "m")
        assert decoded.of_model(KNOWN, fit, "page", "m").calibration is fit


def test_epochs_of_a_length_without_transitions_are_refused():
    table = nights(n_nights=1).table
    place = table.column_names.index("epoch_s")
    short = Predictions(table.set_column(place, "epoch_s", pa.array([20.0] * len(table))))
    with pytest.raises(BuildError, match="epochs of 20 s can't be decoded"):
        Decoding("night", FIT, KNOWN).apply(short)
