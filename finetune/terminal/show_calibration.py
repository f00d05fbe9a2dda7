"""Terminal output of `psgimg calibrate`: what was fitted, and the figures before and after."""

from __future__ import annotations

from psgimg.builder.console import new_table, styled
from psgimg.builder.files import quoting
from psgimg.builder.words import counted
from psgimg.finetune.calibrate import CalibrateConfig
from psgimg.finetune.decoding.calibration_fit import VARIANTS, Calibration
from psgimg.finetune.metrics import metric_table
from rich.console import Console


def show(console: Console, fit: Calibration, config: CalibrateConfig) -> None:
    """Print the temperature, the weight and the figures on the pages they were fitted to."""
    keys = {metric.key: metric.short for metric in metric_table.headline()}
    keys |= {"nll": "NLL", "ece": "ECE"}
    table = new_table("", *keys.values(), left=("",))
    for name, figures in fit.figures.items():
        values = [figures[key] for key in keys]
        table.add_row(VARIANTS[name], *("–" if v is None else f"{v:.3f}" for v in values))
    console.print(table)
    people = counted(fit.subjects, "subject")
    console.print(
        f"Fitted to these {counted(fit.pages, 'page')} of {people}: temperature {fit.temperature:g}"
        + _night(fit)
    )
    if config.out is not None:
        following = quoting.command("evaluate", config.out)
        console.print(styled((str(config.out), "bold"), f" is ready. Next: {following}"))
    else:
        console.print(styled("It is kept in ", (str(config.model), "bold")))


def _night(fit: Calibration) -> str:
    if fit.weight is None:
        return "; no transitions are known (--dataset), so no weight for nights"
    return (
        f"; weight of transitions {fit.weight:g}, temperature after them {fit.night_temperature:g}"
    )
