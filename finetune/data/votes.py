"""Votes: how many scorers chose each stage of an epoch, in the corpora that have more than two."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.data.source import Source

Votes = dict[tuple[str, str, int], str]
"""Corpus, recording and epoch → numbers of scorers for W, N1, N2, N3 and REM: ``0 1 4 0 0``."""

KEY = ["corpus", "recording", "epoch"]


def read(source: Source) -> Votes:
    """Read the votes of a split; empty where its corpora have none.

    Raises
    ------
    BuildError
        If a shard can't be read, or an epoch has other than five numbers.
    """
    votes: Votes = {}
    for path, _ in source.shards:
        try:
            counted = pq.read_table(path, columns=["votes"], partitioning=None)
            if counted["votes"].null_count == len(counted):
                continue  # the other columns need not be read
            table = pq.read_table(path, columns=KEY, partitioning=None)
        except (pa.ArrowException, OSError) as error:
            cause = " ".join(str(error).split())
            raise BuildError(f"{path} can't be read ({cause}); build the dataset again") from error
        table = table.append_column("votes", counted["votes"])
        voted = table.filter(pc.is_valid(table["votes"]))
        for corpus, recording, epoch, counts in zip(
            *(voted[name].to_pylist() for name in (*KEY, "votes")), strict=True
        ):
            if len(counts) != len(STAGE_NAMES) or None in counts:
                raise BuildError(
                    f"{path}: {recording} epoch {epoch} has the votes {counts}, not one number for "
                    "each stage; build the dataset again"
                )
            votes[corpus, recording, epoch] = " ".join(map(str, counts))
    return votes
