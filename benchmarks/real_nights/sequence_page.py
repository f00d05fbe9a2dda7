"""Page of `sequence_network.py`: U-Sleep against boosted trees on the same epochs."""

from __future__ import annotations

from real_nights.people_table import verdict
from real_nights.tables import Values, machine, table, with_interval

COMMAND = """\
psgimg build --source demo-varied --splits 60/15/25 --out varied
python benchmarks/sequence_network.py --dataset varied --out docs/results.json"""

WHAT = """\
U-Sleep in braindecode's form, trained anew, beside boosted trees: all learn from the 19 training people of
[the varied demo](varied-demo.md), with seed 0, and stage the 1,600 pages of 8 others, held out whole. In
brackets: 95 % intervals over these people; differences are paired, page by page. What each method sees of
a night: [baselines](evaluation.md#baselines)."""

COMMANDS = """\
psgimg baseline --dataset varied --root psgimg-demo-varied --method boosting-page --method boosting --method usleep --out baselines
psgimg evaluate baselines/boosting-page.parquet baselines/boosting.parquet baselines/usleep.parquet"""

COLUMNS = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "kappa": "kappa",
    "f1_N1": "F1 N1",
    "nll": "NLL",
    "ece": "ECE",
}

NAMES = {
    "boosting-page": "one page (`boosting-page`)",
    "boosting": "the night around it (`boosting`)",
    "usleep": "35 pages in a row (`usleep`)",
}

TRAINING = """\
U-Sleep's {passes} passes took {seconds:,} CPU seconds on one thread; kept are the weights of pass {best},
at which the loss on the five people of the validation split was lowest ({loss:.3f})."""


def section(values: Values) -> str:
    """Return the section on the sequence network."""
    own, training = values["figures"], values["training"]
    rows = [(NAMES[name], *(with_interval(own[name][key]) for key in COLUMNS)) for name in own]
    rows += [
        (f"`usleep` − `{name}`", *(with_interval(found[key], signed=True) for key in COLUMNS))
        for name, found in values["differences"].items()
    ]
    told = TRAINING.format(
        passes=training["passes"],
        seconds=values["cpu_seconds"]["usleep"],
        best=training["best_pass"],
        loss=min(training["validation_loss"]),
    )
    return "\n".join(
        [
            f"## A sequence network\n\n```sh\n{COMMAND}\n```\n",
            WHAT + "\n",
            table(("", *COLUMNS.values()), rows),
            f"The same by hand:\n\n```sh\n{COMMANDS}\n```\n",
            told + "\n",
            *(
                f"`usleep` against `{name}`: {verdict(found, COLUMNS)}\n"
                for name, found in values["differences"].items()
            ),
            machine(values["machine"]),
        ]
    )
