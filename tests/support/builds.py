"""Builds as tests run them: by the function or by the command, and what came out."""

import sys

import datasets
import pyarrow.parquet as pq
from progress import Remembered
from psgimg.builder.build import build
from psgimg.builder.dataset.config import BuildConfig

PSGIMG = [sys.executable, "-P", "-c", "from psgimg.builder.cli import main; main()"]


def run(out, root, source="shhs", **options):
    config = BuildConfig((source,), (str(root),), out, **options)
    progress = Remembered()
    return build(config, progress), progress


def content(out):
    return {
        p.relative_to(out).as_posix(): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()
    }


def rows(out):
    tables = [pq.read_table(path).to_pylist() for path in sorted(out.rglob("*.parquet"))]
    return sorted(
        (row for table in tables for row in table), key=lambda r: (r["recording"], r["epoch"])
    )


def opened(out, *args, **kwargs):
    return datasets.load_dataset(str(out), *args, cache_dir=str(out.parent / "cache"), **kwargs)
