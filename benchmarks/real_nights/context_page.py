"""Page of `context.py`: what neighbours cost, and what they bring."""

from __future__ import annotations

from collections.abc import Mapping

from real_nights.lever_steps import PAGES
from real_nights.tables import Values, change, machine, table, with_interval

COMMAND = "python benchmarks/context.py --root physionet-sleep-data --dataset varied --out docs/results.json"
SHAPE = "qwen3-vl-2b"
"""The published shape whose costs stand beside the accuracy."""

COST = """\
Image tokens of a page of `clinical` (896×448 px) with its neighbours on either side, and operations of
a training step with LoRA, relative to the page alone. Shapes and processors are those of the published
models, the weights are not loaded. Narrowed neighbours stand beside the page in one picture
([`--context-scale`](training.md#context)); the last row is a way that psgimg does not have."""

TILES = """\
Qwen3-VL counts pixels: there, reducing is all the same. SmolVLM2 and LLaVA-NeXT cut each picture into
tiles, so that a small picture of its own costs as much as a page. They scale a wide picture down to
their largest grid of tiles, which is why it can cost less than the page alone: the page in it is then
smaller than it would be alone."""

TIME = """\
The tiny model, trained on the CPU, takes {none:.0f} ms of CPU time for a page alone, {whole:.0f} ms
with one whole neighbour on either side, and {narrow:.0f} ms with narrowed ones (the difference of
trainings of 24 and of 4 steps)."""

BRINGS = """\
What neighbours bring, beside what they cost: boosted trees on what the pictures show ([levers](#levers)), of
the page and of its neighbours, in the pictures that a model would be shown, a quarter as wide where they are
narrowed. They tell what is there to be seen at each width, not what a vision-language model makes of it; the
tiny model learns too little of the varied demo in minutes
([accuracy 0.54](varied-demo.md#the-first-minutes-of-training)). Varied demo: mean of three seeds, 1,600
pages of 8 people held out, 95 % intervals over people; *alone*: the same trees are shown no neighbours, as
a page between two gaps. SC4001 of Sleep-EDF: one night of one person, every fifth block of 42 pages held
out, in five folds, so that each of the {pages} pages is held out once; no neighbour is shown across the edge
of a block. Blocks of time are held out there, not people: no intervals, and no estimate for anybody else."""

MEANING = """\
Narrowed neighbours bring as much as whole ones, for half the image tokens. Trees that always had neighbours
call every page W when it is *alone*: in their training only the first and last page of a night lacked some, and what these trees
make of missing values is no guide to a model. Taught with mixed numbers of neighbours, they lose nothing
worth mentioning. With eight people, whole and narrowed neighbours can't be told apart, nor can one and two.
How much a vision-language model makes of them is for `psgimg study docs/studies/context.yaml` to say, which
was not run here, and for real corpora."""

WAYS = {
    "none": PAGES,
    "1 whole": "1 whole",
    "1 narrowed to 0.25": "1 narrowed",
    "1 narrowed to 0.25, in mixed numbers": "1 narrowed, mixed",
    "2 narrowed to 0.25": "2 narrowed",
}
"""Neighbours on either side → row of the levers."""


def section(values: Values, levers: Values | None) -> str:
    """Return the section on context.

    Parameters
    ----------
    levers
        Results of `levers.py`, if it was run.
    """
    speed = {way: 1000 * seconds for way, seconds in values["speed"].items()}
    times = {
        "none": speed["none"],
        "whole": speed["1 whole"],
        "narrow": speed["1 narrowed to 0.25"],
    }
    pages = values["night"]["none"]["pages"]
    brings = [BRINGS.format(pages=pages) + "\n", _brings(values, levers), MEANING + "\n"]
    return "\n".join(
        [
            "## Context\n",
            f"```sh\n{COMMAND}\n```\n",
            *([f"{values['note']}\n"] if values.get("note") else []),
            COST + "\n",
            _costs(values["costs"]),
            TILES + "\n",
            TIME.format(**times) + "\n",
            *(brings if levers else []),
            machine(values["machine"]),
        ]
    )


def _costs(costs: Mapping[str, Mapping[str, Values]]) -> str:
    heads = [f"{name}: {what}" for name in costs for what in ("image tokens", "operations")]
    ways = next(iter(costs.values()))
    rows = []
    for way in ways:
        cells = []
        for shape in costs.values():
            alone = shape["none"]["tflop"]
            cells += [f"{shape[way]['image_tokens']:,}", f"{shape[way]['tflop'] / alone:.1f}"]
        rows.append((way, *cells))
    return table(("neighbours on either side", *heads), rows)


def _brings(values: Values, levers: Values) -> str:
    """Return a table of the ways, with what a page costs beside how many are right."""
    costs, night = values["costs"][SHAPE], values["night"]
    rows, alone = (levers["readers"]["picture"][part] for part in ("rows", "alone"))
    found = []
    for way, name in WAYS.items():
        cost = costs[way.removesuffix(", in mixed numbers")]
        row = rows[name]
        found.append(
            (
                way,
                f"{cost['image_tokens']:,}",
                f"{cost['tflop'] / costs['none']['tflop']:.1f}",
                with_interval(row["figures"]["accuracy"]),
                "" if name == PAGES else change(row["differences"]["accuracy"]),
                f"{alone[name]['value']:.3f}" if name in alone else "",
                f"{night[way]['accuracy']:.3f}" if way in night else "",
            )
        )
    heads = (
        "neighbours on either side",
        f"image tokens ({SHAPE})",
        "operations",
        "varied demo: accuracy",
        "difference",
        "alone",
        "SC4001: accuracy",
    )
    return table(heads, found)
