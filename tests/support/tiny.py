"""Tiny corpora in the official layout of each: folders, file names, labels, units, annotation forms.

``write_x(root)`` puts under ``root`` what the distributor's download of corpus x holds, nights of
``minutes`` minutes, and returns the truth: the scores of every recording, by the name that psgimg
gives it. Nothing is random: the same call writes the same files.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from psgimg.builder.stages import Score
from tiny_edf import START, TRUTH, Channel, channels, night, runs, write_annotations, write_psg
from tiny_scorings import (
    DCSM_IDS,
    EDF_AASM,
    EDF_RK,
    nsrr_xml,
    profusion_xml,
    write_isruc_expert,
)

Truth = dict[str, tuple[Score, ...]]


def truth(words: Sequence[str]) -> tuple[Score, ...]:
    """Make of a night's words what a reader must make of its files."""
    return tuple(TRUTH[word] for word in words)


def write_nsrr(
    root: Path, folder: str, stem: str, inputs: Sequence[Channel], words: Sequence[str]
) -> None:
    """Write one NSRR night: EDF and both XML forms, in ``folder`` (a visit, or none)."""
    tree = root / "polysomnography"
    write_psg(tree / "edfs" / folder / f"{stem}.edf", inputs, words, seed=len(stem))
    for form, content in (("nsrr", nsrr_xml(words)), ("profusion", profusion_xml(words))):
        path = tree / f"annotations-events-{form}" / folder / f"{stem}-{form}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def write_shhs(
    root: Path, n_subjects: int = 2, visits: Sequence[int] = (1, 2), minutes: int = 10
) -> Truth:
    """Visits 1 (125 Hz, eyes 50 Hz) and 2 (128 and 64 Hz); labels vary as in the real files."""
    found: Truth = {}
    for subject in range(200001, 200001 + n_subjects):
        for visit in visits:
            sfreq_hz, eog_hz = (125, 50) if visit == 1 else (128, 64)
            second = ("EEG(sec)", "EEG 2", "EEG sec")[subject % 3] if visit == 1 else "EEG(sec)"
            inputs = [
                Channel("SaO2", 1, "other", "%"),
                *channels(["H.R." if visit == 1 else "PR"], 1, "other"),
                Channel(second, sfreq_hz, range_uv=250),
                Channel("ECG", sfreq_hz * visit, "ecg", "mV", 1250),
                Channel("EMG", sfreq_hz, "emg", range_uv=62.5),
                *channels(["EOG(L)", "EOG(R)"], eog_hz, "eog"),
                Channel("EEG", sfreq_hz, range_uv=250),
                *channels(["AIRFLOW", "AIRFLOW", "THOR RES"], 10, "other"),  # 91 files have two
            ]
            words = night(minutes * 2, subject * 10 + visit, odd="?M")
            write_nsrr(root, f"shhs{visit}", f"shhs{visit}-{subject}", inputs, words)
            found[f"shhs{visit}-{subject}"] = truth(words)
    return found


def write_mesa(root: Path, n_subjects: int = 2, minutes: int = 10) -> Truth:
    """Three bipolar EEG inputs, eyes against Fpz, 256 Hz."""
    found: Truth = {}
    for subject in range(1, n_subjects + 1):
        inputs = [
            *channels(["EKG"], 256, "ecg"),
            *channels(["EOG-L", "EOG-R"], 256, "eog"),
            *channels(["EMG"], 256, "emg"),
            *channels(["EEG1", "EEG2", "EEG3"], 256),
            *channels(["Flow", "EEG1_Off"], 32, "other"),
        ]
        words = night(minutes * 2, subject, odd="?")
        write_nsrr(root, "", f"mesa-sleep-{subject:04d}", inputs, words)
        found[f"mesa-sleep-{subject:04d}"] = truth(words)
    return found


