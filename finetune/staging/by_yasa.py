"""By YASA: a night is staged by YASA's published classifiers, from signals, without a model of one's own."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from math import inf
from typing import Any

import numpy as np
from psgimg.builder import words
from psgimg.builder.errors import BuildError
from psgimg.builder.progress import Progress
from psgimg.builder.signals.epoching import place
from psgimg.builder.stages import STAGE_NAMES
from psgimg.builder.unscored import unscored_lanes
from psgimg.builder.unscored.unscored_lanes import PagedLanes
from psgimg.builder.unscored_night import UnscoredNight, UnscoredPage
from psgimg.finetune import optional_dependencies
from psgimg.finetune.baselines import features, windows, yasa_stager
from psgimg.finetune.baselines.nights import SFREQ_HZ
from psgimg.finetune.staging.stage_config import StageConfig
from psgimg.finetune.staging.stager import Lights, Opinion

LIBRARIES = ("yasa", "lightgbm", "scikit-learn", "mne")
LONG_H = 14.0
"""YASA scales what it computes by its spread over the recording, and adds the time since its start:
a day-long recording is unlike the nights that it learned from."""


@dataclass(frozen=True, eq=False)
class YasaStager:
    """YASA's stager and a night that it can stage."""

    config: StageConfig
    night: UnscoredNight

    @property
    def name(self) -> str:
        """As in :class:`psgimg.finetune.staging.stager.Stager`."""
        return f"YASA {version('yasa')}, from signals"

    @property
    def central(self) -> bool:
        """Whether the EEG is a central one, from which alone YASA learned."""
        eeg = self.night.derivations[0]
        return eeg is not None and windows.CENTRAL.match(eeg.name) is not None

    @property
    def unseen_lanes(self) -> str | None:
        """YASA has classifiers for nights without EOG and EMG."""
        return None

    @property
    def doubt(self) -> str:
        """As in :class:`psgimg.finetune.staging.stager.Stager`."""
        return "" if self.central else f"{yasa_stager.CENTRAL_ONLY}, and the night has none"

    @property
    def notes(self) -> tuple[str, ...]:
        """As in :class:`psgimg.finetune.staging.stager.Stager`."""
        lines = [
            "YASA reads signals, not pictures, and learned from other people's nights: "
            f"{', '.join(yasa_stager.LEARNED_FROM.corpora)} ({yasa_stager.LEARNED_FROM.source})"
        ]
        if self.doubt:
            lines.append(f"{self.doubt}: every epoch is marked for review")
        hours = self.night.duration_s / 3600
        if hours > LONG_H and None in (self.config.lights_off, self.config.lights_on):
            lines.append(
                f"the recording lasts {hours:.1f} h, and YASA learned from nights: it stages the night "
                "better with --lights-off and --lights-on, by which it is cut"
            )
        return tuple(lines)

    @property
    def facts(self) -> Mapping[str, Any]:
        """As in :class:`psgimg.finetune.staging.stager.Stager`."""
        versions = {"python": platform.python_version(), **{lib: version(lib) for lib in LIBRARIES}}
        return {
            "versions": versions,
            "model": "yasa",
            "reads": "signals",
            "learned_elsewhere": yasa_stager.LEARNED_FROM.to_dict(),
            "sees": features.VIEW.to_dict(),
            "person": self.config.person,
        }

    def stage(self, lights_s: Lights, progress: Progress) -> Opinion:
        """Read one EEG, EOG and EMG, and have YASA stage the epochs from lights off to lights on.

        What it computes depends on the whole time that it is given, and hours of day blur the night.

        Raises
        ------
        BuildError, RecordingError
            If no epoch is left, or the EEG has no signal.
        """
        progress.start("reading signals")
        pages = _in_the_dark(self.night, lights_s)
        read = unscored_lanes.read(self.night, pages, sfreq_hz=SFREQ_HZ)
        lanes = read.lanes
        notes = (*read.notes, *_given(lanes))
        for note in notes:
            progress.note(note)
        progress.start("staging")
        rows = {number: row for row, number in enumerate(self.night.grid.epochs)}
        staged = [rows[page.epoch] for page in lanes.epochs]
        probabilities = np.full((len(self.night.grid), len(STAGE_NAMES)), np.nan)
        probabilities[staged] = yasa_stager.of_lanes(lanes, self.config.person)
        n_out = len(self.night.epochs) - len(staged)
        left_out = {"before lights off or after lights on": n_out} if n_out else {}
        return Opinion(probabilities, read.quality, read.polarity, notes, left_out)


def _in_the_dark(night: UnscoredNight, lights_s: Lights) -> tuple[UnscoredPage, ...]:
    """Return the pages of the epochs that lie by more than half between lights off and lights on."""
    off_s, on_s = lights_s[0] or 0.0, inf if lights_s[1] is None else lights_s[1]
    pages = tuple(page for page in night.epochs if off_s < page.onset_s + page.epoch_s / 2 < on_s)
    if not pages:
        raise BuildError(
            f"{night.path.name} has no signal from lights off to lights on; fix --lights-off or "
            "--lights-on"
        )
    return pages


def _given(lanes: PagedLanes) -> tuple[str, ...]:
    """Return which signals YASA is given, and how many gaps divide them."""
    chosen = windows.channels(lanes)
    given = [lanes.signals.lanes[i] for i in (chosen.eeg, chosen.eog, chosen.emg) if i is not None]
    lines = [f"YASA is given {words.listed(name for name in given if name)}"]
    n_parts = len({place(lanes.signals, page)[0] for page in lanes.epochs})
    if n_parts > 1:
        lines.append(f"gaps divide the night into {n_parts} parts; YASA stages each by itself")
    return tuple(lines)


def open_night(config: StageConfig) -> YasaStager:
    """Return YASA's stager and the night to stage.

    Raises
    ------
    BuildError, RecordingError
        If YASA is not installed, the recording can't be used, or it has no central EEG.
    """
    optional_dependencies.require_yasa()
    night = unscored_lanes.open_night(
        config.night,
        channels=config.channels or {},
        mains_hz=config.mains_hz,
        polarity=config.polarity,
        scoring=config.scoring,
        scoring_format=config.scoring_format,
    )
    stager = YasaStager(config, night)
    if not stager.central and not config.any_lanes:
        eeg = night.derivations[0]
        raise BuildError(
            f"{yasa_stager.CENTRAL_ONLY}; {config.night.name} has {eeg.name if eeg else 'none'}; give "
            'its channel with --channel C4-M1="LABEL", or pass --any-lanes, which marks every epoch '
            "for review"
        )
    return stager
