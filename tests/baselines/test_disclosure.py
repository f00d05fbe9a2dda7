"""Disclosure: what each baseline sees of a night and from whom it learned is true, and is reported."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tiny
from builds import run
from click.testing import CliRunner
from needed import need
from psgimg.builder.corpora.registry import CORPORA
from psgimg.builder.lane_signals import Lanes
from psgimg.builder.signals.epoching import Epoch
from psgimg.builder.signals.filtering import Signals, Stretch
from psgimg.builder.stages import Stage
from psgimg.finetune.baselines import features, methods, yasa_stager
from psgimg.finetune.metrics import disclosure
from psgimg.finetune.metrics.disclosure import ONE_PAGE, SEEN, UNKNOWN, View
from psgimg.finetune.terminal.baseline_command import baseline as baseline_command
from psgimg.finetune.terminal.evaluate_command import evaluate as evaluate_command

N_PAGES, CHANGED = 24, 12


def a_night(change=False):
    """A night of noise; with ``change`` one page is ten times as large."""
    data_uv = np.random.default_rng(0).normal(0, 20, (3, 3000 * N_PAGES)).astype(np.float32)
    if change:
        data_uv[:, 3000 * CHANGED : 3000 * (CHANGED + 1)] *= 10
    lanes = ("C4-M1", "E1-M2", "Chin")
    signals = Signals(100.0, lanes, (False,) * 3, (False,) * 3, (Stretch.of(data_uv, 0.0),))
    epochs = tuple(Epoch(i, 30.0 * i, Stage.W, 30.0 * i) for i in range(N_PAGES))
    return SimpleNamespace(read=lambda filtered: Lanes(("eeg", "eog", "emg"), signals, epochs))


def differing(of):
    """The pages whose features change if the samples of one page do, and the features."""
    before, after = of(a_night()), of(a_night(change=True))
    pd.testing.assert_index_equal(before.columns, after.columns)
    same = np.isclose(before, after, rtol=1e-3, atol=1e-3, equal_nan=True)
    return set(np.flatnonzero(~same.all(axis=1))), before


def test_features_of_a_page_do_not_depend_on_other_pages_or_the_time():
    need("boosting")
    pages, frame = differing(features.of_pages)
    assert CHANGED in pages
    assert pages <= {CHANGED - 1, CHANGED, CHANGED + 1}  # the filter reaches four seconds beyond
    again = features.of_pages(a_night())
    pd.testing.assert_frame_equal(frame, again)
    night = features.of_night(a_night())
    assert set(frame) < set(night)
    assert not any("norm" in name or "time" in name for name in frame)
    assert {"eeg_std", "eog_std", "emg_std", "eeg_sdelta"} <= set(frame)


def test_features_of_the_night_depend_on_all_that_the_view_states():
    need("boosting")
    pages, night = differing(features.of_night)
    assert pages == set(range(N_PAGES))  # by the scale of the whole night
    assert features.VIEW.whole_night
    assert {"time_hour", "time_norm"} <= set(night)
    assert features.VIEW.time_of_night


def test_every_method_states_what_it_sees():
    by_name = {name: method.sees for name, method in methods.METHODS.items()}
    assert by_name["boosting"] == by_name["yasa"] == features.VIEW
    assert by_name["cnn"] == by_name[disclosure.LIKE_FOR_LIKE] == ONE_PAGE
    assert [name for name, method in methods.METHODS.items() if method.elsewhere] == [
        "yasa",
        "labram",
    ]


@pytest.mark.parametrize(
    ("view", "text"),
    [
        (ONE_PAGE, "one page"),
        (View(2, 2), "the epoch and 2 neighbouring epochs on either side"),
        (View(3, 0), "the epoch and 3 epochs before and 0 after it"),
        (View(time_of_night=True), "the epoch and the time of night"),
        (
            features.VIEW,
            "the epoch, 7 neighbouring epochs on either side, the spread of the whole night and the "
            "time of night",
        ),
    ],
)
def test_a_view_in_words(view, text):
    assert view.text == text
    assert disclosure.view({"sees": view.to_dict()}) == view


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (None, None),
        ({}, None),
        ({"settings": {"context": 0}}, ONE_PAGE),
        ({"settings": {"context": 2}}, View(2, 2)),
        ({"settings": {"context": "2"}}, None),
        ({"settings": []}, None),
        ({"sees": {"before": 1}}, View(1)),
        ({"sees": {"before": "1"}}, None),
        ({"sees": {"pages": 1}}, None),
    ],
)
def test_the_view_of_any_predictions_file_is_what_stands_beside_it(source, expected):
    assert disclosure.view(source) == expected


def test_yasa_has_seen_people_of_its_corpora_and_of_no_other_that_psgimg_reads():
    people = yasa_stager.LEARNED_FROM.people_of([*CORPORA, "my-lab", ""])
    assert {name for name, status in people.items() if status == SEEN} == {
        *("shhs", "mesa", "mros", "cfs", "ccshs", "chat", "homepap"),
    }
    assert {name for name, status in people.items() if status == UNKNOWN} == {"my-lab", ""}


def predictions_file(path, corpora, beside):
    """Write predictions of two subjects of each corpus, and what stands beside them."""
    rows = [
        (
            corpus,
            f"{corpus}-{subject}",
            f"{corpus}-{subject}-1",
            epoch,
            "N2",
            "N2" if epoch % 5 else "W",
        )
        for corpus in corpora
        for subject in range(2)
        for epoch in range(20)
    ]
    names = ["corpus", "subject", "recording", "epoch", "label", "prediction"]
    pd.DataFrame(rows, columns=names).to_parquet(path)
    if beside is not None:
        path.with_name(f"{path.name}.json").write_text(json.dumps(beside))
    return path


def told(name, corpora):
    return {"settings": {"model": name}, **methods.METHODS[name].disclosure(corpora)}


def evaluated(*paths):
    """What `psgimg evaluate` prints, and its report, each in one line."""
    out = paths[0].parent / "evaluation"
    shown = CliRunner().invoke(evaluate_command, [*map(str, paths), "--out", str(out)])
    assert shown.exit_code == 0, shown.output
    report = (out / "report.md").read_text()
    return " ".join(shown.output.split()), " ".join(report.split())


@pytest.mark.parametrize(
    ("corpora", "seen", "unknown"),
    [
        (["shhs"], "has seen people of shhs:", None),
        (["cfs", "isruc", "mros"], "has seen people of cfs and mros:", None),
        (["mesa", "my-lab"], "has seen people of mesa:", "seen people of my-lab is not known"),
        (["isruc", "sleep-edf"], None, None),
    ],
)
def test_the_report_says_whose_people_yasa_has_seen(corpora, seen, unknown, tmp_path):
    path = predictions_file(tmp_path / "yasa.parquet", corpora, told("yasa", corpora))
    for text in evaluated(path):
        assert (f"yasa.parquet {seen}" in text) if seen else ("has seen people" not in text)
        assert bool(seen) == ("not of unseen people" in text.replace("If it holds data", ""))
        assert (unknown in text) if unknown else ("is not known" not in text)


def test_a_comparison_says_that_methods_saw_different_parts_of_a_night(tmp_path):
    model = predictions_file(tmp_path / "model.parquet", ["isruc"], {"settings": {"context": 0}})
    boosting = predictions_file(
        tmp_path / "boosting.parquet", ["isruc"], told("boosting", ["isruc"])
    )
    foreign = predictions_file(tmp_path / "foreign.parquet", ["isruc"], None)
    for text in evaluated(model, boosting, foreign):
        assert "Not like for like" in text
        assert "model.parquet saw one page; boosting.parquet saw the epoch, 7 neighb" in text
        assert "foreign.parquet saw what its file does not state" in text
        assert "baseline --method boosting-page" in text


def test_like_for_like_files_are_called_so(tmp_path):
    model = predictions_file(tmp_path / "model.parquet", ["isruc"], {"settings": {"context": 0}})
    page = predictions_file(
        tmp_path / "boosting-page.parquet", ["isruc"], told("boosting-page", ["isruc"])
    )
    shown, report = evaluated(model, page)
    assert "Not like for like" not in shown + report
    assert "To stage an epoch, every file saw one page." in report


def test_a_statement_of_a_wrong_type_is_passed_over():
    for beside in ({"people_of": [1], "learned_elsewhere": {}}, {"people_of": {"a": SEEN}}):
        assert disclosure.people("x", beside) == []
    wrong = {"people_of": {"a": UNKNOWN, "b": 3}, "learned_elsewhere": {"corpora": 4}}
    assert "corpora not stated" in disclosure.people("x", wrong)[0]


@pytest.fixture(scope="module")
def shhs(tmp_path_factory):
    place = tmp_path_factory.mktemp("shhs")
    tiny.write_shhs(place / "root", 3, (1,), 6)
    split = {"train": ["200001"], "validation": ["200002"], "test": ["200003"]}
    (place / "split.json").write_text(json.dumps(split))
    run(place / "pages", place / "root", "shhs", split_file=place / "split.json")
    return place


def test_the_command_says_it_and_writes_it_beside_the_predictions(shhs):
    need("yasa")
    words = ["--dataset", str(shhs / "pages"), "--root", str(shhs / "root")]
    words += ["--out", str(shhs / "out")]
    for name in ("yasa", "boosting-page"):
        words += ["--method", name]
    shown = CliRunner().invoke(baseline_command, words)
    assert shown.exit_code == 0, shown.output
    text = " ".join(shown.output.split())
    assert "yasa has seen people of shhs" in text
    assert "eLife 10:e70092" in text
    assert "boosting-page sees one page" in text
    beside = json.loads((shhs / "out" / "yasa.parquet.json").read_text())
    assert beside["people_of"] == {"shhs": SEEN}
    assert disclosure.view(beside) == features.VIEW
    page = json.loads((shhs / "out" / "boosting-page.parquet.json").read_text())
    assert disclosure.view(page) == ONE_PAGE
    assert "learned_elsewhere" not in page
    assert page["method"]["features"] < 80
    text, report = evaluated(shhs / "out" / "yasa.parquet")
    assert "has seen people of shhs" in text
    assert "has seen people of shhs" in report


def test_a_corpus_of_ones_own_is_unknown_whatever_its_name_says():
    assert replace(yasa_stager.LEARNED_FROM, corpora=("shhs",)).people_of(["shhs-copy"]) == {
        "shhs-copy": UNKNOWN
    }
