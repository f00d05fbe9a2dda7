"""Tiny nights of the Human Sleep Project, in the layout of the PhysioNet Challenge 2026."""

from __future__ import annotations

from pathlib import Path

import edfio
import numpy as np
from tiny_edf import TRUTH, channels, night, write_psg

CODES = {"W": 5, "R": 4, "1": 3, "2": 2, "3": 1, "4": 1, "?": 9}
LABELS = {
    "S0001": (["F4-M1", "C4-M1", "O2-M1"], ["E1-M2", "E2-M2"], ["Chin1-Chin2"]),
    "I0006": (["f3:a2", "EEG C3-A2_PDS", "m2:o1"], ["LOC", "ROC", "A2"], ["EMG1", "EMG2"]),
}


def write_stages(path, label, codes, *, rate_s=30, unit="", span=(0, 9)):
    """Write a scoring as a signal with one sample per ``rate_s``, among others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    n_s = len(codes) * rate_s
    signals = [
        edfio.EdfSignal(np.zeros(n_s), 1, label=label.replace("stage", "resp")),
        edfio.EdfSignal(
            np.array(codes, float), 1 / rate_s, label=label, physical_dimension=unit,
            physical_range=span,
        ),
    ]  # fmt: skip
    edfio.Edf(signals, data_record_duration=rate_s).write(path)


def write_hsp(root, minutes=10):
    """Write a night of two sites; return their truth."""
    found = {}
    for number, (site, (eeg, eog, emg)) in enumerate(LABELS.items(), start=1):
        name = f"sub-{site}11118935{number}_ses-1"
        words = night(minutes * 2, number, odd="?")
        inputs = [*channels(eeg, 200), *channels(eog, 200, "eog"), *channels(emg, 200, "emg")]
        write_psg(Path(root) / "physiological_data" / site / f"{name}.edf", inputs, words)
        codes = [CODES[word] for word in words]
        folder = Path(root) / "human_annotations" / site
        write_stages(folder / f"{name}_expert_annotations.edf", "stage_expert", codes)
        program = [5, *codes[1:]]
        folder = Path(root) / "algorithmic_annotations" / site
        write_stages(folder / f"{name}_caisr_annotations.edf", "stage_caisr", program)
        found[name] = tuple(TRUTH[word] for word in words)
    return found
