"""Page of `levers.py`: what each lever is worth, in one table, with every figure and command below it."""

from __future__ import annotations

from collections.abc import Mapping

from psgimg.builder.words import percent

from real_nights.lever_steps import PAGES
from real_nights.tables import KEYS, LABELS, Values, change, folded, machine, table, with_interval

COMMAND = """\
psgimg build --source demo-varied --splits 60/15/25 --variants labs --out varied
python benchmarks/levers.py --dataset varied --out docs/results.json"""

WHAT = """\
What each lever is worth to a reader of single pages, on [the varied demo](varied-demo.md): 19 people to
learn from, 5 to fit temperature and weights to, and 8, held out whole, for these figures (1,600 pages). Mean
of three seeds; in brackets 95 % intervals over the 8 people; differences are paired, from the same reader
page by page, and **bold** where the interval excludes 0. The readers are boosted trees: on *pictures*, 100 of
them see the height, movement and rhythm of the ink of each lane; on *signals*, `psgimg baseline --method
boosting-page` sees YASA's features of the page. Neither is a vision-language model: they tell what a lever
can add, and a study tells what it adds to a model. Synthetic nights: nothing here is about sleep."""

ROWS = {
    PAGES: ("page by page", "`psgimg predict`"),
    "temperature": ("temperature", "`psgimg calibrate`"),
    "night decoded": ("night decoded", "`calibrate … --decode night`"),
    "ensemble": ("ensemble of the three seeds", "`evaluate --combine`"),
    "ensemble, night decoded": ("ensemble, night decoded", "both"),
    "both scorers": ("soft labels of both scorers", "`sft --soft-labels true`"),
    "1 whole": ("1 neighbour on either side, whole", "`sft --context 1`"),
    "1 narrowed": ("1 neighbour, narrowed", "`… --context-scale 0.25`"),
    "1 narrowed, mixed": ("the same, in mixed numbers", "`… --context-mixed true`"),
    "2 narrowed": ("2 neighbours, narrowed", "`sft --context 2 --context-scale 0.25`"),
    "variants": ("variants of training pages", "`build --variants labs`"),
    "lanes left out": ("lanes left out in training", "`sft --augment lanes`"),
    "several": ("1 narrowed, soft labels, ensemble, night decoded", "all four"),
    f"night around, {PAGES}": (
        "trees see the night around the page",
        "`baseline --method boosting`",
    ),
    "night around, night decoded": ("these, night decoded", "both"),
}
"""Row → what it is, and what pulls the lever."""

AROUND = (
    "temperature",
    "ensemble",
    "ensemble, temperature",
    "ensemble, night decoded",
    "both scorers",
)
"""Rows of trees that see the night around, not in the one table."""

TOKENS = {"1 whole": "1 whole", "2 narrowed": "2 narrowed to 0.25"} | dict.fromkeys(
    ("1 narrowed", "1 narrowed, mixed", "several"), "1 narrowed to 0.25"
)
"""Row → key of its costs in the section on context."""

READERS = {
    "picture": "Trees on pictures",
    "boosting-page": "Trees on the signals of one page (`boosting-page`)",
    "boosting": "Trees on the signals of the night around it (`boosting`)",
}

FILES = """\
Commands of the rows, in the work folder of the script; those of a seed are shown for the first one. The trees
on signals are

```sh
psgimg baseline --dataset varied --method boosting-page --method boosting --split SPLIT --seed SEED --out trees-SPLIT-SEED
psgimg baseline --dataset varied --method boosting-page --method boosting --seed SEED --soft-labels --out soft-test-SEED
```

and the trees on pictures, `pictures/WAY-SEED-SPLIT.parquet`, are written by the script. A model is taught the
same with `psgimg sft --dataset varied --model MODEL` and the options of the first table."""

MEANING = """\
- **Decoding the night** gains most, 0.024 with either reader. On signals, the interval of the gain in accuracy
  includes 0, that of the gain in macro-F1 does not. Trees that see the night around the page gain as much, and
  little more when decoded.
- **Neighbours** gain 0.012 to 0.018; narrowed ones show as much as whole ones for half the image tokens, and
  in mixed numbers they show it without harm where there are none ([context](#context)).
- **Variants** gain 0.012 on pages as recorded, and much in noise. **Lanes left out** gain nothing there, and
  much where a lane is missing, but lose in noise (next table).
- **An ensemble** of three seeds and **soft labels** hardly change accuracy, and **several levers at once** gain
  no more than decoding alone. Soft labels of trees that see the night: [three
  seeds](varied-demo.md#both-scorers-and-other-methods).
- **The temperature** changes no stage: it makes NLL and ECE what they should be, for `--review` thresholds and
  for decoding.

With eight people and so many rows, an interval that barely excludes 0 is weak evidence: one in twenty does so
by chance."""

LABS = """\
### Nights of other laboratories, and missing lanes

Variants and lanes left out are there for nights unlike those of the training. Accuracy of the trees on
pictures with one lane drawn as absent{twins}; mean of three seeds, paired differences from the trees taught
without either. Where the lane on which they rely is missing, only trees that were taught without lanes keep
their accuracy; variants, which have every lane, do not help there. In noise it is the other way round: variants
have noise in them, and trees taught without lanes are misled by it. The tiny model under corruptions, one seed: [variants, before and after](corruption.md#variants-before-and-after)."""

TWINS = ", and on [corrupted twins](corruption.md) of the test pages"

NIGHTS_COMMAND = """\
python benchmarks/levers_nights.py --root physionet-sleep-data --night ucddb022_C3A2_128Hz.npz \\
    --out docs/results.json"""

