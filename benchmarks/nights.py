"""Nights: input of the benchmarks, synthetic nights of 8 h or less in the file format of SHHS."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

EPOCH_S = 30
N_EPOCHS = 960
"""Of a night of 8 h."""

WANTED = ("EEG", "EEG(sec)", "EOG(L)", "EOG(R)", "EMG")
"""Channels of a night of SHHS that montage ``central`` draws."""

PATIENT_FIELD = 8
"""Offset of the patient field of an EDF header, which has 80 bytes."""

CONCEPTS = {
    "W": "Wake|0",
    "N1": "Stage 1 sleep|1",
    "N2": "Stage 2 sleep|2",
    "N3": "Stage 3 sleep|3",
    "REM": "REM sleep|5",
}
OTHERS = {
    "SaO2": 1,
    "H.R.": 1,
    "AIRFLOW": 10,
    "THOR RES": 10,
    "ABDO RES": 10,
    "POSITION": 1,
    "LIGHT": 1,
    "OX stat": 1,
}


def write(root: Path, n_nights: int, n_epochs: int = N_EPOCHS) -> None:
    """Write ``n_nights`` under ``root``: one is simulated, the others are copies with another header.

    The headers differ because psgimg sets aside duplicate signals under another name. Nights that
    are there already stay.
    """
    edf, xml = paths(root, 0)
    if not xml.exists():
        for path in (edf, xml):
            path.parent.mkdir(parents=True, exist_ok=True)
        stages, signals = _synthesize(n_epochs)
        _write_edf(edf, signals)
        xml.write_text(_scoring(stages), encoding="utf-8")
    for number in range(1, n_nights):
        edf_copy, xml_copy = paths(root, number)
        if edf_copy.exists():
            continue
        shutil.copyfile(edf, edf_copy)
        shutil.copyfile(xml, xml_copy)
        with edf_copy.open("r+b") as file:
            file.seek(PATIENT_FIELD)
            file.write(f"X X X night_{number}".encode().ljust(80))


def paths(root: Path, number: int) -> tuple[Path, Path]:
    """Return the paths of the signals and the scoring of a night."""
    tree, name = root / "polysomnography", f"shhs1-{200001 + number}"
    edf = tree / "edfs" / "shhs1" / f"{name}.edf"
    return edf, tree / "annotations-events-nsrr" / "shhs1" / f"{name}-nsrr.xml"


def _synthesize(
    n_epochs: int,
) -> tuple[list[str], dict[str, tuple[npt.NDArray[np.float64], int, str]]]:
    """Return stages, and samples, rate and unit by channel: 100 min of sleep, repeated or cut."""
    from psgimg.builder.corpora import demo
    from psgimg.builder.corpora.synthetic import physiology
    from psgimg.builder.corpora.synthetic.synthesis import synthesize
    from psgimg.builder.stages import Stage
    from scipy.signal import resample_poly

    rng = np.random.default_rng(1)
    scores = [score for score in demo.draw_scores(rng) if isinstance(score, Stage)]
    night = synthesize(scores, rng)
    repeats = -(-n_epochs // len(scores))

    def at(samples: Any, sfreq_hz: int, rate: int) -> npt.NDArray[np.float64]:
        resampled = resample_poly(samples.astype(np.float64), rate, sfreq_hz)
        return np.tile(resampled, repeats)[: n_epochs * EPOCH_S * rate]

    frontal, central, _, left, right = night.leads_uv
    lead_hz, chin_hz = physiology.SFREQ_HZ, physiology.CHIN_SFREQ_HZ
    signals = {
        "EEG(sec)": (at(frontal, lead_hz, 125), 125, "uV"),
        "ECG": (at(night.ecg_mv, lead_hz, 125), 125, "mV"),
        "EMG": (at(night.chin_uv, chin_hz, 125), 125, "uV"),
        "EOG(L)": (at(left, lead_hz, 50), 50, "uV"),
        "EOG(R)": (at(right, lead_hz, 50), 50, "uV"),
        "EEG": (at(central, lead_hz, 125), 125, "uV"),
    }
    for label, rate in OTHERS.items():
        level = rng.normal(0, 1, n_epochs * EPOCH_S * rate)
        signals[label] = (level, rate, "")
    return [(scores * repeats)[i].name for i in range(n_epochs)], signals


def _write_edf(path: Path, signals: dict[str, tuple[npt.NDArray[np.float64], int, str]]) -> None:
    import edfio

    channels = []
    for label, (samples, rate, unit) in signals.items():
        limit = 250.0 if unit == "uV" else 5.0
        channels.append(
            edfio.EdfSignal(
                np.clip(samples, -limit, limit),
                rate,
                label=label,
                physical_dimension=unit,
                physical_range=(-limit, limit),
            )
        )
    edfio.Edf(channels, data_record_duration=1).write(path)


def _scoring(stages: Sequence[str]) -> str:
    """Return stages in the XML format of the NSRR: one event per run of a stage."""
    events, onset_s = [], 0
    for stage, run in groupby(stages):
        duration_s = EPOCH_S * len(list(run))
        events.append(
            "<ScoredEvent><EventType>Stages|Stages</EventType>"
            f"<EventConcept>{CONCEPTS[stage]}</EventConcept>"
            f"<Start>{onset_s}.0</Start><Duration>{duration_s}.0</Duration></ScoredEvent>"
        )
        onset_s += duration_s
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n<PSGAnnotation>'
        "<SoftwareVersion>Compumedics</SoftwareVersion><EpochLength>30</EpochLength>"
        f"<ScoredEvents>{''.join(events)}</ScoredEvents></PSGAnnotation>\n"
    )
