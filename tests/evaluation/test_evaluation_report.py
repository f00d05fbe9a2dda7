"""The report of an evaluation: whole, honest about what is missing, and the same every time."""

import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from matplotlib.figure import Figure
from PIL import Image, ImageColor
from psgimg.builder.stages import STAGE_NAMES, Stage
from psgimg.finetune.evaluation import (
    evaluation_report,
    hypnograms,
    latex,
    plot_evaluation,
    plot_robustness,
)
from psgimg.finetune.evaluation.evaluate import evaluate
from psgimg.finetune.evaluation.evaluate_config import EvaluateConfig
from psgimg.finetune.metrics import metric_table, plot_hypnogram, predictions
from psgimg.finetune.metrics.predictions import PROBABILITIES, Predictions

NIGHT = (0, 0, 1, 2, 2, 3, 3, 2, 4, 4, 2, 2, 1, 0)
GAP = range(6, 9)
HOSTILE = "a|b <script>alert(1)</script> `x` 100%_&~^\\é"


def rows(error, *, seed=0, subjects=4, silent=0.0, sure=True, second=False, name="night"):
    """Epochs of some subjects; a share of errors and one without an answer, by seed."""
    drawn = np.random.default_rng(seed)
    for subject in range(subjects):
        for epoch, stage in enumerate(NIGHT * 3):
            if epoch in GAP:
                continue
            said = (stage + 1) % 5 if drawn.random() < error * (1 + subject / 4) else stage
            odds = np.full(5, 0.1) + 0.5 * (np.arange(5) == said)
            none = drawn.random() < silent
            yield {
                "corpus": "shhs" if subject % 2 else "isruc",
                "subject": f"s{subject}",
                "recording": f"{name} {subject}",
                "epoch": epoch,
                "label": STAGE_NAMES[stage],
                "prediction": None if none else STAGE_NAMES[said],
                "raw": "hm" if none else None,
                **({p: float(v) for p, v in zip(PROBABILITIES, odds, strict=True)} if sure else {}),
                **({"label_2": STAGE_NAMES[stage if epoch % 7 else 2]} if second else {}),
            }


def corrupted(severity):
    done = {"spec": f"noise:snr_db={severity:g}", "kind": "noise", "severity": severity}
    return {"corruption": {**done, "unit": "dB SNR", "lanes": ["all"], "seed": 0}}


