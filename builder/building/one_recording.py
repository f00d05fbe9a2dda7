"""One recording: read, drawn and written as a part. Workers import this, and nothing of planning or publishing."""

from __future__ import annotations

from dataclasses import dataclass

from psgimg.builder import night
from psgimg.builder.building import outcomes
from psgimg.builder.building.outcomes import Failed
from psgimg.builder.building.timings import Stopwatch, Timing
from psgimg.builder.dataset import shards
from psgimg.builder.dataset.build_json import RecordingFacts
from psgimg.builder.dataset.shards import Key
from psgimg.builder.recordings import fingerprint
from psgimg.builder.tasks import Task


@dataclass(frozen=True)
class Drawn:
    """A recording that was drawn and written as a part."""

    key: Key
    n_pictures: int
    timing: Timing


def draw(task: Task) -> Drawn | Failed:
    """Draw one recording and write it as a part; runs in a worker process.

    The files are hashed first, so that they are drawn from memory, and compared once more at the
    end: pictures are never stored under the hash of other files.
    """
    recording, watch = task.recording, Stopwatch()
    try:
        identity = task.identity or fingerprint.identify(recording)
        plan = night.plan(task.corpus, recording, task.spec)
        watch.lap("read_s")
        rows, facts = night.draw(plan, task.spec)
        fingerprint.require_unchanged(identity)
        watch.lap("draw_s")
    except Exception as error:  # a bug that affects one night must not stop the others
        return outcomes.failed(task, error)
    recorded = RecordingFacts(**facts, signal=identity.signal, fingerprint=identity.fingerprint)
    shards.write_part(task.out, rows, recorded, task.n_columns)
    watch.lap("write_s")
    return Drawn(task.key, len(rows), watch.timing())
