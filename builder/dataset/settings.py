"""Settings: a folder is resumed and extended only with the settings that it was started with."""

from __future__ import annotations

import json
from pathlib import Path

from psgimg.builder import atomic_file
from psgimg.builder.dataset import build_report, build_schema, corpus_record, shards
from psgimg.builder.dataset.build_json import Fixed
from psgimg.builder.dataset.config import BuildConfig
from psgimg.builder.errors import BuildError
from psgimg.builder.files import bounded

FILE = "settings.json"
"""File in the state folder with the settings of an unfinished build."""


def refuse_others(config: BuildConfig) -> None:
    """Refuse a folder that was built or started with settings that give different rows.

    Raises
    ------
    BuildError
        If a setting or the definition of a corpus differs, or ``build.json`` is damaged.
    """
    fixed = config.fixed()
    path = config.out / shards.STATE / FILE
    before = _recorded(config.out, path)
    if before is not None and before != fixed:
        keys = sorted({*fixed, *before})
        changed = ", ".join(key for key in keys if before.get(key) != fixed.get(key))
        raise BuildError(
            f"{config.out} was built with different settings ({changed}); use the same ones or choose another --out"
        )
    corpus_record.refuse_changed(config.out, config.corpora, build_report.read_earlier(config.out))
    if not path.exists():
        atomic_file.write_text(path, json.dumps(fixed, sort_keys=True))


def _recorded(out: Path, settings: Path) -> Fixed | None:
    try:
        if (before := build_report.read_earlier(out)) is not None:
            return build_schema.check(before)["fixed"]
        if settings.exists():
            started: Fixed = bounded.read_json(settings)
            return started
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(
            f"{build_report.earlier_file(out)} is damaged ({error}); choose another --out"
        ) from error
    return None
