"""Fixtures that more than one test module needs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Before torch is loaded: each of pytest's workers has one core, and OpenMP would spin on all.
os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

settings.register_profile("psgimg", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("psgimg")

SHARED_PSG = Path(__file__).resolve().parents[2] / "shared" / "psg"


@pytest.fixture(scope="session")
def shared_psg() -> Path:
    """The folder of real recordings beside the project, if it is there."""
    if not (SHARED_PSG / "INDEX.md").exists():
        pytest.skip("no folder ../shared/psg with real recordings beside the project")
    return SHARED_PSG


@pytest.fixture(scope="session")
def demo_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole demo corpus, written once."""
    from psgimg.builder.corpora import demo

    root = tmp_path_factory.mktemp("demo")
    demo.write(root)
    return root
