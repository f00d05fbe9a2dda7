"""Groups of subjects: whom a table describes, which bins numbers fall in, and what is refused."""

import json

import pandas as pd
import pytest
from click.testing import CliRunner
from psgimg.builder.errors import BuildError
from psgimg.finetune.evaluation import evaluate as main_path
from psgimg.finetune.evaluation import evaluation_report
from psgimg.finetune.evaluation.clinical import bins
from psgimg.finetune.evaluation.clinical.bins import By
from psgimg.finetune.evaluation.epochs import SubjectKey
from psgimg.finetune.evaluation.evaluate_config import EvaluateConfig
from psgimg.finetune.terminal import evaluate_command

SCORED = "W" * 6 + "2" * 12 + "R" * 6
CODES = {"W": "W", "2": "N2", "R": "REM"}
NAMES = tuple(f"{i:03d}" for i in range(1, 9))
AGES = (25, 31, 39, 40, 52, 59, 60, 71)
TABLE = pd.DataFrame(
    {
        "participant_id": [f"sub-{name}" for name in NAMES],
        "age": AGES,
        "sex": list("FMFMFMFM"),
        "AHI": [2, 4.9, 5, 8, 14.9, 15, 30, 75],
    }
)


def predictions(names=NAMES, corpus="c"):
    """The i-th subject has i wrong epochs of 24, all at the end, where REM is called wake."""
    frames = []
    for i, name in enumerate(names):
        said = SCORED[: 24 - i] + "W" * i
        stages = [[CODES[code] for code in word] for word in (SCORED, said)]
        frames.append(
            pd.DataFrame({"epoch": range(24), "label": stages[0], "prediction": stages[1]})
        )
        frames[-1] = frames[-1].assign(corpus=corpus, subject=name, recording=f"{corpus}-{name}")
    return pd.concat(frames, ignore_index=True).assign(epoch_s=30.0)


def evaluated(folder, table, by="age,sex,ahi", frame=None, suffix=".tsv"):
    path, beside = folder / "p.parquet", folder / f"people{suffix}"
    (predictions() if frame is None else frame).to_parquet(path)
    if suffix == ".parquet":
        table.to_parquet(beside)
    else:
        table.to_csv(beside, sep="\t" if suffix == ".tsv" else ",", index=False, na_rep="n/a")
    return main_path.evaluate(EvaluateConfig((path,), subjects_table=beside, by=by))


def sizes(values, column):
    groups = values["groups"]["columns"][column]["groups"]
    return {group["group"]: group["subjects"] for group in groups}


def test_numbers_fall_in_stated_bins_and_words_are_groups(tmp_path):
    values = evaluated(tmp_path, TABLE).values
    assert sizes(values, "age") == {"18 to under 40": 3, "40 to under 60": 3, "60 or more": 2}
    assert sizes(values, "sex") == {"F": 4, "M": 4}
    assert sizes(values, "ahi") == {
        "under 5": 2,
        "5 to under 15": 3,
        "15 to under 30": 1,
        "30 or more": 2,
    }
    assert values["groups"]["columns"]["ahi"]["edges"] == [5, 15, 30]


def test_the_figures_of_a_group_are_those_of_its_people_alone(tmp_path):
    young = evaluated(tmp_path, TABLE).values["groups"]["columns"]["age"]["groups"][0]
    alone = evaluated(tmp_path, TABLE, frame=predictions()[: 3 * 24]).values
    assert young["figures"]["accuracy"]["value"] == pytest.approx(1 - (0 + 1 + 2) / 72)
    assert young["figures"] == alone["pooled"]["figures"]
    assert young["nights"] == alone["nights"]["measures"]
    assert young["nights"]["minutes_REM"]["bias"]["value"] == pytest.approx(-0.5)


