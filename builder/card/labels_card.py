"""Labels card: the README of a labels-only export. The words are in ``cards/labels.md.j2``."""

from __future__ import annotations

from collections.abc import Sequence

from psgimg.builder.card import card_metadata, templates
from psgimg.builder.corpora import demo
from psgimg.builder.dataset import corpus_record
from psgimg.builder.dataset.build_json import DatasetFacts
from psgimg.builder.dataset.build_report import Report
from psgimg.builder.dataset.rebuild_json import ExportFacts
from psgimg.builder.dataset.schema import SPLITS
from psgimg.builder.signals import corruption_spec
from psgimg.builder.stages import STAGE_NAMES

TEMPLATE = "labels.md.j2"
FOLDER = "psg-labels"
"""How the card calls the folder it stands in, as `psgimg export --labels-only` does."""

SPLIT = "labels"
"""What ``load_dataset`` calls the table: its rows are of all splits, and say of which."""


def text(values: ExportFacts, table: str, columns: Sequence[str]) -> str:
    """The card, YAML and Markdown.

    Parameters
    ----------
    values
        What ``rebuild.json`` says.
    table, columns
        Name of the file of labels, and what is in it.
    """
    report = Report(values)
    corpora = card_metadata.with_rows(report)
    filled = {
        "head": _head(report, table),
        "report": report,
        "v": values,
        "corpora": corpora,
        "restricted": card_metadata.restricted(corpora),
        "described": corpus_record.described(corpora),
        "synthetic": demo.NAME,
        "folder": FOLDER,
        "split_name": SPLIT,
        "corruption": values.get(corruption_spec.KEY),
        "stages": STAGE_NAMES,
        "splits": SPLITS,
        "columns": columns,
        "n_subjects": sum(entry["subjects"] for entry in corpora.values()),
    }
    return templates.render(TEMPLATE, filled)


def _head(report: Report[DatasetFacts], table: str) -> str:
    """The YAML head, as the Hub and ``load_dataset`` read it; the table brings its own features.

    Without ``num_examples``, ``load_dataset`` would take a new export for the one in its cache.
    """
    import yaml

    corpora = card_metadata.with_rows(report)
    licences = {entry["licence"] for entry in corpora.values()}
    only = card_metadata.HUB_LICENCES.get(licences.pop()) if len(licences) == 1 else None
    strictest = [*card_metadata.restricted(corpora), *corpora][0]
    link = {
        "license_name": "that-of-the-corpora",
        "license_link": corpora[strictest]["licence_url"],
    }
    head = {
        "pretty_name": f"Sleep stages without the pictures: {', '.join(corpora)}",
        "license": only or "other",
        **({} if only else link),
        "tags": [*card_metadata.TAGS, "labels-only", *sorted(corpora)],
        "configs": [
            {
                "config_name": SPLIT,
                "data_files": [{"split": SPLIT, "path": table}],
                "default": True,
            }
        ],
        "dataset_info": {
            "config_name": SPLIT,
            "splits": [{"name": SPLIT, "num_bytes": 0, "num_examples": report.n_epochs()}],
        },
    }
    return str(yaml.safe_dump(head, sort_keys=False, allow_unicode=True)).rstrip()