def write_mros(
    root: Path, n_subjects: int = 2, visits: Sequence[int] = (1, 2), minutes: int = 10
) -> Truth:
    """Visit 1 names ears A1 and A2, visit 2 M1 and M2; all against Fpz."""
    found: Truth = {}
    for subject in range(1, n_subjects + 1):
        for visit in visits:
            first = visit == 1
            inputs = [
                *channels(["C3", "C4", *(("A1", "A2") if first else ("M1", "M2"))], 256),
                *channels(("ROC", "LOC") if first else ("E2", "E1"), 256, "eog"),
                *channels(("L Chin", "R Chin") if first else ("LChin", "RChin"), 256, "emg"),
                *channels(("ECG L", "ECG R") if first else ("ECGL", "ECGR"), 512, "ecg"),
                *channels(["Position"], 1, "other"),
            ]
            words = night(minutes * 2, subject * 10 + visit, odd="?M")
            stem = f"mros-visit{visit}-aa{subject:04d}"
            write_nsrr(root, f"visit{visit}", stem, inputs, words)
            found[stem] = truth(words)
    return found


def write_cfs(root: Path, n_subjects: int = 3, minutes: int = 10) -> Truth:
    """Relatives: the first two subjects are of one family, every other stands alone."""
    found: Truth = {}
    for number in range(n_subjects):
        inputs = [
            *channels(["C3", "C4", "A1", "A2"], 128),
            *channels(["LOC", "ROC"], 128, "eog"),
            *channels(["ECG2", "ECG1"], 256, "ecg"),
            *channels(["EMG1", "EMG2", "EMG3"], 256, "emg"),
            *channels(["L Leg"], 64, "other"),
        ]
        words = night(minutes * 2, number, odd="?")
        name, family = f"cfs-visit5-{800002 + number}", 715 if number < 2 else 715 + number
        write_nsrr(root, "", f"{name}-famID{family}", inputs, words)
        found[name] = truth(words)
    return found


FURTHER = {
    "ccshs": (
        ("", "ccshs-trec-1800005"),
        ["C3", "C4", "A1", "A2", "LOC", "ROC", "EMG1", "EMG2", "EMG3", "ECG1", "ECG2"],
    ),
    "chat": (
        ("nonrandomized", "chat-baseline-nonrandomized-300673"),
        ["M1", "M2", "C3", "C4", "O1", "O2", "F3", "F4", "E1", "E2", "Lchin", "Rchin", "Cchin"],
    ),
    "sof": (
        ("", "sof-visit-8-09131"),
        ["Leg/L", "C3", "C4", "A1", "A2", "ROC", "LOC", "ECG1", "ECG2", "L Chin", "R Chin"],
    ),
    "abc": (
        ("month09", "abc-month09-900001"),
        ["F3", "F4", "C3", "C4", "O1", "O2", "M1", "M2", "E1", "E2", "Chin1", "Chin2", "Chin3"],
    ),
    "homepap": (
        ("lab/split", "homepap-lab-split-1600002"),
        ["E1", "E2", "F3", "F4", "C3", "C4", "O1", "O2", "M1", "M2", "Lchin-Cchin", "ECG"],
    ),
}
"""Folder and name of a night of each of these corpora of the NSRR, and its channels."""


def write_further(name: str, root: Path, minutes: int = 10) -> Truth:
    """Write a night of a corpus of ``FURTHER``."""
    (folder, stem), labels = FURTHER[name]
    words = night(minutes * 2, len(name), odd="?M")
    write_nsrr(root, folder, stem, channels(labels, 128), words)
    return {stem: truth(words)}


def write_wsc(root: Path, n_subjects: int = 2, minutes: int = 10) -> Truth:
    """Two visits of a subject, on the old and on the new recording system; ``.eannot`` scorings."""
    words_of = {"W": "wake", "R": "REM", "M": "?", "?": "?"}
    found: Truth = {}
    for number in range(1, n_subjects + 1):
        for visit, rate_hz, eeg, chin in (
            (1, 100, ["C3_M2", "O1_M2"], "chin"),
            (2, 200, ["F3_M2", "C3_M2", "O1_M2"], "cchin_l"),
        ):
            name, words = f"wsc-visit{visit}-{10119 + number}", night(minutes * 2, number + visit)
            inputs = [
                *channels(["E1", "E2"], rate_hz, "eog"),
                *channels(eeg, rate_hz),
                *channels([chin], rate_hz, "emg"),
                *channels(["ECG"], rate_hz, "ecg"),
            ]
            folder = root / "wsc" / "polysomnography"
            write_psg(folder / f"{name}-nsrr.edf", inputs, words, seed=len(found))
            lines = "".join(
                f"{words_of.get(w, f'N{min(int(w), 3)}' if w.isdigit() else w)}\n" for w in words
            )
            (folder / f"{name}-nsrr.eannot").write_text(lines)
            (folder / f"{name}-nsrr.stg.txt").write_text("Epoch\tUser-Defined Stage\n1\t0\n")
            found[name] = truth(words)
    return found


