r"""Two people, two derivations: a model of one night's EEG lane stages the other night, and the reverse.

    python benchmarks/two_nights.py --root physionet-sleep-data --night ucddb022_C3A2_128Hz.npz \
        --out docs/results.json

ROOT has SC4001 of Sleep-EDF (Fpz-Cz). The other file holds a whole night of UCDDB 022: ``x``
(epochs, 3840), C3-A2 at 128 Hz in units of the amplifier, NaN where an epoch is missing, and ``y``,
its stages. It is written as EDF with the gain that gives both nights the same median amplitude; no
stage enters that. The results are added to the JSON of ``real_night.py``, and its page is written anew.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from psgimg.builder import lane_signals
from psgimg.builder.corpora.registry import corpora, corpus
from psgimg.builder.dataset import build_report
from psgimg.builder.dataset.page_spec import PageSpec
from psgimg.builder.recordings.recording import Corpus, Recording
from psgimg.finetune.metrics import metrics
from real_night import write
from real_nights.steps import (
    COMMON,
    Features,
    Values,
    band_powers,
    figures,
    forest,
    machine,
    parser,
    psgimg,
    table_of,
    work_folder,
)

NIGHTS = ("sleep-edf", "ucddb-022")
DERIVATIONS = ("Fpz-Cz", "C3-A2")
SFREQ_HZ, EPOCH_S = 128, 30
CODES = ("W", "N1", "N2", "N3", "REM")
RECIPE = f"--num-train-epochs 4 --sampling natural {COMMON}"

MONTAGE = """\
name: one-eeg
lanes:
  - {name: EEG, kind: eeg, derivations: [Fpz-Cz, C3-M2, C4-M1]}
"""

CORPUS = """\
name: ucddb-022
title: One night of the St. Vincent's University Hospital / University College Dublin database
root: ucddb
recordings: "{subject}.edf"
scoring: {format: csv, file: "{subject}.csv"}
stages: {W: W, N1: N1, N2: N2, N3: N3, REM: REM}
channels: {EEG C3-A2: C3-M2}
mains_hz: 50
montage: one-eeg.yaml
terms:
  licence: Open Data Commons Attribution License v1.0
  licence_url: https://physionet.org/content/ucddb/view-license/1.0.0/
  access: Open at physionet.org/content/ucddb.
  citation: St. Vincent's University Hospital / University College Dublin Sleep Apnea Database, PhysioNet.
"""

Pages = npt.NDArray[np.float32]


def main() -> None:
    """Run all steps and write the results."""
    asked = parser(__doc__)
    asked.add_argument("--root", type=Path, required=True, help="folder with SC4001 of Sleep-EDF")
    asked.add_argument("--night", type=Path, required=True, help="npz with UCDDB 022")
    options = asked.parse_args()
    with work_folder(options.work) as work:
        result = two_nights(work, options.root.resolve(), options.night)
    write(options.out, {"two_nights": {"machine": machine(options.note), **result}})


def two_nights(work: Path, root: Path, night: Path) -> Values:
    """Draw both nights, teach a model on each, and stage the other one with it."""
    (work / "one-eeg.yaml").write_text(MONTAGE, encoding="utf-8")
    (work / "ucddb-022.yaml").write_text(CORPUS, encoding="utf-8")
    gain = write_matched(work, root, night)
    build(work, "sleep-edf", f"--source sleep-edf --root {shlex.quote(str(root))} --subjects SC400")
    build(work, "ucddb-022", "--source ucddb-022.yaml")
    psgimg(work, "build --source demo --montage one-eeg.yaml --out demo-one")
    psgimg(work, "sft --dataset demo-one --model tiny --output-dir demo-model")
    ways = [
        direction(work, taught, tested)
        for taught, tested in zip(NIGHTS, reversed(NIGHTS), strict=True)
    ]
    forests = baseline(work, root)
    return {"gain_uv": gain, "options": RECIPE, "ways": ways, "baseline": forests}


def build(work: Path, night: str, source: str) -> None:
    """Draw a night twice: as a training set, and as a test set."""
    for split, shares in (("train", "100/0/0"), ("test", "0/0/100")):
        words = f"--montage one-eeg.yaml --splits {shares} --out {night}-{split}"
        psgimg(work, f"build {source} {words}")


def direction(work: Path, taught: str, tested: str) -> Values:
    """Fine-tune the demo's model on one night, and let it stage the other."""
    out = f"{taught}-model"
    took = psgimg(
        work, f"sft --dataset {taught}-train --model demo-model --output-dir {out} {RECIPE}"
    )
    file = f"{tested}.parquet"
    psgimg(
        work,
        f"predict --model {out} --dataset {tested}-test --split test --any-recipe --out {file}",
    )
    return {"taught": taught, "tested": tested, "sft": took, **figures(table_of(work / file))}


