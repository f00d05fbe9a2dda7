"""Page of `two_nights.py`: each night staged by a model of the other one."""

from __future__ import annotations

from collections.abc import Sequence

from real_nights.tables import LABELS, Values, confusion, figures, machine, table

NAMES = {"sleep-edf": "SC4001, Fpz-Cz", "ucddb-022": "UCDDB 022, C3-A2"}

COMMAND = """\
python benchmarks/two_nights.py --root physionet-sleep-data --night ucddb022_C3A2_128Hz.npz \\
    --out docs/results.json"""

WHAT = """\
A model sees one EEG lane of one person's night and stages the night of another person, recorded
elsewhere, from another derivation: SC4001 of Sleep-EDF (Fpz-Cz, R&K) and UCDDB 022 (C3-A2, R&K, a
patient of a sleep clinic), {first} and {second} pages. UCDDB's samples come in units of the amplifier;
they were multiplied by {gain:.1f} µV per unit, so that both nights have the same median amplitude on
their pages. No stage entered the gain, though the pages of SC4001 are those of its sleep ± 30 min.
Epochs of UCDDB 022 that are missing are gaps in its EDF+D file."""

MEANING = """\
**It does not carry over, for the pictures as little as for the band powers.** Two people and two
derivations, one lane without eyes or chin, a tiny model taught on a single night: whatever is wrong
here may come from the person, the electrode, the amplifier, the scorer, or one night being too little.
It shows what one night is worth elsewhere, and is no estimate for other people or larger data; no
intervals, as each row is one subject."""


def section(values: Values) -> str:
    """Return the section on the two nights."""
    ways, forests = values["ways"], values["baseline"]
    first, second = (way["pages"] for way in reversed(ways))
    rows = [
        *(_row(way, "pictures") for way in ways),
        *(_row(way, "baseline, band powers") for way in forests["powers"]),
        *(_row(way, "the same minus the night's median") for way in forests["centred"]),
    ]
    return "\n".join(
        [
            "## Two nights, two people\n",
            f"```sh\n{COMMAND}\n```\n",
            WHAT.format(first=first, second=second, gain=values["gain_uv"]) + "\n",
            f"**Pictures**: the tiny model taught on the demo's C4-M1, then on the one night with "
            f"`{values['options']}`. **Baseline**: a random forest on log power in five bands of the "
            "same lane and epochs.\n",
            table(("taught on", "staged", "", *LABELS), rows),
            *(_confusion(way) for way in ways),
            MEANING + "\n",
            machine(values["machine"]),
        ]
    )


def _row(way: Values, how: str) -> Sequence[str]:
    return NAMES[way["taught"]], NAMES[way["tested"]], how, *figures(way)


def _confusion(way: Values) -> str:
    return (
        f"{NAMES[way['tested']]} by the pictures of {NAMES[way['taught']]}: scored stages in rows, "
        f"predicted stages in columns.\n\n{confusion(way['table'])}"
    )
