"""Labels card: the README of a labels-only export. Its text is in ``cards/labels.md.j2``."""

from __future__ import annotations

from collections.abc import Sequence

from psgimg.builder.card import card_metadata, templates
from psgimg.builder.corpora import registry
from psgimg.builder.dataset import corpus_record
from psgimg.builder.dataset.build_json import DatasetFacts
from psgimg.builder.dataset.build_report import Report
from psgimg.builder.dataset.rebuild_json import ExportFacts
from psgimg.builder.dataset.schema import SPLITS
from psgimg.builder.placing import named
from psgimg.builder.signals import corruption_spec
from psgimg.builder.stages import STAGE_NAMES

TEMPLATE = "labels.md.j2"
FOLDER = "psg-labels"
"""Name of the export's folder on the card, the default of `psgimg export --labels-only`."""

SPLIT = "labels"
"""Name of the table in ``load_dataset``; it has the rows of all splits, in the column ``split``."""


def text(values: ExportFacts, table: str, columns: Sequence[str]) -> str:
    """Return the text of the card, YAML and Markdown.

    Parameters
    ----------
    values
        Contents of ``rebuild.json``.
    table, columns
        Name of the file of labels, and its columns.
    """
    report = Report(values)
    corpora = card_metadata.with_rows(report)
    fields = {
        "head": _head(report, table),
        "report": report,
        "v": values,
        "corpora": corpora,
        "restricted": card_metadata.restricted(corpora),
        "described": corpus_record.described(corpora),
        "synthetic": registry.synthetic(corpora),
        "folder": FOLDER,
        "split_name": SPLIT,
        "corruption": values.get(corruption_spec.KEY),
        "stages": STAGE_NAMES,
        "splits": SPLITS,
        "named": named.stated(values["fixed"].get("named_split")),
        "columns": columns,
        "n_subjects": sum(entry["subjects"] for entry in corpora.values()),
    }
    return templates.render(TEMPLATE, fields)


def _head(report: Report[DatasetFacts], table: str) -> str:
    """Return the YAML header; the features are those stored in the table.

    Without ``num_examples``, ``load_dataset`` would use its cached copy in place of a new export.
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
