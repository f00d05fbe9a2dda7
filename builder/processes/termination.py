"""Termination: the signals that end a command do so as Ctrl-C does, with a message and clean-up.

A cluster ends a job with SIGTERM (or a signal that its user chose) and kills it half a minute later;
a terminal that is closed sends SIGHUP. The first signal raises :class:`Terminated` in the main
thread, so that ``finally`` clauses end child processes and remove temporary files. A second signal,
or a clean-up longer than ``GRACE_S``, ends the process at once, with the same status. A command that
works through many tasks can have one of the signals ask for an end after those in progress:
:func:`requested`.
"""

from __future__ import annotations

import _thread
import atexit
import os
import signal
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

WORDS = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "terminated",
    signal.SIGHUP: "terminated (the terminal was closed)",
    signal.SIGUSR1: "terminated (by SIGUSR1)",
    signal.SIGXCPU: "terminated (the limit of CPU time was reached)",
}
"""Signals that end a command, with the word that its message begins with."""

REMEDY = "run the same command again to resume"

GRACE_S = 20.0
"""Longest clean-up; clusters kill a process 30 s after SIGTERM."""

REPEAT_S = 0.3
"""A signal this soon after the first is the same one, sent to process and group, say."""


class Request:
    """Whether a signal has asked a command to end once the work in progress is done."""

    made = False

    def __call__(self) -> bool:
        """Return whether the signal has come."""
        return self.made


@contextmanager
def requested(number: signal.Signals = signal.SIGUSR1) -> Iterator[Request]:
    """Have a signal ask for an end, which otherwise ends the command at once.

    Outside the main thread, which alone receives signals, nothing is ever asked.
    """
    request = Request()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def ask(_number: int, _frame: FrameType | None) -> None:
        request.made = True

    before = signal.signal(number, ask)
    try:
        yield request
    finally:
        signal.signal(number, before)


class Terminated(KeyboardInterrupt):
    """A signal has ended the command. Code that handles Ctrl-C handles it too."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number.name)
        self.number = number


@contextmanager
def handled() -> Iterator[None]:
    """Raise :class:`Terminated` for the signals in ``WORDS`` while a command runs.

    Signals that are ignored, as SIGHUP under ``nohup``, remain so. Outside the main thread, which
    alone receives signals, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in WORDS}
    replaced = {n: h for n, h in before.items() if h not in (signal.SIG_IGN, None)}
    handler = _Handler()
    for number in replaced:
        signal.signal(number, handler)
    try:
        yield
    finally:
        if not handler.received:  # else a second signal must still end the process at once
            for number, earlier in replaced.items():
                signal.signal(number, earlier)


class _Handler:
    """Handler of the signals of one command; forked children, which inherit it, end as usual."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._first_s = 0.0

    @property
    def received(self) -> bool:
        """Whether a signal has been received."""
        return self._first_s > 0

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        received = signal.Signals(number)
        if os.getpid() != self._process:
            signal.signal(received, signal.SIG_DFL)
            os.kill(os.getpid(), received)
        elif not self.received:
            self._first_s = time.monotonic()
            # Workers that the signal ends too are no failure, as PyTorch would report. The default
            # action would not do: of a signal that has come already, Python would complain.
            signal.signal(signal.SIGCHLD, _do_nothing)
            atexit.register(_ignore_further)
            if received == signal.SIGHUP:
                leave_closed_terminal()
            # `threading` takes locks that the interrupted code may hold.
            _thread.start_new_thread(_end_late, (received,))
            raise Terminated(received)
        elif time.monotonic() - self._first_s > REPEAT_S:
            os._exit(status(received))


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    """Handle a signal that means nothing any more."""


def _ignore_further() -> None:
    """Ignore the signals from here on, where there is nothing left to do but to exit.

    Python restores their default actions when it shuts down, and one that comes then, such as the
    terminal's own beside that of its shell, would end the process with another status.
    """
    for number in WORDS:
        signal.signal(number, signal.SIG_IGN)


def status(number: signal.Signals) -> int:
    """Return the exit status of a process that a signal has ended, as shells do."""
    return 128 + number


def number_of(error: BaseException | None) -> signal.Signals:
    """Return the signal behind an exception or its causes; SIGINT for any other Ctrl-C."""
    while error is not None:
        if isinstance(error, Terminated):
            return error.number
        error = error.__cause__ or error.__context__
    return signal.SIGINT


def message(number: signal.Signals, remedy: str = REMEDY) -> str:
    """Return the one-line message of a command that a signal has ended."""
    return f"{WORDS[number]}; {remedy}"


def leave_closed_terminal() -> bool:
    """Discard output to a terminal that was closed, as writing to it fails; return if there is one.

    Writing may fail a moment before SIGHUP comes.
    """
    null = os.open(os.devnull, os.O_RDWR)
    driver = os.major(os.fstat(null).st_rdev)
    closed = False
    for descriptor in (0, 1, 2):
        with suppress(OSError):
            found = os.fstat(descriptor)
            device = stat.S_ISCHR(found.st_mode) and os.major(found.st_rdev) != driver
            if device and not os.isatty(descriptor):
                os.dup2(null, descriptor)
                closed = True
    os.close(null)
    return closed


def _end_late(number: signal.Signals) -> None:
    """End the process when its clean-up takes too long."""
    time.sleep(GRACE_S)
    with suppress(OSError):
        os.write(2, f"psgimg: {message(number)} (cleaning up took too long)\n".encode())
    os._exit(status(number))
