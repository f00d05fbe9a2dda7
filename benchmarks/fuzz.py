"""Fuzzes the parsers of psgimg: ``python benchmarks/fuzz.py --inputs 100000 [--target NAME] [--seed S]``.

Every input is a valid one with some damage. A parser must accept it or refuse it by an error of
psgimg, in one line, within 5 s and 1 GB; anything else is a failure. Prints a table, saves the first
input of each kind of failure in ``--out`` with the command that repeats it, and exits with 1 if there
is any. The same seed gives the same inputs, so that a run can go on with ``--first`` where it ended.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fuzzing import work
from fuzzing.seeds import Seeds
from fuzzing.targets import TARGETS, Target
from fuzzing.work import Failure, Tally

CHUNK = 1_000
"""Inputs per process: a fresh one forgets what a library keeps."""

PATIENCE_S = 60.0
"""How long an input may take on the clock, waiting for a busy machine included."""

FORK = multiprocessing.get_context("fork")


@dataclass
class Job:
    """A process that parses a range of inputs."""

    name: str
    numbers: range
    process: ForkProcess
    results: Connection
    at: Synchronized[int]
    failures: list[Failure] = field(default_factory=list)
    seen: tuple[int, float] = field(default_factory=lambda: (-1, time.monotonic()))

    @property
    def stuck(self) -> bool:
        """Whether the process has been at one input for too long."""
        if self.at.value != self.seen[0]:
            self.seen = (self.at.value, time.monotonic())
        return time.monotonic() - self.seen[1] > PATIENCE_S


def main() -> None:
    """Fuzz the targets, print the table, and exit with 1 after any failure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--inputs", type=int, default=10_000, help="number in total (10000)")
    parser.add_argument("--target", action="append", choices=sorted(TARGETS), help="only this one")
    parser.add_argument("--seed", type=int, default=0, help="seed of all inputs (0)")
    parser.add_argument("--first", type=int, default=0, help="number of each target's first input")
    parser.add_argument("--workers", type=int, default=multiprocessing.cpu_count())
    parser.add_argument(
        "--out", type=Path, default=Path("fuzz-failures"), help="for failing inputs"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="psgimg-fuzz-", dir=work.room()) as folder:
        tempfile.tempdir = folder  # also removes what a process leaves that dies
        sys.exit(_fuzz(options))


def _fuzz(options: argparse.Namespace) -> bool:
    """Fuzz the targets and print the table; return whether anything failed."""
    names = options.target or list(TARGETS)
    began_s = time.monotonic()
    seeds = _seeds(names)
    tallies = {name: Tally() for name in names}
    try:
        for job_name, tally in _run(names, seeds, options):
            tallies[job_name].add(tally)
    except KeyboardInterrupt:  # what was counted until then is shown
        print("interrupted", file=sys.stderr)
    failures = [one for tally in tallies.values() for one in tally.failures]
    print(_table(tallies, time.monotonic() - began_s))
    _save(failures, seeds, options.seed, options.out)
    return bool(failures)


def _run(
    names: Sequence[str], seeds: dict[str, list[Seeds]], options: argparse.Namespace
) -> Iterator[tuple[str, Tally]]:
    """Run processes for all inputs, some at a time, and yield what each counted."""
    waiting = list(_ranges(names, options.inputs, options.first))[::-1]
    running: list[Job] = []
    while waiting or running:
        while waiting and len(running) < options.workers:
            name, numbers = waiting.pop()
            running.append(_start(name, options.seed, numbers, seeds[name]))
        wait([job.process.sentinel for job in running] + [job.results for job in running], 0.5)
        for job in list(running):
            ended = _ended(job)
            if ended is None:
                continue
            running.remove(job)
            yield job.name, ended
            if ended.inputs < len(job.numbers):  # it died; go on behind the input that killed it
                waiting.append((job.name, range(job.at.value + 1, job.numbers.stop)))


def _ranges(names: Sequence[str], n_inputs: int, first: int) -> Iterator[tuple[str, range]]:
    """Yield the inputs of every target in ranges, their total close to ``n_inputs``."""
    whole = sum(TARGETS[name].share for name in names)
    for name in names:
        stop = first + max(1, round(n_inputs * TARGETS[name].share / whole))
        for start in range(first, stop, CHUNK):
            yield name, range(start, min(start + CHUNK, stop))


