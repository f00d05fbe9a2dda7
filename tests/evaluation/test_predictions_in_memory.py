"""Predictions in memory: a night's names once, a stage in a byte, nothing for what a file lacks."""

from dataclasses import fields, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.evaluation import predictions_file
from psgimg.finetune.metrics import table_files
from psgimg.finetune.metrics.predictions import PAGE_PROBABILITIES, PROBABILITIES

N_NIGHTS, N_EPOCHS = 12, 50


def table(*, whole):
    """Predictions in the order in which psgimg writes them, with all columns or the needed ones."""
    random, n = np.random.default_rng(0), N_NIGHTS * N_EPOCHS
    night = np.repeat(np.arange(N_NIGHTS), N_EPOCHS)

    def stages():
        return np.array([*STAGE_NAMES, None], object)[random.integers(0, 6, n)].tolist()

    label = np.array(STAGE_NAMES)[random.integers(0, 5, n)].tolist()
    columns = {
        "corpus": [("hmc", "isruc")[i // 6] for i in night],
        "subject": [f"s{i // 2:02}" for i in night],
        "recording": [f"night-{i:02}" for i in night],
        "epoch": np.tile(np.arange(N_EPOCHS), N_NIGHTS),
        "label": label,
        "prediction": stages(),
    }
    if whole:
        for names in (PROBABILITIES, PAGE_PROBABILITIES):
            columns |= dict(zip(names, random.dirichlet([1] * 5, n).T, strict=True))
        columns |= {name: stages() for name in ("label_2", "page_prediction", "sequence")}
        columns |= {"votes": ["0 1 2 0 0", None] * (n // 2), "epoch_s": [30.0] * n}
        columns |= {"unseen_lanes": ["EMG", None] * (n // 2), "raw": ["so"] * n}
        columns |= {"log_mass": [-0.1] * n, "fold": [0] * n}
    return pa.table(columns)


def read(path, found, **options):
    pq.write_table(found, path, **options)
    return predictions_file.read(path)


def arrays(data):
    flat = {field.name: getattr(data, field.name) for field in fields(data)}
    if data.pages is not None:
        flat |= {
            f"page {field.name}": getattr(data.pages, field.name) for field in fields(data.pages)
        }
    return {name: value for name, value in flat.items() if isinstance(value, np.ndarray)}


@pytest.mark.parametrize("order", ["shuffled", "backwards", "in row groups"])
def test_the_order_of_the_rows_and_of_their_names_changes_nothing(tmp_path, order, monkeypatch):
    monkeypatch.setattr(table_files, "AT_A_TIME", 200)
    found = table(whole=True)
    expected = read(tmp_path / "a.parquet", found)
    if order != "in row groups":
        rows = np.arange(len(found))[::-1]
        rows = np.random.default_rng(1).permutation(rows) if order == "shuffled" else rows
        found = found.take(pa.array(rows))
    other = read(tmp_path / "b.parquet", found, row_group_size=70)
    assert other.recordings == expected.recordings
    assert replace(other, path=expected.path).unseen_lanes == expected.unseen_lanes
    ours, theirs = arrays(expected), arrays(other)
    assert len(ours) == 11
    for name, values in ours.items():
        np.testing.assert_array_equal(theirs[name], values, err_msg=name)


def test_an_epoch_takes_eleven_bytes_and_more_only_for_what_is_known_of_it(tmp_path):
    plain = arrays(read(tmp_path / "p.parquet", table(whole=False)))
    n = N_NIGHTS * N_EPOCHS
    assert sum(values.nbytes for values in plain.values() if len(values) == n) == 11 * n
    whole = arrays(read(tmp_path / "w.parquet", table(whole=True)))
    more = 2 * 5 * 8 + 5 * 8 + 2  # probabilities of pages and nights, votes, stages of pages
    assert sum(values.nbytes for values in whole.values() if len(values) == n) == (11 + more) * n


def test_columns_that_no_figure_needs_are_not_read(tmp_path):
    path = tmp_path / "p.parquet"
    pq.write_table(table(whole=True), path)
    unread = set(predictions_file.LEFT_ALONE) & set(pq.read_schema(path).names)
    assert unread == {"log_mass", "fold"}
    assert not unread & set(table_files.read(path, predictions_file.READ).column_names)
