"""Fixtures that more than one test module needs."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

STEERS = (
    "ACCELERATE_",
    "DATASETS_",
    "HF_",
    "HUGGING",
    "MNE_",
    "OPENAI_",
    "PSGIMG_",
    "TRANSFORMERS_",
)
"""Beginnings of environment variables that steer psgimg or a library under it."""

ALONE = (
    *(f"{kind}_PROXY" for kind in ("ALL", "FTP", "HTTP", "HTTPS", "NO")),
    *("COLUMNS", "FORCE_COLOR", "NO_COLOR", "PYTHONWARNINGS", "RANK", "WORLD_SIZE"),
)
"""Others that do, by their whole names."""


RECORDINGS = "PSGIMG_TEST_RECORDINGS"
"""The variable that names the folder of real recordings."""

GRADIO = "PSGIMG_TEST_GRADIO"
"""The variable that names the Python of an environment with gradio."""


def _clean_environment() -> None:
    """Set what tests rely on, and nothing else, in this process and in those that it starts.

    Before any library is loaded that reads its settings only then.
    """
    for name in list(os.environ):
        steers = name.upper().startswith(STEERS) or name.upper() in ALONE
        if steers and name not in (RECORDINGS, GRADIO):
            del os.environ[name]
    home = tempfile.mkdtemp(prefix="psgimg-tests-")  # nobody's token, nobody's cache
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ |= {"HF_HOME": home, "XDG_CACHE_HOME": home, "HF_HUB_DISABLE_TELEMETRY": "1"}
    # Each of pytest's workers has one core, and OpenMP would spin on all.
    os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}


def _heed_signals() -> None:
    """Have tests and the processes that they start end by signals, as they do in a terminal.

    A shell that starts pytest in the background, or `nohup`, has them ignored.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)


_clean_environment()
_heed_signals()

# A busy machine is no fault of the code, and a change has to answer for the same examples whenever it
# is tested. `pytest -m hypothesis --hypothesis-profile search` looks for others.
settings.register_profile(
    "search", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=False
)
settings.register_profile("psgimg", settings.get_profile("search"), derandomize=True)
settings.load_profile("psgimg")

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "psg"
"""Where the recordings are expected if the variable is not set."""


def pytest_configure(config: pytest.Config) -> None:
    """Make warnings of the helpers in ``support`` errors, as those of psgimg and of tests are."""
    helpers = sorted(path.stem for path in (Path(__file__).parent / "support").glob("*.py"))
    config.addinivalue_line("filterwarnings", rf"error:::({'|'.join(helpers)})$")


@pytest.fixture(scope="session")
def real_recordings() -> Path:
    """The folder of real recordings, if there is one."""
    folder = Path(os.environ.get(RECORDINGS) or BESIDE)
    if not (folder / "INDEX.md").exists():
        pytest.skip(f"no real recordings in {folder}; name their folder in {RECORDINGS}")
    return folder


@pytest.fixture(scope="session")
def demo_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole demo corpus, written once."""
    from psgimg.builder.corpora import demo

    root = tmp_path_factory.mktemp("demo")
    demo.write(root)
    return root
