"""Tiny datasets in the layout of EEG-BIDS, each written as its distributor does."""

import json
from pathlib import Path

import edfio
import numpy as np
from scipy.io import savemat
from tiny_edf import TRUTH, channels, night, runs, write_psg

INPUTS = [
    *channels(["F4-M1", "C4-M1", "O2-M1"], 128),
    *channels(["E1-M2", "E2-M2"], 128, "eog"),
    *channels(["Chin"], 128, "emg"),
]
AASM = {"W": "W", "1": "N1", "2": "N2", "3": "N3", "4": "N3", "R": "R", "M": "U", "?": "U"}
LONG = {**AASM, "W": "Wake", "R": "REM", "M": "Movement time", "?": "Unknown"}
CODES = {"W": "0", "1": "1", "2": "2", "3": "3", "4": "3", "R": "4", "?": "8"}
SURREY = {"W": "1", "R": "2", "1": "3", "2": "4", "3": "5", "4": "5", "?": "7"}
LEVELS = {
    "1": "Wake", "2": "REM sleep", "3": "N1", "4": "Stage N2", "5": "N3 (slow wave sleep)",
    "6": "artefact", "7": "unscored", "8": "n/a", "9": "lights on",
}  # fmt: skip


def truth(words):
    return tuple(TRUTH[word] for word in words)


def table(path, columns, rows, *, mark=""):
    """Write a table of BIDS; ``mark`` precedes it, such as a byte-order mark."""
    lines = ["\t".join(columns), *("\t".join(map(str, row)) for row in rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(mark + "\n".join(lines) + "\n", encoding="utf-8")


def sidecar(path, **values):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))


def place(root, stem, *, ses=""):
    """Return the folder of a recording and its name without suffix."""
    sub = stem.split("_")[0]
    return Path(root) / sub / ses / "eeg" / stem


def signal(base, words, inputs=INPUTS, *, seed=0):
    write_psg(base.with_name(f"{base.name}_eeg.edf"), inputs, words, seed=seed)


def events(base, columns, rows, **options):
    table(base.with_name(f"{base.name}_events.tsv"), columns, rows, **options)


def describe(root, **participants):
    """Write what stands in the folder of a dataset: its description and who took part."""
    sidecar(root / "dataset_description.json", Name="Tiny", BIDSVersion="1.8.0")
    if participants:
        columns = list(participants)
        table(root / "participants.tsv", columns, zip(*participants.values(), strict=True))


def write_boas(root, n=2, *, minutes=6, persons=None, both_eyes=()):
    """BOAS: codes of people and of a program side by side; a headband lies beside each night."""
    found = {}
    for number in range(1, n + 1):
        words = night(minutes * 2, number, odd="?")
        eeg = [f"PSG_{name}" for name in ("F3", "F4", "C3", "C4", "O1", "O2")]
        eyes = ["PSG_EOGL", "PSG_EOGR"] if number in both_eyes else ["PSG_EOG"]
        inputs = [
            *channels(eeg, 256),
            *channels(eyes, 256, "eog"),
            *channels(["PSG_EMG"], 256, "emg"),
        ]
        base = place(root, f"sub-{number}_task-Sleep_acq-psg")
        signal(base, words, inputs, seed=number)
        rows = [
            (30 * i, 30, 7680 * i + 1, 7680 * (i + 1), 0, CODES[w], "-2" if w == "?" else CODES[w])
            for i, w in enumerate(words)
        ]
        rows[0] = (*rows[0][:-1], "1")  # the program errs
        names = ("onset", "duration", "begsample", "endsample", "offset", "stage_hum", "stage_ai")
        events(base, names, rows)
        sidecar(base.with_name(f"{base.name}_eeg.json"), EEGReference="M1", PowerLineFrequency=50)
        band = place(root, f"sub-{number}_task-Sleep_acq-headband")
        signal(band, words, channels(["HB_1", "HB_2"], 256), seed=number)
        events(band, names, rows)
        found[f"sub-{number}"] = truth(words)
    subs = [f"sub-{number}" for number in range(1, n + 1)]
    describe(root, participant_id=subs, pid=persons or range(1, n + 1))
    return found


def write_isruc(root):
    """NEMAR's ISRUC: rows of 30 s, a second scorer, and a last U of duration 0."""
    words = night(14, 3)
    base = place(root, "sub-I001_task-sleep")
    signal(base, words)
    other = ["2" if word == "1" else word for word in words]
    rows = [
        (30 * i, 30, f"Sleep stage {AASM[w]}", f"Sleep stage {AASM[o]}")
        for i, (w, o) in enumerate(zip(words, other, strict=True))
    ]
    rows.append((30 * len(words), 0, "Sleep stage U", "Sleep stage U"))
    events(base, ("onset", "duration", "trial_type", "scorer2_label"), rows)
    describe(root, participant_id=["sub-I001"])
    return truth([*words, "?"])


def write_sleep_edf(root):
    """NEMAR's Sleep-EDF: runs, two nights of one person."""
    found = {}
    for number in (1, 2):
        words = night(14, number, odd="M?")
        base = place(root, f"sub-01_ses-night{number}_task-sleep", ses=f"ses-night{number}")
        signal(base, words, seed=number)
        rows = [(onset, length, LONG[word]) for onset, length, word in runs(words, 30)]
        events(base, ("onset", "duration", "trial_type"), rows)
        found[f"sub-01-ses-night{number}-task-sleep"] = truth(words)
    describe(root)
    return found


