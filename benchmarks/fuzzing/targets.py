"""Targets: every parser of psgimg, with the seeds of its input and how they are mutated."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fuzzing import parse, seeds
from fuzzing.seeds import Seeds, built, predictions, settings, texts


@dataclass(frozen=True)
class Target:
    """A parser.

    Parameters
    ----------
    kind
        How its input is mutated, a key of ``mutate.KINDS``.
    file
        Path of its input in the folder that ``parse`` receives.
    seeds
        Makes valid inputs, with a folder for files.
    parse
        Reads the input as psgimg does, and everything that psgimg reads from the result.
    share
        Relative number of inputs; slow parsers get fewer.
    beside
        Further files that the parser needs, which stay valid.
    finish
        Makes checksums in a mutated input valid again, so that the parser goes beyond them.
    """

    kind: str
    file: str
    seeds: Callable[[Path], Seeds]
    parse: Callable[[Path], object]
    share: float = 1.0
    beside: Mapping[str, Callable[[Path], Seeds]] = field(default_factory=dict)
    finish: Callable[[bytes], bytes] | None = None


NIGHT = {"night.edf": seeds.signals}
SHARD = "data/shhs/train-00000.parquet"

TARGETS: Mapping[str, Target] = {
    "edf": Target("edf", "night.edf", seeds.signals, parse.signals),
    "edf-annotations": Target("edf", "a.edf", seeds.annotations("rk"), parse.edf_annotations),
    "sleep-edf": Target("edf", "a.edf", seeds.annotations("rk"), parse.sleep_edf, 0.5, NIGHT),
    "mass": Target("edf", "a.edf", seeds.annotations("rk", 20.0), parse.mass, 0.5, NIGHT),
    "hmc-edf": Target("edf", "a.edf", seeds.annotations("aasm"), parse.hmc, 0.5, NIGHT),
    "hmc": Target("text", "a.txt", texts(seeds.HMC), parse.hmc, 2),
    "dcsm": Target("text", "a.ids", texts(seeds.DCSM), parse.dcsm, 2),
    "eannot": Target("text", "a.eannot", texts(seeds.EANNOT), parse.eannot, 2),
    "isruc": Target("text", "a.txt", texts(seeds.ISRUC), parse.isruc, 2),
    "isruc-table": Target("zip", "a.xlsx", seeds.isruc_table, parse.isruc, 0.2),
    "nsrr-xml": Target("xml", "a.xml", seeds.nsrr, parse.nsrr, 2),
    "profusion-xml": Target("xml", "a.xml", seeds.profusion, parse.profusion, 2),
    "custom-csv": Target("text", "a.csv", texts(seeds.TABLE), parse.custom_csv, 2),
    "custom-txt": Target("text", "a.txt", texts(seeds.WORDS), parse.custom_txt, 2),
    "custom-annotations": Target(
        "edf", "a.edf", seeds.annotations("aasm"), parse.custom_edf, 0.5, NIGHT
    ),
    "corpus": Target("yaml", "lab.yaml", seeds.corpus, parse.corpus, 0.3),
    "path-pattern": Target("text", "a.txt", texts(*seeds.PATHS), parse.path_pattern, 2),
    "style": Target("yaml", "a.yaml", settings(seeds.STYLE), parse.style, 0.5),
    "montage": Target("yaml", "a.yaml", settings(seeds.MONTAGE), parse.montage, 0.5),
    "filters": Target("yaml", "a.yaml", settings(seeds.FILTERS), parse.filters, 0.5),
    "prompt": Target("yaml", "a.yaml", settings(seeds.PROMPT), parse.prompt, 0.5),
    "config": Target("yaml", "a.yaml", settings(seeds.CONFIG), parse.config, 0.3),
    "study": Target("yaml", "a.yaml", settings(seeds.STUDY), parse.study, 0.3),
    "channel-labels": Target("text", "a.txt", texts(*seeds.LABELS), parse.labels, 2),
    "corruption": Target("text", "a.txt", texts(*seeds.CORRUPTIONS), parse.corruption, 2),
    "lights": Target("text", "a.txt", texts(*seeds.LIGHTS), parse.lights, 2),
    "split-shares": Target("text", "a.txt", texts(*seeds.SHARES), parse.shares, 1),
    "split-csv": Target("text", "a.csv", texts(seeds.SPLIT_CSV), parse.split, 2),
    "split-json": Target("json", "a.json", texts(seeds.SPLIT_JSON), parse.split, 2),
    "build-json": Target(
        "json", "build.json", built("build/build.json"), parse.build_json, finish=parse.rehashed
    ),
    "rebuild-json": Target(
        "json",
        "rebuild.json",
        built("export/rebuild.json"),
        parse.rebuild_json,
        beside={"labels.parquet": built("export/labels.parquet")},
        finish=parse.resealed,
    ),
    "part-record": Target(
        "json",
        ".psgimg/tasks/1-of-1.json",
        texts(json.dumps(seeds.PART_RECORD)),
        parse.part_records,
    ),
    "psgimg-json": Target(
        "json", "psgimg.json", built("model/psgimg.json"), parse.manifest, finish=parse.rehashed
    ),
    "card": Target(
        "text",
        "README.md",
        built("build/README.md"),
        parse.card,
        0.1,
        {"build.json": built("build/build.json")},
    ),
    "shard": Target(
        "parquet",
        SHARD,
        built("build/data/*/*.parquet"),
        parse.shard,
        0.5,
        {"build.json": built("build/build.json")},
    ),
    "page": Target("png", "page.png", built("page.png"), parse.page, 1),
    "predictions-parquet": Target(
        "parquet", "p.parquet", predictions(".parquet"), parse.predicted, 0.4
    ),
    "predictions-csv": Target("text", "p.csv", predictions(".csv"), parse.predicted, 0.5),
    "predictions-jsonl": Target("text", "p.jsonl", predictions(".jsonl"), parse.predicted, 0.5),
    "usleep-npy": Target("text", "a.npy", seeds.arrays, parse.tool("usleep")),
    "usleep-tsv": Target("text", "a.tsv", texts(*seeds.USLEEP), parse.tool("usleep"), 2),
    "yasa-json": Target("json", "a.json", texts(seeds.YASA_JSON), parse.tool("yasa")),
    "yasa-csv": Target("text", "a.csv", texts(*seeds.YASA_CSV), parse.tool("yasa"), 2),
    "pops": Target("text", "a.txt", texts(seeds.POPS), parse.tool("pops"), 2),
    "sleepvlm": Target("text", "a.jsonl", texts(seeds.SLEEPVLM), parse.tool("sleepvlm")),
    "answer": Target("text", "a.txt", texts(*seeds.ANSWERS), parse.answer, 2),
    "completion": Target(
        "json", "a.json", texts(json.dumps(seeds.COMPLETION)), parse.completion, 2
    ),
}
