"""Readme: the README of an export, with its contents, terms, counts and how to load it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from psgimg.builder.card import card_metadata, templates
from psgimg.builder.corpora import registry
from psgimg.builder.dataset.build_report import Report
from psgimg.builder.exports.source import Source
from psgimg.builder.files import quoting
from psgimg.builder.signals import corruption_spec
from psgimg.builder.stages import STAGE_NAMES

FILE = "README.md"
TEMPLATE = "export.md.j2"


def write(
    folder: Path,
    source: Source,
    form: str,
    name: str,
    files: Mapping[str, str] | None = None,
    **facts: Any,
) -> None:
    """Write ``README.md``; all its numbers come from the report.

    Parameters
    ----------
    name
        Final name of the export's folder.
    files
        Pattern of the files of each split, for the header; None where their names tell.
    facts
        Further values for the template's section on this format.
    """
    (folder / FILE).write_text(
        text(source, form, name, files, facts), encoding="utf-8", newline="\n"
    )


def text(
    source: Source, form: str, name: str, files: Mapping[str, str] | None, facts: Mapping[str, Any]
) -> str:
    """Return the text of an export's README; its YAML header is that of a dataset on the Hub."""
    report = Report(source.values)
    held = {shard["corpus"] for shard in source.shards}
    corpora = {key: value for key, value in report.values["corpora"].items() if key in held}
    filled = {
        "metadata": card_metadata.export_head(report, corpora, files),
        "form": form,
        "name": name,
        "shell_name": quoting.shell(Path(name)),
        "is_pattern": quoting.is_pattern(name),
        "report": report,
        "v": source.values,
        "n_pages": source.n_pages,
        "splits": source.splits,
        "corpora": corpora,
        "restricted": card_metadata.restricted(corpora),
        "synthetic": registry.synthetic(corpora),
        "title": card_metadata.title(corpora, source.values.get(corruption_spec.KEY)),
        "corruption": source.values.get(corruption_spec.KEY),
        "stages": STAGE_NAMES,
        **facts,
    }
    return templates.render(TEMPLATE, filled)
