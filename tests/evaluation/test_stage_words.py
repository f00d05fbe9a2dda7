"""Stage words: other names and numbers of stages are read, what was read as what is said."""

import pandas as pd
import pytest
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.evaluation import predictions_file, stage_words

NUMBERS = {str(i): stage for i, stage in enumerate(STAGE_NAMES)}


def frame(label, prediction):
    n = len(label)
    return pd.DataFrame(
        {"recording": "a", "epoch": range(n), "label": label, "prediction": prediction}
    )


def read(frame, folder, suffix, codes=None):
    path = folder / f"p{suffix}"
    if suffix == ".csv":
        frame.to_csv(path, index=False)
    elif suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_parquet(path)
    return predictions_file.read(path, codes)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_names_of_other_tools_are_read_and_listed(tmp_path, suffix):
    label = ["Wake", "W", "S4", "R", "Sleep stage N2", "N1"]
    found = read(frame(label, ["wake", "W", "nrem3", " REM", None, "n1"]), tmp_path, suffix)
    assert found.label.tolist() == [0, 0, 3, 4, 2, 1]
    assert found.prediction.tolist() == [0, 0, 3, 4, -1, 1]
    assert found.renamed == {
        "Wake": "W",
        "wake": "W",
        "S4": "N3",
        "nrem3": "N3",
        "R": "REM",
        " REM": "REM",
        "Sleep stage N2": "N2",
        "n1": "N1",
    }


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_numbers_are_read_by_their_codes_and_never_without(tmp_path, suffix):
    numbers = frame([0, 1, 2, 3, 4], [4, 3, 2, 1, -1])
    codes = stage_words.parse_codes("0=W, 1=N1,2=N2,3=N3,4=R,-1=")
    found = read(numbers, tmp_path, suffix, codes)
    assert found.label.tolist() == [0, 1, 2, 3, 4]
    assert found.prediction.tolist() == [4, 3, 2, 1, -1]
    with pytest.raises(BuildError, match="--codes"):
        read(numbers, tmp_path, suffix)


def test_whole_numbers_with_a_point_and_missing_ones_are_read(tmp_path):
    found = read(frame([0.0, 2.0], [float("nan"), 2.0]), tmp_path, ".parquet", NUMBERS)
    assert (found.label.tolist(), found.prediction.tolist()) == ([0, 2], [-1, 2])


def test_codes_go_before_names_and_a_number_without_a_code_is_refused(tmp_path):
    swapped = {"N1": "N2", "N2": "N1"}
    assert read(frame(["N1", "N2"], ["N1", "R"]), tmp_path, ".csv", swapped).label.tolist() == [
        2,
        1,
    ]
    with pytest.raises(BuildError, match=r"the label '5' .*--codes"):
        read(frame([0, 5], [0, 0]), tmp_path, ".csv", NUMBERS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0", "'0' is no code with its stage"),
        ("0=W,1=X", "'1=X' is no code with its stage; write --codes 0=W,1=N1,2=N2,3=N3,4=REM"),
        ("=W", "'=W' is no code"),
        ("0=W,0=N1", "0 has two stages"),
    ],
)
def test_codes_that_say_nothing_are_refused(text, said):
    with pytest.raises(BuildError, match=said):
        stage_words.parse_codes(text)
