"""Services: which corpora can be fetched from where, and the list of their files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from psgimg.builder import atomic_file
from psgimg.builder.access import nsrr_service
from psgimg.builder.access.fetch_config import FetchConfig
from psgimg.builder.access.host import Notify
from psgimg.builder.access.incoming import unwritable
from psgimg.builder.access.ledger import Ledger
from psgimg.builder.access.nsrr_service import Nsrr
from psgimg.builder.access.openneuro_service import OpenNeuro
from psgimg.builder.access.physionet_service import PhysioNet, Project
from psgimg.builder.access.remote_file import RemoteFile, relative
from psgimg.builder.access.stock import Service, Stock
from psgimg.builder.access.zenodo_service import Zenodo
from psgimg.builder.errors import BuildError, RecordingError
from psgimg.builder.files import bounded, durable
from psgimg.builder.processes import lock
from psgimg.builder.words import size

STATE = ".psgimg"
"""Folder in that of a corpus: the list of its files, and the hashes of what was fetched."""


@dataclass(frozen=True)
class Distribution:
    """How a corpus is distributed.

    Parameters
    ----------
    open_service
        Returns the service, given the options and what to call when it keeps a request waiting.
    n_gb
        Size of all of it as the service states it, in GB; None if no statement is known.
    index
        Files without which its recordings can't be listed, such as who took part; they are brought
        first, and stay.
    needs
        What a user needs beside a network; empty for an open corpus.
    """

    open_service: Callable[[FetchConfig, Notify], Service]
    n_gb: float | None = None
    index: tuple[str, ...] = ()
    needs: str = ""


def _nsrr(dataset: str, n_gb: float | None = None) -> Distribution:
    def service(config: FetchConfig, notify: Notify) -> Service:
        token = nsrr_service.token(config.token_file)
        return Nsrr(dataset, token, connections=config.connections, notify=notify)

    return Distribution(service, n_gb, needs="approved access and a token in NSRR_TOKEN")


def _physionet(slug: str, version: str, n_gb: float | None = None) -> Distribution:
    def service(config: FetchConfig, notify: Notify) -> Service:
        project = Project(slug, version)
        return PhysioNet(project, connections=config.connections, notify=notify)

    return Distribution(service, n_gb)


def _openneuro(dataset: str, wanted: str, n_gb: float | None = None) -> Distribution:
    """Return the distribution of a BIDS dataset, whose people are in ``participants.tsv``."""

    def service(config: FetchConfig, notify: Notify) -> Service:
        return OpenNeuro(dataset, wanted, connections=config.connections, notify=notify)

    return Distribution(service, n_gb, index=("participants.tsv",))


def _zenodo(record: int, archive: str, n_gb: float | None = None) -> Distribution:
    def service(config: FetchConfig, notify: Notify) -> Service:
        return Zenodo(record, archive, connections=config.connections, notify=notify)

    return Distribution(service, n_gb)


DISTRIBUTIONS: Mapping[str, Distribution] = {
    "shhs": _nsrr("shhs", 356),
    "mesa": _nsrr("mesa", 385),
    "mros": _nsrr("mros"),
    "cfs": _nsrr("cfs"),
    "wsc": _nsrr("wsc"),
    **{name: _nsrr(name) for name in ("ccshs", "chat", "sof", "abc", "homepap")},
    "sleep-edf": _physionet("sleep-edfx", "1.0.0", 8.1),
    "hmc": _physionet("hmc-sleep-staging", "1.1"),
    "cinc2018": _physionet("challenge-2018", "1.0.0"),
    "cap": _physionet("capslpdb", "1.0.0"),
    "boas": _openneuro(
        "ds005555", r"[^/]+\.(tsv|json)|sub-\d+/eeg/sub-\d+_task-Sleep_acq-psg_.*", 22.5
    ),
    "dod-h": _zenodo(15900394, "dodh.zip", 21.9),
    "dod-o": _zenodo(15900394, "dodo.zip", 36.2),
}
"""Corpora that can be fetched."""


@contextmanager
def stocked(
    corpora: Mapping[str, Path], config: FetchConfig, notify: Notify
) -> Iterator[dict[str, Stock]]:
    """Yield the stock of each corpus: its files on disk and on its server.

    Parameters
    ----------
    corpora
        Name of each corpus to fetch, and its folder, which keeps the list of files and the hashes of
        what was fetched.

    Raises
    ------
    BuildError
        If a corpus can't be fetched, or its list can't be had.
    """
    with ExitStack() as stack:
        services = {name: _service(name, config, notify, stack) for name in corpora}
        for root in {root.resolve(): root for root in corpora.values()}.values():
            stack.enter_context(_alone(root))
        lists = {name: _files(name, services[name], root) for name, root in corpora.items()}
        for name, root in corpora.items():
            _bring_index(name, services[name], root, lists[name])
        yield {
            name: stack.enter_context(
                Stock(services[name], root, lists[name], Ledger(root / STATE), keep=config.keep)
            )
            for name, root in corpora.items()
        }


def can_fetch(corpus: str) -> bool:
    """Return whether a corpus can be fetched."""
    return corpus in DISTRIBUTIONS


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Refuse a second command that fetches into a folder: they would delete each other's files."""
    state = root / STATE
    try:
        durable.make_folder(state)
    except OSError as error:
        raise unwritable(state, error) from error
    refusal = f"another command is fetching into {root}; wait for it, or give another --root"
    with lock.held(state / "lock", refusal, remedy="fix its permissions or choose another --root"):
        yield


