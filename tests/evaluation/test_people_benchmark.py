"""Benchmarks over several seeds: intervals are over people, who leave all seeds at once."""

import json
import shutil

import numpy as np
import pytest
import sequence_network
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.metrics import predictions
from psgimg.finetune.metrics.predictions import Answer, Predictions
from real_nights import people, people_table, sequence_page, soft_labels_page, tables

MACHINE = {"note": "", "python": "3", "system": "x", "cpus": 2, "versions": {"psgimg": "0"}}


def write(path, seed, sure):
    """Predictions of five people by a model whose probabilities are its answer's by ``sure``."""
    chance = np.random.default_rng(seed)
    labels = np.random.default_rng(0).integers(5, size=(5, 40))
    rows = []
    for person, stages in enumerate(labels):
        for epoch, label in enumerate(stages.tolist()):
            second = label if epoch % 4 else (label + 1) % 5
            told = int(chance.choice([label, chance.integers(5)], p=[0.7, 0.3]))
            values = np.full(5, (1 - sure) / 4)
            values[told] = sure
            rows.append(
                {
                    "corpus": "x",
                    "subject": f"p{person}",
                    "recording": f"r{person}",
                    "epoch": epoch,
                    "label": STAGE_NAMES[label],
                    "label_2": STAGE_NAMES[second],
                    **Answer(STAGE_NAMES[told], None, tuple(values.tolist())).columns(),
                }
            )
    predictions.write(path, Predictions.from_rows(rows))
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    place = tmp_path_factory.mktemp("people")
    return {
        sure: [write(place / f"{sure}-{seed}.parquet", seed, sure) for seed in (1, 2)]
        for sure in (0.7, 0.999)
    }


def test_figures_are_means_over_seeds_with_intervals_over_people(files):
    found = people.means(files[0.7])
    for key, figure in found.items():
        assert figure["value"] == pytest.approx(np.mean(figure["seeds"]))
        if key != "auc_disputed":  # the entropy is the same everywhere
            assert figure["low"] < figure["value"] < figure["high"]
    read = predictions.read(files[0.7][0])
    assert found["accuracy"]["seeds"][0] == pytest.approx(
        (read.labels == read.predictions).mean(), abs=1e-4
    )
    both = [(read.labels, 0.5), (read.labels_2, 0.5)]
    own = -sum(
        share * np.log(read.probabilities[np.arange(200), stages]).mean() for stages, share in both
    )
    assert found["nll_scorers"]["seeds"][0] == pytest.approx(own)


def test_probabilities_nearer_to_the_scorers_are_told_from_the_same_stages(files):
    found = people.differences(files[0.999], files[0.7])
    assert found["accuracy"]["value"] == 0
    for key, sign in {"nll": -1, "ece": -1, "nll_scorers": -1, "cosine": 1}.items():
        figure = found[key]
        assert sign * figure["value"] > 0
        assert sign * figure["low"] > 0, key
        assert sign * figure["high"] > 0, key


def test_the_sections_show_every_figure_with_its_interval(files):
    figures = {
        name: people.means(own) for name, own in zip(("hard", "soft"), files.values(), strict=True)
    }
    gap = people.differences(*files.values())
    soft = {
        "passes": 0.5,
        "pages": 200,
        "scorers": {"train": {"pages": 10, "disputed": 2}},
        "cpu_seconds": [1, 2],
        "figures": figures,
        "differences": gap,
        "machine": MACHINE,
    }
    text = soft_labels_page.section(json.loads(json.dumps(soft)))
    for key, name in soft_labels_page.ROWS.items():
        cells = [tables.with_interval(own[key]) for own in figures.values()]
        assert (
            f"| {name} | {' | '.join(cells)} | {tables.with_interval(gap[key], signed=True)} |"
            in text
        )


def test_a_sequence_network_is_compared_with_trees_on_the_same_pages(files, tmp_path):
    told = {"passes": 2, "best_pass": 1, "validation_loss": [0.4, 0.5], "method": {}}
    for name, own in zip(("boosting", "usleep"), files.values(), strict=True):
        (tmp_path / name).mkdir()
        shutil.copy(own[0], tmp_path / name / f"{name}.parquet")
        (tmp_path / name / f"{name}.parquet.json").write_text(json.dumps(told))
    found = sequence_network.compared(tmp_path, {"boosting": 3.2, "usleep": 9.8})
    gap = found["differences"]["boosting"]
    assert gap == people.differences(files[0.7][:1], files[0.999][:1])
    text = sequence_page.section(json.loads(json.dumps({**found, "machine": MACHINE})))
    assert "2 passes took 10 CPU seconds on one thread; kept are the weights of pass 1" in text
    assert (
        f"| `usleep` − `boosting` | {tables.with_interval(gap['accuracy'], signed=True)} |" in text
    )


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ([(-1, 1), (-2, 1)], "No interval of a difference excludes 0: these people are too few"),
        (
            [(0.1, 1), (-2, 1)],
            "The intervals of the differences in A exclude 0; those in B do not.",
        ),
        ([(0.1, 1), (-2, -1)], "The intervals of the differences in A and B exclude 0."),
        ([(None, None), (-2, 1)], "No interval of a difference excludes 0"),
    ],
)
def test_the_verdict_follows_the_intervals(ends, told):
    found = {key: {"low": low, "high": high} for key, (low, high) in zip("ab", ends, strict=True)}
    assert people_table.verdict(found, {"a": "A", "b": "B"}).startswith(told)
