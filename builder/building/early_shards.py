"""Early shards: recordings go into their shards while others are still being drawn.

The shards of a new dataset are known before its first page is drawn, and its recordings are drawn in
their order. A thread of the main process, which would be idle otherwise, writes each shard as soon as
its recordings are finished. The folder then is as if ``publishing`` had been interrupted after some
shards, and it corrects what has changed since, such as a recording that was set aside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

from psgimg.builder.building import shard_plan
from psgimg.builder.building.planning import Plan
from psgimg.builder.building.shard_plan import Place
from psgimg.builder.dataset import shards
from psgimg.builder.dataset.schema import SplitName
from psgimg.builder.dataset.shards import STATE, Done, Key
from psgimg.builder.errors import BuildError
from psgimg.builder.tasks import Task


@dataclass
class EarlyShards:
    """The shards that are written while recordings are drawn.

    Parameters
    ----------
    hashes
        SHA-256 of each shard that is complete, by its name.
    """

    out: Path
    places: Mapping[Place, Sequence[Key]]
    hashes: dict[str, str] = field(default_factory=dict)
    _ready: SimpleQueue[Key | None] = field(default_factory=SimpleQueue, init=False)
    _known: set[Key] = field(default_factory=set, init=False)

    def in_order(self, tasks: Sequence[Task]) -> list[Task]:
        """Return tasks in the order of the shards."""
        every = [key for keys in self.places.values() for key in keys]
        rank = {key: i for i, key in enumerate(every)}
        return sorted(tasks, key=lambda task: rank.get(task.key, len(rank)))

    def known(self, key: Key) -> None:
        """Note that a recording was drawn, or set aside."""
        self._ready.put(key)

    @contextmanager
    def written(self) -> Iterator[None]:
        """Write the shards while other work is done, which has to tell the outcome of every recording.

        After an error of that work the shard in progress is given up.
        """
        with ThreadPoolExecutor(1) as thread:
            writing = thread.submit(self._write)
            try:
                yield
            finally:
                self._ready.put(None)  # nothing more will come
            writing.result()

    def _write(self) -> None:
        try:
            for (name, *_), keys in self.places.items():
                self._write_shard(name, keys)
        except (_EndedError, BuildError):
            return  # an error will come again when the dataset is published, and end the command

    def _write_shard(self, name: str, keys: Sequence[Key]) -> None:
        paths: list[Path] = []

        def finished() -> Iterator[Done]:
            for key in keys:
                self._wait_for(key)
                for done in shards.contents(shards.part_path(self.out, key)):
                    paths.append(done.path)
                    yield done

        recordings = finished()
        if (first := next(recordings, None)) is None:
            return
        self.hashes[name] = shards.write_shard(
            self.out / STATE / "staged" / name, first, recordings
        )
        for path in paths:
            path.unlink(missing_ok=True)

    def _wait_for(self, key: Key) -> None:
        while key not in self._known:
            ready = self._ready.get()
            if ready is None:
                raise _EndedError
            self._known.add(ready)


class _EndedError(Exception):
    """The recordings will not all be drawn."""


def of(plan: Plan, tasks: Sequence[Task]) -> EarlyShards:
    """Return the early shards of a build.

    There are none unless worker processes draw all of a new dataset, from files that are there.
    """
    config, placed = plan.config, plan.planned.placed
    kin_of: dict[Key, str] = {}
    splits: dict[Key, SplitName] = {}
    if not (plan.done or plan.stocks or config.workers == 1 or config.part.n_parts > 1):
        for task in tasks:
            one = task.recording
            if split := placed.get((one.corpus, one.subject)):
                kin_of[one.key], splits[one.key] = one.split_key, split
    return EarlyShards(config.out, shard_plan.arrange(kin_of, splits))
