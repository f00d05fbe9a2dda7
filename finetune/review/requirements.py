"""Requirements: check that the libraries of the extra ``review`` are installed."""

from __future__ import annotations

from importlib.util import find_spec

from psgimg.builder.errors import BuildError

LIBRARIES = ("starlette", "uvicorn")


def require() -> None:
    """Check the libraries before anything imports them.

    Raises
    ------
    BuildError
        If one is not installed.
    """
    if missing := [name for name in LIBRARIES if find_spec(name) is None]:
        raise BuildError(
            f"psgimg review needs {' and '.join(missing)}; install with: pip install 'psgimg[review]'"
        )