def _start(name: str, seed: int, numbers: range, files: list[Seeds]) -> Job:
    results, end = FORK.Pipe(duplex=False)
    at = FORK.Value("q", numbers.start, lock=False)
    process = FORK.Process(target=work.run, args=(name, seed, numbers, files, at, end), daemon=True)
    process.start()
    end.close()
    return Job(name, numbers, process, results, at)


def _ended(job: Job) -> Tally | None:
    """Return what a process counted; None if it still runs."""
    while job.results.poll():
        try:
            news: Failure | Tally = job.results.recv()
        except EOFError:
            job.process.join()
            return _lost(job, f"the process ended with {job.process.exitcode}")
        if isinstance(news, Tally):
            job.process.join()
            news.failures = job.failures
            return news
        job.failures.append(news)
    if job.stuck:
        job.process.kill()
        job.process.join()
        return _lost(job, f"hang over {PATIENCE_S:g} s")
    return None


def _lost(job: Job, why: str) -> Tally:
    """Return the tally of a process that died at an input; those before it were parsed."""
    number = job.at.value
    before = number - job.numbers.start - len(job.failures)
    return Tally(refused=before, failures=[*job.failures, Failure(job.name, number, why, why)])


def _seeds(names: Iterable[str]) -> dict[str, list[Seeds]]:
    """Return the seeds of each target's input, and of the files beside it.

    They are made in a process of their own: threads that libraries start don't survive a fork.
    """
    results, end = FORK.Pipe(duplex=False)
    process = FORK.Process(target=_make_seeds, args=(list(names), end))
    process.start()
    end.close()
    made: dict[str, list[Seeds]] = results.recv()
    process.join()
    return made


def _make_seeds(names: Sequence[str], out: Connection) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made: dict[str, list[Seeds]] = {}
        for name in names:
            own = Path(folder) / name
            own.mkdir()
            target: Target = TARGETS[name]
            made[name] = [make(own) for make in (target.seeds, *target.beside.values())]
        out.send(made)


def _table(tallies: dict[str, Tally], took_s: float) -> str:
    head = ("target", "inputs", "refused", "accepted", "failed", "inputs/s", "worst ms", "peak MB")
    whole = Tally()
    lines = []
    for name, tally in tallies.items():
        whole.add(tally)
        lines.append((name, *_figures(tally, tally.seconds)))
    lines.append((f"all, in {took_s:.0f} s", *_figures(whole, took_s)))
    width = max(len(line[0]) for line in lines)
    return "\n".join(
        f"{first:<{width}}" + "".join(f"{cell:>10}" for cell in rest)
        for first, *rest in (head, *lines)
    )


def _figures(tally: Tally, took_s: float) -> tuple[str, ...]:
    per_s = tally.inputs / took_s if took_s else 0
    return (
        *(f"{n:,}" for n in (tally.inputs, tally.refused, tally.accepted, len(tally.failures))),
        f"{per_s:,.0f}",
        f"{1000 * tally.worst_s:,.0f}",
        f"{tally.peak_bytes / 1e6:,.0f}",
    )


def _save(failures: Sequence[Failure], seeds: dict[str, list[Seeds]], seed: int, out: Path) -> None:
    """Save the first input of each kind of failure, and print how to repeat it."""
    counts = Counter((one.target, one.kind) for one in failures)
    first = {(one.target, one.kind): one for one in reversed(failures)}
    for (name, kind), one in sorted(first.items()):
        folder = out / f"{name}-{seed}-{one.number}"
        path = work.place(TARGETS[name], folder, seeds[name][1:])
        path.write_bytes(work.fuzzed(name, seed, one.number, seeds[name][0]))
        (folder / "trace.txt").write_text(one.trace, encoding="utf-8", errors="backslashreplace")
        print(
            f"\n{name}: {kind} ({counts[name, kind]}), saved as {path}; again: python "
            f"benchmarks/fuzz.py --target {name} --seed {seed} --first {one.number} --inputs 1"
        )


if __name__ == "__main__":
    main()
