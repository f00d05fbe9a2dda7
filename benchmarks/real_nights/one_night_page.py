"""Real night page: the results of `real_night.py` as a Markdown page, with their limitations."""

from __future__ import annotations

from collections.abc import Sequence

from psgimg.builder.stages import STAGE_NAMES

from real_nights import (
    context_page,
    levers_page,
    sequence_page,
    soft_labels_page,
    two_nights_page,
)
from real_nights.tables import KEYS, LABELS, Values, confusion, figures, machine, span, table

FETCH = "psgimg fetch --source sleep-edf --subjects SC400"
COMMAND = "python benchmarks/real_night.py --root physionet-sleep-data --out docs/results.json"

LIMITATIONS = """\
**One person, one night, one seed.** Blocks of time are held out, not people: the model has seen the
same sleeper, electrodes and scorer minutes before and after. The results show that the tiny model
can learn stages from pictures of real signals. They say nothing about other people, other
laboratories or larger models, and they do not estimate how well a new person would be staged: that
requires holding out whole subjects, and many of them.

**Selected on the test folds.** The size of the tiny model, its recipe and the number of passes were
chosen on the demo and on these same folds, in preliminary trials with plain training loops and in the
runs listed here. The best of several runs on the same folds is slightly optimistic."""

BEFORE = """\
Preliminary trials with plain training loops on the same folds, which this script does not repeat, on
the pages of that time: positive up, EEG to ±100 µV. Folds are counted from 1; values are accuracies on
the held-out pages after 100 s of training per fold unless stated otherwise:

- small networks without a language model, 90 s: a focal network on fold 1: 0.781; a vision
  transformer on fold 1: 0.899; another, 60 s per fold, on all folds: 0.882, 0.833, 0.845, 0.899, 0.929
  (mean 0.878)
- a tiny model of width 128 from random weights, on fold 1: 0.882
- the tiny model (width 96) from random weights, on fold 2: 0.839; from the demo's weights: 0.881
- the same from the demo's weights, on all folds: 0.905, 0.881, 0.827, 0.893, 0.893 (mean 0.880);
  this corresponds to about 3.2 passes and was the initial recipe here"""


def page(values: Values, chosen: str, study: Values | None) -> str:
    """Return the page; the recipe ``chosen`` is shown in full if it was run, and any study."""
    recipes = values["recipes"]
    shown = chosen if chosen in recipes else next(iter(recipes))
    context = values.get("context")
    costs = context["costs"][context_page.SHAPE] if context else {}
    parts = [
        "# What the tiny model learns\n",
        "Written by `benchmarks/real_night.py` from `results.json`; only the values under "
        "[Preliminary trials](#preliminary-trials) were entered by hand.\n",
        f"```sh\n{FETCH}\n{COMMAND}\n```\n",
        _overview(values, shown),
        "On people who differ, held out whole, scored by two: [the varied demo](varied-demo.md).\n",
        _demo(values["demo"]),
        _night(values, shown),
        "## Limitations\n",
        LIMITATIONS + "\n",
        _lanes_left_out(recipes),
        _tried(recipes, values["mark"], shown),
        *([two_nights_page.section(values["two_nights"])] if "two_nights" in values else []),
        *([levers_page.section(values["levers"], costs)] if "levers" in values else []),
        *([levers_page.nights(values["levers_nights"])] if "levers_nights" in values else []),
        *([context_page.section(context, values.get("levers"))] if context else []),
        *(
            [sequence_page.section(values["sequence_network"])]
            if "sequence_network" in values
            else []
        ),
        *([soft_labels_page.section(values["soft_labels"])] if "soft_labels" in values else []),
        *([_study(study)] if study else []),
        f"## Preliminary trials\n\n{BEFORE}\n",
        "## The machine\n\n" + machine(values["machine"]),
    ]
    return "\n".join(parts)


