"""Local network: what the address of a server is, and whether that server is in it.

Pictures of restricted corpora may not leave this machine and its private network.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from psgimg.builder.errors import BuildError


def require_address(url: str) -> None:
    """Raise BuildError if this is not the address of a server."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port above 65535, or half of an IPv6 address
        valid = False
    if not valid:
        raise BuildError(
            f"--endpoint {url}: no address of a server; write it like http://127.0.0.1:8000/v1"
        )


def is_local(url: str) -> bool:
    """Return whether a server is on this machine or in a private network."""
    try:
        entries = socket.getaddrinfo(urlsplit(url).hostname, None)
        addresses = {ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in entries}
    except (OSError, ValueError, UnicodeError):
        return False
    return all(address.is_private or address.is_loopback for address in addresses)


def require_own(url: str, restricted: Sequence[str]) -> None:
    """Raise BuildError if pictures of restricted corpora would go to a server outside the local network."""
    if not restricted or is_local(url):
        return
    raise BuildError(
        f"--endpoint {url}: pictures of {', '.join(restricted)} may not be passed on, and this server is "
        "outside your network; serve the model yourself, or, if your agreement allows it, pass "
        "--send-restricted"
    )


def unproxied(url: str) -> dict[str, None]:
    """Return the mounts of a client that reaches a local server directly, not through a proxy.

    A proxy set for the Internet would receive pictures that may not leave the local network.
    """
    host = urlsplit(url).hostname if is_local(url) else None
    return {f"all://[{host}]" if ":" in host else f"all://{host}": None} if host else {}