def write_cinc(root):
    """NEMAR's CinC 2018: runs among other events, in a file with a byte-order mark."""
    words = night(14, 5)
    base = place(root, "sub-tr030005_task-sleep")
    signal(base, words)
    rows = [(onset, length, LONG[word]) for onset, length, word in runs(words, 30)]
    rows += [(95.2, 15.4, "resp_hypopnea"), (60, 30, "arousal_rera"), (200, 0, "resp_centralapnea")]
    events(base, ("onset", "duration", "trial_type"), sorted(rows), mark="\ufeff")
    describe(root)
    return truth(words)


def write_surrey(root, *, levels=LEVELS):
    """ds005207: codes explained in the JSON of the task; duration 0; the scoring is an acq of its own."""
    words = night(14, 7, odd="?")
    base = place(root, "sub-001_ses-001_task-sleep_acq-PSG", ses="ses-001")
    write_eeglab(base.with_name(f"{base.name}_eeg.set"), words)
    rows = [(30 * i, 0, SURREY[word]) for i, word in enumerate(words)]
    scoring = base.with_name("sub-001_ses-001_task-sleep_acq-PSGScoring")
    events(scoring, ("onset", "duration", "staging"), rows)
    if levels:
        described = {"Levels": levels, "Description": "stage of sleep"}
        sidecar(root / "task-sleep_acq-psgscoring_events.json", staging=described)
    describe(root)
    return truth(words)


def write_fmri(root):
    """ds003768: the stages of all runs of a person in one table of sourcedata, with the scorer's doubts."""
    words = night(14, 9)
    base = place(root, "sub-01_task-sleep_run-2")
    write_brainvision(base.with_name(f"{base.name}_eeg.vhdr"), words)
    spelt = [("W" if w == "W" else "R" if w == "R" else str(min(int(w), 3))) for w in words]
    doubted = ["W (uncertain)", "2 or 3 (unscorable)"]
    spelt[-2:] = doubted
    rows = [("sub-01", "task-sleep_run-1", 30 * i, "W") for i in range(5)]
    rows += [("sub-01", "task-sleep_run-2", 30 * i, word) for i, word in enumerate(spelt)]
    columns = ("subject", "session", "30-sec_epoch_start", "stage")
    table(root / "sourcedata" / "sub-01-sleep-stage.tsv", columns, rows)
    describe(root)
    return truth([*words[:-2], "?", "?"])


def _samples(words, inputs=INPUTS):
    """Return the signals of a night in µV, (n_channels, n_samples), as ``write_psg`` makes them."""
    from tiny_edf import _samples as samples

    n_samples = int(30 * len(words) * inputs[0].sfreq_hz)
    rngs = [np.random.default_rng((0, i)) for i in range(len(inputs))]
    return np.array(
        [
            samples(one, words, n_samples, 30.0, 0.0, rng)
            for one, rng in zip(inputs, rngs, strict=True)
        ]
    )


def write_brainvision(path, words, inputs=INPUTS):
    path.parent.mkdir(parents=True, exist_ok=True)
    stem, labels = path.stem, [one.label for one in inputs]
    listed = "\n".join(f"Ch{i}={label},,0.1,µV" for i, label in enumerate(labels, start=1))
    path.write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={stem}.eeg\nMarkerFile={stem}.vmrk\nDataFormat=BINARY\n"
        f"DataOrientation=MULTIPLEXED\nNumberOfChannels={len(labels)}\n"
        f"SamplingInterval={1e6 / inputs[0].sfreq_hz}\n[Binary Infos]\nBinaryFormat=INT_16\n"
        f"[Channel Infos]\n{listed}\n",
        encoding="utf-8",
    )
    path.with_suffix(".vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={stem}.eeg\n[Marker Infos]\nMk1=New Segment,,1,1,0,20010101220000000000\n"
    )
    values = np.round(_samples(words, inputs).T * 10).astype("<i2")
    path.with_suffix(".eeg").write_bytes(values.tobytes())


def write_bdf(path, words, inputs=INPUTS):
    path.parent.mkdir(parents=True, exist_ok=True)
    signals = [
        edfio.BdfSignal(
            row, one.sfreq_hz, label=one.label, physical_dimension="uV", physical_range=(-500, 500)
        )
        for one, row in zip(inputs, np.clip(_samples(words, inputs), -500, 500), strict=True)
    ]
    edfio.Bdf(signals).write(path)


def write_eeglab(path, words, inputs=INPUTS, *, apart=True):
    """A ``.set``, with its samples in a ``.fdt`` beside it or inside."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = _samples(words, inputs).astype("<f4")
    listed = np.zeros(len(inputs), dtype=[("labels", object)])
    for i, one in enumerate(inputs):
        listed[i] = (one.label,)
    if apart:
        path.with_suffix(".fdt").write_bytes(samples.T.tobytes())
    rate = float(inputs[0].sfreq_hz)
    eeg = {
        "nbchan": len(inputs), "pnts": samples.shape[1], "trials": 1, "srate": rate, "xmin": 0.0,
        "xmax": (samples.shape[1] - 1) / rate, "chanlocs": listed, "event": np.zeros(0),
        "data": path.with_suffix(".fdt").name if apart else samples,
    }  # fmt: skip
    savemat(path, {"EEG": eeg})
