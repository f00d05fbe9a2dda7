r"""Levers on real nights: temperature and decoding within SC4001 and within UCDDB 022, blocks held out.

    python benchmarks/levers_nights.py --root physionet-sleep-data --night ucddb022_C3A2_128Hz.npz \
        --out docs/results.json

Each night by itself, one EEG lane, a random forest on band powers. Every fifth block of 21 minutes is
staged by a forest that learned from three of the other four fifths, whose hypnogram is where transitions
are counted; temperature and weight are fitted to the fourth. One person at a time: the forest has seen the
same sleeper minutes before and after, so that this shows decoding on real signals and stages, and says
nothing of other people. The results are added to the JSON of ``levers.py``, and its page is written anew.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.decoding import calibration_fit
from psgimg.finetune.decoding.decoded import NIGHT, Decoding
from psgimg.finetune.decoding.transitions import Transitions
from psgimg.finetune.metrics import metrics
from psgimg.finetune.metrics.calibration import calibration
from psgimg.finetune.metrics.predictions import PROBABILITIES, Predictions
from real_night import write
from real_nights.steps import BANDS_HZ, N_TREES, SEED, Values, figures, machine

FOLDS, BLOCK, EPOCH_S = 5, 42, 30
MARGIN = 60
"""Epochs of wakefulness kept before and after the sleep of SC4001: 30 minutes."""

CODES = {"W": 0, "1": 1, "2": 2, "3": 3, "4": 3, "R": 4}
"""Sleep-EDF's ``Sleep stage X`` → stage."""

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Night = tuple[Floats, Codes, Codes]
"""Band powers (n, bands), stages (n,) and numbers (n,) of the scored epochs."""


def main() -> None:
    """Decode both nights and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True, help="folder with SC4001 of Sleep-EDF")
    parser.add_argument("--night", type=Path, required=True, help="npz with UCDDB 022")
    parser.add_argument("--out", type=Path, default=Path("docs/results.json"))
    parser.add_argument("--note", default="", help="remark on this run for the page")
    options = parser.parse_args()
    nights = {"SC4001, Fpz-Cz": sleep_edf(options.root), "UCDDB 022, C3-A2": ucddb(options.night)}
    found = {name: held_out(night) for name, night in nights.items()}
    write(options.out, {"levers_nights": {"nights": found, "machine": machine(options.note)}})


def sleep_edf(root: Path) -> Night:
    """Return the night of SC4001, from half an hour before sleep to half an hour after it."""
    import edfio

    signal = edfio.read_edf(next(root.rglob("SC4001E0-PSG.edf"))).get_signal("EEG Fpz-Cz")
    scoring = edfio.read_edf(next(root.rglob("SC4001EC-Hypnogram.edf")))
    stages = np.full(len(signal.data) // (EPOCH_S * 100), -1)
    for one in scoring.annotations:
        first, n = (round(value / EPOCH_S) for value in (one.onset, one.duration or 0))
        stages[first : first + n] = CODES.get(one.text.removeprefix("Sleep stage "), -1)
    asleep = np.flatnonzero(stages > 0)
    epochs = np.arange(asleep[0] - MARGIN, asleep[-1] + MARGIN + 1)
    epochs = epochs[stages[epochs] >= 0]
    pages = signal.data[: len(stages) * EPOCH_S * 100].reshape(len(stages), -1)[epochs]
    return powers(pages, 100), stages[epochs], epochs


def ucddb(path: Path) -> Night:
    """Return the scored epochs of UCDDB 022 that are there."""
    stored = np.load(path)
    epochs = np.flatnonzero((stored["y"] >= 0) & ~np.isnan(stored["x"]).any(axis=1))
    return powers(stored["x"][epochs], 128), stored["y"][epochs].astype(np.int64), epochs


def powers(pages: npt.NDArray[np.floating], sfreq_hz: int) -> Floats:
    """Return log band powers (n, bands) of pages (n, n_samples)."""
    from scipy.signal import welch

    hz, density = welch(pages, sfreq_hz, nperseg=4 * sfreq_hz)
    bands = [density[:, (hz >= low) & (hz < high)].mean(1) for low, high in BANDS_HZ]
    return np.asarray(np.log10(np.stack(bands, axis=1) + 1e-9))


def held_out(night: Night) -> Values:
    """Return the figures of all blocks, each staged by a forest that did not learn from it."""
    features, labels, epochs = night
    fold = (epochs - epochs[0]) // BLOCK % FOLDS
    rows: dict[str, list[Predictions]] = {"page by page": [], "temperature": [], "night": []}
    fits = []
    for k in range(FOLDS):
        tested, fitted = fold == k, fold == (k + 1) % FOLDS
        learned = ~tested & ~fitted
        stages = forest(features[learned], labels[learned])
        known = transitions(labels[learned], epochs[learned])
        held, test = (
            predicted(stages(features[part]), labels[part], epochs[part], k)
            for part in (fitted, tested)
        )
        fit = calibration_fit.fit(held, known, f"fold {k}")
        fits.append({"temperature": fit.temperature, "weight": fit.weight})
        rows["page by page"].append(test)
        rows["temperature"].append(Decoding(calibration=fit).apply(test))
        rows["night"].append(Decoding(NIGHT, fit, known).apply(test))
    return {"rows": {name: _figures(parts) for name, parts in rows.items()}, "fits": fits}


def forest(features: Floats, labels: Codes) -> Callable[[Floats], Floats]:
    """Return what gives (n, 5) probabilities to features, taught on others."""
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(N_TREES, random_state=SEED).fit(features, labels)

    def probabilities(those: Floats) -> Floats:
        odds = np.zeros((len(those), len(STAGE_NAMES)))
        odds[:, model.classes_] = model.predict_proba(those)
        return odds

    return probabilities


def transitions(labels: Codes, epochs: Codes) -> Transitions:
    """Count pairs of successive epochs."""
    table = np.zeros((len(STAGE_NAMES),) * 2, np.int64)
    after = np.flatnonzero(np.diff(epochs) == 1) + 1
    np.add.at(table, (labels[after - 1], labels[after]), 1)
    return Transitions({float(EPOCH_S): tuple(map(tuple, table.tolist()))})


def predicted(odds: Floats, labels: Codes, epochs: Codes, fold: int) -> Predictions:
    """Return predictions of one night."""
    names = {"corpus": "one", "subject": "one", "recording": "one", "fold": fold}
    return Predictions.from_rows(
        {
            **names,
            "epoch": epoch,
            "label": STAGE_NAMES[label],
            "prediction": STAGE_NAMES[int(np.argmax(row))],
            "epoch_s": float(EPOCH_S),
            **dict(zip(PROBABILITIES, row, strict=True)),
        }
        for row, label, epoch in zip(odds.tolist(), labels.tolist(), epochs.tolist(), strict=True)
    )


def _figures(parts: list[Predictions]) -> Values:
    labels = np.concatenate([one.labels for one in parts])
    odds = np.concatenate([one.probabilities for one in parts if one.probabilities is not None])
    measured = calibration(labels, odds)
    assert measured is not None
    table = metrics.confusion(labels, np.concatenate([one.predictions for one in parts]))
    return {**figures(table), "nll": round(measured["nll"], 4), "ece": round(measured["ece"], 4)}


if __name__ == "__main__":
    main()
