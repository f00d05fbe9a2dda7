"""A client of the test Hub in this process: endpoint, token and caches of its own.

It waits as long as a busy machine needs, and no longer between attempts than it must.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hub_server import TIME_LIMITS, HubServer
from huggingface_hub import close_session
from patience import PATIENCE_S
from progress import Remembered
from psgimg.builder import http_retry
from psgimg.builder.release.push import PushConfig, Pushed, push
from psgimg.builder.release.visibility import Wish


@contextmanager
def signed_in(home: Path, user: str = "alice", role: str = "write") -> Iterator[HubServer]:
    """A Hub, and this process signed in to it."""
    with HubServer() as hub, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_TOKEN", hub.token(user, role))
        patch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        patch.setattr(
            "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE",
            hub.url + "/{repo_id}/resolve/{revision}/{filename}",
        )
        patch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(home / "hub"))
        patch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        patch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_PROGRESS_BARS", True)
        patch.setattr("datasets.config.HF_ENDPOINT", hub.url)
        patch.setattr("datasets.config.HF_DATASETS_CACHE", home / "datasets")
        patch.setattr(http_retry, "LONGEST_WAIT_S", 0.02)
        for name in TIME_LIMITS:
            patch.setattr(f"huggingface_hub.constants.{name}", int(PATIENCE_S))
        for name in ("REQUEST_S", "DEADLINE_S"):
            patch.setattr(f"psgimg.finetune.hub.{name}", PATIENCE_S)
        try:
            yield hub
        finally:
            close_session()


def pushed(folder: Path, name: str = "psg-images", **options) -> Pushed | None:
    """Push a folder; ``public`` and ``permission`` are wishes. ``plans`` gathers what is shown."""
    wish = Wish(options.pop("public", False), options.pop("permission", ""))
    progress, plans = options.pop("progress", Remembered()), options.pop("plans", [])
    return push(PushConfig(folder, name, wish, **options), progress, plans.append)
