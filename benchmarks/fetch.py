"""Fetch: a build whose nights come from a server, compared with a build from files.

    python benchmarks/fetch.py [--nights 30] [--workers 2] [--faults] [--out FILE.json]

A server on this machine gives synthetic nights of 8 h as sleepdata.org does. Without ``--faults`` it
is as fast as it can be, which shows what fetching costs. With ``--faults`` it drops connections,
answers 503, has no Range requests and refuses one night. Either way the shards must be the same
bytes, and the most that was on disk at the same time is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import nights

SUPPORT = Path(__file__).resolve().parents[1] / "tests" / "support"
PSGIMG = [sys.executable, "-P", "-c", "from psgimg.builder.cli import main; main()"]
POLL_S = 0.02


def main() -> None:
    """Measure, print JSON, and write it if a file is given; exit status 1 if the shards differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nights", type=int, default=30)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--faults", action="store_true", help="a server that does all it should not"
    )
    parser.add_argument("--out", type=Path, help="also write the JSON to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="psgimg-fetch-") as folder:
        result = measure(Path(folder), options.nights, options.workers, options.faults)
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")
    sys.exit(0 if result["same_shards"] else 1)


def measure(place: Path, n_nights: int, workers: int, faults: bool) -> dict[str, Any]:
    """Build from files and from a server; return seconds, peak disk, and whether both are the same."""
    sys.path.insert(0, str(SUPPORT))
    from nsrr_server import TOKEN, NsrrServer

    full, root = place / "full", place / "fetched"
    nights.write(full, n_nights)
    edfs = [nights.paths(full, number)[0] for number in range(n_nights)]
    server = NsrrServer("shhs", full)
    addresses = [server.address(path.relative_to(full).as_posix()) for path in edfs]
    if faults:
        server.ranges = False
        server.refused = {edfs[n_nights // 2].relative_to(full).as_posix()}
        for number, address in enumerate(addresses):
            server.faults[address] = [["drop"], [503, "drop"], ["wrong"], []][number % 4]
    environment = {**os.environ, "PSGIMG_NSRR_URL": server.url, "NSRR_TOKEN": TOKEN}
    watch = _Watch(root / "polysomnography")
    afar_s = _build(root, place / "afar", workers, environment, "--fetch")
    peak_bytes = watch.end()
    if faults:
        edfs[n_nights // 2].write_bytes(b"")  # set aside too, so that the same people are placed
    local_s = _build(full, place / "local", workers, environment)
    report = json.loads((place / "afar" / "build.json").read_text(encoding="utf-8"))
    server.close()
    night_bytes = max(
        sum(path.stat().st_size for path in nights.paths(full, number))
        for number in range(n_nights)
    )
    return {
        "nights": n_nights,
        "workers": workers,
        "faults": faults,
        "built": len(report["recordings"]),
        "set_aside": [[one["recording"], one["reason"]] for one in report["set_aside"]],
        "same_shards": _shards(place / "afar") == _shards(place / "local"),
        "seconds_from_files": round(local_s, 1),
        "seconds_fetched": round(afar_s, 1),
        "ratio": round(afar_s / local_s, 2),
        "night_mb": round(night_bytes / 1e6, 1),
        "peak_disk_mb": round(peak_bytes / 1e6, 1),
        "bound_mb": round((2 * workers + 4) * night_bytes / 1e6, 1),
        "at_most_connections": server.at_most,
    }


class _Watch:
    """A thread that remembers the most bytes that were in a folder at the same time."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._most = folder, 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> int:
        """Stop watching, and return the most bytes."""
        self._ended.set()
        self._thread.join()
        return self._most

    def _watch(self) -> None:
        while not self._ended.wait(POLL_S):
            sizes = 0
            for path in self._folder.rglob("*"):
                try:
                    sizes += path.stat().st_size if path.is_file() else 0
                except FileNotFoundError:  # deleted meanwhile
                    continue
            self._most = max(self._most, sizes)


def _build(
    root: Path, out: Path, workers: int, environment: dict[str, str], *options: str
) -> float:
    command = [*PSGIMG, "build", "--source", "shhs", "--root", str(root), "--out", str(out)]
    command += ["--workers", str(workers), *options]
    begin_s = time.perf_counter()
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin_s


def _shards(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*.parquet")}


if __name__ == "__main__":
    main()
