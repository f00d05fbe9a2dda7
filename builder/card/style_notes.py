"""Style notes: what the card says about a style that repeats a published picture, or has a purpose.

They hold for the styles that come with psgimg, not for one of the same name with other values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psgimg.builder.recordings.montage import Kind
from psgimg.builder.render.recipe import plain
from psgimg.builder.render.style import PRESETS, Style

SLEEPVLM_APART = {
    "differ_percent": 26.2,
    "differ_visibly_percent": 10.5,
    "mean_absolute_difference": 2.47,
}
"""Difference from the original's picture, as ``benchmarks/sleepvlm_original.py`` prints it."""

_SLEEPVLM = (
    "Style `sleepvlm` repeats the picture of SleepVLM (Deng et al., "
    "[arXiv:2603.26738](https://arxiv.org/abs/2603.26738), "
    "[code](https://github.com/Deng-GuiFeng/SleepVLM)): size, inks, scales, grid, lines between lanes "
    "and what lies over what. From the same samples, {differ_percent} % of the pixels differ from the "
    "original's, {differ_visibly_percent} % by more than 16 of 255 in a colour, and all by "
    "{mean_absolute_difference} of 255 on average, because the edges of lines are smoothed in another "
    "way (`python benchmarks/sleepvlm_original.py`, pages of all stages of a synthetic night).",
    "The samples are not the original's: it cuts out unscored epochs before it filters, always removes "
    "50 Hz, and resamples to 100 Hz by linear interpolation, which folds higher frequencies of the chin "
    "back. It shows F4, C4 and O2 against linked ears, both eyes and the chin, and leaves out the lane "
    "of a missing channel, which is hatched here.",
)

_PAPER = (
    "Style `paper` follows arXiv:2509.22810 as far as it is known: 336×336 pixels, lanes one above the "
    "other, each scaled to its minimum and maximum on the page. Neither its code nor its pictures were "
    "released; its filters, sampling rate, inks, line width and order of lanes are not known, so how "
    "much these pages differ from the original cannot be measured.",
)

_WITHOUT_ECG = "The paper also draws an ECG, which this montage does not have."

_PEDIATRIC = (
    "Style `pediatric` is `clinical` with wider limits of the EEG and EOG lanes, for children, whose "
    "slow waves reach 300 to 400 µV peak to peak. A model that learned from one of the two has not "
    "seen the amplitudes of the other.",
)


def notes(recipe: Mapping[str, Any]) -> list[str]:
    """Return the sentences about a recipe's style; none for ``clinical`` and the user's own.

    Parameters
    ----------
    recipe
        The recipe as JSON values.
    """
    style = recipe["style"]
    preset = PRESETS.get(style["name"])
    if preset is None or not is_preset(style, preset):
        return []
    if preset.name == "sleepvlm":
        return [line.format(**SLEEPVLM_APART) for line in _SLEEPVLM]
    if preset.name == "paper":
        has_ecg = any(lane["kind"] == Kind.ECG.value for lane in recipe["montage"]["lanes"])
        return [*_PAPER, *([] if has_ecg else [_WITHOUT_ECG])]
    return list(_PEDIATRIC) if preset.name == "pediatric" else []


def is_preset(style: Mapping[str, Any], preset: Style) -> bool:
    """Whether a recipe's style, which has only the drawn kinds of lane, is a preset."""
    values = plain(preset)
    lanes = {kind: values["lanes"].get(kind) for kind in style["lanes"]}
    return bool(style == {**values, "lanes": lanes})