def _overview(values: Values, shown: str) -> str:
    demo, goals = values["demo"], values["goals"]
    pictures, baseline = values["recipes"][shown]["mean"], values["mark"]["mean"]
    minutes = demo["sft"]["cpu_seconds"] / 60
    rows = [
        (
            "demo, an unseen subject",
            f"{demo['accuracy']:.3f} in {minutes:.1f} CPU minutes",
            f"≥ {goals['demo_accuracy']:.2f} in < {goals['demo_cpu_minutes']} CPU minutes",
            _met(
                demo["accuracy"] >= goals["demo_accuracy"] and minutes < goals["demo_cpu_minutes"]
            ),
        ),
        (
            "a real night, unseen blocks of time",
            f"{pictures['accuracy']:.3f}, mean of five folds",
            f"≥ {goals['night_accuracy']:.2f}",
            _met(pictures["accuracy"] >= goals["night_accuracy"]),
        ),
        (
            "the same, compared with the baseline",
            f"{pictures['accuracy']:.3f}",
            f"{baseline['accuracy']:.3f}, measured in the same run",
            _met(pictures["accuracy"] >= baseline["accuracy"]),
        ),
    ]
    return table(("", "accuracy", "target", ""), rows)


def _met(reached: bool) -> str:
    return "reached" if reached else "not reached"


def _demo(demo: Values) -> str:
    pages, people = demo["splits"], demo["subjects"]
    rows = [figures(demo)]
    training, prediction = demo["sft"], demo["predict"]
    commands = "\n".join(demo["commands"])
    return (
        "## The demo: synthetic nights\n\n"
        f"```sh\n{commands}\n```\n\n"
        f"Trained from random weights on {pages['train']} pages of {people['train']} synthetic "
        f"subjects; tested on the {pages['test']} pages of the test split ({people['test']} unseen "
        "synthetic subject).\n\n"
        f"{table(LABELS, rows)}\n"
        f"Training took {training['seconds']:.0f} s of wall-clock time and "
        f"{training['cpu_seconds']:.0f} CPU seconds for the whole command (start-up, model, four "
        f"validations, card); prediction took {prediction['seconds']:.0f} s and "
        f"{prediction['cpu_seconds']:.0f} CPU seconds. One thread. The demo is simulated by rules that "
        "make its stages easy to distinguish: this shows that the path from a recording to a "
        "prediction works, nothing more.\n"
    )


def _night(values: Values, shown: str) -> str:
    night, baseline, pictures = values["night"], values["mark"], values["recipes"][shown]
    stages = ", ".join(f"{stage} {n}" for stage, n in night["stages"].items())
    seconds = [fold["sft"] for fold in pictures["folds"]]
    return "\n".join(
        [
            "## One real night\n",
            f"{night['recording']} of Sleep-EDF as `psgimg build --source sleep-edf --subjects SC400` "
            f"draws it: {sum(night['stages'].values())} pages of 30 s without a gap ({stages}). Every "
            f"fifth block of {night['block']} pages ({night['block'] / 2:g} min) is held out, shifted "
            f"by one block per fold, so that each page is held out once ({min(night['train'])} to "
            f"{max(night['train'])} training pages per fold). Each fold is a dataset folder of its own: "
            "pages of held-out blocks are not among the training pages, and no neighbouring pages are "
            "shown. Only the signal filters, which run over the whole night, extend across the edges of "
            "blocks, for both methods below.\n",
            f"**Pictures**: the demo's model, fine-tuned with `psgimg sft --model demo-model` and "
            f"`{pictures['options']}`; {span(s['cpu_seconds'] for s in seconds)} CPU seconds per "
            "fold.\n",
            f"**Baseline**: no pictures. Log power in {len(baseline['bands_hz'])} bands "
            f"({', '.join(f'{low:g}–{high:g}' for low, high in baseline['bands_hz'])} Hz) of the three "
            "lanes of EEG and EOG, the log level of the chin EMG, and a random forest of "
            f"{baseline['trees']} trees, on the same lanes, epochs and folds.\n",
            _folds(pictures, baseline),
            _uncertainty(pictures["together"]),
            _stages(pictures, baseline),
            "Pictures, all folds pooled: scored stages in rows, predicted stages in columns.\n",
            confusion(pictures["together"]["table"]),
        ]
    )


