"""Stage config: the options of `psgimg stage` as one validated, frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder import unscored_night
from psgimg.builder.command_options import flag
from psgimg.builder.errors import BuildError
from psgimg.finetune.decoding import decoded

YASA = "yasa"
"""Name of YASA's published stager, in place of a model's folder or id; ``./yasa`` is a folder."""

SEXES = ("F", "M")
OLDEST = 120
"""Age in years that YASA no longer takes."""


@dataclass(frozen=True)
class StageConfig:
    """Options of `psgimg stage`.

    Parameters
    ----------
    night
        Path to a recording in any format that MNE reads.
    model
        Folder written by `psgimg sft`, or its id on the Hub; or ``YASA``.
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
    decode
        ``page`` stages each page by itself, ``night`` decodes the night as a whole.
    age, sex
        Age in years and sex, one of ``SEXES``, of the sleeper, which YASA can make use of.
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
    decode: str = decoded.PAGE
    age: int | None = None
    sex: str | None = None

    def __post_init__(self) -> None:
        unscored_night.require_mains(self.mains_hz)
        if not 0 <= self.review <= 1:
            raise BuildError(f"--review {self.review:g}: give a probability from 0 to 1")
        if self.decode not in decoded.DECODE:
            raise BuildError(f"--decode {self.decode!r}: use {' or '.join(decoded.DECODE)}")
        for name, least in (("batch_size", 1), ("loaders", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise BuildError(f"{flag(name)} {value}: must be at least {least}")
        if self.scoring_format is not None and self.scoring is None:
            raise BuildError(
                f"--scoring-format {self.scoring_format}: give --scoring with the file too"
            )
        self._check_yasa()

    def _check_yasa(self) -> None:
        """Refuse what only one of the two kinds of stagers can make use of."""
        if not self.by_yasa:
            if self.age is not None or self.sex is not None:
                raise BuildError("--age and --sex are for --model yasa; leave them out")
            return
        if (self.age is None) != (self.sex is None):
            raise BuildError("--age and --sex: YASA takes both or neither; give both")
        if self.age is not None and not 0 < self.age < OLDEST:
            raise BuildError(f"--age {self.age}: give an age in years from 1 to {OLDEST - 1}")
        for name in ("batch_size", "device", "loaders", "dtype", "trust_remote_code"):
            if getattr(self, name) not in (None, False, "auto"):
                raise BuildError(f"{flag(name)} is for models that read pictures; leave it out")
        if self.decode != decoded.PAGE:
            raise BuildError(
                "--decode night is for models with transitions of their own; YASA sees the epochs around "
                "each, so leave it out"
            )

    @property
    def by_yasa(self) -> bool:
        """Whether YASA stages the night, not a model that reads pictures."""
        return self.model == YASA

    @property
    def person(self) -> dict[str, int] | None:
        """Age in years and sex as YASA takes them; None if they are not given."""
        return None if self.age is None else {"age": self.age, "male": int(self.sex == "M")}

    @property
    def folder(self) -> Path:
        """Output folder."""
        return self.out or Path(f"{self.night.stem}-stages")
