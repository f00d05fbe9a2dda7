"""A metric that is added to the table, as somebody who needs one would."""

from psgimg.finetune.metrics import metric_table
from psgimg.finetune.metrics.metric_table import Metric


def _n3_found(table):
    return table[3, 3] / table[3].sum() if table[3].sum() else float("nan")


EXTRA = Metric(
    "n3_found",
    "share of N3 found",
    "N3 found",
    r"N3$_\mathrm{found}$",
    _n3_found,
    headline=True,
    meaning="is the proportion of epochs scored as N3 that were predicted as N3",
)


def add(monkeypatch):
    """Put it behind the first metric."""
    first, *others = metric_table.METRICS
    monkeypatch.setattr(metric_table, "METRICS", (first, EXTRA, *others))
    return EXTRA
