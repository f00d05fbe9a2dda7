"""Votes: how many scorers of a recording chose each stage."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from psgimg.builder.recordings.hypnogram import Hypnogram
from psgimg.builder.recordings.recording import Corpus, Recording
from psgimg.builder.stages import STAGE_NAMES, Stage

FEWEST = 3
"""Of one or two scorers, the labels say all."""

_PROGRAM = re.compile(
    r"(^|[_\W])(ai|auto\w*|algo\w*|caisr|model|pred\w*|yasa|usleep)($|[_\W])", re.IGNORECASE
)


def is_of_program(scorer: str) -> bool:
    """Whether a scorer, such as the column ``stage_ai``, is named after a program."""
    return bool(_PROGRAM.search(scorer))


def people(corpus: Corpus, recording: Recording) -> list[str]:
    """Return the scorers of a recording who vote, in the order of the corpus: no consensus, no program."""
    voters = (name for name in recording.scorings if not is_of_program(name))
    return [name for name in voters if name != corpus.consensus]


def count(scorings: Sequence[Hypnogram]) -> Mapping[int, list[int]]:
    """Return the number of scorers for each stage, by onset in milliseconds.

    An epoch that nobody gave a stage is not in it; one that somebody left unscored has fewer votes.
    Empty if there are fewer than three scorers.
    """
    votes: defaultdict[int, list[int]] = defaultdict(lambda: [0] * len(STAGE_NAMES))
    for scoring in scorings if len(scorings) >= FEWEST else ():
        for onset_ms, stage in stages(scoring).items():
            votes[onset_ms][stage] += 1
    return dict(votes)


def stages(scoring: Iterable[tuple[float, object]]) -> dict[int, Stage]:
    """Return the stages of a scoring by onset in milliseconds, by which scorers are matched."""
    return {milliseconds(onset_s): stage for onset_s, stage in scoring if isinstance(stage, Stage)}


def milliseconds(onset_s: float) -> int:
    """Return an onset in whole milliseconds."""
    return round(1000 * onset_s)
