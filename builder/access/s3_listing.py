"""S3 listing: the files in a public bucket, as ``ListObjectsV2`` gives them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass

from psgimg.builder.access.host import Host
from psgimg.builder.errors import RecordingError

MOST_PAGES = 2_000
"""Pages of a thousand files: far more than any corpus has."""

_MD5 = re.compile(r'"?([0-9a-f]{32})"?')
"""An ETag that is the MD5 of the content; that of a file sent in parts has a suffix."""


@dataclass(frozen=True)
class Stored:
    """A file in a bucket: bytes, and MD5 if the bucket has it."""

    key: str
    size: int | None
    md5: str | None


def listed(host: Host, bucket: str, prefix: str) -> Iterator[Stored]:
    """Yield the files whose key begins with a prefix.

    Raises
    ------
    RecordingError
        If the server refuses or can't be reached, or answers in another form.
    """
    parameters = {"list-type": "2", "prefix": prefix}
    token = ""
    for _ in range(MOST_PAGES):
        page = _parsed(host.text(f"{bucket}/", parameters), host.name)
        for entry in page.iterfind("{*}Contents"):
            size, md5 = entry.findtext("{*}Size", ""), _MD5.fullmatch(entry.findtext("{*}ETag", ""))
            n_bytes = int(size) if size.isascii() and size.isdigit() else None
            yield Stored(entry.findtext("{*}Key", ""), n_bytes, md5[1] if md5 else None)
        before, token = token, page.findtext("{*}NextContinuationToken", "")
        if not token:
            return
        if token == before:
            break
        parameters = {**parameters, "continuation-token": token}
    raise RecordingError(
        "unreadable answer", f"{host.name} sends a list of files without end; try again later"
    )


def _parsed(text: str, name: str) -> ET.Element:
    try:
        page = ET.fromstring(text)
    except ET.ParseError:
        page = ET.Element("nothing")
    if not page.tag.endswith("ListBucketResult"):
        raise RecordingError(
            "unreadable answer", f"{name} lists its files in an unknown form; update psgimg"
        )
    return page
