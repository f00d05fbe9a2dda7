"""Fleet: work on one device in this process, or on several with a process for each."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Any, Generic, TypeVar

from psgimg.builder.errors import BuildError, PsgimgError
from psgimg.builder.processes import parent
from psgimg.builder.processes.pool import OF_PARENT

Handle = TypeVar("Handle")
Task = TypeVar("Task")
Result = TypeVar("Result")
Note = Callable[[str], None]
Open = Callable[[str, Note], AbstractContextManager[Handle]]
Work = Callable[[Handle, Sequence[Task]], Iterator[Result]]

END_S = 5.0
"""How long a process may take to end when it is told to."""


class Fleet(Generic[Handle]):
    """Devices with a model on each, used as a context manager.

    A task is done in the same way wherever it is done, so that results do not depend on the number
    of devices. Models are loaded when the first work is given.

    Parameters
    ----------
    open_
        Loads what the work needs, given the name of a device and where to note something for the
        user; a picklable function.
    devices
        Names of the devices.
    note
        Called with a line for the user; the same line of several devices once.
    """

    def __init__(self, open_: Open[Handle], devices: Sequence[str], note: Note) -> None:
        self._open, self._devices, self._note = open_, devices, note
        self._noted: set[str] = set()
        self._handle: list[Handle] = []
        self._members: list[_Member] = []
        self._stack = ExitStack()

    def __enter__(self) -> Fleet[Handle]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for member in self._members:
            member.dismiss(at_once=kind is not None)
        for member in self._members:
            member.end()
        self._stack.__exit__(kind, error, trace)

    def begin(self) -> None:
        """Load the model here, or have the processes load it, if that has not been done."""
        if self._handle or self._members:
            return
        if len(self._devices) == 1:
            opened = self._open(self._devices[0], self._note)
            self._handle.append(self._stack.enter_context(opened))
        else:
            self._members = [
                _Member.start(self._open, device, shows=number == 0)
                for number, device in enumerate(self._devices)
            ]

    def run(
        self, work: Work[Handle, Task, Result], tasks: Sequence[Task]
    ) -> Generator[Result, None, None]:
        """Yield the results of some tasks in order.

        Parameters
        ----------
        work
            Yields the results of some tasks in order; picklable if there are several devices.

        Raises
        ------
        BuildError
            If the work raises it, or the process of a device dies.
        """
        self.begin()
        if self._handle:
            yield from work(self._handle[0], tasks)
            return
        n = len(self._members)
        for i, member in enumerate(self._members):
            member.send((work, tasks[i::n]), self._tell)
        for k in range(len(tasks)):
            yield self._members[k % n].result(self._tell)

    def _tell(self, line: str) -> None:
        if line not in self._noted:
            self._noted.add(line)
            self._note(line)


@dataclass(frozen=True)
class _Member:
    """The process of a device, and the pipe to it."""

    device: str
    process: SpawnProcess
    pipe: Connection

    @classmethod
    def start(cls, open_: Open[Any], device: str, *, shows: bool) -> _Member:
        """Start the process of a device; libraries show progress if ``shows``."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(open_, device, theirs, os.getpid(), shows))
        with _signals_left_to_parent():
            process.start()
        theirs.close()  # so that its end is seen here
        return cls(device, process, ours)

    def send(self, message: Any, tell: Note) -> None:
        try:
            self.pipe.send(message)
        except OSError:
            self.result(tell)  # raises the error that has ended the process

    def result(self, tell: Note) -> Any:
        """Return the next result, and pass on what is noted before it."""
        while True:
            try:
                kind, value = self.pipe.recv()
            except (EOFError, OSError):
                raise self._died() from None
            if kind == "result":
                return value
            if kind == "note":
                tell(value)
            elif kind == "failed":
                raise RuntimeError(f"on {self.device}: {value}")
            else:
                raise value

    def dismiss(self, *, at_once: bool) -> None:
        """Tell the process to end, in the midst of its work if at once."""
        self.pipe.close()
        if at_once:
            self.process.terminate()

    def end(self) -> None:
        """Wait for the process to end, and kill it if it does not."""
        self.process.join(END_S)
        self.process.kill()
        self.process.join()

    def _died(self) -> BuildError:
        self.process.join(END_S)
        code = self.process.exitcode
        how = f"was killed by {signal.Signals(-code).name}" if code and code < 0 else "has ended"
        return BuildError(
            f"the process of {self.device} {how}, probably for want of memory; run the same command "
            "again to go on, with fewer in --device or a smaller --batch-size"
        )


@contextmanager
def _signals_left_to_parent() -> Iterator[None]:
    """Have a process that starts meanwhile leave Ctrl-C to this one, which ends it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, OF_PARENT)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(open_: Open[Any], device: str, pipe: Connection, parent_pid: int, shows: bool) -> None:
    """Do work on a device until the parent is gone. The main function of a member's process."""
    parent.end_with(parent_pid)
    if not shows:
        os.environ["TQDM_DISABLE"] = "1"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # with the clean-up of libraries
    try:
        with open_(device, lambda line: pipe.send(("note", line))) as handle:
            while True:
                work, tasks = pipe.recv()
                for result in work(handle, tasks):
                    pipe.send(("result", result))
    except (EOFError, BrokenPipeError):  # dismissed
        return
    except PsgimgError as error:
        pipe.send(("error", error))
    except Exception:
        pipe.send(("failed", traceback.format_exc()))
