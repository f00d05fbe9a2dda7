"""Seeds: small valid inputs of every parser, written by the helpers of the tests."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

SUPPORT = Path(__file__).resolve().parents[2] / "tests" / "support"
sys.path.insert(0, str(SUPPORT))

Seeds = list[bytes]

STYLE = {
    "base": "clinical",
    "width_px": 448,
    "grid_s": [1.0],
    "grid": ["#dddddd"],
    "eeg": {"scale_uv": 75.0},
}
MONTAGE = {
    "name": "mine",
    "lanes": ["C4-M1", {"name": "eye", "kind": "eog", "derivations": ["E1-M2", "E1"]}],
}
FILTERS = {"eeg": {"band_hz": [0.5, 30]}, "order": 4, "notch": True}
PROMPT = {
    "system": "You stage sleep.",
    "question": "Which stage?",
    "answers": {"W": "Wake", "N1": "N1", "N2": "N2", "N3": "N3", "REM": "REM"},
}
CONFIG = {
    "source": "demo",
    "style": "paper",
    "seed": 3,
    "workers": 2,
    "splits": "80/10/10",
    "limit": 4,
}
STUDY = {
    "name": "two models",
    "build": {"source": "demo", "limit": 4},
    "sft": {"model": "tiny", "max-steps": 2},
    "grid": {"style": ["clinical", "paper"], "seed": [0, 1], "prompt": ["closed"]},
    "cells": [{"context": 1}],
}
COMPLETION = {
    "choices": [
        {
            "message": {"role": "assistant", "content": "N2"},
            "logprobs": {
                "content": [
                    {
                        "token": token,
                        "logprob": -0.1,
                        "top_logprobs": [{"token": "W", "logprob": -3.0}],
                    }
                    for token in ("N", "2")
                ]
            },
        }
    ]
}
DCSM = "0,60,W\n60,30,N1\n90,90,N2\n180,60,N3\n240,30,REM\n"
EANNOT = "wake\nN1\nN2\nN2\nN3\nREM\n?\n"
ISRUC = "0\r\n1\r\n2\r\n3\r\n5\r\n\r\n"
TABLE = "onset,duration,stage\n0,60,W\n60,30,N2\n90,30,REM\n95.5,4,Arousal\n"
WORDS = "W\nN1\nN2\nN3\nREM\n"
HMC = (
    "Date, Time, Recording onset, Duration, Annotation, Linked channel\n"
    "2001-01-01, 00:00:00, 0, 0, Lights off@@EEG F4-A1, \n"
    "2001-01-01, 00:00:00, 60, 30, Sleep stage W, \n"
    "2001-01-01, 00:00:30, 90, 30, Sleep stage N2, \n"
)
PART_RECORD = {
    "settings": {"recipe": "0" * 64, "seed": "1" * 64},
    "recordings": "2" * 64,
    "versions": {"python": "3.11.7", "psgimg": "0.1.0"},
    "set_aside": [
        {"corpus": "shhs", "recording": "shhs1-200001", "reason": "no EEG", "detail": "a.edf: none"}
    ],
}
SPLIT_CSV = "corpus,subject,split\nshhs,200001,train\nshhs,200002,val\nshhs,200003,test\n"
SPLIT_JSON = json.dumps({"train": ["200001", "200002"], "val": ["200003"], "test": ["200004"]})
USLEEP = (
    "init_sec\tduration_sec\tstage\n0\t60\tW\n60\t30\tN1\n90\t45.5\tUNKNOWN\n",
    "0,60,W\n60,30,REM\n",
    WORDS,
)
YASA_JSON = json.dumps(
    {
        "values": ["WAKE", "N2", "ART"],
        "n_stages": 5,
        "freq": "30s",
        "start": None,
        "proba": {name: [0.2, 0.2, None] for name in ("N1", "N2", "N3", "REM", "WAKE")},
    }
)
YASA_CSV = (
    "Epoch,YASA\n0,WAKE\n1,N2\n2,UNS\n",
    "epoch,onset,duration,value,description\n0,0.0,30.0,0,WAKE\n1,30.0,30.0,2,N2\n",
    "epoch,N1,N2,N3,R,W\n0,0.2,0.2,0.2,0.2,0.2\n1,0.1,0.6,0.1,0.1,0.1\n",
)
POPS = (
    "ID\tE\tPP_N1\tPP_N2\tPP_N3\tPP_R\tPP_W\tPRED\nn1\t1\t0.1\t0.1\t0.1\t0.1\t0.6\tW\nn1\t2"
    + "\tNA" * 6
)
SLEEPVLM = '{"custom_id": "n1#1_N2", "pred": 2}\n{"custom_id": "n1#2_R", "pred": -1}\n'
ANSWERS = (
    *("N2", "REM.", " wake ", "The stage is N2", "**N2**, as there are spindles"),
    *('{"stage": "N2"}', "<think>N3?</think>N2", ""),
)
LIGHTS = ("23:10|06:30|28800", "0|28800|28800", "60.5||3600", "|7:00:30|90000")
CORRUPTIONS = ("noise:seed=2", "hum:seed=4", "lost:lanes=eeg+c4", "flat:share=0.3", "pops")
LABELS = ("EOG L\nEEG C4-A1\nChin 1\nECG II", "E1-M2\nC4\nC3:M2\nM1\nEMG Submental")
PATHS = (
    "{subject}/{recording}.edf\nP001/night1.edf",
    "**/{subject}_*_{recording}.edf\na/b/P1_x_n.edf",
)
SHARES = ("80/10/10", "1/0/0", "0.5/0.25/0.25")


def texts(*listed: str) -> Callable[[Path], Seeds]:
    """Return a maker of seeds from texts."""
    return lambda _: [text.encode() for text in listed]


def arrays(folder: Path) -> Seeds:
    """Return stages and probabilities as NumPy writes them."""
    found = []
    for values in (np.array([[0], [2], [5]]), np.full((3, 5), 0.2)):
        np.save(folder / "a.npy", values)
        found.append((folder / "a.npy").read_bytes())
    return found


def settings(values: Mapping[str, Any]) -> Callable[[Path], Seeds]:
    """Return a maker of seeds from values, as YAML in block style and in JSON's style."""
    return lambda _: [json.dumps(values).encode(), yaml.safe_dump(dict(values)).encode()]