def _service(corpus: str, config: FetchConfig, notify: Notify, stack: ExitStack) -> Service:
    if not can_fetch(corpus):
        raise BuildError(
            f"{corpus} can't be fetched; `psgimg sources` says how to get it, and which corpora can be"
        )
    service = DISTRIBUTIONS[corpus].open_service(config, notify)
    stack.enter_context(service.host)
    return service


def _files(corpus: str, service: Service, root: Path) -> list[RemoteFile]:
    """Return the kept list of a corpus's files, or ask for it once and keep it."""
    path = _list(corpus, root)
    try:
        address, *kept = bounded.read_json(path)
        if address == service.address:
            return [_from_json(values) for values in kept]
    except FileNotFoundError:
        pass
    except (OSError, ValueError, TypeError) as error:
        raise BuildError(
            f"{path} is damaged ({error}); delete it, and it is asked for again"
        ) from error
    try:
        files = service.files()
    except RecordingError as error:
        raise BuildError(f"{corpus} can't be fetched: {error.detail}") from error
    try:
        entries = [service.address, *map(_to_json, files)]
        atomic_file.write_text(path, json.dumps(entries, indent=0))
    except OSError as error:
        raise unwritable(path, error) from error
    return files


def _bring_index(corpus: str, service: Service, root: Path, files: list[RemoteFile]) -> None:
    """Bring the files that a corpus's reader needs to list recordings, unless they are there."""
    index = DISTRIBUTIONS[corpus].index
    for file in files:
        if str(file.path) in index and not (root / file.path).exists():
            try:
                service.fetch(file, root)
            except RecordingError as error:
                raise BuildError(f"{corpus} can't be fetched: {error.detail}") from error


def forget(corpus: str, root: Path) -> None:
    """Delete the kept list of a corpus whose files are no longer as listed: the next run asks anew."""
    _list(corpus, root).unlink(missing_ok=True)


def _list(corpus: str, root: Path) -> Path:
    return root / STATE / f"{corpus}.json"


def require_space(needed: Mapping[Path, int], remedy: str) -> None:
    """Refuse to begin if a disk can't hold the recordings that are there at the same time.

    Parameters
    ----------
    needed
        Folder of each corpus → bytes of its recordings; corpora may share a disk.
    remedy
        What to give instead, so that there are fewer of them.

    Raises
    ------
    BuildError
        If it can't.
    """
    disks: dict[int, list[Path]] = {}
    for root in needed:
        disks.setdefault(_existing(root).stat().st_dev, []).append(root)
    for root, *others in disks.values():
        free = shutil.disk_usage(_existing(root)).free
        n_bytes = sum(needed[one] for one in (root, *others))
        if n_bytes <= free:
            continue
        raise BuildError(
            f"the disk of {root} has {size(free)} free, but the recordings that are there at the same "
            f"time take up to {size(n_bytes)}; free some space, or {remedy}"
        )


def _existing(folder: Path) -> Path:
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())


def _to_json(file: RemoteFile) -> list[object]:
    return [str(file.path), file.url, file.size, [list(pair) for pair in file.checksums]]


def _from_json(values: list[object]) -> RemoteFile:
    path, url, size, checksums = values
    pairs = tuple((str(name), str(digest)) for name, digest in checksums)  # type: ignore[attr-defined]
    if not (size is None or isinstance(size, int)):
        raise TypeError(f"size {size!r}")
    return RemoteFile(relative(str(path), "the kept list"), str(url), size, pairs)
