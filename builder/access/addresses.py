"""Addresses: where the services are; an environment variable gives that of a mirror or a test."""

from __future__ import annotations

import ipaddress
import os
import re

import httpx2
from psgimg.builder.errors import BuildError

MOST_PORT = 65_535
_HOST = re.compile(r"[\w.:-]+")


def address(variable: str, default: str, *, secret: bool = False) -> str:
    """Return the address of a service without a slash at its end.

    Parameters
    ----------
    variable
        Environment variable that replaces the default.
    secret
        Whether a token is sent there.

    Raises
    ------
    BuildError
        If the variable is not an address, or would send a token unencrypted to another machine.
    """
    text = os.environ.get(variable, "").strip().rstrip("/")
    if not text:
        return default
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL:
        url = httpx2.URL("")
    is_plain = _HOST.fullmatch(url.host) and not (url.query or url.fragment or url.userinfo)
    is_plain = is_plain and (url.port or 0) <= MOST_PORT
    if url.scheme not in ("http", "https") or not is_plain:
        raise BuildError(f"{variable} is not an address such as {default}; correct or unset it")
    if secret and url.scheme == "http" and not _is_here(url.host):
        raise BuildError(f"{variable} would send your token unencrypted; use an address with https")
    return text


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
