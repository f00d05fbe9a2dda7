"""Review config: the options of `psgimg review` as one validated, frozen value."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder import unscored_night
from psgimg.builder.errors import BuildError
from psgimg.builder.files import safe_names
from psgimg.builder.stages import Score
from psgimg.finetune.evaluation import stage_words

MAX_PORT = 65_535


@dataclass(frozen=True)
class ReviewConfig:
    """Options of `psgimg review`.

    Parameters
    ----------
    nights
        Folders that `psgimg stage` wrote, folders that contain them, and recordings.
    scoring, scoring_format
        Scoring of the one recording that is given, and its format; None recognises it.
    codes
        Stages of the numbers in a scoring, as of
        :func:`psgimg.finetune.evaluation.stage_words.parse_codes`.
    against
        A second scoring: its file, a folder written by `psgimg stage`, or for several nights a folder
        of these.
    recording
        Where the recordings are now: a file, or the folder that holds them.
    blind
        Whether the model's answers, and the names of several nights, are hidden.
    scorer
        Name of the person who scores; "" for the login name.
    out
        Folder of the review; for several nights, of one folder each.
    model
        Model that is asked why, folder or id; "" for none.
    montage, style
        Recipe of nights that no model staged from pictures; "" for the default.
    channels, mains_hz
        As in :class:`psgimg.finetune.staging.stage_config.StageConfig`.
    port
        Port on this machine; 0 for any that is free.
    """

    nights: tuple[Path, ...]
    scoring: Path | None = None
    scoring_format: str | None = None
    codes: str | None = None
    against: Path | None = None
    recording: Path | None = None
    blind: bool = False
    scorer: str = ""
    out: Path | None = None
    model: str = ""
    montage: str = ""
    style: str = ""
    channels: Mapping[str, str] | None = None
    mains_hz: float = 50.0
    port: int = 0

    def __post_init__(self) -> None:
        unscored_night.require_mains(self.mains_hz)
        if not 0 <= self.port <= MAX_PORT:
            raise BuildError(f"--port {self.port}: use 0 to {MAX_PORT}, 0 for any that is free")
        if not safe_names.is_line(self.scorer):
            raise BuildError(
                f"--scorer {self.scorer!r}: give one line of at most {safe_names.LONGEST} characters"
            )
        if self.blind and (self.against or self.model):
            option = "--against" if self.against else "--model"
            raise BuildError(f"--blind hides what {option} would show; leave out one of the two")
        if self.scoring_format is not None and not (self.scoring or self.against):
            raise BuildError(
                f"--scoring-format {self.scoring_format}: give --scoring or --against with the file too"
            )
        if self.codes is not None and not (self.scoring or self.against):
            raise BuildError(f"--codes {self.codes}: give --scoring or --against with the file too")
        stage_words.check_alone(self.codes, self.scoring_format)
        _ = self.stages_of

    @property
    def stages_of(self) -> Mapping[str, Score]:
        """Stages of numbers and words in a scoring by ``codes``; empty without."""
        return stage_words.scores(stage_words.parse_codes(self.codes)) if self.codes else {}

    @property
    def who(self) -> str:
        """Name of the person who scores."""
        return self.scorer or login_name()


def login_name() -> str:
    """Return the name under which this user is logged in; "scorer" where the system knows none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container may run under a number without a name
        return "scorer"
