"""Hub: models and datasets that a command names, looked up before any work, within seconds."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from psgimg.builder.errors import BuildError
from psgimg.builder.files import safe_names, secrets

if TYPE_CHECKING:
    from huggingface_hub import HfApi

Kind = Literal["model", "dataset"]

REQUEST_S, DEADLINE_S = 5.0, 10.0
"""Time limit of each step of a request, and of all of it, including the look-up of the host."""

FILES = {
    "model": ("psgimg.json", "adapter_config.json", "config.json"),
    "dataset": ("build.json",),
}
"""Files of which a repository in the cache has one."""

_present: set[tuple[str, Kind, str | None]] = set()
"""Repositories known to exist, which are not looked up again."""


def require(name: str, kind: Kind, revision: str | None = None) -> None:
    """Refuse a name that is neither a folder nor a repository on the Hub or in its cache.

    If the Hub can't be reached, the cache is used for the rest of the process, without retries.

    Parameters
    ----------
    name
        Path of a folder, or id of a repository.
    revision
        Branch, tag or commit; None means the newest.

    Raises
    ------
    BuildError
        If there is neither.
    """
    key = (name, kind, revision)
    if key in _present or folder(name) is not None:
        return
    if _is_file(name):
        raise BuildError(f"{name} is a file; give the folder of a {kind}, or its id on the Hub")
    error = _look_up(name, kind, revision)
    if error is not None:
        if not (_is_unreachable(error) and _is_cached(name, kind, revision)):
            raise BuildError(refusal(name, kind, revision, error))
        _go_offline()
    _present.add(key)


def is_public(model: str) -> bool:
    """Return whether anybody can download a model: it is neither private nor gated, as far as is known."""
    from huggingface_hub import HfApi

    try:
        info = HfApi().model_info(model, timeout=REQUEST_S)
    except Exception:  # of any library below: unknown is not public
        return False
    return not info.private and not info.gated


def folder(name: str) -> Path | None:
    """Return the folder of that name, with ``~`` expanded; None if there is none."""
    try:
        path = safe_names.expanded(name)
        return path if name and path.is_dir() else None
    except OSError:  # too long for a name
        return None


def refusal(name: str, kind: Kind, revision: str | None, error: BaseException) -> str:
    """Return a one-line message for a repository that can't be used, with the remedy."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if isinstance(error, GatedRepoError):
        return f"{name} is gated: request access on its page on the Hub, then `hf auth login`"
    if isinstance(error, RevisionNotFoundError):
        return f"{name} has no revision {revision}; its branches and tags are listed on its page"
    if isinstance(error, RepositoryNotFoundError):
        why = f"{name} is neither a folder nor a visible {kind} on the Hub"
        remedy = "check the name, and `hf auth login` if it is private"
    elif isinstance(error, HFValidationError):
        why, remedy = f"folder {name} not found", "check the path"
    else:
        why = f"{name} is not a folder, and can't be downloaded from the Hub ({line(error)})"
        remedy = "check the name and the network"
    if kind == "dataset":
        return f"{why}; {remedy}; a dataset is a folder written by `psgimg build`, or a Hub id"
    return f"{why}; {remedy}; a model is a folder, such as `psgimg sft` writes, or a Hub id"


def line(error: BaseException) -> str:
    """Return an error as one line without tokens."""
    return secrets.mask(" ".join(str(error).split()))[:300]


def _look_up(name: str, kind: Kind, revision: str | None) -> Exception | None:
    """Return why a repository can't be used; None if it exists, or the Hub answers otherwise.

    The look-up of the host can't be limited in time, so that all is done in a thread, but for the
    import of the client, which may take longer.
    """
    from huggingface_hub import HfApi

    api = HfApi()
    outcome: list[Exception | None] = []
    asking = threading.Thread(
        target=lambda: outcome.append(_answer(api, name, kind, revision)), daemon=True
    )
    asking.start()
    asking.join(DEADLINE_S)
    return outcome[0] if outcome else TimeoutError(f"no answer within {DEADLINE_S:g} s")


def _answer(api: HfApi, name: str, kind: Kind, revision: str | None) -> Exception | None:
    from huggingface_hub.errors import (
        HfHubHTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        api.repo_info(name, repo_type=kind, revision=revision, timeout=REQUEST_S)
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        return error
    except HfHubHTTPError:
        return None  # the download retries what may pass, and reports what does not
    except Exception as error:  # of any library below: shown in one line
        return error
    return None


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except OSError:
        return False


def _is_unreachable(error: Exception) -> bool:
    """Whether the Hub did not answer at all, or may not be contacted."""
    import httpx2

    return isinstance(error, httpx2.TransportError | OSError) and not hasattr(error, "response")


def _is_cached(name: str, kind: Kind, revision: str | None) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return any(
        isinstance(try_to_load_from_cache(name, file, repo_type=kind, revision=revision), str)
        for file in FILES[kind]
    )


def _go_offline() -> None:
    """Keep the Hub client, and the libraries that use it, from waiting for the network again."""
    from huggingface_hub import constants

    constants.HF_HUB_OFFLINE = True
