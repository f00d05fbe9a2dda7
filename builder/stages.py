"""Sleep stages, and the reasons why an epoch has none."""

from __future__ import annotations

from enum import Enum, IntEnum


class Stage(IntEnum):
    """The five stages of the AASM manual, in the order used by every table of psgimg."""

    W = 0
    N1 = 1
    N2 = 2
    N3 = 3
    REM = 4


class Unscored(Enum):
    """Why an epoch of a scoring has no stage. Not a sixth stage: such epochs get no picture."""

    MOVEMENT = "movement"
    UNSCORED = "unscored"


Score = Stage | Unscored

STAGE_NAMES: tuple[str, ...] = tuple(stage.name for stage in Stage)
