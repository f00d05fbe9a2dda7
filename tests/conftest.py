"""Fixtures that more than one test module needs."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED_PSG = Path(__file__).resolve().parents[2] / "shared" / "psg"


@pytest.fixture(scope="session")
def shared_psg() -> Path:
    """The folder of real recordings beside the project, if it is there."""
    if not (SHARED_PSG / "INDEX.md").exists():
        pytest.skip("no folder ../shared/psg with real recordings beside the project")
    return SHARED_PSG
