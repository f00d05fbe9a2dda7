"""Writing: the files of reviewed nights follow their journals, in a thread, soon after each edit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Thread

from psgimg.builder.errors import BuildError
from psgimg.finetune.review.night import Night


class Writer:
    """Writes the files of nights that have changed, each night once however many edits came meanwhile."""

    def __init__(self) -> None:
        self._changed: dict[str, Night] = {}
        self._news = Condition()
        self._ended = False

    def changed(self, night: Night) -> None:
        """Have the files of a night written."""
        with self._news:
            self._changed[night.place.key] = night
            self._news.notify()

    def run(self) -> None:
        """Write until the end is asked for and nothing is left to write."""
        while True:
            with self._news:
                self._news.wait_for(lambda: self._changed or self._ended)
                if not self._changed:
                    return
                night = self._changed.pop(next(iter(self._changed)))
            try:
                night.write()
                night.unwritten = None
            except (BuildError, OSError) as error:  # told on the page; the journal has everything
                night.unwritten = str(error)

    def end(self) -> None:
        """Ask for the end."""
        with self._news:
            self._ended = True
            self._news.notify()


@contextmanager
def writing() -> Iterator[Writer]:
    """Run a writer in a thread, and wait at the end until everything is written."""
    writer = Writer()
    thread = Thread(target=writer.run, name="writer")
    thread.start()
    try:
        yield writer
    finally:
        writer.end()
        thread.join()
