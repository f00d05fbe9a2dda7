"""The page of `real_night.py`: its JSON as tables, with what the figures are and are not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.metrics import metric_table

Values = dict[str, Any]

KEYS = tuple(metric.key for metric in metric_table.headline())
LABELS = tuple(metric.short for metric in metric_table.headline())

FETCH = "psgimg build --source sleep-edf --subjects SC400 --fetch"
COMMAND = "python benchmarks/real_night.py --root physionet-sleep-data --out docs/results.json"

DOES_NOT_SAY = """\
**One person, one night, one seed.** Held out are blocks of time, not people: the model has seen the
same sleeper, electrodes and scorer minutes before and after. The figures say that the tiny model
can learn stages from pictures of real signals. They say nothing about other people, other
laboratories or larger models, and they are no estimate of how well anybody is staged: for that,
whole subjects must be held out, and there must be many.

**Chosen having seen the folds.** The size of the tiny model, its recipe and the number of passes were
chosen on the demo and on these very folds, in trials with bare training loops before this script and
in the runs listed here. The best of several runs on the same folds is a little too good."""

BEFORE = """\
Trials with bare training loops on the same folds, which this script does not repeat; folds are
counted from 1, accuracies on the pages held out, 100 s of training a fold where nothing else is said:

- small networks without a language model, 90 s: a focal network on fold 1: 0.781; a vision
  transformer on fold 1: 0.899; another, 60 s a fold, on all folds: 0.882, 0.833, 0.845, 0.899, 0.929
  (mean 0.878)
