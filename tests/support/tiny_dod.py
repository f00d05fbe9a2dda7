"""Tiny nights of DOD: HDF5 in the layout of Dreem, and the lists of the five scorers."""

import json
import zlib
from pathlib import Path

import h5py
import numpy as np
from tiny_edf import TRUTH, night

NIGHT_H = "095d6e40-5f19-55b6-a0ec-6e0ad3793da0"
LATER_H = "0d79f4b1-e74f-5e87-8e42-f9dd7112ada5"
NIGHT_O = "03341d0d-5927-5838-8a5f-1b8ef39d8f57"
BAD_O = "5d8e93a5-d26a-436d-bc2c-e9527dc92cbf"
LIGHTS_OFF_AT_60 = "5bf0f969-304c-581e-949c-50c108f62846"

CODES = {"W": 0, "1": 1, "2": 2, "3": 3, "4": 3, "R": 4, "?": -1}
LABELS = {
    "h": {"eeg": ("C3_M2", "F3_F4", "F3_M2", "F3_O1", "F4_M1", "F4_O2", "FP1_M2", "FP2_M1")},
    "o": {"eeg": ("C3_M2", "C4_M1", "F3_F4", "F3_M2", "F3_O1", "F4_O2", "O1_M2", "O2_M1")},
}
SCORERS = "12345"


def write_h5(path, codes, kinds=None, *, sfreq_hz=250, minutes=None, unit="µV", scale=20.0):
    """Write one night: noise of ``scale`` units, and the codes of its epochs."""
    kinds = kinds or LABELS["h"]
    kinds = {**kinds, "eog": ("EOG1", "EOG2"), "emg": ("ECG", "EMG")}
    n_samples = round((len(codes) * 30 if minutes is None else minutes * 60) * sfreq_hz)
    rng = np.random.default_rng(zlib.crc32(path.name.encode()))  # no two nights are alike
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.attrs["start_time"] = 1_500_000_000
        file["hypnogram"] = np.array(codes, np.int64)
        for kind, labels in kinds.items():
            group = file.create_group(f"signals/{kind}")
            group.attrs["fs"] = sfreq_hz
            if unit is not None:
                group.attrs["unit"] = unit
            for label in labels:
                group[label] = rng.normal(0, scale, n_samples).astype(np.float32)


def write_lists(folder, name, lists):
    """Write the lists of scorers by number, as Dreem-Organization/dreem-learning-evaluation has them."""
    for number, codes in lists.items():
        path = Path(folder) / f"scorer_{number}" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(codes))


def write_dod(root, which="h", name=None, *, minutes=5, before=3, after=2, lists=True):
    """Write one night whose scorers began ``before`` epochs earlier and went on ``after`` longer.

    Scorer 1 agrees with the consensus; scorer 2 sees N2 for N1, scorers 3 to 5 see W for N1 in one,
    two and three of its epochs. Scorer 4 begins last, scorer 5 stops first. Return the truth.
    """
    name = name or {"h": NIGHT_H, "o": NIGHT_O}[which]
    words = night(minutes * 2)
    codes = [CODES[word] for word in words]
    folder = Path(root) / f"dod{which}"
    write_h5(folder / f"{name}.h5", codes, LABELS[which])
    if lists:
        whole = {number: [0] * before + seen + [0] * after for number, seen in seen_by(codes)}
        whole["4"][:before] = [-1] * before
        if after:
            whole["5"][-after:] = [-1] * after
        write_lists(Path(root) / "scorers" / f"dod{which}", name, whole)
    return tuple(TRUTH[word] for word in words)


def seen_by(codes):
    """Yield each scorer with the codes that it gives to the epochs of the signal."""
    n1 = [i for i, code in enumerate(codes) if code == 1]
    yield "1", list(codes)
    yield "2", [2 if code == 1 else code for code in codes]
    for number in (3, 4, 5):
        yield str(number), [0 if i in n1[: number - 2] else code for i, code in enumerate(codes)]
