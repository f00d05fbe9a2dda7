"""Stage config: the options of `psgimg stage` as one validated, frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder import unscored_night
from psgimg.builder.command_options import flag
from psgimg.builder.errors import BuildError


@dataclass(frozen=True)
class StageConfig:
    """Options of `psgimg stage`.

    Parameters
    ----------
    night
        Path to a recording in any format that MNE reads.
    model
        Folder written by `psgimg sft`, or its id on the Hub.
    out
        Output folder; None names it after the recording, in the working directory.
    channels
        Lane, or derivation shown in a lane, → label of the channel that fills it; the other lanes
        are matched by label.
    mains_hz
        Mains frequency at the place of recording, 50 or 60 Hz.
    polarity
        Rule for the sign of the recording, if it is another than that of the model's recipe.
    lights_off, lights_on
        Clock time, or seconds from the recording's start; None for its start or end.
    review
        Confidence below which an epoch is marked for review. With a small model on a real night,
        0.7 marked a tenth of the epochs, of which a third were wrong, and 0.5 hardly any.
    batch_size
        Number of pages per forward pass; None chooses it for the device.
    device, loaders, dtype
        As in :class:`psgimg.finetune.inference.predict_config.PredictConfig`.
    trust_remote_code
        Whether to run code that comes with the model.
    any_lanes
        Whether to go on if lanes are absent as on no training page, with every epoch marked for review.
    scoring, scoring_format
        A scoring whose epochs are staged, instead of every 30 s from the recording's start; and the
        corpus, or its YAML file, whose format it has, None to recognise it.
    """

    night: Path
    model: str
    out: Path | None = None
    channels: Mapping[str, str] | None = None
    mains_hz: float = 50.0
    polarity: str | None = None
    lights_off: str | None = None
    lights_on: str | None = None
    review: float = 0.7
    batch_size: int | None = None
    device: str | None = None
    loaders: int | None = None
    dtype: str = "auto"
    trust_remote_code: bool = False
    any_lanes: bool = False
    scoring: Path | None = None
    scoring_format: str | None = None

    def __post_init__(self) -> None:
        unscored_night.require_mains(self.mains_hz)
        if not 0 <= self.review <= 1:
            raise BuildError(f"--review {self.review:g}: give a probability from 0 to 1")
        for name, least in (("batch_size", 1), ("loaders", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise BuildError(f"{flag(name)} {value}: must be at least {least}")
        if self.scoring_format is not None and self.scoring is None:
            raise BuildError(
                f"--scoring-format {self.scoring_format}: give --scoring with the file too"
            )

    @property
    def folder(self) -> Path:
        """Output folder."""
        return self.out or Path(f"{self.night.stem}-stages")