- a tiny model of width 128 from random weights, on fold 1: 0.882
- the tiny model (width 96) from random weights, on fold 2: 0.839; from the demo's weights: 0.881
- the same from the demo's weights, on all folds: 0.905, 0.881, 0.827, 0.893, 0.893 (mean 0.880);
  that is some 3.2 passes and was the recipe to begin with here"""


def page(found: Values, chosen: str, study: Values | None) -> str:
    """The page; the recipe ``chosen`` is shown in full if it was run, and a study if there is one."""
    recipes = found["recipes"]
    shown = chosen if chosen in recipes else next(iter(recipes))
    parts = [
        "# What the tiny model learns\n",
        "Written by `benchmarks/real_night.py` from `results.json`; typed by hand are only the figures "
        "under [Before this script](#before-this-script).\n",
        f"```sh\n{FETCH}\n{COMMAND}\n```\n",
        _in_short(found, shown),
        _demo(found["demo"]),
        _night(found, shown),
        "## What these figures are not\n",
        DOES_NOT_SAY + "\n",
        _tried(recipes, found["mark"], shown),
        *([_study(study)] if study else []),
        f"## Before this script\n\n{BEFORE}\n",
        _machine(found["machine"]),
    ]
    return "\n".join(parts)


def _in_short(found: Values, shown: str) -> str:
    demo, goals = found["demo"], found["goals"]
    taught, mark = found["recipes"][shown]["mean"], found["mark"]["mean"]
    minutes = demo["sft"]["cpu_seconds"] / 60
    rows = [
        (
            "demo, a subject never seen",
            f"{demo['accuracy']:.3f} in {minutes:.1f} CPU minutes",
            f"≥ {goals['demo_accuracy']:.2f} in < {goals['demo_cpu_minutes']} CPU minutes",
            _met(
                demo["accuracy"] >= goals["demo_accuracy"] and minutes < goals["demo_cpu_minutes"]
            ),
        ),
        (
            "a real night, blocks of time never seen",
            f"{taught['accuracy']:.3f}, mean of five folds",
            f"≥ {goals['night_accuracy']:.2f}",
            _met(taught["accuracy"] >= goals["night_accuracy"]),
        ),
        (
            "the same, against band powers and a forest",
            f"{taught['accuracy']:.3f}",
            f"{mark['accuracy']:.3f}, measured in the same run",
            _met(taught["accuracy"] >= mark["accuracy"]),
        ),
    ]
    return _table(("", "accuracy", "goal or mark", ""), rows)


def _figures(one: Values) -> tuple[str, ...]:
    """The headline figures in three digits."""
    return tuple(f"{one[key]:.3f}" for key in KEYS)


def _met(reached: bool) -> str:
    return "reached" if reached else "not reached"


def _demo(demo: Values) -> str:
    pages, people = demo["splits"], demo["subjects"]
    rows = [_figures(demo)]
    taught, asked = demo["sft"], demo["predict"]
    commands = "\n".join(demo["commands"])
    return (
        "## The demo: synthetic nights\n\n"
        f"```sh\n{commands}\n```\n\n"
        f"From random weights, on {pages['train']} pages of {people['train']} synthetic subjects; then "
        f"asked about the {pages['test']} pages of the test split ({people['test']} synthetic subject "
        "never seen).\n\n"
        f"{_table(LABELS, rows)}\n"
        f"Teaching took {taught['seconds']:.0f} s by the clock and {taught['cpu_seconds']:.0f} CPU "
        f"seconds, with all that the command does (start, model, validation four times, card); "
        f"predicting {asked['seconds']:.0f} s and {asked['cpu_seconds']:.0f} CPU seconds. One thread. "
        "The demo is drawn from rules that make its stages easy to tell apart: this shows that the "
        "path from a recording to a prediction works, nothing more.\n"
    )


def _night(found: Values, shown: str) -> str:
    night, mark, taught = found["night"], found["mark"], found["recipes"][shown]
    stages = ", ".join(f"{stage} {n}" for stage, n in night["stages"].items())
    seconds = [fold["sft"] for fold in taught["folds"]]
    return "\n".join(
        [
            "## One real night\n",
            f"{night['recording']} of Sleep-EDF as `psgimg build --source sleep-edf --subjects SC400` "
            f"draws it: {sum(night['stages'].values())} pages of 30 s without a gap ({stages}). Blocks "
            f"of {night['block']} pages ({night['block'] / 2:g} min); every fifth block is held out, in "
            f"turn, so that each page is held out once ({min(night['train'])} to {max(night['train'])} "
            "pages to learn from in a fold). A fold is a dataset folder of its own: the pages of held-out "
            "blocks are not in what is learned from, and no neighbours are shown. Only the filters of the "
            "signals, which run over the whole night, reach across a block's edge, for both ways below.\n",
            f"**Pictures**: the demo's model, taught on with `psgimg sft --model demo-model` and "
            f"`{taught['options']}`; {_span(s['cpu_seconds'] for s in seconds)} CPU seconds a fold.\n",
            f"**Mark**: no pictures. Log power of {len(mark['bands_hz'])} bands "
            f"({', '.join(f'{low:g}–{high:g}' for low, high in mark['bands_hz'])} Hz) in the three "
            f"lanes of EEG and EOG, the log level of the chin EMG, and a random forest of {mark['trees']} "
            "trees, from the same µV lanes, epochs and folds.\n",
            _folds(taught, mark),
            _doubt(taught["together"]),
            _stages(taught, mark),
            "Pictures, all folds together: scored stage by row, predicted stage by column.\n",
            _confusion(taught["together"]["table"]),
        ]
    )


def _folds(taught: Values, mark: Values) -> str:
    head = ("fold", "pages", *(f"{way}: {name}" for way in ("pictures", "mark") for name in LABELS))
    rows = []
    for number, pair in enumerate(zip(taught["folds"], mark["folds"], strict=True), 1):
        values = [figure for one in pair for figure in _figures(one)]
        rows.append((str(number), str(pair[0]["pages"]), *values))
    means = [f"**{figure}**" for one in (taught, mark) for figure in _figures(one["mean"])]
    rows.append(("**mean**", "", *means))
    return _table(head, rows)


def _doubt(together: Values) -> str:
    share, n_pages = together["accuracy"], together["pages"]
    error = (share * (1 - share) / n_pages) ** 0.5
    return (
        f"Were the {n_pages} pages independent of each other, the standard error of an accuracy of "
        f"{share:.3f} would be {error:.3f}; neighbours are alike, so it is larger. Smaller differences "
        "say nothing.\n"
    )


def _stages(taught: Values, mark: Values) -> str:
    rows = [
        (way, *(f"{one['together'][f'f1_{stage}']:.3f}" for stage in STAGE_NAMES))
        for way, one in (("pictures", taught), ("mark", mark))
    ]
    return "F1 by stage, all folds together:\n\n" + _table(("", *STAGE_NAMES), rows)


def _confusion(table: Sequence[Sequence[int]]) -> str:
    rows = [
        (f"**{stage}**", *map(str, counts))
        for stage, counts in zip(STAGE_NAMES, table, strict=True)
    ]
    return _table(("", *STAGE_NAMES, "no answer"), rows)


def _tried(recipes: Values, mark: Values, shown: str) -> str:
    rows: list[Sequence[str]] = []
    for name, one in recipes.items():
        folds = " ".join(f"{fold['accuracy']:.3f}" for fold in one["folds"])
        cpu = _span(fold["sft"]["cpu_seconds"] for fold in one["folds"])
        rows.append(
            (f"{name} (above)" if name == shown else name, *_figures(one["mean"]), folds, cpu)
        )
    rows.append(("mark", *_figures(mark["mean"]), "", ""))
    return (
        "## All that was run\n\nEvery recipe of the script, in the order of running, none left out. "
        "Means over folds.\n\n"
        + _table(
            ("recipe", *LABELS, "accuracy by fold", "CPU seconds a fold"),
            rows,
        )
        + "\n"
        + "\n".join(f"- {name}: `{one['options']}`" for name, one in recipes.items())
        + "\n"
    )


def _study(study: Values) -> str:
    """What `psgimg study docs/studies/real.yaml` found on two of the folds."""
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
        f"{study['name']}: folds counted from 0, the recipe above, one seed; one subject, so no "
        "intervals. A model that was not taught on this night was shown lanes it does not know.\n\n"
        + _table((*names, *LABELS), rows)
    )


def _machine(machine: Values) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    return (
        "## The machine\n\n"
        f"Python {machine['python']}, {machine['system']}, {machine['cpus']} CPUs, no GPU, one thread "
        f"a process; {versions}.\n" + (f"\n{machine['note']}\n" if machine["note"] else "")
    )


def _span(values: Iterable[float]) -> str:
    ordered = sorted(values)
    return f"{ordered[0]:.0f} to {ordered[-1]:.0f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, [":--" if i == 0 else "--:" for i in range(len(head))], *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