NIGHTS = """\
Each night by itself, one EEG lane, a random forest on log power in five bands. Every fifth block of 21
minutes is staged by a forest that learned from three of the other four fifths, where transitions are
counted too; temperature and weight are fitted to the fourth, about {fitted} pages. **One person at a time,
and blocks of time, not people, held out**: this shows decoding on real signals and scorings, and says
nothing of other people. No intervals. Decoding gains mostly in N1; within UCDDB 022 it gains nothing in
accuracy, and a temperature fitted to so few pages does harm there."""

NIGHT_ROWS = {
    "page by page": "page by page",
    "temperature": "temperature",
    "night": "night decoded",
}

HEADS = (
    "",
    *LABELS,
    *(f"difference in {label}" for label in LABELS[:2]),
    "NLL",
    "ECE",
    "errors found in 10 %",
    "changes an hour",
)


def section(values: Values, costs: Mapping[str, Values]) -> str:
    """Return the section on the levers.

    Parameters
    ----------
    costs
        Way of showing neighbours → its image tokens in Qwen3-VL-2B; empty if not measured.
    """
    readers = values["readers"]
    details = "\n".join(_reader(title, readers[name]) for name, title in READERS.items())
    return "\n".join(
        [
            f"## Levers\n\n```sh\n{COMMAND}\n```\n",
            WHAT + "\n",
            _levers(readers["picture"]["rows"], readers["boosting-page"]["rows"], costs),
            MEANING + "\n",
            LABS.format(twins=TWINS if values["labs"]["specs"] else "") + "\n",
            _labs(values["labs"]),
            folded("All figures of each row, and every command", f"{FILES}\n\n{details}"),
            machine(values["machine"]),
        ]
    )


def nights(values: Values) -> str:
    """Return the section on the real nights."""
    rows = []
    for name, found in values["nights"].items():
        weights = ", ".join(f"{fit['weight']:g}" for fit in found["fits"])
        for row, own in found["rows"].items():
            last = weights if row == "night" else ""
            shown = (f"{own[key]:.3f}" for key in (*KEYS, "f1_N1", "nll", "ece"))
            rows.append((name, NIGHT_ROWS[row], str(own["pages"]), *shown, last))
    heads = ("night", "", "pages", *LABELS, "F1 N1", "NLL", "ECE", "weights of the five folds")
    fitted = min(own["rows"]["night"]["pages"] for own in values["nights"].values()) // 5
    return "\n".join(
        [
            f"### On two real nights\n\n```sh\n{NIGHTS_COMMAND}\n```\n",
            NIGHTS.format(fitted=fitted) + "\n",
            table(heads, rows),
            machine(values["machine"]),
        ]
    )


def _levers(pictures: Values, signals: Values, costs: Mapping[str, Values]) -> str:
    """Return the one table: a row for each lever, and both readers side by side."""
    rows = []
    for name, (what, how) in ROWS.items():
        cost = costs.get(TOKENS.get(name, "none"))
        tokens = f"{cost['image_tokens']:,}" if cost and name in pictures else ""
        rows.append((what, how, *_cells(pictures, name), *_cells(signals, name), tokens))
    own = ("accuracy", "difference", "NLL")
    heads = [f"{reader}: {what}" for reader in ("pictures", "signals") for what in own]
    return table(("lever", "by", *heads, "image tokens"), rows)


def _cells(rows: Mapping[str, Values], name: str) -> tuple[str, str, str]:
    """Return accuracy, its difference from page by page, and NLL; nothing if a reader has no such row."""
    if (row := rows.get(name)) is None:
        return "", "", ""
    accuracy = row["figures"]["accuracy"]
    if name == PAGES:
        return with_interval(accuracy), "", f"{row['nll']:.2f}"
    return (
        f"{accuracy['value']:.3f}",
        change(row["differences"]["accuracy"]),
        f"{row['nll']:.2f}",
    )


def _labs(labs: Values) -> str:
    found, specs = labs["pages"], labs["specs"]
    names = {
        "": "as recorded",
        **{twin: f"`{spec}`" for twin, spec in specs.items()},
        **{name: f"without {name.removeprefix('no ')}" for name in found if name.startswith("no ")},
        "any lane": "without one lane, mean of all",
    }
    rows = []
    for condition, name in names.items():
        plain, *others = found[condition].values()
        rows.append(
            (
                name,
                with_interval(plain),
                *(
                    cell
                    for one in others
                    for cell in (f"{one['value']:.3f}", change(one["change"]))
                ),
            )
        )
    heads = ("taught as usual", "with variants", "difference", "with lanes left out", "difference")
    return table(("test pages", *heads), rows)


def _reader(title: str, found: Values) -> str:
    """Return all figures of a reader, and its commands."""
    scored = next(iter(found["rows"].values()))["scored_changes"]
    commands = "\n".join(f"psgimg {words}" for words in found["commands"])
    return (
        f"**{title}**; the scorer changes {scored:.1f} times an hour:\n\n"
        f"{table(HEADS, [_row(row, own) for row, own in found['rows'].items()])}\n"
        f"```sh\n{commands}\n```\n"
    )


def _row(name: str, own: Values) -> tuple[str, ...]:
    figures, differences = own["figures"], own["differences"]
    return (
        name,
        *(with_interval(figures[key]) for key in KEYS),
        *("" if name == PAGES else change(differences[key]) for key in KEYS[:2]),
        f"{own['nll']:.3f}",
        f"{own['ece']:.3f}",
        percent(own["found"]),
        f"{own['changes']:.1f}",
    )
