"""Tiny nights of open corpora in forms of their own: WFDB with notes, and exports of RemLogic."""

import struct
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import wfdb
from tiny_edf import START, TRUTH, channels, night, runs, write_psg

CINC_LABELS = (
    "F3-M2", "F4-M1", "C3-M2", "C4-M1", "O1-M2", "O2-M1", "E1-M2", "Chin1-Chin2", "ABD", "SaO2", "ECG",
)  # fmt: skip
CINC_WORDS = {"W": "W", "1": "N1", "2": "N2", "3": "N3", "4": "N3", "R": "R"}
CAP_WORDS = {"W": "S0", "1": "S1", "2": "S2", "3": "S3", "4": "S4", "R": "REM", "M": "MT"}
CAP_LABELS = ("ROC-LOC", "Fp2-F4", "F4-C4", "C4-P4", "P4-O2", "C4-A1", "EMG1-EMG2", "ECG1-ECG2")


def write_cinc(root, name="tr03-0005", *, minutes=10, begin_s=60, sfreq_hz=200, extra=()):
    """Write one record of the challenge, with ``extra`` notes; return its truth from ``begin_s`` on."""
    folder = Path(root) / "training" / name
    folder.mkdir(parents=True)
    words = night(minutes * 2 - begin_s // 30, seed=len(name))
    n_samples = minutes * 60 * sfreq_hz
    rng = np.random.default_rng(5)
    samples = rng.normal(0, 400, (n_samples, len(CINC_LABELS))).astype("<i2")
    matrix = struct.pack("<5i4s", 30, len(CINC_LABELS), n_samples, 0, 4, b"val\0")
    (folder / f"{name}.mat").write_bytes(matrix + samples.tobytes())
    lines = [f"{name} {len(CINC_LABELS)} {sfreq_hz} {n_samples}"]
    for i, label in enumerate(CINC_LABELS):
        checksum = int(samples[:, i].astype(np.int64).sum() % 65536)
        unit = "%" if label == "SaO2" else "uV"
        lines.append(f"{name}.mat 16+24 10/{unit} 16 0 {samples[0, i]} {checksum} 0 {label}")
    (folder / f"{name}.hea").write_text("\n".join(lines) + "\n")
    notes = [(onset_s, CINC_WORDS[word]) for onset_s, _, word in runs(words, 30.0, begin_s)]
    notes += [(95.2, "(resp_hypopnea"), (110.7, "resp_hypopnea)"), (130.0, "(arousal_rera"), *extra]
    notes.sort()
    wfdb.wrann(
        name,
        "arousal",
        np.array([round(onset_s * sfreq_hz) for onset_s, _ in notes]),
        symbol=['"'] * len(notes),
        aux_note=[text for _, text in notes],
        fs=sfreq_hz,
        write_dir=str(folder),
    )
    return merged([TRUTH[word] for word in words])


def merged(scores):
    return tuple(scores)


def write_cap(
    root, name="n1", *, minutes=10, start=START, later_s=45, position=True, dots=False, spaced=False
):
    """Write one night whose scoring begins ``later_s`` after the signal; return its truth."""
    folder = Path(root)
    words = night(minutes * 2, seed=len(name), odd="M")
    inputs = [*channels(CAP_LABELS[:1], 128, "eog"), *channels(CAP_LABELS[1:6], 128)]
    inputs += [*channels(CAP_LABELS[6:7], 256, "emg"), *channels(CAP_LABELS[7:], 128, "ecg")]
    write_psg(folder / f"{name}.edf", inputs, words, start_s=later_s, start=start)
    head = ["Sleep Stage", *(["Position"] if position else []), "Time [hh:mm:ss]", "Event"]
    head += ["Duration [s]" if spaced else "Duration[s]", "Location"]
    lines = ["RemLogic Event Export", "Patient:\t", "Events Included:", "SLEEP-S0", "MCAP-A1", ""]
    lines += ["Scoring Session:", "", "\t".join(head)]
    for i, word in enumerate(words):
        at = (start + timedelta(seconds=later_s + 30 * i)).strftime(
            "%H.%M.%S" if dots else "%H:%M:%S"
        )
        where = ["Unknown Position"] if position else []
        stage = "1S3" if word == "3" else CAP_WORDS[word]
        lines.append("\t".join([stage, *where, at, f"SLEEP-{CAP_WORDS[word]}", "30", "ROC-LOC"]))
        if i == 3:
            lines.append("\t".join(["S2", *where, at, "MCAP-A1", "6", "EEG-Fp2-F4"]))
    (folder / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="latin-1")
    return tuple(TRUTH[word] for word in words)


MIDNIGHT = datetime(1989, 1, 2, 23, 55, 0)
