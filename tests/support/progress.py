"""A progress that remembers."""

from collections.abc import Callable


class Remembered:
    """Keeps tasks, totals and notes; ``at`` may call something when a task begins, ``heard`` at a note."""

    def __init__(self) -> None:
        self.tasks: list[str] = []
        self.totals: dict[str, int | None] = {}
        self.n_done, self.n_pages = 0, 0
        self.notes: list[str] = []
        self.at: dict[str, Callable[[], None]] = {}
        self.heard: Callable[[str], object] = lambda note: None

    def start(self, task: str, total: int | None = None, unit: str = "") -> None:
        self.tasks.append(task)
        self.totals[task] = total
        self.at.pop(task, lambda: None)()

    def advance(self, n: int = 1, pages: int = 0) -> None:
        self.n_done += n
        self.n_pages += pages

    def note(self, message: str) -> None:
        self.notes.append(message)
        self.heard(message)

    @property
    def total(self) -> int | None:
        """Units of the last task; 0 if none began."""
        return self.totals[self.tasks[-1]] if self.tasks else 0

    @property
    def n_kept(self) -> int:
        """What was there from an earlier run, as the note says."""
        kept = [note for note in self.notes if "from an earlier run" in note]
        return int(kept[0].split()[0]) if kept else 0