def baseline(work: Path, root: Path) -> dict[str, list[Values]]:
    """Return a random forest on band powers of the same lane and epochs, in both directions.

    Once on log powers as they are, once minus their median over the night, which no stage enters.
    """
    parts = {night: features(work, root, night) for night in NIGHTS}
    results: dict[str, list[Values]] = {"powers": [], "centred": []}
    for taught, tested in zip(NIGHTS, reversed(NIGHTS), strict=True):
        (powers, labels), (others, truth) = parts[taught], parts[tested]
        for name, inputs in (
            ("powers", (powers, others)),
            ("centred", (powers - np.median(powers, axis=0), others - np.median(others, axis=0))),
        ):
            table = metrics.confusion(truth, forest(inputs[0], labels, inputs[1]))
            results[name].append({"taught": taught, "tested": tested, **figures(table)})
    return results


def features(work: Path, root: Path, night: str) -> tuple[Features, npt.NDArray[np.int64]]:
    """Return band powers, (epochs, bands), and stages of the pages of a night."""
    folder = work / f"{night}-test"
    powers = band_powers(PageSpec.from_build(build_report.read(folder)), *source(work, root, night))
    rows = pq.read_table(next(folder.rglob("test-*.parquet")), columns=["epoch", "label"])
    stacked = np.stack([powers[i] for i in rows["epoch"].to_pylist()])
    return stacked, rows["label"].to_numpy()


def source(work: Path, root: Path, night: str) -> tuple[Corpus, Recording]:
    """Return the corpus and the recording of a night."""
    own = night == "ucddb-022"
    (found,) = corpora([str(work / "ucddb-022.yaml")]) if own else (corpus("sleep-edf"),)
    folder = work / "ucddb" if own else root
    first = next(one for one in found.recordings(folder) if one.subject in ("SC400", "022"))
    return found, first


def write_matched(work: Path, root: Path, night: Path) -> float:
    """Write UCDDB 022 as EDF and CSV with the gain that matches the other night; return the gain.

    The gain, in µV per unit, makes the median over epochs of the median absolute amplitude, filtered
    as for the pages, the same in both nights.
    """
    stored = np.load(night)
    samples, stages = stored["x"], stored["y"]
    build(work, "sleep-edf", f"--source sleep-edf --root {shlex.quote(str(root))} --subjects SC400")
    spec = PageSpec.from_build(build_report.read(work / "sleep-edf-test"))
    gain = 100.0
    write_edf(work / "ucddb", samples, stages, gain)
    medians = [
        float(np.median(np.median(np.abs(read_pages(spec, *source(work, root, name))), axis=-1)))
        for name in NIGHTS
    ]
    gain *= medians[0] / medians[1]
    write_edf(work / "ucddb", samples, stages, gain)
    return round(gain, 2)


def read_pages(spec: PageSpec, owner: Corpus, recording: Recording) -> Pages:
    """Return the filtered EEG lane of every epoch in µV, (epochs, samples)."""
    origin = lane_signals.Origin(owner, recording, spec)
    pages: Pages = lane_signals.read(
        origin, sfreq_hz=spec.recipe.sfreq_hz, filtered=True
    ).pages_uv()[:, 0]
    return pages


def write_edf(folder: Path, samples: Pages, stages: npt.NDArray[np.int8], gain: float) -> None:
    """Write the epochs that are there as EDF+D, a record each, with their stages as a table."""
    import edfio

    folder.mkdir(exist_ok=True)
    there = np.flatnonzero(~np.isnan(samples).any(1))
    data_uv = np.nan_to_num((samples - np.nanmedian(samples)) * gain)
    limit = float(np.ceil(np.abs(data_uv).max()))
    signal = edfio.EdfSignal(
        data_uv.ravel().astype(np.float64),
        SFREQ_HZ,
        label="EEG C3-A2",
        physical_dimension="uV",
        physical_range=(-limit, limit),
    )
    path = folder / "022.edf"
    edfio.Edf([signal], data_record_duration=EPOCH_S, annotations=[]).write(path)
    keep_records(path, there)
    lines = [f"{EPOCH_S * i},{EPOCH_S},{CODES[stages[i]]}" for i in there]
    path.with_suffix(".csv").write_text("\n".join(["onset,duration,stage", *lines]) + "\n")


def keep_records(path: Path, wanted: npt.NDArray[np.int64]) -> None:
    """Leave only some records of an EDF+C in place, with their onsets: an EDF+D."""
    whole = path.read_bytes()
    header, n_records = int(whole[184:192]), int(whole[236:244])
    size = (len(whole) - header) // n_records
    records = [whole[header + size * i : header + size * (i + 1)] for i in wanted]
    count = f"{len(records):<8d}".encode()
    top = whole[:192] + b"EDF+D".ljust(44) + count + whole[244:header]
    path.write_bytes(top + b"".join(records))


if __name__ == "__main__":
    main()