def test_a_group_of_fewer_than_three_has_figures_without_intervals(tmp_path):
    groups = evaluated(tmp_path, TABLE).values["groups"]["columns"]["age"]["groups"]
    assert groups[0]["figures"]["accuracy"]["low"] is not None
    assert groups[2]["figures"]["accuracy"]["value"] is not None
    assert groups[2]["figures"]["accuracy"]["low"] is None
    assert groups[2]["nights"]["tst_min"]["bias"]["low"] is None


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("age:18-40-65", {"18 to under 40": 3, "40 to under 65": 4, "65 or more": 1}),
        ("age:40", {"under 40": 3, "40 or more": 5}),
        ("age:31.5-60", {"under 31.5": 2, "31.5 to under 60": 4, "60 or more": 2}),
    ],
)
def test_the_user_states_the_edges_of_bins(tmp_path, by, groups):
    assert sizes(evaluated(tmp_path, TABLE, by).values, "age") == groups


@pytest.mark.parametrize("suffix", [".tsv", ".csv", ".parquet"])
@pytest.mark.parametrize(
    "names",
    [
        list(NAMES),
        [f"sub-{name}" for name in NAMES],
        [int(name) for name in NAMES],
        [float(name) for name in NAMES],
        [f"sub-{int(name)}" for name in NAMES],
    ],
)
def test_names_match_as_tables_and_readers_of_numbers_change_them(tmp_path, suffix, names):
    table = TABLE.assign(participant_id=names)
    values = evaluated(tmp_path, table, suffix=suffix).values
    assert values["groups"]["absent"] == 0
    assert sizes(values, "sex") == {"F": 4, "M": 4}
    assert (values["groups"]["matched"] is None) == (names == list(NAMES))


def test_names_that_differ_by_their_zeros_alone_are_two_people(tmp_path):
    names = ["1", "01", "2", "3"]
    table = pd.DataFrame({"subject": names, "sex": list("FMMM")})
    values = evaluated(tmp_path, table, "sex", predictions(names)).values
    assert sizes(values, "sex") == {"F": 1, "M": 3}


def test_the_same_name_in_two_corpora_is_two_people(tmp_path):
    frame = pd.concat([predictions(NAMES[:3], "c"), predictions(NAMES[:3], "d")])
    table = pd.DataFrame(
        {"corpus": list("cccddd"), "subject": NAMES[:3] * 2, "sex": list("FFFMMM")}
    )
    values = evaluated(tmp_path, table, "sex", frame).values
    assert sizes(values, "sex") == {"F": 3, "M": 3}
    with pytest.raises(BuildError, match="no column corpus, and c and d both have a subject 001"):
        evaluated(tmp_path, table.drop(columns="corpus")[:3], "sex", frame)


def test_people_without_a_value_or_a_row_are_the_group_unknown(tmp_path):
    table = TABLE[:-2].assign(age=[None, *AGES[1:6]])
    found = evaluated(tmp_path, table)
    assert sizes(found.values, "age") == {"18 to under 40": 2, "40 to under 60": 3, "unknown": 3}
    assert found.values["groups"]["absent"] == 2
    assert any(
        "2 subjects are not in people.tsv and count as unknown: 007, 008" in n for n in found.notes
    )
    recordings = [g["recordings"] for g in found.values["groups"]["columns"]["age"]["groups"]]
    assert sum(recordings) == 8


@pytest.mark.parametrize(
    ("table", "by", "said"),
    [
        (
            TABLE,
            "bmi",
            r"--by bmi: .*people.tsv has no such column \(found: participant_id, age, sex",
        ),
        (TABLE, "sex:18", "sex of 001 is 'F', not a number"),
        (TABLE.assign(age=["25", ">89", *AGES[2:]]), "age", "age of 002 is '>89', not a number"),
        (TABLE, "participant_id", None),
        (
            TABLE.assign(participant_id=[f"nsrr-{name}" for name in NAMES]),
            "age",
            "none of the 8 subjects of the predictions: its participant_id is like 'nsrr-001', "
            "'nsrr-002', 'nsrr-003', theirs like '001', '002', '003'",
        ),
        (
            TABLE.rename(columns={"participant_id": "id"}),
            "age",
            "no column subject or participant_id",
        ),
        (
            pd.concat([TABLE, TABLE[:1].assign(age=99)]),
            "age",
            "sub-001 has the age 25 and 99; keep",
        ),
        (TABLE[:0], "age", "has no rows"),
        (TABLE, "age,age", "age stands there twice"),
        (TABLE, "age:40-18", "'40-18' are no edges of bins; give ascending numbers"),
        (TABLE, "age:", "give columns separated by commas"),
        (TABLE, ",", "give columns separated by commas"),
    ],
)
def test_a_table_that_can_not_be_used_is_refused_in_one_line(tmp_path, table, by, said):
    if said is None:
        assert len(sizes(evaluated(tmp_path, table, by).values, by)) == 8
        return
    with pytest.raises(BuildError, match=said) as caught:
        evaluated(tmp_path, table, by)
    assert "\n" not in str(caught.value)


