"""Xet: the content store behind the Hub, as far as uploads go.

hf_xet 1.8 cuts files into chunks, sends them in xorbs (`POST /v1/xorbs/...`), then says in a shard
(`POST /v1/shards`) which chunks make up which file. The newer addresses that it tries first are not
served; it falls back. Formats: https://huggingface.co/docs/xet/xorb and .../shard. Files are put
together when their shard comes in, and handed out by plain GET: nothing names their Xet hash.
"""

from __future__ import annotations

import hashlib
import struct
import time
from collections.abc import Iterator

from hub_repo import HubError
from hub_store import Store, Token
from hub_wire import REPO, REV, Call, Reply, Routes, author, repo_of

ENTRY = 48
HEADER = 48
END = b"\xff" * 32
VERIFIED, WITH_SHA256 = 1 << 31, 1 << 30
STORED, LZ4, GROUPED_LZ4 = range(3)


def write_token(hub: Store, call: Call) -> Reply:
    repo = repo_of(hub, call, write=True)
    repo.at(call.at["rev"])
    hub.check_quota(repo, 1)
    value, expires = f"xet_{author(call)}_{repo.name}", int(time.time()) + 3600
    hub.tokens[value] = Token(author(call), "fineGrained", {repo.name: ["repo.write"]})
    headers = {
        "X-Xet-Cas-Url": call.url,
        "X-Xet-Access-Token": value,
        "X-Xet-Token-Expiration": str(expires),
    }
    return Reply({"casUrl": call.url, "accessToken": value, "exp": expires}, headers=headers)


def put_xorb(hub: Store, call: Call) -> Reply:
    _need_token(call)
    fresh = call.at["hash"] not in hub.xorbs
    hub.xorbs[call.at["hash"]] = list(chunks(call.body))
    return Reply({"was_inserted": fresh})


def put_shard(hub: Store, call: Call) -> Reply:
    _need_token(call)
    for terms in files(call.body):
        parts: list[bytes] = []
        for xorb, first, last in terms:
            if xorb not in hub.xorbs:
                raise HubError(400, f"The shard names xorb {xorb}, which was not uploaded")
            parts += hub.xorbs[xorb][first:last]
        data = b"".join(parts)
        hub.xet_files[hashlib.sha256(data).hexdigest()] = data
    return Reply({"result": 1})


def _need_token(call: Call) -> None:
    if call.token is None:
        raise HubError(401, "Unauthorized")


def chunks(xorb: bytes) -> Iterator[bytes]:
    """The chunks of a serialized xorb, unpacked. A footer, if there is one, is left alone."""
    import pyarrow

    at = 0
    while at < len(xorb) and xorb[at] == 0:
        packed = int.from_bytes(xorb[at + 1 : at + 4], "little")
        scheme = xorb[at + 4]
        size = int.from_bytes(xorb[at + 5 : at + 8], "little")
        data = xorb[at + 8 : at + 8 + packed]
        at += 8 + packed
        if scheme != STORED:
            data = pyarrow.decompress(data, decompressed_size=size, codec="lz4", asbytes=True)
        yield _ungrouped(data) if scheme == GROUPED_LZ4 else data


def _ungrouped(data: bytes) -> bytes:
    """Undo the grouping of every fourth byte."""
    out, at = bytearray(len(data)), 0
    for lane in range(4):
        size = (len(data) + 3 - lane) // 4
        out[lane::4] = data[at : at + size]
        at += size
    return bytes(out)


def files(shard: bytes) -> Iterator[list[tuple[str, int, int]]]:
    """Of each file in a shard, its terms: xorb, first chunk, chunk after the last."""
    at = HEADER
    while shard[at : at + 32] != END:
        flags, count = struct.unpack_from("<II", shard, at + 32)
        at += ENTRY
        terms = []
        for start in range(at, at + count * ENTRY, ENTRY):
            first, last = struct.unpack_from("<II", shard, start + 40)
            terms.append((hexed(shard[start : start + 32]), first, last))
        at += count * ENTRY * (2 if flags & VERIFIED else 1)
        at += ENTRY if flags & WITH_SHA256 else 0
        yield terms


def hexed(value: bytes) -> str:
    """A hash as Xet writes it in addresses: four little-endian numbers."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", value))


ROUTES: Routes = [
    ("GET", f"{REPO}/xet-write-token{REV}", write_token),
    ("POST", r"/v1/xorbs/(?P<prefix_>[\w-]+)/(?P<hash>[0-9a-f]{64})", put_xorb),
    ("POST", r"(/v1)?/shards", put_shard),
]
