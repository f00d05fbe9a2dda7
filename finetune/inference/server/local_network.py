"""Local network: whether a server is on this machine or in a private network, which pictures may not leave."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit


def is_local(url: str) -> bool:
    """Return whether a server is on this machine or in a private network."""
    try:
        entries = socket.getaddrinfo(urlsplit(url).hostname, None)
        addresses = {ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in entries}
    except (OSError, ValueError, UnicodeError):
        return False
    return all(address.is_private or address.is_loopback for address in addresses)


def unproxied(url: str) -> dict[str, None]:
    """Return the mounts of a client that reaches a local server directly, not through a proxy.

    A proxy set for the Internet would receive pictures that may not leave the local network.
    """
    host = urlsplit(url).hostname if is_local(url) else None
    return {f"all://[{host}]" if ":" in host else f"all://{host}": None} if host else {}
