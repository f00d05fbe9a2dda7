"""Words for figures with intervals over people; see `people.py`."""

from __future__ import annotations

from collections.abc import Mapping

from psgimg.builder.words import listed

from real_nights.tables import Values

DIFFERENCE = "difference"


def verdict(differences: Mapping[str, Values], names: Mapping[str, str]) -> str:
    """Return which differences the people can tell from none, by their intervals, as a sentence.

    Parameters
    ----------
    names
        Key → name of the figures to speak of.
    """
    told: dict[bool, list[str]] = {True: [], False: []}
    for key, name in names.items():
        low, high = differences[key]["low"], differences[key]["high"]
        if low is not None and high is not None:
            told[low > 0 or high < 0].append(name)
    if not told[True]:
        return "No interval of a difference excludes 0: these people are too few to tell."
    sentence = f"The intervals of the differences in {listed(told[True])} exclude 0"
    return f"{sentence}; those in {listed(told[False])} do not." if told[False] else f"{sentence}."
