"""Notebook: datasets and predictions as tables, nights staged by a model, statistics of a hypnogram.

The functions that ``psgimg`` offers from here are listed in ``psgimg/__init__.pyi``.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.evaluation import predictions_file, stage_words
from psgimg.finetune.metrics import sleep_statistics as statistics
from psgimg.finetune.metrics.predictions import PROBABILITIES
from psgimg.finetune.metrics.sleep_statistics import UNSCORED, SleepStatistics

if TYPE_CHECKING:
    import pandas as pd
    from PIL import Image
    from psgimg.finetune.data.page_set import PageSet
    from psgimg.finetune.staging.staged_night import StagedNight

UNSCORED_WORDS = ("", "?", "UNS", "ART", "UNSCORED", "NAN", "NONE", "<NA>")
"""What stands for no stage in hypnograms of other tools."""


@dataclass(frozen=True, eq=False)
class Pages:
    """The pages of a split: a table, and a picture for each of its rows, read when it is asked for."""

    _pages: PageSet

    def __len__(self) -> int:
        return len(self._pages)

    @cached_property
    def table(self) -> pd.DataFrame:
        """Corpus, subject, recording, epoch, label and label_2 of each page."""
        import pandas as pd

        rows = [self._pages.page(row) for row in self._pages.rows.tolist()]
        names = ["corpus", "subject", "recording", "epoch", "label", "label_2"]
        return pd.DataFrame(rows, columns=names)

    def image(self, number: int) -> Image.Image:
        """Return the picture of a row of the table.

        Raises
        ------
        IndexError
            If there is no such row.
        BuildError
            If its picture can't be decoded.
        """
        return self._pages.images([int(self._pages.rows[number])])[0]


def read_pages(dataset: str | Path, split: str = "train", corpus: str | None = None) -> Pages:
    """Open a split of a dataset; pictures stay where they lie until they are asked for.

    Parameters
    ----------
    dataset
        A folder written by ``psgimg build``, or the id of a dataset on the Hub.
    split
        ``train``, ``validation`` or ``test``.
    corpus
        Name of a corpus; None for all.

    Raises
    ------
    BuildError
        If there is no such split, or the dataset was not built by psgimg.
    """
    from psgimg.finetune.data import page_set

    return Pages(page_set.load(str(dataset), corpus, split))


def stage(
    data: Any,
    model: str | Path,
    *,
    sfreq: float | None = None,
    ch_names: Sequence[str] = (),
    channels: Mapping[str, str] | None = None,
    mains_hz: float = 50.0,
    lights_off_s: float | None = None,
    lights_on_s: float | None = None,
    decode: str = "page",
    any_lanes: bool = False,
) -> StagedNight:
    """Stage a recording with a model, as ``psgimg stage`` does, and write nothing.

    Parameters
    ----------
    data, sfreq, ch_names
        See :func:`psgimg.draw_page`.
    model
        A folder written by ``psgimg sft``, or the id of such a model on the Hub.
    channels, mains_hz
        See :class:`psgimg.Look`.
    lights_off_s, lights_on_s
        Seconds from the first sample; None for the first and the last.
    decode
        ``page``, or ``night`` to decode the night as a whole.
    any_lanes
        Accept lanes that the model never learned; every epoch is then marked for review.

    Returns
    -------
    The night: ``table``, ``probabilities``, ``statistics``.

    Raises
    ------
    BuildError, RecordingError
        If the model or the recording can't be used.
    """
    from psgimg.builder.unscored import notebook
    from psgimg.finetune.staging import stage as staging
    from psgimg.finetune.staging.stage_config import StageConfig

    signals = notebook.signals(data, sfreq, ch_names)
    config = StageConfig(
        signals.path,
        str(model),
        channels=channels,
        mains_hz=mains_hz,
        lights_off=None if lights_off_s is None else f"{lights_off_s:.10g}",
        lights_on=None if lights_on_s is None else f"{lights_on_s:.10g}",
        decode=decode,
        any_lanes=any_lanes,
    )
    if config.by_yasa:
        raise BuildError("model yasa: call yasa.SleepStaging itself, which takes a Raw")
    return staging.in_memory(config, signals, _Warned())


def read_predictions(
    path: str | Path, source: str | None = None, labels: str | Path | None = None
) -> pd.DataFrame:
    """Read predictions, of psgimg or of another tool, as a table with a row for each epoch.

    Parameters
    ----------
    path
        Parquet, CSV or JSON lines with the columns ``recording``, ``epoch``, ``label`` and
        ``prediction``; with ``source``, a file of that tool.
    source
        ``usleep``, ``yasa``, ``pops`` or ``sleepvlm``.
    labels
        With ``source``, the scored stages: a dataset, or a table with ``label``.

    Returns
    -------
    Corpus, subject, recording, epoch, label, label_2, prediction and, where the file has them, ``p_W`` to
    ``p_REM``. A stage is missing (``isna``) where there is no second scorer, or no answer.

    Raises
    ------
    BuildError
        If the file is not what it should be.
    """
    import pandas as pd
    from psgimg.finetune.evaluation.other_tools import tool_predictions

    if (source is None) != (labels is None):
        raise BuildError(
            "predictions of another tool go with the scored stages: source= and labels="
        )
    if source is None:
        found = predictions_file.read(Path(path))
    else:
        theirs = tool_predictions.read(source, [Path(path)], str(labels), {})
        found = predictions_file.of_table(theirs.table, Path(path))
    keys = [found.recordings[number] for number in found.recording]
    table = pd.DataFrame(
        {
            "corpus": [key.corpus for key in keys],
            "subject": [key.subject for key in keys],
            "recording": [key.recording for key in keys],
            "epoch": found.epoch,
            "label": _names(found.label),
            "label_2": _names(found.label_2),
            "prediction": _names(found.prediction),
        }
    )
    if found.probabilities is not None:
        table[list(PROBABILITIES)] = found.probabilities
    return table


def sleep_statistics(hypnogram: Any, epoch_s: float = 30.0) -> SleepStatistics:
    """Return the sleep statistics of the AASM manual of the epochs from lights off to lights on.

    Times are in minutes. Two differ from YASA's of the same name: see
    :mod:`psgimg.finetune.metrics.sleep_statistics`.

    Parameters
    ----------
    hypnogram
        Stages of contiguous epochs: ``W``, ``N1``, ``N2``, ``N3``, ``REM`` or ``R``; 0 to 4 in that
        order, as in YASA; "", None, NaN, ``UNS``, ``ART`` or a negative number without a stage.
    epoch_s
        Length of an epoch in seconds.

    Raises
    ------
    BuildError
        If a value is no stage.
    """
    values = np.asarray(getattr(hypnogram, "hypno", hypnogram), object).ravel()
    return statistics.statistics(np.array([_stage(value) for value in values], np.int64), epoch_s)


class _Warned:
    """Progress that shows nothing but notes, as warnings."""

    def start(self, task: str, total: int | None = None, unit: str = "") -> None:
        """Do nothing."""

    def advance(self, n: int = 1, pages: int = 0) -> None:
        """Do nothing."""

    def note(self, message: str) -> None:
        """Warn."""
        warnings.warn(message, UserWarning, stacklevel=2)


def _stage(value: Any) -> int:
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return UNSCORED
    if isinstance(value, int | float | np.integer | np.floating):
        if value < 0:
            return UNSCORED
        if value in range(len(STAGE_NAMES)):
            return int(value)
    elif str(value).strip().upper() in UNSCORED_WORDS:
        return UNSCORED
    else:
        try:
            return STAGE_NAMES.index(stage_words.stage_of(str(value), {}) or "")
        except (KeyError, ValueError):
            pass
    raise BuildError(
        f"hypnogram: {value!r} is no stage; use W, N1, N2, N3, REM, or 0 to 4 in that order"
    )


def _names(stages: npt.NDArray[np.int8]) -> Sequence[str | None]:
    return [STAGE_NAMES[stage] if stage >= 0 else None for stage in stages]
