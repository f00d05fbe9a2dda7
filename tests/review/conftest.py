"""The browser of a module of tests, each of which opens windows of its own."""

import pytest
from browser import chromium


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started
