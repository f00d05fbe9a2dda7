"""Work: parse a range of a target's inputs in a forked process, within limits of time and memory."""

from __future__ import annotations

import resource
import signal
import tempfile
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from random import Random
from time import process_time

import pyarrow as pa
from psgimg.builder.errors import PsgimgError

from fuzzing import mutate
from fuzzing.seeds import Seeds
from fuzzing.targets import TARGETS, Target

HANG_S = 5.0
"""Limit of processor time, which does not depend on what else the machine does."""
MEMORY_BYTES = 1_000_000_000


class Hang(BaseException):
    """An input took too long; no `except Exception` of a parser may swallow this."""


@dataclass(frozen=True)
class Failure:
    """An input at which a parser failed otherwise than by its own errors.

    Parameters
    ----------
    kind
        Exception and place in the code; failures of one kind have the same cause.
    """

    target: str
    number: int
    kind: str
    trace: str


@dataclass
class Tally:
    """What came of some inputs of a target."""

    refused: int = 0
    accepted: int = 0
    seconds: float = 0.0  # of processor time
    worst_s: float = 0.0
    peak_bytes: int = 0
    failures: list[Failure] = field(default_factory=list)

    @property
    def inputs(self) -> int:
        """Number of inputs."""
        return self.refused + self.accepted + len(self.failures)

    def add(self, other: Tally) -> None:
        """Add what came of further inputs."""
        self.refused += other.refused
        self.accepted += other.accepted
        self.seconds += other.seconds
        self.worst_s = max(self.worst_s, other.worst_s)
        self.peak_bytes = max(self.peak_bytes, other.peak_bytes)
        self.failures += other.failures


def fuzzed(name: str, seed: int, number: int, seeds: Seeds) -> bytes:
    """Return an input of a target; the same arguments give the same input."""
    rng, target = Random(f"{seed}/{name}/{number}"), TARGETS[name]
    data = mutate.mutated(rng, target.kind, rng.choice(seeds))
    return target.finish(data) if target.finish and rng.random() < 0.8 else data


def run(
    name: str,
    seed: int,
    numbers: range,
    files: Sequence[Seeds],
    at: Synchronized[int],
    out: Connection,
) -> None:
    """Parse some inputs, and send each ``Failure`` and at last a ``Tally`` of the others.

    Before each input, its number is written to ``at``.

    Parameters
    ----------
    files
        The seeds of the target's input, and those of each file beside it.
    """
    warnings.simplefilter("ignore")
    pa.set_cpu_count(1)  # the workers are what runs in parallel
    signal.signal(signal.SIGPROF, _hang)
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        path = place(TARGETS[name], Path(folder), files[1:])
        path.write_bytes(files[0][0])
        TARGETS[name].parse(path)  # valid; loads what the parser loads when it is first used
        start_bytes, limit = _memory("VmRSS"), _memory("VmSize") + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        for number in numbers:
            at.value = number
            path.write_bytes(fuzzed(name, seed, number, files[0]))
            parse(name, number, path, tally)
            while tally.failures:  # sent at once: a later input may end the process
                out.send(tally.failures.pop())
    tally.peak_bytes = max(0, _memory("VmHWM") - start_bytes)
    out.send(tally)


def parse(name: str, number: int, path: Path, tally: Tally) -> None:
    """Parse one input and add what came of it."""
    start_s = process_time()
    signal.setitimer(signal.ITIMER_PROF, HANG_S)
    try:
        TARGETS[name].parse(path)
        tally.accepted += 1
    except PsgimgError as error:
        if len(str(error).splitlines()) == 1:
            tally.refused += 1
        else:
            tally.failures.append(Failure(name, number, "message of several lines", str(error)))
    except (Exception, Hang) as error:
        tally.failures.append(Failure(name, number, kind_of(error), traceback.format_exc()))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    took_s = process_time() - start_s
    tally.seconds += took_s
    tally.worst_s = max(tally.worst_s, took_s)


def place(target: Target, folder: Path, beside: Sequence[Seeds]) -> Path:
    """Write the files beside an input, and return the path of the input."""
    for name, content in zip(target.beside, beside, strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content[0])
    path = folder / target.file
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def kind_of(error: BaseException) -> str:
    """Return an exception's type and the deepest place of psgimg's code in its trace."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        frame for frame in frames if "/builder/" in frame.filename or "/finetune/" in frame.filename
    ]
    last = (own or list(frames))[-1]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"


def room() -> str | None:
    """Return a folder in memory for the inputs, if the system has one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _hang(*_: object) -> None:
    raise Hang(f"over {HANG_S:g} s")


def _memory(key: str) -> int:
    """Return a figure of this process in bytes: VmRSS, VmHWM (its highest) or VmSize."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return 1024 * int(line.split()[1])
    return 0
