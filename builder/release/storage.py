"""Storage: whether the Hub has room for a release, asked before anything is drawn or sent."""

from __future__ import annotations

import os

from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.lfs import UploadInfo, post_lfs_batch_info
from psgimg.builder.release.hub import Repo
from psgimg.builder.release.retry import is_full, is_transient

LARGE_BYTES = 10 * 10**9
"""Size from which a repository is created to ask about its storage."""

FILE_BYTES = 500_000_000
"""About the size of a shard: files of this size are announced."""

MOST_FILES = 1_000


def caution(repo: Repo) -> str:
    """Return what to know of private storage, unless the Hub says that its owner pays for it."""
    owner = repo.id.partition("/")[0]
    if owner in repo.paying:
        return ""
    return (
        f"; private storage of that size may need a paid plan, and the Hub states none for {owner}: see "
        "https://huggingface.co/docs/hub/storage-limits"
    )


def require(repo: Repo, n_bytes: int) -> None:
    """Announce files of a total size to the Hub, as an upload does before it sends them.

    An answer other than that there is no room counts for nothing: the release itself will tell.

    Raises
    ------
    BuildError
        If the Hub answers that there is no room.
    """
    n_files = min(max(1, round(n_bytes / FILE_BYTES)), MOST_FILES)
    infos = [
        UploadInfo(size=n_bytes // n_files, sample=b"", sha256=os.urandom(32))
        for _ in range(n_files)
    ]

    def ask() -> None:
        try:
            post_lfs_batch_info(
                upload_infos=infos,
                token=str(repo.api.token),
                repo_type=repo.kind,
                repo_id=repo.id,
                endpoint=repo.api.endpoint,
            )
        except (HfHubHTTPError, ValueError) as error:
            if is_full(error) or is_transient(error):
                raise

    repo.submit(ask)