def written(folder, name, found, told=None):
    path = folder / name
    predictions.write(path, Predictions.from_rows(found))
    if told is not None:
        path.with_name(f"{name}.json").write_text(json.dumps(told))
    return path


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Everything that a report can have: gaps, no answers, two scorers, corrupted twins."""
    folder = tmp_path_factory.mktemp("predictions")
    told = {
        "settings": {"model": "/home/ann/m", "split": "test"},
        "policy": "restricted",
        "corruption": None,
    }
    night = list(rows(0.1, silent=0.05, second=True, name=HOSTILE))
    files = [
        written(folder, "first.parquet", night, told),
        written(folder, "Łódź 0%_&.csv", rows(0.3, seed=2, name=HOSTILE), corrupted(0.0)),
        written(folder, "noise-10.jsonl", rows(0.6, seed=3, name=HOSTILE), corrupted(-10.0)),
    ]
    return evaluate(EvaluateConfig(tuple(files)))


@pytest.fixture(scope="module")
def out(found, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    evaluation_report.write(folder, found)
    return folder


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """One subject, no probabilities, no error."""
    folder = tmp_path_factory.mktemp("alone")
    path = written(folder, "alone.csv", rows(0.0, subjects=1, sure=False))
    return evaluate(EvaluateConfig((path,)))


class Elements(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_every_picture_of_the_report_is_shown_and_every_shown_one_is_there(out):
    shown = re.findall(r"!\[[^\n]*\]\(([^)]*)\)", (out / "report.md").read_text())
    assert sorted(shown) == sorted(path.name for path in out.glob("*.png"))
    assert set(shown) == set(evaluation_report.PICTURES) - {"hypnogram-only.png"}


def test_the_html_holds_its_pictures_and_asks_for_nothing(out):
    elements = Elements((out / "report.html").read_text(encoding="utf-8")).found
    images = [attrs for tag, attrs in elements if tag == "img"]
    assert len(images) == len(list(out.glob("*.png")))
    assert all(attrs["src"].startswith("data:image/png;base64,") for attrs in images)
    assert all(attrs["alt"] for attrs in images)
    assert not {tag for tag, _ in elements} & {"script", "link", "iframe", "a"}
    assert "url(" not in (out / "report.html").read_text(encoding="utf-8")


def test_names_from_outside_are_words_and_break_no_table(out):
    text = (out / "report.md").read_text(encoding="utf-8")
    for tokens in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        widths = {len(re.split(r"(?<!\\)\|", line)) for line in tokens.splitlines()}
        assert len(widths) == 1
    parsed = MarkdownIt("commonmark").enable("table").parse(text)
    assert not any(t.type.startswith("html") for token in parsed for t in token.children or [token])
    assert not any(tag == "script" for tag, _ in Elements((out / "report.html").read_text()).found)


def test_the_same_evaluation_gives_the_same_bytes(found, out, tmp_path):
    names = [path.name for path in evaluation_report.write(tmp_path, found)]
    assert sorted(names) == sorted(path.name for path in out.iterdir())
    for name in names:
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes(), name


def test_a_picture_has_no_metadata_of_time_or_software(out):
    for path in out.glob("*.png"):
        with Image.open(path) as image:
            assert set(image.info) <= {"dpi"}, path.name


def test_the_number_of_epochs_without_an_answer_is_reported(found, out):
    n = found.values["counts"]["no_answer"]
    assert n > 0
    assert f"No valid answer to {n} of {found.values['counts']['epochs']} epochs" in (
        (out / "report.md").read_text()
    )
    assert f"count as wrong ({n} in first.parquet)" in (out / "table.tex").read_text()


def test_no_answer_has_a_column_only_if_there_are_any(found, alone):
    widths = [
        Image.open(io.BytesIO(plot_evaluation.confusion(one.values["pooled"]["confusion"]))).width
        for one in (found, alone)
    ]
    assert widths[0] > widths[1]


def test_one_subject_has_no_interval_and_nothing_of_an_earlier_report_stays(alone, out, tmp_path):
    folder = tmp_path / "out"
    shutil.copytree(out, folder)
    evaluation_report.write(folder, alone)
    text = (folder / "report.md").read_text()
    assert "- No intervals: 1 subject; at least 3 are needed." in text
    assert "No intervals: 1 subject; at least 3 are needed." in (folder / "table.tex").read_text()
    assert {path.name for path in folder.glob("*.png")} == {"confusion.png", "hypnogram-only.png"}
    assert "nan" not in text


def test_no_local_folder_is_in_the_report(out):
    assert "model `m`" in (out / "report.md").read_text()
    assert not any("/home/ann" in path.read_text() for path in out.glob("*.[mht]*"))


def test_figures_of_the_report_are_those_of_the_json(found, out):
    text = (out / "report.md").read_text()
    for metric in metric_table.METRICS:
        entry = found.values["pooled"]["figures"][metric.key]
        line = (
            f"| {metric.title} | {entry['value']:.3f} | {entry['low']:.3f} to {entry['high']:.3f} |"
        )
        assert line in text
    kappa = found.values["comparisons"][0]["figures"]["kappa"]
    assert f"({kappa['low']:+.3f} to {kappa['high']:+.3f})".replace("-", "−") in text


def test_training_pages_and_corrupted_signals_are_flagged(alone, tmp_path):
    told = {"settings": {"split": "train"}, **corrupted(0.0)}
    alone.values["source"], before = told, alone.values["source"]
    try:
        evaluation_report.write(tmp_path, alone)
    finally:
        alone.values["source"] = before
    text = (tmp_path / "report.md").read_text()
    assert "**Training pages.**" in text
    assert "**Corrupted signals**: `noise:snr_db=0`" in text


@pytest.mark.parametrize("told", [{"settings": 3, "corruption": "x"}, {"policy": None}, {}])
def test_anything_may_lie_beside_predictions_of_other_tools(told):
    assert evaluation_report._part({"source": told}, "settings") == {}
    assert evaluation_report._part({"source": None}, "corruption") == {}


@pytest.mark.parametrize("done", ["x", {}, {"severity": 1}, {"severity": "x", "lanes": 3}, [1]])
def test_a_corruption_recorded_by_another_tool_neither_stops_a_report_nor_is_drawn(
    tmp_path, found, done
):
    told = {"corruption": done}
    twin = {**found.values["comparisons"][0], "source": told}
    assert plot_robustness.draw([twin], clean=True) is None
    path = written(tmp_path, "p.csv", rows(0.3), told)
    evaluation_report.write(tmp_path, evaluate(EvaluateConfig((path,))))


def test_a_dollar_in_a_name_is_a_dollar_and_begins_no_formula(found):
    twin = {**found.values["comparisons"][0], "file": "$\\foo$.csv"}
    assert plot_evaluation.differences([twin])
    done = {**corrupted(1.0)["corruption"], "kind": "$x^$"}
    assert plot_robustness.draw([{**twin, "source": {"corruption": done}}], clean=True)


def test_a_corruption_is_named_with_its_lanes_as_a_reader_writes_them(found, monkeypatch):
    drawn = []
    monkeypatch.setattr(plot_robustness, "png", drawn.append)
    done = {**corrupted(6.0)["corruption"], "kind": "emg", "lanes": ["eeg", "eog", "F4"]}
    twin = {**found.values["comparisons"][0], "source": {"corruption": done}}
    plot_robustness.draw([twin], clean=True)
    named = [text.get_text() for text in drawn[0].axes[0].get_legend().get_texts()]
    assert named == ["emg, EEG, EOG and F4 lanes", "as recorded"]


def test_severity_is_drawn_for_single_corruptions_only(found):
    several = {"kind": "noise+hum", "severity": None, "unit": "", "lanes": [], "spec": ""}
    twins = found.values["comparisons"]
    others = [{**twins[0], "source": source} for source in (None, {"corruption": several})]
    assert plot_robustness.draw(others, clean=True) is None
    assert plot_robustness.draw(twins, clean=True) is not None


def test_best_median_and_worst_are_by_kappa_and_an_undefined_one_is_none_of_them():
    kappas = (0.5, None, 0.9, 0.7, 0.6, None)
    assert hypnograms.selected([{"kappa": kappa} for kappa in kappas]) == {
        "best": 2,
        "median": 4,
        "worst": 0,
    }
    assert hypnograms.selected([{"kappa": 0.1}, {"kappa": 0.2}]) == {"best": 1, "worst": 0}
    assert hypnograms.selected([{"kappa": None}]) == {"only": 0}


nights = st.lists(st.tuples(st.integers(1, 4), st.integers(-1, 4)), min_size=1, max_size=30).map(
    lambda steps: (np.cumsum([step for step, _ in steps]), np.array([s for _, s in steps]))
)


@settings(max_examples=40, deadline=None)
@given(nights)
def test_epochs_that_are_not_adjacent_are_not_joined(night):
    epochs, stages = night
    axes = Figure().subplots()
    plot_hypnogram.draw_hypnogram(axes, epochs * 30.0, stages, 30.0)
    heights = {len(plot_hypnogram.LEVELS) - 1 - i: s for i, s in enumerate((0, 4, 1, 2, 3))}
    x, y = axes.lines[0].get_data()
    drawn = np.isfinite(y[:-1]) & np.isfinite(y[1:])
    flat = drawn & (x[1:] > x[:-1])
    pieces = sorted(
        (round(a * 120), round(b * 120), heights[level])
        for a, b, level in zip(x[:-1][flat], x[1:][flat], y[:-1][flat], strict=True)
    )
    there = stages >= 0
    assert pieces == [
        (epoch, epoch + 1, stage)
        for epoch, stage in zip(epochs[there].tolist(), stages[there].tolist(), strict=True)
    ]


@settings(max_examples=40, deadline=None)
@given(nights, st.booleans())
def test_hatched_is_exactly_what_no_epoch_covers(night, whole):
    epochs, _ = night
    last = epochs[-1] + 5
    axes = Figure().subplots()
    plot_hypnogram.draw_gaps(axes, epochs * 30.0, 30.0, last * 30.0 if whole else None)
    hatched = {
        epoch
        for patch in axes.patches
        for epoch in range(
            round(patch.get_x() * 120), round((patch.get_x() + patch.get_width()) * 120)
        )
    }
    there = range(last) if whole else range(epochs[0], epochs[-1] + 1)
    assert hatched == set(there) - set(epochs.tolist())


def test_rem_stands_between_w_and_n1():
    axes = Figure().subplots()
    plot_hypnogram.draw_hypnogram(axes, np.arange(5) * 30.0, np.arange(5), 30.0)
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["N3", "N2", "N1", "REM", "W"]


def test_stage_colours_differ_in_lightness():
    def lightness(colour):
        linear = [((c / 255 + 0.055) / 1.055) ** 2.4 for c in ImageColor.getrgb(colour)]
        return 116 * float(np.dot(linear, (0.2126, 0.7152, 0.0722))) ** (1 / 3) - 16

    assert set(plot_hypnogram.STAGE_COLOURS) == set(Stage)
    light = sorted(lightness(colour) for colour in plot_hypnogram.STAGE_COLOURS.values())
    assert np.diff(light).min() > 10


@given(st.text())
def test_latex_takes_any_name(words):
    plain = latex.escaped(words)
    for command in [*latex.ESCAPES.values(), "-{}"]:
        plain = plain.replace(command, "")
    assert not set(plain) & set("\\{}&%$#_~^\n\r\t\x00\x7f")
    plain.encode("utf-8")


@pytest.mark.parametrize(
    ("words", "set_as"),
    [
        ("Łódź", "Łódź"),
        ("Lo\u0301dz\u0301.csv", "Lódź.csv"),
        ("N\u030a", "N\u030a"),  # no such letter in Unicode
        ("Ωμέγα Москва 北京 서울", "Ωμέγα Москва 北京 서울"),
        ("50%_&_#1 {a} $x$", r"50\%\_\&\_\#1 \{a\} \$x\$"),
        ("~b^c\\d", r"\textasciitilde{}b\textasciicircum{}c\textbackslash{}d"),
        ("a\nb\r\n\tc", "a b c"),
        ("a\x00b\ud800", "a?b?"),
        ("night--model---2", "night-{}-model-{}-{}-2"),
        ('"a"<b>`', r"''a''\textless{}b\textgreater{}\`{}"),
    ],
)
def test_latex_keeps_letters_of_all_scripts_and_escapes_its_own_signs(words, set_as):
    assert latex.escaped(words) == set_as


@pytest.mark.parametrize("name", ["[a].csv", "*.csv"])
def test_a_name_that_begins_a_row_is_no_option_of_the_row_before(found, name):
    text = latex.tables({**found.values, "file": name, "comparisons": []}, [])
    assert f"\n{{}}{name} & " in text
    assert f"\n{name} & " not in text


def test_latex_rows_have_as_many_cells_as_the_table_has_columns(out):
    text = (out / "table.tex").read_text()
    assert text.count("{") == text.count("}")
    for columns, body in re.findall(
        r"begin\{tabular\}\{@\{\}(\w+)@\{\}\}(.*?)\\end\{tabular\}", text, re.DOTALL
    ):
        lines = [re.split(r"(?<!\\)&", line) for line in body.splitlines() if r" \\" in line]
        assert len(lines) > 2
        for cells in lines:
            spans = sum(int(n) - 1 for n in re.findall(r"multicolumn\{(\d+)\}", "&".join(cells)))
            assert len(cells) + spans == len(columns), cells


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex")
def test_latex_compiles_and_fits_a_page_of_two_columns(out, tmp_path):
    shutil.copy(out / "table.tex", tmp_path)
    (tmp_path / "paper.tex").write_text(
        r"\documentclass[twocolumn]{article}\usepackage{booktabs}"
        r"\begin{document}\input{table}\end{document}"
    )
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout
