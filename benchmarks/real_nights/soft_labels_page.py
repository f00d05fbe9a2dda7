"""Page of `soft_labels.py`: what learning from both scorers is worth to the tiny model."""

from __future__ import annotations

from real_nights.people_table import DIFFERENCE, verdict
from real_nights.tables import Values, machine, table, with_interval

COMMAND = """\
psgimg build --source demo-varied --splits 60/15/25 --out varied
python benchmarks/soft_labels.py --dataset varied --out docs/results.json"""

WHAT = """\
The tiny model learns the pages of the 19 training people of [the varied demo](varied-demo.md) from random
weights (`--num-train-epochs {passes}`), once by the label of scorer 1 and once by both scorers
([`--soft-labels`](training.md#what-is-learned)), who differ on {disputed:,} of the {pages:,} pages.
Three seeds; nothing else differs. Figures are of {tested:,} pages, spread evenly over the nights of 8
people held out whole; in brackets, 95 % intervals over these people, who leave all seeds at once.
The number of passes was chosen for its cost, {low} to {high} CPU seconds for each model and its
predictions, before any result was seen."""

COMMANDS = """\
psgimg sft --dataset varied --model tiny --num-train-epochs {passes} --eval-strategy no --save-strategy no --seed 0 --output-dir hard-0
psgimg predict --model hard-0 --dataset varied --split test --limit {tested} --out hard-0.parquet
psgimg sft --dataset varied --model tiny --num-train-epochs {passes} --eval-strategy no --save-strategy no --seed 0 --soft-labels true --output-dir soft-0
psgimg predict --model soft-0 --dataset varied --split test --limit {tested} --out soft-0.parquet
psgimg evaluate hard-0.parquet soft-0.parquet"""

ROWS = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "kappa": "kappa",
    "nll": "NLL, scorer 1",
    "ece": "ECE, scorer 1",
    "nll_scorers": "cross-entropy with both scorers",
    "cosine": "cosine with both scorers",
    "auc_disputed": "AUC, epochs on which they differ",
}

FIGURES = """\
The last three rows compare the probabilities with the scorers: the cross-entropy with the shares of the
scorers who chose each stage (less is better), the cosine of the angle between the two, and how well the
entropy of the probabilities finds the epochs on which the scorers differ (0.5 is chance)."""


def section(values: Values) -> str:
    """Return the section on soft labels."""
    train, own = values["scorers"]["train"], values["cpu_seconds"]
    told = {"passes": f"{values['passes']:g}", "tested": values["pages"]}
    what = WHAT.format(low=own[0], high=own[-1], **train, **told)
    rows = [
        (
            name,
            with_interval(values["figures"]["hard"][key]),
            with_interval(values["figures"]["soft"][key]),
            with_interval(values["differences"][key], signed=True),
            " ".join(f"{one:+.3f}" for one in values["differences"][key]["seeds"]).replace(
                "-", "−"
            ),
        )
        for key, name in ROWS.items()
    ]
    heads = ("", "labels of scorer 1", "both scorers", DIFFERENCE, "by seed")
    return "\n".join(
        [
            f"## Soft labels\n\n```sh\n{COMMAND}\n```\n",
            what + "\n",
            table(heads, rows),
            FIGURES + "\n",
            f"For the first seed, these are:\n\n```sh\n{COMMANDS.format(**told)}\n```\n",
            verdict(values["differences"], ROWS) + "\n",
            machine(values["machine"]),
        ]
    )
