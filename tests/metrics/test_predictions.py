"""Predictions: one contract in three formats, strict about stages, epochs and probabilities."""

import json
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.metrics import prediction_checks, predictions
from psgimg.finetune.metrics.predictions import PROBABILITIES, SCHEMA, Answer, Predictions

SUFFIXES = (".parquet", ".csv", ".jsonl")


def row(epoch=0, label="N2", prediction="N3", **others):
    known = {"corpus": "shhs", "subject": "001", "recording": "NA", "epoch": epoch}
    return {**known, "label": label, "prediction": prediction, **others}


def scored(epoch=0, values=(0.1, 0.2, 0.4, 0.2, 0.1)):
    return row(epoch, **Answer("N2", None, values, -0.5).columns())


text = st.text(st.characters(exclude_categories=("Cs",)))
stage = st.sampled_from(STAGE_NAMES)
odds = st.lists(st.floats(0.01, 1), min_size=5, max_size=5)
answer = st.one_of(
    st.builds(Answer, st.none() | stage, st.none() | text),
    st.builds(
        lambda s, raw, some, mass: Answer(s, raw, tuple(x / sum(some) for x in some), mass),
        stage,
        st.none() | text,
        odds,
        st.floats(-50, 0),
    ),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.lists(st.tuples(text, text, stage, answer), min_size=1, max_size=6),
    st.sampled_from(SUFFIXES),
)
def test_what_is_written_is_read_again(tmp_path, found, suffix):
    rows = [
        {"corpus": "c", "subject": a, "recording": b, "epoch": i, "label": s, **answer.columns()}
        for i, (a, b, s, answer) in enumerate(found)
    ]
    path = tmp_path / f"p{suffix}"
    predictions.write(path, Predictions.from_rows(rows))
    assert predictions.read(path).table.equals(Predictions.from_rows(rows).table)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_predictions_give_the_same_bytes_and_nothing_is_left_beside(tmp_path, suffix):
    found = Predictions.from_rows([scored(0), row(1, prediction=None, raw="")])
    for name in ("a", "b"):
        predictions.write(tmp_path / f"{name}{suffix}", found)
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


def test_stages_come_as_numbers_and_no_valid_answer_as_minus_one(tmp_path):
    found = Predictions.from_rows([row(0, "W", "REM"), row(1, "N3", None), scored(2)])
    assert found.labels.tolist() == [0, 3, 2]
    assert found.predictions.tolist() == [4, -1, 2]
    assert np.isnan(found.probabilities[:2]).all()
    assert found.probabilities[2].tolist() == [0.1, 0.2, 0.4, 0.2, 0.1]
    assert Predictions.from_rows([row()]).probabilities is None


def test_files_of_other_tools_are_read(tmp_path):
    frame = pd.DataFrame([row(0), row(1, prediction=""), row(2, prediction="W")])
    frame["hypnodensity"] = 1.5  # nobody's business
    frame.to_csv(tmp_path / "p.csv", index=False)
    frame.to_parquet(tmp_path / "p.parquet")
    frame["label"] = frame["label"].astype("category")
    frame.to_parquet(tmp_path / "category.parquet")
    frame.to_json(tmp_path / "p.jsonl", orient="records", lines=True)
    for path in sorted(tmp_path.iterdir()):
        found = predictions.read(path)
        assert found.predictions.tolist() == [3, -1, 0], path
        assert found.table["subject"].to_pylist() == ["001"] * 3
        assert found.table["recording"].to_pylist() == ["NA"] * 3
        assert found.table.schema.equals(SCHEMA)