def write_isruc(root: Path, n_subjects: int = 2, minutes: int = 10) -> Truth:
    """Write ``n_subjects`` of subgroup I and of III, one of II with two nights; truth of expert 1.

    Subject 2 of subgroup I has the later labels, where the chin is ``24``. Expert 2 sees N2 where
    expert 1 sees N1.
    """
    eeg = ["F3-A2", "C3-A2", "O1-A2", "F4-A1", "C4-A1", "O2-A1"]
    found: Truth = {}
    places = [("I", n, 0) for n in range(1, n_subjects + 1)] + [("II", 1, 1), ("II", 1, 2)]
    for group, subject, number in places + [("III", n, 0) for n in range(1, n_subjects + 1)]:
        later = group == "I" and subject == 2
        labels = [label.replace("A", "M") for label in eeg] if later else eeg
        inputs = [
            *channels(["E1-M2", "E2-M1"] if later else ["LOC-A2", "ROC-A1"], 200, "eog"),
            *channels(labels, 200),
            *channels(["24" if later else "X1"], 200, "emg"),
            *channels(["25" if later else "X2"], 200, "ecg"),
            *channels(["SpO2" if later else "SaO2"], 12.5, "other"),
        ]
        words = night(minutes * 2, subject * 10 + number, odd="?")
        folder = root / f"subgroup{group}" / str(subject)
        stem = str(number or subject)
        folder = folder / stem if number else folder
        write_psg(folder / f"{stem}.rec", inputs, words, record_s=2.0, seed=len(found))
        for expert, seen in ((1, words), (2, ["2" if word == "1" else word for word in words])):
            write_isruc_expert(folder / f"{stem}_{expert}.txt", seen)
        found[f"{group}-{subject:03d}" + (f"-{number}" if number else "")] = truth(words)
    return found


def write_mass(root: Path, subsets: Sequence[int] = (1, 2, 3), minutes: int = 10) -> Truth:
    """One subject a subset, names with spaces; 20-s epochs in SS2, SS4, SS5; odd sampling rate.

    Scoring starts 13.5 s into the signal.
    """
    found: Truth = {}
    record_s = 1.9998  # 512 samples a record: the header's rate has decimals, as in the real files
    sfreq_hz = 512 / record_s
    for subset in subsets:
        epoch_s = 30.0 if subset in {1, 3} else 20.0
        reference = "LER" if subset in {3, 5} else "CLE"
        chin = ["EMG Chin"] if subset in {2, 4} else ["EMG Chin1", "EMG Chin2", "EMG Chin3"]
        eeg = [f"EEG {name}-{reference}" for name in ("F3", "F4", "C3", "C4", "O1", "O2", "A2")]
        inputs = [
            *channels(["EOG Left Horiz", "EOG Right Horiz"], sfreq_hz, "eog"),
            *channels(chin, sfreq_hz, "emg"),
            *channels(eeg, sfreq_hz),
            *channels(["ECG ECGI"], sfreq_hz, "ecg"),
        ]
        words = night(int(minutes * 60 / epoch_s), subset, odd="?")
        stem = root / f"SS{subset}" / f"01-0{subset}-0001"
        path = stem.with_name(f"{stem.name} PSG.edf")
        write_psg(path, inputs, words, epoch_s=epoch_s, start_s=13.5, record_s=record_s)
        marks = [(13.5 + i * epoch_s, epoch_s, EDF_RK[word]) for i, word in enumerate(words)]
        write_annotations(stem.with_name(f"{stem.name} Base.edf"), marks)
        write_annotations(stem.with_name(f"{stem.name} SpindleE1.edf"), [(50.0, 0.8, "spindle")])
        found[stem.name] = truth(words)
    return found


