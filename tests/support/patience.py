"""Patience: tests wait for what must happen, as long as a test may take, and never for a clock."""

import time
from collections.abc import Callable

PATIENCE_S = 280.0
"""Just below the limit of a test (``timeout`` in pyproject.toml): a busy machine fails nothing."""


def wait_for(condition: Callable[[], object], what: Callable[[], str] = lambda: "") -> None:
    """Wait until a condition holds; ``what`` tells why it may not have, if it never does."""
    stop = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < stop, f"waited in vain {what()}"
        time.sleep(0.02)
