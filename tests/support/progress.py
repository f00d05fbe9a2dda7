"""A progress that remembers."""


class Told:
    """A progress that keeps what it was told."""

    def __init__(self):
        self.n_pages, self.n_kept, self.n_done, self.notes = 0, 0, 0, []

    def start(self, n_pages, n_kept):
        self.n_pages, self.n_kept = n_pages, n_kept

    def advance(self, n_pages):
        self.n_done += n_pages

    def note(self, message):
        self.notes.append(message)