def write_sleep_edf(root: Path, n_subjects: int = 2, minutes: int = 10) -> Truth:
    """Two nights of each cassette subject, one of a telemetry subject that is scored from 90 s on.

    The last unscored run reaches an hour beyond the signal's end.
    """
    found: Truth = {}
    names = [(f"SC4{subject:02d}{n}", "E", 0.0) for subject in range(n_subjects) for n in (1, 2)]
    for name, letter, start_s in [*names, ("ST7011", "J", 90.0)]:
        cassette = name.startswith("SC")
        folder = root / ("sleep-cassette" if cassette else "sleep-telemetry")
        chin_hz, chin_uv = (1, 5) if cassette else (100, 200)
        inputs = [
            *(Channel(label, 100, range_uv=192) for label in ("EEG Fpz-Cz", "EEG Pz-Oz")),
            *channels(["EOG horizontal"], 100, "eog"),
            Channel("EMG submental", chin_hz, "emg", range_uv=chin_uv),
            *([Channel("Temp rectal", 1, "other", "DegC")] if cassette else []),
        ]
        words = night(minutes * 2, int(name[2:]), odd="M")
        write_psg(folder / f"{name}{letter}0-PSG.edf", inputs, words, start_s=start_s, record_s=30)
        marks = [(onset, length, EDF_RK[word]) for onset, length, word in runs(words, 30, start_s)]
        marks.append((start_s + 30.0 * len(words), 3600.0, "Sleep stage ?"))
        write_annotations(folder / f"{name}{letter}C-Hypnogram.edf", marks)
        found[name] = truth([*words, *"?" * 120])
    return found


def write_hmc(root: Path, n_subjects: int = 2, minutes: int = 10) -> Truth:
    """Scoring from 60 s on, as text and as an EDF+ that starts 60 s after the signal."""
    found: Truth = {}
    for number in range(1, n_subjects + 1):
        name, words = f"SN{number:03d}", night(minutes * 2, number)
        inputs = [
            *channels(["EEG F4-M1", "EEG C4-M1", "EEG O2-M1", "EEG C3-M2"], 256),
            *channels(["EMG chin"], 256, "emg"),
            *channels(["EOG E1-M2", "EOG E2-M2"], 256, "eog"),
            *channels(["ECG"], 256, "ecg"),
        ]
        folder = root / "recordings"
        write_psg(folder / f"{name}.edf", inputs, words, start_s=60.0, seed=number)
        marks = [(30.0 * i, 30.0, EDF_AASM[word]) for i, word in enumerate(words)]
        lights = (0.0, 0.0, "Lights off@@EEG F4-A1")
        later = START + timedelta(seconds=60)
        write_annotations(folder / f"{name}_sleepscoring.edf", [lights, *marks], later)
        lines = ["Date, Time, Recording onset, Duration, Annotation, Linked channel"]
        for onset, length, text in [lights, *marks]:
            lines.append(f"2001-01-01, 00:00:00, {onset + 60:g}, {length:g}, {text}, ")
        (folder / f"{name}_sleepscoring.txt").write_text("\n".join(lines) + "\n")
        found[name] = truth(words)
    return found


def write_dcsm(root: Path, n_subjects: int = 2, minutes: int = 10) -> Truth:
    """A folder a subject; the scoring has a line for each run."""
    found: Truth = {}
    for number in range(1, n_subjects + 1):
        name, words = f"tp{number:08x}_4751_4def_b11e_6e6353c69562", night(minutes * 2, number)
        eeg = ["F3-M2", "F4-M1", "C3-M2", "C4-M1", "O1-M2", "O2-M1"]
        inputs = [
            *channels(["ABDOMEN"], 32, "other"),
            *channels(eeg, 256),
            *channels(["E1-M2", "E2-M2"], 256, "eog"),
            *channels(["CHIN"], 256, "emg"),
            *channels(["ECG-II"], 256, "ecg"),
        ]
        write_psg(root / name / "psg.edf", inputs, words, seed=number)
        lines = [f"{onset:g},{length:g},{DCSM_IDS[w]}\n" for onset, length, w in runs(words, 30)]
        (root / name / "hypnogram.ids").write_text("".join(lines))
        found[name] = truth(words)
    return found


WRITERS = {
    "shhs": write_shhs,
    "mesa": write_mesa,
    "mros": write_mros,
    "cfs": write_cfs,
    "wsc": write_wsc,
    "isruc": write_isruc,
    "mass": write_mass,
    "sleep-edf": write_sleep_edf,
    "hmc": write_hmc,
    "dcsm": write_dcsm,
}
"""Corpus → what writes a tiny one."""