BAD = [
    ([row(label="S3")], "has the label 'S3'; stages are W, N1, N2, N3, REM"),
    ([row(), row(1, prediction="n2")], r"row 2 \(shhs NA epoch 1\) has the prediction 'n2'"),
    ([row(label=None)], "row 1 .* has no label"),
    ([row(3), row(4), row(3)], "shhs NA epoch 3 occurs 2 times; keep one"),
    ([{**row(), "corpus": None}], "has no corpus"),
    ([row(p_W=1.0)], "has p_W, p_N1.*give five probabilities"),
    ([scored(values=(0.5, 0.5, 0.5, 0.0, 0.0))], "sum to 1"),
    ([scored(values=(1.5, -0.5, 0.0, 0.0, 0.0))], "sum to 1"),
    ([scored(values=(math.inf, 0.0, 0.0, 0.0, 0.0))], "sum to 1"),
]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("rows", "said"), BAD)
def test_rows_that_break_a_rule_are_refused_when_read_and_when_written(
    tmp_path, rows, said, suffix
):
    path = tmp_path / f"p{suffix}"
    with pytest.raises(BuildError, match=said):
        predictions.write(path, Predictions.from_rows(rows))
    assert not path.exists()
    frame = pd.DataFrame(rows).drop(columns=["raw"], errors="ignore")
    if suffix == ".csv":
        frame.to_csv(path, index=False)
    elif suffix == ".parquet":
        frame.to_parquet(path)
    elif rows[0].get("p_W") != math.inf:  # JSON has no infinity
        frame.to_json(path, orient="records", lines=True)
    if path.exists():
        with pytest.raises(BuildError, match=said):
            predictions.read(path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("p.txt", b"", "end its name in .parquet, .csv, .jsonl"),
        ("p.csv", b"", "write it as Parquet, CSV or JSON lines"),
        ("p.csv", b"corpus,subject\na,b\n", "no column 'recording'"),
        ("p.csv", b"epoch,corpus\nx,b\n", "write it as Parquet"),
        ("p.parquet", b"PAR1", "write it as Parquet"),
        ("p.jsonl", b"{\n", "write it as Parquet"),
        ("p.jsonl", b"[1]\n", "a line is not a JSON object"),
        ("p.jsonl", b"\xff\n", "write it as Parquet"),
        ("p.jsonl", json.dumps(row(epoch="x")).encode(), "column 'epoch'"),
        (
            "p.jsonl",
            json.dumps({**row(), "subject": 1}).encode(),
            "'subject' is int64; make it text",
        ),
        *(
            ("p.jsonl", "\n".join(map(json.dumps, rows)).encode(), "write it as Parquet")
            for rows in (
                [row(), {**row(), "recording": 1}],  # values of two types
                [row(epoch=10**30)],
            )
        ),
    ],
)
def test_files_without_valid_predictions_are_refused_in_one_line(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BuildError, match=said) as caught:
        predictions.read(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_whole_number_as_float_are_what_they_are(tmp_path):
    with pytest.raises(BuildError, match="does not exist"):
        predictions.read(tmp_path / "none.csv")
    table = pa.Table.from_pylist([{**row(), "epoch": 7.0}])
    pq.write_table(table, tmp_path / "p.parquet")
    assert predictions.read(tmp_path / "p.parquet").table["epoch"].to_pylist() == [7]
    assert set(PROBABILITIES) <= set(SCHEMA.names)


def test_probabilities_rounded_to_three_digits_are_probabilities(tmp_path):
    rounded = dict(zip(PROBABILITIES, (0.166, 0.166, 0.166, 0.166, 0.334), strict=True))
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps({**row(), **rounded}))
    assert predictions.read(path).probabilities is not None


@pytest.mark.parametrize("most", [1, 2**30])
def test_numbers_of_epochs_order_them_as_their_names_do(monkeypatch, most):
    """However many names there are: with more than fit in the number, they are counted anew."""
    monkeypatch.setattr(prediction_checks, "MOST_NUMBERS", most)
    random = np.random.default_rng(0)
    names = np.array(["", "10", "2", "ä", "b", "B"])
    drawn = [
        (*names[random.integers(0, 6, 2)].tolist(), int(random.integers(-5, 5))) for _ in range(200)
    ]
    columns = dict(
        zip(("corpus", "recording", "epoch"), map(list, zip(*drawn, strict=True)), strict=True)
    )
    number = prediction_checks.numbered(pa.table(columns), ("corpus", "recording"))
    rank = {key: i for i, key in enumerate(sorted(set(drawn)))}
    assert np.unique(number, return_inverse=True)[1].tolist() == [rank[key] for key in drawn]
