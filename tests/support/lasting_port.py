"""A port that is free and stays so: the system gives it to nobody who asks for any port."""

import os
import socket
from pathlib import Path

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
"""States the first and the last port of those that the system gives."""


def lasting_port() -> int:
    """Return a port of this machine on which a server can be started, ended and started again."""
    first = int(RANGE.read_text().split()[0]) - os.getpid() % 1000  # other workers begin elsewhere
    for port in range(first - 1, 1024, -1):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)):
                return port
    raise OSError("no port is free")