def _folds(pictures: Values, baseline: Values) -> str:
    ways = ("pictures", "baseline")
    head = ("fold", "pages", *(f"{way}: {name}" for way in ways for name in LABELS))
    rows = []
    for number, pair in enumerate(zip(pictures["folds"], baseline["folds"], strict=True), 1):
        values = [figure for one in pair for figure in figures(one)]
        rows.append((str(number), str(pair[0]["pages"]), *values))
    means = [f"**{figure}**" for one in (pictures, baseline) for figure in figures(one["mean"])]
    rows.append(("**mean**", "", *means))
    return table(head, rows)


def _uncertainty(together: Values) -> str:
    share, n_pages = together["accuracy"], together["pages"]
    error = (share * (1 - share) / n_pages) ** 0.5
    return (
        f"If the {n_pages} pages were independent, the standard error of an accuracy of {share:.3f} "
        f"would be {error:.3f}; neighbouring pages resemble each other, so it is larger. Smaller "
        "differences are not meaningful.\n"
    )


def _stages(pictures: Values, baseline: Values) -> str:
    rows = [
        (way, *(f"{one['together'][f'f1_{stage}']:.3f}" for stage in STAGE_NAMES))
        for way, one in (("pictures", pictures), ("baseline", baseline))
    ]
    return "F1 by stage, all folds pooled:\n\n" + table(("", *STAGE_NAMES), rows)


def _lanes_left_out(recipes: Values) -> str:
    """Return the section on pages with a lane left out, by each recipe."""
    lanes = list(next(iter(recipes.values()))["without"])
    rows = [
        (name, *(f"{one['without'][lane]['accuracy']:.3f}" for lane in lanes))
        for name, one in recipes.items()
    ]
    pages = next(iter(recipes.values()))["without"][""]["pages"]
    return (
        f"## A lane left out\n\nAccuracy on the {pages} held-out pages of two folds when a lane is "
        "drawn as absent (`psgimg predict --any-lanes --each-lane-out`). A model taught with all lanes "
        "is asked something that it has never seen, which `predict` and `stage` refuse without "
        "`--any-lanes`; one taught with `--augment lanes` has seen pages without every lane.\n\n"
        + table(("recipe", *(f"without {lane}" if lane else "all lanes" for lane in lanes)), rows)
    )


def _tried(recipes: Values, baseline: Values, shown: str) -> str:
    rows: list[Sequence[str]] = []
    for name, one in recipes.items():
        folds = " ".join(f"{fold['accuracy']:.3f}" for fold in one["folds"])
        cpu = span(fold["sft"]["cpu_seconds"] for fold in one["folds"])
        rows.append(
            (f"{name} (above)" if name == shown else name, *figures(one["mean"]), folds, cpu)
        )
    rows.append(("baseline", *figures(baseline["mean"]), "", ""))
    return (
        "## All runs\n\nEvery recipe of the script in the order in which it was run, none left out. "
        "Means over the folds that are listed.\n\n"
        + table(
            ("recipe", *LABELS, "accuracy by fold", "CPU seconds per fold"),
            rows,
        )
        + "\n"
        + "\n".join(f"- {name}: `{one['options']}`" for name, one in recipes.items())
        + "\n"
    )


def _study(study: Values) -> str:
    """Return the section on `psgimg study docs/studies/real.yaml`, which uses two of the folds."""
    names = [name for name in study["factors"] if name != "seed"]
    rows = [
        [
            *(str(setting["factors"].get(name, "")) for name in names),
            *(f"{setting['figures'][key]['value']:.3f}" for key in KEYS),
        ]
        for setting in study["settings"]
    ]
    return (
        "## A small study\n\n```sh\npsgimg study docs/studies/real.yaml\n```\n\n"
        f"{study['name']}: folds counted from 0, the recipe above, one seed; no intervals, as there is "
        "only one subject. Without training on this night, the model is shown lanes that it has never "
        "seen.\n\n" + table((*names, *LABELS), rows)
    )