def signals(folder: Path) -> Seeds:
    """Return plain EDF, EDF+C and EDF+D with two channels of a minute."""
    import edfio
    from edfio import Edf, EdfAnnotation
    from tiny_edf import channels, discontinuous, night, write_psg

    write_psg(folder / "plain.edf", channels(["EEG C4-A1", "EOG L"], 16), night(2))
    whole = edfio.read_edf(folder / "plain.edf")
    plus = Edf([whole.signals[0]], annotations=[EdfAnnotation(1.5, 30.0, "Sleep stage W")])
    for name in ("plus.edf", "gaps.edf"):
        plus.write(folder / name)
    discontinuous(folder / "gaps.edf", {20: 50.0})
    return [(folder / f"{name}.edf").read_bytes() for name in ("plain", "plus", "gaps")]


def annotations(rules: str, epoch_s: float = 30.0) -> Callable[[Path], Seeds]:
    """Return a maker of EDF+ scorings in the words of R&K (``rk``) or of the AASM (``aasm``)."""

    def make(folder: Path) -> Seeds:
        from tiny_edf import night, runs, write_annotations
        from tiny_scorings import EDF_AASM, EDF_RK

        words = {"rk": EDF_RK, "aasm": EDF_AASM}[rules]
        marks = [(at, length, words[word]) for at, length, word in runs(night(12), epoch_s)]
        write_annotations(folder / "runs.edf", marks)
        write_annotations(folder / "other.edf", [(0.0, 0.0, "Lights off@@EEG F4-A1"), *marks])
        return [(folder / f"{name}.edf").read_bytes() for name in ("runs", "other")]

    return make


def nsrr(_: Path) -> Seeds:
    """Return NSRR's own XML, current and legacy."""
    from tiny_edf import night
    from tiny_scorings import LEGACY_CONCEPTS, nsrr_xml

    return [nsrr_xml(night(8)).encode(), nsrr_xml(night(8), LEGACY_CONCEPTS).encode()]


def profusion(_: Path) -> Seeds:
    """Return the XML of Compumedics Profusion."""
    from tiny_edf import night
    from tiny_scorings import profusion_xml

    return [profusion_xml(night(12)).encode()]


def isruc_table(folder: Path) -> Seeds:
    """Return an expert's Excel table."""
    from tiny_edf import night
    from tiny_scorings import write_isruc_expert

    write_isruc_expert(folder / "1_1.txt", night(12))
    return [(folder / "1_1.xlsx").read_bytes()]


def predictions(suffix: str) -> Callable[[Path], Seeds]:
    """Return a maker of a predictions file with all columns."""

    def make(folder: Path) -> Seeds:
        from psgimg.builder.stages import STAGE_NAMES
        from psgimg.finetune.metrics.predictions import PROBABILITIES, Predictions, write

        rows = [
            {
                "corpus": "shhs",
                "subject": f"s{i // 4}",
                "recording": f"r{i // 4}",
                "epoch": i % 4,
                "label": STAGE_NAMES[i % 5],
                "label_2": "N2",
                "prediction": "W",
                "raw": "Wake",
                **dict.fromkeys(PROBABILITIES, 0.2),
            }
            for i in range(12)
        ]
        write(folder / f"p{suffix}", Predictions.from_rows(rows))
        return [(folder / f"p{suffix}").read_bytes()]

    return make


def corpus(folder: Path) -> Seeds:
    """Return the description of a laboratory's own recordings."""
    from tiny_lab import DESCRIPTION, describe

    return [json.dumps(DESCRIPTION).encode(), describe(folder / "lab.yaml").read_bytes()]


def built(name: str) -> Callable[[Path], Seeds]:
    """Return a maker of a file of a small dataset, its labels-only export or a model from it."""

    def make(folder: Path) -> Seeds:
        out = folder.parent / "dataset"
        if not (out / "done").exists():
            _build(out)
        return [path.read_bytes() for path in sorted(out.glob(name))[:2]]

    return make


def _build(out: Path) -> None:
    """Write a dataset of two recordings, its labels-only export, and a model's manifest."""
    import builds
    import tiny
    from psgimg.builder.dataset import build_report, prompts
    from psgimg.builder.exports import labels_only
    from psgimg.finetune.models.manifest import ModelFolder

    tiny.write_shhs(out.parent / "shhs", 2, (1,), minutes=4)
    builds.run(out / "build", out.parent / "shhs")
    labels_only.write(out / "build", out / "export")
    values = build_report.read(out / "build")
    (out / "model").mkdir()
    ModelFolder(
        prompt=prompts.load("closed"),
        prompt_name="closed",
        context=0,
        recipe=values["recipe"],
        recipe_hash=values["recipe_hash"],
        policy="restricted",
        corpora=("shhs",),
        subjects=("ab",),
        dataset={"id": "build", "config": "all", "revision": None},
        base_model="tiny",
        max_pixels=None,
        psgimg="0",
        versions={"python": "3"},
    ).save(out / "model")
    table = out / "page.png"
    import pyarrow.parquet as pq

    shard = next((out / "build" / "data").rglob("*.parquet"))
    table.write_bytes(pq.read_table(shard, columns=["image"])["image"][0].as_py()["bytes"])
    (out / "done").touch()
