"""Shard files: finished recordings become the shards of a dataset, with disk space for one more.

    OUT/.psgimg/staged/       complete shards that wait for those that they replace
    OUT/.psgimg/old/          complete shards of a publishing that was interrupted and then changed
    OUT/.psgimg/build.json    that of the dataset before, while its shards are being replaced

A file is deleted as soon as everything in it that is still needed is complete elsewhere. A new shard
moves to its place once no other file there has a recording of it, so that of two versions of a
recording the newer one is always known.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from psgimg.builder.building.shard_plan import Shard
from psgimg.builder.dataset import build_report, shards
from psgimg.builder.dataset.shards import DATA, STATE, Done, Key
from psgimg.builder.files import durable
from psgimg.builder.files.hash_cache import NewHashes

FOLDERS = ("old", "staged", "parts")


def publish(
    out: Path, planned: Iterable[Shard], hashes: Mapping[str, str] = MappingProxyType({})
) -> NewHashes:
    """Make ``out/data`` contain exactly these shards; files of others in it stay.

    If the process is killed at any point, a second call completes the work with the same bytes.
    Until then, the folder has no ``build.json``, as none would describe its shards.

    Parameters
    ----------
    planned
        Result of ``shard_plan.plan``.
    hashes
        SHA-256 of shards that this command has already written to ``staged``, by name.

    Returns
    -------
    NewHashes
        The SHA-256 of each shard that was written.
    """
    work = _Work.begin(out, {shard.name: shard for shard in planned}, hashes)
    if work.is_needed:
        _withdraw_report(out)
        for name in work.ready:
            _remove_parts(out, work.wanted[name])
        work.settle()
        for shard in work.unwritten():
            work.write(shard)
            work.settle()
    for folder in FOLDERS:
        shutil.rmtree(out / STATE / folder, ignore_errors=True)
    return work.moved_in


@dataclass
class _Work:
    """The shards to publish, and what the files in the folder are still needed for.

    Parameters
    ----------
    ready
        Shards that are complete, in ``staged`` or in their place.
    outdated
        File in ``data`` or ``old`` that is to go → the recordings in it, also those that a newer
        file has as well.
    retired
        File of ``staged`` → where it is now in ``old``.
    needs
        File → number of recordings that have yet to be copied from it.
    hashes, moved_in
        SHA-256 of the shards that were written, by name, and of those in their place.
    """

    out: Path
    wanted: Mapping[str, Shard]
    ready: dict[str, Path] = field(default_factory=dict)
    outdated: dict[Path, set[Key]] = field(default_factory=dict)
    retired: dict[Path, Path] = field(default_factory=dict)
    needs: Counter[Path] = field(default_factory=Counter)
    hashes: dict[str, str] = field(default_factory=dict)
    moved_in: NewHashes = field(default_factory=NewHashes)

    @classmethod
    def begin(cls, out: Path, wanted: Mapping[str, Shard], hashes: Mapping[str, str]) -> _Work:
        """Compare the files in the folder with the shards to publish."""
        work = cls(out, wanted, hashes=dict(hashes))
        data, staged, old = out / DATA, out / STATE / "staged", out / STATE / "old"
        for path in sorted(data.rglob("*.parquet")):
            name = path.relative_to(data).as_posix()
            if shards.has_footer(path) and not work._is_complete(name, path):
                work.outdated[path] = _keys(path)
        for path in sorted(staged.rglob("*.parquet")):
            if not work._is_complete(path.relative_to(staged).as_posix(), path):
                work.retired[path] = _retire(path, old)
        for path in sorted(old.rglob("*.parquet")):
            work.outdated[path] = _keys(path)
        work.needs.update(
            work.retired.get(done.path, done.path)
            for shard in work.unwritten()
            for done in shard.recordings
        )
        return work

    @property
    def is_needed(self) -> bool:
        """Whether a shard is to be written, moved or deleted."""
        places = {name: self.out / DATA / name for name in self.wanted}
        return bool(self.outdated) or self.ready != places

    def unwritten(self) -> list[Shard]:
        """Return the shards that are not complete yet."""
        return [shard for name, shard in self.wanted.items() if name not in self.ready]

    def write(self, shard: Shard) -> None:
        """Write a shard to ``staged``, one recording at a time."""
        sources = [
            Done(self.retired.get(done.path, done.path), done.row_group, done.facts)
            for done in shard.recordings
        ]
        path = self.out / STATE / "staged" / shard.name
        self.hashes[shard.name] = shards.write_shard(path, sources[0], sources[1:])
        self.ready[shard.name] = path
        self.needs.subtract(done.path for done in sources)
        _remove_parts(self.out, shard)

    def settle(self) -> None:
        """Delete what is no longer needed, and move to their places the shards that can."""
        for path in [path for path in self.outdated if not self.needs[path]]:
            del self.outdated[path]
            durable.remove(path)
        waiting = [(name, p) for name, p in self.ready.items() if p != self.out / DATA / name]
        for name, path in waiting:
            place = self.out / DATA / name
            own = {done.key for done in self.wanted[name].recordings}
            if place in self.outdated or any(own & keys for keys in self.outdated.values()):
                continue
            durable.make_folder(place.parent)
            durable.replace(path, place)
            self.ready[name] = place
            if name in self.hashes:
                self.moved_in.add(place, self.hashes[name])
        self.moved_in.remember()

    def _is_complete(self, name: str, path: Path) -> bool:
        """Note a file as ready if it has exactly the recordings of its shard."""
        shard = self.wanted.get(name)
        if shard is None or name in self.ready:
            return False
        found = [done.facts for done in shards.contents(path)]
        if found != [done.facts for done in shard.recordings]:
            return False
        self.ready[name] = path
        return True


def _withdraw_report(out: Path) -> None:
    """Move ``build.json`` to the state folder, as the shards that it lists are about to change."""
    if (out / build_report.FILE).exists():
        durable.replace(out / build_report.FILE, out / STATE / build_report.FILE)


def _keys(path: Path) -> set[Key]:
    return {done.key for done in shards.contents(path)}


def _remove_parts(out: Path, shard: Shard) -> None:
    """Remove the parts of a shard that is complete; after a power cut they may reappear unharmed."""
    parts = out / STATE / "parts"
    for done in shard.recordings:
        if parts in done.path.parents:
            done.path.unlink(missing_ok=True)


def _retire(path: Path, old: Path) -> Path:
    """Move a staged file that is no longer wanted to ``old``, after those that are there."""
    durable.make_folder(old)
    last = max((int(each.name[:5]) for each in old.iterdir()), default=-1)
    place = old / f"{last + 1:05d}-{path.parent.name}-{path.name}"
    durable.replace(path, place)
    return place