def test_a_column_of_many_words_is_no_column_of_groups():
    values = {SubjectKey("", str(i)): f"note {i}" for i in range(30)}
    with pytest.raises(BuildError, match="30 different values in it, such as 'note 0'"):
        bins.group(By("notes"), values, "people.tsv")


@pytest.mark.parametrize(
    ("column", "values", "groups"),
    [
        ("nsrr_sex", [1, 2, 1, 2, 1, 2, 1, 2], {"1": 4, "2": 4}),
        ("isi", range(9), {"under 2": 2, "2 to under 5": 3, "5 or more": 4}),
        ("nsrr_ahi_hp3u", [1, 5, 40], {"under 5": 1, "5 to under 15": 1, "30 or more": 1}),
        ("age_s1", [17, 18, 40], {"under 18": 1, "18 to under 40": 1, "40 to under 60": 1}),
        ("dosage", [0, 1], {"0": 1, "1": 1}),
        ("isi", [4] * 6, {"4": 6}),
    ],
)
def test_numbers_without_known_bins_are_codes_or_parts_of_about_equal_size(column, values, groups):
    told = {SubjectKey("", str(i)): str(value) for i, value in enumerate(values)}
    found = bins.group(By(column), told, "people.tsv").groups
    assert {name: len(members) for name, members in found.items()} == groups


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--by", "age"), "--by needs --subjects-table FILE"),
        (("--subjects-table", "people.tsv"), "--subjects-table needs --by"),
        (("--subjects-table", "people.txt", "--by", "age"), "people.txt: unknown file type"),
        (("--subjects-table", "none.csv", "--by", "age"), "none.csv does not exist"),
    ],
)
def test_the_options_are_refused_in_one_line(tmp_path, monkeypatch, given, said):
    monkeypatch.chdir(tmp_path)
    predictions().to_csv("p.csv", index=False)
    with pytest.raises(BuildError, match=said):
        CliRunner().invoke(evaluate_command.evaluate, ["p.csv", *given], catch_exceptions=False)


def test_a_table_separated_otherwise_is_told_so(tmp_path):
    (tmp_path / "people.csv").write_text("subject;age\n001;25\n")
    predictions().to_parquet(tmp_path / "p.parquet")
    config = EvaluateConfig(
        (tmp_path / "p.parquet",), subjects_table=tmp_path / "people.csv", by="age"
    )
    with pytest.raises(BuildError, match="columns are separated by ';', not by ','"):
        main_path.evaluate(config)


def test_report_terminal_and_json_have_every_group(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    predictions().to_csv("p.csv", index=False)
    TABLE.assign(sex=["F", "<b>|x", *"FMFMFM"]).to_csv("participants.tsv", sep="\t", index=False)
    given = ["p.csv", "--subjects-table", "participants.tsv", "--by", "age,sex"]
    done = CliRunner().invoke(evaluate_command.evaluate, given, catch_exceptions=False)
    text = (tmp_path / "p-evaluation" / "report.md").read_text()
    values = json.loads((tmp_path / "p-evaluation" / "metrics.json").read_text())
    for group in values["groups"]["columns"]["age"]["groups"]:
        accuracy = f"{group['figures']['accuracy']['value']:.3f}"
        assert f"| {group['group']} | {group['subjects']} | " in text
        (line,) = [x for x in text.splitlines() if x.startswith(f"| {group['group']} |")]
        assert accuracy in line
        assert group["group"] in done.output
    assert "the edges are 18, 40, 60" in text
    assert "<b>" not in (tmp_path / "p-evaluation" / "report.html").read_text()
    assert "&lt;b>\\|x" in text
    assert evaluation_report.AGREEMENT in text
